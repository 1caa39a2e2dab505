"""What is wrong in a configuration, in one line: the file, the key, what was found, what was expected, what to do.

The JSON Schema of the file says what is wrong, as values: a path, a keyword and what the keyword demands.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from enum import IntEnum
from math import isnan
from typing import Any

from msgspec import Struct

from bench.model.config_schema import NAME_PATTERN, NAMED_TABLES, TABLES, Schema
from bench.model.errors import WrongUsage
from bench.model.experiment import CONTENT_TYPE, IMPORT_STRING, METHOD, PATH, TARGET, TEXT, VARIABLE
from bench.model.suggest import closest, one_of

RENAMED = {
    ("leagues",): "groups",
    ("contract",): "workloads.hello",
    ("workload",): "workloads.hello",
    ("presets", "*", "guard_s"): "settle_s",
    ("apps", "*", "baseline"): "raw",
}
"""Keys of older versions, where they stood, and what they are called now. ``*`` is any name."""
TYPE_NAMES = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table",
}
PATTERNS = {
    IMPORT_STRING: "an import string such as 'module:app'",
    PATH: "a path of printable ASCII from / on, percent-encoded, with no # and no braces but {name}",
    TARGET: "a path of printable ASCII from / on, percent-encoded, with no #",
    METHOD: "a method such as POST, a token of RFC 9110, and not GET",
    CONTENT_TYPE: "printable ASCII, with no blanks around it",
    TEXT: "text without NUL",
    VARIABLE: "a name of letters, digits and _, that begins with no digit; rename it",
    NAME_PATTERN: "a name of letters, digits, _, - and ., that begins with a letter, a digit or _; rename it",
}
"""What the patterns of strings ask for."""
LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "a number above {}",
    "exclusiveMaximum": "a number below {}",
    "minItems": "a list of at least {}",
}

Path = tuple[str | int, ...]


class ConfigError(WrongUsage):
    """The configuration is wrong: one line names the file, the key, what was found and what was expected."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class Rank(IntEnum):
    """Which of several faults is named: a key that is not known explains why another one is missing."""

    UNKNOWN = 0
    WRONG = 1
    MISSING = 2


class Fault(Struct, frozen=True):
    """One thing that is wrong in a document: where, and in which words."""

    rank: Rank
    path: Path
    found: str
    expected: str


def check(file: str, document: Mapping[str, Any], schema: Schema) -> None:
    """Raises ConfigError for the first fault of a document, in its own order, where it does not follow the schema."""
    faults = list(_faults(document, schema))
    if faults:
        fault = min(faults, key=lambda each: (each.rank, _place(document, each.path)))
        raise ConfigError(f"{file}: {_written(fault.path)}: found {fault.found}, expected {fault.expected}")


def shown(value: Any) -> str:
    """Returns a value as a message has it: nothing, true, a date as TOML has it, and all else as Python has it."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    return "nothing" if value is None else repr(value)


def _faults(document: Mapping[str, Any], schema: Schema) -> Iterator[Fault]:
    # Only what reads a configuration waits for the library.
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415

    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer).redefine("number", _is_number)
    of_toml = validators.extend(Draft202012Validator, type_checker=types)  # type: ignore[no-untyped-call]
    for error in of_toml(schema).iter_errors(document):
        yield from _faults_of(tuple(error.absolute_path), error)


def _faults_of(path: Path, error: Any) -> Iterator[Fault]:
    """Yields the faults of one error of the schema, whose instance stands at a path."""
    if "propertyNames" in error.absolute_schema_path and error.validator == "enum":
        yield Fault(Rank.UNKNOWN, (*path, error.instance), "an unknown key", _expected(path, error))
    elif "propertyNames" in error.absolute_schema_path:
        yield Fault(Rank.UNKNOWN, path, repr(error.instance), _expected(path, error))
    elif error.validator == "additionalProperties":
        known = error.schema["properties"]
        for key in error.instance.keys() - known.keys():
            yield Fault(Rank.UNKNOWN, (*path, key), "an unknown key", _in_its_place((*path, key), list(known)))
    elif error.validator == "required":
        for key in [key for key in error.validator_value if key not in error.instance]:
            yield Fault(Rank.MISSING, (*path, key), "nothing", f"{_table((*path, key)) or 'a value'}; add it")
    else:
        yield Fault(Rank.WRONG, path, shown(error.instance), _expected(path, error))


def _in_its_place(path: Path, known: Sequence[str]) -> str:
    """Returns what is expected in place of an unknown key: its new name, or one of those that there are."""
    for old, new in RENAMED.items():
        if len(old) == len(path) and all(a in ("*", b) for a, b in zip(old, path, strict=True)):
            return f"{new}, which is its name now; rename it"
    meant = closest(str(path[-1]), known)
    advice = f"did you mean {meant}?" if meant else "remove or rename it"
    return f"one of {', '.join(known)}; {advice}"


def _expected(path: Path, error: Any) -> str:
    demanded = error.validator_value
    match error.validator:
        case "type" | "minProperties" if table := _table(path):
            return table
        case "type":
            return TYPE_NAMES[demanded]
        case "pattern":
            return PATTERNS[demanded]
        case "enum":
            return one_of(str(error.instance), [str(value) for value in demanded])
        case "minProperties":
            return f"one or more of {', '.join(error.schema['propertyNames']['enum'])}"
        case keyword:
            return LIMITS[keyword].format(demanded)


def _table(path: Path) -> str:
    """Returns which table or tables belong at a path; nothing where none does."""
    match path:
        case (str(key),) if key in NAMED_TABLES:
            return f"one or more tables [{key}.NAME]"
        case (str(key),) if key in TABLES:
            return f"a table [{key}]"
        case (str(key), str(name)) if key in NAMED_TABLES:
            return f"a table [{key}.{name}]"
    return ""


def _written(path: Path) -> str:
    """Writes a path as TOML does: ``servers.gthread.command[1]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _place(document: Any, path: Path) -> tuple[int, ...]:
    """Returns where in a document a path stands: of each table or list the position; what is missing comes last."""
    places = []
    for part in path:
        keys = list(document) if isinstance(document, dict) else list(range(len(document)))
        places.append(keys.index(part) if part in keys else len(keys))
        document = document[part] if part in keys else {}
        if not isinstance(document, dict | list):
            document = {}
    return tuple(places)


def _is_integer(_: object, value: object) -> bool:
    """Returns whether a value is a whole number in TOML: 1.0 is none, and neither is true."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: object, value: object) -> bool:
    return _is_integer(_, value) or (isinstance(value, float) and not isnan(value))
