"""Parses ``bench.toml`` and each ``app.toml``, once, into an Experiment.

The edge hands over TOML documents. Their JSON Schema says whether each key is right by itself. What is left to be
checked here is how they fit together.
"""

import fnmatch
import re
from collections.abc import Collection, Iterable, Mapping
from string import Formatter
from typing import Any

import msgspec
from msgspec import Struct

from bench.model.config_errors import PATTERNS, ConfigError, check
from bench.model.config_schema import NAME_PATTERN, app_schema, strict_schema
from bench.model.experiment import (
    Adapter,
    App,
    Experiment,
    Group,
    GroupTable,
    Lane,
    LoadSettings,
    Preset,
    Server,
    Serving,
    Workload,
    only,
)
from bench.model.suggest import one_of

RESERVED_ENVIRONMENT = re.compile(
    r"^(PYTHON|GUNICORN|UVICORN|BENCH_|OTEL_|LD_|MALLOC_|LC_)"
    r"|^(WEB_CONCURRENCY|PORT|PATH|HOME|TMPDIR|LANG|FORWARDED_ALLOW_IPS)$"
)
"""Variables that would change the Server or the interpreter, and so make an App's Lanes differ from the others."""

PLACEHOLDERS = (
    *("host", "port", "application", "serverside"),
    *("workers", "threads", "keep_alive_s", "backlog", "worker_connections"),
)
"""What a command may name; a launch knows their values."""
ESSENTIAL = ("{host}", "{port}", "{application}")
"""What a command must name: without them a server listens elsewhere, for anybody, or serves something else."""
NATIVE = "native"
"""A Group whose ``server`` is this word puts each App on the Server that its own ``app.toml`` names."""


class Config(Struct, frozen=True, kw_only=True):
    """A parsed ``bench.toml``."""

    file: str
    servers: dict[str, Server]
    adapters: dict[str, Adapter]
    groups: dict[str, GroupTable]
    presets: dict[str, Preset]
    serving: Serving
    load: LoadSettings
    workloads: dict[str, Workload]


def with_defaults(document: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the defaults with what a document says: tables are joined key by key, all else is replaced."""
    joined = dict(defaults)
    for key, value in document.items():
        default = defaults.get(key)
        joined[key] = with_defaults(value, default) if isinstance(value, dict) and isinstance(default, dict) else value
    return joined


def parse_config(file: str, document: Mapping[str, Any]) -> Config:
    """Parses ``bench.toml``, defaults included. Raises ConfigError."""
    check(file, document, strict_schema())
    tables = {key: _with_names(document.get(key, {})) for key in ("servers", "adapters", "workloads")}
    others = {key: document[key] for key in ("groups", "presets", "serving", "load")}
    config = msgspec.convert({"file": file, **tables, **others}, Config)
    for name, group in config.groups.items():
        _check_title(file, f"groups.{name}.title", group.title)
    _check_commands(config)
    _check_connections(config)
    return config


def parse_app(file: str, name: str, document: Mapping[str, Any]) -> App:
    """Parses one ``app.toml``; ``name`` is its folder's. Raises ConfigError."""
    if not re.match(NAME_PATTERN, name):
        raise ConfigError(f"{file}: its name: found {name!r}, expected {PATTERNS[NAME_PATTERN]}")
    check(file, document, app_schema())
    app = msgspec.convert({**document, "name": name}, App)
    _check_title(file, "title", app.title)
    for variable in filter(RESERVED_ENVIRONMENT.match, app.environment):
        raise ConfigError(
            f"{file}: environment.{variable}: found {app.environment[variable]!r}, expected a variable of the App's "
            f"own; remove it, because it changes the server or interpreter, which must be the same in every Lane"
        )
    return app


def build_experiment(config: Config, apps: Iterable[App], *, preset: str, seed: int) -> Experiment:
    """Returns the Experiment: every App on the Server of every Group. Raises ConfigError."""
    if preset not in config.presets:
        raise ConfigError(f"{config.file}: presets: found no {preset!r}, expected {one_of(preset, config.presets)}")
    ordered = sorted(apps, key=lambda app: (app.raw, app.name))
    members = _with_twins(config, {name: _group_lanes(config, name, ordered) for name in config.groups})
    if not any(members.values()):
        raise ConfigError(
            f"{config.file}: groups: found no Lane, expected one or more in them; "
            "add an App without raw = true, or name its native server in its app.toml"
        )
    return Experiment(
        lanes=tuple(sorted({lane.name: lane for lanes in members.values() for lane in lanes}.values(), key=_is_twin)),
        groups=tuple(
            Group(
                name=name,
                title=table.title,
                lanes=tuple(lane.name for lane in members[name]),
                same_server=table.server != NATIVE,
            )
            for name, table in config.groups.items()
        ),
        serving=config.serving,
        load=config.load,
        workload=_only_workload(config),
        preset_name=preset,
        preset=config.presets[preset],
        seed=seed,
    )


def select_lanes(whole: Experiment, patterns: Iterable[str]) -> Experiment:
    """Returns the Experiment with the Lanes that match shell patterns. Raises ConfigError for one that matches none."""
    names = [lane.name for lane in whole.lanes]
    chosen = {pattern: fnmatch.filter(names, pattern) for pattern in patterns}
    for pattern, matches in chosen.items():
        if not matches:
            raise ConfigError(
                f"lane: found {pattern!r}, expected {one_of(pattern, names, patterns=_patterns(whole, pattern))}"
            )
    return only(whole, (name for matches in chosen.values() for name in matches))


def _patterns(whole: Experiment, misspelt: str) -> list[str]:
    """Returns what else may have been meant: all Lanes of an App, or all on a Server."""
    of_servers = [f"*@{lane.server.name}" for lane in whole.lanes] if misspelt.startswith("*") else []
    return list(dict.fromkeys([*(f"{lane.app.name}@*" for lane in whole.lanes), *of_servers]))


def _only_workload(config: Config) -> Workload:
    """Returns the Workload of a run. Raises ConfigError where there are several: a run has one."""
    first, *others = config.workloads.values()
    if others:
        raise ConfigError(
            f"{config.file}: workloads: found {', '.join(config.workloads)}, expected one; remove the others"
        )
    return first


def _with_twins(config: Config, members: dict[str, list[Lane]]) -> dict[str, list[Lane]]:
    """Returns the Groups' Lanes and their twins: a Lane that has one brings it to every Group that it plays in."""
    twins = [
        _twin(config, name, table.twin, members[name])
        for name, table in config.groups.items()
        if table.twin is not None
    ]
    by_original = {twin.original: twin for twin in twins}
    return {
        name: [*lanes, *(by_original[lane.name] for lane in lanes if lane.name in by_original)]
        for name, lanes in members.items()
    }


def _is_twin(lane: Lane) -> bool:
    return lane.twin


def _twin(config: Config, group: str, app_name: str, lanes: list[Lane]) -> Lane:
    """Returns the twin of an App's Lane in a Group. Raises ConfigError where the App has none."""
    for lane in lanes:
        if lane.app.name == app_name and not lane.adapter:
            return msgspec.structs.replace(lane, twin=True)
    names = dict.fromkeys(lane.app.name for lane in lanes if not lane.adapter)
    raise ConfigError(
        f"{config.file}: groups.{group}.twin: found {app_name!r}, expected an App that plays in this Group without "
        f"an adapter: {one_of(app_name, names)}"
    )


def _group_lanes(config: Config, name: str, apps: list[App]) -> list[Lane]:
    """Returns each App's Lane, then raw on every Server, and through every Adapter, that those Lanes use."""
    table, key = config.groups[name], f"{config.file}: groups.{name}.server"
    contenders = [
        _lane(config, key, app, table.server) for app in apps if not app.raw and (table.server != NATIVE or app.native)
    ]
    adapted = {lane.name: lane for lane in contenders if lane.adapter}.values()
    raw_apps = [app for app in apps if app.raw]
    lanes = [
        *contenders,
        *(_lane(config, key, app, lane.server.name) for app in raw_apps for lane in contenders),
        *(
            Lane(app=app, server=lane.server, adapter=lane.adapter)
            for app in raw_apps
            for lane in adapted
            if lane.adapter and lane.adapter.accepts in app.interfaces
        ),
    ]
    return list({lane.name: lane for lane in lanes}.values())


def _lane(config: Config, key: str, app: App, server_name: str) -> Lane:
    """Returns the App on the Server, through an Adapter where it needs one. Raises ConfigError where there is none."""
    if server_name == NATIVE and app.native:
        key, server_name = f"apps/{app.name}/app.toml: native", app.native
    if server_name not in config.servers:
        raise ConfigError(f"{key}: found {server_name!r}, expected a server, {one_of(server_name, config.servers)}")
    server = config.servers[server_name]
    if server.interface in app.interfaces:
        return Lane(app=app, server=server)
    for adapter in config.adapters.values():
        if adapter.gives is server.interface and adapter.accepts in app.interfaces:
            return Lane(app=app, server=server, adapter=adapter)
    raise ConfigError(
        f"apps/{app.name}/app.toml: interfaces: found {', '.join(app.interfaces)}, expected {server.interface} "
        f"for the server {server.name}; add it, or an adapter to it in {config.file}"
    )


def _with_names(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns the tables ``[key.NAME]`` with their names in them."""
    return {name: {**table, "name": name} for name, table in tables.items()}


def _check_title(file: str, key: str, title: str) -> None:
    """Raises ConfigError for a title that no terminal, table or SVG could show."""
    if not title.strip() or not title.isprintable():
        raise ConfigError(f"{file}: {key}: found {title!r}, expected a line of printable text")


def _check_commands(config: Config) -> None:
    """Raises ConfigError for a command that names what a launch does not know."""
    for name, server in config.servers.items():
        for index, part in enumerate(server.command):
            if not _names_only(part, PLACEHOLDERS):
                raise ConfigError(
                    f"{config.file}: servers.{name}.command[{index}]: found {part!r}, "
                    f"expected no braces but {', '.join(f'{{{word}}}' for word in PLACEHOLDERS)}"
                )
        for essential in ESSENTIAL:
            if not any(essential in part for part in server.command):
                raise ConfigError(
                    f"{config.file}: servers.{name}.command: found no {essential}, expected it in an argument; add it"
                )


def _names_only(template: str, known: Collection[str | None]) -> bool:
    """Returns whether a format string has no fields but plain ones of these names: no attributes, no conversions."""
    try:
        fields = [field[1:] for field in Formatter().parse(template) if field[1] is not None]
    except ValueError:
        return False
    return all(name in known and not spec and not conversion for name, spec, conversion in fields)


def _check_connections(config: Config) -> None:
    """Raises ConfigError where the driver would open more connections than a worker may hold."""
    most = max(config.load.users, config.load.connections) + config.serving.threads
    if config.serving.worker_connections < most:
        raise ConfigError(
            f"{config.file}: serving.worker_connections: found {config.serving.worker_connections}, "
            f"expected at least {most}: the load's connections and the threads"
        )
