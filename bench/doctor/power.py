"""What difference a number of rounds can tell apart, given how far their ratios spread.

The spread is the standard deviation of ln(ratio of two Lanes) from round to round, and a difference of 0.03 means that
one Lane has 1.03 times the other's throughput. A Group tells two Lanes apart where the interval of their ratio, one
of as many as it has pairs, excludes 1 (``ranking.differs``), and where the ratio is beyond the noise floor if it has
one (``ranking.standings``).
"""

from math import expm1

from msgspec import Struct
from scipy.optimize import brentq
from scipy.special import nctdtr, stdtrit

from bench.analysis.intervals import MIN_ROUNDS
from bench.doctor.diagnosis import MAX_ROUNDS, POWER
from bench.model.estimate import CONFIDENCE

LARGEST_LOG = 100.0
"""Of a difference; beyond it a machine tells nothing apart, and exp has no result."""


class Rule(Struct, frozen=True):
    """How a Group tells Lanes apart: so many intervals hold at once, and a noise floor may have to be exceeded."""

    comparisons: int = 1
    noise_floor: bool = False


def beta(rounds: int, shift: float, rule: Rule) -> float:
    """Returns the probability that a difference is not found; ``shift`` is its logarithm in standard errors.

    Without a noise floor that is the probability of a t-test of paired values, a noncentral t distribution with rounds
    - 1 degrees of freedom (Chow, Shao and Wang, Sample Size Calculations in Clinical Research, section 3.1.1). The far
    tail, where the wrong Lane would win, is left out, as there.

    The noise floor is what the twin's interval reaches at most: |m| + t·s/√n, with m and s of the twin. The ratio x is
    not beyond it where x - m or x + m is below t·s/√n. Both have twice the variance of x, so each is a noncentral t of
    shift/√2 again; the sum of the three probabilities is an upper bound (Bonferroni's inequality).
    """
    freedom, alpha = rounds - 1, 1 - CONFIDENCE
    by_interval = nctdtr(freedom, shift, stdtrit(freedom, 1 - alpha / 2 / rule.comparisons))
    if not rule.noise_floor:
        return float(by_interval)
    by_floor = 2 * nctdtr(freedom, shift / 2**0.5, stdtrit(freedom, 1 - alpha / 2) / 2**0.5)
    return min(1.0, float(by_interval + by_floor))


def detectable(rounds: int, spread: float, rule: Rule) -> float:
    """Returns the smallest difference that so many rounds find with ``POWER``; rounds are at least ``MIN_ROUNDS``."""
    enough = 1.0
    while beta(rounds, enough, rule) > 1 - POWER:
        enough *= 2
    shift = brentq(lambda shift: beta(rounds, shift, rule) - (1 - POWER), 0, enough)
    return expm1(min(shift * spread / rounds**0.5, LARGEST_LOG))


def rounds_needed(difference: float, spread: float, rule: Rule) -> int | None:
    """Returns the smallest number of rounds that finds a difference above 0; None where ``MAX_ROUNDS`` do not."""
    low, high = MIN_ROUNDS - 1, MIN_ROUNDS
    while detectable(high, spread, rule) > difference:
        if high >= MAX_ROUNDS:
            return None
        low, high = high, min(2 * high, MAX_ROUNDS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if detectable(middle, spread, rule) <= difference else (middle, high)
    return high
