"""Whether the driver was on time: how much of an open load's latencies is its own, at the median and in the tail."""

from collections.abc import Sequence

from bench.analysis import histograms
from bench.model.estimate import Status, Validity
from bench.model.reason import Code, reason
from bench.model.records import SliceRecord

LATE_MS = 0.1
"""A driver may be that late at the median: latencies are to be right to 0.1 ms ..."""
LATE_SHARE = 0.05
"""... or to 5 %, whichever is more."""
LATE_TAIL_SHARE = 0.5
"""In the tail one hiccup of the machine is enough. Above this share of driver's lateness, a p99 is not the server's."""


def tolerance_ms(latency_ms: float) -> float:
    """Returns by how much a median latency may be wrong."""
    return max(LATE_MS, LATE_SHARE * latency_ms)


def late(fixed: Sequence[SliceRecord]) -> Validity | None:
    """Judges how much of the latencies of an open load is the driver's, at the median and in the tail."""
    late_ms, latency_ms = _driver_ms(fixed, 50), median_latency_ms(fixed)
    if late_ms is not None and late_ms > tolerance_ms(latency_ms):
        return Validity(Status.DRIVER_BOUND, (reason(Code.DRIVER_LATE, late_ms=late_ms, latency_ms=latency_ms),))
    return _late_tail(fixed)


def median_latency_ms(records: Sequence[SliceRecord]) -> float:
    """Returns the median latency, from the intended start where the load is open; 0 without an answer."""
    return _percentile_ms([record.latency_from_intended_us or record.latency_us for record in records], 50) or 0.0


def _driver_ms(fixed: Sequence[SliceRecord], percentile: float) -> float | None:
    """Returns how late the driver was; None where it is unknown.

    A request is sent late by the server too, where it left no connection free: the driver's event loop was not late
    then. So the driver was as late as both say.
    """
    sent_ms = _percentile_ms([record.send_lateness_us for record in fixed], percentile)
    looped_ms = _percentile_ms([record.loop_lag_us for record in fixed], percentile)
    return None if sent_ms is None or looped_ms is None else min(sent_ms, looped_ms)


def _late_tail(fixed: Sequence[SliceRecord]) -> Validity | None:
    """Judges the tail, by the p99 of most Rounds: one hiccup in one of them is no habit."""
    rounds = sorted({record.round for record in fixed})
    tails = [tail for index in rounds if (tail := _tail_ms([record for record in fixed if record.round == index]))]
    if not tails:
        return None
    late_ms, latency_ms = sorted(tails, key=lambda tail: tail[0] / tail[1])[(len(tails) - 1) // 2]
    if late_ms <= max(LATE_MS, LATE_TAIL_SHARE * latency_ms):
        return None
    return Validity(Status.DRIVER_BOUND, (reason(Code.DRIVER_LATE_IN_TAIL, late_ms=late_ms, latency_ms=latency_ms),))


def _tail_ms(of_round: Sequence[SliceRecord]) -> tuple[float, float] | None:
    """Returns the p99 of how late the driver was, and of the latency; None for too few answers, or unknown."""
    if histograms.beyond(sum(record.requests for record in of_round), 99) < 1:
        return None
    late_ms = _driver_ms(of_round, 99)
    latency_ms = _percentile_ms([record.latency_from_intended_us for record in of_round], 99)
    return (late_ms, latency_ms) if late_ms is not None and latency_ms else None


def _percentile_ms(encoded: Sequence[str | None], percentile: float) -> float | None:
    histogram = histograms.merged([text for text in encoded if text is not None])
    return histograms.percentile_ms(histogram, percentile) if histogram.total_count else None
