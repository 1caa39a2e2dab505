"""Charts of lines, one a Lane: latency by percentile, and throughput over the run."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench.model.metrics import MEDIAN_LATENCY, METRICS, THROUGHPUT
from bench.model.summary import Report
from bench.report.charts.page import (
    INK,
    LABEL_PT,
    LABEL_WIDTH,
    LINE,
    STYLE,
    WARNING,
    inches,
    name_axis,
    paragraph,
    plain,
    sheet,
    text_width,
)
from bench.report.charts.style import Look, looks_of, nines, points_of, round_starts, spread
from bench.report.group_table import Row, tables

LOG_FROM = 8.0
"""An axis is logarithmic where its highest value is so many times its lowest."""
PERCENTS = (50.0, 90.0, 99.0, 99.9, 99.99, 99.999)

LEADER: dict[str, Any] = {"arrowstyle": "-", "linewidth": 0.8, "shrinkA": 2, "shrinkB": 0, "relpos": (0, 0.5)}
"""From a line's end to its name."""

Coordinates = tuple[Sequence[float], Sequence[float]]
NO_POINTS: Coordinates = ((), ())
Lines = Mapping[str, Coordinates]
NO_LINES: Lines = {}
LINES_OF = {"latency": MEDIAN_LATENCY, "throughput_over_time": THROUGHPUT}
"""The metric that says whether a chart's lines can be trusted."""


@mpl.rc_context(STYLE)
def latency(report: Report) -> Figure:
    """Draws the latency by percentile at the fixed rate; on the axis every further nine is as wide as the last.

    A thin line is the Lane's service time. A curve ends where the Report's does: too few requests lie beyond.
    """
    curves = {curve.lane: points_of(curve.percentiles, curve.latencies_ms) for curve in report.curves}
    services = {curve.lane: points_of(curve.percentiles, curve.services_ms) for curve in report.curves}
    last = max((xs[-1] for xs, _ in curves.values()), default=1.0)
    ticks = [percent for percent in PERCENTS if nines(percent) <= last + 0.02]
    figure, panels = _lines(report, "latency", curves, f"latency, {_unit(MEDIAN_LATENCY)}", thin=services)
    for axes in panels:
        axes.set_xlim(nines(40), last + 0.03)
        axes.set_xticks([nines(percent) for percent in ticks], [f"{percent:g} %" for percent in ticks])
    name_axis(panels, "percentile of requests (thick: from the intended start, thin: service time, from sending)")
    return figure


@mpl.rc_context(STYLE)
def throughput_over_time(report: Report) -> Figure:
    """Draws the throughput of every saturated slice over the run; lines break, and are marked, where a Round begins."""
    starts = round_starts(report)
    traces: dict[str, Coordinates] = {trace.lane: (trace.at_s, trace.throughput_rps) for trace in report.traces}
    figure, panels = _lines(report, "throughput_over_time", traces, _unit(THROUGHPUT), breaks=starts)
    times = [at for at_s, _ in traces.values() for at in at_s] or [0.0, 1.0]
    margin = 0.02 * (max(times) - min(times)) or 1.0
    for axes in panels:
        axes.set_xlim(min(times) - margin, max(times) + margin)
        for start in starts:
            axes.axvline(start, color="#999999", linewidth=0.6, linestyle=(0, (1, 3)), zorder=0)
    name_axis(panels, "time since the run began, s (dotted: a round begins)")
    return figure


def _unit(metric: str) -> str:
    return METRICS[metric].unit.shown


def _lines(
    report: Report, name: str, series: Lines, axis: str, breaks: Sequence[float] = (), thin: Lines = NO_LINES
) -> tuple[Figure, list[Axes]]:
    """Returns a sheet with a panel a Group and a line a Lane, named beside its end; panels share both axes."""
    shown, looks = tables(report), looks_of(report)
    labels = [[_line_label(row, series, LINES_OF[name]) for row in table.rows] for table in shown]
    every = [label for of_group in labels for label in of_group]
    right = max((text_width(line, LABEL_PT) for lines in every for line in lines), default=0) + 0.5
    heights = [max(1.9, sum(map(len, lines)) * LINE + 0.06 * len(lines)) for lines in labels]
    figure, panels = sheet(report, shown, name, heights, 0.85, right)
    drawn = [row.lane.lane for table in shown for row in table.rows]
    values = [y for lines in (series, thin) for lane in drawn for y in lines.get(lane, NO_POINTS)[1]]
    for axes, table, texts in zip(panels, shown, labels, strict=True):
        _scale(axes, values, axis)
        points = [series.get(row.lane.lane, NO_POINTS) for row in table.rows]
        for row, of_lane in zip(table.rows, points, strict=True):
            _line(axes, of_lane, looks[row.lane.lane], breaks, trusted=row.trusted(LINES_OF[name]))
            axes.plot(*thin.get(row.lane.lane, NO_POINTS), color=looks[row.lane.lane].colour, linewidth=0.6)
        trusted = [row.trusted(LINES_OF[name]) for row in table.rows]
        _name_lines(axes, texts, points, [looks[row.lane.lane] for row in table.rows], trusted)
    return figure, panels


def _line_label(row: Row, series: Lines, metric: str) -> list[str]:
    said = row.doubt(metric) or ("" if row.lane.lane in series else "not measured")
    return paragraph(f"{row.name}: {said}" if said else row.name, LABEL_WIDTH, LABEL_PT)


def _scale(axes: Axes, values: Sequence[float], name: str) -> None:
    """Sets the vertical axis: from zero, or logarithmic where the values differ by much."""
    low, high = min(values, default=1.0), max(values, default=1.0)
    if high < LOG_FROM * low or low <= 0:
        axes.set(ylim=(0, 1.08 * high or 1.0), ylabel=name)
    else:
        axes.set(yscale="log", ylim=(low / 1.15, high * 1.15), ylabel=f"{name} (log)")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(plain))


def _line(axes: Axes, points: Coordinates, look: Look, breaks: Sequence[float], *, trusted: bool) -> None:
    """Draws a line that is interrupted at each break, with at most a dozen markers."""
    for _, piece in groupby(zip(*points, strict=True), key=lambda point: bisect_right(breaks, point[0])):
        xs, ys = zip(*piece, strict=True)
        axes.plot(
            xs,
            ys,
            color=look.colour,
            linestyle=(0, look.dashes) if look.dashes and not breaks else "-",
            linewidth=1.6,
            marker=look.marker,
            markersize=4,
            markevery=max(1, len(xs) // 8),
            markerfacecolor=look.colour if trusted else "white",
            alpha=1 if trusted else 0.6,
        )


def _name_lines(
    axes: Axes, texts: Sequence[list[str]], lines: Sequence[Coordinates], looks: Sequence[Look], trusted: Sequence[bool]
) -> None:
    """Writes each Lane's name beside the panel, led to the end of its line; one without a line stands at the bottom."""
    ends = [ys[-1] if ys else None for _, ys in lines]
    to_axes = axes.transData + axes.transAxes.inverted()
    wanted = [0.0 if end is None else float(to_axes.transform((1, end))[1]) for end in ends]
    places = spread(wanted, [len(text) * LINE / inches(axes)[1] for text in texts])
    for text, end, place, look, sure in zip(texts, ends, places, looks, trusted, strict=True):
        axes.annotate(
            "\n".join(text),
            (1, 0 if end is None else end),
            xycoords=("axes fraction", "axes fraction" if end is None else "data"),
            xytext=(1 + 0.3 / inches(axes)[0], place),
            textcoords="axes fraction",
            va="center",
            size=LABEL_PT,
            color=INK if sure else WARNING,
            arrowprops=None if end is None else {**LEADER, "color": look.colour},
            annotation_clip=False,
        )
