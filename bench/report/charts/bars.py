"""Charts of bars, one a Lane, from zero: throughput, and CPU time in its parts."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from bench.model.metrics import CPU, METRICS, THROUGHPUT
from bench.model.summary import Report
from bench.report.charts.page import (
    BACKED,
    CAPTION_PT,
    INK,
    LABEL_PT,
    LABEL_WIDTH,
    LINE,
    PAD,
    STYLE,
    WARNING,
    WIDTH,
    inches,
    name_axis,
    paragraph,
    plain,
    sheet,
    text_width,
)
from bench.report.charts.style import PARTS, Look, Scale, looks_of, parts_of
from bench.report.format import number
from bench.report.group_table import Row, Table, tables


@mpl.rc_context(STYLE)
def throughput(report: Report) -> Figure:
    """Draws the saturated throughput: a bar from zero with its interval for every Lane, a panel a Group."""
    shown, looks = tables(report), looks_of(report)
    scale = Scale.of(shown, THROUGHPUT)
    figure, panels = _bars(report, shown, "throughput", scale)
    for axes, table in zip(panels, shown, strict=True):
        for y, row in enumerate(table.rows):
            _bar(axes, y, row, scale, looks[row.lane.lane])
    name_axis(panels, _axis(THROUGHPUT))
    return figure


@mpl.rc_context(STYLE)
def cpu(report: Report) -> Figure:
    """Draws the CPU time per request as raw + adapter + framework, a panel a Group."""
    shown, looks, parts = tables(report), looks_of(report), parts_of(report)
    scale = Scale.of(shown, CPU)
    figure, panels = _bars(report, shown, "cpu", scale)
    for axes, table in zip(panels, shown, strict=True):
        for y, row in enumerate(table.rows):
            _stack(axes, y, row, scale, parts.get(row.lane.lane), looks[row.lane.lane])
    name_axis(panels, f"server {_axis(CPU)}")
    _component_legend(figure)
    return figure


def _axis(metric: str) -> str:
    row = METRICS[metric]
    return f"{row.short}, {row.unit.shown} (axis from zero; {row.better.amount} is better)"


def _bars(report: Report, shown: Sequence[Table], name: str, scale: Scale) -> tuple[Figure, list[Axes]]:
    """Returns a sheet of rows, one a Lane, with an axis that leaves room for the value beside every bar."""
    labels = [[_row_label(row, scale) for row in table.rows] for table in shown]
    every = [label for of_group in labels for label in of_group]
    left = max((text_width(line, LABEL_PT) for lines in every for line in lines), default=0) + 2 * PAD
    row_height = max(map(len, every), default=1) * LINE + 0.19
    heights = [len(table.rows) * row_height for table in shown]
    figure, panels = sheet(report, shown, name, heights, left, PAD)
    room = WIDTH - left - PAD
    limit = max((_needed(row, scale, room) for table in shown for row in table.rows), default=0) or 1.0
    for axes, table, lines in zip(panels, shown, labels, strict=True):
        axes.set(xlim=(0, limit), ylim=(len(table.rows) - 0.5, -0.5))
        axes.set_yticks(range(len(table.rows)), ["\n".join(label) for label in lines], size=LABEL_PT)
        axes.xaxis.set_major_formatter(FuncFormatter(plain))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        for y, row in enumerate(table.rows):
            _write_value(axes, y, row, scale)
    return figure, panels


def _row_label(row: Row, scale: Scale) -> list[str]:
    if scale.metric != THROUGHPUT:  # ranks and ties are of the throughput alone
        return paragraph(row.name, LABEL_WIDTH, LABEL_PT)
    return [*paragraph(row.label, LABEL_WIDTH, LABEL_PT), *paragraph(row.tie, LABEL_WIDTH, LABEL_PT)]


def _needed(row: Row, scale: Scale, room: float) -> float:
    """Returns how far an axis of ``room`` inches has to go for a row's bar and the value beside it."""
    beside = min(text_width(row.value(scale.metric), LABEL_PT) + 0.25, 0.8 * room)
    return scale.end(row) / (1 - beside / room)


def _write_value(axes: Axes, y: float, row: Row, scale: Scale) -> None:
    axes.annotate(
        row.value(scale.metric),
        (scale.end(row), y),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        size=LABEL_PT,
        color=INK if row.trusted(scale.metric) else WARNING,
    )


def _bar(axes: Axes, y: float, row: Row, scale: Scale, look: Look) -> None:
    """Draws a bar with a dot and an interval at its end: filled, hatched for raw, hollow where invalid."""
    estimate = row.estimate(scale.metric)
    if estimate is None:
        return
    bar = axes.barh(y, estimate.point, height=0.56, color=(look.colour, 0.28), edgecolor=look.colour, linewidth=1)
    for patch in bar:
        if row.lane.raw:
            patch.set(facecolor="white", hatch="////", edgecolor="#aaaaaa")
        if not row.trusted(scale.metric):
            patch.set(facecolor="white", linestyle="--")
    _interval(axes, y, row, scale)
    face = INK if row.trusted(scale.metric) else "white"
    axes.plot(estimate.point, y, "o", color=INK, markersize=3.5, markerfacecolor=face)


def _interval(axes: Axes, y: float, row: Row, scale: Scale) -> None:
    """Draws an interval, which ends in an arrow where it goes on beyond the axis."""
    estimate = row.estimate(scale.metric)
    if estimate is None or estimate.low is None or estimate.high is None:
        return
    halves = [[estimate.point - estimate.low], [scale.end(row) - estimate.point]]
    axes.errorbar(estimate.point, y, xerr=halves, fmt="none", ecolor=INK, capsize=2.5)
    if estimate.high > scale.reach:
        axes.plot(scale.end(row), y, ">", color=INK, markersize=7)


def _stack(axes: Axes, y: float, row: Row, scale: Scale, parts: Sequence[float] | None, look: Look) -> None:
    """Draws raw + adapter + framework, and below the interval of their total; in one piece what can't be split."""
    if parts is None:
        _bar(axes, y, row, scale, look)
        return
    raw, adapter, _ = PARTS.values()
    framework = {"facecolor": (look.colour, 0.55), "edgecolor": look.colour}
    doubt = {} if row.trusted(scale.metric) else {"linestyle": "--", "alpha": 0.5}
    left = 0.0
    for width, style in zip(parts, (raw, adapter, framework), strict=True):
        _segment(axes, y, left, max(width, 0.0), {**style, **doubt})
        left += max(width, 0.0)
    _interval(axes, y + 0.36, row, scale)


def _segment(axes: Axes, y: float, left: float, width: float, style: dict[str, Any]) -> None:
    """Draws a part of a bar, with its value inside where that fits."""
    if not width:
        return
    axes.barh(y, width, left=left, height=0.5, linewidth=1, **style)
    per_inch = axes.get_xlim()[1] / inches(axes)[0]
    if text_width(number(width), CAPTION_PT) + 0.2 < width / per_inch:
        axes.text(left + width / 2, y, number(width), ha="center", va="center", size=CAPTION_PT, color=INK, bbox=BACKED)


def _component_legend(figure: Figure) -> None:
    """Explains the parts of the bars, in the page's head."""
    figure.legend(
        handles=[Patch(label=label, **style) for label, style in PARTS.items()],
        loc="upper right",
        bbox_to_anchor=(1 - PAD / WIDTH, 1 - 0.1 / figure.get_figheight()),
        ncols=len(PARTS),
        frameon=False,
        fontsize=LABEL_PT,
        borderaxespad=0,
    )
