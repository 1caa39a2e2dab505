"""Lanes of one Group must be configured alike; what differs is shown, and what cannot be made alike is listed."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.analysis import parity
from bench.model.experiment import Experiment, Group, Lane
from bench.model.reason import Code, Reason, reason
from bench.model.records import LaneFacts
from tests.builders.runs import ADAPTER, GAMMA, LANES, RAW, RG, UVICORN, A, B, G, experiment, facts

WHOLE = experiment()
NATIVE_LANES = (LANES[0], Lane(app=GAMMA, server=UVICORN))
NATIVE = experiment(
    lanes=NATIVE_LANES,
    groups=(Group(name="native", title="", lanes=tuple(lane.name for lane in NATIVE_LANES), same_server=False),),
)


def all_facts(whole: Experiment = WHOLE) -> list[LaneFacts]:
    """Returns what all Lanes ran with, each on its own port."""
    return [facts(lane, port=20001 + place) for place, lane in enumerate(whole.lanes)]


def differing(**changes: Any) -> list[LaneFacts]:
    """Returns the facts of all Lanes, with something else in the second one."""
    first, second, *others = all_facts()
    return [first, replace(second, **changes), *others]


def against(found: Sequence[LaneFacts], whole: Experiment = WHOLE) -> tuple[Reason, ...]:
    """Returns why facts are not comparable."""
    with pytest.raises(parity.LanesDiffer) as refusal:
        parity.prove(whole, found)
    return refusal.value.reasons


def diff_of(found: Sequence[LaneFacts], whole: Experiment = WHOLE) -> tuple[str, ...]:
    """Returns the lines that differ, of all Lanes that do."""
    return tuple(str(line) for why in against(found, whole) for line in _lines(why))


def _lines(why: Reason) -> Sequence[object]:
    assert why.code is Code.LANES_DIFFER
    lines = why.values["difference"]
    assert isinstance(lines, tuple)
    return lines


def lanes_in(why: Reason) -> tuple[object, ...]:
    """Returns the Group, and the Lane that differs from another one of it."""
    return tuple(why.values[name] for name in ("group", "lane", "other"))


def versions_in(why: Reason) -> dict[str, object]:
    """Returns the versions of a package by Lane."""
    lanes, versions = why.values["lanes"], why.values["versions"]
    assert why.code is Code.PACKAGES_DIFFER
    assert isinstance(lanes, tuple)
    assert isinstance(versions, tuple)
    return {str(lane): version for lane, version in zip(lanes, versions, strict=True)}


def package_in(why: Reason) -> tuple[object, ...]:
    """Returns a package, and whose it is."""
    return tuple(why.values[name] for name in ("part", "name", "package"))


SECOND = facts(LANES[1], port=20002)


def named(said: str, *names: str) -> bool:
    """Returns whether a line has these names, in this order."""
    return re.search(".*".join(map(re.escape, names)), said) is not None


def test_lanes_that_are_configured_alike_are_comparable() -> None:
    """Apps, ports, Adapters and an App's own variables may differ; nothing else does."""
    parity.prove(WHOLE, all_facts())


def other_versions(fact: LaneFacts, **versions: str | None) -> LaneFacts:
    """Returns the facts with these versions installed; None is not installed."""
    joined = {**fact.versions, **versions}
    return replace(fact, versions={name: version for name, version in joined.items() if version})


def test_an_adapter_is_the_same_in_every_lane() -> None:
    """Two versions of an Adapter's package would be read as a difference of the frameworks."""
    new = [other_versions(fact, a2wsgi="1.11.0") if fact.lane == RG else fact for fact in all_facts()]
    (why,) = against(new)
    assert package_in(why) == ("Adapter", "a2wsgi", "a2wsgi")
    assert versions_in(why) == {G: "1.10.0", RG: "1.11.0"}


def test_a_server_has_the_same_packages_in_every_lane() -> None:
    """Of another version, or not there."""
    for version in ("26", None):
        new = [other_versions(fact, gunicorn=version) if fact.lane == B else fact for fact in all_facts()]
        (why,) = against(new)
        assert package_in(why) == ("Server", "gthread", "gunicorn")
        assert versions_in(why) == {lane.name: version if lane.name == B else "27.0.1" for lane in LANES}


@pytest.mark.parametrize(
    "package", [("Server", "gthread", "gunicorn"), ("Adapter", "a2wsgi", "a2wsgi")], ids=["server", "adapter"]
)
def test_a_package_that_is_installed_nowhere_is_an_error(package: tuple[str, str, str]) -> None:
    """Nothing equals nothing, and would prove nothing."""
    nowhere = [other_versions(fact, **{package[-1]: None}) for fact in all_facts()]
    for found in (nowhere, nowhere[2:3]):
        (why,) = against(found)
        assert package_in(why) == package
        assert set(versions_in(why).values()) == {None}


def test_what_is_no_servers_package_may_differ() -> None:
    """Each App has requirements of its own."""
    parity.prove(WHOLE, [other_versions(first, flask="3.1.0") for first in all_facts()[:1]] + all_facts()[1:])


@given(order=st.permutations(all_facts()))
def test_the_order_of_facts_does_not_matter(order: list[LaneFacts]) -> None:
    """Whichever Lane was ready first."""
    parity.prove(WHOLE, order)


@pytest.mark.parametrize(
    ("changes", "expected", "found"),
    [
        pytest.param({"python": "3.12.1"}, "-python 3.11.2", "+python 3.12.1", id="interpreter"),
        pytest.param({"workers": 2}, "-workers 1", "+workers 2", id="workers"),
        pytest.param({"response_status": 201}, "-status 200", "+status 201", id="status"),
        pytest.param({"response_body": "Hi"}, "-body 'Hello, world!'", "+body 'Hi'", id="body"),
        pytest.param(
            {"response_headers": (*SECOND.response_headers, ("X-Frame-Options", "DENY"))},
            "@@",
            "+header x-frame-options: DENY",
            id="header",
        ),
        pytest.param(
            {"response_headers": (*SECOND.response_headers[:2], ("Server", "gunicorn/27"))},
            "-header server: gunicorn",
            "+header server: gunicorn/27",
            id="server header",
        ),
        pytest.param(
            {"response_headers": SECOND.response_headers[1:]}, "-header content-type: text/plain", "@@", id="no header"
        ),
        pytest.param(
            {"command": (*SECOND.command[:-2], "64", SECOND.command[-1])},
            "-argument 2048",
            "+argument 64",
            id="argument",
        ),
        pytest.param({"command": SECOND.command[:-1]}, "-argument {application}", "@@", id="no application"),
        pytest.param(
            {"environment": {**SECOND.environment, "WEB_CONCURRENCY": "4"}},
            "@@",
            "+variable WEB_CONCURRENCY=4",
            id="variable",
        ),
    ],
)
def test_a_difference_is_shown(changes: dict[str, Any], expected: str, found: str) -> None:
    """The reason names the Group and both Lanes, and has what was expected and what was found."""
    assert [lanes_in(why) for why in against(differing(**changes))] == [("wsgi", B, A)]
    lines = diff_of(differing(**changes))
    assert any(line.startswith(expected) for line in lines)
    assert any(line.startswith(found) for line in lines)
    assert not any(line.startswith(" ") for line in lines)


def test_every_lane_that_differs_is_shown() -> None:
    """All of it is said at once, so that it can be mended at once."""
    found = [*all_facts()[:3], *(replace(fact, workers=3) for fact in all_facts()[3:])]
    assert [why.values["group"] for why in against(found)] == ["wsgi", "wsgi"]
    assert diff_of(found).count("+workers 3") == 2


def test_only_what_varies_between_two_answers_of_one_lane_is_ignored() -> None:
    """Dates differ, and so may the case and order of headers, which are listed elsewhere."""
    date = ("Date", "Sun, 01 Mar 2026 10:15:00 GMT")
    shuffled = tuple((name.lower(), value) for name, value in reversed(SECOND.response_headers))
    parity.prove(WHOLE, differing(response_headers=(date, *shuffled)))


def test_the_order_of_variables_does_not_matter() -> None:
    """An environment has no order."""
    variables = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    turned = dict(reversed(variables.items()))
    parity.prove(WHOLE, [facts(LANES[0], environment=variables), facts(LANES[1], environment=turned)])


def test_a_setting_that_has_the_digits_of_a_port_is_no_difference() -> None:
    """A backlog of 20480 is the same for all, also for the Lane that happens to listen on port 20480."""
    found = [
        replace(fact, command=tuple("20480" if argument == "2048" else argument for argument in fact.command))
        for fact in (facts(LANES[0], port=20001), facts(LANES[1], port=20480))
    ]
    assert found[1].command[2:5] == ("127.0.0.1:20480", "--backlog", "20480")
    parity.prove(WHOLE, found)
    assert "+argument 20480" in diff_of([facts(LANES[0], port=20001), found[1]])


def test_a_lane_that_failed_is_not_compared() -> None:
    """Lanes that are left out have no facts, and need none; with none at all there is nothing to prove."""
    parity.prove(WHOLE, all_facts()[1:])
    parity.prove(WHOLE, all_facts()[:1])
    parity.prove(WHOLE, [])


def test_lanes_of_different_groups_are_not_compared() -> None:
    """Only those that may be ranked together have to be alike."""
    apart = tuple(Group(name=name, title="", lanes=(name,), same_server=True) for name in (A, B))
    parity.prove(experiment(lanes=LANES[:2], groups=apart), differing(workers=2)[:2])


def test_servers_of_their_own_may_differ_in_what_servers_write() -> None:
    """Where each App has its own Server, command lines, packages and the server's own headers differ by definition."""
    first, second = all_facts(NATIVE)
    own = replace(second, response_headers=(*second.response_headers[:2], ("server", "uvicorn"), ("connection", "x")))
    parity.prove(NATIVE, [first, replace(own, versions={"uvicorn": "0.54.0"})])


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"command": ("gunicorn", "--bind", "127.0.0.1:20002", "--backlog", "64", "beta:app")}, "+argument 64"),
        ({"environment": {"WEB_CONCURRENCY": "4"}}, "+variable WEB_CONCURRENCY=4"),
        ({"response_headers": (*SECOND.response_headers[:2], ("Server", "other"))}, "+header server: other"),
        ({"workers": 2}, "+workers 2"),
    ],
    ids=["argument", "variable", "server header", "workers"],
)
def test_lanes_that_share_a_server_are_alike_among_servers_of_their_own(changes: dict[str, Any], found: str) -> None:
    """Two Apps whose documentation recommends the same Server are as comparable as any; it is said once."""
    lanes = (NATIVE_LANES[1], *LANES[:2])
    group = Group(name="native", title="", lanes=tuple(lane.name for lane in lanes), same_server=False)
    whole = experiment(lanes=lanes, groups=(group,))
    first, second, third = all_facts(whole)
    parity.prove(whole, [first, second, third])
    changed = [first, second, replace(third, **changes)]
    assert [lanes_in(why) for why in against(changed, whole)] == [("native", B, A)]
    assert found in diff_of(changed, whole)


@pytest.mark.parametrize(
    "changes",
    [
        {"python": "3.12.1"},
        {"workers": 2},
        {"response_status": 201},
        {"response_body": "Hi"},
        {"response_headers": (("Content-Type", "text/html"), ("Content-Length", "13"))},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_servers_of_their_own_must_agree_in_the_rest(changes: dict[str, Any]) -> None:
    """Interpreter, workers and the answer itself are the same in every Group."""
    first, second = all_facts(NATIVE)
    (why,) = against([first, replace(second, **changes)], NATIVE)
    assert lanes_in(why) == ("native", NATIVE_LANES[1].name, NATIVE_LANES[0].name)


def test_an_adapter_is_part_of_the_application() -> None:
    """A Lane behind an Adapter runs the adapter's callable where the others run their App's; nothing else differs."""
    whole = experiment(lanes=(LANES[0], Lane(app=RAW, server=LANES[0].server, adapter=ADAPTER)))
    parity.prove(whole, all_facts(whole))


def test_answers_that_are_alike_have_no_irremovable_differences() -> None:
    """Values of headers that differ by nature, such as the date, are none."""
    dated = [
        replace(fact, response_headers=(*fact.response_headers, ("Date", str(place))))
        for place, fact in enumerate(all_facts())
    ]
    assert parity.irremovable_differences(dated) == ()
    assert parity.irremovable_differences([]) == ()


@pytest.mark.parametrize(
    "headers",
    [
        SECOND.response_headers[::-1],
        tuple((name.lower(), value) for name, value in SECOND.response_headers),
        (*SECOND.response_headers, ("Date", "today")),
        (*SECOND.response_headers[:2], ("Server", "uvicorn")),
    ],
    ids=["order", "case", "date", "server"],
)
def test_irremovable_differences_are_listed(headers: tuple[tuple[str, str], ...]) -> None:
    """Every shape of answer is listed with its headers and its Lanes."""
    first, second = parity.irremovable_differences(differing(response_headers=headers))
    others = tuple(lane.name for lane in LANES if lane.name != B)
    assert first == reason(Code.HEADERS_OF_ANSWERS, headers=first.values["headers"], lanes=others)
    assert first.values["headers"] == ("Content-Type", "Content-Length", "Server: gunicorn")
    assert second.values["lanes"] == (B,)
