"""The chart of the history: small multiples, a panel a Lane, its CPU time per request relative to raw, run by run."""

from collections.abc import Iterator, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.model.history import History, LevelStep, Trend
from bench.model.metrics import CPU, METRICS
from bench.regression.trends import Line, Series, line
from bench.report.charts.page import BACKED, CAPTION_PT, INK, LABEL_PT, PAD, STYLE, Page, inches, plain, text_width
from bench.report.charts.style import Look, app_looks
from bench.report.format import one_line
from bench.report.history import change, conditions, reading_trends, where

HISTORY_CHART = "history"
TITLE = f"{METRICS[CPU].short}, relative to raw, run by run"
COLUMNS, GAP, HEIGHT = 2, 0.55, 1.25
MOST_POINTS = 300
"""More than a panel has room for would only cost time: then a point is the median of several runs."""


@mpl.rc_context(STYLE)
def history_chart(history: History, series: Sequence[Series]) -> Figure:
    """Draws the runs with their intervals, the levels, and where they changed; ``series`` are those of the trends."""
    shown = [(trend, one) for trend, one in zip(history.trends, series, strict=True) if trend.metric == CPU]
    looks = app_looks(sorted({_app(trend.lane) for trend, _ in shown}))
    figure, panels = _sheet(history, len(shown))
    for axes, (trend, one) in zip(panels, shown, strict=True):
        axes.set_title(one_line(trend.lane), loc="left", y=1, size=LABEL_PT, color=INK)
        axes.set_xlim(-0.02 * history.runs - 0.5, 1.02 * history.runs - 0.5)
        _trend(axes, line(one, MOST_POINTS), looks[_app(trend.lane)])
        _steps(axes, trend, one)
    for axes in panels[:-COLUMNS]:
        axes.tick_params(labelbottom=False)  # all panels have the same runs
    for axes in panels[-COLUMNS:]:
        axes.set_xlabel("run, oldest first", size=CAPTION_PT)
    return figure


def _sheet(history: History, count: int) -> tuple[Figure, list[Axes]]:
    """Returns a figure with title, a grid of panels, and the caption."""
    page = Page(0.6, PAD)
    page.write(TITLE, 13, weight="bold", color=INK)
    if not count:
        page.write("No run has a valid CPU time of a Lane and of raw.", LABEL_PT, color=INK)
    for _ in range(0, count, COLUMNS):
        page.height += 0.3  # for the panels' titles
        page.panel(HEIGHT, COLUMNS, GAP)
    page.height += 0.2
    many = f"With more than {MOST_POINTS} runs, a point is the median of several." if history.runs > MOST_POINTS else ""
    lines = "Line: a run. Band: its 95 % interval. Black: the level between steps. Steps are named where there is room."
    for sentence in (lines, many, *conditions(history), *reading_trends()):
        page.write(sentence, CAPTION_PT, color="#444444")
    figure, panels = page.figure(HISTORY_CHART)
    for spare in panels[count:]:
        spare.remove()
    return figure, panels[:count]


def _trend(axes: Axes, drawn: Line, look: Look) -> None:
    """Draws runs, intervals and levels."""
    points, lows, highs = drawn.readings.T
    axes.fill_between(drawn.xs, lows, highs, color=look.colour, alpha=0.22, linewidth=0)
    axes.plot(drawn.xs, points, color=look.colour, linewidth=1, marker="." if len(points) == 1 else "")
    for start, end, level in drawn.levels:
        axes.plot((start, end), (level, level), color=INK, linewidth=1.2)
    axes.margins(y=0.3)  # room for the names of steps, at the top
    axes.tick_params(labelsize=CAPTION_PT)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(plain))


def _steps(axes: Axes, trend: Trend, one: Series) -> None:
    """Marks every step, and names it where there is room: the latest first."""
    places = [float(one.at[step.at - 1] + one.at[step.at]) / 2 for step in one.steps]
    for x in places:
        axes.axvline(x, color=INK, linewidth=0.7, linestyle=(0, (2, 2)))
    for step, x in _with_room(axes, trend.steps, places):
        axes.text(
            x,
            0.98,
            _name(step),
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="top",
            size=CAPTION_PT - 1,
            color=INK,
            bbox=BACKED,
        )


def _with_room(axes: Axes, steps: Sequence[LevelStep], places: Sequence[float]) -> Iterator[tuple[LevelStep, float]]:
    """Yields steps whose names fit beside each other, each with the middle of its name."""
    first, last = axes.get_xlim()
    per_inch = (last - first) / inches(axes)[0]
    free = last
    for step, x in zip(reversed(steps), reversed(places), strict=True):
        half = per_inch * (max(text_width(said, CAPTION_PT - 1) for said in _name(step).split("\n")) + 0.08) / 2
        middle = min(max(x, first + half), last - half)
        if middle + half <= free:
            free = middle - half
            yield step, middle


def _name(step: LevelStep) -> str:
    return "\n".join((change(step.ratio), *where(step)))


def _app(lane: str) -> str:
    return lane.partition("@")[0]
