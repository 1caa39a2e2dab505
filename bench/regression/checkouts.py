"""The two sides of a comparison, each in a folder and in environments of its own, as Lanes of one Testbed."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.model.config import ConfigError
from bench.model.experiment import Experiment, Lane, Side, only
from bench.model.reason import Code, Reason, reason
from bench.model.records import LaneFacts
from bench.model.regression import SideFacts
from bench.model.suggest import one_of
from bench.regression.ratios import Pair
from bench.run import git
from bench.run.git import WORKTREE, RevisionFailed
from bench.servers import machine
from bench.servers.environments import Environment, EnvironmentFailed, Recipe, prepare
from bench.servers.processes import open_process_group
from bench.servers.project import Project, open_project
from bench.servers.testbed import Testbed


class Wanted(Struct, frozen=True):
    """A side as it was asked for: a revision, and how its environments differ from their locks."""

    revision: str
    recipe: Recipe


class Sides(Struct, frozen=True):
    """Both sides, ready to be started."""

    testbed: Testbed
    pairs: tuple[Pair, ...]
    facts: Mapping[Side, SideFacts]
    notes: tuple[Reason, ...]


class NothingDiffers(Exception):
    """No App differs between the two sides, so there is nothing to compare.

    ``elsewhere`` are the files outside of the Apps' folders that differ: whether Apps use them is not known.
    """

    def __init__(self, message: str, elsewhere: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.elsewhere = elsewhere


@contextmanager
def open_sides(project: Project, wanted: Mapping[Side, Wanted], app_names: Sequence[str], seed: int) -> Iterator[Sides]:
    """Yields both sides of the Apps, by default of those that differ.

    Raises ConfigError, RevisionFailed, NothingDiffers.
    """
    _expect_no_changes(project, wanted)
    with ExitStack() as stack:
        place = stack.enter_context(git.temporary_place())
        roots = {
            side: stack.enter_context(git.checked_out(project.root, asked.revision, place / side))
            for side, asked in wanted.items()
        }
        projects = {side: _as_of(project, root, wanted[side].revision) for side, root in roots.items()}
        chosen, notes = _chosen(projects, {side: place / side for side in wanted}, wanted, app_names)
        lanes = {side: _lanes(projects[side], chosen, side, wanted[side].revision, seed) for side in wanted}
        _expect_same_servers(lanes, wanted)
        experiment = _experiment(project, lanes, seed)
        environments, folders = _homes(projects, wanted, chosen)
        here = machine.describe(experiment.serving.workers)
        logs = place / "logs"
        logs.mkdir()
        process_group = stack.enter_context(open_process_group())
        pairs = tuple(
            Pair(base.app.name, base.name, head.name)
            for base, head in zip(lanes[Side.BASE], lanes[Side.HEAD], strict=True)
        )
        facts = {side: _facts(roots[side], wanted[side], environments, side) for side in wanted}
        testbed = Testbed(projects[Side.HEAD], experiment, here, environments, folders, (), process_group, logs)
        yield Sides(testbed, pairs, facts, notes)


def differences(pair: Pair, facts: Sequence[LaneFacts]) -> tuple[str, ...]:
    """Returns what differs between the two versions of an App beside its code: what it runs on, what it answers."""
    by_lane = {fact.lane: fact for fact in facts}
    base, head = by_lane.get(pair.base), by_lane.get(pair.head)
    if not (base and head):
        return ()
    found = [("Python", base.python, head.python)]
    found += [
        (name, base.versions.get(name, "missing"), head.versions.get(name, "missing"))
        for name in sorted(base.versions.keys() | head.versions.keys())
    ]
    headers = [{name.lower(): value for name, value in fact.response_headers} for fact in (base, head)]
    found += [
        (f"header {name}", headers[0].get(name, "missing"), headers[1].get(name, "missing"))
        for name in sorted(headers[0].keys() | headers[1].keys())
        if name != "date"
    ]
    return tuple(f"{name}: {before} -> {after}" for name, before, after in found if before != after)


def _expect_no_changes(project: Project, wanted: Mapping[Side, Wanted]) -> None:
    """Raises RevisionFailed where the user may think that uncommitted changes are compared, and they are not."""
    asked = [side.revision for side in wanted.values()]
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
    """Makes a ConfigError name the revision, and its files as the project has them."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{revision}: {_in_project(str(error), root)}") from None


def _in_project(message: str, root: Path) -> str:
    """Returns a message without the temporary folder that a side is in."""
    return message.replace(f"{os.path.relpath(root)}/", "").replace(f"{root}/", "")


def _chosen(
    projects: Mapping[Side, Project],
    tops: Mapping[Side, Path],
    wanted: Mapping[Side, Wanted],
    app_names: Sequence[str],
) -> tuple[list[str], tuple[Reason, ...]]:
    """Returns the Apps to compare: those that were asked for, or else those that differ and that both sides have.

    ``tops`` are the folders of the whole repository. What is not compared, and might be, has a note.
    """
    names = {side: {app.name for app in of_side.apps} for side, of_side in projects.items()}
    one_sided = {
        name: wanted[side].revision
        for side in Side
        for name in sorted(names[side] - names[Side.HEAD if side is Side.BASE else Side.BASE])
    }
    both = sorted(names[Side.BASE] & names[Side.HEAD])
    for name in app_names:
        if name in one_sided:
            raise ConfigError(f"{name}: found in {one_sided[name]} only, expected an App that both sides have")
        if name not in both:
            raise ConfigError(f"app: found {name!r}, expected {one_of(name, both)}")
    notes = tuple(reason(Code.ON_ONE_SIDE, side=revision).found_of(name) for name, revision in one_sided.items())
    if app_names:
        return list(dict.fromkeys(app_names)), notes
    same_recipe = wanted[Side.BASE].recipe == wanted[Side.HEAD].recipe
    differing = [name for name in both if not same_recipe or _differs(projects, name)]
    if not differing and one_sided:
        name, revision = next(iter(one_sided.items()))
        raise ConfigError(
            f"{name}: found in {revision} only, expected an App that both sides have, as no other one differs; "
            "name another with --app"
        )
    if not differing:
        raise _nothing_differs(_differing_elsewhere(projects, tops), wanted)
    if len(differing) < len(both) and (elsewhere := _differing_elsewhere(projects, tops)):
        notes += (reason(Code.FILES_DIFFER_OUTSIDE, first=elsewhere[0], files=len(elsewhere)),)
    return differing, notes


def _differs(projects: Mapping[Side, Project], app_name: str) -> bool:
    """Returns whether the definition of an App differs between the sides, or a file in its folder."""
    base, head = (
        (
            [app for app in of_side.apps if app.name == app_name],
            git.fingerprints(of_side.root, of_side.app_folder(app_name)),
        )
        for of_side in projects.values()
    )
    return base != head


def _nothing_differs(elsewhere: Sequence[str], wanted: Mapping[Side, Wanted]) -> NothingDiffers:
    """Returns what there is to say where no App differs: files that an App may import differ, or nothing does."""
    said = f"no App differs between {wanted[Side.BASE].revision} and {wanted[Side.HEAD].revision}"
    if not elsewhere:
        return NothingDiffers(f"{said}; there is nothing to compare, name an App with --app to do so anyway")
    first, count = elsewhere[0], len(elsewhere)
    files = f"{first} does" if count == 1 else f"{count} files do, {first} first"
    return NothingDiffers(
        f"{said}, but outside of the Apps' folders {files}; bench can't know whether Apps use what differs, "
        "and compared nothing: name those that do with --app",
        elsewhere,
    )


def _differing_elsewhere(projects: Mapping[Side, Project], tops: Mapping[Side, Path]) -> list[str]:
    """Returns the repository's files outside of the Apps' folders that differ.

    The project's configuration is none of them: both sides have the user's.
    """
    base, head = (git.fingerprints(projects[side].root, tops[side]) for side in (Side.BASE, Side.HEAD))
    elsewhere = [name for name in sorted(base.keys() | head.keys()) if base.get(name) != head.get(name)]
    for side, project in projects.items():
        known = (project.root / Path(project.config.file).name, *(project.app_folder(app.name) for app in project.apps))
        below = [os.path.relpath(path, tops[side]) for path in known]
        elsewhere = [name for name in elsewhere if not any(Path(name).is_relative_to(path) for path in below)]
    return elsewhere


def _lanes(project: Project, app_names: Sequence[str], side: Side, revision: str, seed: int) -> list[Lane]:
    with _named_by(revision, project.root):
        return [_lane(project, name, side, seed) for name in app_names]


def _lane(project: Project, app_name: str, side: Side, seed: int) -> Lane:
    """Returns the one Lane in which an App is compared: on its native Server, or else the first without an adapter."""
    experiment = project.experiment(next(iter(project.config.presets)), seed)
    lanes = [lane for lane in experiment.lanes if lane.app.name == app_name and not lane.twin]
    if not lanes:
        raise ConfigError(f"{app_name}: found in no Group of {project.config.file}, expected it in one")
    lanes.sort(key=lambda lane: (lane.server.name != lane.app.native, lane.adapter is not None))
    return msgspec.structs.replace(lanes[0], side=side)


def _expect_same_servers(lanes: Mapping[Side, Sequence[Lane]], wanted: Mapping[Side, Wanted]) -> None:
    """Raises ConfigError for an App of two Servers or Adapters: they would be compared, and duets are biased then."""
    for base, head in zip(lanes[Side.BASE], lanes[Side.HEAD], strict=True):
        before, after = (lane.original.removeprefix(f"{lane.app.name}@") for lane in (base, head))
        if before != after:
            raise ConfigError(
                f"{base.app.name}: found it on {before} in {wanted[Side.BASE].revision} and on {after} in "
                f"{wanted[Side.HEAD].revision}, expected the same server and adapter on both sides; name one native "
                "server, whose interface both have, or compare other Apps with --app"
            )


def _experiment(project: Project, lanes: Mapping[Side, Sequence[Lane]], seed: int) -> Experiment:
    whole = project.experiment(next(iter(project.config.presets)), seed)
    return msgspec.structs.replace(only(whole, ()), lanes=tuple(lane for side in Side for lane in lanes[side]))


def _homes(
    projects: Mapping[Side, Project], wanted: Mapping[Side, Wanted], app_names: Sequence[str]
) -> tuple[dict[str, Environment], dict[str, Path]]:
    """Makes the environments, and returns them and the folders by ``Lane.home``. Raises RevisionFailed."""
    environments: dict[str, Environment] = {}
    folders: dict[str, Path] = {}
    for side, project in projects.items():
        for name in app_names:
            home = f"{name}#{side}"
            folders[home] = project.app_folder(name)
            try:
                environments[home] = prepare(name, project.lock(name), project.environments, wanted[side].recipe)
            except EnvironmentFailed as error:
                said = _in_project(str(error), project.root)
                raise RevisionFailed(f"{wanted[side].revision}: {name} does not build: {said}") from None
    return environments, folders


def _facts(root: Path, wanted: Wanted, environments: Mapping[str, Environment], side: Side) -> SideFacts:
    pythons = dict.fromkeys(made.python for home, made in environments.items() if home.endswith(f"#{side}"))
    return SideFacts(
        revision=wanted.revision,
        commit=None if wanted.revision == WORKTREE else git.resolved(root, "HEAD"),
        python=", ".join(pythons) or sys.version.split()[0],
        requirements=wanted.recipe.requirements,
    )
