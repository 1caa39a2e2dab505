"""What a comparison has measured so far: HEAD:BASE of each metric, from the records of the two Lanes of an App."""

from collections.abc import Sequence
from math import exp, fsum, log

from msgspec import Struct

from bench.analysis import validity
from bench.analysis.folds import round_values
from bench.model import quotients
from bench.model.load import Phase
from bench.model.metrics import INSTRUCTIONS
from bench.model.records import Estimate, Failure, Observation, SliceRecord, Validity
from bench.model.regression import Evidence, Verdict
from bench.regression import verdict

CPU = "cpu_us_per_request"
THROUGHPUT = "throughput_rps"
MEDIAN_LATENCY = "latency_fixed_p50_ms"
PHASES = {
    CPU: Phase.DUET,
    THROUGHPUT: Phase.SATURATED,
    MEDIAN_LATENCY: Phase.FIXED,
    "latency_fixed_p99_ms": Phase.FIXED,
}
"""The metrics that are compared by rounds, most precise first, with the slices that they come from."""
STEERING = (CPU, THROUGHPUT, MEDIAN_LATENCY)
"""Those whose precision decides when there are enough rounds; a p99 may need hours."""


class Pair(Struct, frozen=True):
    """The two Lanes of one App, by name."""

    app: str
    base: str
    head: str


class Allowed(Struct, frozen=True):
    """The largest regressions that are none, as shares: 0.03 for 3 %."""

    time: float
    instructions: float


def ratios(pair: Pair, records: Sequence[SliceRecord], *, apps: int) -> dict[str, Estimate]:
    """Returns HEAD:BASE of each metric that both Lanes have, paired by Round.

    The intervals of a metric hold for all of so many ``apps`` at once.
    """
    own = [record for record in records if record.lane in (pair.base, pair.head)]
    by_lane = round_values(own).by_lane
    base, head = (by_lane.get(lane, {}) for lane in (pair.base, pair.head))
    found = {metric: verdict.paired(base.get(metric, {}), head.get(metric, {}), apps) for metric in PHASES}
    found[CPU] = verdict.paired(*_duets(pair, records), apps)
    return {metric: ratio for metric, ratio in found.items() if ratio}


def steering(pairs: Sequence[Pair], records: Sequence[SliceRecord]) -> list[Estimate]:
    """Returns the ratios of the steering metrics of all Apps; nothing as long as one of them has none."""
    known = [ratios(pair, records, apps=len(pairs)) for pair in pairs]
    found = [[of_app[metric] for metric in STEERING if metric in of_app] for of_app in known]
    return [ratio for of_app in found for ratio in of_app] if all(found) else []


def judge(
    pair: Pair,
    records: Sequence[SliceRecord],
    observations: Sequence[Observation],
    allowed: Allowed,
    *,
    workers: int,
    apps: int,
) -> tuple[Evidence, ...]:
    """Returns the evidence on one of so many ``apps``, metric by metric.

    Nothing of it is valid where an answer was wrong.
    """
    known = ratios(pair, records, apps=apps)
    cells = {side: _cells(lane, records, workers) for side, lane in (("BASE", pair.base), ("HEAD", pair.head))}
    by_rounds = [
        verdict.judge(metric, known.get(metric), allowed.time, [(side, cells[side][phase]) for side in cells])
        for metric, phase in PHASES.items()
        if metric in known or metric in STEERING
    ]
    return (*_instructions(pair, observations, allowed), *by_rounds)


def failed(failure: Failure) -> tuple[Evidence, ...]:
    """Returns the evidence on an App that could not be measured any more: none, whatever was measured before."""
    last = failure.log_tail.strip().splitlines()[-1:]
    why = validity.failed(failure, *last).found_of(failure.lane)
    return tuple(Evidence(metric, None, Verdict.INVALID, None, (why,)) for metric in STEERING)


def _instructions(pair: Pair, observations: Sequence[Observation], allowed: Allowed) -> list[Evidence]:
    """Judges the instructions per request, where they could be counted."""
    counted = {observation.lane: observation for observation in observations if observation.metric == INSTRUCTIONS}
    if not {pair.base, pair.head} <= counted.keys():
        return []
    base, head = counted[pair.base], counted[pair.head]
    if base.value is None or head.value is None:
        return []  # a comparison's notes say why
    return [verdict.judge(INSTRUCTIONS, verdict.exact(base.value, head.value), allowed.instructions, [])]


def _duets(pair: Pair, records: Sequence[SliceRecord]) -> tuple[dict[int, float], dict[int, float]]:
    """Returns CPU time per request of both sides by Round, such that their ratio is the mean over the Round's Duets.

    The two records of a Duet saw the same disturbances at the same time, so their ratio is taken first. BASE is 1.
    """
    costs: dict[tuple[int, int], dict[str, float]] = {}
    for record in records:
        cost = quotients.cpu_ns_per_request(record)
        if record.phase is Phase.DUET and cost and not record.discarded:
            costs.setdefault((record.round, record.slice), {})[record.lane] = cost
    logs: dict[int, list[float]] = {}
    for (round_index, _), by_lane in costs.items():
        if {pair.base, pair.head} <= by_lane.keys():
            logs.setdefault(round_index, []).append(log(by_lane[pair.head] / by_lane[pair.base]))
    return dict.fromkeys(logs, 1.0), {index: exp(fsum(of_round) / len(of_round)) for index, of_round in logs.items()}


def _cells(lane: str, records: Sequence[SliceRecord], workers: int) -> dict[Phase, Validity]:
    cells = validity.judge_cells([record for record in records if record.lane == lane], None, workers)
    return {phase: validity.of_phase(cells, phase) for phase in PHASES.values()}
