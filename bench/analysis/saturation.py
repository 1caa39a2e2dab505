"""What limited a Lane: its throughput under a closed load says what the server can do only if that was the server."""

from collections.abc import Sequence

from bench.analysis import contention, histograms
from bench.analysis.contention import Shares
from bench.model.estimate import BUSY_SHARE, Status, Validity, is_busy
from bench.model.reason import Code, Reason, reason
from bench.model.records import SliceRecord

USERS_SHARE = 0.5
"""So many of a closed load's users have to be waiting for the server at any time; else they mostly wait for the driver.

With a server that is busy throughout, an answer that waits for the driver costs no throughput.
"""
MORE_USERS = 1.1
"""More than that can't be: throughput and latency of the windows are then not of the same requests."""
ALL_USERS_SHARE = 0.9
"""So many have to be with a server that is not busy, for what it serves to be the most that it can: one that waits."""


def limit(saturated: Sequence[SliceRecord], shares: Shares) -> Validity | None:
    """Judges what limited the saturated throughput. It has to be the server.

    The server's own threads wait for each other, which counts as waiting for a core too: so its CPU time decides first.
    """
    if is_busy(shares.server):
        return users_under_way(saturated)
    if not cpu_times_known(shares):
        return Validity(Status.NOT_SATURATED, (reason(Code.CPU_TIMES_UNKNOWN),))
    return (
        driver_full(shares)
        or contention.held_up_server(shares)
        or contention.held_up_driver(shares)
        or _nothing_full(saturated, shares)
    )


def driver_full(shares: Shares) -> Validity | None:
    """Judges whether the driver was the limit, so that the server can do more than is shown."""
    if is_busy(shares.server) or not is_busy(shares.driver):
        return None
    found = reason(Code.DRIVER_FULL, server_share=shares.server, driver_share=shares.driver)
    return Validity(Status.DRIVER_BOUND, (found,))


def cpu_times_known(shares: Shares) -> bool:
    """Returns whether it is known how busy server and driver were."""
    return shares.server is not None and shares.driver is not None


def users_under_way(saturated: Sequence[SliceRecord]) -> Validity | None:
    """Judges by Little's law whether all users of the load were there.

    Throughput times mean latency is how many requests were under way (Little, A proof for the queuing formula L = λW,
    Operations Research 9, 1961). A user who has none is with the driver.
    """
    share = _under_way(saturated)
    if share < USERS_SHARE:
        return Validity(Status.DRIVER_BOUND, (reason(Code.USERS_WITH_DRIVER, users_share=share),))
    if share > MORE_USERS:
        return Validity(Status.UNSTABLE, (reason(Code.WINDOWS_TOO_SHORT, users_share=share),))
    return None


def may_do_more(saturated: Sequence[SliceRecord], shares: Shares) -> Reason | None:
    """Returns why a server that did not use its cores may do more than it did; None where that was its most.

    It waited for its cores: for others, or for its own threads. Or users were with the driver (Little's law).
    """
    if is_busy(shares.server):
        return None
    if shares.server is None:
        return reason(Code.CPU_TIMES_UNKNOWN)
    if shares.server + (shares.server_waited or 0.0) >= BUSY_SHARE:
        return reason(Code.SERVER_SHORT_OF_CORES, server_share=shares.server, waited_share=shares.server_waited)
    users = _under_way(saturated)
    if users >= ALL_USERS_SHARE:
        return None
    return reason(Code.FULL_TOGETHER, server_share=shares.server, driver_share=shares.driver, users_share=users)


def _nothing_full(saturated: Sequence[SliceRecord], shares: Shares) -> Validity:
    users = max((record.load.under_way or 0 for record in saturated), default=0)
    found = reason(Code.NOTHING_FULL, server_share=shares.server, driver_share=shares.driver, users=users)
    return Validity(Status.NOT_SATURATED, (found,))


def _under_way(saturated: Sequence[SliceRecord]) -> float:
    """Returns the share of the users who had a request under way, by throughput and mean latency."""
    users = sum((record.load.under_way or 0) * record.window_s for record in saturated)
    latencies = histograms.merged([record.latency_us for record in saturated])
    requests = sum(record.requests for record in saturated)
    return requests * histograms.mean_us(latencies) / 1e6 / users if users > 0 else 1.0
