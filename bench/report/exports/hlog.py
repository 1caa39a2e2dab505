"""HdrHistogram's interval log (``.hlog``), with V2 histograms in us: what ``HistogramLogReader`` takes.

An interval is the window of one slice, its tag is the Lane, and its time counts from the start of the run.
Source: ``HistogramLogWriter`` and ``HistogramLogScanner`` of HdrHistogram for Java, log format version 1.3.
"""

from datetime import datetime

import pandas as pd
from hdrh.histogram import HdrHistogram

from bench.model.records import Manifest
from bench.report.exports.histograms import US_PER_MS, Interval, file_name, intervals
from bench.report.format import one_line

LEGEND = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'


def render(manifest: Manifest, table: pd.DataFrame, kind: str) -> bytes:
    """Returns the log of one kind of latency, all Lanes in the order in which they were measured."""
    settle_s = manifest.experiment.preset.settle_s
    in_order = sorted(intervals(table, kind), key=lambda interval: interval.at_s)
    return "\n".join((*_head(manifest, kind), *(_row(interval, settle_s) for interval in in_order), "")).encode()


def _head(manifest: Manifest, kind: str) -> tuple[str, ...]:
    started = datetime.fromisoformat(manifest.started_utc)
    seconds = f"{started.timestamp():.3f} (seconds since epoch)"
    return (
        "#[Histogram log format version 1.3]",
        f"#[bench {one_line(manifest.bench_version)}, {one_line(manifest.run_id)}: {kind}; us, maxima in ms]",
        f"#[StartTime: {seconds}, {started:%a %b %d %H:%M:%S UTC %Y}]",
        f"#[BaseTime: {seconds}]",
        LEGEND,
    )


def _row(interval: Interval, settle_s: float) -> str:
    max_ms = HdrHistogram.decode(interval.encoded).get_max_value() / US_PER_MS
    times = f"{interval.at_s + settle_s:.3f},{interval.window_s:.3f}"
    return f"Tag={file_name(interval.lane)},{times},{max_ms:.3f},{interval.encoded}"
