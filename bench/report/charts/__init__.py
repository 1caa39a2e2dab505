"""The charts, as matplotlib figures: nothing else imports matplotlib."""

from matplotlib.figure import Figure

from bench.model.summary import Report
from bench.report import charts_of
from bench.report.charts import bars, footprint, lines, sweep
from bench.report.charts.page import png, render, svg

__all__ = ["draw", "png", "render", "svg"]

DRAWN_BY = {
    "throughput": bars.throughput,
    "latency": lines.latency,
    "cpu": bars.cpu,
    "throughput_over_time": lines.throughput_over_time,
    "footprint": footprint.footprint,
    "sweep_throughput": sweep.throughput,
    "sweep_latency": sweep.latency,
}


def draw(report: Report) -> dict[str, Figure]:
    """Returns every chart that a run has figures for, by its name."""
    return {name: DRAWN_BY[name](report) for name in charts_of(report)}
