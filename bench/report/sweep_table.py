"""What a sweep's tables say: a row a Lane with its knee and how far it stays within the objective, and every point."""

from collections.abc import Iterator

from msgspec import Struct

from bench.model.estimate import Estimate, Status
from bench.model.experiment import Sweep
from bench.model.load import KneeMethod
from bench.model.metrics import METRICS, OBJECTIVE, SWEPT, THROUGHPUT, latency_at_rate
from bench.model.reason import Code
from bench.model.summary import Report
from bench.model.sweep import LaneSweep, SweepPoint
from bench.report.format import NO_INTERVAL, listed, margin, number
from bench.report.group_table import Row, Table, tables
from bench.report.wording import said

NOTHING = "–"  # noqa: RUF001 - a dash
SERVED = METRICS[THROUGHPUT].column
POINT_COLUMNS = (
    "load",
    SERVED,
    *(METRICS[latency_at_rate(name)].column for name in SWEPT),
    "server CPU",
    "driver CPU",
    "dropped",
    "status",
)

TableCell = tuple[str, str]
"""A table cell: the value, and beside it how sure it is."""


class SweepRow(Struct, frozen=True, kw_only=True):
    """A Lane's sweep in the table of one Group."""

    row: Row
    sweep: LaneSweep

    @property
    def cells(self) -> tuple[TableCell, ...]:
        """Returns the cells of ``columns``."""
        best = max(self.sweep.points, key=lambda point: point.throughput_rps.point if point.throughput_rps else 0.0)
        return (
            _cell(best.throughput_rps),
            _cell(self.sweep.points[0].latency_ms.get(SWEPT[0])),
            self.knee,
            self.within_slo,
        )

    @property
    def knee(self) -> TableCell:
        """Returns where it is, and between which bounds."""
        found = self.sweep.knee
        if found.at is None:
            return NOTHING, ""
        bounds = NOTHING.join(number(end) for end in (found.low, found.high) if end is not None)
        if self.sweep.points[0].load.knee_method is KneeMethod.LAST_SERVED:
            return bounds, ""
        return number(found.at), f"({bounds or NO_INTERVAL})"

    @property
    def within_slo(self) -> TableCell:
        """Returns the highest load within the objective, and what was got through there."""
        found = self.sweep.within_slo
        if found.load is None:
            return NOTHING, ""
        served = found.throughput_rps if found.load.rate_rps is None else None
        return found.load.label, f"{number(served.point)} {SERVED}" if served else ""

    @property
    def up_to(self) -> str:
        """Says the same in a sentence: up to which load, at no load, or that it is not known."""
        load, beside = self.within_slo
        if self.sweep.within_slo.load:
            return f"up to {load}{f' ({beside})' if beside else ''}"
        return "at no load" if self.is_known else "not known"

    @property
    def is_known(self) -> bool:
        """Returns whether a load within the objective was found, or it was seen that the first one is beyond it."""
        first = self.sweep.points[0]
        p99 = first.latency_ms.get(OBJECTIVE)
        seen = first.validity.status is Status.OVERLOADED or (p99 is not None and p99.high is not None)
        return bool(self.sweep.within_slo.load) or (self.row.valid and seen and not doubtful(first))

    @property
    def doubt(self) -> str:
        """Returns what is against some of the Lane's figures, in words; nothing where all can be trusted."""
        if not self.row.valid:
            return self.row.status
        found = [f"{point.validity.status} at {point.load.label}" for point in self.sweep.points if doubtful(point)]
        return found[0] + (f" and {len(found) - 1} more" if len(found) > 1 else "") if found else ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Returns why the load within the objective is no higher, why there is no knee, and which points fail."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        yield f"p99 within the objective {self.up_to}: {_why_no_higher(self)}"
        if self.sweep.knee.reason:
            yield f"no knee: {said(self.sweep.knee.reason)}"
        for point in self.sweep.points:
            if point.validity.status not in (Status.VALID, Status.OVERLOADED):
                yield f"{point.load.label}: {_status(point)}"


class SweepTable(Struct, frozen=True, kw_only=True):
    """One Group's sweep. ``verdict`` is its one sentence."""

    table: Table
    columns: tuple[str, ...]
    rows: tuple[SweepRow, ...]
    verdict: str


def sweep_tables(report: Report) -> tuple[SweepTable, ...]:
    """Returns the table of every Group; nothing for a run that was no sweep."""
    sweep = report.manifest.experiment.sweep
    return tuple(_table(report, sweep, table) for table in tables(report)) if sweep and report.summary.sweeps else ()


def point_cells(point: SweepPoint) -> tuple[TableCell, ...]:
    """Returns the cells of ``POINT_COLUMNS``."""
    return (
        (point.load.label, ""),
        _cell(point.throughput_rps),
        *(_cell(point.latency_ms.get(name)) for name in SWEPT),
        (_share(point.server_cpu_share), ""),
        (_share(point.driver_cpu_share), ""),
        (f"{point.dropped:,}" if point.load.is_scheduled else NOTHING, ""),
        (_status(point), ""),
    )


def doubtful(point: SweepPoint) -> bool:
    """Returns whether a point's figures are in doubt. They are not where a rate was too high: that is a result."""
    too_high = any(why.code is Code.RATE_FILLS_SERVER for why in point.validity.reasons)
    return point.validity.status not in (Status.VALID, Status.OVERLOADED) and not too_high


def _table(report: Report, sweep: Sweep, table: Table) -> SweepTable:
    by_lane = {each.lane: each for each in report.summary.sweeps}
    rows = tuple(SweepRow(row=row, sweep=by_lane[row.lane.lane]) for row in table.rows if row.lane.lane in by_lane)
    unit = sweep.loads[0].unit
    columns = (
        f"most {SERVED}",
        f"{METRICS[latency_at_rate(SWEPT[0])].column} at {sweep.loads[0].label}",
        f"knee, {unit}",
        f"{OBJECTIVE} ≤ {sweep.slo_ms:g} ms up to",
    )
    return SweepTable(table=table, columns=columns, rows=rows, verdict=_verdict(sweep, table, rows))


def _verdict(sweep: Sweep, table: Table, rows: tuple[SweepRow, ...]) -> str:
    """Says up to which load each Lane that competes stays within the objective, of whom it is not known, and doubts."""
    contenders = [each for each in rows if not each.row.lane.raw]
    ends = [f"{each.up_to} for {each.row.title}" for each in contenders if each.is_known]
    unknown = [f"{each.row.title} ({_why_no_higher(each)})" for each in contenders if not each.is_known]
    claims = [f"p99 stayed within {sweep.slo_ms:g} ms {listed(ends)}" if ends else f"p99 within {sweep.slo_ms:g} ms"]
    if unknown or not contenders:
        claims.append(f"not known for {listed(unknown) or 'any Lane: none was measured'}")
    return f"{table.place}, {'; '.join([*claims, *_reservations(rows)])}."


def _reservations(rows: tuple[SweepRow, ...]) -> Iterator[str]:
    """Yields which figures are in doubt, beside those whose doubt is said already."""
    for each in rows:
        if each.row.lane.raw and each.doubt:
            yield f"{each.row.title} can't be trusted: {each.doubt}"
        elif each.is_known and each.doubt:
            yield f"some figures of {each.row.title} can't be trusted: {each.doubt}"


def _why_no_higher(each: SweepRow) -> str:
    return listed([said(reason) for reason in each.sweep.within_slo.reasons])


def _status(point: SweepPoint) -> str:
    return ": ".join((str(point.validity.status), *map(said, point.validity.reasons)))


def _cell(estimate: Estimate | None) -> TableCell:
    return (number(estimate.point), margin(estimate)) if estimate else (NOTHING, "")


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.0f} %"
