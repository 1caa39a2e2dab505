"""Where a series changes its level: a CUSUM test that allows for values which resemble each other.

A series is first cut where a step explains most, and its parts again, into more parts than it has levels (binary
segmentation; Vostrikova, Detecting "disorder" in multidimensional random processes, Soviet Mathematics Doklady 24,
1981). Then every cut is tested between its neighbours, and the weakest is taken back until none fails, as Inclán and
Tiao do (Use of cumulative sums of squares for retrospective detection of changes of variance, JASA 89, 1994, section
3). Testing while cutting would find nothing in a level that came and went, which one step does not describe.

The test takes the largest of abs(S_k) / (s sqrt(n)), where S_k is the sum of the first k values less their mean, and s²
the long-run variance. Without a step its limit is Kolmogorov's distribution, however the noise is distributed
(Ploberger and Krämer, The CUSUM test with OLS residuals, Econometrica 60, 1992; Aue and Horváth, Structural breaks in
time series, Journal of Time Series Analysis 34, 2013, section 2).

Noise is AR(1): s² = v (1 + rho) / (1 - rho). Both are taken from what the most likely step leaves. Otherwise a step
would look like noise that lingers. That makes them too small. What v lacks are two means, each of which
takes (1 + rho) / (1 - rho) values, and one for the choice of the place. What rho lacks is (BIAS + BIAS_SLOPE rho) / n,
in the manner of Kendall (Note on bias in the estimation of autocorrelation, Biometrika 41, 1954), for two means of
which the place was chosen. Then rho is taken one standard error, sqrt((1 - rho²) / n), higher. Too low: false alarms.
Too high: late detection. ``benchmarks/changepoints.py`` measures how often the whole is right.
"""

from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import pairwise
from math import exp, isqrt, sqrt

import numpy as np
from msgspec import Struct
from scipy.special import kolmogorov, stdtrit

from bench.analysis.autocorrelation import Floats
from bench.model.estimate import CONFIDENCE, Estimate

ALPHA = 0.01
"""False alarms per series without a step. A test has its share: the part of the series that it is made on."""
MOST_STEPS = 20
"""In a series, or half the root of its length: more cuts only leave fewer values on both sides of each."""
MIN_SEGMENT = 5
"""Runs on either side of a step: fewer are no level yet."""
BIAS, BIAS_SLOPE = 4.0, 8.0
"""Measured on the residuals of AR(1) around two means, with rho from 0 to 0.8 and n from 20 to 1000."""
HIGHEST_RHO = 0.95
LEAST_VARIANCE = 0.0005**2
"""Of logarithms: stored values are rounded, and no machine is steadier than 0.05 %."""
WINDOW, OUTLYING = 5, 3.0
LIKELY = 7.35
"""95 % of likelihood ratios of the true place of a step are below: -2 ln(1 - √0.95)."""


class Step(Struct, frozen=True):
    """A change of level. ``ratio`` is the level after it divided by the one before.

    ``at`` is the index of the first value after it, most likely; with 95 % it is within ``earliest`` and ``latest``.
    """

    at: int
    earliest: int
    latest: int
    ratio: Estimate


class _Fit(Struct, frozen=True):
    """A part of a series with one step; ``gains[k - 1]`` is what a step after k values explains."""

    gains: Floats
    statistic: float
    at: int
    change: float
    long_run_variance: float
    effective: float


class _Part(Struct, frozen=True, order=True):
    """A part of a series, and where it is cut best: the lowest is the part whose cut explains most."""

    unexplained: float
    start: int
    end: int
    at: int

    @classmethod
    def of(cls, logs: Floats, start: int, end: int) -> "_Part":
        """Returns the part from start to end."""
        gains = _gains(_sums(logs[start:end]))
        best = int(gains.argmax())
        return cls(-float(gains[best]), start, end, start + best + 1)


def steps(values: Floats) -> tuple[Step, ...]:
    """Returns the steps of a series of positive values, in order; none where it has fewer than two segments' values."""
    logs = without_outliers(np.log(np.asarray(values, dtype=float)))
    edges = _settled(logs, _tested(logs, [0, *_cuts(logs), len(logs)]))
    return tuple(_step(logs, *edges[index : index + 3]) for index in range(len(edges) - 2))


def without_outliers(values: Floats) -> Floats:
    """Returns values of which none is further than usual from the median of the five around it.

    Hampel's filter: further than three standard deviations, estimated by the median of these distances (Davies and
    Gather, The identification of multiple outliers, JASA 88, 1993). One bad run neither makes a step nor hides one; a
    level that lasts for three values stays.
    """
    if len(values) < WINDOW:
        return values
    around = np.lib.stride_tricks.sliding_window_view(np.pad(values, WINDOW // 2, mode="edge"), WINDOW)
    medians = np.median(around, axis=-1)
    distances = values - medians
    reach = OUTLYING * 1.4826 * np.median(abs(distances))
    return np.asarray(medians + np.clip(distances, -reach, reach))


def levels(values: Floats, found: Sequence[Step]) -> list[float]:
    """Returns the geometric mean of each segment between steps, without outliers."""
    logs = without_outliers(np.log(np.asarray(values, dtype=float)))
    edges = [0, *(step.at for step in found), len(logs)]
    return [exp(logs[start:end].mean()) for start, end in pairwise(edges)]


def _cuts(logs: Floats) -> list[int]:
    """Returns where the series may have steps, in order: the places that explain most, one after the other."""
    most = min(MOST_STEPS, isqrt(len(logs)) // 2)
    parts = [_Part.of(logs, 0, len(logs))] if len(logs) >= 2 * MIN_SEGMENT else []
    cuts: list[int] = []
    while parts and len(cuts) < most:
        part = heappop(parts)
        cuts.append(part.at)
        for start, end in ((part.start, part.at), (part.at, part.end)):
            if end - start >= 2 * MIN_SEGMENT:
                heappush(parts, _Part.of(logs, start, end))
    return sorted(cuts)


def _tested(logs: Floats, edges: list[int]) -> list[int]:
    """Returns the edges without the cuts that are no steps: the weakest is taken back until none of them fails."""
    chances = [_chance(logs, edges, index) for index in range(1, len(edges) - 1)]
    while chances and max(chances) > ALPHA:
        weakest = chances.index(max(chances))
        edges = edges[: weakest + 1] + edges[weakest + 2 :]
        del chances[weakest]
        for beside in range(max(weakest - 1, 0), min(weakest + 1, len(chances))):
            chances[beside] = _chance(logs, edges, beside + 1)
    return edges


def _chance(logs: Floats, edges: Sequence[int], index: int) -> float:
    """Returns how probable such a cut is without a step, tested between its neighbours, for all such parts at once."""
    start, end = edges[index - 1], edges[index + 1]
    return float(kolmogorov(_fit(logs[start:end]).statistic)) * len(logs) / (end - start)


def _settled(logs: Floats, edges: Sequence[int]) -> list[int]:
    """Returns the edges with every step placed anew between its neighbours: it was found among other cuts.

    Bai, Estimating multiple breaks one at a time, Econometric Theory 13, 1997, section 5.
    """
    settled = list(edges)
    for index in range(1, len(edges) - 1):
        settled[index] = _Part.of(logs, settled[index - 1], settled[index + 1]).at
    return settled


def _step(logs: Floats, start: int, at: int, end: int) -> Step:
    """Describes a step between its neighbours.

    Its place is in doubt as far as another one explains nearly as much (Siegmund, Confidence sets in change-point
    problems, International Statistical Review 56, 1988; Eo and Morley, Likelihood-ratio-based confidence sets for the
    timing of structural breaks, Quantitative Economics 6, 2015).
    """
    fit = _fit(logs[start:end], at - start)
    likely = np.flatnonzero(fit.gains >= fit.gains[at - start - 1] - LIKELY * fit.long_run_variance) + 1
    error = sqrt(fit.long_run_variance * (1 / (at - start) + 1 / (end - at)))
    half = float(stdtrit(max(1.0, fit.effective - 2), (1 + CONFIDENCE) / 2)) * error
    low, point, high = (exp(fit.change + way * half) for way in (-1, 0, 1))
    ratio = Estimate.ratio(point, low, high, end - start)
    return Step(at=at, earliest=start + int(likely[0]), latest=start + int(likely[-1]), ratio=ratio)


def _sums(logs: Floats) -> Floats:
    """Returns the sums of the first 1, 2, … values less the mean of all; that of all, which is 0, is left out."""
    return np.cumsum(logs - logs.mean())[:-1]


def _gains(sums: Floats) -> Floats:
    """Returns by how much a step after 1, 2, … values lowers the sum of squares; -inf where a segment is too short."""
    n = len(sums) + 1
    before = np.arange(1, n)
    gains = sums**2 * n / (before * (n - before))
    gains[: MIN_SEGMENT - 1] = gains[n - MIN_SEGMENT :] = -np.inf
    return np.asarray(gains)


def _fit(logs: Floats, at: int | None = None) -> _Fit:
    """Tests at least two segments' values, with the noise that is left by a step ``at``, or by the most likely one."""
    n, sums = len(logs), _sums(logs)
    gains = _gains(sums)
    at = int(gains.argmax()) + 1 if at is None else at
    before, after = float(logs[:at].mean()), float(logs[at:].mean())
    variance, effective = _noise(np.concatenate([logs[:at] - before, logs[at:] - after]))
    statistic = float(abs(sums).max() / sqrt(n * variance))
    return _Fit(gains, statistic, at, after - before, variance, effective)


def _noise(residuals: Floats) -> tuple[float, float]:
    """Returns the long-run variance, and how many independent values the residuals of two means are worth."""
    n, squares = len(residuals), float(residuals @ residuals)
    found = float(residuals[1:] @ residuals[:-1]) / squares if squares else 0.0
    unbiased = min(max((found + BIAS / n) / (1 - BIAS_SLOPE / n), 0.0), HIGHEST_RHO)
    rho = min(unbiased + sqrt((1 - unbiased**2) / n), HIGHEST_RHO)
    inflation = (1 + rho) / (1 - rho)
    freedom = max(n - 2 * inflation - 1, n / 4)
    return max(squares / freedom, LEAST_VARIANCE) * inflation, n / inflation
