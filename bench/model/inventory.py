"""What a project has: Apps, Servers, Groups, Lanes, presets and Workloads, by their names. No I/O."""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from bench.model import schedule
from bench.model.config import Config, build_experiment
from bench.model.experiment import App, Group, Server, Workload


class Kind(StrEnum):
    """What can be listed, in reading order; the values are the keys of ``bench list --json``."""

    APPS = "apps"
    SERVERS = "servers"
    GROUPS = "groups"
    LANES = "lanes"
    PRESETS = "presets"
    WORKLOADS = "workloads"


class ListedLane(Struct, frozen=True, kw_only=True):
    """A Lane by the names of what it is made of, and the Groups that it plays in."""

    name: str
    app: str
    server: str
    adapter: str | None
    twin: bool
    groups: tuple[str, ...]


class ListedPreset(Struct, frozen=True, kw_only=True):
    """A preset, and how long a run of all Lanes is expected to take under it."""

    name: str
    rounds: int
    expected_s: float


class Inventory(Struct, frozen=True, kw_only=True):
    """``bench list --json``: all that a project has. ``bench list KIND --json`` has that key alone."""

    apps: tuple[App, ...] = ()
    servers: tuple[Server, ...] = ()
    groups: tuple[Group, ...] = ()
    lanes: tuple[ListedLane, ...] = ()
    presets: tuple[ListedPreset, ...] = ()
    workloads: tuple[Workload, ...] = ()


def inventory(config: Config, apps: Sequence[App]) -> Inventory:
    """Returns what a project has, Lanes in the order of a run. Raises ConfigError."""
    experiments = {name: build_experiment(config, apps, preset=name, seed=1) for name in config.presets}
    whole = next(iter(experiments.values()))  # presets differ in how long, not in what is measured
    return Inventory(
        apps=tuple(sorted(apps, key=lambda app: app.name)),
        servers=tuple(config.servers.values()),
        groups=whole.groups,
        lanes=tuple(
            ListedLane(
                name=lane.name,
                app=lane.app.name,
                server=lane.server.name,
                adapter=lane.adapter.name if lane.adapter else None,
                twin=lane.twin,
                groups=whole.groups_of(lane.name),
            )
            for lane in whole.lanes
        ),
        presets=tuple(
            ListedPreset(name=name, rounds=preset.rounds, expected_s=schedule.outline(experiments[name]).expected_s)
            for name, preset in config.presets.items()
        ),
        workloads=tuple(config.workloads.values()),
    )
