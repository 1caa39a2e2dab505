"""Which Lanes of a Group can be told apart."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import log

from bench.analysis.folds import ByRound
from bench.analysis.intervals import ratio_estimate
from bench.model.estimate import Estimate
from bench.model.summary import Ratio, Standing


def paired_ratios(metric: str, lanes: Mapping[str, ByRound], rho: float = 0.0) -> tuple[Ratio, ...]:
    """Returns the ratio of every pair of Lanes, the better one (higher value) first; none without a common round.

    All of their intervals hold at once. ``rho`` is how much a round resembles the next in what Lanes do not share.
    """
    rounds = common_rounds(lanes)
    pairs = list(combinations(best_first(lanes), 2)) if rounds else []
    return tuple(
        Ratio(
            lane=a,
            other=b,
            metric=metric,
            ratio=ratio_estimate(
                [lanes[a][r] for r in rounds], [lanes[b][r] for r in rounds], rho=rho, comparisons=len(pairs)
            ),
        )
        for a, b in pairs
    )


def best_first(lanes: Mapping[str, ByRound]) -> list[str]:
    """Returns Lanes by their geometric mean over the rounds that all of them have, the highest first."""
    rounds = common_rounds(lanes)
    return sorted(lanes, key=lambda lane: -sum(log(lanes[lane][index]) for index in rounds))


def common_rounds(lanes: Mapping[str, ByRound]) -> list[int]:
    """Returns the rounds that every Lane has, so that all comparisons of a Group rest on the same ones."""
    return sorted(set.intersection(*(set(rounds) for rounds in lanes.values()))) if lanes else []


def differs(ratio: Estimate) -> bool:
    """Returns whether an interval of a ratio excludes 1. Without an interval nothing can be told apart."""
    return ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high


def standings(lanes: Sequence[str], ratios: Sequence[Ratio], noise: float = 0.0) -> tuple[Standing, ...]:
    """Returns the places of Lanes that are given best first. A Lane that ties with any other has no rank number.

    Lanes whose difference is below ``noise`` (0.02 for 2 %) tie, whatever their interval says.
    """
    apart = {
        frozenset((ratio.lane, ratio.other))
        for ratio in ratios
        if differs(ratio.ratio) and abs(log(ratio.ratio.point)) > log(1 + noise)
    }
    ties = {lane: [o for o in lanes if o != lane and frozenset((lane, o)) not in apart] for lane in lanes}
    return tuple(
        Standing(lane=lane, rank=None if ties[lane] else place, tied_with=tuple(ties[lane]))
        for place, lane in enumerate(lanes, start=1)
    )
