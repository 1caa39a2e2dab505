"""Throughput and latency against load, Lane by Lane, from the slices of a sweep."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from bench.analysis import contention
from bench.analysis.folds import counts
from bench.analysis.knee import knee, no_knee, within, within_slo
from bench.analysis.sweep_point import by_round_of, point, slices_of, used_its_cores
from bench.model.estimate import Status, Validity
from bench.model.experiment import Experiment, Sweep
from bench.model.load import Phase
from bench.model.reason import Code, reason
from bench.model.records import SliceRecord
from bench.model.sweep import LaneSweep


def fold(
    experiment: Experiment, records: Sequence[SliceRecord], found: Mapping[str, Validity] | None = None
) -> tuple[LaneSweep, ...]:
    """Returns the sweep of every Lane; nothing for a run that was none. ``found`` is what is against a Lane as a whole.

    From a Lane that is not valid neither a knee nor a load within the objective is derived.
    """
    if experiment.sweep is None:
        return ()
    counted = [record for record in records if record.phase is Phase.SWEEP and counts(record)]
    sweeps = (
        lane_sweep(
            lane.name,
            experiment.sweep,
            [record for record in counted if record.lane == lane.name],
            experiment.serving.workers,
        )
        for lane in experiment.lanes
    )
    found = found or {}
    return tuple(_trusted(each, found.get(each.lane, Validity(Status.VALID))) for each in sweeps)


def lane_sweep(lane: str, sweep: Sweep, records: Sequence[SliceRecord], workers: int) -> LaneSweep:
    """Folds one Lane's slices."""
    by_load = {load: by_round_of([record for record in records if record.load == load]) for load in sweep.loads}
    busy = [of_load for of_load in by_load.values() if used_its_cores(slices_of(of_load), workers)]
    own_wait_ms = contention.own_wait_ms([record for of_load in busy for record in slices_of(of_load)])
    points = tuple(point(load, rounds, workers, own_wait_ms) for load, rounds in by_load.items())
    return LaneSweep(
        lane=lane, points=points, knee=knee(points, by_load, workers), within_slo=within_slo(points, sweep.slo_ms)
    )


def _trusted(found: LaneSweep, lane: Validity) -> LaneSweep:
    """Returns a Lane's sweep without what is derived from its points, where the Lane is not valid."""
    if lane.status is Status.VALID:
        return found
    why = reason(Code.LANE_NOT_VALID, status=lane.status)
    return replace(found, knee=no_knee(why), within_slo=within(None, why))
