"""HdrHistogram's percentile distribution (``.hgrm``), in ms: what its plotters take.

Source: ``outputPercentileDistribution`` and ``PercentileIterator`` of HdrHistogram for Java. Its Python port takes
other steps, and about 0.3 s for each distribution.
"""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from hdrh.histogram import HdrHistogram

from bench.analysis.histograms import merged
from bench.model.protocol import SIGNIFICANT_DIGITS
from bench.report.exports.histograms import US_PER_MS, Recorded, intervals, recorded

TICKS_PER_HALF_DISTANCE = 5
"""So many rows from any percentile to the one half as far from 100 %; HdrHistogram's own default."""
DIGITS = SIGNIFICANT_DIGITS


def render(table: pd.DataFrame, kind: str) -> dict[str, bytes]:
    """Returns a distribution for each Lane that has such answers, all Rounds merged."""
    encoded: dict[str, list[str]] = {}
    for interval in intervals(table, kind):
        encoded.setdefault(interval.lane, []).append(interval.encoded)
    by_lane = {lane: merged(histograms) for lane, histograms in encoded.items()}
    return {lane: distribution(histogram) for lane, histogram in by_lane.items() if histogram.total_count}


def distribution(histogram: HdrHistogram) -> bytes:
    """Returns the text of one histogram of us that is not empty."""
    found = recorded(histogram)
    head = f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}\n"
    return "\n".join((head, *_rows(found), *_footer(found, histogram), "")).encode()


def _rows(found: Recorded) -> Iterator[str]:
    for value_us, level, count in _steps(found):
        row = f"{value_us / US_PER_MS:12.{DIGITS}f} {level / 100:2.12f} {count:10d}"
        yield row if level == 100 else f"{row} {1 / (1 - level / 100):14.2f}"


def _steps(found: Recorded) -> Iterator[tuple[int, float, int]]:
    """Yields value, percentile and how many are not above it: each level of the ticks that a value reaches first."""
    level, reached, total = 0.0, found.counts.cumsum(), int(found.counts.sum())
    for value_us, count in zip(found.highest.tolist(), reached.tolist(), strict=True):
        while level <= 100 * count / total:
            yield value_us, level, count
            if count == total:
                yield value_us, 100.0, count
                return
            level += _step(level)


def _step(level: float) -> float:
    """Returns how far the next level is; it halves whenever the distance to 100 % has halved."""
    halvings = int(math.log(100 / (100 - level)) / math.log(2))
    return float(100 / (TICKS_PER_HALF_DISTANCE * 2 ** (halvings + 1)))


def _footer(found: Recorded, histogram: HdrHistogram) -> Iterator[str]:
    middle = found.lowest + (found.highest - found.lowest + 1) // 2
    mean = float(np.average(middle, weights=found.counts))
    deviation = math.sqrt(np.average((middle - mean) ** 2, weights=found.counts))
    yield f"#[Mean    = {mean / US_PER_MS:12.{DIGITS}f}, StdDeviation   = {deviation / US_PER_MS:12.{DIGITS}f}]"
    most_ms = int(found.highest[-1]) / US_PER_MS
    yield f"#[Max     = {most_ms:12.{DIGITS}f}, Total count    = {histogram.total_count:12d}]"
    yield f"#[Buckets = {histogram.bucket_count:12d}, SubBuckets     = {histogram.sub_bucket_count:12d}]"
