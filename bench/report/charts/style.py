"""How Lanes are told apart in every chart, and what charts derive from a Report; no plotting."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from math import log10
from typing import Any
from zlib import crc32

from msgspec import Struct

from bench.analysis import validity
from bench.model.estimate import Status
from bench.model.metrics import CPU
from bench.model.summary import Report
from bench.report.group_table import Row, Table

COLOURS = ("#E69F00", "#0072B2", "#009E73", "#56B4E9", "#CC79A7", "#D55E00")
"""Okabe and Ito's palette, safe for colour-blind readers, without its black and its yellow, which is lost on white."""
MARKERS = "oDs^vPXpdh<>"
RAW_COLOUR = "#777777"
RAW_MARKERS = "x+123"
RAW_DASHES: tuple[tuple[float, ...], ...] = ((4, 2), (1, 1.5), (6, 2, 1, 2), (8, 2), (3, 1, 1, 1, 1, 1))

PARTS: dict[str, dict[str, Any]] = {
    "raw": {"facecolor": "#d0d0d0", "edgecolor": RAW_COLOUR},
    "adapter": {"facecolor": "white", "edgecolor": RAW_COLOUR, "hatch": "////"},
    "framework, in its colour": {"facecolor": "white", "edgecolor": "#222222"},
}
"""The parts of a Lane's CPU time; a framework's part is in its own colour, except in the legend."""

Parts = tuple[float, float, float]
"""CPU time per request, in us: raw, adapter, framework."""


class Look(Struct, frozen=True):
    """How a Lane is drawn: the colour says the framework, and the marker says it again. No dashes: a solid line."""

    colour: str
    marker: str
    dashes: tuple[float, ...] = ()


class Scale(Struct, frozen=True):
    """The axis of a metric's bars: ``reach`` is where an interval is cut off, so that one does not dwarf all bars."""

    metric: str
    reach: float

    @classmethod
    def of(cls, shown: Sequence[Table], metric: str) -> "Scale":
        """Returns the axis for these tables."""
        found = (row.estimate(metric) for table in shown for row in table.rows)
        return cls(metric, 1.5 * max((estimate.point for estimate in found if estimate), default=0.0))

    def end(self, row: Row) -> float:
        """Returns how far a row's bar and interval reach."""
        estimate = row.estimate(self.metric)
        return min(self.reach, max(estimate.point, estimate.high or 0.0)) if estimate else 0.0


def looks_of(report: Report) -> dict[str, Look]:
    """Returns the look of every Lane; a framework looks the same on every Server, raw is grey and dashed."""
    lanes = report.manifest.experiment.lanes
    apps = app_looks(sorted({lane.app.name for lane in lanes if not lane.app.raw}))
    raw = [lane.name for lane in lanes if lane.app.raw]
    of_raw = {
        lane: Look(RAW_COLOUR, RAW_MARKERS[index % len(RAW_MARKERS)], RAW_DASHES[index % len(RAW_DASHES)])
        for index, lane in enumerate(raw)
    }
    return {lane.name: of_raw.get(lane.name) or apps[lane.app.name] for lane in lanes}


def parts_of(report: Report) -> dict[str, Parts]:
    """Returns the parts of every Lane that can be split. A raw Lane is raw, and behind an adapter raw and adapter."""
    splits = {split.lane: split for split in report.summary.cpu_splits}
    costs = {lane.lane: lane.metrics.get(CPU) for lane in report.summary.lanes}
    trusted = [lane for lane in report.summary.lanes if validity.of_metric(lane.cells, CPU).status is Status.VALID]
    bare = {lane.server: costs[lane.lane] for lane in trusted if lane.raw and not lane.adapter}
    parts = {
        lane: (split.raw.point, split.adapter.point if split.adapter else 0.0, split.framework.point)
        for lane, split in splits.items()
    }
    for lane in trusted:
        cost, raw = costs[lane.lane], bare.get(lane.server)
        if lane.raw and cost and raw:
            parts[lane.lane] = (raw.point, cost.point - raw.point, 0.0)
    return parts


def spread(wanted: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Returns the centres of labels of these sizes: near those wanted, in their order, side by side within 0 to 1.

    Where there is not enough room for all, they reach below 0.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed, lowest, highest = list(wanted), 0.0, 1.0
    for index in order:
        placed[index] = max(wanted[index], lowest + sizes[index] / 2)
        lowest = placed[index] + sizes[index] / 2
    for index in reversed(order):
        placed[index] = min(placed[index], highest - sizes[index] / 2)
        highest = placed[index] - sizes[index] / 2
    return placed


def wrapped(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Returns the text as lines that measure at most ``width``; a word that is wider by itself is broken."""
    lines = [""]
    for word in text.split():
        candidate = f"{lines[-1]} {word}".strip()
        if measure(candidate) <= width:
            lines[-1] = candidate
        else:
            lines.extend(_broken(word, width, measure))
    return [line for line in lines if line]


def points_of(percentiles: Sequence[float], values_ms: Sequence[float]) -> tuple[list[float], list[float]]:
    """Returns a curve's nines and values in ms; the maximum, at 100 %, has no place on such an axis."""
    below = [(nines(p), ms) for p, ms in zip(percentiles, values_ms, strict=True) if p < 100]
    return [x for x, _ in below], [ms for _, ms in below]


def nines(percentile: float) -> float:
    """Returns how many nines a percentile has: 0 for 0, 1 for 90, 2 for 99. The logarithm of 1 / (1 - p)."""
    return -log10(1 - percentile / 100)


def round_starts(report: Report) -> list[float]:
    """Returns when each Round began its saturated slices, in s; nothing where it can't be told."""
    slices = report.manifest.experiment.preset.saturated_slices
    longest = max((len(trace.at_s) for trace in report.traces), default=0)
    whole = [trace.at_s for trace in report.traces if len(trace.at_s) == longest]
    if longest % slices:
        return []
    return [min(begun) for begun in zip(*(at_s[::slices] for at_s in whole), strict=True)]


def _broken(word: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    """Yields a word in pieces that fit; a single letter always does."""
    while measure(word) > width and len(word) > 1:
        fits = bisect_right(range(1, len(word)), width, key=lambda end: measure(word[:end]))
        yield word[: max(1, fits)]
        word = word[max(1, fits) :]
    yield word


def app_looks(apps: Sequence[str]) -> dict[str, Look]:
    """Gives each App the colour that its name asks for, or the next free one: so it has the same from run to run."""
    free: list[int] = []
    looks = {}
    for position, app in enumerate(apps):
        free = free or list(range(len(COLOURS)))
        wanted = crc32(app.encode()) % len(COLOURS)
        slot = next((slot for slot in free if slot >= wanted), free[0])
        free.remove(slot)
        lap = position // len(COLOURS)
        looks[app] = Look(COLOURS[slot], MARKERS[(slot + lap * len(COLOURS)) % len(MARKERS)])
    return looks
