"""What ``bench list`` prints: names in aligned columns, and what is said of them. Plain text of 80 columns."""

import textwrap
from collections.abc import Callable, Iterator, Sequence

from bench.model.experiment import App
from bench.model.inventory import Inventory, Kind
from bench.report.plain import duration

COLUMNS = 80
GAP = 2
NARROWEST = 20
"""The last column has room for so many characters, however long names are; a line is then longer."""

TextRow = tuple[str, ...]


def inventory_text(found: Inventory, kinds: Sequence[Kind]) -> str:
    """Returns a line a name: with heads where several kinds are asked for, and nothing but the lines for one."""
    if len(kinds) == 1:
        return "\n".join(_lines(_ROWS[kinds[0]](found), indent=0))
    return "\n\n".join("\n".join([kind.capitalize(), *_lines(_ROWS[kind](found), indent=GAP)]) for kind in kinds)


def _apps(found: Inventory) -> list[TextRow]:
    return [(app.name, ", ".join(app.interfaces), _native(app), app.title) for app in found.apps]


def _native(app: App) -> str:
    return "raw" if app.raw else f"native on {app.native}" if app.native else "not native"


def _servers(found: Inventory) -> list[TextRow]:
    return [(server.name, server.interface, ", ".join(server.packages)) for server in found.servers]


def _groups(found: Inventory) -> list[TextRow]:
    return [(group.name, f"{len(group.lanes)} Lanes", group.title) for group in found.groups]


def _lanes(found: Inventory) -> list[TextRow]:
    return [(lane.name, ", ".join([*lane.groups, *(["twin"] if lane.twin else [])])) for lane in found.lanes]


def _presets(found: Inventory) -> list[TextRow]:
    return [(one.name, f"{one.rounds} rounds", f"about {duration(one.expected_s)}") for one in found.presets]


def _workloads(found: Inventory) -> list[TextRow]:
    return [(workload.name, workload.path) for workload in found.workloads]


_ROWS: dict[Kind, Callable[[Inventory], list[TextRow]]] = {
    Kind.APPS: _apps,
    Kind.SERVERS: _servers,
    Kind.GROUPS: _groups,
    Kind.LANES: _lanes,
    Kind.PRESETS: _presets,
    Kind.WORKLOADS: _workloads,
}


def _lines(rows: Sequence[TextRow], *, indent: int) -> Iterator[str]:
    """Yields rows with their columns aligned; what does not fit of the last column goes on below it."""
    widths = [max(map(len, column)) + GAP for column in zip(*rows, strict=True)][:-1]
    before = indent + sum(widths)
    for *cells, last in rows:
        first, *others = textwrap.wrap(last, max(COLUMNS - before, NARROWEST)) or [""]
        aligned = "".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield f"{' ' * indent}{aligned}{first}".rstrip()
        yield from (f"{' ' * before}{other}" for other in others)
