"""How far the verdict of `bench doctor` can be relied on: it is asked several times, one after the other.

``python benchmarks/doctor.py --times 5`` prints, for each time, what difference a standard run tells apart, with its
interval, and how long it took to say so; then how many of the intervals have the median of all in them. Needs a quiet
machine.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from bench.doctor.checks import Diagnosis, What
from bench.model.estimate import Estimate
from bench.report import findings

BENCH = Path(sys.executable).parent / "bench"


def main() -> None:
    """Asks, and prints the answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    found = [ask() for _ in range(parser.parse_args().times)]
    median = statistics.median(difference.point for difference in found)
    held = sum((difference.low or 0) <= median <= (difference.high or 0) for difference in found)
    print(f"median {median:.1%}, in {held} of {len(found)} intervals")


def ask() -> Estimate:
    """Returns the difference that `bench doctor` says; prints it with the time it took."""
    began = time.monotonic()
    done = subprocess.run([BENCH, "doctor", "--json"], stdout=subprocess.PIPE, check=True)
    diagnosis = msgspec.json.decode(done.stdout, type=Diagnosis)
    assert diagnosis.aa_test is not None  # or its exit code would not have been 0
    assert diagnosis.aa_test.difference is not None
    difference, steal = diagnosis.aa_test.difference, next(x for x in diagnosis.findings if x.what is What.STEAL)
    print(
        f"{difference.point:.1%} ({difference.low or 0:.1%} to {difference.high or 0:.1%}), "
        f"steal {findings.found(steal)}, A/A {diagnosis.aa_test.validity.status}, {time.monotonic() - began:.0f} s"
    )
    return difference


if __name__ == "__main__":
    main()
