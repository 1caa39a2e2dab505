"""The charts, as matplotlib figures: nothing else imports matplotlib. Sizes are in inches.

Every text is measured before it is placed: a figure grows with what it has to say, and nothing is clipped.
"""

import io
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import groupby
from math import log10
from typing import Any
from zlib import crc32

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from msgspec import Struct

from bench.plan import Phase
from bench.records import CpuSplit, Estimate, Report
from bench.report import CHARTS, facts
from bench.report.leagues import Row, Table, tables
from bench.report.words import NO_INTERVAL, margin, number

STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "hatch.linewidth": 0.8,
    "svg.fonttype": "path",
    "text.parse_math": False,  # a title may hold a dollar sign
}
COLOURS = ("#E69F00", "#0072B2", "#009E73", "#56B4E9", "#CC79A7", "#D55E00")
"""Okabe and Ito's palette, safe for colour-blind readers, without its black and its yellow, which is lost on white."""
MARKERS = "oDs^vPXpdh<>"
RAW, WARNING, INK = "#777777", "#A62B00", "#222222"
RAW_LINES: tuple[Any, ...] = ("--", ":", "-.", (0, (7, 2)), (0, (3, 1, 1, 1, 1, 1)))
WIDTH, PAD = 8.6, 0.18
LABEL_PT, CAPTION_PT = 9.0, 7.5
LINE = 0.165
"""The height of a line of labels."""
LABEL_WIDTH = 2.2
"""The width at which a label beside a panel is wrapped."""
LOG_FROM = 8.0
"""An axis is logarithmic where its highest value is so many times its lowest."""
PERCENTS = (50.0, 90.0, 99.0, 99.9, 99.99, 99.999)

Points = tuple[Sequence[float], Sequence[float]]


class Look(Struct, frozen=True):
    """How a Lane is drawn: the colour says the framework, and the marker says it again."""

    colour: str
    marker: str
    line: Any = "-"


class Page:
    """A figure of fixed width that is filled from the top, with as many panels and lines as there are."""

    def __init__(self, left: float, right: float) -> None:
        self.left, self.width = left, WIDTH - left - right
        self.height = PAD
        self._texts: list[tuple[float, str, dict[str, Any]]] = []
        self._boxes: list[tuple[float, float]] = []

    def write(self, text: str, size: float, **style: Any) -> None:
        """Adds a paragraph across the page."""
        for line in wrapped(text, WIDTH - 2 * PAD, size, style.get("weight", "normal")):
            self._texts.append((self.height, line, {"size": size, **style}))
            self.height += size * 1.45 / 72

    def panel(self, height: float) -> None:
        """Adds a panel, with space for its tick labels."""
        self._boxes.append((self.height, height))
        self.height += height + 0.3

    def figure(self, name: str) -> tuple[Figure, list[Axes]]:
        """Returns the figure with all that was added, and its panels."""
        height = self.height + PAD
        figure = Figure(figsize=(WIDTH, height), facecolor="white", label=name)
        for top, text, style in self._texts:
            figure.text(PAD / WIDTH, 1 - top / height, text, va="top", **style)
        boxes = ((self.left / WIDTH, 1 - (top + h) / height, self.width / WIDTH, h / height) for top, h in self._boxes)
        return figure, [figure.add_axes(box) for box in boxes]


def draw(report: Report) -> dict[str, Figure]:
    """Returns every chart by its name."""
    drawn = {"throughput": throughput, "latency": latency, "cpu": cpu, "throughput_over_time": throughput_over_time}
    with mpl.rc_context(STYLE):
        return {name: drawn[name](report) for name in CHARTS}


def render(figure: Figure) -> dict[str, bytes]:
    """Returns a chart as ``svg`` and ``png``: the same bytes for the same values, without a date."""
    svg, png = io.BytesIO(), io.BytesIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": figure.get_label()}):
        figure.savefig(svg, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
        figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return {"svg": svg.getvalue(), "png": png.getvalue()}


def throughput(report: Report) -> Figure:
    """Draws the saturated throughput: a bar from zero with its interval for every Lane, a panel a League."""
    shown, looks = tables(report), _looks(report)
    figure, panels = _bars(report, shown, "throughput", "throughput_rps", "")
    for axes, table in zip(panels, shown, strict=True):
        for y, row in enumerate(table.rows):
            _bar(axes, y, row, row.estimate("throughput_rps"), looks[row.lane.lane])
    _name_axis(panels, "throughput, requests/s (axis from zero; more is better)")
    return figure


def cpu(report: Report) -> Figure:
    """Draws the CPU time per request as raw + adapter + framework, a panel a League."""
    shown, looks = tables(report), _looks(report)
    splits = {split.lane: split for split in report.summary.cpu_splits}
    figure, panels = _bars(report, shown, "cpu", "cpu_us_per_request", " µs")
    for axes, table in zip(panels, shown, strict=True):
        for y, row in enumerate(table.rows):
            _stack(axes, y, row, splits.get(row.lane.lane), looks[row.lane.lane])
    _name_axis(panels, "server CPU time per request, µs (axis from zero; less is better)")
    _component_legend(figure)
    return figure


def latency(report: Report) -> Figure:
    """Draws the latency by percentile at the fixed rate; on the axis every further nine is as wide as the last.

    A curve ends where the Report's does: too few requests lie beyond.
    """
    curves: dict[str, Points] = {
        curve.lane: ([_nines(percentile) for percentile in curve.percentiles], curve.latencies_ms)
        for curve in report.curves
    }
    last = max((xs[-1] for xs, _ in curves.values()), default=1.0)
    ticks = [percent for percent in PERCENTS if _nines(percent) <= last + 0.02]
    figure, panels = _lines(report, "latency", Phase.FIXED, curves, "latency, ms")
    for axes in panels:
        axes.set_xlim(_nines(40), last + 0.06)
        axes.set_xticks([_nines(percent) for percent in ticks], [f"{percent:g} %" for percent in ticks])
    _name_axis(panels, "share of requests answered within, counted from their intended start; all rounds merged")
    return figure


def throughput_over_time(report: Report) -> Figure:
    """Draws the throughput of every saturated slice over the run; lines break, and are marked, where a Round begins."""
    starts = _round_starts(report)
    traces: dict[str, Points] = {trace.lane: (trace.at_s, trace.throughput_rps) for trace in report.traces}
    figure, panels = _lines(report, "throughput_over_time", Phase.SATURATED, traces, "requests/s", breaks=starts)
    for axes in panels:
        for start in starts:
            axes.axvline(start, color="#999999", linewidth=0.6, linestyle=(0, (1, 3)), zorder=0)
    _name_axis(panels, "time since the run began, s; a dotted line where a round begins, with fresh processes")
    return figure


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Moves heights apart to at least ``gap``, keeping their order, within 0 to 1 where there is room for all."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    placed, floor, ceiling = list(heights), 0.0, 1.0
    for index in order:
        placed[index] = max(heights[index], floor)
        floor = placed[index] + gap
    for index in reversed(order):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return placed


def wrapped(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """Returns the text as lines no wider than ``width``; a word that is wider by itself is broken."""
    lines = [""]
    for word in text.split(" "):
        candidate = f"{lines[-1]} {word}" if lines[-1] else word
        if _width(candidate, size, weight) <= width:
            lines[-1] = candidate
        else:
            lines.extend(_broken(word, width, size, weight))
    return [line for line in lines if line]


def _broken(word: str, width: float, size: float, weight: str) -> Iterable[str]:
    """Yields a word in pieces that fit."""
    while _width(word, size, weight) > width:
        fits = max(1, bisect_right(range(len(word)), width, key=lambda end: _width(word[:end], size, weight)) - 1)
        yield word[:fits]
        word = word[fits:]
    yield word


@cache
def _width(text: str, size: float, weight: str = "normal") -> float:
    font = FontProperties(family=STYLE["font.family"], size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def _sheet(
    report: Report, shown: Sequence[Table], name: str, phase: Phase, heights: Sequence[float], left: float, right: float
) -> tuple[Figure, list[Axes]]:
    """Returns a figure with title, what must be known first, a panel a League, and the caption."""
    page = Page(left, right)
    page.write(CHARTS[name], 13, weight="bold", color=INK)
    for notice in facts.notices(report):
        page.write(notice, CAPTION_PT + 1, weight="bold", color=WARNING)
    for table, height in zip(shown, heights, strict=True):
        page.height += 0.1
        page.write(table.title, 10, weight="bold", color=INK)
        page.height += 0.06
        page.panel(height)
    page.height += 0.28
    for sentence in facts.caption(report, phase):
        page.write(sentence, CAPTION_PT, color="#444444")
    return page.figure(name)


def _name_axis(panels: Sequence[Axes], name: str) -> None:
    """Names the axis that all panels share, under the last one."""
    for axes in panels[-1:]:
        axes.set_xlabel(name)


def _looks(report: Report) -> dict[str, Look]:
    """Returns the look of every Lane. An App's colour hangs on its name alone, as long as no other wants the same."""
    lanes = report.manifest.experiment.lanes
    apps = sorted({lane.app.name for lane in lanes if not lane.app.baseline})
    free: list[int] = []
    looks: dict[str, Look] = {}
    for number_, app in enumerate(apps):
        free = free or list(range(len(COLOURS)))
        slot = min(free, key=lambda slot, app=app: (slot - crc32(app.encode())) % len(COLOURS))
        free.remove(slot)
        lap = number_ // len(COLOURS)
        looks[app] = Look(COLOURS[slot], MARKERS[(slot + lap * len(COLOURS)) % len(MARKERS)])
    raw = [lane.name for lane in lanes if lane.app.baseline]
    ceilings = {lane: Look(RAW, "|", RAW_LINES[index % len(RAW_LINES)]) for index, lane in enumerate(raw)}
    return {lane.name: ceilings.get(lane.name) or looks[lane.app.name] for lane in lanes}


def _bars(report: Report, shown: Sequence[Table], name: str, metric: str, unit: str) -> tuple[Figure, list[Axes]]:
    """Returns a sheet of rows, one a Lane, with an axis that leaves room for the value beside every bar."""
    names = {row: _row_label(row) for table in shown for row in table.rows}
    left = max((_width(line, LABEL_PT) for lines in names.values() for line in lines), default=0) + 2 * PAD
    row_height = max((len(lines) for lines in names.values()), default=1) * LINE + 0.19
    heights = [len(table.rows) * row_height for table in shown]
    figure, panels = _sheet(report, shown, name, Phase.SATURATED, heights, left, PAD)
    room = WIDTH - left - PAD
    limit = max((_needed(row, metric, unit, room) for row in names), default=1.0)
    for axes, table in zip(panels, shown, strict=True):
        axes.set(xlim=(0, limit), ylim=(len(table.rows) - 0.5, -0.5))
        axes.set_yticks(range(len(table.rows)), ["\n".join(names[row]) for row in table.rows], size=LABEL_PT)
        axes.xaxis.set_major_formatter(FuncFormatter(_plain))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        for y, row in enumerate(table.rows):
            _write_value(axes, y, row, metric, unit)
    return figure, panels


def _row_label(row: Row) -> list[str]:
    ceiling = " (ceiling)" if row.lane.baseline else ""
    label = f"{row.mark}  {row.title}{ceiling}".strip()
    return [*wrapped(label, LABEL_WIDTH, LABEL_PT), *wrapped(row.tie, LABEL_WIDTH, LABEL_PT)]


def _value(row: Row, metric: str, unit: str) -> str:
    """Returns what stands at the end of a bar: the value with its margin, and why it can't be trusted."""
    estimate = row.estimate(metric)
    if estimate is None:
        return "not measured" if row.valid else f"not measured: {row.status}"
    interval = margin(estimate) if estimate.low is not None else f"({NO_INTERVAL})"
    value = f"{number(estimate.point)}{unit} {interval}".strip()
    return value if row.valid else f"{value}, {row.status}"


def _end(estimate: Estimate | None) -> float:
    return 0.0 if estimate is None else max(estimate.point, estimate.high or 0.0)


def _needed(row: Row, metric: str, unit: str, room: float) -> float:
    """Returns how far an axis of ``room`` inches has to reach for a row's bar and the value beside it."""
    beside = min(_width(_value(row, metric, unit), LABEL_PT) + 0.25, 0.8 * room)
    return _end(row.estimate(metric)) / (1 - beside / room) or 1e-9


def _write_value(axes: Axes, y: float, row: Row, metric: str, unit: str) -> None:
    axes.annotate(
        _value(row, metric, unit),
        (_end(row.estimate(metric)), y),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        size=LABEL_PT,
        color=INK if row.valid else WARNING,
    )


def _bar(axes: Axes, y: float, row: Row, estimate: Estimate | None, look: Look) -> None:
    """Draws a bar with a marker and an interval at its end: filled, hatched for a ceiling, hollow where invalid."""
    if estimate is None:
        return
    bar = axes.barh(y, estimate.point, height=0.56, color=(look.colour, 0.28), edgecolor=look.colour, linewidth=1)
    for patch in bar:
        if row.lane.baseline:
            patch.set(facecolor="white", hatch="////", edgecolor="#aaaaaa")
        if not row.valid:
            patch.set(facecolor="white", linestyle="--")
    _point(axes, y, row, estimate, look)


def _point(axes: Axes, y: float, row: Row, estimate: Estimate, look: Look) -> None:
    halves = None
    if estimate.low is not None and estimate.high is not None:
        halves = [[estimate.point - estimate.low], [estimate.high - estimate.point]]
    axes.errorbar(
        estimate.point,
        y,
        xerr=halves,
        fmt=look.marker,
        color=look.colour,
        ecolor=INK,
        elinewidth=1.5,
        capsize=4,
        capthick=1.5,
        markersize=6,
        markerfacecolor=look.colour if row.valid else "white",
    )


def _stack(axes: Axes, y: float, row: Row, split: CpuSplit | None, look: Look) -> None:
    """Draws raw + adapter + framework, and the interval of their total; a Lane without a split in one piece."""
    total = row.estimate("cpu_us_per_request")
    if total is None or split is None:
        _bar(axes, y, row, total, look)
        return
    adapter = split.adapter.point if split.adapter else 0.0
    parts = ((split.raw.point, _raw_style()), (adapter, _adapter_style()), (split.framework.point, _framework_style(look)))
    left = 0.0
    for width, style in parts:
        _segment(axes, y, left, max(width, 0.0), {**style, **({} if row.valid else {"linestyle": "--", "alpha": 0.5})})
        left += max(width, 0.0)
    _point(axes, y, row, total, look)


def _segment(axes: Axes, y: float, left: float, width: float, style: dict[str, Any]) -> None:
    """Draws a part of a bar, with its value inside where that fits."""
    if not width:
        return
    axes.barh(y, width, left=left, height=0.56, linewidth=1, **style)
    per_inch = axes.get_xlim()[1] / (axes.get_position().width * WIDTH)
    if _width(number(width), CAPTION_PT) + 0.3 < width / per_inch:
        axes.text(left + width / 2, y, number(width), ha="center", va="center", size=CAPTION_PT, color=INK, bbox=_BACKED)
