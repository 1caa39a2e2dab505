"""What is divided by what: the one place for each quotient of what slices saw. Of several slices, sums come first.

What may be averaged by its logarithm is above zero or None.
"""

from collections.abc import Sequence
from math import fsum

from bench.model.protocol import SliceResult
from bench.model.records import SliceRecord

NS_PER_MS, NS_PER_S = 1e6, 1e9


def throughput_rps(*slices: SliceResult | SliceRecord) -> float | None:
    """Returns the right answers a second of the windows; None without one."""
    return _quotient(sum(each.requests for each in slices), fsum(each.window_s for each in slices))


def served_rps(*slices: SliceRecord) -> float | None:
    """Returns the right answers a second that arrived in the windows, whenever they were due; None without one."""
    return _quotient(sum(each.answers_in_window or 0 for each in slices), fsum(each.window_s for each in slices))


def per_request(counter: str, divisor: int, *slices: SliceRecord) -> float | None:
    """Returns what a field counted over whole slices, in units of ``divisor``, for a right answer.

    None without one, or where a slice does not know it: the others would be divided by answers not theirs.
    """
    counts = [getattr(each, counter) for each in slices]
    counted = 0 if None in counts else sum(counts)
    return _quotient(counted / divisor, sum(each.requests_in_slice for each in slices))


def queued_ms_per_request(*slices: SliceRecord) -> float | None:
    """Returns how long the server's threads waited for a core, by right answers; None where no slice knows."""
    known = [each for each in slices if each.server_run_queue_ns is not None]
    answers = sum(each.requests_in_slice for each in known)
    return sum(each.server_run_queue_ns or 0 for each in known) / NS_PER_MS / answers if answers else None


def share_of_core(counter: str, *slices: SliceRecord) -> float | None:
    """Returns the share of wall time that a ``*_ns`` counter covers, in the slices that know it; None without one."""
    return _share_of_time(counter, NS_PER_S, slices)


def steal_share(*slices: SliceRecord) -> float | None:
    """Returns the share of wall time that the hypervisor took, in the slices that know it; None without one."""
    return _share_of_time("steal_s", 1, slices)


def _share_of_time(counter: str, per_s: float, slices: Sequence[SliceRecord]) -> float | None:
    known = [each for each in slices if getattr(each, counter) is not None]
    slice_s = sum(each.slice_s for each in known)
    return float(sum(getattr(each, counter) for each in known) / per_s / slice_s) if slice_s > 0 else None


def error_ratio(*slices: SliceRecord) -> float | None:
    """Returns the wrong answers among all; None without one."""
    wrong = errors(*slices)
    answers = wrong + sum(each.requests_in_slice for each in slices)
    return wrong / answers if answers else None


def errors(*slices: SliceRecord) -> int:
    """Returns how many answers were wrong or missing."""
    return sum(sum(each.errors.values()) for each in slices)


def _quotient(above: float, below: float) -> float | None:
    return above / below if above > 0 and below > 0 else None
