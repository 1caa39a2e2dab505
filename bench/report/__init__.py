"""Renders a Report: terminal tables, Markdown, one HTML page, charts, exports. Values in, text or figures out; no I/O.

``words``, ``facts`` and ``leagues`` say things once, so that ``text``, ``markdown``, ``html`` and ``charts`` agree.
"""

CHARTS = {
    "throughput": "Saturated throughput",
    "latency": "Latency at a fixed rate, by percentile",
    "cpu": "CPU time per request",
    "throughput_over_time": "Throughput over the run",
    "footprint": "Footprint: what a choice costs beside speed",
}
"""Every chart's name, which is its file's, with its title; in reading order."""

MARKDOWN = "summary.md"
HTML = "report.html"
EXPORTS = "exports"
"""The reports' names in a run's folder; the charts lie in its ``charts/``, as SVG and PNG."""
