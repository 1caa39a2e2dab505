"""Whether the driver was on time."""

from collections.abc import Sequence

import pytest

from bench.model.estimate import Status
from bench.model.reason import Code
from bench.model.records import SliceRecord
from tests.builders.cells import judged
from tests.builders.runs import fixed, histogram


def late(median_us: int) -> str:
    """Returns the histogram of a driver that was late by so much."""
    return histogram(*[median_us] * 101)


@pytest.mark.parametrize(
    ("latency_us", "late_us", "status"),
    [
        (250, 90, Status.VALID),
        (250, 120, Status.DRIVER_BOUND),
        (8000, 350, Status.VALID),
        (8000, 450, Status.DRIVER_BOUND),
    ],
)
def test_a_driver_at_a_fixed_rate_has_to_be_on_time(latency_us: int, late_us: int, status: Status) -> None:
    """To 0.1 ms, or to 5 % of the latency that it reports; the reason has both."""
    lateness = {"send_lateness_us": late(late_us), "loop_lag_us": late(late_us + 100)}
    found = judged([fixed(latency_from_intended_us=late(latency_us), **lateness)])
    assert found.status is status
    assert [each.code for each in found.reasons] == ([] if status is Status.VALID else [Code.DRIVER_LATE])
    for each in found.reasons:
        assert each.values == pytest.approx({"late_ms": late_us / 1000, "latency_ms": latency_us / 1000}, rel=0.01)


@pytest.mark.parametrize(("sent_us", "looped_us"), [(9000, 60), (60, 9000), (9000, None), (None, 9000)])
def test_the_driver_was_as_late_as_both_say(sent_us: int | None, looped_us: int | None) -> None:
    """Requests that a full server left no connection for are sent late by it, while the event loop is on time."""
    sent, looped = (None if us is None else late(us) for us in (sent_us, looped_us))
    record = fixed(latency_from_intended_us=late(10_000), send_lateness_us=sent, loop_lag_us=looped)
    assert judged([record]).status is Status.VALID


def test_an_unknown_lateness_is_not_held_against_a_lane() -> None:
    """Counters and histograms that were not recorded say nothing, either way."""
    assert judged([fixed(loop_lag_us=None, send_lateness_us=None)]).status is Status.VALID


def tails(rounds: Sequence[tuple[int, int, int]]) -> list[SliceRecord]:
    """Returns a slice a Round with these p99s in us: of sending, of the event loop, of the latency; fine medians."""

    def ending(tail_us: int, median_us: int) -> str:
        return histogram(*[median_us] * 245, *[tail_us] * 5)

    return [
        fixed(
            round=index,
            send_lateness_us=ending(sent, 50),
            loop_lag_us=ending(looped, 50),
            latency_from_intended_us=ending(latency, 1000),
        )
        for index, (sent, looped, latency) in enumerate(rounds)
    ]


@pytest.mark.parametrize(
    ("rounds", "status"),
    [
        ([(1900, 1900, 4000)] * 3, Status.VALID),
        ([(2100, 2100, 4000)] * 3, Status.DRIVER_BOUND),
        ([(90, 90, 100)] * 3, Status.VALID),
        ([(9000, 500, 10_000)] * 3, Status.VALID),
        ([(500, 9000, 10_000)] * 3, Status.VALID),
        ([(2100, 2100, 4000), (200, 200, 4000)], Status.VALID),
        ([(2100, 2100, 4000), (3100, 2900, 4000), (200, 200, 4000)], Status.DRIVER_BOUND),
    ],
)
def test_the_tail_of_a_latency_is_not_the_drivers(rounds: list[tuple[int, int, int]], status: Status) -> None:
    """Not for the most part, in most Rounds; what the server made late by having no connection free is its own."""
    found = judged(tails(rounds))
    assert found.status is status
    assert [each.code for each in found.reasons] == ([] if status is Status.VALID else [Code.DRIVER_LATE_IN_TAIL])
    for each in found.reasons:
        assert each.values["latency_ms"] == pytest.approx(4, abs=0.01)
