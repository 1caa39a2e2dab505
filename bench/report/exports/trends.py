"""The values that a tracker may take for a trend, and raise alarms about."""

from collections.abc import Iterator

from msgspec import Struct

from bench.analysis import validity
from bench.model.estimate import Estimate, Status, Validity
from bench.model.metrics import METRICS, Source
from bench.model.summary import LaneSummary, Summary
from bench.report.format import one_line


class Point(Struct, frozen=True):
    """An Estimate that can be trusted."""

    lane: str
    metric: str
    estimate: Estimate

    @property
    def name(self) -> str:
        """Returns the name of the trend that it belongs to: the same in every run."""
        return f"{one_line(self.lane)} {self.metric}"


def trusted(summary: Summary) -> tuple[Point, ...]:
    """Returns the Estimates of valid cells. A twin is measured for the noise, and has no trend of its own."""
    return tuple(
        Point(lane.lane, metric, estimate)
        for lane in summary.lanes
        if not lane.twin
        for metric, estimate in lane.metrics.items()
        if all(found.status is Status.VALID for found in _findings(summary, lane, metric))
    )


def _findings(summary: Summary, lane: LaneSummary, metric: str) -> Iterator[Validity]:
    """Yields what was found of all that a metric is made from: a cell, the raw one below it, or the whole Lane."""
    yield validity.of_metric(lane.cells, metric)
    if METRICS[metric].source is Source.DIFFERENCE:
        yield from (validity.of_metric(raw.cells, metric) for raw in _raw(summary, lane))


def _raw(summary: Summary, lane: LaneSummary) -> Iterator[LaneSummary]:
    """Yields raw on the same Server through the same Adapter."""
    place = (lane.server, lane.adapter)
    return (other for other in summary.lanes if other.raw and (other.server, other.adapter) == place)
