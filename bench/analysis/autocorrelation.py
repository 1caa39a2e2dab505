"""How much one round says of the next, and what that takes from the mean of n rounds.

Rounds follow each other on one machine, and what disturbs one may still be there in the next. n rounds then say less
than n independent ones would. The model is AR(1): values k rounds apart have the correlation rho to the power of k.
Let R be the matrix of these correlations, M the one that takes the mean from n values, and K = M R M. With the variance
s2 of one value, the mean has the variance s2 1'R1 / n², and the sum of squares about it has the expectation s2 tr K
(Bayley and Hammersley, The "effective" number of independent observations in an autocorrelated time series,
Supplement to the JRSS 8, 1946) and as many degrees of freedom as (tr K)² / tr K² (Satterthwaite, An approximate
distribution of estimates of variance components, Biometrics Bulletin 2, 1946). With rho = 0 that is Student's t.
"""

from functools import cache

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

STEP = 0.01
HIGHEST = 0.9
"""Rounds that resemble each other more than that would all be one observation."""
_RHOS = np.arange(0, HIGHEST + STEP / 2, STEP)


def pooled(values: Floats) -> Floats:
    """Returns rho of runs given as an array (..., lanes, rounds), all of their Lanes taken together.

    The sum of products of neighbouring residuals over their sum of squares, which is below rho because the mean was
    taken away (Marriott and Pope, Bias in the estimation of autocorrelations, Biometrika 41, 1954), is compared with
    what AR(1) makes of it for so many rounds. Never below 0, so that nothing is narrowed. 0 where nothing varies, or
    with fewer than 3 rounds.
    """
    if values.shape[-1] < 3:
        return np.zeros(values.shape[:-2])
    residuals = values - values.mean(axis=-1, keepdims=True)
    products = (residuals[..., 1:] * residuals[..., :-1]).sum(axis=(-2, -1))
    squares = (residuals**2).sum(axis=(-2, -1))
    expected = _neighbours(values.shape[-1])
    known = squares > 0
    found = np.searchsorted(expected, np.divide(products, squares, out=np.full_like(squares, -1.0), where=known))
    return np.asarray(_RHOS[np.minimum(found, len(_RHOS) - 1)])


def of_ratios(values: Floats) -> Floats:
    """Returns rho of what each Lane has for itself: what all of a round have in common cancels in ratios."""
    return pooled(own(values))


def of_estimates(values: Floats) -> Floats:
    """Returns rho of one Lane's values. What all Lanes have in common is seen once a round, too seldom to be known.

    What each Lane has for itself is seen by every Lane. Whatever lingers there is taken to linger in common too: hence
    the larger of the two.
    """
    return np.asarray(np.maximum(pooled(values), of_ratios(values)))


class Resemblance(Struct, frozen=True):
    """rho of a run: for one Lane's values, and for what two Lanes do not have in common."""

    of_estimates: float
    of_ratios: float


def resemblance(values: Floats) -> Resemblance:
    """Returns rho of a run given as an array (lanes, rounds); 0 where there are none."""
    if not values.size:
        return Resemblance(0.0, 0.0)
    return Resemblance(float(of_estimates(values)), float(of_ratios(values)))


def own(values: Floats) -> Floats:
    """Returns an array (..., lanes, rounds) without what all Lanes have in common in a round."""
    return np.asarray(values - values.mean(axis=-2, keepdims=True))


def of_mean(n: int, rho: ArrayLike) -> tuple[Floats, Floats]:
    """Returns the variance of a mean of n values per sum of squares about it, and that sum's degrees of freedom."""
    indices = np.rint(np.asarray(rho) / STEP).astype(int)
    moments = np.array([_moments(n, index)[1:] for index in indices.ravel().tolist()]).reshape(*indices.shape, 2)
    return moments[..., 0], moments[..., 1]


@cache
def _neighbours(n: int) -> Floats:
    """Returns by rho what neighbours' products are per sum of squares."""
    return np.array([_moments(n, index)[0] for index in range(len(_RHOS))])


@cache
def _moments(n: int, index: int) -> tuple[float, float, float]:
    """Returns of one rho: neighbours' products per sum of squares; variance of the mean per it; degrees of freedom."""
    correlation = _RHOS[index] ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    without_mean = np.eye(n) - 1 / n
    residual = without_mean @ correlation @ without_mean
    total = np.trace(residual)
    return (
        float(np.trace(residual, offset=1) / total),
        float(correlation.sum() / n**2 / total),
        float(np.square(total) / np.trace(residual @ residual)),
    )
