"""The noise floor: how far a Lane differs from its twin, which is the same Lane."""

from collections.abc import Iterable, Iterator, Sequence
from math import exp, log

from bench.analysis.intervals import ratio_estimate
from bench.analysis.judged_rounds import JudgedRounds
from bench.analysis.ranking import common_rounds
from bench.model.experiment import Lane
from bench.model.metrics import METRICS, Metric
from bench.model.summary import NoiseFloor


def of_group(lanes: Sequence[Lane], rounds: JudgedRounds) -> tuple[NoiseFloor, ...]:
    """Returns how far each Lane of a Group that has a twin there differs from it, metric by metric."""
    metrics = [metric for metric in METRICS.gated() if metric.noise_floor]
    return tuple(floor for metric in metrics for floor in _of_metric(metric, lanes, rounds))


def largest(floors: Iterable[NoiseFloor], metric: str) -> float:
    """Returns the difference in a metric below which nothing can be told apart: 0 where no twin tells."""
    known = (floor.difference for floor in floors if floor.metric == metric and floor.difference is not None)
    return max(known, default=0.0)


def between(
    lane: str, twin: str, metric: str, of_twin: Sequence[float], of_lane: Sequence[float], rho: float = 0.0
) -> NoiseFloor:
    """Returns how far a Lane differs from its twin, by values that are paired by round."""
    ratio = ratio_estimate(of_twin, of_lane, rho=rho)
    ends = [abs(log(end)) for end in (ratio.low, ratio.high) if end is not None]
    difference = exp(max(ends)) - 1 if ends else None
    return NoiseFloor(lane=lane, twin=twin, metric=metric, ratio=ratio, difference=difference)


def _of_metric(metric: Metric, lanes: Sequence[Lane], rounds: JudgedRounds) -> Iterator[NoiseFloor]:
    """Yields the floors of the Lanes that can be trusted, as well as their twins."""
    names = {lane.name for lane in lanes}
    for twin in (lane for lane in lanes if lane.twin and lane.original in names):
        pair = {name: rounds.of(name, metric.name) for name in (twin.name, twin.original)}
        common = common_rounds(pair)
        if common and all(rounds.valid(name, metric.name) for name in pair):
            of_twin, of_lane = ([by_round[index] for index in common] for by_round in pair.values())
            rho = rounds.resemblances[metric.name].of_ratios
            yield between(twin.original, twin.name, metric.name, of_twin, of_lane, rho)
