"""A project at a revision of its git repository, in a folder of its own that is gone at the end.

Nothing of the user's checkout, index or branches is touched: a worktree is detached and made elsewhere, what is not
committed is copied, and git is told not to refresh the index while it looks. A side has the whole repository, as a
project in a subfolder may use what lies beside it. What a kill left behind is removed by the next comparison, and no
other worktree: pruning would also forget those of the user's whose disk is away for the moment.
"""

import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.model.errors import BenchError

WORKTREE = "WORKTREE"
"""The name of what is not committed, where a revision is expected."""
PREFIX = "bench-compare-"
"""What the folders that worktrees are made in begin with."""
LOCK = ".lock"
"""A file in such a folder that is locked for as long as its comparison lives."""
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
LEFT_OUT = ("__pycache__", ".git")
"""What a side may have at any depth that is no file of the user's: bytecode, made from files that are compared, and
git's file in a worktree. What git ignores is in no side, and all else is the user's, whatever its name."""


class RevisionFailed(BenchError):
    """A revision cannot be had; one line names the repository or the revision, what was found and what was expected."""


@contextmanager
def temporary_place() -> Iterator[Path]:
    """Yields a temporary folder for sides, after the removal of those whose comparisons were killed."""
    for left_over in filter(_is_abandoned, Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
        shutil.rmtree(left_over, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name, (Path(name) / "new").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (Path(name) / "new").rename(Path(name) / LOCK)  # nobody finds it before it is locked
        yield Path(name).resolve()


def _is_abandoned(place: Path) -> bool:
    """Returns whether nobody holds the lock of a temporary folder any more."""
    try:
        with (place / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def checked_out(project: Path, revision: str, folder: Path) -> Iterator[Path]:
    """Yields the project's folder as it is at a revision, below ``folder``, which must not exist yet.

    ``folder`` has the whole repository. Raises RevisionFailed.
    """
    top = _work_tree(project)
    below = project.resolve().relative_to(top.resolve())
    if revision == WORKTREE:
        _copy(top, below, folder)
        yield folder / below
        return
    sha = resolved(project, revision)
    _remove_left_over(top)
    try:
        # Without hooks: what a checkout of the user's runs has no business here.
        _git(top, "-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", str(folder), sha)
        if not (folder / below).is_dir():
            raise RevisionFailed(f"{revision}: found no folder {below} in it, expected the project there")
        yield folder / below
    finally:
        _remove(top, folder)


def _remove_left_over(top: Path) -> None:
    """Removes the worktrees of comparisons that were killed: those whose folders are gone."""
    listed = _git(top, "worktree", "list", "--porcelain").splitlines()
    folders = [Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")]
    for folder in folders:
        if folder.parent.name.startswith(PREFIX) and not folder.exists():
            _remove(top, folder)


def _remove(top: Path, folder: Path) -> None:
    """Removes one worktree, also where its making was interrupted, which leaves it locked: hence two times --force."""
    _said(top, "worktree", "remove", "--force", "--force", str(folder))
    shutil.rmtree(folder, ignore_errors=True)


def resolved(project: Path, revision: str) -> str:
    """Returns the commit that a revision names. Raises RevisionFailed, where there is no work tree too."""
    _work_tree(project)
    sha = _said(project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if sha is None or sha.startswith("^"):  # ``^main`` names commits to leave out
        raise RevisionFailed(
            f"{revision}: found no such revision in {project}, expected a commit, a branch or a tag, or {WORKTREE}; "
            "a shallow clone may lack it: git fetch --unshallow"
        )
    return sha


def _work_tree(project: Path) -> Path:
    """Returns the repository's folder. Raises RevisionFailed where there is none, or git may not use it."""
    if _said(project, "rev-parse", "--is-bare-repository") == "true":
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
    said = _git(project, "status", "--porcelain", "-z", "--no-renames", "--", ":/", *BUT_OWN)
    return [_printable(entry[3:]) for entry in said.split("\0") if entry]


def current(project: Path) -> str | None:
    """Returns the last commit, with ``+`` where something of the repository but bench's is not as in it.

    None outside a checkout, and without git.
    """
    try:
        commit = _said(project, "rev-parse", "--short=12", "HEAD")
        changes = _said(project, "status", "--porcelain", "--", ":/", *BUT_OWN)
    except RevisionFailed:
        return None
    return commit and f"{commit}{'' if changes == '' else '+'}"


def of_checkout(folder: Path) -> str | None:
    """Returns what ``current`` says of a folder that is the top of a checkout.

    None for all others: packages that are installed within a user's checkout are not at the user's commit.
    """
    try:
        top = _said(folder, "rev-parse", "--show-toplevel")
    except RevisionFailed:
        return None
    return current(folder) if top and Path(top).resolve() == folder.resolve() else None


def fingerprints(project: Path, folder: Path) -> dict[str, str]:
    """Returns what is the same for files with the same content and mode, by their names in a folder of a side."""
    return {
        _printable(str(path.relative_to(folder))): _fingerprint(path)
        for path in folder.rglob("*")
        if (path.is_file() or path.is_symlink())
        and not set(path.relative_to(folder).parts) & set(LEFT_OUT)
        and not _is_own(path, project)
    }


def _is_own(path: Path, project: Path) -> bool:
    """Returns whether bench writes to a path of the project."""
    return any(path.is_relative_to(project / name) for name in OWN)


def _printable(name: str) -> str:
    """Returns a file's name as text that can be written anywhere: a byte of it that is no UTF-8 becomes an escape."""
    return name.encode("utf-8", "backslashreplace").decode()


def _fingerprint(path: Path) -> str:
    """Of a link to no file, a folder for one, it is of where it leads to. Of a mode git knows the owner's x alone."""
    if not path.is_file():
        return f"link {path.readlink()}"
    return f"{path.stat().st_mode & stat.S_IXUSR} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def _copy(top: Path, below: Path, folder: Path) -> None:
    """Copies what git tracks, as it is now, and what it neither tracks nor ignores, but for what bench writes."""
    listed = _git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if _is_own(Path(name), below):
            continue
        source, target = top / name, folder / name
        if source.is_file() or source.is_symlink():  # neither for a file that was removed, or a submodule
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def _git(folder: Path, *arguments: str) -> str:
    """Returns what git says. Raises RevisionFailed with git's own words."""
    done = _run(folder, arguments)
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise RevisionFailed(f"{folder}: git {' '.join(arguments[:3])} failed: {said}")
    return done.stdout.rstrip("\n")


def _said(folder: Path, *arguments: str) -> str | None:
    """Returns what git says, or None where it fails."""
    done = _run(folder, arguments)
    return None if done.returncode else done.stdout.rstrip("\n")


def _run(folder: Path, arguments: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
    """Runs git as if nobody had told it where to look: a hook, for one, sets GIT_DIR and GIT_INDEX_FILE.

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
