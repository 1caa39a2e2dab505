"""What of a Lane's CPU time per request is raw's, the adapter's and the framework's own."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from bench.analysis import intervals, ranking
from bench.analysis.autocorrelation import Floats
from bench.analysis.judged_rounds import JudgedRounds
from bench.model.estimate import Estimate
from bench.model.experiment import Experiment, Lane
from bench.model.metrics import CPU, METRICS, OWN_COST
from bench.model.reason import Code, Unknown, reason
from bench.model.summary import AdapterCost, CpuSplit


def with_own_cost(experiment: Experiment) -> list[Lane]:
    """Returns the Lanes that have an own cost: raw has none, and a sweep's Lanes are not saturated side by side."""
    return [] if experiment.sweep else [lane for lane in experiment.lanes if not lane.app.raw]


def cpu_split(rounds: JudgedRounds, lane: Lane) -> CpuSplit | Unknown:
    """Splits a Lane's CPU time: raw, what the adapter adds to raw, what the framework adds to that; paired by round.

    Unknown where the Lane or raw behind the same Adapter can't be trusted.
    """
    bare, adapted_raw = (rounds.experiment.raw(lane, adapted=adapted) for adapted in (False, True))
    if not bare or not adapted_raw:
        adapter = lane.adapter.name if bare and lane.adapter else None
        return Unknown(reason(Code.NO_RAW, server=lane.server.name, adapter=adapter))
    names = [who.name for who in (lane, adapted_raw, bare)]
    cpu_us = _cpu_us(rounds, names)
    if not cpu_us:
        return Unknown(reason(Code.NO_ROUND_WITH_RAW))
    if not rounds.valid(adapted_raw.name, CPU):
        found = reason(Code.RAW_NOT_VALID, lane=adapted_raw.name, status=rounds.status(adapted_raw.name, CPU))
        return Unknown(found)
    if not rounds.valid(lane.name, CPU):
        return Unknown(reason(Code.LANE_NOT_VALID, status=rounds.status(lane.name, CPU)))
    rho = rounds.resemblances[CPU]
    return CpuSplit(
        lane=lane.name,
        raw=_mean_us(cpu_us[bare.name], rho.of_estimates),
        adapter=_mean_us(cpu_us[adapted_raw.name] - cpu_us[bare.name], rho.of_ratios) if lane.adapter else None,
        framework=_mean_us(cpu_us[lane.name] - cpu_us[adapted_raw.name], rho.of_ratios),
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
        if cpu_us := _cpu_us(rounds, (lane.name, bare.name)):
            cost = _mean_us(cpu_us[lane.name] - cpu_us[bare.name], rounds.resemblances[CPU].of_ratios)
            yield AdapterCost(adapter=lane.adapter.name, server=lane.server.name, cost=cost)


def _cpu_us(rounds: JudgedRounds, lanes: Sequence[str]) -> dict[str, Floats]:
    """Returns the CPU time per request of Lanes in the rounds that all of them have; nothing without one."""
    of_each = {lane: rounds.of(lane, CPU) for lane in lanes}
    common = ranking.common_rounds(of_each)
    return {lane: np.array([by_round[at] for at in common]) for lane, by_round in of_each.items()} if common else {}


def _mean_us(by_round_us: Floats, rho: float) -> Estimate:
    own_cost = METRICS[OWN_COST]
    return intervals.linear_estimate(by_round_us.tolist(), own_cost.unit, own_cost.better, rho=rho)
