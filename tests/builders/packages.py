"""A repository of its own with this checkout's files, and what is built from it."""

import shutil
import subprocess
import sys
from pathlib import Path

import uv

from tests.builders.repositories import commit, git

PROJECT = Path(__file__).parent.parent.parent
HANG_S = 300


def tracked_files(folder: Path) -> list[str]:
    """Returns the names of a repository's files, those too that are not committed yet, without what git ignores."""
    return git(folder, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()


def copied_checkout(folder: Path) -> Path:
    """Makes a repository, with one commit, of what a package is made from, as it stands in this checkout."""
    for name in tracked_files(PROJECT):
        if (PROJECT / name).is_file() and ("/" not in name or name.startswith("bench/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, folder / name)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def build(kind: str, source: Path, to: Path) -> Path:
    """Builds a ``wheel`` or an ``sdist`` without asking the network, and returns the file."""
    run_uv(
        "build", f"--{kind}", "--offline", "--no-build-isolation", "--python", sys.executable, "--out-dir", to, source
    )
    (built,) = to.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


def run_uv(*arguments: str | Path) -> None:
    """Runs uv to its end."""
    subprocess.run([uv.find_uv_bin(), "--quiet", *arguments], check=True, timeout=HANG_S)
