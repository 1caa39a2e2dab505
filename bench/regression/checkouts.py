"""The two sides of a comparison as they were asked for: each a project in a folder of its own, at a revision."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bench.model.config_errors import ConfigError
from bench.model.experiment import Side
from bench.model.reason import Reason
from bench.regression import worktrees
from bench.run import git
from bench.run.git import WORKTREE, RevisionFailed
from bench.servers.environments import Recipe
from bench.servers.project import Project, open_project


class SideRequest(Struct, frozen=True):
    """A side as it was asked for: a revision, and how its environments differ from their locks."""

    revision: str
    recipe: Recipe


class Checkout(Struct, frozen=True):
    """One side: the project as it was asked for, and ``top``, the folder of the whole repository."""

    request: SideRequest
    project: Project
    top: Path

    @property
    def revision(self) -> str:
        """Returns the revision, as a user names it."""
        return self.request.revision

    @property
    def commit(self) -> str | None:
        """Returns the commit that the revision named; None for what is not committed."""
        return None if self.revision == WORKTREE else git.resolved(self.project.root, "HEAD")

    @contextmanager
    def named(self) -> Iterator[None]:
        """Makes a ConfigError name the revision, and its files as the project has them."""
        with _named_by(self.revision, self.project.root):
            yield


@contextmanager
def open_checkouts(
    project: Project, requests: Mapping[Side, SideRequest], place: Path
) -> Iterator[dict[Side, Checkout]]:
    """Yields both sides, in a folder each of a place. Raises ConfigError and RevisionFailed."""
    _expect_no_changes(project, requests)
    with ExitStack() as stack:
        roots = {
            side: stack.enter_context(worktrees.checked_out(project.root, request.revision, place / side))
            for side, request in requests.items()
        }
        yield {
            side: Checkout(request, _as_of(project, roots[side], request.revision), place / side)
            for side, request in requests.items()
        }


def in_project(message: str, root: Path) -> str:
    """Returns a message without the temporary folder that a side is in."""
    return message.replace(f"{os.path.relpath(root)}/", "").replace(f"{root}/", "")


def found_in_project(found: Reason, root: Path) -> Reason:
    """Returns a reason without the temporary folder that a side is in."""
    values = {
        name: in_project(value, root) if isinstance(value, str) else value for name, value in found.values.items()
    }
    return replace(found, values=values)


def _expect_no_changes(project: Project, requests: Mapping[Side, SideRequest]) -> None:
    """Raises RevisionFailed where the user may think that uncommitted changes are compared, and they are not."""
    asked = [request.revision for request in requests.values()]
    for revision in asked:
        if revision != WORKTREE:
            git.resolved(project.root, revision)
    changed = [] if WORKTREE in asked else git.changed_files(project.root)
    if changed:
        raise RevisionFailed(
            f"{changed[0]}: found {len(changed)} uncommitted changes, expected none, as neither side has them; "
            f"commit them, or compare with {WORKTREE}"
        )


def _as_of(project: Project, root: Path, revision: str) -> Project:
    """Returns the project at a revision: its Apps as they were, served and loaded as the user's bench.toml says now."""
    file = root / Path(project.config.file).name
    if not file.is_file():
        file.write_bytes((project.root / file.name).read_bytes())
    with _named_by(revision, root):
        return msgspec.structs.replace(open_project(file), config=project.config)


@contextmanager
def _named_by(revision: str, root: Path) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{revision}: {in_project(str(error), root)}") from None
