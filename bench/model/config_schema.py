"""The JSON Schemas of ``bench.toml`` and ``app.toml``, derived from the types that they become.

bench checks with them, and editors complete with them, so that the two cannot disagree. A project's ``bench.toml`` says
only what differs from ``bench/defaults.toml``: the published schema demands no key that the defaults may have, and the
strict one, which bench checks the joined document with, demands them all.
"""

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from bench.model.experiment import Adapter, App, GroupTable, LoadSettings, Preset, Server, Serving, Workload

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAME_PATTERN = r"^[0-9A-Za-z_][0-9A-Za-z_.-]*(?![\s\S])"
"""Names of Apps, Servers and Adapters make those of Lanes, which are file names too; @, + and # separate them there."""

TABLES: Mapping[str, type] = {"serving": Serving, "load": LoadSettings}
"""The tables of ``bench.toml`` that there is one of ..."""
NAMED_TABLES: Mapping[str, type] = {
    "servers": Server,
    "adapters": Adapter,
    "groups": GroupTable,
    "presets": Preset,
    "workloads": Workload,
    "apps": App,
}
"""... and those of which there are several, ``[servers.NAME]``."""
FROM_DEFAULTS = ("servers", "adapters", "presets", "serving", "load")
"""Tables of which a project may say some keys only."""
REQUIRED = ("servers", "groups", "presets", "serving", "load", "workloads")

Schema = dict[str, Any]


@cache
def strict_schema() -> Schema:
    """Returns the schema of a ``bench.toml`` joined with the defaults."""
    (_, defs) = msgspec.json.schema_components([*TABLES.values(), *NAMED_TABLES.values()])
    return {
        "$schema": DIALECT,
        "title": "bench.toml",
        "description": "What bench compares, and how.",
        "type": "object",
        "properties": {
            **{name: _reference(kind) for name, kind in TABLES.items()},
            **{name: _named(kind) for name, kind in NAMED_TABLES.items()},
        },
        "required": list(REQUIRED),
        "additionalProperties": False,
        "$defs": {name: _of_toml(definition) for name, definition in defs.items()},
    }


@cache
def app_schema() -> Schema:
    """Returns the schema of an ``app.toml``."""
    (_, defs) = msgspec.json.schema_components([App])
    definitions = {name: _of_toml(definition) for name, definition in defs.items()}
    return {
        "$schema": DIALECT,
        **definitions.pop(App.__name__),
        "title": "app.toml",
        "$defs": definitions,
    }


def published_schema() -> Schema:
    """Returns the schema of a project's own ``bench.toml``: what may come from the defaults is optional."""
    strict = strict_schema()
    optional = [{**TABLES, **NAMED_TABLES}[name].__name__ for name in FROM_DEFAULTS]
    definitions = {
        name: {key: value for key, value in definition.items() if key != "required" or name not in optional}
        for name, definition in strict["$defs"].items()
    }
    return {**strict, "required": [name for name in REQUIRED if name not in FROM_DEFAULTS], "$defs": definitions}


def _reference(kind: type) -> Schema:
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _named(kind: type) -> Schema:
    return {
        "type": "object",
        "additionalProperties": _reference(kind),
        "propertyNames": {"pattern": NAME_PATTERN},
        "minProperties": 1,
    }


def _of_toml(definition: Any) -> Any:
    """Returns a definition as TOML has it: no null, no name in a table that has one already, docstrings unindented."""
    match definition:
        case {"anyOf": [*choices], **others}:
            (only,) = (choice for choice in choices if choice != {"type": "null"})
            return _of_toml({**others, **only})
        case dict():
            plain = {
                key: _of_toml(value) for key, value in definition.items() if not (key == "default" and value is None)
            }
            if isinstance(plain.get("description"), str):
                plain["description"] = inspect.cleandoc(plain["description"])
            if plain.get("type") == "object" and "name" in plain.get("properties", {}):
                del plain["properties"]["name"]
                plain["required"] = [key for key in plain.get("required", ()) if key != "name"]
            return plain
        case list():
            return [_of_toml(value) for value in definition]
    return definition
