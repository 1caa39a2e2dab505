"""What is missing: why a metric of a Lane is absent, or of fewer Rounds, and what a run lacks that came to no end."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from bench.analysis import histograms
from bench.analysis.folds import MIN_BEYOND_IN_ROUND, counts, of_phase
from bench.model import footprint_plan, schedule
from bench.model.experiment import Experiment
from bench.model.load import Phase
from bench.model.metrics import METRICS, Metric, Source
from bench.model.reason import Code, Reason, reason
from bench.model.records import Failure, Observation, SliceRecord, Stage


def reasons(
    records: Sequence[SliceRecord], found: Collection[str], planned: Collection[Phase] = ()
) -> dict[str, Reason]:
    """Returns why metrics that one Lane's slices should have given are not among those ``found``.

    Of a phase without slices nothing is expected, unless it was ``planned`` and others of the Lane were measured.
    """
    measured = [record for record in records if record.phase is not Phase.WARM_UP and not record.discarded]
    expected = [metric for metric in METRICS.from_sources(Source.SLICES) if metric.name not in found]
    missing = ((metric.name, _of_metric(measured, metric, planned)) for metric in expected)
    return {name: why for name, why in missing if why}


def in_rounds(records: Sequence[SliceRecord], found: Mapping[str, Collection[int]]) -> dict[str, tuple[Reason, ...]]:
    """Returns by metric why Rounds of one Lane are not in its mean; ``found`` has the Rounds that are, by metric."""
    lacking: dict[str, dict[Reason, list[int]]] = {}
    for index in sorted({record.round for record in records}):
        of_round = [record for record in records if record.round == index]
        missing = reasons(of_round, [metric for metric, rounds in found.items() if index in rounds])
        for metric, why in missing.items():
            if found.get(metric):
                lacking.setdefault(metric, {}).setdefault(why, []).append(index)
    return {
        metric: tuple(reason(Code.NOT_IN_ROUNDS, why, rounds=tuple(rounds)) for why, rounds in by_reason.items())
        for metric, by_reason in lacking.items()
    }


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
        _slices_lacking(experiment, records, failed),
        _footprint_lacking(experiment, observations, homeless),
        _counts_lacking(experiment, observations, homeless),
    )
    return tuple(part for part in parts if part)


def _of_metric(records: Sequence[SliceRecord], metric: Metric, planned: Collection[Phase]) -> Reason | None:
    own = of_phase(metric, records)
    if not own:
        return reason(Code.NOT_REACHED) if records and metric.phase in planned else None
    own = [record for record in own if counts(record)]
    if not own:
        return reason(Code.CLOCK_STOOD_STILL)
    if metric.counter and (unknown := _unknown(own, metric.counter)):
        return unknown
    if metric.needs_answers and not any(record.requests_in_slice for record in own):
        return _silent(own[0])
    if metric.percentile is not None and any(record.requests for record in own):
        return _too_few(metric.percentile)
    return reason(Code.COUNTER_STOOD_STILL) if metric.counter else _silent(own[0])


def _silent(record: SliceRecord) -> Reason:
    return record.unknown.get("requests", reason(Code.SILENT))


def _unknown(records: Sequence[SliceRecord], counter: str) -> Reason | None:
    """Returns why a counter has no value, as the first of its slices says."""
    without = [record for record in records if getattr(record, counter) is None]
    return without[0].unknown.get(counter, reason(Code.NO_REASON)) if without else None


def _too_few(percentile: float) -> Reason:
    """Returns how many answers it takes, which is the same for all Lanes."""
    in_run, in_round = (
        round(beyond / histograms.beyond(1, percentile)) for beyond in (histograms.MIN_BEYOND, MIN_BEYOND_IN_ROUND)
    )
    return reason(Code.TOO_FEW_ANSWERS, percentile=percentile, in_run=in_run, in_round=in_round)


def _slices_lacking(experiment: Experiment, records: Sequence[SliceRecord], failed: set[str]) -> Reason | None:
    left = [lane.name for lane in experiment.lanes if lane.name not in failed]
    if not left:
        return reason(Code.NO_LANE_LEFT)
    measured = Counter(record.lane for record in records if counts(record))
    planned = experiment.preset.rounds * schedule.slices_per_lane(experiment)
    missing = sum(max(0, planned - measured[lane]) for lane in left)
    return reason(Code.SLICES_LACKING, missing=missing, planned=planned * len(left)) if missing else None


def _footprint_lacking(
    experiment: Experiment, observations: Sequence[Observation], homeless: set[str]
) -> Reason | None:
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


def _counts_lacking(experiment: Experiment, observations: Sequence[Observation], homeless: set[str]) -> Reason | None:
    if not experiment.preset.instructions:
        return None
    lanes = {lane.name for lane in experiment.lanes if not lane.twin} - homeless
    found = {(each.lane, each.metric) for each in observations}
    wanted = [metric.name for metric in METRICS.from_sources(Source.INSTRUCTIONS)]
    missing = [lane for lane in lanes if any((lane, metric) not in found for metric in wanted)]
    return reason(Code.COUNTS_LACKING, missing=len(missing), lanes=len(lanes)) if missing else None
