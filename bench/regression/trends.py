"""From the records of the history to its trends: one for each Lane and metric, with the steps in it."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bench.analysis.autocorrelation import Floats
from bench.model.formats import HISTORY_VERSION
from bench.model.history import (
    History,
    HistoryRecord,
    LevelStep,
    NoHistory,
    Reading,
    Trend,
)
from bench.model.load import Phase
from bench.model.metrics import METRICS
from bench.regression import changepoints
from bench.regression.changepoints import Step

SHORT = 7
"""Digits of a commit that are shown."""
UNCOMMITTED_MARK = "+"
"""What a revision ends in when changes were not committed; git knows no such name."""

_Rows = tuple[list[int], list[Reading]]
"""Places of runs, and what they found there: not one object a row, of which a long history has half a million."""


class Chosen(Struct, frozen=True, kw_only=True):
    """The records that may stand in one trend, by the time of their runs, and how many may not."""

    records: tuple[HistoryRecord, ...]
    other_machines: int
    other_conditions: int


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


def like_latest(records: Sequence[HistoryRecord]) -> Chosen:
    """Returns those on the machine, with the preset and under the conditions of the latest run.

    Raises NoHistory without any.
    """
    if not records:
        raise NoHistory("found no run in the history, expected one; `bench run` and `bench history --add RUN` add them")
    ordered = sorted(records, key=lambda record: record.started_utc)
    latest = ordered[-1]
    here = [record for record in ordered if record.machine == latest.machine]
    alike = [record for record in here if _asked(record) == _asked(latest)]
    return Chosen(
        records=tuple(alike),
        other_machines=len(ordered) - len(here),
        other_conditions=len(here) - len(alike),
    )


def series(records: Sequence[HistoryRecord]) -> list[Series]:
    """Returns the Series of every Lane and metric, in the order in which they are shown.

    In those of latencies are the runs at the rate of the latest one.
    """
    rows: dict[tuple[str, str], _Rows] = {}
    for at, record in enumerate(records):
        for lane, metrics in record.lanes.items():
            for metric, reading in metrics.items():
                if METRICS[metric].phase is Phase.FIXED and record.fixed_rate_rps != records[-1].fixed_rate_rps:
                    continue
                places, readings = rows.setdefault((lane, metric), ([], []))
                places.append(at)
                readings.append(reading)
    return [_series(lane, metric, *rows[lane, metric]) for lane, metric in sorted(rows, key=_order)]


def history(chosen: Chosen, found: Iterable[Series]) -> History:
    """Returns all that is said of the Series of these records."""
    records = chosen.records
    latest = records[-1]
    return History(
        format_version=HISTORY_VERSION,
        machine=latest.machine,
        preset=latest.preset,
        conditions=latest.conditions,
        fixed_rate_rps=latest.fixed_rate_rps,
        runs=len(records),
        other_machines=chosen.other_machines,
        other_conditions=chosen.other_conditions,
        other_rates=sum(record.fixed_rate_rps not in (None, latest.fixed_rate_rps) for record in records),
        first_utc=records[0].started_utc,
        latest_utc=latest.started_utc,
        latest_run=latest.run_id,
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
    """Returns so many runs of neighbouring values, each folded into one; the first are one longer than the last."""
    size, longer = divmod(len(values), count)
    end, *rest = longer * (size + 1), *values.shape[1:]
    parts = values[:end].reshape(longer, size + 1, *rest), values[end:].reshape(count - longer, size, *rest)
    return np.concatenate([fold(part, axis=1) for part in parts])


def _asked(record: HistoryRecord) -> tuple[str, str | None]:
    return record.preset, record.conditions


def _order(key: tuple[str, str]) -> tuple[str, int]:
    lane, metric = key
    return lane, [row.name for row in METRICS.gated()].index(metric)


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
    revisions = (first.project_revision, last.project_revision)
    return LevelStep(
        ratio=step.ratio,
        before=runs[step.at - 1].run_id,
        after=runs[step.at].run_id,
        between=(first.run_id, last.run_id),
        commits=_commits(*revisions),
        uncommitted=any(revision is not None and revision.endswith(UNCOMMITTED_MARK) for revision in revisions),
    )


def _commits(first: str | None, last: str | None) -> str | None:
    """Returns a range as git takes it, or one commit where it is the same."""
    if first is None or last is None:
        return None
    before, after = (revision.removesuffix(UNCOMMITTED_MARK) for revision in (first, last))
    return before[:SHORT] if before == after else f"{before[:SHORT]}..{after[:SHORT]}"
