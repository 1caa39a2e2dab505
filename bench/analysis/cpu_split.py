"""What of a Lane's CPU time per request is raw's, the adapter's and the framework's own.

Any other metric that is a difference of Lanes is split the same way.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from bench.analysis import intervals, ranking
from bench.analysis.autocorrelation import Floats
from bench.analysis.judged_rounds import JudgedRounds
from bench.model.estimate import Estimate
from bench.model.experiment import Experiment, Lane
from bench.model.metrics import CPU, METRICS, OWN_COST, Metric
from bench.model.reason import Code, Unknown, reason
from bench.model.summary import AdapterCost, CpuSplit


def with_own_cost(experiment: Experiment) -> list[Lane]:
    """Returns the Lanes that have an own cost: raw has none, and a sweep's Lanes are not saturated side by side."""
    return [] if experiment.sweep else [lane for lane in experiment.lanes if not lane.app.raw]


def split(rounds: JudgedRounds, lane: Lane, difference: Metric) -> CpuSplit | Unknown:
    """Splits what a difference is of: raw, what the adapter adds to raw, what the framework adds to that; by round.

    The framework's part is the difference. Unknown where the Lane or raw behind the same Adapter can't be trusted.
    """
    whole = difference.difference_of
    assert whole is not None, "the Registry refuses a difference of nothing"
    bare, adapted_raw = (rounds.experiment.raw(lane, adapted=adapted) for adapted in (False, True))
    if not bare or not adapted_raw:
        adapter = lane.adapter.name if bare and lane.adapter else None
        return Unknown(reason(Code.NO_RAW, server=lane.server.name, adapter=adapter))
    values = _in_common_rounds(rounds, whole, [who.name for who in (lane, adapted_raw, bare)])
    if not values:
        return Unknown(reason(Code.NO_ROUND_WITH_RAW))
    if not rounds.valid(adapted_raw.name, whole):
        found = reason(Code.RAW_NOT_VALID, lane=adapted_raw.name, status=rounds.status(adapted_raw.name, whole))
        return Unknown(found)
    if not rounds.valid(lane.name, whole):
        return Unknown(reason(Code.LANE_NOT_VALID, status=rounds.status(lane.name, whole)))
    rho = rounds.resemblances[whole]
    of_lane, of_adapted, of_bare = (values[who.name] for who in (lane, adapted_raw, bare))
    return CpuSplit(
        lane=lane.name,
        raw=_mean(difference, of_bare, rho.of_estimates),
        adapter=_mean(difference, of_adapted - of_bare, rho.of_ratios) if lane.adapter else None,
        framework=_mean(difference, of_lane - of_adapted, rho.of_ratios),
    )


def shown(rounds: JudgedRounds, splits: Iterable[CpuSplit | Unknown]) -> Iterator[CpuSplit]:
    """Yields the splits whose raw without an Adapter is valid, too; a framework's own part does not need it."""
    for split in splits:
        if isinstance(split, CpuSplit):
            bare = rounds.experiment.raw(rounds.experiment.lane(split.lane), adapted=False)
            if bare and rounds.valid(bare.name, CPU):
                yield split


def adapter_costs(rounds: JudgedRounds) -> Iterator[AdapterCost]:
    """Yields what each Adapter costs on each Server, of raw behind it and raw, where both can be trusted.

    No framework has a part in it: what an Adapter costs is known whatever is found against the Lanes that use it.
    """
    behind = [] if rounds.experiment.sweep else [lane for lane in rounds.experiment.lanes if lane.app.raw]
    for lane in behind:
        bare = rounds.experiment.raw(lane, adapted=False)
        if lane.adapter is None or bare is None or not all(rounds.valid(raw.name, CPU) for raw in (lane, bare)):
            continue
        if cpu_us := _in_common_rounds(rounds, CPU, (lane.name, bare.name)):
            added_us = cpu_us[lane.name] - cpu_us[bare.name]
            cost = _mean(METRICS[OWN_COST], added_us, rounds.resemblances[CPU].of_ratios)
            yield AdapterCost(adapter=lane.adapter.name, server=lane.server.name, cost=cost)


def _in_common_rounds(rounds: JudgedRounds, metric: str, lanes: Sequence[str]) -> dict[str, Floats]:
    """Returns a metric of Lanes in the rounds that all of them have; nothing without one."""
    of_each = {lane: rounds.of(lane, metric) for lane in lanes}
    common = ranking.common_rounds(of_each)
    return {lane: np.array([by_round[at] for at in common]) for lane, by_round in of_each.items()} if common else {}


def _mean(difference: Metric, by_round: Floats, rho: float) -> Estimate:
    return intervals.linear_estimate(by_round.tolist(), difference.unit, difference.better, rho=rho)
