"""Which Apps are compared: those that were asked for, or else those that differ between the two sides."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from bench.model.config_errors import ConfigError
from bench.model.errors import BenchError, ExitCode
from bench.model.experiment import Side
from bench.model.reason import Code, Reason, reason
from bench.model.suggest import one_of
from bench.regression.checkouts import Checkout
from bench.regression.worktrees import fingerprints

Checkouts = Mapping[Side, Checkout]


class NothingDiffers(BenchError):
    """No App differs between the two sides, so there is nothing to compare.

    ``elsewhere`` are the files outside of the Apps' folders that differ: whether Apps use them is not known.
    """

    exit_code = ExitCode.FINE

    def __init__(self, message: str, elsewhere: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.elsewhere = elsewhere


class Selection(Struct, frozen=True):
    """The Apps to compare, by name; a note says what else might have been compared and is not."""

    apps: tuple[str, ...]
    notes: tuple[Reason, ...]


class Candidates(Struct, frozen=True):
    """The Apps that both sides have, by name, and those that one has, with its revision."""

    common: tuple[str, ...]
    one_sided: Mapping[str, str]


def select(checkouts: Checkouts, asked: Sequence[str]) -> Selection:
    """Returns the Apps to compare. Raises ConfigError for what was asked and cannot be, and NothingDiffers."""
    candidates = _candidates(checkouts)
    one_sided_notes = _notes_on_one_sided(candidates)
    if asked:
        _expect_common(candidates, asked)
        return Selection(tuple(dict.fromkeys(asked)), one_sided_notes)
    differing = tuple(name for name in candidates.common if _differs(checkouts, name))
    if not differing:
        raise _nothing_to_compare(checkouts, candidates)
    elsewhere = _differing_elsewhere(checkouts) if len(differing) < len(candidates.common) else []
    return Selection(differing, (*one_sided_notes, *_notes_on_elsewhere(elsewhere)))


def _candidates(checkouts: Checkouts) -> Candidates:
    base, head = ({app.name for app in checkouts[side].project.apps} for side in (Side.BASE, Side.HEAD))
    revisions = dict.fromkeys(sorted(base - head), checkouts[Side.BASE].revision)
    revisions |= dict.fromkeys(sorted(head - base), checkouts[Side.HEAD].revision)
    return Candidates(tuple(sorted(base & head)), revisions)


def _expect_common(candidates: Candidates, asked: Sequence[str]) -> None:
    """Raises ConfigError for the first App that not both sides have."""
    for name in asked:
        if name in candidates.one_sided:
            revision = candidates.one_sided[name]
            raise ConfigError(f"{name}: found in {revision} only, expected an App that both sides have")
        if name not in candidates.common:
            raise ConfigError(f"app: found {name!r}, expected {one_of(name, candidates.common)}")


def _differs(checkouts: Checkouts, app_name: str) -> bool:
    """Returns whether an App differs between the sides: its environment, its definition, or a file in its folder."""
    base, head = (
        (
            side.request.recipe,
            [app for app in side.project.apps if app.name == app_name],
            fingerprints(side.project.root, side.project.app_folder(app_name)),
        )
        for side in checkouts.values()
    )
    return base != head


def _differing_elsewhere(checkouts: Checkouts) -> list[str]:
    """Returns the repository's files outside of the Apps' folders that differ.

    The project's configuration is none of them: both sides have the user's.
    """
    base, head = (fingerprints(side.project.root, side.top) for side in checkouts.values())
    known = {path for side in checkouts.values() for path in _known(side)}
    return [
        name
        for name in sorted(base.keys() | head.keys())
        if base.get(name) != head.get(name) and not any(Path(name).is_relative_to(path) for path in known)
    ]


def _known(side: Checkout) -> Iterator[str]:
    """Yields the project's configuration and the folders of its Apps, as paths in the repository."""
    project = side.project
    yield os.path.relpath(project.root / Path(project.config.file).name, side.top)
    yield from (os.path.relpath(project.app_folder(app.name), side.top) for app in project.apps)


def _nothing_to_compare(checkouts: Checkouts, candidates: Candidates) -> ConfigError | NothingDiffers:
    """Returns what there is to say where no App that both sides have differs."""
    name, revision = next(iter(candidates.one_sided.items()), (None, None))
    if name is None:
        return _nothing_differs(checkouts, _differing_elsewhere(checkouts))
    return ConfigError(
        f"{name}: found in {revision} only, expected an App that both sides have, as no other one differs; "
        "name another with --app"
    )


def _nothing_differs(checkouts: Checkouts, elsewhere: Sequence[str]) -> NothingDiffers:
    """Returns that files differ which an App may import, or that nothing does."""
    said = f"no App differs between {checkouts[Side.BASE].revision} and {checkouts[Side.HEAD].revision}"
    if not elsewhere:
        return NothingDiffers(f"{said}; there is nothing to compare, name an App with --app to do so anyway")
    first, count = elsewhere[0], len(elsewhere)
    files = f"{first} does" if count == 1 else f"{count} files do, {first} first"
    return NothingDiffers(
        f"{said}, but outside of the Apps' folders {files}; bench can't know whether Apps use what differs, "
        "and compared nothing: name those that do with --app",
        elsewhere,
    )


def _notes_on_one_sided(candidates: Candidates) -> tuple[Reason, ...]:
    return tuple(
        reason(Code.ON_ONE_SIDE, side=revision).found_of(name) for name, revision in candidates.one_sided.items()
    )


def _notes_on_elsewhere(elsewhere: Sequence[str]) -> tuple[Reason, ...]:
    if not elsewhere:
        return ()
    return (reason(Code.FILES_DIFFER_OUTSIDE, first=elsewhere[0], files=len(elsewhere)),)
