"""How often the gate's instruction counts are right: ``python benchmarks/gate_instructions.py --change 1``.

Counts the instructions per request of an App and of a version of itself with a loop in its view that adds so many
percent (0 for none: every alarm is false), again and again, and judges them as ``bench compare`` does, whose default
allows 0.5 %. Prints how often it alarmed, how far the ratios lie apart, and how long a pair of counts took. Needs
valgrind; a busy machine makes it slower and changes no count.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median

from gate import APP, change, repository
from msgspec import Struct

from bench.model.experiment import Side
from bench.model.metrics import INSTRUCTIONS
from bench.model.regression import Verdict
from bench.regression import verdict
from bench.regression.ab_testbed import AbTestbed, open_ab_testbed
from bench.regression.checkouts import SideRequest
from bench.report.wording import said
from bench.run import session
from bench.servers.environments import Recipe
from bench.servers.project import open_project

ALLOWED = 0.005
CALIBRATION_TURNS = 1000


class Counted(Struct, frozen=True):
    """One comparison: HEAD:BASE, what the gate says of it, and how long both counts took."""

    ratio: float
    verdict: Verdict
    spent_s: float


def main() -> None:
    """Counts again and again, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--change", type=float, default=0.0, help="percent more instructions (default: %(default)s)")
    parser.add_argument("--comparisons", type=int, default=50, help="how many (default: %(default)s)")
    options = parser.parse_args()
    with repository() as folder:
        turns = calibrated(folder, options.change) if options.change else 0
        print(f"{options.change:g} % more instructions: a loop of {turns} turns in the view", file=sys.stderr)
        print(render(compared(folder, turns, options.comparisons)))


def calibrated(folder: Path, percent: float) -> int:
    """Returns how many turns of a loop add so many percent."""
    (counted,) = compared(folder, CALIBRATION_TURNS, 1)
    return round(CALIBRATION_TURNS * percent / 100 / (counted.ratio - 1))


def compared(folder: Path, turns: int, comparisons: int) -> list[Counted]:
    """Compares the App with itself and so many turns of a loop."""
    change(folder, turns)
    requests = {Side.BASE: SideRequest("HEAD", Recipe()), Side.HEAD: SideRequest("WORKTREE", Recipe())}
    with open_ab_testbed(open_project(folder / "bench.toml"), requests, [APP], seed=1) as sides:
        return [once(sides) for _ in range(comparisons)]


def once(sides: AbTestbed) -> Counted:
    """Counts both sides, with fresh processes."""
    began = time.monotonic()
    counts = {observation.lane: observation for observation in session.instructions_per_request(sides.testbed)}
    base, head = (counts[name] for name in (sides.pairs[0].base, sides.pairs[0].head))
    if base.value is None or head.value is None:
        sys.exit(f"{APP}: {'; '.join(said(each.reason) for each in (base, head) if each.reason)}")
    ratio = verdict.exact(base.value, head.value)
    judged = verdict.judge(INSTRUCTIONS, ratio, ALLOWED, []).verdict
    print(f"{ratio.point:.6f} {judged}", file=sys.stderr)
    return Counted(ratio.point, judged, time.monotonic() - began)


def render(found: list[Counted]) -> str:
    """Returns how many comparisons said what."""
    verdicts = Counter(counted.verdict for counted in found)
    ratios = [counted.ratio for counted in found]
    spent = [counted.spent_s for counted in found]
    return (
        f"{len(found)} comparisons: {', '.join(f'{count} {said}' for said, count in verdicts.most_common())}\n"
        f"HEAD : BASE: median {median(ratios):.6f}, {min(ratios):.6f} to {max(ratios):.6f}\n"
        f"seconds for both counts: median {median(spent):.0f}, at most {max(spent):.0f}"
    )


if __name__ == "__main__":
    main()
