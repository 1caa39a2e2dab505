"""Which Lanes can be told apart: only those whose paired ratio says so, with confidence."""

from itertools import combinations, pairwise
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import ranking
from bench.analysis.intervals import ratio_estimate
from bench.model.estimate import Estimate
from bench.model.summary import Ratio, Standing

VALUES = st.floats(1.0, 1e5)
LANES = (
    st.integers(1, 9)
    .flatmap(
        lambda rounds: st.dictionaries(
            st.sampled_from("abcdef"), st.lists(VALUES, min_size=rounds, max_size=rounds), min_size=1
        )
    )
    .map(lambda lanes: {name: dict(enumerate(values)) for name, values in lanes.items()})
)
"""A metric of some Lanes in the same rounds."""
RAGGED = st.dictionaries(
    st.sampled_from("abcdef"), st.dictionaries(st.integers(0, 8), VALUES, min_size=1, max_size=9), min_size=1
)
"""A metric of some Lanes, of which each may have missed rounds."""


def ratio(lane: str, other: str, low: float | None, high: float | None) -> Ratio:
    """Returns a ratio with this interval."""
    point = 1.5 if low is None or high is None else (low * high) ** 0.5
    return Ratio(lane=lane, other=other, metric="throughput_rps", ratio=Estimate.ratio(point, low, high, 7))


def steady(value: float, rounds: int = 5) -> dict[int, float]:
    """Returns a metric that hardly varies."""
    return {index: value * (1 + 0.001 * (index % 3)) for index in range(rounds)}


@pytest.mark.parametrize(
    ("low", "high", "told_apart"),
    [(1.01, 1.2, True), (0.8, 0.99, True), (0.9, 1.1, False), (1.0, 1.2, False), (0.9, 1.0, False)],
)
def test_an_interval_that_excludes_one_tells_apart(low: float, high: float, told_apart: bool) -> None:
    """A ratio whose interval holds 1, or touches it, may be 1."""
    assert ranking.differs(ratio("a", "b", low, high).ratio) is told_apart


def test_without_an_interval_nothing_is_told_apart() -> None:
    """However far from 1 the point is."""
    assert not ranking.differs(Estimate.ratio(9.0, None, None, 2))


@given(lanes=LANES)
def test_every_pair_is_compared_once_the_better_first(lanes: dict[str, dict[int, float]]) -> None:
    """Of n Lanes there are n(n-1)/2 ratios, none below 1 where all have the same rounds."""
    ratios = ranking.paired_ratios("throughput_rps", lanes)
    assert {frozenset((found.lane, found.other)) for found in ratios} == set(map(frozenset, combinations(lanes, 2)))
    assert len(ratios) == len(lanes) * (len(lanes) - 1) // 2
    assert all(found.ratio.point >= 1 - 1e-9 for found in ratios)
    assert {found.metric for found in ratios} <= {"throughput_rps"}


@given(lanes=LANES)
def test_lanes_are_ordered_by_their_geometric_mean(lanes: dict[str, dict[int, float]]) -> None:
    """The best is first; every Lane is there once."""
    ordered = ranking.best_first(lanes)
    means = [sum(map(log, lanes[lane].values())) / len(lanes[lane]) for lane in ordered]
    assert sorted(ordered) == sorted(lanes)
    assert all(a >= b - 1e-9 for a, b in pairwise(means))


@given(lanes=LANES, luck=st.lists(st.floats(0.1, 10), min_size=9, max_size=9))
def test_ratios_do_not_see_what_disturbs_all(lanes: dict[str, dict[int, float]], luck: list[float]) -> None:
    """A factor that all Lanes have in common in a round changes no ratio."""
    disturbed = {lane: {r: value * luck[r] for r, value in rounds.items()} for lane, rounds in lanes.items()}
    before, after = (  # by pairs without an order, as equal Lanes may change places
        {frozenset((found.lane, found.other)): found.ratio.point for found in ranking.paired_ratios("m", values)}
        for values in (lanes, disturbed)
    )
    assert before.keys() == set(map(frozenset, combinations(lanes, 2)))
    assert after == pytest.approx(before, rel=1e-6)


def test_only_rounds_that_both_have_are_compared() -> None:
    """A round that one of the two missed says nothing of their ratio."""
    lanes = {"a": {0: 200.0, 1: 200.0, 2: 200.0, 3: 900.0}, "b": {0: 100.0, 1: 100.0, 2: 100.0}}
    (found,) = ranking.paired_ratios("throughput_rps", lanes)
    assert found.ratio.point == pytest.approx(2)
    assert found.ratio.n == 3


@given(lanes=RAGGED)
def test_all_comparisons_rest_on_the_rounds_that_all_have(lanes: dict[str, dict[int, float]]) -> None:
    """Every ratio has the same rounds behind it, so none contradicts the order; without such a round there is none."""
    rounds = ranking.common_rounds(lanes)
    assert rounds == [index for index in range(9) if all(index in values for values in lanes.values())]
    found = {(ratio.lane, ratio.other): ratio.ratio for ratio in ranking.paired_ratios("throughput_rps", lanes)}
    assert list(found) == (list(combinations(ranking.best_first(lanes), 2)) if rounds else [])
    assert all(ratio.n == len(rounds) and ratio.point >= 1 - 1e-9 for ratio in found.values())


def test_a_rank_does_not_contradict_the_ratio_behind_it() -> None:
    """A Lane that is slower in every round that both have is not ranked above, whatever it did in other rounds."""
    lanes = {"a": {0: 100.0, 1: 100.1, 2: 99.9, 3: 1000.0}, "b": {0: 110.0, 1: 110.2, 2: 110.0}}
    ratios = ranking.paired_ratios("throughput_rps", lanes)
    assert [ranking.differs(found.ratio) for found in ratios] == [True]
    standings = ranking.standings(ranking.best_first(lanes), ratios)
    assert [standing.lane for standing in standings if standing.rank] == ["b", "a"]


@given(lanes=LANES)
def test_what_is_shown_of_a_ratio_is_what_decides(lanes: dict[str, dict[int, float]]) -> None:
    """Two Lanes tie if and only if the interval of their ratio holds 1: all intervals of a Group hold at once."""
    ratios = ranking.paired_ratios("throughput_rps", lanes)
    alone = {
        (found.lane, found.other): ratio_estimate(list(lanes[found.lane].values()), list(lanes[found.other].values()))
        for found in ratios
    }
    ties = {
        (standing.lane, other)
        for standing in ranking.standings(ranking.best_first(lanes), ratios)
        for other in standing.tied_with
    }
    for found in ratios:
        single = alone[found.lane, found.other]
        assert ((found.lane, found.other) in ties) == (not ranking.differs(found.ratio))
        if single.low is not None and found.ratio.low is not None:
            assert found.ratio.low <= single.low * (1 + 1e-9)
            assert len(ratios) > 1 or found.ratio.low == single.low


@given(lanes=LANES, noise=st.floats(0, 3))
def test_differences_below_the_noise_are_ties(lanes: dict[str, dict[int, float]], noise: float) -> None:
    """More noise never separates Lanes; who is apart differs by more than the noise, and by its interval too."""
    ratios = ranking.paired_ratios("throughput_rps", lanes)
    order = ranking.best_first(lanes)
    quiet, loud = (ranking.standings(order, ratios, level) for level in (0.0, noise))
    for before, after in zip(quiet, loud, strict=True):
        assert set(before.tied_with) <= set(after.tied_with)
    tied = {standing.lane: standing.tied_with for standing in loud}
    for found in ratios:
        if found.other not in tied[found.lane]:
            assert ranking.differs(found.ratio)
            assert found.ratio.point > 1 + noise


def test_lanes_that_differ_are_ranked() -> None:
    """Each has the number of its place, and is tied with nobody."""
    lanes = {"slow": steady(100), "fast": steady(300), "middle": steady(200)}
    standings = ranking.standings(ranking.best_first(lanes), ranking.paired_ratios("throughput_rps", lanes))
    assert standings == tuple(
        Standing(lane=lane, rank=place, tied_with=()) for place, lane in enumerate(["fast", "middle", "slow"], start=1)
    )


def test_a_tie_has_no_rank_number() -> None:
    """Lanes that can't be told apart have each other's names instead of a number; the others keep their places."""
    ratios = [
        ratio("a", "b", 1.1, 1.2),
        ratio("a", "c", 1.2, 1.3),
        ratio("b", "c", 0.99, 1.1),
        *(ratio(lane, "d", 2.0, 2.1) for lane in "abc"),
    ]
    assert ranking.standings("abcd", ratios) == (
        Standing(lane="a", rank=1, tied_with=()),
        Standing(lane="b", rank=None, tied_with=("c",)),
        Standing(lane="c", rank=None, tied_with=("b",)),
        Standing(lane="d", rank=4, tied_with=()),
    )


def test_lanes_that_were_never_compared_are_tied() -> None:
    """Lanes without a round in common can't be told apart: nothing was seen of their ratio."""
    lanes = {"a": {0: 300.0}, "b": {1: 100.0}}
    standings = ranking.standings(ranking.best_first(lanes), ranking.paired_ratios("throughput_rps", lanes))
    assert [standing.rank for standing in standings] == [None, None]
    assert [standing.tied_with for standing in standings] == [("b",), ("a",)]


def test_two_rounds_rank_nobody() -> None:
    """Without intervals every Lane is tied with every other."""
    lanes = {"a": steady(300, 2), "b": steady(200, 2), "c": steady(100, 2)}
    standings = ranking.standings(ranking.best_first(lanes), ranking.paired_ratios("throughput_rps", lanes))
    assert [(standing.rank, set(standing.tied_with)) for standing in standings] == [
        (None, {"b", "c"}),
        (None, {"a", "c"}),
        (None, {"a", "b"}),
    ]


@given(lanes=LANES | RAGGED)
def test_ties_are_mutual_and_ranks_are_places(lanes: dict[str, dict[int, float]]) -> None:
    """If a ties with b then b ties with a; who ties with nobody has the number of its place."""
    standings = ranking.standings(ranking.best_first(lanes), ranking.paired_ratios("throughput_rps", lanes))
    ties = {(standing.lane, other) for standing in standings for other in standing.tied_with}
    assert ties == {(b, a) for a, b in ties}
    assert all((standing.rank is None) == bool(standing.tied_with) for standing in standings)
    assert all(standing.rank in (None, place) for place, standing in enumerate(standings, start=1))
    assert [standing.lane for standing in standings] == ranking.best_first(lanes)


def test_one_lane_alone_is_first() -> None:
    """There is nobody to tie with."""
    assert ranking.standings(["a"], []) == (Standing(lane="a", rank=1, tied_with=()),)
    assert ranking.paired_ratios("throughput_rps", {}) == ()
    assert ranking.best_first({}) == []
    assert ranking.common_rounds({}) == []
