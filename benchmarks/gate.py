"""How often the gate is right: ``python benchmarks/gate.py --change 0 --comparisons 10``.

Compares an App with a version of itself that uses so many percent more CPU time a request (0 for none: every alarm is
false), again and again, with ``bench compare`` in a repository of its own. Beside it, at the same time budget, the
usual way: one load test after the other, and their average throughputs compared; it alarms where that of the changed
version is lower by more than what is allowed.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import session
from bench.config import select_lanes
from bench.messages import Closed, Request, Target
from bench.project import open_project
from bench.server import HOST

PROJECT = Path(__file__).parent.parent
BENCH = Path(sys.executable).parent / "bench"
APP, LANE = "fastapi_hello", "fastapi_hello@uvicorn"
VIEW = '    return PlainTextResponse(f"Hello, {name}!")'
CALIBRATION_TURNS = 20_000
USERS = 16


@dataclass(frozen=True)
class Trial:
    """One comparison: the gate's verdicts, exit code and ratio of CPU time, and the ratio of the usual way."""

    verdicts: dict[str, str]
    exit_code: int
    cpu_ratio: float | None
    spent_s: float
    usual_ratio: float | None


def main() -> None:
    """Compares again and again, and prints what was found."""
    options = _parser().parse_args()
    with repository() as folder:
        turns = 0 if options.change == 0 else calibrated(folder, options.change)
        change(folder, turns)
        print(f"{options.change:g} % more CPU time a request: a loop of {turns} turns in the view", file=sys.stderr)
        trials = []
        for number in range(options.comparisons):
            trials.append(trial(folder, options, number))
            print(f"{number + 1}: {trials[-1]}", file=sys.stderr)
    print(render(trials, options))


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


def calibrated(folder: Path, percent: float) -> int:
    """Returns how many turns of a loop add so many percent to the CPU time of a request."""
    change(folder, CALIBRATION_TURNS)
    document = compared(folder, ["--budget", "60", "--precision", "2%"])[1]
    slower = cpu_ratio(document)
    if slower is None:
        raise SystemExit("calibration: the CPU time could not be measured")
    return round(CALIBRATION_TURNS * percent / 100 / (slower - 1))


def trial(folder: Path, options: argparse.Namespace, number: int) -> Trial:
    """Compares once by the gate, and once in the usual way."""
    allowed = f"{options.max_regression:g}%"
    began = time.monotonic()
    code, document = compared(
        folder, ["--budget", str(options.budget), "--max-regression", allowed, "--seed", str(number + 1)]
    )
    spent_s = time.monotonic() - began
    found = document["apps"][0]["evidence"] if document else []
    return Trial(
        verdicts={item["metric"]: item["verdict"] for item in found},
        exit_code=code,
        cpu_ratio=cpu_ratio(document),
        spent_s=spent_s,
        usual_ratio=usual(folder, options.budget / 2) if options.usual else None,
    )


def compared(folder: Path, options: list[str]) -> tuple[int, dict]:  # type: ignore[type-arg]  # a JSON document
    """Runs ``bench compare``; returns its exit code and its document."""
    command = [str(BENCH), "compare", "HEAD", "WORKTREE", "--app", APP, "--json", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if not done.stdout:
        print(done.stderr, file=sys.stderr)
    return done.returncode, json.loads(done.stdout or "{}")


def cpu_ratio(document: dict) -> float | None:  # type: ignore[type-arg]  # a JSON document
    """Returns HEAD:BASE of the CPU time of a request."""
    found = document["apps"][0]["evidence"] if document else []
    return next((item["ratio"]["point"] for item in found if item["metric"] == "cpu_us_per_request"), None)


def usual(folder: Path, seconds: float) -> float:
    """Returns the throughput of the changed version divided by that of the base: one load test after the other."""
    changed = (folder / "apps" / APP / f"{APP}.py").read_text()
    try:
        shutil.copy(PROJECT / "apps" / APP / f"{APP}.py", folder / "apps" / APP)
        base_rps = throughput_rps(folder, seconds)
    finally:
        (folder / "apps" / APP / f"{APP}.py").write_text(changed)
    return throughput_rps(folder, seconds) / base_rps


def throughput_rps(folder: Path, seconds: float) -> float:
    """Returns the throughput of the App in one load test with a server of its own."""
    project = open_project(folder / "bench.toml")
    experiment = select_lanes(project.experiment(next(iter(project.config.presets)), seed=1), [LANE])
    with session.open_site(project, experiment) as site, site.open_servers(0, experiment.lanes) as servers:
        path, body = experiment.contract.load_requests()[0]
        target = Target(LANE, HOST, servers.running[LANE].launch.port, (Request(path, body),))
        result, _ = session.offer(target, Closed(USERS), USERS, seconds)
    return result.requests / result.window_s


def render(trials: list[Trial], options: argparse.Namespace) -> str:
    """Returns how many comparisons said what."""
    lines = [
        f"{len(trials)} comparisons, {options.change:g} % more CPU time, allowed {options.max_regression:g} %, "
        f"budget {options.budget:g} s",
        f"exit codes: {dict(sorted(Counter(trial.exit_code for trial in trials).items()))}",
    ]
    for metric in dict.fromkeys(metric for trial in trials for metric in trial.verdicts):
        said = Counter(trial.verdicts.get(metric, "not measured") for trial in trials)
        lines.append(f"{metric}: {', '.join(f'{count} {verdict}' for verdict, count in said.most_common())}")
    ratios = sorted(trial.cpu_ratio for trial in trials if trial.cpu_ratio)
    lines.append(f"CPU ratios: median {ratios[len(ratios) // 2]:.4f}, {ratios[0]:.4f} to {ratios[-1]:.4f}")
    spent = sorted(trial.spent_s for trial in trials)
    lines.append(f"wall time: median {spent[len(spent) // 2]:.0f} s, at most {spent[-1]:.0f} s")
    usual_ratios = sorted(trial.usual_ratio for trial in trials if trial.usual_ratio)
    if usual_ratios:
        alarms = sum(ratio < 1 - options.max_regression / 100 for ratio in usual_ratios)
        lines.append(
            f"usual way: {alarms} of {len(usual_ratios)} alarm, ratios {usual_ratios[0]:.3f} to {usual_ratios[-1]:.3f}"
        )
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--change", type=float, default=0.0, help="percent more CPU time (default: %(default)s)")
    parser.add_argument("--comparisons", type=int, default=10, help="how many (default: %(default)s)")
    parser.add_argument("--max-regression", type=float, default=3.0, help="percent allowed (default: %(default)s)")
    parser.add_argument("--budget", type=float, default=120.0, help="seconds for each (default: %(default)s)")
    parser.add_argument("--usual", action="store_true", help="compare in the usual way too, for as long again")
    return parser


if __name__ == "__main__":
    main()
