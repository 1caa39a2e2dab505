"""The charts of a sweep: throughput and latency against load, a panel a Group, both axes logarithmic."""

from collections.abc import Sequence
from itertools import pairwise
from math import exp, log
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from bench.model.estimate import Status
from bench.model.experiment import Sweep
from bench.model.metrics import METRICS, OBJECTIVE, SWEPT, THROUGHPUT, latency_at_rate
from bench.model.summary import Report
from bench.model.sweep import SweepPoint
from bench.report.charts.page import (
    BACKED,
    INK,
    LABEL_PT,
    LABEL_WIDTH,
    LINE,
    STYLE,
    WARNING,
    name_axis,
    paragraph,
    plain,
    sheet,
)
from bench.report.charts.style import Look, looks_of
from bench.report.sweep_table import SweepRow, SweepTable, doubtful, sweep_tables

LOWER = SWEPT[0]
"""The percentile of the thinner line."""
PANEL = 2.7
"""The height of a panel; one with many names is higher."""
LEFT, RIGHT = 0.85, LABEL_WIDTH + 0.85
X_MARGIN, Y_MARGIN = 1.15, 1.5
"""An axis goes so many times beyond its outermost points; an interval may go on beyond it."""
MOST_TICKS = 12
"""So many loads have a tick each."""

Points = Sequence[tuple[float, float]]


@mpl.rc_context(STYLE)
def throughput(report: Report) -> Figure:
    """Draws the throughput against load with its intervals; a star marks the knee, on the line that it belongs to."""
    figure, panels = _panels(report, "sweep_throughput", f"{METRICS[THROUGHPUT].unit.shown} (log)")
    for axes, table, looks in panels:
        for each, look in zip(table.rows, looks, strict=True):
            _throughput_line(axes, each, look)
    points = [rps for _, table, _ in panels for each in table.rows for _, rps in _throughputs(each)]
    _scale(report, [axes for axes, _, _ in panels], points)
    return figure


@mpl.rc_context(STYLE)
def latency(report: Report) -> Figure:
    """Draws p99, and thinner p50, against load; the objective is a line across.

    A line ends where the Lane is overloaded: from there on latency grows for as long as the load lasts.
    """
    figure, panels = _panels(
        report, "sweep_latency", f"latency, {METRICS[latency_at_rate(OBJECTIVE)].unit.shown} (log)"
    )
    sweep = report.manifest.experiment.sweep
    for axes, table, looks in panels:
        for place, (each, look) in enumerate(zip(table.rows, looks, strict=True)):
            _latency_lines(axes, each, look)
            _overload(axes, each, look, 0.97 - 0.05 * place)
        if sweep:
            _objective(axes, sweep)
    rows = [each for _, table, _ in panels for each in table.rows]
    points = [ms for each in rows for name in (LOWER, OBJECTIVE) for _, ms in _latencies(each, name)]
    _scale(report, [axes for axes, _, _ in panels], [*points, *([sweep.slo_ms] if sweep else [])])
    return figure


def _panels(report: Report, name: str, unit: str) -> tuple[Figure, list[tuple[Axes, SweepTable, list[Look]]]]:
    """Returns a sheet with a panel a Group, and beside each the names of its Lanes."""
    shown, looks = sweep_tables(report), looks_of(report)
    labels = [[paragraph(_name(each, name), LABEL_WIDTH, LABEL_PT) for each in table.rows] for table in shown]
    heights = [max(PANEL, (sum(map(len, lines)) + 2) * LINE * 1.15) for lines in labels]
    figure, panels = sheet(report, [table.table for table in shown], name, heights, LEFT, RIGHT)
    found = []
    for axes, table, names in zip(panels, shown, labels, strict=True):
        axes.set_ylabel(unit)
        axes.set_autoscale_on(False)
        of_rows = [looks[each.row.lane.lane] for each in table.rows]
        _legend(axes, table.rows, of_rows, ["\n".join(lines) for lines in names])
        found.append((axes, table, of_rows))
    sweep = report.manifest.experiment.sweep
    name_axis(panels, f"{sweep.loads[0].axis} (log)" if sweep else "")
    return figure, found


def _name(each: SweepRow, chart: str) -> str:
    """Returns what the legend says of a Lane: its title, and its knee or how far it keeps the objective."""
    if each.row.failure:
        return f"{each.row.name}: {each.row.status}"
    if chart == "sweep_latency":
        return f"{each.row.name}: {each.up_to}"
    at, bounds = each.knee
    return f"{each.row.name}: {'no knee' if each.sweep.knee.at is None else f'knee {at} {bounds}'.strip()}"


def _throughput_line(axes: Axes, each: SweepRow, look: Look) -> None:
    measured, points = [point for point in each.sweep.points if point.throughput_rps], _throughputs(each)
    for point in measured:
        _interval(axes, point, look)
    _line(axes, points, look, [doubtful(point) for point in measured])
    at = each.sweep.knee.at
    if at is not None:
        axes.plot(at, _at(points, at), "*", color=INK, markerfacecolor=look.colour, markersize=13, zorder=5)


def _throughputs(each: SweepRow) -> Points:
    found = [(point.load, point.throughput_rps) for point in each.sweep.points]
    return [(load.value, throughput.point) for load, throughput in found if throughput]


def _interval(axes: Axes, point: SweepPoint, look: Look) -> None:
    estimate = point.throughput_rps
    if estimate and estimate.low is not None and estimate.high is not None:
        axes.plot([point.load.value] * 2, [estimate.low, estimate.high], color=look.colour, linewidth=3, alpha=0.35)


def _latency_lines(axes: Axes, each: SweepRow, look: Look) -> None:
    _thread(axes, _latencies(each, LOWER), look, 0.8)
    hollow = [doubtful(point) for point in each.sweep.points if OBJECTIVE in point.latency_ms]
    _line(axes, _latencies(each, OBJECTIVE), look, hollow)


def _overload(axes: Axes, each: SweepRow, look: Look, height: float) -> None:
    """Marks the lowest load at which a Lane is overloaded, at a height of its own so that no mark hides another."""
    overloaded = next((at.load.value for at in each.sweep.points if at.validity.status is Status.OVERLOADED), None)
    if overloaded is not None:
        top: Any = axes.get_xaxis_transform()
        axes.plot(overloaded, height, "^", color=look.colour, markersize=6, transform=top, clip_on=False, zorder=5)


def _latencies(each: SweepRow, name: str) -> Points:
    found = [(point.load, point.latency_ms.get(name)) for point in each.sweep.points]
    return [(load.value, latency.point) for load, latency in found if latency]


def _line(axes: Axes, points: Points, look: Look, are_hollow: Sequence[bool]) -> None:
    """Draws a line with a marker a point, hollow where it can't be trusted."""
    _thread(axes, points, look, 1.6)
    for (x, y), hollow in zip(points, are_hollow, strict=True):
        face = "white" if hollow else look.colour
        axes.plot(x, y, look.marker, color=look.colour, markersize=4.5, markerfacecolor=face)


def _thread(axes: Axes, points: Points, look: Look, width: float) -> None:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    axes.plot(xs, ys, color=look.colour, linestyle=(0, look.dashes) if look.dashes else "-", linewidth=width)


def _objective(axes: Axes, sweep: Sweep) -> None:
    axes.axhline(sweep.slo_ms, color=WARNING, linewidth=1, linestyle=(0, (5, 3)))
    axes.annotate(
        f"{OBJECTIVE} within {sweep.slo_ms:g} ms",
        (1, sweep.slo_ms),
        xycoords=("axes fraction", "data"),
        xytext=(-4, 3),
        textcoords="offset points",
        ha="right",
        va="bottom",
        color=WARNING,
        size=LABEL_PT - 1,
        bbox=BACKED,
        zorder=6,
    )


def _legend(axes: Axes, rows: Sequence[SweepRow], looks: Sequence[Look], names: Sequence[str]) -> None:
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, linestyle=(0, look.dashes) if look.dashes else "-")
        for look in looks
    ]
    legend = axes.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(1.02, 1.0),
        frameon=False,
        fontsize=LABEL_PT,
        borderaxespad=0,
        handlelength=2.2,
        labelspacing=0.45,
    )
    for text, each in zip(legend.get_texts(), rows, strict=True):
        text.set_color(INK if each.row.valid else WARNING)


def _scale(report: Report, panels: Sequence[Axes], points: Sequence[float]) -> None:
    """Gives all panels the same logarithmic axes: across, the loads of the sweep; upwards, as far as points lie."""
    sweep = report.manifest.experiment.sweep
    values = [load.value for load in sweep.loads] if sweep else [1.0]
    for axes in panels:
        axes.set(xscale="log", xlim=(values[0] / X_MARGIN, values[-1] * X_MARGIN))
        axes.set(yscale="log", ylim=(min(points, default=1.0) / Y_MARGIN, max(points, default=1.0) * Y_MARGIN))
        ticks = FixedLocator(values) if len(values) <= MOST_TICKS else LogLocator(subs=(1, 2, 5))
        for axis, locator in ((axes.xaxis, ticks), (axes.yaxis, LogLocator(subs=(1, 2, 5)))):
            axis.set_major_locator(locator)
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(plain))


def _at(points: Points, x: float) -> float:
    """Returns a line's height at x, as it is drawn: straight between its points on logarithmic axes."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 <= x <= x1:
            return y0 * exp(log(y1 / y0) * log(x / x0) / log(x1 / x0))
    return points[-1][1] if x > points[-1][0] else points[0][1]
