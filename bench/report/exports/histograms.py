"""What the exports of latencies share: which histograms there are, and their recorded values as arrays."""

from urllib.parse import quote

import numpy as np
import pandas as pd
from hdrh.histogram import HdrHistogram
from msgspec import Struct

from bench.model.metrics import METRICS

US_PER_MS = 1000

_Integers = np.typing.NDArray[np.int64]


class Recorded(Struct, frozen=True):
    """The values of a histogram that were counted, in us, ascending: each bucket's lowest and highest, and its count.

    ``highest`` is what HdrHistogram gives for a percentile; the middle of a bucket stands for it in a mean.
    """

    lowest: _Integers
    highest: _Integers
    counts: _Integers


def recorded(histogram: HdrHistogram) -> Recorded:
    """Returns what a histogram holds, without a walk over its empty buckets."""
    counts = np.ctypeslib.as_array(histogram.counts).astype(np.int64)
    (indices,) = counts.nonzero()
    values = [histogram.get_value_from_index(int(index)) for index in indices]
    return Recorded(
        np.array([histogram.get_lowest_equivalent_value(value) for value in values], dtype=np.int64),
        np.array([histogram.get_highest_equivalent_value(value) for value in values], dtype=np.int64),
        counts[indices],
    )


class Interval(Struct, frozen=True):
    """What one slice saw of one Lane: a histogram of us in base64; ``at_s`` is when the slice began."""

    lane: str
    at_s: float
    window_s: float
    encoded: str


def intervals(table: pd.DataFrame, kind: str) -> list[Interval]:
    """Returns the histograms of this kind, in the order of the tidy table."""
    phase, column = METRICS.histograms()[kind]
    rows = table[table["phase"] == phase]
    columns = (rows[name] for name in ("lane", "at_s", "window_s", column))
    return [Interval(*values) for values in zip(*columns, strict=True) if isinstance(values[-1], str)]


def file_name(lane: str) -> str:
    """Returns a Lane's name as a part of a file's, without separators, white space or anything but ASCII."""
    return quote(lane, safe="@+#")
