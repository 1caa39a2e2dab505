"""What is to be measured: Apps, Servers, Lanes, Groups, and the Experiment that they make. Frozen values, no I/O."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct

from bench.model.load import Load

MOST = 65_535
"""More processes, connections or slices than any machine has room or time for; a backlog of more no kernel takes."""
Positive = Annotated[int, Meta(ge=1, le=MOST)]
Count = Annotated[int, Meta(ge=0, le=MOST)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]
TWIN_SUFFIX = "#2"
IMPORT_STRING = r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(\))?(?![\s\S])"
"""Ends as all patterns here do: ``$`` would let a line break through, and JSON Schema knows no ``\\Z``."""
PATH = r'^/([!"$-z|~]|\{name\})*(?![\s\S])'
TARGET = r'^/[!"$-~]*(?![\s\S])'
"""What a request line can carry: no blanks, no fragment (RFC 9112, 3.2.1)."""
METHOD = r"^(?!GET(?![\s\S]))[!#$%&'*+.^_`|~0-9A-Za-z-]+(?![\s\S])"
"""A token (RFC 9110, 5.6.2)."""
CONTENT_TYPE = r"^[!-~]([ -~]*[!-~])?(?![\s\S])"
"""Blanks around a value are no part of it (RFC 9110, 5.5)."""
TEXT = r"^[^\x00]*(?![\s\S])"
"""TOML can write NUL; no command line or environment can hold it."""
VARIABLE = r"^[A-Za-z_][0-9A-Za-z_]*(?![\s\S])"
"""The name of an environment variable (POSIX.1-2017, 8.1, with the lower case that some use)."""
LONGEST_NAME = 10_000
"""Makes 120,000 bytes of a request line, with four bytes a character, percent-encoded."""
ImportString = Annotated[str, Meta(pattern=IMPORT_STRING)]


class Interface(StrEnum):
    """The protocol between a Server and an App's callable."""

    WSGI = "wsgi"
    ASGI = "asgi"


class Side(StrEnum):
    """The two versions of an App that are compared."""

    BASE = "base"
    HEAD = "head"


class App(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One implementation in one framework: a folder with an ``app.toml``, or a table ``[apps.NAME]``.

    ``folder`` is that of its code and its lock, relative to the project's; without it, ``apps/NAME``.
    """

    name: str
    title: str
    interfaces: Annotated[
        dict[Interface, ImportString],
        Meta(extra_json_schema={"propertyNames": {"enum": ["wsgi", "asgi"]}, "minProperties": 1}),
    ]
    folder: str | None = None
    package: str | None = None
    native: str | None = None
    raw: bool = False
    environment: Annotated[
        dict[str, Annotated[str, Meta(pattern=TEXT)]], Meta(extra_json_schema={"propertyNames": {"pattern": VARIABLE}})
    ] = {}


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an App is served: one command template, the same for every App."""

    name: str
    interface: Interface
    command: Annotated[tuple[Annotated[str, Meta(pattern=TEXT)], ...], Meta(min_length=1)]
    packages: tuple[str, ...] = ()


class Adapter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A middleware that lets an App which speaks ``accepts`` run on a Server which speaks ``gives``."""

    name: str
    accepts: Interface
    gives: Interface
    callable: ImportString
    packages: tuple[str, ...] = ()


class Serving(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings that every Server of a run has in common."""

    workers: Positive
    threads: Positive
    keep_alive_s: Positive
    backlog: Positive
    worker_connections: Positive
    ready_timeout_s: Seconds


class LoadSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The two loads of a run: ``closed(users)`` and ``open(rate)`` at a share of the slowest warm-up's throughput."""

    users: Positive
    rate_share: Annotated[float, Meta(gt=0, lt=1)]
    connections: Positive


class Preset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to measure. Slices are counted per Lane and Round; a Slice is ``settle_s`` and then ``window_s``.

    ``repeats`` is the most discarded Slices that a Round measures again; ``cold_starts`` are the fresh starts of each
    Lane's footprint, and 0 leaves out what takes them; ``instructions`` counts instructions per request too.
    """

    rounds: Positive
    saturated_slices: Positive
    fixed_slices: Positive
    settle_s: Seconds
    window_s: Seconds
    warm_up_s: Seconds
    repeats: Count = 0
    cold_starts: Count = 0
    instructions: bool = False


class Workload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named set of requests, and what every App must answer to them, byte for byte.

    ``path`` and ``body`` may have ``{name}`` in them; without it there is one request. A ``longest_name`` of 0 is not
    asked for.
    """

    name: str
    path: Annotated[str, Meta(pattern=PATH)]
    body: str
    content_type: Annotated[str, Meta(pattern=CONTENT_TYPE)]
    names: Annotated[tuple[str, ...], Meta(min_length=1)] = ("world",)
    longest_name: Annotated[int, Meta(ge=0, le=LONGEST_NAME)] = 0
    not_found: tuple[Annotated[str, Meta(pattern=TARGET)], ...] = ()
    not_allowed: tuple[Annotated[str, Meta(pattern=METHOD)], ...] = ()
    load_names: Positive = 100

    def request(self, name: str) -> tuple[str, bytes]:
        """Returns the request target for a name, and the body that must answer it."""
        return self.path.replace("{name}", quote(name, safe="")), self.body.replace("{name}", name).encode()

    def load_requests(self) -> list[tuple[str, bytes]]:
        """Returns the requests that the driver cycles through: names of one length, so all answers have one size."""
        width = len(str(self.load_names - 1))
        return [self.request(f"user{number:0{width}}") for number in range(self.load_names)]


class Lane(Struct, frozen=True, kw_only=True):
    """An App on a Server, through an Adapter where the App does not speak the Server's interface.

    A ``twin`` is the same Lane once more: what differs between the two is noise. A ``side`` is one of the two versions
    of an App that a comparison has.
    """

    app: App
    server: Server
    adapter: Adapter | None = None
    twin: bool = False
    side: Side | None = None

    @property
    def name(self) -> str:
        """Returns ``app@server`` or ``app@server+adapter``: unique within an Experiment.

        A twin's ends in ``#2``, that of a side in ``#base`` or ``#head``.
        """
        return f"{self.original}{f'#{self.side}' if self.side else ''}{TWIN_SUFFIX if self.twin else ''}"

    @property
    def original(self) -> str:
        """Returns the name of the Lane that this one is the twin of, or its own."""
        suffix = f"+{self.adapter.name}" if self.adapter else ""
        return f"{self.app.name}@{self.server.name}{suffix}"

    @property
    def home(self) -> str:
        """Returns the name of what it is started from: its App, in one version."""
        return f"{self.app.name}#{self.side}" if self.side else self.app.name

    @property
    def application(self) -> str:
        """Returns the import string of the App's own callable."""
        interface = self.adapter.accepts if self.adapter else self.server.interface
        return self.app.interfaces[interface]


class GroupTable(Struct, frozen=True, forbid_unknown_fields=True):
    """A Group as ``bench.toml`` has it, before its Lanes are known.

    ``twin`` is the App that runs in it twice: what differs between the two is noise.
    """

    title: str
    server: str
    twin: str | None = None


class Group(Struct, frozen=True, kw_only=True):
    """A set of Lanes that may be ranked together."""

    name: str
    title: str
    lanes: tuple[str, ...]
    same_server: bool


class Sweep(Struct, frozen=True, kw_only=True):
    """Loads of one kind, each higher than the last, that a run offers in place of its two.

    ``slo_ms`` is the p99 that is still good enough: the service level objective.
    """

    loads: Annotated[tuple[Load, ...], Meta(min_length=1)]
    slo_ms: Annotated[float, Meta(gt=0)]


class Experiment(Struct, frozen=True, kw_only=True):
    """Everything that a run is made from."""

    lanes: tuple[Lane, ...]
    groups: tuple[Group, ...]
    serving: Serving
    load: LoadSettings
    workload: Workload
    preset_name: str
    preset: Preset
    seed: int
    sweep: Sweep | None = None

    @property
    def most_users(self) -> int:
        """Returns the number of users of the largest closed load, the warm-up's among them."""
        loads = self.sweep.loads if self.sweep else ()
        return max([self.load.users, *(load.under_way or 0 for load in loads)])

    def lane(self, name: str) -> Lane:
        """Returns the Lane of that name; raises KeyError."""
        return {lane.name: lane for lane in self.lanes}[name]

    def raw(self, lane: Lane, *, adapted: bool = True) -> Lane | None:
        """Returns raw on the same Server, through the same Adapter or through none; None without one."""
        adapter = lane.adapter if adapted else None
        candidates = (other for other in self.lanes if other.app.raw and other.server == lane.server)
        return next((other for other in candidates if other.adapter == adapter), None)

    def groups_of(self, lane_name: str) -> tuple[str, ...]:
        """Returns the names of the Groups that a Lane plays in."""
        return tuple(group.name for group in self.groups if lane_name in group.lanes)


def without(whole: Experiment, lane_names: Iterable[str]) -> Experiment:
    """Returns the Experiment without these Lanes; Groups left empty are dropped."""
    left_out = set(lane_names)
    return only(whole, (lane.name for lane in whole.lanes if lane.name not in left_out))


def only(whole: Experiment, lane_names: Iterable[str]) -> Experiment:
    """Returns the Experiment with these Lanes alone; Groups left empty are dropped."""
    kept = set(lane_names)
    groups = (
        msgspec.structs.replace(group, lanes=tuple(name for name in group.lanes if name in kept))
        for group in whole.groups
    )
    return msgspec.structs.replace(
        whole,
        lanes=tuple(lane for lane in whole.lanes if lane.name in kept),
        groups=tuple(group for group in groups if group.lanes),
    )
