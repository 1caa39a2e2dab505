"""The workflow for GitHub Actions is right, and gives away nothing that it need not."""

import subprocess
import sys
from pathlib import Path

import pytest

WORKFLOWS = Path(__file__).parent.parent / ".github" / "workflows"
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
