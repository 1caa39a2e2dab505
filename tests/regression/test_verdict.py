"""What a comparison says, and how sure it has to be to say it."""

from math import exp, inf
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.analysis import intervals
from bench.analysis.ranking import differs
from bench.model.estimate import Estimate, Status, Validity
from bench.model.metrics import CPU, INSTRUCTIONS, THROUGHPUT
from bench.model.reason import Code, reason
from bench.model.regression import Evidence, Judged, Verdict
from bench.regression import verdict
from bench.regression.ab_runner import ROUNDS_AT_LEAST

VALID = Validity(Status.VALID)
ALLOWED = 0.03
LOGS = st.floats(-0.5, 0.5)
HALVES = st.floats(0.0001, 0.3)


def ratio(log: float, half: float) -> Estimate:
    """Returns a ratio whose logarithm has this mean and half width."""
    return Estimate.ratio(exp(log), exp(log - half), exp(log + half), 6)


def judged(metric: str, found: Estimate | None, *validities: Validity) -> Verdict:
    return verdict.judge(metric, found, ALLOWED, [("HEAD", each) for each in validities]).verdict


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.031, 1.06, Verdict.SLOWER),
        (1.029, 1.06, Verdict.UNDECIDED),
        (1.005, 1.029, Verdict.NO_DIFFERENCE),
        (0.98, 1.02, Verdict.NO_DIFFERENCE),
        (0.98, 1.05, Verdict.UNDECIDED),
        (0.90, 0.96, Verdict.FASTER),
        (0.90, 0.98, Verdict.UNDECIDED),
        (0.60, 1.60, Verdict.UNDECIDED),
    ],
)
def test_a_verdict_is_of_the_whole_interval(low: float, high: float, expected: Verdict) -> None:
    """Only an interval that lies wholly on one side of what is allowed says anything."""
    assert judged("cpu_us_per_request", Estimate.ratio((low * high) ** 0.5, low, high, 6)) is expected


@given(LOGS, HALVES)
def test_more_throughput_is_as_good_as_less_time(log: float, half: float) -> None:
    """The same change has the same verdict, whichever way the metric counts."""
    assert judged("throughput_rps", ratio(log, half)) is judged("cpu_us_per_request", ratio(-log, half))


@given(LOGS, HALVES)
def test_faster_is_what_would_be_slower_the_other_way_round(log: float, half: float) -> None:
    """What is allowed is a factor: 3 % slower and then back again is 3 % faster."""
    mirrored = {Verdict.SLOWER: Verdict.FASTER, Verdict.FASTER: Verdict.SLOWER}
    found = judged(CPU, ratio(log, half))
    assert judged(CPU, ratio(-log, half)) is mirrored.get(found, found)
    assert judged(CPU, Estimate.ratio(0.96, 0.95, 0.9705, 6)) is Verdict.FASTER


def test_counts_of_instructions_do_not_save_what_failed_under_load() -> None:
    """Nor do they make unusable what was measured there."""
    counts = Evidence(INSTRUCTIONS, None, Verdict.NO_DIFFERENCE, None, ())
    lost = [Evidence(metric, None, Verdict.INVALID, None, ()) for metric in (CPU, THROUGHPUT)]
    fine = Evidence(CPU, None, Verdict.UNDECIDED, None, ())
    assert verdict.is_unusable(Judged("shop", (counts, *lost)))
    assert not verdict.is_unusable(Judged("shop", (counts, fine, lost[1])))
    assert not verdict.is_unusable(Judged("shop", (replace(counts, verdict=Verdict.INVALID), fine)))


@given(LOGS, HALVES)
def test_a_bound_is_what_the_interval_leaves_open(log: float, half: float) -> None:
    """No difference within the interval is larger, and without a difference it is no larger than what is allowed."""
    found = verdict.judge("cpu_us_per_request", ratio(log, half), ALLOWED, [("BASE", VALID)])
    assert found.bound is not None
    assert found.bound == pytest.approx(exp(abs(log) + half) - 1)
    if found.verdict is Verdict.NO_DIFFERENCE:
        assert found.bound <= ALLOWED


def test_without_an_interval_nothing_is_decided() -> None:
    """A point alone is no evidence, however far from 1."""
    found = verdict.judge("cpu_us_per_request", Estimate.ratio(1.5, None, None, 2), ALLOWED, [])
    assert (found.verdict, found.bound) == (Verdict.UNDECIDED, None)


@given(LOGS, HALVES)
def test_what_is_invalid_has_no_verdict_but_a_reason(log: float, half: float) -> None:
    """Neither side may have answered wrongly; the reason says which did, with its status and the cause."""
    wrong = reason(Code.WRONG_ANSWERS, errors=3, answers=300, kinds=("timeout",))
    sides = [("BASE", VALID), ("HEAD", Validity(Status.FAILING, (wrong,)))]
    found = verdict.judge("cpu_us_per_request", ratio(log, half), ALLOWED, sides)
    assert found.verdict is Verdict.INVALID
    assert found.reasons == (reason(Code.NOT_VALID, wrong, status=Status.FAILING).found_of("HEAD"),)


def test_what_was_not_measured_is_invalid() -> None:
    """It is no pass."""
    found = verdict.judge("cpu_us_per_request", None, ALLOWED, [])
    assert (found.verdict, found.reasons) == (Verdict.INVALID, (reason(Code.NOT_MEASURED),))


@given(st.floats(1e3, 1e7), st.floats(0.5, 2))
def test_counts_of_instructions_are_exact_to_a_thousandth(base: float, factor: float) -> None:
    """Half a percent more is found, and the same count is no difference."""
    found = verdict.exact(base, base * factor)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= factor * (1 + 1e-9)
    assert found.high >= factor * (1 - 1e-9)
    assert verdict.half_width(found) == pytest.approx(verdict.EXACT, rel=0.01)


@given(st.lists(st.tuples(LOGS, HALVES), min_size=1, max_size=4), st.floats(0.001, 0.3))
def test_precision_alone_says_when_there_is_enough(found: list[tuple[float, float]], precision: float) -> None:
    """Where the intervals lie has no part in it: moving them all changes nothing."""
    still = verdict.is_precise([ratio(log, half) for log, half in found], precision)
    moved = verdict.is_precise([ratio(log + 0.2, half) for log, half in found], precision)
    assert still == moved
    assert still == all(exp(half) - 1 <= precision * (1 + 1e-12) for _, half in found) or precision == pytest.approx(
        max(exp(half) - 1 for _, half in found)
    )


@pytest.mark.parametrize("spread", [0.3, 1.0, 2.0])
def test_an_interval_that_ends_the_rounds_holds_almost_as_often_as_any(spread: float) -> None:
    """Rounds differ by ``spread`` times the precision: stopping takes a few of the 95 %, and adds none."""
    rng, precision = np.random.default_rng(1), 0.01
    ends = [ended(np.exp(rng.normal(0, spread * precision, 100)).tolist(), precision) for _ in range(1000)]
    holds = fmean(not differs(found) for found in ends)
    assert 0.88 < holds < 0.97


def ended(ratios: list[float], precision: float) -> Estimate:
    """Returns the interval at which a comparison with such ratios by round ends."""
    so_far = (intervals.ratio_estimate(ratios[:n], [1.0] * n) for n in range(ROUNDS_AT_LEAST, len(ratios) + 1))
    return next(found for found in so_far if verdict.is_precise([found], precision))


def test_nothing_is_never_precise() -> None:
    """Neither is a ratio without an interval."""
    assert not verdict.is_precise([], 1.0)
    assert verdict.half_width(Estimate.ratio(1.0, None, None, 2)) == inf


@pytest.mark.parametrize(
    ("before", "again", "together", "expected"),
    [
        ((1.02, 1.09), (1.02, 1.09), (1.035, 1.06), True),
        ((1.02, 1.09), (0.99, 1.09), (1.035, 1.06), False),
        ((0.99, 1.09), (1.02, 1.09), (1.035, 1.06), False),
        ((1.02, 1.09), (1.02, 1.09), (1.029, 1.06), False),
    ],
)
def test_a_regression_stands_only_if_it_shows_twice(
    before: tuple[float, float], again: tuple[float, float], together: tuple[float, float], expected: bool
) -> None:
    """Each measurement by itself is worse, and all of it together is worse than allowed."""
    first, second, both = (Estimate.ratio((a * b) ** 0.5, a, b, 6) for a, b in (before, again, together))
    assert verdict.confirmed(CPU, first, second, both, ALLOWED) is expected
    assert not verdict.confirmed(CPU, first, None, both, ALLOWED)
    assert not verdict.confirmed(CPU, first, replace(second, low=None), both, ALLOWED)


def test_ratios_are_paired_by_round() -> None:
    """A Round that one side lacks is left out; without a common one there is no ratio."""
    found = verdict.paired({0: 1.0, 1: 2.0, 2: 4.0}, {1: 2.2, 2: 4.4, 5: 9.0})
    assert found is not None
    assert found.point == pytest.approx(1.1)
    assert found.n == 2
    assert verdict.paired({0: 1.0}, {1: 1.0}) is None
