"""What the footprint's table says: a row for each App on the server that it is native to, and what its columns are."""

from msgspec import Struct

from bench.analysis import validity
from bench.model.estimate import Estimate, Status
from bench.model.metrics import METRICS, Average, Place, Source
from bench.model.summary import LaneSummary, Report
from bench.report import missing
from bench.report.format import cell, listed, one_line
from bench.report.group_table import DOUBT


def at_starts() -> tuple[str, ...]:
    """Returns the footprint's metrics that are measured outside slices; Lanes without a footprint have none of them."""
    return tuple(name for name in METRICS.shown_in(Place.FOOTPRINT) if METRICS[name].is_observed)


class Footprint(Struct, frozen=True):
    """One Lane's footprint."""

    lane: LaneSummary

    @property
    def place(self) -> str:
        """Returns where the App runs: ``on uvicorn``."""
        return one_line(f"on {self.lane.server}")

    @property
    def title(self) -> str:
        """Returns what runs where: ``Flask on gunicorn-gthread``."""
        return one_line(f"{self.lane.title} {self.place}")

    def estimate(self, metric: str) -> Estimate | None:
        """Returns the metric, or None where it was not measured."""
        return self.lane.metrics.get(metric)

    def cell(self, metric: str) -> tuple[str, str]:
        """Returns the metric as a table cell: the point, marked where it can't be trusted, and beside it the margin."""
        point, beside = cell(metric, self.estimate(metric))
        return f"{point}{DOUBT if self.doubtful(metric) else ''}", beside

    def doubtful(self, metric: str) -> bool:
        """Returns whether a metric is there and stands under a finding against the Lane."""
        return bool(self.estimate(metric)) and validity.of_metric(self.lane.cells, metric).status is not Status.VALID


def footprints(report: Report) -> tuple[Footprint, ...]:
    """Returns the footprints that the run has, raw last; none in a run without."""
    lanes = [lane for lane in report.summary.lanes if {*at_starts()} & {*lane.metrics, *lane.missing}]
    return tuple(Footprint(lane) for lane in sorted(lanes, key=lambda lane: lane.raw))


def columns(report: Report) -> tuple[str, ...]:
    """Returns the metrics that any Lane's footprint has."""
    return tuple(
        metric
        for metric in METRICS.shown_in(Place.FOOTPRINT)
        if any(each.estimate(metric) for each in footprints(report))
    )


def notes(report: Report) -> tuple[str, ...]:
    """Returns why metrics are missing, a sentence a reason, and where the marks of doubt are explained."""
    rows = footprints(report)
    doubtful = [row.title for row in rows if any(row.doubtful(metric) for metric in METRICS.shown_in(Place.FOOTPRINT))]
    why = f"{DOUBT} {listed(doubtful)}: not valid under load, see its Group." if doubtful else ""
    return (*filter(None, [why]), *missing.sentences({row.title: row.lane for row in rows}, at_starts()))


def code_files(report: Report) -> list[tuple[str, str, int]]:
    """Returns the files of every App's own code, once each: the App, the path within its folder, the lines."""
    by_app = {each.lane.app: each.lane.code_lines_by_file for each in footprints(report)}
    return [(app, path, lines) for app, files in by_app.items() for path, lines in files.items()]


def described(report: Report) -> tuple[str, ...]:
    """Returns what the columns mean, once for those that have a sentence in common."""
    notes = dict.fromkeys(METRICS[metric].note for metric in columns(report))
    return tuple(note.format(n=_starts(report)) for note in notes if note)


def _starts(report: Report) -> str:
    """Returns how many fresh starts the medians are of: ``10``, or ``2 to 10`` where some are missing."""
    medians = [
        metric.name
        for metric in METRICS.from_sources(Source.COLD_START, Source.IMPORT)
        if metric.average is Average.MEDIAN
    ]
    estimates = [row.estimate(metric) for row in footprints(report) for metric in medians]
    counts = sorted({estimate.n for estimate in estimates if estimate})
    return " to ".join(map(str, dict.fromkeys([*counts[:1], *counts[-1:]])))
