"""The chart of the footprint: small multiples, a panel a metric and a bar a Lane. Every axis begins at zero."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.model.estimate import Estimate
from bench.model.metrics import METRICS
from bench.model.summary import Report
from bench.report import CHARTS, context
from bench.report.charts.page import (
    CAPTION_PT,
    INK,
    LABEL_PT,
    LINE,
    PAD,
    STYLE,
    WARNING,
    Page,
    paragraph,
    plain,
    text_width,
)
from bench.report.charts.style import Look, looks_of
from bench.report.footprint_table import Footprint, columns, footprints

NAME = "footprint"
COLUMNS, GAP = 3, 0.3
LABEL_WIDTH = 1.5
REACH = 1.5
"""An interval is cut off at so many times the longest bar, and ends in an arrow there."""


@mpl.rc_context(STYLE)
def footprint(report: Report) -> Figure:
    """Draws what a choice costs beside speed: a panel a metric, a bar an App."""
    rows, metrics, looks = footprints(report), columns(report), looks_of(report)
    labels = [paragraph(row.title, LABEL_WIDTH, LABEL_PT) for row in rows]
    figure, panels = _sheet(report, labels, metrics)
    for index, (axes, metric) in enumerate(zip(panels, metrics, strict=True)):
        names = ["\n".join(label) for label in labels] if index % COLUMNS == 0 else [""] * len(labels)
        axes.set_yticks(range(len(rows)), names, size=LABEL_PT)
        _panel(axes, metric, rows, looks)
    return figure


def _sheet(report: Report, labels: Sequence[list[str]], metrics: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Returns a figure with title, notices, a grid of panels, and the caption."""
    left = max((text_width(line, LABEL_PT) for label in labels for line in label), default=0.0) + 2 * PAD
    page = Page(left, PAD)
    page.write(CHARTS[NAME], 13, weight="bold", color=INK)
    for notice in context.notices(report):
        page.write(notice, CAPTION_PT + 1, weight="bold", color=WARNING)
    if not metrics:
        page.write("No footprint was measured.", LABEL_PT, color=INK)
    height = len(labels) * (max(map(len, labels), default=1) * LINE + 0.12)
    for _ in range(0, len(metrics), COLUMNS):
        page.height += 0.32  # for the panels' titles
        page.panel(height, COLUMNS, GAP)
    page.height += 0.15
    for sentence in context.caption(report, NAME):
        page.write(sentence, CAPTION_PT, color="#444444")
    figure, panels = page.figure(NAME)
    for spare in panels[len(metrics) :]:
        spare.remove()
    return figure, panels[: len(metrics)]


def _panel(axes: Axes, metric: str, rows: Sequence[Footprint], looks: Mapping[str, Look]) -> None:
    """Draws one metric of all Lanes, on an axis that leaves room for the value beside every bar."""
    found = [row.estimate(metric) for row in rows]
    reach = REACH * max((estimate.point for estimate in found if estimate), default=0.0)
    said = [_said(row, metric) for row in rows]
    room = axes.bbox.width / axes.figure.dpi
    ends = [_end(estimate, reach) for estimate in found]
    needed = (
        end / (1 - min(text_width(text, CAPTION_PT) + 0.2, 0.85 * room) / room)
        for end, text in zip(ends, said, strict=True)
    )
    axes.set(xlim=(0, max(needed, default=0.0) or 1.0), ylim=(len(rows) - 0.5, -0.5))
    axes.set_title(f"{METRICS[metric].title}, {METRICS[metric].unit.shown}", loc="left", size=LABEL_PT, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=METRICS[metric].unit.is_whole))
    axes.xaxis.set_major_formatter(FuncFormatter(plain))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    for y, (row, estimate, end, text) in enumerate(zip(rows, found, ends, said, strict=True)):
        if estimate:
            _bar(axes, y, estimate, end, _style(row, metric, looks[row.lane.lane]))
        axes.annotate(
            text, (end, y), xytext=(7, 0), textcoords="offset points", va="center", size=CAPTION_PT, color=INK
        )


def _said(row: Footprint, metric: str) -> str:
    return " ".join(filter(None, row.cell(metric))) if row.estimate(metric) else "not measured"


def _end(estimate: Estimate | None, reach: float) -> float:
    """Returns how far a bar and its interval go."""
    return min(reach, max(estimate.point, estimate.high or 0.0)) if estimate else 0.0


def _style(row: Footprint, metric: str, look: Look) -> dict[str, Any]:
    """Returns how a bar is drawn: in the framework's colour, hatched for raw, hollow where it is in doubt."""
    style: dict[str, Any] = {"facecolor": (look.colour, 0.28), "edgecolor": look.colour}
    if row.lane.raw:
        style = {"facecolor": "white", "hatch": "////", "edgecolor": "#aaaaaa"}
    return {**style, "facecolor": "white", "linestyle": "--"} if row.doubtful(metric) else style


def _bar(axes: Axes, y: float, estimate: Estimate, end: float, style: dict[str, Any]) -> None:
    """Draws a bar with its interval."""
    axes.barh(y, estimate.point, height=0.56, linewidth=1, **style)
    if estimate.low is None or estimate.high is None or estimate.low == estimate.high:
        return
    halves = [[estimate.point - estimate.low], [end - estimate.point]]
    axes.errorbar(estimate.point, y, xerr=halves, fmt="none", ecolor=INK, capsize=2)
    if estimate.high > end:
        axes.plot(end, y, ">", color=INK, markersize=5)
