"""Times `bench history` on a long history: ``python benchmarks/history.py [--runs 10000] [--lanes 14] [--times 3]``.

Makes up a history in a temporary folder, with a step in each Lane, and times the whole command as a process of its own:
the interpreter's start, reading, the change points, the chart and the text.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from bench.model.formats import HISTORY_VERSION
from bench.model.history import HistoryRecord, MachineIdentity, Reading
from bench.model.metrics import INSTRUCTIONS, METRICS
from bench.regression.history_file import HISTORY

MACHINE = MachineIdentity(cpu="Example CPU", cores=2, system="Linux x86_64", python="3.11.7", server_cores=(0,))
NOISE, HALF = 0.02, 0.03
"""Of logarithms: how far runs spread, and half an interval."""


def main() -> None:
    """Prints the median and the range of the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--lanes", type=int, default=14)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / HISTORY
        path.write_bytes(b"".join(lines(options.runs, options.lanes, options.seed)))
        seconds = [timed(Path(folder)) for _ in range(options.times)]
        mib = path.stat().st_size / 2**20
    spread = f"{min(seconds):.2f} to {max(seconds):.2f} s, {options.times} times"
    print(
        f"{options.runs} runs of {options.lanes} Lanes, {mib:.0f} MiB: "
        f"bench history takes {statistics.median(seconds):.2f} s ({spread})"
    )


def lines(runs: int, lanes: int, seed: int) -> Iterator[bytes]:
    """Yields the lines of a history in which Lane by Lane became 5 % slower, one after the other."""
    rng = np.random.default_rng(seed)
    since = datetime(2026, 1, 1, tzinfo=UTC)
    names = [f"app{lane:02}_hello@gunicorn-uvicorn" for lane in range(lanes)]
    noise = np.exp(NOISE * rng.standard_normal((runs, lanes, len(METRICS.gated()))))
    for run in range(runs):
        at = since + timedelta(hours=run)
        levels = [1.5 + lane if run < runs * (lane + 1) / (lanes + 1) else 1.05 * (1.5 + lane) for lane in range(lanes)]
        record = HistoryRecord(
            format_version=HISTORY_VERSION,
            run_id=f"{at:%Y%m%dT%H%M%SZ}-{run:06x}",
            started_utc=f"{at:%Y-%m-%dT%H:%M:%SZ}",
            project_revision=f"{run:07x}00000",
            bench_version="0.1.0",
            preset="standard",
            conditions="0123456789ab",
            fixed_rate_rps=500.0,
            machine=MACHINE,
            lanes={
                name: {
                    metric.name: reading(
                        levels[lane] * float(noise[run, lane, index]), counted=metric.name == INSTRUCTIONS
                    )
                    for index, metric in enumerate(METRICS.gated())
                }
                for lane, name in enumerate(names)
            },
        )
        yield msgspec.json.encode(record) + b"\n"


def reading(point: float, *, counted: bool) -> Reading:
    """Returns a figure with an interval, or a count without one."""
    if counted:
        count = float(round(100_000 * point))
        return Reading(count, count, count)
    low, high = point * np.exp(-HALF), point * np.exp(HALF)
    return Reading(*(float(f"{value:.5g}") for value in (point, low, high)))


def timed(folder: Path) -> float:
    """Returns how long the command takes, in s."""
    command = [sys.executable, "-c", "from bench.cli import main; main()", "history", "--out", str(folder)]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
