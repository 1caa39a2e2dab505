"""Histograms of latencies: their sums, percentiles and means."""

import zlib
from collections.abc import Sequence
from functools import cache, reduce

import numpy as np
from hdrh.codec import HdrCookieException, HdrHistogramSettingsException, HdrLengthException
from hdrh.histogram import HdrHistogram

from bench.analysis.autocorrelation import Floats
from bench.model.errors import WrongUsage
from bench.model.protocol import MAX_LATENCY_US, SIGNIFICANT_DIGITS

_DAMAGE = (HdrCookieException, HdrLengthException, HdrHistogramSettingsException)


class DamagedHistogram(WrongUsage):
    """A slice's histogram is none; the message shows how it begins."""


def merged(encoded: Sequence[str]) -> HdrHistogram:
    """Returns the sum of histograms, each in base64; an empty one for none."""
    empty = HdrHistogram(1, MAX_LATENCY_US, SIGNIFICANT_DIGITS)
    return reduce(_added, encoded, empty)


def _added(total: HdrHistogram, encoded: str) -> HdrHistogram:
    try:
        total.add(HdrHistogram.decode(encoded))
    except (*_DAMAGE, ValueError, zlib.error) as error:
        raise DamagedHistogram(
            f"slices: found {encoded[:20]!r}, expected a histogram in base64 as HdrHistogram encodes it "
            f"({type(error).__name__}); remove the line that has it from slices.jsonl"
        ) from None
    return total


def percentile_ms(histogram: HdrHistogram, percentile: float) -> float:
    """Returns a percentile (0 to 100) of a histogram of us, in ms; at least 1 us, so that it has a logarithm.

    What HdrHistogram's own returns, in a fiftieth of the time: it looks at its 17,408 bins one by one.
    """
    target = histogram.get_target_count_at_percentile(percentile)
    index = int(np.searchsorted(np.cumsum(histogram.counts), target))
    if index == histogram.counts_len:
        return 1 / 1000
    lowest_us = int(_bins_us()[index])
    return max(1, histogram.get_highest_equivalent_value(lowest_us) if percentile else lowest_us) / 1000


def mean_us(histogram: HdrHistogram) -> float:
    """Returns the mean of a histogram of us, to its three digits; 0 where it is empty."""
    return float(np.average(_bins_us(), weights=histogram.counts)) if histogram.total_count else 0.0


@cache
def _bins_us() -> Floats:
    empty = HdrHistogram(1, MAX_LATENCY_US, SIGNIFICANT_DIGITS)
    return np.array([empty.get_value_from_index(index) for index in range(empty.counts_len)], dtype=float)


def beyond(count: float, percentile: float) -> float:
    """Returns how many of so many answers are expected beyond a percentile (0 to 100)."""
    return round(count * (100 - percentile) / 100, 6)


MIN_BEYOND = 5
"""A percentile is given only where so many answers are expected beyond it."""
