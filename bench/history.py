"""From the records of the history to its trends: one for each Lane and metric, with the steps in it."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bench import changepoints
from bench.autocorrelation import Floats
from bench.changepoints import Step
from bench.history_records import (
    HISTORY_VERSION,
    INSTRUCTIONS,
    History,
    HistoryRecord,
    LevelStep,
    NoHistory,
    Reading,
    Trend,
)

METRICS = ("cpu_us_per_request", "throughput_rps", "latency_fixed_p50_ms", INSTRUCTIONS)
"""In the order in which they are shown."""
SHORT = 7
"""Digits of a commit that are shown."""


_Rows = tuple[list[int], list[Reading]]
"""Places of runs, and what they found there: not one object a row, of which a long history has half a million."""


class Series(Struct, frozen=True):
    """A metric of a Lane over the runs that have it: ``at`` are the places of these runs among those of the trend.

    ``readings`` is an array (runs, 3) of points and interval ends, NaN where there was no interval.
    """

    lane: str
    metric: str
    at: NDArray[np.intp]
    readings: Floats
    steps: tuple[Step, ...]

    @property
    def points(self) -> Floats:
        """Returns the points."""
        return self.readings[:, 0]


class Line(Struct, frozen=True):
    """A Series as it is drawn: few enough points, each with its interval, and a level between steps."""

    xs: Floats
    readings: Floats
    levels: tuple[tuple[float, float, float], ...]
    """From x to x, at a height."""


def of_latest_machine(records: Sequence[HistoryRecord]) -> list[HistoryRecord]:
    """Returns the records of the machine of the latest run, by the time of their runs. Raises NoHistory without one."""
    if not records:
        raise NoHistory("found no run in the history, expected one; `bench run` and `bench history --add RUN` add them")
    ordered = sorted(records, key=lambda record: record.started_utc)
    return [record for record in ordered if record.machine == ordered[-1].machine]


def series(records: Sequence[HistoryRecord]) -> list[Series]:
    """Returns the Series of every Lane and metric, in the order in which they are shown."""
    rows: dict[tuple[str, str], _Rows] = {}
    for at, record in enumerate(records):
        for lane, metrics in record.lanes.items():
            for metric, reading in metrics.items():
                places, readings = rows.setdefault((lane, metric), ([], []))
                places.append(at)
                readings.append(reading)
    return [_series(lane, metric, *rows[lane, metric]) for lane, metric in sorted(rows, key=_order)]


def history(records: Sequence[HistoryRecord], found: Iterable[Series], left_out: int) -> History:
    """Returns all that is said of the Series of these records."""
    return History(
        format_version=HISTORY_VERSION,
        machine=records[-1].machine,
        runs=len(records),
        left_out=left_out,
        first_utc=records[0].started_utc,
        latest_utc=records[-1].started_utc,
        latest_run=records[-1].run_id,
        trends=tuple(_trend(one, records) for one in found),
    )


def line(one: Series, most: int) -> Line:
    """Returns a Series as at most so many points: medians of as many runs each, in which no single run shows."""
    count = min(most, len(one.at))
    levels = changepoints.levels(one.points, one.steps)
    edges = [0, *(step.at for step in one.steps), len(one.at)]
    return Line(
        xs=_folded(one.at, count, np.mean),
        readings=_folded(one.readings, count, np.median),
        levels=tuple(
            (float(one.at[start]), float(one.at[end - 1]), level)
            for (start, end), level in zip(pairwise(edges), levels, strict=True)
        ),
    )


def _folded(values: NDArray[Any], count: int, fold: Callable[..., Floats]) -> Floats:
    """Returns so many groups of neighbouring values, each folded into one; the first are one longer than the last."""
    size, longer = divmod(len(values), count)
    end, *rest = longer * (size + 1), *values.shape[1:]
    parts = values[:end].reshape(longer, size + 1, *rest), values[end:].reshape(count - longer, size, *rest)
    return np.concatenate([fold(part, axis=1) for part in parts])


def _order(key: tuple[str, str]) -> tuple[str, int, str]:
    lane, metric = key
    return lane, METRICS.index(metric) if metric in METRICS else len(METRICS), metric


def _series(lane: str, metric: str, at: list[int], readings: list[Reading]) -> Series:
    columns = [[one.point for one in readings], [one.low for one in readings], [one.high for one in readings]]
    table = np.array(columns, dtype=float).T
    return Series(lane, metric, np.array(at), table, changepoints.steps(table[:, 0]))


def _trend(one: Series, records: Sequence[HistoryRecord]) -> Trend:
    runs = [records[at] for at in one.at.tolist()]
    return Trend(
        lane=one.lane,
        metric=one.metric,
        runs=len(runs),
        latest=runs[-1].lanes[one.lane][one.metric],
        latest_run=runs[-1].run_id,
        steps=tuple(_level_step(step, runs) for step in one.steps),
    )


def _level_step(step: Step, runs: Sequence[HistoryRecord]) -> LevelStep:
    first, last = runs[step.earliest - 1], runs[step.latest]
    return LevelStep(
        ratio=step.ratio,
        before=runs[step.at - 1].run_id,
        after=runs[step.at].run_id,
        between=(first.run_id, last.run_id),
        commits=_commits(first.git_revision, last.git_revision),
    )


def _commits(first: str | None, last: str | None) -> str | None:
    """Returns a range as git takes it, or one commit where it is the same; a ``+`` says that changes were not in it."""
    if first is None or last is None:
        return None
    shown = [f"{revision[:SHORT]}{'+' if revision.endswith('+') else ''}" for revision in (first, last)]
    return shown[0] if first == last else "..".join(shown)
