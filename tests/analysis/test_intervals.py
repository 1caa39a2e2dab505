"""Estimates over rounds, held against scipy and numpy; histograms, held against one histogram of everything."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from bench.analysis import histograms, intervals
from bench.model.estimate import Estimate
from bench.model.metrics import PERCENTILES, Better, Unit
from bench.model.protocol import MAX_LATENCY_US
from tests.builders.runs import histogram

POSITIVE = st.floats(1e-3, 1e6)
ROUNDS = st.lists(POSITIVE, min_size=3, max_size=25)
FACTORS = st.floats(1e-2, 1e2)
PAIRS = st.lists(st.tuples(POSITIVE, POSITIVE), min_size=3, max_size=25)


def interval(estimate: Estimate) -> tuple[float, float, float]:
    """Returns low, point and high of an Estimate that has an interval."""
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.point, estimate.high


def close(values: Sequence[float]) -> object:
    return pytest.approx(tuple(values), rel=1e-6, abs=1e-9)


@given(values=ROUNDS)
def test_an_estimate_is_students_t_on_logarithms(values: list[float]) -> None:
    """Point and interval are those of scipy's t on the logarithms, taken back."""
    logs = np.log(values)
    spread = max(float(logs.std(ddof=1)), 1e-300)
    low, high = student.interval(0.95, len(values) - 1, loc=logs.mean(), scale=spread / np.sqrt(len(values)))
    estimate = intervals.log_estimate(values, Unit.MS, Better.LOWER)
    assert interval(estimate) == close([np.exp(low), np.exp(logs.mean()), np.exp(high)])
    assert (estimate.n, estimate.unit, estimate.better) == (len(values), "ms", "lower")


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=25))
def test_a_difference_is_students_t(values: list[float]) -> None:
    """Differences may be negative: mean and interval are scipy's t on the values themselves."""
    spread = max(float(np.std(values, ddof=1)), 1e-300)
    low, high = student.interval(0.95, len(values) - 1, loc=np.mean(values), scale=spread / np.sqrt(len(values)))
    scale = max(1.0, *map(abs, values))
    found = interval(intervals.linear_estimate(values, Unit.US, Better.LOWER))
    assert [value / scale for value in found] == pytest.approx([low / scale, np.mean(values) / scale, high / scale])


@given(
    values=st.lists(POSITIVE, min_size=1, max_size=2),
    make=st.sampled_from([intervals.log_estimate, intervals.linear_estimate]),
)
def test_fewer_than_three_rounds_have_no_interval(
    values: list[float], make: Callable[[Sequence[float], str, str], Estimate]
) -> None:
    """There is a point, and the number of rounds says how much it is worth."""
    estimate = make(values, Unit.MS, Better.LOWER)
    assert (estimate.low, estimate.high, estimate.n) == (None, None, len(values))
    assert min(values) * (1 - 1e-9) <= estimate.point <= max(values) * (1 + 1e-9)


@given(values=ROUNDS)
def test_the_point_lies_within_its_interval_and_its_values(values: list[float]) -> None:
    """Low ≤ point ≤ high, and a geometric mean is no less than the smallest and no more than the largest."""
    low, point, high = interval(intervals.log_estimate(values, Unit.MS, Better.LOWER))
    assert 0 < low <= point * (1 + 1e-12)
    assert point <= high * (1 + 1e-12)
    assert min(values) * (1 - 1e-9) <= point <= max(values) * (1 + 1e-9)


@given(values=ROUNDS, factor=FACTORS)
def test_an_estimate_scales_with_its_unit(values: list[float], factor: float) -> None:
    """A thousand times the value is a thousand times the point and the interval: the unit does not matter."""
    scaled = intervals.log_estimate([value * factor for value in values], Unit.MS, Better.LOWER)
    assert interval(scaled) == close(
        [value * factor for value in interval(intervals.log_estimate(values, Unit.MS, Better.LOWER))]
    )


@given(values=ROUNDS, data=st.data())
def test_the_order_of_rounds_does_not_matter(values: list[float], data: st.DataObject) -> None:
    """Rounds are exchangeable."""
    shuffled = data.draw(st.permutations(values))
    assert interval(intervals.log_estimate(shuffled, Unit.MS, Better.LOWER)) == close(
        interval(intervals.log_estimate(values, Unit.MS, Better.LOWER))
    )


@given(value=POSITIVE, n=st.integers(3, 20))
def test_rounds_that_agree_leave_no_doubt(value: float, n: int) -> None:
    """Without spread, the interval is the point."""
    assert interval(intervals.log_estimate([value] * n, Unit.MS, Better.LOWER)) == close([value] * 3)


@given(pairs=PAIRS, luck=st.lists(FACTORS, min_size=25, max_size=25))
def test_a_ratio_is_immune_to_what_disturbs_both(pairs: list[tuple[float, float]], luck: list[float]) -> None:
    """A factor that both Lanes have in common in a round, a different one each round, cancels."""
    ours, theirs = zip(*pairs, strict=True)
    disturbed = intervals.ratio_estimate(
        [a * factor for a, factor in zip(ours, luck, strict=False)],
        [b * factor for b, factor in zip(theirs, luck, strict=False)],
    )
    assert interval(disturbed) == close(interval(intervals.ratio_estimate(ours, theirs)))


@given(pairs=PAIRS)
def test_a_ratio_turned_round_is_its_reciprocal(pairs: list[tuple[float, float]]) -> None:
    """It does not matter which Lane is divided by which."""
    ours, theirs = zip(*pairs, strict=True)
    low, point, high = interval(intervals.ratio_estimate(theirs, ours))
    assert interval(intervals.ratio_estimate(ours, theirs)) == close([1 / high, 1 / point, 1 / low])


@given(values=ROUNDS, factor=FACTORS)
def test_a_constant_ratio_is_found_exactly(values: list[float], factor: float) -> None:
    """However much the rounds differ, a Lane that is always the same factor away is that factor away."""
    assert interval(intervals.ratio_estimate([value * factor for value in values], values)) == close([factor] * 3)


def test_a_ratio_needs_pairs() -> None:
    """Rounds that only one Lane has cannot be paired."""
    with pytest.raises(ValueError, match="shorter"):
        intervals.ratio_estimate([1.0, 2.0, 3.0], [1.0, 2.0])


def covered(estimates: Sequence[Estimate], truth: float) -> float:
    """Returns the share of intervals that hold the truth."""
    return float(np.mean([low <= truth <= high for low, _, high in map(interval, estimates)]))


def test_the_interval_covers_the_truth() -> None:
    """Of many runs of 7 rounds with a noise of 20 %, 93 to 97 % have the true value in their interval."""
    rng = np.random.default_rng(20260301)
    runs = np.exp(rng.normal(np.log(2500), 0.2, size=(2000, 7)))
    assert (
        0.93
        <= covered([intervals.log_estimate(list(run), Unit.REQUESTS_PER_S, Better.HIGHER) for run in runs], 2500)
        <= 0.97
    )


def test_a_paired_ratio_covers_the_truth() -> None:
    """Under a common disturbance of 40 % a round, the ratio's interval covers just as well, and is narrow."""
    rng = np.random.default_rng(20260302)
    luck = np.exp(rng.normal(0, 0.4, size=(2000, 7)))
    ours, theirs = (luck * np.exp(rng.normal(np.log(mean), 0.03, size=luck.shape)) for mean in (2400, 2000))
    estimates = [intervals.ratio_estimate(list(a), list(b)) for a, b in zip(ours, theirs, strict=True)]
    assert 0.93 <= covered(estimates, 1.2) <= 0.97
    assert np.median([high - low for low, _, high in map(interval, estimates)]) < 0.12


RHOS = st.sampled_from([0.0, 0.1, 0.3, 0.6, 0.9])


@given(values=ROUNDS, rho=RHOS, make=st.sampled_from([intervals.log_estimate, intervals.linear_estimate]))
def test_rounds_that_resemble_each_other_widen_an_interval(
    values: list[float], rho: float, make: Callable[..., Estimate]
) -> None:
    """The point stays; the interval is never narrower than that of independent rounds."""
    (low, point, high), (at_least, same, at_most) = (
        interval(make(values, Unit.MS, Better.LOWER, rho=r)) for r in (rho, 0.0)
    )
    assert point == same
    assert low <= at_least + 1e-9 * abs(at_least)
    assert high >= at_most - 1e-9 * abs(at_most)
    assert np.isfinite([low, high]).all()


@given(pairs=PAIRS, comparisons=st.integers(1, 60))
def test_intervals_that_hold_at_once_share_the_risk(pairs: list[tuple[float, float]], comparisons: int) -> None:
    """Each is scipy's t interval at 5 % divided by their number, on the logarithms of the paired ratios."""
    ours, theirs = zip(*pairs, strict=True)
    logs, n = np.log(np.divide(ours, theirs)), len(pairs)
    scale = max(float(logs.std(ddof=1)), 1e-300) / np.sqrt(n)
    low, high = student.interval(1 - 0.05 / comparisons, n - 1, loc=logs.mean(), scale=scale)
    found = interval(intervals.ratio_estimate(ours, theirs, comparisons=comparisons))
    assert np.log(found) == pytest.approx([low, logs.mean(), high], rel=1e-6, abs=1e-9)


@given(values=st.lists(ROUNDS.filter(lambda rounds: len(rounds) >= 5).map(lambda rounds: rounds[:5]), min_size=1))
def test_many_intervals_at_once_are_the_same_intervals(values: list[list[float]]) -> None:
    """Half the interval of an array of runs is that of each of its rows."""
    together = intervals.half_width(np.array(values), 0.3, 6)
    assert list(together) == [float(intervals.half_width(np.array(row), 0.3, 6)) for row in values]


def test_an_interval_that_knows_nothing_is_finite() -> None:
    """Three rounds that differ by nine powers of ten, and resemble each other, leave everything open."""
    low, point, high = interval(intervals.log_estimate([1e-3, 1e6, 1e6], Unit.MS, Better.LOWER, rho=0.9))
    assert 0 < low < 1e-50 < point < 1e50 < high < float("inf")


def test_all_ratios_of_a_group_hold_at_once() -> None:
    """Of many runs of 7 rounds and 4 Lanes, about 5 % have a ratio that misses; each alone would in 20 %."""
    rng = np.random.default_rng(20260303)
    runs = rng.normal(0, 0.05, size=(4000, 4, 7))
    first, second = np.triu_indices(4, k=1)
    logs = runs[:, first] - runs[:, second]
    hold = abs(logs.mean(axis=-1)) <= intervals.half_width(logs, comparisons=6)
    assert 0.945 <= np.mean(hold.all(axis=1)) <= 0.985
    assert np.mean((abs(logs.mean(axis=-1)) <= intervals.half_width(logs)).all(axis=1)) < 0.85


LATENCIES = st.lists(st.integers(1, MAX_LATENCY_US), max_size=30)


def content(encoded: Sequence[str]) -> str:
    """Returns the sum of histograms in its one encoding."""
    return bytes(histograms.merged(encoded).encode()).decode()


@given(parts=st.lists(LATENCIES, max_size=4))
def test_merged_histograms_are_one_histogram_of_everything(parts: list[list[int]]) -> None:
    """Nothing is lost or moved by measuring in slices."""
    everything = [latency for part in parts for latency in part]
    whole = histograms.merged([histogram(*part) for part in parts])
    assert bytes(whole.encode()).decode() == histogram(*everything)
    assert whole.total_count == len(everything)


@settings(max_examples=30)
@given(a=LATENCIES, b=LATENCIES, c=LATENCIES)
def test_merging_is_associative_and_commutative(a: list[int], b: list[int], c: list[int]) -> None:
    """Slices, rounds and runs may be merged in any order and in any groups."""
    x, y, z = (histogram(*latencies) for latencies in (a, b, c))
    expected = content([x, y, z])
    assert content([content([x, y]), z]) == expected
    assert content([x, content([y, z])]) == expected
    assert content([z, x, y]) == expected


def test_nothing_merged_is_empty() -> None:
    """The sum of no histograms has no answers in it, and adding it changes nothing."""
    assert histograms.merged([]).total_count == 0
    assert content([histogram(), histogram(42)]) == histogram(42)


@given(
    latencies=st.lists(st.integers(1, MAX_LATENCY_US), min_size=1, max_size=40),
    percentile=st.one_of(st.sampled_from([0.0, 50.0, 90.0, 99.0, 99.9, 100.0]), st.floats(0, 100)),
)
def test_a_percentile_is_an_answer_beside_numpys(latencies: list[int], percentile: float) -> None:
    """A percentile is one of the two answers next to numpy's, to three digits."""
    found_us = 1000 * histograms.percentile_ms(histograms.merged([histogram(*latencies)]), percentile)
    ordered = sorted(latencies)
    rank = percentile / 100 * len(ordered)
    nearby = ordered[max(0, int(rank) - 1) : int(rank) + 1] or ordered[-1:]
    assert any(found_us == pytest.approx(latency, rel=1e-3) for latency in nearby)


@pytest.mark.parametrize("percentile", [50.0, 90.0, 99.0, 99.9])
def test_a_percentile_of_many_is_numpys(percentile: float) -> None:
    """Of many answers, every percentile is numpy's within the histogram's resolution of three digits."""
    rng = np.random.default_rng(7)
    latencies = np.maximum(1, rng.lognormal(np.log(900), 0.6, size=50_000)).astype(int)
    parts = np.array_split(latencies, 5)
    found_us = 1000 * histograms.percentile_ms(
        histograms.merged([histogram(*part.tolist()) for part in parts]), percentile
    )
    nearest = np.percentile(latencies, [percentile - 0.002, percentile + 0.002], method="inverted_cdf")
    assert nearest[0] * (1 - 1e-3) <= found_us <= nearest[1] * (1 + 1e-3)


@given(latencies=LATENCIES, percentile=st.sampled_from([0.0, 50.0, 90.0, 99.0, 99.9, 100.0]) | st.floats(0, 100))
def test_a_percentile_is_the_histograms_own(latencies: list[int], percentile: float) -> None:
    """Found in another way, it is the same, but for the least latency of 1 us."""
    whole = histograms.merged([histogram(*latencies)])
    assert histograms.percentile_ms(whole, percentile) == max(1, int(whole.get_value_at_percentile(percentile))) / 1000


@given(latencies=LATENCIES)
def test_a_mean_is_the_mean(latencies: list[int]) -> None:
    """To the histogram's three digits; of no answers it is 0."""
    found = histograms.mean_us(histograms.merged([histogram(*latencies)]))
    assert found == pytest.approx(np.mean(latencies) if latencies else 0, rel=1e-3)


@settings(max_examples=30)
@given(latencies=st.lists(st.integers(1, MAX_LATENCY_US), min_size=1, max_size=20))
def test_percentiles_never_fall(latencies: list[int]) -> None:
    """A higher percentile is no shorter latency."""
    whole = histograms.merged([histogram(*latencies)])
    found = [histograms.percentile_ms(whole, percentile) for percentile in (0, 10, 50, 90, 99, 99.9, 100)]
    assert found == sorted(found)


def test_a_percentile_has_a_logarithm() -> None:
    """The shortest latency is 1 us, so that it can be averaged with others."""
    assert histograms.percentile_ms(histograms.merged([histogram(0, 0, 0)]), 50) == 0.001


@pytest.mark.parametrize(
    ("count", "percentile", "beyond"), [(0, 50, 0), (10, 50, 5), (50, 90, 5), (500, 99, 5), (5000, 99.9, 5), (7, 0, 7)]
)
def test_answers_beyond_a_percentile_are_counted_without_a_rest(count: int, percentile: float, beyond: float) -> None:
    """Where just enough answers lie beyond, floating point takes none of them away."""
    assert histograms.beyond(count, percentile) == beyond


@given(count=st.integers(0, 10**7), name=st.sampled_from(sorted(PERCENTILES)))
def test_a_percentile_has_few_or_enough_answers_beyond_it(count: int, name: str) -> None:
    """Whether a percentile is given is decided by whole numbers: per mille of answers against the minimum."""
    percentile = PERCENTILES[name]
    enough = count * (1000 - round(percentile * 10)) >= histograms.MIN_BEYOND * 1000
    assert (histograms.beyond(count, percentile) >= histograms.MIN_BEYOND) == enough
