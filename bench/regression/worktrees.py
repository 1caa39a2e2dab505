"""A project at a revision of its git repository, in a folder of its own that is gone at the end.

Nothing of the user's checkout, index or branches is touched: a worktree is detached and made elsewhere, and what is not
committed is copied. A side has the whole repository, as a project in a subfolder may use what lies beside it. What a
kill left behind is removed by the next comparison, and no other worktree: pruning would also forget those of the user's
whose disk is away for the moment.
"""

import fcntl
import hashlib
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.run import git
from bench.run.git import OWN, WORKTREE, RevisionFailed

PREFIX = "bench-compare-"
"""What the folders that worktrees are made in begin with."""
IN_USE = ".lock"
"""A file in such a folder that is locked for as long as its comparison lives."""
LEFT_OUT = ("__pycache__", ".git")
"""What a side may have at any depth that is no file of the user's: bytecode, made from files that are compared, and
git's file in a worktree. What git ignores is in no side, and all else is the user's, whatever its name."""


@contextmanager
def temporary_place() -> Iterator[Path]:
    """Yields a temporary folder for sides, after the removal of those whose comparisons were killed."""
    for left_over in filter(_is_abandoned, Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
        shutil.rmtree(left_over, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name, (Path(name) / "new").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (Path(name) / "new").rename(Path(name) / IN_USE)  # nobody finds it before it is locked
        yield Path(name).resolve()


def _is_abandoned(place: Path) -> bool:
    """Returns whether nobody holds the lock of a temporary folder any more."""
    try:
        with (place / IN_USE).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def checked_out(project: Path, revision: str, folder: Path) -> Iterator[Path]:
    """Yields the project's folder as it is at a revision, below ``folder``, which must not exist yet.

    ``folder`` has the whole repository. Raises RevisionFailed.
    """
    top = git.work_tree(project)
    below = project.resolve().relative_to(top.resolve())
    if revision == WORKTREE:
        _copy(top, below, folder)
        yield folder / below
        return
    sha = git.resolved(project, revision)
    _remove_left_over(top)
    try:
        # Without hooks: what a checkout of the user's runs has no business here.
        git.output(top, "-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", str(folder), sha)
        if not (folder / below).is_dir():
            raise RevisionFailed(f"{revision}: found no folder {below} in it, expected the project there")
        yield folder / below
    finally:
        _remove(top, folder)


def _copy(top: Path, below: Path, folder: Path) -> None:
    """Copies what git tracks, as it is now, and what it neither tracks nor ignores, but for what bench writes."""
    listed = git.output(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if _is_own(Path(name), below):
            continue
        source, target = top / name, folder / name
        if source.is_file() or source.is_symlink():  # neither for a file that was removed, or a submodule
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def _remove_left_over(top: Path) -> None:
    """Removes the worktrees of comparisons that were killed: those whose folders are gone."""
    listed = git.output(top, "worktree", "list", "--porcelain").splitlines()
    folders = [Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")]
    for folder in folders:
        if folder.parent.name.startswith(PREFIX) and not folder.exists():
            _remove(top, folder)


def _remove(top: Path, folder: Path) -> None:
    """Removes one worktree, also where its making was interrupted, which leaves it locked: hence two times --force."""
    git.output_or_none(top, "worktree", "remove", "--force", "--force", str(folder))
    shutil.rmtree(folder, ignore_errors=True)


def fingerprints(project: Path, folder: Path) -> dict[str, str]:
    """Returns what is the same for files with the same content and mode, by their names in a folder of a side."""
    return {
        git.printable(str(path.relative_to(folder))): _fingerprint(path)
        for path in folder.rglob("*")
        if (path.is_file() or path.is_symlink())
        and not set(path.relative_to(folder).parts) & set(LEFT_OUT)
        and not _is_own(path, project)
    }


def _is_own(path: Path, project: Path) -> bool:
    """Returns whether bench writes to a path of the project."""
    return any(path.is_relative_to(project / name) for name in OWN)


def _fingerprint(path: Path) -> str:
    """Of a link to no file, a folder for one, it is of where it leads to. Of a mode git knows the owner's x alone."""
    if not path.is_file():
        return f"link {path.readlink()}"
    return f"{path.stat().st_mode & stat.S_IXUSR} {hashlib.sha256(path.read_bytes()).hexdigest()}"
