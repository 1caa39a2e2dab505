"""What limited a Lane: the server, the driver, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.model.estimate import Status, Validity
from bench.model.reason import Code, reason
from tests.builders.cells import at_shares, judged
from tests.builders.runs import USERS, fixed, saturated, spread

SHARES = st.floats(0.0, 1.2)


@given(server=SHARES, driver=SHARES)
def test_the_limit_has_to_be_the_server(server: float, driver: float) -> None:
    """A busy server is valid; else a busy driver was the limit; else nobody was."""
    found = judged(at_shares(server, driver))
    if abs(server - 0.9) > 0.01 and abs(driver - 0.9) > 0.01:  # each waited for its core for 0.3 % of the time
        expected = Status.DRIVER_BOUND if driver > 0.9 else Status.NOT_SATURATED
        assert found.status is (Status.VALID if server > 0.9 else expected)
    assert bool(found.reasons) == (found.status is not Status.VALID)


def test_reasons_have_the_numbers() -> None:
    """The shares of server and driver, and where nothing was full the users that were too few."""
    (full,) = judged(at_shares(0.41, 0.97)).reasons
    assert full.code is Code.DRIVER_FULL
    assert full.values == pytest.approx({"server_share": 0.41, "driver_share": 0.97})
    (idle,) = judged(at_shares(0.41, 0.52)).reasons
    assert idle.code is Code.NOTHING_FULL
    assert idle.values == pytest.approx({"server_share": 0.41, "driver_share": 0.52, "users": USERS})


@pytest.mark.parametrize(("workers", "status"), [(1, Status.VALID), (2, Status.VALID), (3, Status.NOT_SATURATED)])
def test_every_worker_has_a_core_to_fill(workers: int, status: Status) -> None:
    """Two cores' worth of time saturates two workers, not three."""
    assert judged(at_shares(1.9, 0.5), workers).status is status


@pytest.mark.parametrize(("server", "driver"), [(None, 0.5), (0.5, None), (None, None)])
def test_without_counters_nothing_shows_what_the_limit_was(server: float | None, driver: float | None) -> None:
    """What is not known is not valid, and the reason is what is missing."""
    unknown = (reason(Code.CPU_TIMES_UNKNOWN),)
    assert judged(at_shares(server, driver)) == Validity(Status.NOT_SATURATED, unknown)


def test_a_busy_server_is_the_limit_whatever_the_driver_did() -> None:
    """The driver's own counter is not needed where the server's says it all."""
    assert judged(at_shares(0.97, None)).status is Status.VALID


def test_only_saturated_slices_say_what_the_limit_was() -> None:
    """At a fixed rate nobody is meant to be busy."""
    idle = [fixed(server_cpu_ns=10**6, driver_cpu_ns=10**6) for _ in range(9)]
    assert judged([*at_shares(0.97, 0.5), *idle]).status is Status.VALID
    assert judged(idle).status is Status.VALID


@pytest.mark.parametrize(
    ("latency_us", "status", "code"),
    [
        (4000, Status.VALID, None),
        (2100, Status.VALID, None),
        (1900, Status.DRIVER_BOUND, Code.USERS_WITH_DRIVER),
        (4500, Status.UNSTABLE, Code.WINDOWS_TOO_SHORT),
    ],
)
def test_the_users_have_to_be_there(latency_us: int, status: Status, code: Code | None) -> None:
    """By Little's law: 1,000 answers a second of 4 ms each are 4 users; fewer are with the driver, more can't be."""
    found = judged([saturated(latency_us=spread(250, latency_us))])
    assert found.status is status
    assert [each.code for each in found.reasons] == ([code] if code else [])
    for each in found.reasons:
        assert each.values["users_share"] == pytest.approx(latency_us / 4000, abs=0.01)
