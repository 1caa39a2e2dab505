"""The page that every chart is drawn on: styles, text that is measured before it is placed, panels, and the caption.

Sizes are in inches, and of text in points. A figure grows with what it has to say, and nothing is clipped.
"""

import io
from collections.abc import Sequence
from functools import cache
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from bench.model.summary import Report
from bench.report import CHARTS, context
from bench.report.charts.style import wrapped
from bench.report.group_table import Table

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
BACKED: dict[str, Any] = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1}
"""Behind a number on a bar or beside a line."""


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


def render(figure: Figure) -> dict[str, bytes]:
    """Returns a chart as ``svg`` and ``png``: the same bytes for the same values, without a date."""
    return {"svg": svg(figure), "png": png(figure)}


def svg(figure: Figure) -> bytes:
    """Returns a chart as SVG, its letters as paths."""
    without = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    return _saved(figure, format="svg", metadata=without)


def png(figure: Figure) -> bytes:
    """Returns a chart as PNG."""
    return _saved(figure, format="png", dpi=160, metadata={"Software": None})


def _saved(figure: Figure, **how: Any) -> bytes:
    file = io.BytesIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": figure.get_label()}):
        figure.savefig(file, **how)
    return file.getvalue()


def sheet(
    report: Report, shown: Sequence[Table], name: str, heights: Sequence[float], left: float, right: float
) -> tuple[Figure, list[Axes]]:
    """Returns a figure with title, what must be known first, a panel a Group, and the caption."""
    page = Page(left, right)
    page.write(CHARTS[name], 13, weight="bold", color=INK)
    for notice in context.notices(report):
        page.write(notice, CAPTION_PT + 1, weight="bold", color=WARNING)
    for table, height in zip(shown, heights, strict=True):
        page.height += 0.1
        page.write(table.title, 10, weight="bold", color=INK)
        page.height += 0.06
        page.panel(height)
    page.height += 0.28
    for sentence in context.caption(report, name):
        page.write(sentence, CAPTION_PT, color="#444444")
    return page.figure(name)


def paragraph(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """Returns a text as lines that fit into so many inches."""
    return wrapped(text, width, lambda line: text_width(line, size, weight))


@cache
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Returns how wide a line is, in inches."""
    font = FontProperties(family=STYLE["font.family"], size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def name_axis(panels: Sequence[Axes], name: str) -> None:
    """Names the axis that all panels share, under the last one."""
    for axes in panels[-1:]:
        axes.set_xlabel(name)


def inches(axes: Axes) -> tuple[float, float]:
    """Returns a panel's width and height."""
    return axes.bbox.width / axes.figure.dpi, axes.bbox.height / axes.figure.dpi


def plain(value: float, _: int) -> str:
    """Writes a tick."""
    return f"{value:,.10g}"
