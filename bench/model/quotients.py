"""What is divided by what: the one place for each quotient of what slices saw. Of several slices, sums come first.

A quotient is above zero or None: 0 is neither a divisor nor has it a logarithm.
"""

from collections.abc import Sequence
from math import fsum

from bench.model.protocol import SliceResult
from bench.model.records import SliceRecord

NS_PER_US = 1000


def throughput_rps(*slices: SliceResult | SliceRecord) -> float | None:
    """Returns the right answers a second of the windows; None without one."""
    return _quotient(sum(each.requests for each in slices), fsum(each.window_s for each in slices))


def served_rps(*slices: SliceRecord) -> float | None:
    """Returns the right answers a second that arrived in the windows, whenever they were due; None without one."""
    return _quotient(sum(each.answers_in_window or 0 for each in slices), fsum(each.window_s for each in slices))


def cpu_us_per_request(*slices: SliceRecord) -> float | None:
    """Returns the server's CPU time for a right answer; None without one, or where a slice's CPU time is not known."""
    return _quotient(_cpu_ns(slices) / NS_PER_US, sum(each.requests_in_slice for each in slices))


def _cpu_ns(slices: Sequence[SliceRecord]) -> int:
    """Returns the sum of CPU times; 0 where one is not known, as the others would be divided by answers not theirs."""
    known = [each.server_cpu_ns for each in slices if each.server_cpu_ns is not None]
    return sum(known) if len(known) == len(slices) else 0


def _quotient(above: float, below: float) -> float | None:
    return above / below if above > 0 and below > 0 else None
