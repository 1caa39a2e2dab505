"""Proof that the Lanes of a League ran with the same configuration, and a list of what cannot be made the same."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from bench.records import LaneFacts
from bench.spec import Experiment, Lane, League

VARYING_HEADERS = ("date",)
"""Differ between two answers of one Lane."""
LAUNCH_VARIABLES = ("PYTHONPATH", "BENCH_ADAPTER", "BENCH_APPLICATION")
"""Name the App to the server."""
SERVER_HEADERS = ("server", "date", "connection")
"""Written by the server, so they differ where the Servers of a League do."""


class NotComparable(Exception):
    """Lanes of one League differ in what must be equal; the message has the diff."""


def prove(experiment: Experiment, facts: Sequence[LaneFacts]) -> None:
    """Compares every Lane of a League with the first one. Raises NotComparable with a diff of each that differs."""
    by_lane = {fact.lane: fact for fact in facts}
    diffs = [
        diff
        for league in experiment.leagues
        for diff in _league_diffs(experiment, league, [by_lane[lane] for lane in league.lanes if lane in by_lane])
    ]
    diffs += _adapter_diffs(experiment, facts)
    if diffs:
        raise NotComparable("\n".join(diffs))


def _adapter_diffs(experiment: Experiment, facts: Sequence[LaneFacts]) -> list[str]:
    """Returns a line for each package of an Adapter that Lanes through it have in different versions."""
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for fact in facts:
        if adapter := experiment.lane(fact.lane).adapter:
            for package in adapter.packages:
                by_version = found.setdefault((adapter.name, package), {})
                by_version.setdefault(fact.versions.get(package, "missing"), []).append(fact.lane)
    return [
        f"Adapter {adapter}: its package {package} must be the same in every Lane, but differs: "
        + "; ".join(f"{version} in {', '.join(lanes)}" for version, lanes in by_version.items())
        for (adapter, package), by_version in found.items()
        if len(by_version) > 1
    ]


def irremovable_differences(facts: Sequence[LaneFacts]) -> tuple[str, ...]:
    """Returns, in words, how the answers differ in ways that a contract leaves open and no setting removes."""
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


def _league_diffs(experiment: Experiment, league: League, facts: Sequence[LaneFacts]) -> Iterable[str]:
    if not facts:
        return
    expected = _comparable(experiment.lane(facts[0].lane), facts[0], same_server=league.same_server)
    for fact in facts[1:]:
        found = _comparable(experiment.lane(fact.lane), fact, same_server=league.same_server)
        if found != expected:
            head = (
                f"League {league.name}: {fact.lane} and {facts[0].lane} must have the same configuration, but differ:"
            )
            lines = difflib.unified_diff(expected, found, facts[0].lane, fact.lane, lineterm="", n=0)
            yield "\n".join([head, *lines])


def _comparable(lane: Lane, fact: LaneFacts, *, same_server: bool) -> list[str]:
    """Returns a line for each thing that must be equal.

    A League of different Servers has different command lines and server headers by its definition; everything else
    must still be equal, and the settings that Servers have in common come from one table of the configuration.
    """
    ignored = VARYING_HEADERS if same_server else SERVER_HEADERS
    headers = sorted((name.lower(), value) for name, value in fact.response_headers if name.lower() not in ignored)
    lines = [
        f"python {fact.python}",
        f"workers {fact.workers}",
        f"status {fact.response_status}",
        *(f"header {name}: {value}" for name, value in headers),
        f"body {fact.response_body!r}",
    ]
    if same_server:
        lines += [f"argument {argument}" for argument in command_template(lane, fact)]
        lines += [f"package {name} {fact.versions.get(name, 'is missing')}" for name in sorted(lane.server.packages)]
        own = (*lane.app.environment, *LAUNCH_VARIABLES)
        lines += [f"variable {name}={value}" for name, value in sorted(fact.environment.items()) if name not in own]
    return lines


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
