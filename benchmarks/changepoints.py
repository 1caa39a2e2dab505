"""Measures the change-point test: ``python benchmarks/changepoints.py [--series 10000] [--found 1000]``.

Series are made up of AR(1) noise, with normal innovations or Student's t with 3 degrees of freedom. A false alarm is a
series without a step in which one is found. Steps are in the middle, and as large as so many standard deviations
of the noise; one is found where a step is at most a tenth of the series, or five runs, from it.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import product
from math import exp, inf, sqrt

import numpy as np
from msgspec import Struct
from numpy.random import Generator
from scipy.signal import lfilter
from scipy.stats import binomtest

from bench.analysis.autocorrelation import Floats
from bench.regression import changepoints
from bench.regression.changepoints import Step

LENGTHS = (20, 50, 200, 1000)
RHOS = (0.0, 0.3, 0.6, 0.8)
SIZES = (1.0, 2.0, 3.0)
TAILS = ("normal", "t, 3 df")
FEW = 50
"""Fewer steps that were found tell nothing of how often their intervals hold."""
NOISE = 0.02
"""Standard deviation of the logarithms, as it is of ratios to raw; only multiples of it matter."""
BURN_IN = 100


class Case(Struct, frozen=True):
    """What series are made of."""

    tails: str
    n: int
    rho: float

    def noise(self, rng: Generator) -> Floats:
        """Returns logarithms with a standard deviation of NOISE."""
        count = self.n + BURN_IN
        drawn = rng.standard_normal(count) if self.tails == "normal" else rng.standard_t(3, count) / sqrt(3)
        remembering = lfilter([sqrt(1 - self.rho**2)], [1, -self.rho], drawn)
        return NOISE * np.asarray(remembering[BURN_IN:])


class Counts(Struct):
    """Of series with a step: how many there are, in how many it was found, with the right place and size, and more."""

    series: int = 0
    found: int = 0
    placed: int = 0
    sized: int = 0
    more: int = 0

    def add(self, steps: Sequence[Step], middle: int, change: float) -> None:
        """Counts a series, given the steps that were found in it."""
        near = max(changepoints.MIN_SEGMENT, middle // 5)
        self.series += 1
        self.more += len(steps) > 1
        for step in [step for step in steps if abs(step.at - middle) <= near][:1]:
            self.found += 1
            self.placed += step.earliest <= middle <= step.latest
            self.sized += bool((step.ratio.low or 0.0) <= exp(change) <= (step.ratio.high or inf))


def main() -> None:
    """Prints the table, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=10_000, help="without a step, a row (default: %(default)s)")
    parser.add_argument("--found", type=int, default=1000, help="with a step, a size and row (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| noise | runs | rho | false alarms (95 % interval) | 1 sd | 2 sd | 3 sd | place | size | more |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for line in lines(options.series, options.found, options.seed):
        print(line, flush=True)


def lines(series: int, with_step: int, seed: int) -> Iterator[str]:
    """Yields a row a case. The last three columns are of the series with steps of all sizes."""
    for tails, n, rho in product(TAILS, LENGTHS, RHOS):
        case = Case(tails, n, rho)
        rng = np.random.default_rng([seed, TAILS.index(tails), n, round(10 * rho)])
        alarms = sum(bool(changepoints.steps(np.exp(case.noise(rng)))) for _ in range(series))
        counts = [with_steps(case, size, with_step, rng) for size in SIZES]
        found = " | ".join(f"{count.found / count.series:.0%}" for count in counts)
        yield f"| {tails} | {n} | {rho:g} | {_interval(alarms, series)} | {found} | {_held(counts)} |"


def with_steps(case: Case, size: float, series: int, rng: Generator) -> Counts:
    """Counts what is found in series with a step of so many standard deviations in the middle."""
    counts, middle, change = Counts(), case.n // 2, size * NOISE
    step = np.where(np.arange(case.n) < middle, 0.0, change)
    for _ in range(series):
        counts.add(changepoints.steps(np.exp(case.noise(rng) + step)), middle, change)
    return counts


def _held(counts: Sequence[Counts]) -> str:
    found = sum(count.found for count in counts)
    held = [sum(count.placed for count in counts), sum(count.sized for count in counts)]
    shares = [f"{part / found:.0%}" if found >= FEW else "–" for part in held]  # noqa: RUF001 - a dash
    more = sum(count.more for count in counts) / sum(count.series for count in counts)
    return f"{' | '.join(shares)} | {more:.1%}"


def _interval(count: int, of: int) -> str:
    low, high = binomtest(count, of).proportion_ci(0.95)
    return f"{count / of:.2%} ({low:.2%} to {high:.2%})"


if __name__ == "__main__":
    main()
