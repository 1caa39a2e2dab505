"""The workflow for GitHub Actions is right, and gives away nothing that it need not."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.run.store import new_run_id

PROJECT = Path(__file__).parent.parent
WORKFLOWS = PROJECT / ".github" / "workflows"
PROGRAMS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [["actionlint"], ["zizmor", "--offline", "--quiet", "--no-progress"]],
    ids=lambda command: str(command[0]),
)
def test_linters_find_nothing(command: list[str]) -> None:
    """For actionlint: syntax, expressions and actions' inputs. For zizmor: permissions, pinning and injection."""
    program, *options = command
    files = [str(path) for path in WORKFLOWS.glob("*.yml")]
    assert files
    done = subprocess.run([PROGRAMS / program, *options, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_uploaded_was_measured_by_the_job(tmp_path: Path) -> None:
    """The folder of a run, and no part of the repository: where nothing was measured, nothing is uploaded."""
    (path,) = re.findall(r"^ +path: (\S+)", (WORKFLOWS / "bench.yml").read_text(), re.MULTILINE)
    assert (PROJECT / "results" / "example").is_dir()
    assert PROJECT / "results" / "example" not in PROJECT.glob(path)
    run = tmp_path / "results" / new_run_id()
    run.mkdir(parents=True)
    assert list(tmp_path.glob(path)) == [run]
