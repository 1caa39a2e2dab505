"""Whether server and driver had their cores."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from bench.model.estimate import Status, Validity
from bench.model.load import Phase
from bench.model.reason import Code
from bench.model.records import SliceRecord
from tests.builders.cells import cells_of, judged, waiting
from tests.builders.runs import fixed, saturated


def test_a_server_that_waited_for_its_core_is_starved() -> None:
    """Runnable all the time and not run: something else was on its core. The reason has how long it waited."""
    found = judged([saturated(server_cpu_ns=180_000_000, server_run_queue_ns=100_000_000) for _ in range(3)])
    assert (found.status, found.reasons[0].code) == (Status.STARVED, Code.SERVER_KEPT_OFF)
    assert found.reasons[0].values == pytest.approx(
        {"server_share": 0.6, "driver_share": 1 / 3, "waited_share": 1 / 3, "steal_share": 0.0}
    )


def test_a_driver_that_waited_for_its_core_is_starved() -> None:
    """It would have offered more."""
    waiting = [saturated(server_cpu_ns=180_000_000, driver_cpu_ns=150_000_000, driver_run_queue_ns=130_000_000)]
    found = judged(waiting)
    assert (found.status, found.reasons[0].code) == (Status.STARVED, Code.DRIVER_KEPT_OFF)
    assert found.reasons[0].values["waited_share"] == pytest.approx(0.43, abs=0.01)


def test_threads_that_wait_for_each_other_starve_nobody() -> None:
    """A server whose threads queue for the core that they fill was the limit itself."""
    assert judged([saturated(server_cpu_ns=285_000_000, server_run_queue_ns=600_000_000)]) == Validity(Status.VALID)


@pytest.mark.parametrize("make", [saturated, fixed])
def test_what_the_hypervisor_took_starves(make: Callable[..., SliceRecord]) -> None:
    """One slice may lose more; all slices together may not."""
    stolen = [make(steal_s=0.15), make(steal_s=0.0), make(steal_s=0.01)]
    assert judged(stolen).status is Status.VALID
    found = judged([*stolen, make(steal_s=0.15)])
    assert (found.status, found.reasons[0].code) == (Status.STARVED, Code.STOLEN)
    assert found.reasons[0].values["steal_share"] == pytest.approx(0.26, abs=0.01)


def test_what_is_not_known_is_no_zero() -> None:
    """A reason gives neither a steal nor a waiting that nobody has read."""
    row = saturated(server_cpu_ns=100_000_000, driver_cpu_ns=100_000_000, slice_s=0.3, steal_s=None)
    starved = judged([replace(row, server_run_queue_ns=190_000_000)])
    assert starved.status is Status.STARVED
    assert starved.reasons[0].values["waited_share"] == pytest.approx(0.63, abs=0.01)
    assert starved.reasons[0].values["steal_share"] is None
    stolen = judged([replace(row, server_run_queue_ns=None, steal_s=0.05, server_cpu_ns=230_000_000)])
    assert stolen.reasons[0].values["waited_share"] is None
    assert stolen.reasons[0].values["steal_share"] == pytest.approx(0.17, abs=0.01)


@pytest.mark.parametrize(
    ("usual_ms", "fixed_ms", "status"),
    [
        (0.0, 0.09, Status.VALID),
        (0.0, 0.2, Status.STARVED),
        (0.6, 0.9, Status.VALID),
        (0.6, 1.1, Status.STARVED),
    ],
)
def test_a_server_at_a_fixed_rate_has_to_have_its_core(usual_ms: float, fixed_ms: float, status: Status) -> None:
    """What its threads wait for each other is what they do when saturated; the reason has both."""
    cells = cells_of([*waiting(usual_ms, saturated), *waiting(fixed_ms, fixed)])
    assert cells[Phase.SATURATED] == Validity(Status.VALID)
    assert cells[Phase.FIXED].status is status
    doubts = cells[Phase.FIXED].reasons
    assert [each.code for each in doubts] == ([] if status is Status.VALID else [Code.SERVER_WAITED])
    for each in doubts:
        expected = {"waited_ms": fixed_ms, "own_ms": 1.5 * usual_ms, "latency_ms": 1.0}
        assert each.values == pytest.approx(expected, rel=0.01)


def test_a_server_that_was_starved_when_saturated_shows_nothing_usual() -> None:
    """Then its waiting was not its own threads' doing, and is no measure for the fixed rate."""
    robbed = waiting(0.6, saturated, server_cpu_ns=150_000_000)
    assert cells_of([*robbed, *waiting(0.6, fixed)])[Phase.FIXED].status is Status.STARVED
    assert cells_of([*waiting(0.6, saturated), *waiting(0.6, fixed)])[Phase.FIXED].status is Status.VALID


def test_without_a_saturated_slice_nothing_shows_what_a_server_usually_waits() -> None:
    """Nor without the counter: no finding."""
    assert judged(waiting(0.6, fixed)).status is Status.VALID
    unknown = [saturated(server_run_queue_ns=None), *waiting(0.6, fixed)]
    assert cells_of(unknown)[Phase.FIXED].status is Status.VALID
