"""From a run to its line in the history: what can be trusted of each Lane, relative to raw in the same run."""

from collections.abc import Iterator

from bench.analysis import intervals, normalise, validity
from bench.analysis.summary import Folded
from bench.model.estimate import Estimate, Status
from bench.model.formats import HISTORY_VERSION
from bench.model.history import (
    HistoryRecord,
    MachineIdentity,
    NoHistory,
    Reading,
)
from bench.model.metrics import METRICS
from bench.regression import comparability
from bench.regression.check import resemblance, validities

DIGITS = 5
"""Significant ones of a ratio: finer than any run can tell, and lines stay short."""


def record(run: Folded) -> HistoryRecord:
    """Returns a run's line. Raises NoHistory where the history has no place for the run, or it has nothing to add."""
    manifest = run.manifest
    _expect_complete_run(run)
    lanes = _lanes(run)
    if not lanes:
        raise NoHistory(f"{manifest.run_id}: {_nothing(run)}; it is not in the history")
    return HistoryRecord(
        format_version=HISTORY_VERSION,
        run_id=manifest.run_id,
        started_utc=manifest.started_utc,
        project_revision=manifest.project_revision,
        bench_version=manifest.bench_version,
        preset=manifest.experiment.preset_name,
        conditions=comparability.digest(manifest),
        fixed_rate_rps=run.summary.totals.fixed_rate_rps,
        machine=MachineIdentity(
            cpu=manifest.machine.cpu,
            cores=manifest.machine.cores,
            system=manifest.machine.system,
            python=manifest.machine.python,
            server_cores=manifest.machine.server_cores,
        ),
        lanes=lanes,
    )


def _expect_complete_run(run: Folded) -> None:
    """Raises NoHistory for what the history has no place for."""
    run_id, experiment = run.manifest.run_id, run.manifest.experiment
    others = {
        "a sweep": bool(experiment.sweep),
        "a comparison of two revisions": any(lane.side for lane in experiment.lanes),
        "an interrupted run": not run.summary.complete,
    }
    for found in (name for name, is_one in others.items() if is_one):
        raise NoHistory(f"{run_id}: found {found}, expected a complete run; the history has no others")


def _nothing(run: Folded) -> str:
    """Returns why a run has no figure relative to raw."""
    experiment = run.manifest.experiment
    if any(experiment.raw(lane) for lane in normalise.contenders(experiment)):
        return "found no valid Lane beside a valid raw one, expected one; its report says what is not valid, and why"
    return "found no Lane with a raw one, expected an App with `raw = true` on the same server (and adapter)"


def _lanes(run: Folded) -> dict[str, dict[str, Reading]]:
    """Returns the readings by Lane and metric, in a fixed order; a Lane of which nothing can be trusted is absent."""
    ratios = {metric: dict(_ratios(run, metric)) for metric in METRICS.relative()}
    names = sorted(lane.name for lane in normalise.contenders(run.manifest.experiment))
    readings = {
        name: {metric: _rounded(of_lanes[name]) for metric, of_lanes in ratios.items() if name in of_lanes}
        | dict(_counts(run, name))
        for name in names
    }
    return {name: of_lane for name, of_lane in readings.items() if of_lane}


def _ratios(run: Folded, metric: str) -> Iterator[tuple[str, Estimate]]:
    """Yields a metric of each Lane relative to raw, paired by Round, where both can be trusted."""
    rho = resemblance(run, metric)
    for lane, by_round in normalise.to_raw(run.manifest.experiment, run.values, metric).items():
        if all(found.status is Status.VALID for found in validities(run, lane, metric)):
            yield lane, intervals.ratio_of(list(by_round.values()), rho=rho)


def _counts(run: Folded, lane: str) -> Iterator[tuple[str, Reading]]:
    """Yields what was counted, such as instructions, where the Lane answered rightly."""
    found = next(found for found in run.summary.lanes if found.lane == lane)
    for metric in METRICS.counted():
        count = found.metrics.get(metric)
        if count and validity.of_metric(found.cells, metric).status is Status.VALID:
            yield metric, Reading(count.point, count.low, count.high)


def _rounded(estimate: Estimate) -> Reading:
    low, high = (None if end is None else _digits(end) for end in (estimate.low, estimate.high))
    return Reading(_digits(estimate.point), low, high)


def _digits(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
