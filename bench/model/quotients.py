"""What is divided by what: the one place for each quotient of what slices saw. Of several slices, sums come first.

A quotient is above zero or None: 0 is neither a divisor nor has it a logarithm.
"""

from math import fsum

from bench.model.protocol import SliceResult
from bench.model.records import SliceRecord


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


def _quotient(above: float, below: float) -> float | None:
    return above / below if above > 0 and below > 0 else None
