"""How exact counts of instructions are, and how long they take: ``python benchmarks/instructions.py --repeats 3``.

Counts all Apps several times, every second time with a process on each core that does nothing but keep it busy. Printed
as they come: the wall time of each repeat; then for every callable its counts' median, how far apart the lowest and the
highest are (spread), and the ratio of the medians with and without the busy processes. Needs valgrind.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.model.config import select_lanes
from bench.report.wording import said
from bench.run import session
from bench.servers.processes import clean_environment, stop
from bench.servers.project import open_project
from bench.servers.testbed import Testbed

Counts = dict[str, list[float]]
"""The counts of each Lane."""


def main() -> None:
    """Counts and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="of each kind (default: %(default)s)")
    parser.add_argument("--lane", action="append", help="only these Lanes, e.g. 'flask_hello@*'; may be repeated")
    chosen = parser.parse_args()
    project = open_project(Path("bench.toml"))
    experiment = project.experiment(next(iter(project.config.presets)), seed=1)
    if chosen.lane:
        experiment = select_lanes(experiment, chosen.lane)
    alone: Counts = defaultdict(list)
    crowded: Counts = defaultdict(list)
    with session.open_testbed(project, experiment) as testbed:
        for _ in range(chosen.repeats):
            print(f"alone:   {repeat(testbed, alone):.0f} s for all", flush=True)
            with busy(testbed):
                print(f"crowded: {repeat(testbed, crowded):.0f} s for all", flush=True)
    for lane in alone:
        print(render(lane, alone[lane], crowded[lane]))


def repeat(testbed: Testbed, counts: Counts) -> float:
    """Counts every Lane once more, and returns the seconds that it took."""
    began = time.monotonic()
    for observation in session.instructions_per_request(testbed):
        if observation.value is None:
            sys.exit(f"{observation.lane}: {said(observation.reason) if observation.reason else 'no reason was given'}")
        counts[observation.lane].append(observation.value)
    return time.monotonic() - began


@contextmanager
def busy(testbed: Testbed) -> Iterator[None]:
    """Keeps every core busy."""
    endless = (sys.executable, "-c", "while True: pass")
    processes = [
        testbed.process_group.start(endless, env=clean_environment(), cwd=testbed.logs)
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        yield
    finally:
        stop(processes)


def render(lane: str, alone: list[float], crowded: list[float]) -> str:
    """Returns a row of the table."""
    every = [*alone, *crowded]
    spread = max(every) / min(every) - 1
    ratio = median(crowded) / median(alone)
    return f"{lane:<45} {median(every):>12,.0f}  spread {spread:8.4%}  crowded : alone {ratio:.5f}  n = {len(every)}"


if __name__ == "__main__":
    main()
