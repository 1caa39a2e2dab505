"""Puts the commit that was built into wheels and sdists, as bench/commit.txt; no checkout ever has that file."""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMMIT_FILE = "bench/commit.txt"


class CommitHook(BuildHookInterface[Any]):
    """Called by hatchling around each build."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the file. Not to an editable install, which moves on with its checkout and asks git when it runs."""
        self._folder = TemporaryDirectory(prefix="bench-build-")
        commit = None if version == "editable" else commit_of_checkout(Path(self.root))
        if commit:
            file = Path(self._folder.name) / "commit.txt"
            file.write_text(f"{commit}\n", encoding="ascii")
            build_data["force_include"][str(file)] = COMMIT_FILE

    def finalize(self, *_: Any) -> None:
        """Removes what the file was copied from."""
        self._folder.cleanup()


def commit_of_checkout(folder: Path) -> str | None:
    """Returns the last commit, with ``+`` where files differ from it.

    None where the folder is no checkout's top, as an unpacked sdist, which has the file already; and without git.
    """
    if not (folder / ".git").exists():
        return None
    try:
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        return f"{commit}+" if _git(folder, "status", "--porcelain") else commit
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    """Asks git about this folder, also from within a git hook, whose variables name another index or repository."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout.strip()
