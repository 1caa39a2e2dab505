"""Which Lanes of a League can be told apart."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import log
from statistics import fmean

from bench.records import Estimate, Ratio, Standing
from bench.stats import ratio_estimate

ByRound = Mapping[int, float]
"""A metric of one Lane, by round."""


def paired_ratios(metric: str, lanes: Mapping[str, ByRound]) -> tuple[Ratio, ...]:
    """Returns the ratio of every pair of Lanes over the rounds that both have, the better Lane (higher value) first."""
    ordered = best_first(lanes)
    pairs = ((a, b, sorted(lanes[a].keys() & lanes[b].keys())) for a, b in combinations(ordered, 2))
    return tuple(
        Ratio(
            lane=a,
            other=b,
            metric=metric,
            ratio=ratio_estimate([lanes[a][r] for r in rounds], [lanes[b][r] for r in rounds]),
        )
        for a, b, rounds in pairs
        if rounds
    )


def best_first(lanes: Mapping[str, ByRound]) -> list[str]:
    """Returns Lanes by their geometric mean, the highest first."""
    return sorted(lanes, key=lambda lane: -fmean(map(log, lanes[lane].values())))


def differs(ratio: Estimate) -> bool:
    """Returns whether an interval of a ratio excludes 1. Without an interval nothing can be told apart."""
    return ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high


def standings(lanes: Sequence[str], ratios: Sequence[Ratio]) -> tuple[Standing, ...]:
    """Returns the places of Lanes that are given best first. A Lane that ties with any other has no rank number."""
    ties: dict[str, list[str]] = {lane: [] for lane in lanes}
    for ratio in ratios:
        if not differs(ratio.ratio):
            ties[ratio.lane].append(ratio.other)
            ties[ratio.other].append(ratio.lane)
    return tuple(
        Standing(lane=lane, rank=None if ties[lane] else place, tied_with=tuple(ties[lane]))
        for place, lane in enumerate(lanes, start=1)
    )
