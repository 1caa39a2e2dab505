"""Proof that the Lanes of a Group ran with the same configuration, and a list of what cannot be made the same."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest

from bench.model.errors import BenchError
from bench.model.experiment import Adapter, Experiment, Group, Lane, Server
from bench.model.records import LaneFacts

VARYING_HEADERS = ("date",)
"""Differ between two answers of one Lane."""
LAUNCH_VARIABLES = ("PYTHONPATH", "BENCH_ADAPTER", "BENCH_APPLICATION")
"""Name the App to the server."""
SERVER_HEADERS = ("server", "date", "connection")
"""Written by the server, so they differ where the Servers of a Group do."""
MISSING = "none"


class NotComparable(BenchError):
    """Lanes of one Group differ in what must be equal; the message has the diff."""


def prove(experiment: Experiment, facts: Sequence[LaneFacts]) -> None:
    """Compares the Lanes of each Group. Raises NotComparable with a diff of each that differs."""
    by_lane = {fact.lane: fact for fact in facts}
    diffs = [
        diff
        for group in experiment.groups
        for diff in _group_diffs(experiment, group, [by_lane[lane] for lane in group.lanes if lane in by_lane])
    ]
    diffs += _package_diffs(experiment, facts)
    if diffs:
        raise NotComparable("\n".join(diffs))


def _package_diffs(experiment: Experiment, facts: Sequence[LaneFacts]) -> list[str]:
    """Returns a line for each package of a Server or Adapter that its Lanes have in different versions, or not at all.

    One that is installed nowhere is an error too: behind a wrong name the versions of the right one could differ.
    """
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for fact in facts:
        lane = experiment.lane(fact.lane)
        parts: list[Server | Adapter] = [lane.server, *([lane.adapter] if lane.adapter else [])]
        for part in parts:
            for package in part.packages:
                by_version = found.setdefault((f"{type(part).__name__} {part.name}", package), {})
                by_version.setdefault(fact.versions.get(package, MISSING), []).append(fact.lane)
    return [
        f"{whose}: package {package}: found "
        + "; ".join(f"{version} in {', '.join(lanes)}" for version, lanes in by_version.items())
        + ", expected the same version in every Lane; mend its name, or the Apps' requirements"
        for (whose, package), by_version in found.items()
        if len(by_version) > 1 or MISSING in by_version
    ]


def irremovable_differences(facts: Sequence[LaneFacts]) -> tuple[str, ...]:
    """Returns, in words, how the answers differ in ways that a workload leaves open and no setting removes."""
    first: dict[tuple[str, ...], list[str]] = {}
    for fact in facts:
        first.setdefault(_header_shape(fact), []).append(fact.lane)
    if len(first) < 2:
        return ()
    return tuple(f"answers with the headers {', '.join(shape)}: {', '.join(lanes)}" for shape, lanes in first.items())


def _header_shape(fact: LaneFacts) -> tuple[str, ...]:
    """Returns header names in their order and case, with the value of those that name the server."""
    return tuple(
        f"{name}: {value}" if name.lower() in ("server", "connection") else name
        for name, value in fact.response_headers
    )


def _group_diffs(experiment: Experiment, group: Group, facts: Sequence[LaneFacts]) -> Iterable[str]:
    """Compares the Lanes on each Server with the first on it, and these with each other in what no Server decides."""
    by_server: dict[str, list[LaneFacts]] = {}
    for fact in facts:
        by_server.setdefault(experiment.lane(fact.lane).server.name, []).append(fact)
    for sharing in by_server.values():
        yield from _diffs(group, sharing, lambda fact: _of_server(experiment.lane(fact.lane), fact))
    yield from _diffs(group, [first for first, *_ in by_server.values()], _of_any_server)


def _diffs(group: Group, facts: Sequence[LaneFacts], comparable: Callable[[LaneFacts], list[str]]) -> Iterable[str]:
    for fact in facts[1:]:
        first = facts[0]
        expected, found = comparable(first), comparable(fact)
        if found != expected:
            head = f"Group {group.name}: {fact.lane} and {first.lane} must have the same configuration, but differ:"
            yield "\n".join([head, *difflib.unified_diff(expected, found, first.lane, fact.lane, lineterm="", n=0)])


def _of_any_server(fact: LaneFacts, ignored: Sequence[str] = SERVER_HEADERS) -> list[str]:
    """Returns a line for each thing that must be equal on all Servers.

    Their command lines and headers differ by definition, and the settings that they have in common come from one table
    of the configuration.
    """
    headers = sorted((name.lower(), value) for name, value in fact.response_headers if name.lower() not in ignored)
    return [
        f"python {fact.python}",
        f"workers {fact.workers}",
        f"status {fact.response_status}",
        *(f"header {name}: {value}" for name, value in headers),
        f"body {fact.response_body!r}",
    ]


def _of_server(lane: Lane, fact: LaneFacts) -> list[str]:
    """Returns a line for each thing that must be equal on one Server, beside the versions of its packages."""
    own = (*lane.app.environment, *LAUNCH_VARIABLES)
    return [
        *_of_any_server(fact, VARYING_HEADERS),
        *(f"argument {argument}" for argument in command_template(lane, fact)),
        *(f"variable {name}={value}" for name, value in sorted(fact.environment.items()) if name not in own),
    ]


def command_template(lane: Lane, fact: LaneFacts) -> list[str]:
    """Returns the effective command line with the port and the App, where the template has them, named again."""
    program, *template = lane.server.command
    parts = zip_longest(template, fact.command[1:], fillvalue="")
    values = {
        "{port}": str(fact.port),
        "{application}": "bench_adapter:application" if lane.adapter else lane.application,
    }
    return [program, *(_named_again(part, found, values) for part, found in parts)]


def _named_again(part: str, found: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        if name in part:
            found = found.replace(value, name)
    return found
