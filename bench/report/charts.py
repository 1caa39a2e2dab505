"""The charts, as matplotlib figures: nothing else imports matplotlib. Sizes are in inches, counted from the top.

Every text is measured before it is placed, so a figure grows with what it has to say and nothing is clipped.
"""

import io
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import cycle, groupby
from math import log10
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

STYLE = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 9,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "hatch.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "svg.fonttype": "path",
    "text.parse_math": False,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
}
COLOURS = ("#E69F00", "#0072B2", "#009E73", "#56B4E9", "#CC79A7", "#D55E00")
"""Okabe and Ito's palette, safe for colour-blind readers, without its black and its yellow, which is lost on white."""
MARKERS = "oDs^vPXpdh<>"
RAW = "#777777"
WARNING = "#A62B00"
WIDTH = 8.6
PAD = 0.18
CAPTION_SIZE = 7.5
LABEL_SIZE = 9.0
LINE = 0.165
"""The height of a line of labels."""
LABEL_WIDTH = 2.1
"""The widest label beside a panel before it is wrapped."""
NINES = (50.0, 90.0, 99.0, 99.9, 99.99, 99.999)


class Look(Struct, frozen=True):
    """How a Lane is drawn: the colour says the framework, the marker says it again."""

    colour: str
    marker: str
    line: str = "-"


class Label(Struct, frozen=True):
    """A text beside a panel, at a height from 0 to 1, led to the point (x, y) of the data; None leads nowhere."""

    text: str
    height: float
    point: tuple[float, float] | None
    colour: str


def draw(report: Report) -> dict[str, Figure]:
    """Returns every chart by its name."""
    drawn = {"throughput": throughput, "latency": latency, "cpu": cpu, "throughput_over_time": throughput_over_time}
    return {name: drawn[name](report) for name in CHARTS}


def render(figure: Figure) -> dict[str, bytes]:
    """Returns a chart as ``svg`` and ``png``: the same bytes for the same values, without a date."""
    svg, png = io.BytesIO(), io.BytesIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": str(figure.get_label())}):
        figure.savefig(svg, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
        figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return {"svg": svg.getvalue(), "png": png.getvalue()}


@mpl.rc_context(STYLE)
def throughput(report: Report) -> Figure:
    """Draws the saturated throughput: a bar from zero with its interval for every Lane, a panel a League."""
    shown, looks = tables(report), _looks(report)
    figure, panels = _bar_sheet("throughput", report, shown, (Phase.SATURATED,))
    for axes, table in zip(panels, shown, strict=True):
        for y, row in enumerate(table.rows):
            _bar(axes, y, row, row.estimate("throughput_rps"), looks[row.lane.lane], "")
    _share_bar_axis(panels, "throughput, requests/s (from zero; more is better)")
    return figure


@mpl.rc_context(STYLE)
def cpu(report: Report) -> Figure:
    """Draws the CPU time per request as raw + adapter + framework, a panel a League."""
    shown, looks = tables(report), _looks(report)
    splits = {split.lane: split for split in report.summary.cpu_splits}
    figure, panels = _bar_sheet("cpu", report, shown, (Phase.SATURATED,))
    for axes, table in zip(panels, shown, strict=True):
        for y, row in enumerate(table.rows):
            _stack(axes, y, row, splits.get(row.lane.lane), looks[row.lane.lane])
    _share_bar_axis(panels, "server CPU time per request, µs (from zero; less is better)")
    _component_legend(figure)
    return figure


@mpl.rc_context(STYLE)
def latency(report: Report) -> Figure:
    """Draws the latency by percentile at the fixed rate, on an axis on which every further nine is as wide as the last.

    A curve ends where the Report's does: where too few requests lie beyond.
    """
    curves = {
        curve.lane: ([_nines(p) for p in curve.percentiles if p < 100], curve.latencies_ms) for curve in report.curves
    }
    figure, panels = _line_sheet("latency", report, curves, (Phase.FIXED,), logarithmic="if the range asks for it")
    furthest = max((xs[-1] for xs, _ in curves.values()), default=2.0)
    for axes in panels:
        axes.set(xlim=(_nines(45), max(2.0, furthest) + 0.04), ylabel="latency, ms")
        axes.set_xticks([_nines(p) for p in NINES if _nines(p) <= furthest + 0.04], _percents(furthest))
    panels[-1].set_xlabel("percentile of requests, from their intended start, all rounds merged")
    return figure
