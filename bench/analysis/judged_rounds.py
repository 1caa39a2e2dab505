"""From slices to metrics that can be trusted or not: what the parts of a summary are made from."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from bench.analysis import autocorrelation, stability, validity
from bench.analysis.autocorrelation import Resemblance
from bench.analysis.folds import ByRound, RoundValues, round_values
from bench.model.estimate import Status
from bench.model.experiment import Experiment
from bench.model.load import Phase
from bench.model.metrics import METRICS, Average, Source
from bench.model.reason import Reason
from bench.model.records import Failure, SliceRecord
from bench.model.summary import Cell


class JudgedRounds(Struct, frozen=True):
    """The metrics of each Lane by Round, and what is found of its cells.

    ``resemblances`` say by metric how much a round resembles the next.
    """

    experiment: Experiment
    values: RoundValues
    cells: dict[str, tuple[Cell, ...]]
    resemblances: dict[str, Resemblance]

    def of(self, lane: str, metric: str) -> ByRound:
        """Returns a metric of a Lane by round, where it was measured."""
        return self.values.of(lane, metric)

    def valid(self, lane: str, metric: str) -> bool:
        """Returns whether a metric of a Lane stands under a cell with nothing against it."""
        return self.status(lane, metric) is Status.VALID

    def status(self, lane: str, metric: str) -> Status:
        """Returns the status that a metric of a Lane stands under."""
        return validity.of_metric(self.cells[lane], metric).status


def judged(experiment: Experiment, records: Sequence[SliceRecord], failures: Sequence[Failure]) -> JudgedRounds:
    """Folds the slices of a run, and judges its Lanes."""
    values = round_values(records)
    cells = _cells(experiment, records, failures, values)
    return JudgedRounds(experiment, values, cells, _resemblances(values, cells))


def _cells(
    experiment: Experiment,
    records: Sequence[SliceRecord],
    failures: Sequence[Failure],
    values: RoundValues,
) -> dict[str, tuple[Cell, ...]]:
    """Judges every Lane by itself, and then against those others that can be trusted so far."""
    cells = {
        lane.name: validity.judge_cells(
            [record for record in records if record.lane == lane.name],
            next((failure for failure in failures if failure.lane == lane.name), None),
            experiment.serving.workers,
        )
        for lane in experiment.lanes
    }
    unsteady: dict[Phase, dict[str, Reason]] = {}
    for metric in METRICS.values():
        if metric.unsteady_from is not None and metric.phase is not None:
            valid = {lane: values.of(lane, metric.name) for lane in values.by_lane if _valid(cells[lane], metric.name)}
            unsteady[metric.phase] = stability.unstable(valid, metric.unsteady_from)
    return {
        lane: validity.with_unstable(own, {phase: found[lane] for phase, found in unsteady.items() if lane in found})
        for lane, own in cells.items()
    }


def _valid(cells: Sequence[Cell], metric: str) -> bool:
    return validity.of_metric(cells, metric).status is Status.VALID


def _resemblances(values: RoundValues, cells: Mapping[str, tuple[Cell, ...]]) -> dict[str, Resemblance]:
    """Returns by metric how much a round resembles the next, by the valid Lanes that have all rounds."""
    found = {}
    for metric in METRICS.from_sources(Source.SLICES):
        array = values.array(metric.name, [lane for lane in values.by_lane if _valid(cells[lane], metric.name)])
        found[metric.name] = autocorrelation.resemblance(
            array if metric.average is Average.ARITHMETIC else np.log(array)
        )
    return found
