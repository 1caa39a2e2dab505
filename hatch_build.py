"""Writes the commit that is built into wheels and sdists, as bench/commit.txt; a checkout does not have that file."""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMMIT_FILE = "bench/commit.txt"


class CommitHook(BuildHookInterface[Any]):
    """Called by hatchling around each build. Writes nothing into the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the file to what is built; it is empty where nobody knows the commit.

        An editable install has none, as its checkout moves on: bench asks git when it runs. An unpacked sdist has one
        already.
        """
        self._folder = TemporaryDirectory(prefix="bench-build-")
        root = Path(self.root)
        if version != "editable" and not (root / COMMIT_FILE).exists():
            file = Path(self._folder.name) / "commit.txt"
            file.write_text(commit_of_checkout(root), encoding="ascii")
            build_data["force_include"][str(file)] = COMMIT_FILE

    def finalize(self, *_: Any, **__: Any) -> None:
        """Removes what the file was copied from."""
        self._folder.cleanup()


def commit_of_checkout(folder: Path) -> str:
    """Returns the last commit, with ``+`` where files differ from it.

    Empty where the folder is not the top of a checkout, as a copy without history within another repository is, and
    where there is no git.
    """
    if not (folder / ".git").exists():
        return ""
    try:
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        return f"{commit}+" if _git(folder, "status", "--porcelain") else commit
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    """Asks git about this folder, also within a git hook, whose variables name another index or repository."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()
