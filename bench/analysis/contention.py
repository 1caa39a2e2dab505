"""Whether server and driver had their cores: what the hypervisor took, and how long they waited for others."""

from collections.abc import Sequence

from msgspec import Struct

from bench.analysis import lateness
from bench.analysis.discard import DISCARD_STEAL
from bench.model import quotients
from bench.model.estimate import BUSY_SHARE, Status, Validity
from bench.model.reason import Code, reason
from bench.model.records import SliceRecord

USUAL_WAIT = 1.5
"""A server's threads wait for each other, about as long per request at any load. Above this it is unusual."""


class Shares(Struct, frozen=True):
    """Shares of the time of a cell's slices: of the server's cores, of the driver's, and of one core for the steal."""

    server: float | None
    server_waited: float | None
    driver: float | None
    driver_waited: float | None
    steal: float | None


def shares_of(records: Sequence[SliceRecord], workers: int) -> Shares:
    """Returns what server and driver did with their cores in these slices."""
    server, waited, driver, driver_waited = (
        quotients.share_of_core(counter, *records)
        for counter in ("server_cpu_ns", "server_run_queue_ns", "driver_cpu_ns", "driver_run_queue_ns")
    )
    return Shares(
        server=None if server is None else server / workers,
        server_waited=None if waited is None else waited / workers,
        driver=driver,
        driver_waited=driver_waited,
        steal=quotients.steal_share(*records),
    )


def stolen(shares: Shares) -> Validity | None:
    """Judges steal: above what discards a slice, in more slices than could be repeated."""
    if shares.steal is None or shares.steal <= DISCARD_STEAL:
        return None
    return Validity(Status.STARVED, (reason(Code.STOLEN, steal_share=shares.steal),))


def held_up_server(shares: Shares) -> Validity | None:
    """Judges whether others kept the server off its cores, where it had no time to spare."""
    return _held_up(Code.SERVER_KEPT_OFF, shares, shares.server, shares.server_waited)


def held_up_driver(shares: Shares) -> Validity | None:
    """Judges whether others kept the driver off its core: it has one thread, which waits for no other of its own."""
    return _held_up(Code.DRIVER_KEPT_OFF, shares, shares.driver, shares.driver_waited)


def _held_up(code: Code, shares: Shares, ran: float | None, waited: float | None) -> Validity | None:
    if ran is None or ran + (waited or 0.0) + (shares.steal or 0.0) < BUSY_SHARE:
        return None
    found = reason(
        code,
        server_share=shares.server,
        driver_share=shares.driver,
        waited_share=waited,
        steal_share=shares.steal,
    )
    return Validity(Status.STARVED, (found,))


def own_wait_ms(saturated: Sequence[SliceRecord]) -> float | None:
    """Returns how long a server's own threads may keep a request waiting, by slices in which it had its cores."""
    wait_ms = quotients.queued_ms_per_request(*saturated)
    return None if wait_ms is None else USUAL_WAIT * wait_ms


def kept_waiting(records: Sequence[SliceRecord], own_ms: float | None) -> Validity | None:
    """Judges whether others kept a server off its cores that had time to spare: how long it waited a request.

    Of that its own threads may have done ``own_ms``; where that is not known, nothing is found.
    """
    waited_ms = quotients.queued_ms_per_request(*records)
    if waited_ms is None or own_ms is None:
        return None
    latency_ms = lateness.median_latency_ms(records)
    if waited_ms <= own_ms + lateness.tolerance_ms(latency_ms):
        return None
    found = reason(Code.SERVER_WAITED, waited_ms=waited_ms, own_ms=own_ms, latency_ms=latency_ms)
    return Validity(Status.STARVED, (found,))
