"""How much a round says of the next: found where it is, and an honest price for it."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bench.analysis import autocorrelation
from bench.analysis.autocorrelation import Floats

ANY_RUN = arrays.arrays(
    float, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=st.floats(-20, 20, allow_subnormal=False)
)


def runs(rho: float, shape: tuple[int, int, int], seed: int = 1) -> Floats:
    """Returns AR(1) with the variance 1 throughout, as an array (runs, lanes, rounds)."""
    rng = np.random.default_rng(seed)
    made = rng.standard_normal(shape)
    for index in range(1, shape[-1]):
        made[..., index] = rho * made[..., index - 1] + np.sqrt(1 - rho**2) * made[..., index]
    return made


@pytest.mark.parametrize("n", [3, 5, 7, 21])
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
def test_many_lanes_show_how_much_a_round_resembles_the_next(rho: float, n: int) -> None:
    """However few rounds there are, it is found without bias, to its step and what chance leaves."""
    assert float(autocorrelation.pooled(runs(rho, (1, 20_000, n))[0])) == pytest.approx(rho, abs=0.04)


@given(values=ANY_RUN)
def test_it_is_never_negative_and_never_nan(values: Floats) -> None:
    """Rounds that alternate by chance narrow nothing, and rounds that do not vary say nothing."""
    found = autocorrelation.resemblance(values)
    assert 0 <= found.of_ratios <= found.of_estimates <= autocorrelation.HIGHEST


@given(values=ANY_RUN, factor=st.floats(0.1, 10), shift=st.floats(-5, 5))
def test_it_has_no_unit(values: Floats, factor: float, shift: float) -> None:
    """Neither scale nor level of the values matters; rounding may move it by a step."""
    assume(np.round(values).std(axis=-1).max() > 0)
    found, same = (autocorrelation.pooled(x) for x in (np.round(values), factor * np.round(values) + shift))
    assert float(found) == pytest.approx(float(same), abs=1.5 * autocorrelation.STEP)


def test_what_all_lanes_share_is_not_in_the_ratios() -> None:
    """A common wave makes the Estimates' rho and leaves that of the ratios alone."""
    common = 5 * np.sin(np.arange(12) / 2)
    found = autocorrelation.resemblance(runs(0.0, (1, 40, 12))[0] + common)
    assert found.of_ratios <= 0.1
    assert found.of_estimates > 0.5


def test_no_lanes_resemble_nothing() -> None:
    """Where no Lane was there in all rounds there is nothing to find."""
    assert autocorrelation.resemblance(np.empty((0, 7))) == autocorrelation.Resemblance(0.0, 0.0)


@pytest.mark.parametrize("n", [2, 3, 7, 30])
def test_independent_rounds_are_students_t(n: int) -> None:
    """The variance of their mean is the sum of squares over n (n - 1), with n - 1 degrees of freedom."""
    variance, freedom = autocorrelation.of_mean(n, 0.0)
    assert float(variance) == pytest.approx(1 / n / (n - 1))
    assert float(freedom) == pytest.approx(n - 1)


@pytest.mark.parametrize("rho", [0.3, 0.6])
@pytest.mark.parametrize("n", [3, 7])
def test_the_variance_of_a_mean_is_what_simulation_says(rho: float, n: int) -> None:
    """Variance of the mean over the expected sum of squares about it, of 100,000 runs."""
    made = runs(rho, (1, 100_000, n))[0]
    squares = ((made - made.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    variance, freedom = autocorrelation.of_mean(n, rho)
    assert float(variance) == pytest.approx(made.mean(axis=-1).var() / squares.mean(), rel=0.03)
    assert float(freedom) == pytest.approx(2 * squares.mean() ** 2 / squares.var(), rel=0.05)


@given(n=st.integers(3, 30), a=st.integers(0, 90), b=st.integers(0, 90))
def test_more_resemblance_is_never_worth_more(n: int, a: int, b: int) -> None:
    """The variance of a mean grows with rho, and its degrees of freedom fall."""
    less, more = sorted((a * autocorrelation.STEP, b * autocorrelation.STEP))
    (low, many), (high, few) = (autocorrelation.of_mean(n, rho) for rho in (less, more))
    assert low <= high
    assert many >= few - 1e-9
