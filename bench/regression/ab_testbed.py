"""Both sides of a comparison as Lanes of one Testbed, each with an environment of its own."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec
from msgspec import Struct

from bench.model.config_errors import ConfigError
from bench.model.experiment import Experiment, Lane, Side, only
from bench.model.reason import Code, Reason, ReasonedError, reason
from bench.model.regression import SideFacts
from bench.regression import selection, worktrees
from bench.regression.checkouts import Checkout, SideRequest, found_in_project, open_checkouts
from bench.regression.ratios import Pair
from bench.servers import machine
from bench.servers.environments import Environment, EnvironmentFailed, prepare
from bench.servers.processes import open_process_group
from bench.servers.project import Project
from bench.servers.testbed import Testbed


class NotBuilt(ReasonedError):
    """The environment of an App at a revision cannot be made."""


class AbTestbed(Struct, frozen=True):
    """Both sides, ready to be started: a pair of Lanes for each App; notes say what is not compared."""

    testbed: Testbed
    pairs: tuple[Pair, ...]
    facts: Mapping[Side, SideFacts]
    notes: tuple[Reason, ...]


@contextmanager
def open_ab_testbed(
    project: Project, requests: Mapping[Side, SideRequest], app_names: Sequence[str], seed: int
) -> Iterator[AbTestbed]:
    """Yields both sides of the Apps, by default of those that differ.

    Raises ConfigError, RevisionFailed, NotBuilt, NothingDiffers.
    """
    with worktrees.temporary_place() as place, open_checkouts(project, requests, place) as checkouts:
        chosen = selection.select(checkouts, app_names)
        lanes = {side: _lanes(checkout, chosen.apps, side, seed) for side, checkout in checkouts.items()}
        _expect_same_servers(checkouts, lanes)
        environments = {side: _environments(checkout, lanes[side]) for side, checkout in checkouts.items()}
        experiment = _experiment(project, lanes, seed)
        logs = place / "logs"
        logs.mkdir()
        with open_process_group() as process_group:
            testbed = Testbed(
                project=checkouts[Side.HEAD].project,
                experiment=experiment,
                machine=machine.describe(experiment.serving.workers),
                environments={home: made for of_side in environments.values() for home, made in of_side.items()},
                folders={
                    lane.home: checkout.project.app_folder(lane.app.name)
                    for side, checkout in checkouts.items()
                    for lane in lanes[side]
                },
                failures=(),
                process_group=process_group,
                logs=logs,
            )
            facts = {side: _facts(checkout, environments[side]) for side, checkout in checkouts.items()}
            yield AbTestbed(testbed, _pairs(lanes), facts, chosen.notes)


def _lanes(checkout: Checkout, app_names: Sequence[str], side: Side, seed: int) -> list[Lane]:
    with checkout.named():
        return [_lane(checkout.project, name, side, seed) for name in app_names]


def _lane(project: Project, app_name: str, side: Side, seed: int) -> Lane:
    """Returns the one Lane in which an App is compared: on its native Server, or else the first without an adapter."""
    experiment = project.experiment(next(iter(project.config.presets)), seed)
    lanes = [lane for lane in experiment.lanes if lane.app.name == app_name and not lane.twin]
    if not lanes:
        raise ConfigError(f"{app_name}: found in no Group of {project.config.file}, expected it in one")
    lanes.sort(key=lambda lane: (lane.server.name != lane.app.native, lane.adapter is not None))
    return msgspec.structs.replace(lanes[0], side=side)


def _pairs(lanes: Mapping[Side, Sequence[Lane]]) -> tuple[Pair, ...]:
    sides = zip(lanes[Side.BASE], lanes[Side.HEAD], strict=True)
    return tuple(Pair(base.app.name, base.name, head.name) for base, head in sides)


def _expect_same_servers(checkouts: Mapping[Side, Checkout], lanes: Mapping[Side, Sequence[Lane]]) -> None:
    """Raises ConfigError for an App of two Servers or Adapters: they would be compared, and duets are biased then."""
    for base, head in zip(lanes[Side.BASE], lanes[Side.HEAD], strict=True):
        before, after = (lane.original.removeprefix(f"{lane.app.name}@") for lane in (base, head))
        if before != after:
            raise ConfigError(
                f"{base.app.name}: found it on {before} in {checkouts[Side.BASE].revision} and on {after} in "
                f"{checkouts[Side.HEAD].revision}, expected the same server and adapter on both sides; name one native "
                "server, whose interface both have, or compare other Apps with --app"
            )


def _experiment(project: Project, lanes: Mapping[Side, Sequence[Lane]], seed: int) -> Experiment:
    whole = project.experiment(next(iter(project.config.presets)), seed)
    return msgspec.structs.replace(only(whole, ()), lanes=tuple(lane for side in Side for lane in lanes[side]))


def _environments(checkout: Checkout, lanes: Sequence[Lane]) -> dict[str, Environment]:
    """Makes the environments of a side, and returns them by ``Lane.home``. Raises NotBuilt."""
    return {lane.home: _environment(checkout, lane.app.name) for lane in lanes}


def _environment(checkout: Checkout, app_name: str) -> Environment:
    project = checkout.project
    try:
        return prepare(app_name, project.lock(app_name), project.environments, checkout.request.recipe)
    except EnvironmentFailed as error:
        why = found_in_project(error.reason, project.root)
        raise NotBuilt(reason(Code.APP_NOT_BUILT, why, revision=checkout.revision, app=app_name)) from None


def _facts(checkout: Checkout, environments: Mapping[str, Environment]) -> SideFacts:
    pythons = dict.fromkeys(made.python for made in environments.values())
    return SideFacts(
        revision=checkout.revision,
        commit=checkout.commit,
        python=", ".join(pythons) or sys.version.split()[0],
        requirements=checkout.request.recipe.requirements,
    )
