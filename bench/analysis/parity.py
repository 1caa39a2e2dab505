"""Proof that the Lanes of a Group ran with the same configuration, and a list of what cannot be made the same."""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest

from bench.model.experiment import Adapter, Experiment, Group, Lane, Server
from bench.model.reason import Code, Reason, ReasonedError, reason
from bench.model.records import LaneFacts

VARYING_HEADERS = ("date",)
"""Differ between two answers of one Lane."""
LAUNCH_VARIABLES = ("PYTHONPATH", "BENCH_ADAPTER", "BENCH_APPLICATION")
"""Name the App to the server."""
SERVER_HEADERS = ("server", "date", "connection")
"""Written by the server, so they differ where the Servers of a Group do."""


class LanesDiffer(ReasonedError):
    """Lanes of one Group differ in what must be equal; the reasons have the lines that differ."""


def prove(experiment: Experiment, facts: Sequence[LaneFacts]) -> None:
    """Compares the Lanes of each Group. Raises LanesDiffer with a reason for each that differs."""
    by_lane = {fact.lane: fact for fact in facts}
    found = [
        why
        for group in experiment.groups
        for why in _of_group(experiment, group, [by_lane[lane] for lane in group.lanes if lane in by_lane])
    ]
    found += _of_packages(experiment, facts)
    if found:
        raise LanesDiffer(*found)


def _of_packages(experiment: Experiment, facts: Sequence[LaneFacts]) -> Iterator[Reason]:
    """Yields each package of a Server or Adapter that its Lanes have in different versions, or not at all.

    One that is installed nowhere is an error too: behind a wrong name the versions of the right one could differ.
    """
    found: dict[tuple[str, str, str], dict[str, str | None]] = {}
    for fact in facts:
        lane = experiment.lane(fact.lane)
        parts: list[Server | Adapter] = [lane.server, *([lane.adapter] if lane.adapter else [])]
        for part in parts:
            for package in part.packages:
                by_lane = found.setdefault((type(part).__name__, part.name, package), {})
                by_lane[fact.lane] = fact.versions.get(package)
    for (part_type, name, package), by_lane in found.items():
        lanes, versions = tuple(by_lane), tuple(by_lane.values())
        if None in versions or len(set(versions)) > 1:
            yield reason(
                Code.PACKAGES_DIFFER, part=part_type, name=name, package=package, lanes=lanes, versions=versions
            )


def irremovable_differences(facts: Sequence[LaneFacts]) -> tuple[Reason, ...]:
    """Returns how the answers differ in ways that a workload leaves open and no setting removes."""
    first: dict[tuple[str, ...], list[str]] = {}
    for fact in facts:
        first.setdefault(_header_shape(fact), []).append(fact.lane)
    if len(first) < 2:
        return ()
    return tuple(reason(Code.HEADERS_OF_ANSWERS, headers=shape, lanes=tuple(lanes)) for shape, lanes in first.items())


def _header_shape(fact: LaneFacts) -> tuple[str, ...]:
    """Returns header names in their order and case, with the value of those that name the server."""
    return tuple(
        f"{name}: {value}" if name.lower() in ("server", "connection") else name
        for name, value in fact.response_headers
    )


def _of_group(experiment: Experiment, group: Group, facts: Sequence[LaneFacts]) -> Iterator[Reason]:
    """Compares the Lanes on each Server with the first on it, and these with each other in what no Server decides."""
    by_server: dict[str, list[LaneFacts]] = {}
    for fact in facts:
        by_server.setdefault(experiment.lane(fact.lane).server.name, []).append(fact)
    for sharing in by_server.values():
        yield from _differing(group, sharing, lambda fact: _of_server(experiment.lane(fact.lane), fact))
    yield from _differing(group, [first for first, *_ in by_server.values()], _of_any_server)


def _differing(
    group: Group, facts: Sequence[LaneFacts], comparable: Callable[[LaneFacts], list[str]]
) -> Iterator[Reason]:
    for fact in facts[1:]:
        first = facts[0]
        expected, found = comparable(first), comparable(fact)
        if found != expected:
            diff = tuple(difflib.unified_diff(expected, found, first.lane, fact.lane, lineterm="", n=0))
            yield reason(Code.LANES_DIFFER, group=group.name, lane=fact.lane, other=first.lane, difference=diff)


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
