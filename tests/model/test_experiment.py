"""The nouns: names, requests, and Experiments with some of their Lanes."""

from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.model.experiment import Experiment, Group, Lane, Workload, only, without
from tests.builders.runs import ADAPTER, ASGI, GAMMA, GTHREAD, LANES, RAW, UVICORN, A, B, experiment

WORKLOAD = experiment().workload
NAMES = [lane.name for lane in LANES]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
"""Any text that has an encoding."""


def test_a_lane_is_named_for_its_app_server_and_adapter() -> None:
    """``app@server``, and ``+adapter`` where there is one."""
    assert Lane(app=GAMMA, server=UVICORN).name == "gamma@uvicorn"
    assert Lane(app=GAMMA, server=GTHREAD, adapter=ADAPTER).name == "gamma@gthread+a2wsgi"


def test_a_lane_uses_the_interface_that_its_app_speaks() -> None:
    """The Server's interface, or what the Adapter accepts."""
    assert Lane(app=RAW, server=GTHREAD).application == "raw:wsgi"
    assert Lane(app=RAW, server=UVICORN).application == "raw:asgi"
    assert Lane(app=RAW, server=GTHREAD, adapter=ADAPTER).application == RAW.interfaces[ASGI]


@given(name=TEXT)
def test_a_request_target_is_its_name_again(name: str) -> None:
    """Any name is one segment of the path, in characters that need no further care, and nothing of it is lost."""
    target, body = WORKLOAD.request(name)
    segment = target.removeprefix("/hello/")
    assert unquote(segment) == name
    assert not set(segment) & set("/?#&;+ \"<>'\r\n")
    assert segment.isascii()
    assert body == f"Hello, {name}!".encode()


@given(count=st.integers(1, 1200))
def test_load_requests_are_different_and_of_one_size(count: int) -> None:
    """The driver asks for as many names as were ordered, and every answer has the same length."""
    requests = replace(WORKLOAD, load_names=count).load_requests()
    assert len(set(requests)) == count
    assert len({(len(target), len(body)) for target, body in requests}) == 1


def test_braces_elsewhere_in_a_contract_are_kept() -> None:
    """Only ``{name}`` stands for something."""
    workload = replace(WORKLOAD, path="/{x}/{name}", body='{"hello": "{name}"}')
    assert workload.request("a b") == ("/{x}/a%20b", b'{"hello": "a b"}')


def test_lanes_and_groups_are_found_by_name() -> None:
    """A Lane is found by its name; one that is not there is a KeyError."""
    whole = experiment()
    assert whole.lane(B) is LANES[1]
    assert whole.groups_of(B) == ("wsgi",)
    assert whole.groups_of("nobody") == ()
    with pytest.raises(KeyError, match="nobody"):
        whole.lane("nobody")


LANE_SETS = st.sets(st.sampled_from(NAMES))


@given(some=LANE_SETS)
def test_only_and_without_are_each_others_rest(some: set[str]) -> None:
    """Each Lane is in exactly one of the two, in the order of the whole."""
    whole = experiment()
    kept, rest = only(whole, some), without(whole, some)
    assert [lane.name for lane in kept.lanes] == [name for name in NAMES if name in some]
    assert [lane.name for lane in rest.lanes] == [name for name in NAMES if name not in some]


@given(some=LANE_SETS, others=LANE_SETS)
def test_leaving_out_twice_is_leaving_out_both(some: set[str], others: set[str]) -> None:
    """It does not matter when a Lane is left out."""
    assert without(without(experiment(), some), others) == without(experiment(), some | others)


def test_a_group_left_empty_is_dropped() -> None:
    """Groups have the Lanes that are left, in their order, and at least one."""
    groups = (
        Group(name="all", title="", lanes=(B, A), same_server=True),
        Group(name="one", title="", lanes=(A,), same_server=True),
    )
    left = without(experiment(groups=groups), [A])
    assert [(group.name, group.lanes) for group in left.groups] == [("all", (B,))]


def test_leaving_out_a_lane_that_is_not_there_changes_nothing() -> None:
    """A Lane may have been left out before."""
    assert without(experiment(), ["nobody"]) == experiment()


def test_an_experiment_goes_through_json() -> None:
    """A manifest can be read back: an Experiment is equal to itself after JSON."""
    assert msgspec.json.decode(msgspec.json.encode(experiment()), type=Experiment) == experiment()


def test_a_contract_is_a_value() -> None:
    """Equal contracts are equal, and none can be changed."""
    assert msgspec.convert(msgspec.to_builtins(WORKLOAD), Workload) == WORKLOAD
    with pytest.raises(AttributeError, match="immutable"):
        WORKLOAD.body = "Bye"  # type: ignore[misc]
