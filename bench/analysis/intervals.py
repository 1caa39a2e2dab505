"""Estimates over rounds. The Round is the unit: fresh processes, so rounds are as independent as one machine allows.

Throughputs, latencies and costs are positive and vary by factors, so they are averaged as logarithms: the point is the
geometric mean over rounds, the interval is Student's t on the logarithms, taken back by exp. A ratio of two Lanes is
taken within each round, so that what disturbed both cancels, and then treated the same way.

``rho`` is how much a round resembles the next (``autocorrelation``): above 0 it widens an interval. ``comparisons`` is
how many intervals have to hold at once.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from math import comb, exp, log, sqrt

import numpy as np
from numpy.typing import ArrayLike

from bench.analysis import autocorrelation, student_t
from bench.analysis.autocorrelation import Floats
from bench.model.estimate import CONFIDENCE, Estimate
from bench.model.metrics import Better, Unit

LARGEST_LOG = 700.0
"""An interval that reaches further knows nothing, and its end would be infinite."""
MIN_ROUNDS = 3
"""With fewer, the t-interval is wider than anyone could use: none is given."""


def log_estimate(values: Sequence[float], unit: Unit, better: Better, *, rho: float = 0.0) -> Estimate:
    """Returns the geometric mean of positive values, one a round, with its t-interval on the logarithms."""
    return _estimate(np.log(np.asarray(values, dtype=float)), unit, better, _exp, rho)


def linear_estimate(values: Sequence[float], unit: Unit, better: Better, *, rho: float = 0.0) -> Estimate:
    """Returns the mean of values, one a round, with its t-interval: for differences, which may be negative."""
    return _estimate(np.asarray(values, dtype=float), unit, better, float, rho)


def median_estimate(values: Sequence[float], unit: Unit, better: Better) -> Estimate:
    """Returns the median of independent values, with the narrowest symmetric interval between two order statistics.

    The interval from the k-th lowest to the k-th highest of n values covers the median with a probability that is
    binomial whatever their distribution (David and Nagaraja, Order Statistics, 3rd edition, section 7.1). Below six
    values no two of them reach 95 %.
    """
    ordered = sorted(values)
    n, middle = len(ordered), float(np.median(ordered))
    at_most = accumulate(comb(n, k) / 2**n for k in range(n // 2))
    outside = sum(2 * probability <= 1 - CONFIDENCE for probability in at_most)
    if not outside:
        return Estimate(middle, None, None, n, unit, better)
    return Estimate(middle, ordered[outside - 1], ordered[-outside], n, unit, better)


def exact_estimate(values: Sequence[float], unit: Unit, better: Better) -> Estimate:
    """Returns the median of values that have no noise worth an interval: its ends are the lowest and the highest."""
    return Estimate(float(np.median(values)), min(values), max(values), len(values), unit, better)


def ratio_estimate(
    numerators: Sequence[float], denominators: Sequence[float], *, rho: float = 0.0, comparisons: int = 1
) -> Estimate:
    """Returns the ratio of two Lanes, paired by round.

    Of several ``comparisons``, all intervals hold at once with 95 %: each has its share of the 5 % (Bonferroni; Dunn,
    Multiple comparisons among means, JASA 56, 1961).
    """
    logs = np.array([log(a / b) for a, b in zip(numerators, denominators, strict=True)])
    return _estimate(logs, Unit.RATIO, Better.NEITHER, _exp, rho, comparisons)


def ratio_of(values: Sequence[float], *, rho: float = 0.0) -> Estimate:
    """Returns the geometric mean of ratios, one a round."""
    return log_estimate(values, Unit.RATIO, Better.NEITHER, rho=rho)


def unpaired_ratio_estimate(
    numerators: Floats, denominators: Floats, *, rhos: tuple[float, float] = (0.0, 0.0), comparisons: int = 1
) -> Estimate:
    """Returns the ratio of two geometric means that come from different runs, given the logarithms of their values.

    Their variances differ, so the interval is Welch's: the variance of the difference is the sum of those of the means,
    with as many degrees of freedom as Welch gives it (The generalization of "Student's" problem, Biometrika 34, 1947).
    ``n`` is the smaller number of rounds.
    """
    difference, n = float(numerators.mean() - denominators.mean()), min(len(numerators), len(denominators))
    if n < MIN_ROUNDS:
        return Estimate.ratio(_exp(difference), None, None, n)
    parts = [_of_mean(logs, rho) for logs, rho in zip((numerators, denominators), rhos, strict=True)]
    variance = sum(part for part, _ in parts)
    freedom = variance**2 / sum(part**2 / freedom for part, freedom in parts) if variance else 1.0
    half = float(_quantiles(freedom, comparisons)) * sqrt(variance)
    return Estimate.ratio(_exp(difference), _exp(difference - half), _exp(difference + half), n)


def _of_mean(values: Floats, rho: float) -> tuple[float, float]:
    """Returns the variance of a mean, and its degrees of freedom."""
    variance, freedom = autocorrelation.of_mean(len(values), rho)
    return float(((values - values.mean()) ** 2).sum() * variance), float(freedom)


def half_width(values: Floats, rho: ArrayLike = 0.0, comparisons: float = 1) -> Floats:
    """Returns half the interval of the mean of values, an array (..., rounds), of at least MIN_ROUNDS."""
    variances, freedoms = autocorrelation.of_mean(values.shape[-1], rho)
    squares = ((values - values.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    return np.asarray(_quantiles(freedoms, comparisons) * np.sqrt(squares * variances))


def _quantiles(freedoms: ArrayLike, comparisons: float) -> Floats:
    """Returns how many standard errors half an interval is, if so many intervals hold at once."""
    probability = 1 - (1 - CONFIDENCE) / 2 / comparisons
    return np.asarray(np.vectorize(student_t.quantile, otypes=[float])(probability, freedoms))


def _exp(value: float) -> float:
    return exp(min(max(value, -LARGEST_LOG), LARGEST_LOG))


def _estimate(
    values: Floats, unit: Unit, better: Better, back: Callable[[float], float], rho: float, comparisons: int = 1
) -> Estimate:
    mean, n = float(values.mean()), len(values)
    if n < MIN_ROUNDS:
        return Estimate(back(mean), None, None, n, unit, better)
    half = float(half_width(values, rho, comparisons))
    return Estimate(back(mean), back(mean - half), back(mean + half), n, unit, better)
