"""What a run lacks that one which came to its end has: slices, footprint, instructions."""

from collections import Counter
from collections.abc import Sequence

from bench.analysis.folds import counts
from bench.model import footprint_plan, schedule
from bench.model.experiment import Experiment
from bench.model.metrics import INSTRUCTIONS, METRICS, Source
from bench.model.reason import Code, Reason, reason
from bench.model.records import Failure, Observation, SliceRecord, Stage


def lacking(
    experiment: Experiment,
    records: Sequence[SliceRecord],
    failures: Sequence[Failure],
    observations: Sequence[Observation],
) -> tuple[Reason, ...]:
    """Returns what is missing; nothing of a complete run.

    Lanes that failed lack nothing, but of those that came up the footprint is measured all the same. A value that could
    not be measured is not missing: it was written with its reason.
    """
    failed = {failure.lane for failure in failures}
    homeless = {failure.lane for failure in failures if failure.stage is Stage.ENVIRONMENT}
    parts = (
        _slices(experiment, records, failed),
        _footprint(experiment, observations, homeless),
        _instructions(experiment, observations, homeless),
    )
    return tuple(part for part in parts if part)


def _slices(experiment: Experiment, records: Sequence[SliceRecord], failed: set[str]) -> Reason | None:
    left = [lane.name for lane in experiment.lanes if lane.name not in failed]
    if not left:
        return reason(Code.NO_LANE_LEFT)
    measured = Counter(record.lane for record in records if counts(record))
    planned = experiment.preset.rounds * schedule.slices_per_lane(experiment)
    missing = sum(max(0, planned - measured[lane]) for lane in left)
    return reason(Code.SLICES_LACKING, missing=missing, planned=planned * len(left)) if missing else None


def _footprint(experiment: Experiment, observations: Sequence[Observation], homeless: set[str]) -> Reason | None:
    starts = {Source.AT_REST: 1, **footprint_plan.counts(experiment.preset)}
    expected = {metric.name: starts[metric.source] for metric in METRICS.values() if metric.source in starts}
    lanes = [lane.name for lane in footprint_plan.footprint_lanes(experiment) if lane.name not in homeless]
    whole = [each for each in observations if each.part is None]
    found = Counter((each.lane, each.metric) for each in whole)
    given_up = {(each.lane, each.metric) for each in whole if each.value is None}
    short = tuple(
        metric
        for metric, count in expected.items()
        if any(found[lane, metric] < count and (lane, metric) not in given_up for lane in lanes)
    )
    return reason(Code.FOOTPRINT_LACKING, metrics=short) if short else None


def _instructions(experiment: Experiment, observations: Sequence[Observation], homeless: set[str]) -> Reason | None:
    if not experiment.preset.instructions:
        return None
    lanes = {lane.name for lane in experiment.lanes if not lane.twin} - homeless
    missing = lanes - {each.lane for each in observations if each.metric == INSTRUCTIONS}
    return reason(Code.COUNTS_LACKING, missing=len(missing), lanes=len(lanes)) if missing else None
