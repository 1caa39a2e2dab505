"""The charts, as matplotlib figures: nothing else imports matplotlib. Sizes are in inches.

Every text is measured before it is placed: a figure grows with what it has to say, and nothing is clipped.
"""

import io
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench.records import Report
from bench.report import CHARTS, facts
from bench.report.leagues import THROUGHPUT, Row, Table, tables
from bench.report.looks import PARTS, Look, Scale, looks_of, nines, parts_of, points_of, round_starts, spread, wrapped
from bench.report.words import number

STYLE: Any = {
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
WIDTH, PAD = 8.6, 0.18
LABEL_PT, CAPTION_PT = 9.0, 7.5
LINE, LABEL_WIDTH = 0.165, 2.2
"""The height of a line of labels, and the width at which one is wrapped."""
INK, WARNING = "#222222", "#A62B00"
LOG_FROM = 8.0
"""An axis is logarithmic where its highest value is so many times its lowest."""
PERCENTS = (50.0, 90.0, 99.0, 99.9, 99.99, 99.999)
BACKED: dict[str, Any] = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1}
"""Behind a number on a bar."""

LEADER: dict[str, Any] = {"arrowstyle": "-", "linewidth": 0.8, "shrinkA": 2, "shrinkB": 0, "relpos": (0, 0.5)}
"""From a line's end to its name."""

Points = tuple[Sequence[float], Sequence[float]]
NO_POINTS: Points = ((), ())
Lines = Mapping[str, Points]
NO_LINES: Lines = {}
LINES_OF = {"latency": "latency_fixed_p50_ms", "throughput_over_time": THROUGHPUT}
"""The metric that says whether a chart's lines can be trusted."""


class Page:
    """A figure of fixed width that is filled from the top, with as many panels and lines as there are."""

    def __init__(self, left: float, right: float) -> None:
        self.left, self.width = left, WIDTH - left - right
        self.height = PAD
        self._texts: list[tuple[float, str, dict[str, Any]]] = []
        self._boxes: list[tuple[float, float, float, float]] = []

    def write(self, text: str, size: float, **style: Any) -> None:
        """Adds a paragraph across the page."""
        for line in paragraph(text, WIDTH - 2 * PAD, size, style.get("weight", "normal")):
            self._texts.append((self.height, line, {"size": size, **style}))
            self.height += size * 1.45 / 72

    def panel(self, height: float, columns: int = 1, gap: float = 0.0) -> None:
        """Adds a panel, or several side by side, with space for tick labels."""
        width = (self.width - gap * (columns - 1)) / columns
        for column in range(columns):
            self._boxes.append((self.left + column * (width + gap), self.height, width, height))
        self.height += height + 0.3

    def figure(self, name: str) -> tuple[Figure, list[Axes]]:
        """Returns the figure with all that was added, and its panels."""
        height = self.height + PAD
        figure = Figure(figsize=(WIDTH, height), facecolor="white", label=name)
        for top, text, style in self._texts:
            figure.text(PAD / WIDTH, 1 - top / height, text, va="top", **style)
        boxes = ((x / WIDTH, 1 - (top + h) / height, w / WIDTH, h / height) for x, top, w, h in self._boxes)
        return figure, [figure.add_axes(box) for box in boxes]


def draw(report: Report) -> dict[str, Figure]:
    """Returns every chart by its name."""
    drawn = {"throughput": throughput, "latency": latency, "cpu": cpu, "throughput_over_time": throughput_over_time}
    return {name: make(report) for name, make in drawn.items()}


def render(figure: Figure) -> dict[str, bytes]:
    """Returns a chart as ``svg`` and ``png``: the same bytes for the same values, without a date."""
    svg, png = io.BytesIO(), io.BytesIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": figure.get_label()}):
        figure.savefig(svg, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
        figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return {"svg": svg.getvalue(), "png": png.getvalue()}


@mpl.rc_context(STYLE)
def throughput(report: Report) -> Figure:
    """Draws the saturated throughput: a bar from zero with its interval for every Lane, a panel a League."""
    shown, looks = tables(report), looks_of(report)
    scale = Scale.of(shown, THROUGHPUT, "")
    figure, panels = _bars(report, shown, "throughput", scale)
    for axes, table in zip(panels, shown, strict=True):
        for y, row in enumerate(table.rows):
            _bar(axes, y, row, scale, looks[row.lane.lane])
    name_axis(panels, "throughput, requests/s (axis from zero; more is better)")
    return figure


@mpl.rc_context(STYLE)
def cpu(report: Report) -> Figure:
    """Draws the CPU time per request as raw + adapter + framework, a panel a League."""
    shown, looks, parts = tables(report), looks_of(report), parts_of(report)
    scale = Scale.of(shown, "cpu_us_per_request", " µs")
    figure, panels = _bars(report, shown, "cpu", scale)
    for axes, table in zip(panels, shown, strict=True):
        for y, row in enumerate(table.rows):
            _stack(axes, y, row, scale, parts.get(row.lane.lane), looks[row.lane.lane])
    name_axis(panels, "server CPU time per request, µs (axis from zero; less is better)")
    _component_legend(figure)
    return figure


@mpl.rc_context(STYLE)
def latency(report: Report) -> Figure:
    """Draws the latency by percentile at the fixed rate; on the axis every further nine is as wide as the last.

    A thin line is the Lane's service time. A curve ends where the Report's does: too few requests lie beyond.
    """
    curves = {curve.lane: points_of(curve.percentiles, curve.latencies_ms) for curve in report.curves}
    services = {curve.lane: points_of(curve.percentiles, curve.services_ms) for curve in report.curves}
    last = max((xs[-1] for xs, _ in curves.values()), default=1.0)
    ticks = [percent for percent in PERCENTS if nines(percent) <= last + 0.02]
    figure, panels = _lines(report, "latency", curves, "latency, ms", thin=services)
    for axes in panels:
        axes.set_xlim(nines(40), last + 0.03)
        axes.set_xticks([nines(percent) for percent in ticks], [f"{percent:g} %" for percent in ticks])
    name_axis(panels, "percentile of requests (thick: from the intended start, thin: service time, from sending)")
    return figure


@mpl.rc_context(STYLE)
def throughput_over_time(report: Report) -> Figure:
    """Draws the throughput of every saturated slice over the run; lines break, and are marked, where a Round begins."""
    starts = round_starts(report)
    traces: dict[str, Points] = {trace.lane: (trace.at_s, trace.throughput_rps) for trace in report.traces}
    figure, panels = _lines(report, "throughput_over_time", traces, "requests/s", breaks=starts)
    times = [at for at_s, _ in traces.values() for at in at_s] or [0.0, 1.0]
    margin = 0.02 * (max(times) - min(times)) or 1.0
    for axes in panels:
        axes.set_xlim(min(times) - margin, max(times) + margin)
        for start in starts:
            axes.axvline(start, color="#999999", linewidth=0.6, linestyle=(0, (1, 3)), zorder=0)
    name_axis(panels, "time since the run began, s (dotted: a round begins)")
    return figure


def paragraph(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """Returns a text as lines that fit into so many inches."""
    return wrapped(text, width, lambda line: text_width(line, size, weight))


@cache
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Returns how wide a line is, in inches."""
    font = FontProperties(family=STYLE["font.family"], size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def sheet(
    report: Report, shown: Sequence[Table], name: str, heights: Sequence[float], left: float, right: float
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
    for sentence in facts.caption(report, name):
        page.write(sentence, CAPTION_PT, color="#444444")
    return page.figure(name)


def name_axis(panels: Sequence[Axes], name: str) -> None:
    """Names the axis that all panels share, under the last one."""
    for axes in panels[-1:]:
        axes.set_xlabel(name)


def _bars(report: Report, shown: Sequence[Table], name: str, scale: Scale) -> tuple[Figure, list[Axes]]:
    """Returns a sheet of rows, one a Lane, with an axis that leaves room for the value beside every bar."""
    labels = [[_row_label(row, scale) for row in table.rows] for table in shown]
    every = [label for of_league in labels for label in of_league]
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
    beside = min(text_width(row.value(scale.metric, scale.unit), LABEL_PT) + 0.25, 0.8 * room)
    return scale.end(row) / (1 - beside / room)


def _write_value(axes: Axes, y: float, row: Row, scale: Scale) -> None:
    axes.annotate(
        row.value(scale.metric, scale.unit),
        (scale.end(row), y),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        size=LABEL_PT,
        color=INK if row.trusted(scale.metric) else WARNING,
    )


def _bar(axes: Axes, y: float, row: Row, scale: Scale, look: Look) -> None:
    """Draws a bar with a dot and an interval at its end: filled, hatched for a ceiling, hollow where invalid."""
    estimate = row.estimate(scale.metric)
    if estimate is None:
        return
    bar = axes.barh(y, estimate.point, height=0.56, color=(look.colour, 0.28), edgecolor=look.colour, linewidth=1)
    for patch in bar:
        if row.lane.baseline:
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
    per_inch = axes.get_xlim()[1] / _inches(axes)[0]
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


def _lines(
    report: Report, name: str, series: Lines, unit: str, breaks: Sequence[float] = (), thin: Lines = NO_LINES
) -> tuple[Figure, list[Axes]]:
    """Returns a sheet with a panel a League and a line a Lane, named beside its end; panels share both axes."""
    shown, looks = tables(report), looks_of(report)
    labels = [[_line_label(row, series, LINES_OF[name]) for row in table.rows] for table in shown]
    every = [label for of_league in labels for label in of_league]
    right = max((text_width(line, LABEL_PT) for lines in every for line in lines), default=0) + 0.5
    heights = [max(1.9, sum(map(len, lines)) * LINE + 0.06 * len(lines)) for lines in labels]
    figure, panels = sheet(report, shown, name, heights, 0.85, right)
    drawn = [row.lane.lane for table in shown for row in table.rows]
    values = [y for lines in (series, thin) for lane in drawn for y in lines.get(lane, NO_POINTS)[1]]
    for axes, table, texts in zip(panels, shown, labels, strict=True):
        _scale(axes, values, unit)
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


def _scale(axes: Axes, values: Sequence[float], unit: str) -> None:
    """Sets the vertical axis: from zero, or logarithmic where the values differ by much."""
    low, high = min(values, default=1.0), max(values, default=1.0)
    if high < LOG_FROM * low or low <= 0:
        axes.set(ylim=(0, 1.08 * high or 1.0), ylabel=unit)
    else:
        axes.set(yscale="log", ylim=(low / 1.15, high * 1.15), ylabel=f"{unit} (log)")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(plain))


def _line(axes: Axes, points: Points, look: Look, breaks: Sequence[float], *, trusted: bool) -> None:
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
    axes: Axes, texts: Sequence[list[str]], lines: Sequence[Points], looks: Sequence[Look], trusted: Sequence[bool]
) -> None:
    """Writes each Lane's name beside the panel, led to the end of its line; one without a line stands at the bottom."""
    ends = [ys[-1] if ys else None for _, ys in lines]
    to_axes = axes.transData + axes.transAxes.inverted()
    wanted = [0.0 if end is None else float(to_axes.transform((1, end))[1]) for end in ends]
    places = spread(wanted, [len(text) * LINE / _inches(axes)[1] for text in texts])
    for text, end, place, look, sure in zip(texts, ends, places, looks, trusted, strict=True):
        axes.annotate(
            "\n".join(text),
            (1, 0 if end is None else end),
            xycoords=("axes fraction", "axes fraction" if end is None else "data"),
            xytext=(1 + 0.3 / _inches(axes)[0], place),
            textcoords="axes fraction",
            va="center",
            size=LABEL_PT,
            color=INK if sure else WARNING,
            arrowprops=None if end is None else {**LEADER, "color": look.colour},
            annotation_clip=False,
        )


def _inches(axes: Axes) -> tuple[float, float]:
    """Returns a panel's width and height."""
    return axes.bbox.width / axes.figure.dpi, axes.bbox.height / axes.figure.dpi


def plain(value: float, _: int) -> str:
    """Writes a tick."""
    return f"{value:,.10g}"
