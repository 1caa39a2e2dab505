"""How far a Lane's numbers can be trusted, and why."""

from collections.abc import Sequence

import pytest
from conftest import failure, fixed, saturated
from hypothesis import given
from hypothesis import strategies as st

from bench import validity
from bench.records import SliceRecord, Status, Validity

SHARES = st.floats(0.0, 1.2)


def at_shares(server: float | None, driver: float | None) -> list[SliceRecord]:
    """Returns saturated slices in which server and driver used these shares of their cores."""
    slice_s = saturated().slice_s
    server_ns, driver_ns = (None if share is None else round(share * slice_s * 1e9) for share in (server, driver))
    return [saturated(server_cpu_ns=server_ns, driver_cpu_ns=driver_ns) for _ in range(3)]


def judged(records: Sequence[SliceRecord], workers: int = 1) -> Validity:
    return validity.worst(validity.judge_cells(records, None, workers))


def test_a_server_that_was_the_limit_is_valid() -> None:
    """The server was busy, no answer was wrong: nothing to be said."""
    assert judged(at_shares(0.97, 0.5)) == Validity(Status.VALID)


@given(server=SHARES, driver=SHARES)
def test_the_limit_has_to_be_the_server(server: float, driver: float) -> None:
    """A busy server is valid; else a busy driver was the limit; else nobody was."""
    found = judged(at_shares(server, driver))
    if abs(server - 0.9) > 1e-6 and abs(driver - 0.9) > 1e-6:
        expected = Status.DRIVER_BOUND if driver > 0.9 else Status.NOT_SATURATED
        assert found.status is (Status.VALID if server > 0.9 else expected)
    assert bool(found.reasons) == (found.status is not Status.VALID)


def test_reasons_have_the_numbers() -> None:
    """What was seen of server and driver is said in percent."""
    (reason,) = judged(at_shares(0.41, 0.97)).reasons
    assert "server at 41%" in reason
    assert "driver at 97%" in reason
    (reason,) = judged(at_shares(0.41, 0.52)).reasons
    assert "server at 41%" in reason
    assert "driver at 52%" in reason


@pytest.mark.parametrize(("workers", "status"), [(1, Status.VALID), (2, Status.VALID), (3, Status.NOT_SATURATED)])
def test_every_worker_has_a_core_to_fill(workers: int, status: Status) -> None:
    """Two cores' worth of time saturates two workers, not three."""
    assert judged(at_shares(1.9, 0.5), workers).status is status


@pytest.mark.parametrize(("server", "driver"), [(None, 0.5), (0.5, None), (None, None)])
def test_without_counters_nothing_shows_what_the_limit_was(server: float | None, driver: float | None) -> None:
    """What is not known is not valid, and the reason says what is missing."""
    found = judged(at_shares(server, driver))
    assert found.status is Status.NOT_SATURATED
    assert found.reasons[0].startswith("CPU times could not be read")


def test_a_busy_server_is_the_limit_whatever_the_driver_did() -> None:
    """The driver's own counter is not needed where the server's says it all."""
    assert judged(at_shares(0.97, None)).status is Status.VALID


def test_requests_that_were_never_sent_make_a_lane_failing() -> None:
    """Their latency is in no percentile; the reason has how many of how many, and what to do."""
    found = judged([*at_shares(0.97, 0.5), fixed(requests=90, missed=10)])
    assert found.status is Status.FAILING
    (reason,) = found.reasons
    assert reason.startswith("10 of 100 requests of the fixed rate were never sent")
    assert reason.endswith("lower load.rate_share")


def test_only_saturated_slices_say_what_the_limit_was() -> None:
    """At a fixed rate nobody is meant to be busy."""
    idle = [fixed(server_cpu_ns=10**6, driver_cpu_ns=10**6) for _ in range(9)]
    assert judged([*at_shares(0.97, 0.5), *idle]).status is Status.VALID
    assert judged(idle).status is Status.VALID


def test_wrong_answers_are_counted_in_all_slices() -> None:
    """Any wrong answer makes a Lane failing; the reason has how many of how many, and of what kinds."""
    records = [
        saturated(requests_in_slice=90, errors={"status 500": 4}),
        saturated(requests_in_slice=90),
        fixed(requests_in_slice=100, errors={"timeout": 1, "status 500": 15}),
    ]
    found = judged(records)
    assert found.status is Status.FAILING
    assert found.reasons[0].startswith("20 of 300 answers were wrong (status 500, timeout)")


def test_wrong_answers_come_before_the_limit() -> None:
    """Numbers of a Lane that answers wrongly mean nothing, however busy it was."""
    assert judged([*at_shares(0.2, 0.99), saturated(errors={"status 500": 1})]).status is Status.FAILING


@given(server=SHARES, errors=st.dictionaries(st.sampled_from(["timeout", "status 500"]), st.integers(1, 9)))
def test_a_lane_that_failed_has_failed(server: float, errors: dict[str, int]) -> None:
    """Nothing else matters of a Lane that was left out; the reason has the Round, counted from 1, and the step."""
    records = [*at_shares(server, 0.5), saturated(errors=errors)]
    found = validity.worst(
        validity.judge_cells(records, failure("alpha@gthread", round=2, reason="the server ended"), 1)
    )
    assert found == Validity(Status.FAILED, ("round 3, load: the server ended",))


@given(steal_s=st.none() | st.floats(0, 1), step_s=st.floats(-1, 1))
def test_a_slice_is_spoilt_by_the_machine_alone(steal_s: float | None, step_s: float) -> None:
    """By steal or by a clock that stepped, with the number in its reason; errors and speed have no say."""
    seen = saturated(steal_s=steal_s, clock_step_s=step_s, errors={"timeout": 9}, requests=0)
    stolen = steal_s is not None and steal_s > validity.SPOILT_STEAL * seen.slice_s
    stepped = abs(step_s) > validity.SPOILT_STEP_S
    assert (validity.spoilt(seen) is not None) == (stolen or stepped)


def test_a_lane_without_records_is_not_measured() -> None:
    """Nothing is known of it, so it is not valid; the reason says what to do. A Lane that failed has failed."""
    found = judged([])
    assert found.status is Status.NOT_MEASURED
    (reason,) = found.reasons
    assert reason.endswith("; run it again")
    assert validity.worst(validity.judge_cells([], failure("alpha@gthread"), 1)).status is Status.FAILED


def test_a_busy_share_is_that_of_the_slices_that_know() -> None:
    """A slice without a counter is left out with its time; without any the share is unknown."""
    records = [saturated(driver_cpu_ns=150_000_000, slice_s=0.3), saturated(driver_cpu_ns=None, slice_s=0.3)]
    assert validity.busy_share(records, "driver_cpu_ns") == pytest.approx(0.5)
    assert validity.busy_share(records[1:], "driver_cpu_ns") is None
    assert validity.busy_share([], "driver_cpu_ns") is None


@given(times_ms=st.lists(st.integers(0, 300), min_size=1, max_size=9))
def test_a_busy_share_is_over_all_slices(times_ms: list[int]) -> None:
    """One slice does not decide."""
    records = [saturated(server_cpu_ns=time_ms * 10**6, slice_s=0.3) for time_ms in times_ms]
    assert validity.busy_share(records, "server_cpu_ns") == pytest.approx(sum(times_ms) / 300 / len(times_ms))
