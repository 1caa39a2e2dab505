"""Counts false alarms: Lanes compared with their own twins by paired ratios: ``python benchmarks/noise.py``.

Every Lane without an adapter, raw too, runs twice in each run, so a run gives as many A/A comparisons as it has such
Lanes. A comparison alarms where the interval of the ratio, of this pair alone, excludes 1. Counted too are those of
them whose difference is above the noise floor of the run's next pair, which is on the same server but for the last pair
of each. bench ranks fewer as different: it refuses to rank what is not valid, which is not judged here, ranks no raw
Lane, and widens intervals by how many a Group has.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from math import exp, log
from pathlib import Path

import msgspec
import numpy as np
from scipy.stats import binomtest

from bench.analysis import autocorrelation, intervals, ranking
from bench.analysis.folds import round_values
from bench.doctor.examine import Memory
from bench.model.estimate import CONFIDENCE
from bench.model.experiment import Experiment, Lane
from bench.model.records import Failure, SliceRecord
from bench.model.schedule import Slice
from bench.run import session
from bench.servers.project import Project, open_project

THROUGHPUT = "throughput_rps"


class Pair(msgspec.Struct, frozen=True):
    """A Lane and its twin in one run: a logarithm of their ratio a Round, and how much a Round resembles the next."""

    lane: str
    logs: tuple[float, ...]
    rho: float

    @property
    def mean(self) -> float:
        """Returns the mean of the logarithms."""
        return sum(self.logs) / len(self.logs)

    def half(self, level: float) -> float:
        """Returns half the width of the interval that bench gives the ratio, at a level such as 0.05."""
        return float(intervals.half_width(np.array(self.logs), self.rho, (1 - CONFIDENCE) / level))

    def alarms(self, level: float) -> bool:
        """Returns whether the interval says that a Lane differs from itself."""
        return abs(self.mean) > self.half(level)

    def floor(self) -> float:
        """Returns the noise floor that this pair gives, as a logarithm."""
        return abs(self.mean) + self.half(0.05)


class Unwatched:
    """A Watcher that shows nothing."""

    def round_started(self, index: int) -> None:
        """Shows nothing."""

    def slice_started(self, planned: Slice) -> None:
        """Shows nothing."""

    def slice_ended(self, record: SliceRecord) -> None:
        """Shows nothing."""

    def lane_failed(self, failure: Failure) -> None:
        """Shows nothing."""


def main() -> None:
    """Measures until there are enough comparisons, and prints how many alarmed."""
    options = _parser().parse_args()
    project = open_project(Path("bench.toml"))
    pairs: list[list[Pair]] = []
    with suppress(KeyboardInterrupt):  # what was measured until then is worth its table
        while sum(map(len, pairs)) < options.comparisons:
            pairs.append(list(measured(project, twice(project, options, seed=len(pairs)))))
            for pair in pairs[-1]:
                print(pair.lane, *(f"{value:+.4f}" for value in pair.logs), file=sys.stderr)
    if pairs:
        print(render(pairs, options.rounds, options.slices, options.window))


def twice(project: Project, options: argparse.Namespace, seed: int) -> Experiment:
    """Returns every Lane without an adapter, and its twin, under saturating load only."""
    whole = project.experiment(next(iter(project.config.presets)), seed)
    lanes = [lane for lane in whole.lanes if not (lane.adapter or lane.twin)]
    preset = msgspec.structs.replace(
        whole.preset,
        rounds=options.rounds,
        saturated_slices=options.slices,
        fixed_slices=0,
        window_s=options.window,
        repeats=0,
    )
    both: list[Lane] = [*lanes, *(msgspec.structs.replace(lane, twin=True) for lane in lanes)]
    return msgspec.structs.replace(whole, lanes=tuple(both), groups=(), preset=preset)


def measured(project: Project, experiment: Experiment) -> Iterator[Pair]:
    """Measures one run, and yields its pairs in the order of their servers."""
    records = Memory()
    with session.open_testbed(project, experiment) as testbed:
        session.measure(testbed, session.draft(testbed, "noise"), records, Unwatched())
    found = round_values(records.records)
    rho = autocorrelation.resemblance(np.log(found.array(THROUGHPUT, found.by_lane))).of_ratios
    twins = sorted((lane for lane in experiment.lanes if lane.twin), key=lambda lane: lane.server.name)
    for twin in twins:
        values = {name: found.of(name, THROUGHPUT) for name in (twin.original, twin.name)}
        rounds = ranking.common_rounds(values)
        if len(rounds) < intervals.MIN_ROUNDS:
            print(f"{twin.original}: {len(rounds)} rounds in common are too few", file=sys.stderr)
            continue
        yield Pair(twin.original, tuple(log(values[twin.name][at] / values[twin.original][at]) for at in rounds), rho)


def render(runs: Sequence[Sequence[Pair]], rounds: int, slices: int, window_s: float) -> str:
    """Returns how many comparisons alarmed, at which level, and how wide their intervals were."""
    pairs = [pair for run in runs for pair in run]
    lines = [
        f"{len(pairs)} A/A comparisons in {len(runs)} runs of {rounds} rounds, "
        f"{slices} x {window_s:g} s a Lane and round"
    ]
    for level in (0.05, 0.01):
        alarms = sum(pair.alarms(level) for pair in pairs)
        ranked = sum(
            pair.alarms(level) and abs(pair.mean) > other.floor() for run in runs for pair, other in neighbours(run)
        )
        low, high = binomtest(alarms, len(pairs)).proportion_ci(0.95)
        lines += [
            f"level {level:.0%}: {alarms} intervals exclude 1 ({alarms / len(pairs):.1%}, {low:.1%} to {high:.1%})",
            f"level {level:.0%}: {ranked} of them are above the noise floor of the neighbouring pair",
        ]
    halves = sorted(exp(pair.half(0.05)) - 1 for pair in pairs)
    lines.append(
        f"half width of a 95 % interval: median {halves[len(halves) // 2]:.1%}, {halves[0]:.1%} to {halves[-1]:.1%}"
    )
    return "\n".join(lines)


def neighbours(run: Sequence[Pair]) -> list[tuple[Pair, Pair]]:
    """Returns each pair with the next one, and the last with the first."""
    return [*pairwise(run), (run[-1], run[0])]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=200, help="how many at least (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=6, help="rounds of a run (default: %(default)s)")
    parser.add_argument("--slices", type=int, default=1, help="slices a Lane and round (default: %(default)s)")
    parser.add_argument("--window", type=float, default=0.35, help="counted seconds of a slice (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
