"""How often the gate is right: ``python benchmarks/gate.py --change 0 --comparisons 10``.

Compares an App with a version of itself that uses so many percent more CPU time a request (0 for none: every alarm is
false), or instructions (``--instructions --budget 60``), again and again, with ``bench compare`` in a repository of its
own. ``--usual 10`` shows the usual way instead, at the same time budget: one load test after the other, and their
average throughputs compared, which alarms where that of the second is lower by more than what is allowed. Its load
tests are of the unchanged version twice, the changed one twice, and so on: each and the next are a comparison, every
other one of two that are the same.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path
from statistics import median

import msgspec

from bench.model import quotients
from bench.model.config import select_lanes
from bench.model.load import Closed
from bench.model.metrics import CPU, INSTRUCTIONS
from bench.model.protocol import Request, Target
from bench.model.regression import Comparison, Evidence, Verdict
from bench.regression import verdict
from bench.run import session
from bench.servers.launch import HOST
from bench.servers.project import open_project

PROJECT = Path(__file__).parent.parent
BENCH = Path(sys.executable).parent / "bench"
APP, LANE = "fastapi_hello", "fastapi_hello@uvicorn"
VIEW = '    return PlainTextResponse(f"Hello, {name}!")'
CALIBRATION_TURNS = 20_000
USERS = 16


@dataclass(frozen=True)
class Trial:
    """One comparison: the gate's exit code, what it found of each metric, and its wall time."""

    exit_code: int
    evidence: tuple[Evidence, ...]
    spent_s: float

    def ratio(self, metric: str) -> float | None:
        """Returns HEAD:BASE of a metric."""
        return next((found.ratio.point for found in self.evidence if found.metric == metric and found.ratio), None)

    @property
    def nearest(self) -> float:
        """Returns by what share the metric that is nearest to an alarm is worse for certain, where it is valid."""
        valid = (each for each in self.evidence if each.ratio and each.verdict is not Verdict.INVALID)
        lows = (verdict.worse(each.metric, each.ratio).low for each in valid if each.ratio)
        return max((low - 1 for low in lows if low is not None), default=-1.0)


def main() -> None:
    """Compares again and again, and prints what was found."""
    options = _parser().parse_args()
    with repository() as folder:
        turns = 0 if options.change == 0 else calibrated(folder, options.change, options.metric)
        print(f"{options.change:g} % more, {options.metric}: a loop of {turns} turns in the view", file=sys.stderr)
        print(usual(folder, options, turns) if options.usual else gate(folder, options, turns))


@contextmanager
def repository() -> Iterator[Path]:
    """Yields a git repository with this project's Apps in it."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        shutil.copy(PROJECT / "bench.toml", folder)
        shutil.copytree(PROJECT / "apps", folder / "apps", ignore=shutil.ignore_patterns("__pycache__"))
        git(folder, "init", "--quiet")
        git(folder, "add", ".")
        git(folder, "-c", "user.name=bench", "-c", "user.email=bench@example.org", "commit", "--quiet", "-m", "base")
        yield folder


def git(folder: Path, *arguments: str) -> None:
    """Runs git in a folder."""
    subprocess.run(["git", *arguments], cwd=folder, check=True)  # noqa: S607 - the user's git


def change(folder: Path, turns: int) -> None:
    """Puts a loop of so many turns into the view."""
    file = folder / "apps" / APP / f"{APP}.py"
    original = (PROJECT / "apps" / APP / f"{APP}.py").read_text()
    loop = f"    for _ in range({turns}):\n        pass\n" if turns else ""
    file.write_text(original.replace(VIEW, loop + VIEW))


def calibrated(folder: Path, percent: float, metric: str) -> int:
    """Returns how many turns of a loop add so many percent to a metric."""
    change(folder, CALIBRATION_TURNS)
    slower = compared(folder, ["--budget", "60", "--precision", "2%"]).ratio(metric)
    if slower is None:
        raise SystemExit(f"calibration: {metric} could not be measured")
    return round(CALIBRATION_TURNS * percent / 100 / (slower - 1))


def gate(folder: Path, options: argparse.Namespace, turns: int) -> str:
    """Compares the version with so many turns with the unchanged one, and returns what was found."""
    change(folder, turns)
    asked = ["--budget", str(options.budget), "--max-regression", f"{options.max_regression:g}%"]
    trials = []
    for number in range(1, options.comparisons + 1):
        trials.append(compared(folder, [*asked, "--seed", str(number)]))
        print(f"{number}: {trials[-1]}", file=sys.stderr, flush=True)
    return render(trials, options)


def compared(folder: Path, options: list[str]) -> Trial:
    """Runs ``bench compare`` of HEAD and what is not committed."""
    command = [str(BENCH), "compare", "HEAD", "WORKTREE", "--app", APP, "--json", *options]
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    spent_s = time.monotonic() - began
    if not done.stdout:
        print(done.stderr.decode(), file=sys.stderr)
        return Trial(done.returncode, (), spent_s)
    (app,) = msgspec.json.decode(done.stdout, type=Comparison).apps
    return Trial(done.returncode, app.evidence, spent_s)


def usual(folder: Path, options: argparse.Namespace, turns: int) -> str:
    """Runs one load test after the other, and returns how often two of them differ by more than is allowed."""
    versions = list(islice(cycle((0, 0, turns, turns)), options.usual + 1))
    rps = []
    for turns_of_version in versions:
        change(folder, turns_of_version)
        rps.append(throughput_rps(folder, options.budget / 2))
        print(f"{turns_of_version} turns: {rps[-1]:.1f}/s", file=sys.stderr, flush=True)
    pairs = list(zip(pairwise(versions), pairwise(rps), strict=True))
    same = [second / first for (before, after), (first, second) in pairs if before == after]
    changed = [
        second / first if after else first / second for (before, after), (first, second) in pairs if before != after
    ]
    named = {"the same version": same, f"{options.change:g} % more CPU time": changed}
    return "\n".join(alarms(what, ratios, options) for what, ratios in named.items() if ratios)


def alarms(what: str, ratios: list[float], options: argparse.Namespace) -> str:
    """Returns how many ratios of throughput are too low."""
    count = sum(ratio < 1 - options.max_regression / 100 for ratio in ratios)
    return f"usual way, {what}: {count} of {len(ratios)} alarm, ratios {min(ratios):.3f} to {max(ratios):.3f}"


def throughput_rps(folder: Path, seconds: float) -> float:
    """Returns the throughput of the App in one load test with a server of its own."""
    project = open_project(folder / "bench.toml")
    experiment = select_lanes(project.experiment(next(iter(project.config.presets)), seed=1), [LANE])
    with session.open_testbed(project, experiment) as testbed, testbed.open_servers(0, experiment.lanes) as servers:
        path, body = experiment.workload.load_requests()[0]
        target = Target(LANE, HOST, servers.running[LANE].launch.port, (Request(path, body),))
        result, _ = session.load_url(target, Closed(USERS), USERS, seconds)
    return quotients.throughput_rps(result) or 0.0


def render(trials: list[Trial], options: argparse.Namespace) -> str:
    """Returns how many comparisons said what."""
    lines = [
        f"{len(trials)} comparisons, {options.change:g} % more, {options.metric}, "
        f"allowed {options.max_regression:g} % of time, budget {options.budget:g} s",
        f"exit codes: {dict(sorted(Counter(trial.exit_code for trial in trials).items()))}",
    ]
    for metric in dict.fromkeys(found.metric for trial in trials for found in trial.evidence):
        said = Counter(found.verdict for trial in trials for found in trial.evidence if found.metric == metric)
        lines.append(f"{metric}: {', '.join(f'{count} {word}' for word, count in said.most_common())}")
    ratios = [ratio for trial in trials if (ratio := trial.ratio(options.metric))]
    if ratios:
        lines.append(f"HEAD : BASE: median {median(ratios):.4f}, {min(ratios):.4f} to {max(ratios):.4f}")
    lines.append(f"worse for certain, at most: {100 * max(trial.nearest for trial in trials):.2f} %")
    spent_s = [trial.spent_s for trial in trials]
    lines.append(f"wall time: median {median(spent_s):.0f} s, at most {max(spent_s):.0f} s")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--change", type=float, default=0.0, help="percent more of it (default: %(default)s)")
    parser.add_argument(
        "--instructions",
        dest="metric",
        action="store_const",
        const=INSTRUCTIONS,
        default=CPU,
        help="instructions instead of CPU time",
    )
    parser.add_argument("--comparisons", type=int, default=10, help="how many (default: %(default)s)")
    parser.add_argument("--max-regression", type=float, default=3.0, help="percent allowed (default: %(default)s)")
    parser.add_argument("--budget", type=float, default=120.0, help="seconds for each (default: %(default)s)")
    parser.add_argument("--usual", type=int, default=0, help="so many comparisons in the usual way instead")
    return parser


if __name__ == "__main__":
    main()
