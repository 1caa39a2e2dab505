"""Calls of bench, in this process and in fresh ones, and a project for them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from bench.cli import main

PROJECT = Path(__file__).parent.parent.parent
CONFIG = PROJECT / "bench.toml"
NAMES_OF_MODULES = """
import atexit, json, os, sys
atexit.register(lambda: json.dump(sorted(sys.modules), open(os.environ["MODULES"], "w")))
from bench.cli import main
main(prog_name="bench")
"""
"""Runs a command, and writes which modules were loaded when it ended."""


def call(*arguments: str | Path) -> Result:
    """Calls bench in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def assert_refused(result: Result, *said: str, exit_code: int = 2) -> None:
    """Asserts that a command ended with one line on standard error that has these words, and said nothing else."""
    assert result.exit_code == exit_code, result.output
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stderr.startswith("bench: ")
    for words in said:
        assert words in result.stderr


def copied_project(folder: Path) -> Path:
    """Copies this project's configuration and Apps into a folder, to be broken there, and returns it."""
    shutil.copy(CONFIG, folder)
    shutil.copytree(PROJECT / "apps", folder / "apps", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def with_environments(folder: Path) -> Path:
    """Copies the project too, and lends the copy the environments that are made already."""
    made = PROJECT / ".bench"
    made.mkdir(exist_ok=True)
    (folder / ".bench").symlink_to(made)
    return copied_project(folder)


def modules_loaded(*arguments: str | Path, folder: Path, scratch: Path) -> tuple[int, set[str]]:
    """Calls bench in a fresh interpreter; returns its exit code, and the top-level packages that it loaded."""
    file = scratch / "modules.json"
    done = subprocess.run(
        [sys.executable, "-c", NAMES_OF_MODULES, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "MODULES": str(file)},
        capture_output=True,
        check=False,
    )
    return done.returncode, {name.partition(".")[0] for name in json.loads(file.read_text())}
