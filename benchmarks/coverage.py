"""Prints how often intervals hold the truth: ``python benchmarks/coverage.py [RUN or FILE.json]…``.

Recorded rounds (those of ``benchmarks/data``, or what is given) are taken apart into what all Lanes of a round have in
common and what each has of its own. Runs are then made up of these residuals, of which the truth is known, and folded
by the functions that fold every run. ``--save FILE.json`` writes the rounds of one run folder instead.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.random import Generator

from bench.analysis import autocorrelation, intervals, ranking, stability
from bench.analysis.autocorrelation import Floats
from bench.analysis.folds import round_values
from bench.model.reason import Code
from bench.run import store

DATA = sorted((Path(__file__).parent / "data").glob("*.json"))
ROUNDS = (3, 5, 6, 7, 10, 21)
LANES = 12
"""Of a made-up run."""
GROUP = 4
"""Lanes that are ranked together: six comparisons."""
ALARM_RUNS = 500
METRIC = "throughput_rps"
IN_A_ROW = "in a row"


class Residuals(Struct, frozen=True):
    """Logarithms less their means: ``common`` is (rounds,), and ``own`` (lanes, rounds) with its full variance."""

    name: str
    common: Floats
    own: Floats


class Covered(Struct, frozen=True):
    """Shares of runs whose intervals hold the truth, plain and as bench makes them, and how much wider these are."""

    plain: float
    widened: float
    width: float

    def __str__(self) -> str:
        return f"{self.plain:.1%} → {self.widened:.1%}, {self.width:.2f}x"


Runs = Callable[[Generator, int, int], Floats]
"""Makes so many runs of so many rounds: an array (runs, LANES, rounds), whose true means are 0."""


def main() -> None:
    """Prints a table for each source of rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*", type=Path, default=DATA, metavar="RUN|FILE.json")
    parser.add_argument("--save", type=Path, metavar="FILE.json")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.save:
        options.save.write_text(json.dumps(_by_lane(options.sources[0]), indent=1) + "\n")
        return
    for source in options.sources:
        found = residuals(source.name, np.log(np.array(list(_by_lane(source).values()))))
        print(described(found))
        for line in lines(found, options.runs, options.seed):
            print(line, flush=True)


def residuals(name: str, logs: Floats) -> Residuals:
    """Takes rounds (lanes, rounds) apart. Both means that are taken away cost variance, which is given back."""
    lanes, rounds = logs.shape
    centred = logs - logs.mean(axis=1, keepdims=True)
    back = rounds / (rounds - 1)
    own = autocorrelation.own(centred) * np.sqrt(back * lanes / (lanes - 1))
    return Residuals(name, centred.mean(axis=0) * np.sqrt(back), own)


def described(found: Residuals) -> str:
    """Says how large, how heavy-tailed and how autocorrelated the residuals are."""
    parts = {"in common": found.common[None, :], "own": found.own}
    said = [
        f"{name}: standard deviation {part.std():.1%}, largest {abs(part).max() / part.std():.1f} of them, "
        f"autocorrelation {float(autocorrelation.pooled(part)):.2f}"
        for name, part in parts.items()
    ]
    lanes, rounds = found.own.shape
    return f"{found.name}, {rounds} rounds of {lanes} Lanes. {'. '.join(said)}."


def lines(found: Residuals, count: int, seed: int) -> Iterator[str]:
    """Yields the rows of the table, as Markdown."""
    yield f"| rounds | residuals | Estimate | ratio | all {GROUP * (GROUP - 1) // 2} ratios | drift | spread |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, make in scenarios(found).items():
        for n in ROUNDS:
            if name == IN_A_ROW and n > len(found.common) / 2:
                continue
            rng = np.random.default_rng([seed, n])
            made = make(rng, count, n)
            drifting, scattered = alarms(made[:ALARM_RUNS])
            covered = f"{estimates(made)} | {ratios(made)} | {groups(made)}"
            yield f"| {n} | {name} | {covered} | {drifting:.1%} | {scattered:.1%} |"
    error = 1.96 * np.sqrt(0.95 * 0.05 / count)
    yield f"{count} runs a row: ±{error:.1%} about 95 %. The last two columns are of {ALARM_RUNS} runs.\n"


def scenarios(found: Residuals) -> dict[str, Runs]:
    """Returns ways to make runs: independent rounds, as they followed each other, and made to resemble each other."""
    return {
        "shuffled": _autoregressive(found, 0.0, 0.0),
        IN_A_ROW: _blocks(found),
        "common 0.3": _autoregressive(found, 0.3, 0.0),
        "all 0.3": _autoregressive(found, 0.3, 0.3),
        "all 0.6": _autoregressive(found, 0.6, 0.6),
    }


def estimates(runs: Floats) -> Covered:
    """Returns the coverage of one Lane's mean."""
    return _covered(runs[:, :1], autocorrelation.of_estimates(runs))


def ratios(runs: Floats) -> Covered:
    """Returns the coverage of the ratio of two Lanes."""
    return _covered(runs[:, :1] - runs[:, 1:2], autocorrelation.of_ratios(runs))


def groups(runs: Floats) -> Covered:
    """Returns the coverage of all ratios of a Group at once: plain without correction for their number."""
    first, second = np.triu_indices(GROUP, k=1)
    rho = autocorrelation.of_ratios(runs)
    return _covered(runs[:, first] - runs[:, second], rho, comparisons=len(first))


def alarms(runs: Floats) -> tuple[float, float]:
    """Returns the shares of runs in which a Lane is called unstable because it drifts, and because of its spread."""
    made = ({str(lane): dict(enumerate(row)) for lane, row in enumerate(np.exp(run).tolist())} for run in runs)
    codes = [{found.code for found in stability.unstable(lanes).values()} for lanes in made]
    drifting = [Code.DRIFTED in found for found in codes]
    scattered = [Code.SCATTERED in found for found in codes]
    return float(np.mean(drifting)), float(np.mean(scattered))


def _covered(values: Floats, rho: Floats, comparisons: int = 1) -> Covered:
    """Returns the coverage of means (runs, intervals, rounds) that are truly 0, all intervals of a run together."""
    distance = abs(values.mean(axis=-1))
    plain = intervals.half_width(values)
    widened = intervals.half_width(values, rho[:, None], comparisons)
    return Covered(
        plain=float((distance <= plain).all(axis=1).mean()),
        widened=float((distance <= widened).all(axis=1).mean()),
        width=float(np.median(widened / plain)),
    )


def _autoregressive(found: Residuals, common: float, own: float) -> Runs:
    """Makes runs of residuals drawn with replacement, of which a share stays from round to round: AR(1)."""

    def make(rng: Generator, count: int, n: int) -> Floats:
        shared = rng.choice(found.common, (count, 1, n))
        single = rng.choice(found.own.ravel(), (count, LANES, n))
        return _remembering(shared, common) + _remembering(single, own)

    return make


def _remembering(drawn: Floats, rho: float) -> Floats:
    made = drawn.copy()
    for index in range(1, made.shape[-1]):
        made[..., index] = rho * made[..., index - 1] + np.sqrt(1 - rho**2) * drawn[..., index]
    return made


def _blocks(found: Residuals) -> Runs:
    """Makes runs of rounds that followed each other, of all recorded Lanes, in any order of these.

    The circular block bootstrap (Politis and Romano, 1992), with one block a run.
    """

    def make(rng: Generator, count: int, n: int) -> Floats:
        lanes, rounds = found.own.shape
        stretch = (rng.integers(rounds, size=(count, 1, 1)) + np.arange(n)) % rounds
        order = rng.permuted(np.tile(np.arange(lanes), (count, 1)), axis=1)[:, :, None]
        return np.asarray(found.common[stretch] + found.own[order, stretch])

    return make


def _by_lane(source: Path) -> dict[str, Sequence[float]]:
    """Returns throughput by Lane and round, from a run's folder or from what ``--save`` wrote."""
    if source.is_file():
        return dict(json.loads(source.read_text()))
    values = round_values(store.read(source).records)
    by_lane = {lane: values.of(lane, METRIC) for lane in values.by_lane}
    rounds = ranking.common_rounds(by_lane)
    return {lane: [round(of_lane[index], 1) for index in rounds] for lane, of_lane in by_lane.items()}


if __name__ == "__main__":
    main()
