"""What git says of a project: the commit that it is at, what is not committed, which commit a revision names.

Nothing of the user's repository is touched: git is told not to refresh the index while it looks.
"""

import os
import subprocess
from pathlib import Path

from bench.model.errors import BenchError, ExitCode
from bench.model.suggest import closest

WORKTREE = "WORKTREE"
"""The name of what is not committed, where a revision is expected."""
WHERE_TO_LOOK = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
)
"""Variables that make git look at another repository than that of the folder it is asked of, or at other files."""
OWN = (".bench", "results")
"""Where bench writes to, at a project's root only: neither a change of the user's, nor part of a side."""
BUT_OWN = tuple(f":(exclude){name}" for name in OWN)
"""Pathspecs, for a git that is run in the project's folder."""


class RevisionFailed(BenchError):
    """A revision cannot be had; one line names the repository or the revision, what was found and what was expected."""


class NoSuchRevision(RevisionFailed):
    """A revision that the user named is none."""

    exit_code = ExitCode.WRONG_USAGE


def resolved(project: Path, revision: str) -> str:
    """Returns the commit that a revision names. Raises RevisionFailed, where there is no work tree too."""
    work_tree(project)
    sha = output_or_none(project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if sha is None or sha.startswith("^"):  # ``^main`` names commits to leave out
        meant = closest(revision, [*names(project), "HEAD", WORKTREE])
        raise NoSuchRevision(
            f"{revision}: found no such revision in {project}, expected a commit, a branch or a tag, or {WORKTREE}; "
            + (f"did you mean {meant!r}?" if meant else "a shallow clone may lack it: git fetch --unshallow")
        )
    return sha


def work_tree(project: Path) -> Path:
    """Returns the repository's folder. Raises RevisionFailed where there is none, or git may not use it."""
    if output_or_none(project, "rev-parse", "--is-bare-repository") == "true":
        raise RevisionFailed(
            f"{project}: found a bare repository, expected a checkout with a bench.toml; clone it first"
        )
    done = _run(project, ("rev-parse", "--show-toplevel"))
    if done.returncode:
        raise RevisionFailed(
            f"{project}: found no git work tree, expected the project in a checkout of its repository; "
            f"git says: {' '.join(done.stderr.split())}"
        )
    return Path(done.stdout.rstrip("\n"))


def changed_files(project: Path) -> list[str]:
    """Returns the repository's files that are not as in the last commit, but for bench's and what git ignores."""
    said = output(project, "status", "--porcelain", "-z", "--no-renames", "--", ":/", *BUT_OWN)
    return [printable(entry[3:]) for entry in said.split("\0") if entry]


def current(project: Path) -> str | None:
    """Returns the last commit, with ``+`` where something of the repository but bench's is not as in it.

    None outside a checkout, and without git.
    """
    try:
        commit = output_or_none(project, "rev-parse", "--short=12", "HEAD")
        changes = output_or_none(project, "status", "--porcelain", "--", ":/", *BUT_OWN)
    except RevisionFailed:
        return None
    return commit and f"{commit}{'' if changes == '' else '+'}"


def of_checkout(folder: Path) -> str | None:
    """Returns what ``current`` says of a folder that is the top of a checkout.

    None for all others: packages that are installed within a user's checkout are not at the user's commit.
    """
    try:
        top = output_or_none(folder, "rev-parse", "--show-toplevel")
    except RevisionFailed:
        return None
    return current(folder) if top and Path(top).resolve() == folder.resolve() else None


def names(project: Path) -> list[str]:
    """Returns the names of branches and tags, those of this repository first; none outside of git."""
    said = output_or_none(
        project, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes"
    )
    return said.splitlines() if said else []


def printable(name: str) -> str:
    """Returns a file's name as text that can be written anywhere: a byte of it that is no UTF-8 becomes an escape."""
    return name.encode("utf-8", "backslashreplace").decode()


def output(folder: Path, *arguments: str) -> str:
    """Returns what git says. Raises RevisionFailed with git's own words."""
    done = _run(folder, arguments)
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise RevisionFailed(f"{folder}: git {' '.join(arguments[:3])} failed: {said}")
    return done.stdout.rstrip("\n")


def output_or_none(folder: Path, *arguments: str) -> str | None:
    """Returns what git says, or None where it fails."""
    done = _run(folder, arguments)
    return None if done.returncode else done.stdout.rstrip("\n")


def _run(folder: Path, arguments: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
    """Runs git without the variables that tell it where to look: a hook sets GIT_DIR and GIT_INDEX_FILE.

    Other variables have their say, such as those by which a container declares a folder safe. Without optional
    locks: a status would write the index anew, and be in the way of the user's own git meanwhile.
    """
    environment = {name: value for name, value in os.environ.items() if name not in WHERE_TO_LOOK}
    try:
        return subprocess.run(
            ["git", "--no-optional-locks", *arguments],  # noqa: S607 - the user's git
            cwd=folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except OSError as error:
        raise RevisionFailed(f"git: {error.strerror}, expected the git command; install it") from None
