"""Quantiles of Student's t: those of SciPy, which has them from Boost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtr, stdtrit

from bench.analysis.student_t import quantile
from bench.model.estimate import CONFIDENCE

FREEDOMS = (1.0, 1.2, 1.65, 2.0, 2.0000001, 3.0, 4.7, 5.0, 9.0, 11.2, 19.0, 30.0, 63.5, 99.0, 199.0, 1000.0)
COMPARISONS = (1, 2, 3, 6, 15, 45, 105)


@pytest.mark.parametrize("freedom", FREEDOMS)
@pytest.mark.parametrize("comparisons", COMPARISONS)
def test_a_quantile_is_that_of_scipy(freedom: float, comparisons: int) -> None:
    """For every number of Rounds and of intervals that hold at once; to the last digits for few Rounds."""
    probability = 1 - (1 - CONFIDENCE) / 2 / comparisons
    tolerance = 2e-15 if freedom < 30 else 4e-14
    assert quantile(probability, freedom) == pytest.approx(float(stdtrit(freedom, probability)), rel=tolerance)


@given(probability=st.floats(0.75, 1 - 1e-9), freedom=st.floats(0.5, 500))
def test_so_much_of_the_distribution_is_below_a_quantile(probability: float, freedom: float) -> None:
    """Whatever is asked for: it is the inverse of the distribution function, and ends."""
    assert float(stdtr(freedom, quantile(probability, freedom))) == pytest.approx(probability, rel=1e-12)


def test_quantiles_that_tables_have() -> None:
    """Abramowitz and Stegun, table 26.10, and the closed form for one degree of freedom."""
    assert quantile(0.975, 1) == pytest.approx(12.706, abs=0.0005)
    assert quantile(0.975, 5) == pytest.approx(2.571, abs=0.0005)
    assert quantile(0.995, 30) == pytest.approx(2.750, abs=0.0005)
    assert quantile(0.75, 1) == pytest.approx(1.0)
