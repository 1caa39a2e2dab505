"""How long a slice, a settle time and a run should be: ``python benchmarks/slices.py``.

Two Lanes are measured while the servers of a whole run are up. In every round each gets slices of several lengths,
for the same time each; the ratio of the two Lanes is the figure. Printed for each length: how far its throughput is
from that of 5 s slices (bias), and how wide the interval of the ratio would be after one minute (width), settle times
and gaps included. Then the settle: throughput of the first moments of a slice against the rest. Then whether idle
neighbours cost anything: a server with all the others up against the same server alone.
"""

import argparse
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import exp, log, sqrt
from pathlib import Path

import numpy as np

from bench.analysis import intervals
from bench.model import quotients
from bench.model.estimate import Estimate
from bench.model.experiment import Lane
from bench.model.load import Closed, Phase
from bench.model.metrics import Better, Unit
from bench.model.records import SliceRecord
from bench.model.schedule import Slice
from bench.run import session
from bench.run.round import LiveRound, open_round
from bench.servers.project import open_project
from bench.servers.testbed import Testbed

LANES = ("flask_hello@gunicorn-gthread", "fastapi_hello@gunicorn-uvicorn")
WINDOWS_S = (0.05, 0.1, 0.2, 0.35, 0.7, 1.4, 5.0)
LONGEST_S = WINDOWS_S[-1]
USERS = 16
SETTLE_S = 0.03
EARLY_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1)
"""How much of a slice's beginning is compared with what follows."""
ALONE_WINDOW_S = 0.35
ALONE_SLICES = 8

Logs = dict[tuple[str, float], list[float]]
"""The logarithm of the throughput in each round, by Lane and by length of slice."""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8, help="rounds of each part (default: %(default)s)")
    rounds = parser.parse_args().rounds
    project = open_project(Path("bench.toml"))
    experiment = project.experiment(next(iter(project.config.presets)), seed=1)
    with session.open_testbed(project, experiment) as testbed:
        print(render_lengths(*lengths(testbed, rounds)))
        print(render_early(early(testbed, rounds)))
        print(render_alone(alone(testbed, rounds)))


def lengths(testbed: Testbed, rounds: int) -> tuple[Logs, dict[float, float]]:
    """Returns throughputs by length of slice, and the wall time that one second of window took."""
    logs: Logs = defaultdict(list)
    wall_s: dict[float, list[float]] = defaultdict(list)
    for index, live in live_rounds(testbed, rounds, testbed.experiment.lanes):
        rng = random.Random(index)  # noqa: S311 - a shuffle that can be repeated
        order = [(lane, window_s) for window_s in WINDOWS_S for lane in LANES * round(LONGEST_S / window_s)]
        rng.shuffle(order)
        seen: dict[tuple[str, float], list[SliceRecord]] = defaultdict(list)
        for lane, window_s in order:
            began = time.monotonic()
            seen[lane, window_s].append(measure(live, lane, SETTLE_S, window_s))
            wall_s[window_s].append((time.monotonic() - began) / window_s)
        for key, records in seen.items():
            logs[key].append(log_rps(records))
    return logs, {window_s: float(np.median(values)) for window_s, values in wall_s.items()}


def early(testbed: Testbed, rounds: int) -> dict[tuple[str, float], list[float]]:
    """Returns, by Lane and length, the log of the throughput of a slice's beginning over that of a settled slice."""
    logs: dict[tuple[str, float], list[float]] = defaultdict(list)
    for _, live in live_rounds(testbed, rounds, testbed.experiment.lanes):
        for lane in LANES:
            usual = measure(live, lane, 0.1, 2.0)
            for early_s in EARLY_S:
                seen = [measure(live, lane, 0.0, early_s) for _ in range(round(0.5 / early_s))]
                logs[lane, early_s].append(log_rps(seen) - log_rps([usual]))
    return logs


def alone(testbed: Testbed, rounds: int) -> dict[str, list[float]]:
    """Returns the logs of the throughput of a Lane with all others up over that of the same Lane alone, by Lane."""
    logs: dict[str, list[float]] = defaultdict(list)
    everybody = testbed.experiment.lanes
    for lane in (lane for lane in everybody if lane.name in LANES):
        both: dict[bool, list[float]] = defaultdict(list)
        for by_itself in (True, False):
            for _, live in live_rounds(testbed, rounds, (lane,) if by_itself else everybody):
                seen = [measure(live, lane.name, SETTLE_S, ALONE_WINDOW_S) for _ in range(ALONE_SLICES)]
                both[by_itself].append(log_rps(seen))
        logs[lane.name] = [up - single for up, single in zip(both[False], both[True], strict=True)]
    return logs


def log_rps(records: Sequence[SliceRecord]) -> float:
    """Returns the logarithm of the throughput of slices."""
    rps = quotients.throughput_rps(*records)
    assert rps, "no right answer"
    return log(rps)


def live_rounds(testbed: Testbed, rounds: int, lanes: Sequence[Lane]) -> Iterator[tuple[int, LiveRound]]:
    """Yields so many rounds of fresh processes, warmed up."""
    for index in range(rounds):
        print(f"round {index + 1} of {rounds}, {len(lanes)} servers up", file=sys.stderr)
        with open_round(testbed, index, lanes, time.monotonic()) as live:
            for lane in (lane.name for lane in lanes if lane.name in LANES):
                measure(live, lane, 0.1, 0.3)
            yield index, live


def measure(live: LiveRound, lane: str, settle_s: float, window_s: float) -> SliceRecord:
    """Plays one saturated slice."""
    (record,) = live.measure(Slice(0, Phase.SATURATED, (lane,), Closed(USERS), settle_s, window_s))
    return record


def render_lengths(logs: Logs, wall_s: dict[float, float]) -> str:
    """Returns a row for each length of slice."""
    first, second = LANES
    lines = [
        f"{second} : {first}",
        f"{'slice s':>8} {'wall per window':>16} {'ratio':>22} {'width, 1 min':>13}  : {LONGEST_S:g} s slices",
    ]
    for window_s in WINDOWS_S:
        pairs = list(zip(logs[second, window_s], logs[first, window_s], strict=True))
        ratio = estimate([a - b for a, b in pairs])
        spent_s = 2 * LONGEST_S * wall_s[window_s] * len(pairs)
        width = (log(ratio.high or 1) - log(ratio.low or 1)) / 2 * sqrt(spent_s / 60)
        biases = ", ".join(
            f"{lane.partition('_')[0]} {said(estimate(differences(logs[lane, window_s], logs[lane, LONGEST_S])))}"
            for lane in LANES
        )
        lines.append(f"{window_s:>8} {wall_s[window_s]:>16.2f} {said(ratio):>22} {exp(width) - 1:>13.1%}  {biases}")
    return "\n".join(lines)


def render_early(logs: dict[tuple[str, float], list[float]]) -> str:
    """Returns a row for each beginning of a slice."""
    lines = ["", "throughput of a slice's first moments : that of a slice with 0.1 s settle"]
    for early_s in EARLY_S:
        found = ", ".join(f"{lane.partition('_')[0]} {said(estimate(logs[lane, early_s]))}" for lane in LANES)
        lines.append(f"first {early_s * 1000:>4.0f} ms: {found}")
    return "\n".join(lines)


def render_alone(logs: dict[str, list[float]]) -> str:
    """Returns a row for each Lane."""
    rows = (f"{lane}: {said(estimate(values))}" for lane, values in logs.items())
    return "\n".join(["", "throughput with all other servers up and idle : alone", *rows])


def differences(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Returns pairwise differences."""
    return [a - b for a, b in zip(values, others, strict=True)]


def estimate(logs: Sequence[float]) -> Estimate:
    """Returns the ratio whose logarithms these are."""
    return intervals.log_estimate([exp(value) for value in logs], Unit.RATIO, Better.NEITHER)


def said(ratio: Estimate) -> str:
    """Writes a ratio and its interval."""
    if ratio.low is None or ratio.high is None:
        return f"{ratio.point:.3f}"
    return f"{ratio.point:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"


if __name__ == "__main__":
    main()
