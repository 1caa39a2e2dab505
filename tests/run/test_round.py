"""What a Round tells the driver, and what it writes down of a Slice when the kernel does not tell."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.model.experiment import Side
from bench.model.load import Closed, Phase
from bench.model.protocol import SliceResult
from bench.model.reason import Code, reason
from bench.model.schedule import Slice
from bench.run.round import LiveRound, Readings, _record
from bench.servers import counters
from tests.builders.runs import LANES, A, experiment

COUNTER = st.none() | st.integers(0, 10**12)
KEPT = counters.Counters.__struct_fields__
COUNTERS = st.builds(counters.Counters, *[COUNTER for _ in KEPT])
NOTHING = counters.Counters(*[None for _ in KEPT])
PLANNED = Slice(3, Phase.SATURATED, (A,), Closed(4), 0.05, 0.25)
RESULT = SliceResult(0.25, 7, {}, 0, 7, 0, "", 7)
FIELDS = (*(f"server_{name}" for name in KEPT), "driver_cpu_ns", "driver_run_queue_ns", "steal_s")


def readings(at_s: float) -> st.SearchStrategy[Readings]:
    """Returns counters at a moment, each known or not, and no process that could be asked for its memory."""
    return st.builds(Readings, st.just(at_s), st.just(at_s + 5), COUNTERS, COUNTERS, st.none() | st.floats(0, 9))


@pytest.mark.parametrize("sides", [(None,), tuple(Side)])
def test_the_driver_is_told_of_every_server_and_of_two_lanes_at_once_in_a_comparison(
    sides: tuple[Side | None, ...],
) -> None:
    """Only there are Duets, for which it makes connections to both sides; its cores are none of the servers'."""
    lanes = tuple(replace(LANES[0], side=side) for side in sides)
    whole = replace(experiment(), lanes=lanes)
    running = {lane.name: SimpleNamespace(launch=SimpleNamespace(port=port)) for port, lane in enumerate(lanes, 20_000)}
    load = Mock()
    LiveRound(Mock(experiment=whole, machine=Mock(driver_cores=(1,))), 0, Mock(running=running), load, began=0.0)
    (told,) = load.setup.call_args.args
    assert [(target.lane, target.port) for target in told.targets] == [
        (lane.name, port) for port, lane in enumerate(lanes, 20_000)
    ]
    assert (told.users, told.cores, told.at_once) == (whole.most_users, (1,), len(lanes))


@given(readings(1.0), readings(1.3))
def test_every_unknown_value_has_its_reason(before: Readings, after: Readings) -> None:
    """A counter that went backwards or could not be read is None with a reason, and a known one has none."""
    record = _record(0, A, PLANNED, RESULT, (before, after), pids=[2**22 + 1])
    for field in (*FIELDS, "server_rss_bytes", "server_pss_bytes"):
        assert (getattr(record, field) is None) == (field in record.unknown), field
    assert record.clock_step_s == 0


@given(st.floats(-5, 5))
def test_a_clock_that_steps_is_written_down(step_s: float) -> None:
    """Durations are of the monotonic clock; how far the wall clock went its own way is data."""
    before, after = (Readings(at, wall, NOTHING, NOTHING, None) for at, wall in ((1.0, 9.0), (1.3, 9.3 + step_s)))
    record = _record(0, A, PLANNED, RESULT, (before, after), pids=[])
    assert record.clock_step_s == pytest.approx(step_s, abs=0.001)
    assert record.slice_s == 0.3


@given(
    requests=st.integers(0, 2),
    errors=st.dictionaries(st.sampled_from(["timeout", "status 500"]), st.integers(1, 9)),
    dropped=st.integers(0, 2),
    outside=st.integers(0, 2),
)
def test_a_slice_without_a_right_answer_says_why(
    requests: int, errors: dict[str, int], dropped: int, outside: int
) -> None:
    """In numbers: errors by kind, what was never sent, what came too early or too late, or that nothing came at all."""
    at = Readings(1.0, 9.0, NOTHING, NOTHING, None)
    result = SliceResult(0.25, requests, errors, dropped, requests + outside, 0, "", requests)
    why = reason(Code.NO_RIGHT_ANSWER, errors=errors, dropped=dropped, outside=outside)
    unknown = _record(0, A, PLANNED, result, (at, at), pids=[]).unknown
    assert unknown.get("requests") == (None if requests else why)
