"""Renders a Report: terminal tables, Markdown, one HTML page, charts, exports. Values in, text or figures out; no I/O.

``wording``, ``context`` and ``group_table`` say things once, so that the terminal, Markdown, HTML and charts agree.
"""

from bench.model.metrics import CPU, METRICS
from bench.model.summary import Report

CHARTS = {
    "throughput": "Saturated throughput",
    "latency": "Latency at a fixed rate, by percentile",
    "cpu": METRICS[CPU].short,
    "throughput_over_time": "Throughput over the run",
    "footprint": "Footprint: what a choice costs beside speed",
    "sweep_throughput": "Throughput against load",
    "sweep_latency": "Latency against load",
}
"""Every chart's name, which is its file's, with its title; in reading order."""

SUMMARY = "summary.json"
MARKDOWN = "summary.md"
HTML = "report.html"
EXPORTS = "exports"
"""The reports' names in a run's folder; the charts lie in its ``charts/``, as SVG and PNG."""


def charts_of(report: Report) -> dict[str, str]:
    """Returns the names and titles of the charts that a run has figures for: a sweep has its own."""
    is_sweep = bool(report.summary.sweeps)
    return {name: title for name, title in CHARTS.items() if name.startswith("sweep_") == is_sweep}
