"""Counts of latencies in the bins of an HdrHistogram, at a tenth of the cost of its ``record_value``."""

from hdrh.histogram import HdrHistogram

from bench.model.protocol import MAX_LATENCY_US, SIGNIFICANT_DIGITS

# The layout of HdrHistogram(1, MAX_LATENCY_US, 3): 2,048 bins of 1 us, then 1,024 for every doubling.
_HALF_BITS = 10
_WIDTH_1_BITS = _HALF_BITS + 1
_WIDTH_1_END = 1 << _WIDTH_1_BITS


class Histogram:
    """A histogram that is cheap to record into, and takes the same memory whatever is recorded."""

    def __init__(self) -> None:
        self._counts = [0] * _empty_histogram().counts_len

    def record(self, value_us: int) -> None:
        """Counts a value from 0 on; one above MAX_LATENCY_US counts as that."""
        # min() and max() would say the same in twice the time.
        value_us = value_us if value_us < MAX_LATENCY_US else MAX_LATENCY_US
        shift = value_us.bit_length() - _WIDTH_1_BITS if value_us >= _WIDTH_1_END else 0
        self._counts[(shift << _HALF_BITS) + (value_us >> shift)] += 1

    def histogram(self) -> HdrHistogram:
        """Returns the counts so far."""
        histogram = _empty_histogram()
        for index, count in enumerate(self._counts):
            if count:
                histogram.record_value(_lowest_value_in(index), count)
        return histogram

    def encoded(self) -> str:
        """Returns the counts so far as HdrHistogram V2, in base64."""
        return str(self.histogram().encode(), "ascii")


def _empty_histogram() -> HdrHistogram:
    return HdrHistogram(1, MAX_LATENCY_US, SIGNIFICANT_DIGITS)


def _lowest_value_in(index: int) -> int:
    shift = max(0, (index >> _HALF_BITS) - 1)
    return (index - (shift << _HALF_BITS)) << shift
