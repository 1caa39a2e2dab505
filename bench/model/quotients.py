"""What is divided by what: the one place for each quotient of what slices saw. Of several slices, sums come first.

A quotient is above zero or None: 0 is neither a divisor nor a logarithm. ``analysis/tidy_table.py`` has the same
quotients for whole columns at once.
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


def cpu_ns_per_request(*slices: SliceRecord) -> float | None:
    """Returns the server's CPU time for a right answer; None without one, or where a slice's CPU time is not known."""
    cpu_ns = [each.server_cpu_ns for each in slices if each.server_cpu_ns is not None]
    if len(cpu_ns) < len(slices):
        return None
    return _quotient(sum(cpu_ns), sum(each.requests_in_slice for each in slices))


def _quotient(above: float, below: float) -> float | None:
    return above / below if above > 0 and below > 0 else None
