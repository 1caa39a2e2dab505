"""What a number of rounds tells apart: laws of the formula, and the formula held to simulated rounds."""

from math import log1p

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import stdtrit

from bench.doctor.diagnosis import MAX_ROUNDS, POWER
from bench.doctor.power import Rule, beta, detectable, rounds_needed

rules = st.builds(Rule, st.integers(1, 45), st.booleans())
rounds = st.integers(3, 300)
spreads = st.floats(0.001, 0.3)


def found(rule: Rule, count: int, shift: float, runs: int = 40_000) -> float:
    """Returns how often simulated rounds of spread 1 tell apart a difference of so many standard errors."""
    rng = np.random.default_rng(1)
    lane, twin = (rng.normal(mean, 1, (runs, count)) for mean in (shift / count**0.5, 0))
    error_of_lane, error_of_twin = (sample.std(axis=1, ddof=1) / count**0.5 for sample in (lane, twin))
    ratio = lane.mean(axis=1)
    apart = ratio > stdtrit(count - 1, 1 - 0.025 / rule.comparisons) * error_of_lane
    floor = np.abs(twin.mean(axis=1)) + stdtrit(count - 1, 0.975) * error_of_twin
    return float((apart & (ratio > floor)).mean() if rule.noise_floor else apart.mean())


@pytest.mark.parametrize("count", [3, 6, 21])
@pytest.mark.parametrize("comparisons", [1, 3, 10])
def test_a_detectable_difference_is_found_as_often_as_promised(count: int, comparisons: int) -> None:
    """Without a noise floor four times in five; with one at least so often, and not much more."""
    for rule, most in ((Rule(comparisons), POWER + 0.01), (Rule(comparisons, noise_floor=True), POWER + 0.06)):
        shift = log1p(detectable(count, 0.05, rule)) / 0.05 * count**0.5
        assert POWER - 0.01 < found(rule, count, shift) < most


def test_the_formula_agrees_with_a_published_table() -> None:
    """A paired t-test at 5 % and 80 % power needs 34, 15 and 10 pairs for effects of 0.5, 0.8 and 1 (two-sided)."""
    for effect, pairs in ((0.5, 34), (0.8, 15), (1.0, 10)):
        shift = effect * pairs**0.5
        assert beta(pairs, shift, Rule()) <= 1 - POWER < beta(pairs - 1, effect * (pairs - 1) ** 0.5, Rule())


@given(rounds, spreads, rules)
def test_more_rounds_tell_more_apart(count: int, spread: float, rule: Rule) -> None:
    """A round more never asks for a larger difference."""
    assert detectable(count + 1, spread, rule) <= detectable(count, spread, rule) * (1 + 1e-9)


@given(rounds, spreads, st.floats(1.01, 5), rules)
def test_noise_costs_resolution(count: int, spread: float, factor: float, rule: Rule) -> None:
    """The logarithm of the difference goes with the spread."""
    quiet, noisy = detectable(count, spread, rule), detectable(count, spread * factor, rule)
    assert log1p(noisy) == pytest.approx(factor * log1p(quiet))


@given(rounds, spreads, st.integers(1, 44))
def test_strictness_costs_resolution(count: int, spread: float, comparisons: int) -> None:
    """More pairs that hold at once, or a noise floor to exceed, ask for a larger difference."""
    lenient = detectable(count, spread, Rule(comparisons))
    assert lenient < detectable(count, spread, Rule(comparisons + 1))
    assert lenient < detectable(count, spread, Rule(comparisons, noise_floor=True))


@given(st.floats(0.005, 0.5), spreads, rules)
def test_rounds_needed_are_the_fewest(difference: float, spread: float, rule: Rule) -> None:
    """So many rounds find the difference; one less, where there may be one less, does not."""
    needed = rounds_needed(difference, spread, rule)
    assume(needed is not None)
    assert needed is not None
    assert detectable(needed, spread, rule) <= difference
    assert needed == 3 or detectable(needed - 1, spread, rule) > difference


def test_what_would_take_days_is_not_proposed() -> None:
    """There is a limit, and beyond it no number."""
    assert rounds_needed(0.0001, 0.3, Rule()) is None
    assert (rounds_needed(0.01, 0.2, Rule()) or 0) < MAX_ROUNDS


@given(rounds, rules)
def test_without_spread_everything_is_told_apart(count: int, rule: Rule) -> None:
    """Rounds that agree to the last digit leave nothing open."""
    assert detectable(count, 0.0, rule) == 0
    assert rounds_needed(0.01, 0.0, rule) == 3


@given(rules)
def test_any_spread_has_an_answer(rule: Rule) -> None:
    """Rounds that differ by factors of millions tell nothing apart, and are no error."""
    assert detectable(3, 1e4, rule) > 1e9
    assert rounds_needed(0.03, 1e4, rule) is None


@given(rounds, st.floats(0, 20), rules)
def test_a_probability_is_one(count: int, shift: float, rule: Rule) -> None:
    """From 0 to 1, and falling with the difference."""
    assert 0 <= beta(count, shift + 0.1, rule) <= beta(count, shift, rule) + 1e-9 <= 1 + 1e-9
