"""From a run's slices to its Report: estimates, validity, standings and CPU splits."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from bench.analysis import (
    cpu_split,
    intervals,
    missing,
    noise_floor,
    ranking,
    sweep,
    validity,
)
from bench.analysis import observations as observed
from bench.analysis.curves import curve, trace
from bench.analysis.folds import Records, RoundValues, counts
from bench.analysis.judged_rounds import JudgedRounds, judged
from bench.model import quotients
from bench.model.estimate import Estimate
from bench.model.experiment import Experiment, Group, Lane
from bench.model.formats import FORMAT_VERSION
from bench.model.load import Phase
from bench.model.metrics import METRICS, OWN_COST, THROUGHPUT, Average, Source
from bench.model.reason import Unknown
from bench.model.records import Failure, Manifest, Observation, SliceRecord
from bench.model.summary import CpuSplit, GroupSummary, LaneSummary, Report, RunTotals, Summary


class Folded(Struct, frozen=True):
    """A run, folded once: what its reports, its exports, the history and a check are made from.

    ``values`` are the metrics by Lane and Round that the Report rests on.
    """

    report: Report
    values: RoundValues

    @property
    def manifest(self) -> Manifest:
        """Returns what was run, and on what."""
        return self.report.manifest

    @property
    def summary(self) -> Summary:
        """Returns the Estimates, and what is found of each Lane."""
        return self.report.summary


def fold(
    manifest: Manifest,
    records: Sequence[SliceRecord],
    failures: Sequence[Failure],
    observations: Sequence[Observation] = (),
) -> Folded:
    """Folds a run, complete or not."""
    experiment = manifest.experiment
    rounds = judged(experiment, records, failures)
    splits = {
        row.name: {lane.name: cpu_split.split(rounds, lane, row) for lane in cpu_split.with_own_cost(experiment)}
        for row in METRICS.from_sources(Source.DIFFERENCE)
    }
    lanes = tuple(
        _lane_summary(
            rounds,
            lane,
            records,
            observations,
            {metric: of_lanes[lane.name] for metric, of_lanes in splits.items() if lane.name in of_lanes},
        )
        for lane in experiment.lanes
    )
    measured = [lane.lane for lane in lanes if lane.metrics]
    lacking = missing.lacking(experiment, records, failures, observations)
    report = Report(
        manifest=manifest,
        summary=Summary(
            format_version=FORMAT_VERSION,
            run_id=manifest.run_id,
            complete=not lacking,
            lacking=lacking,
            pinned=manifest.machine.pinned,
            totals=_totals(experiment, records),
            lanes=lanes,
            groups=tuple(_group_summary(group, rounds) for group in experiment.groups),
            cpu_splits=tuple(cpu_split.shown(rounds, splits[OWN_COST].values())),
            failures=tuple(failures),
            sweeps=sweep.fold(
                experiment, records, {name: validity.worst(found) for name, found in rounds.cells.items()}
            ),
            adapter_costs=tuple(cpu_split.adapter_costs(rounds)),
        ),
        curves=tuple(drawn for lane in measured if (drawn := curve(lane, records))),
        traces=tuple(trace(lane, records) for lane in measured if not experiment.sweep),
        samples={lane.lane: _samples(rounds, lane.lane, observations) for lane in lanes},
    )
    return Folded(report, rounds.values)


def _lane_summary(
    rounds: JudgedRounds,
    lane: Lane,
    records: Sequence[SliceRecord],
    observations: Sequence[Observation],
    splits: Mapping[str, CpuSplit | Unknown],
) -> LaneSummary:
    """Summarises one Lane, given what its differences were split into, by metric."""
    own = [record for record in records if record.lane == lane.name]
    own_observations = [observation for observation in observations if observation.lane == lane.name]
    estimates, cells = _estimates(rounds, lane), rounds.cells[lane.name]
    planned = () if rounds.experiment.sweep else (Phase.SATURATED, Phase.FIXED)
    differences = {metric: split.framework for metric, split in splits.items() if isinstance(split, CpuSplit)}
    no_differences = {metric: split.reason for metric, split in splits.items() if isinstance(split, Unknown)}
    return LaneSummary(
        lane=lane.name,
        app=lane.app.name,
        title=lane.app.title,
        server=lane.server.name,
        adapter=lane.adapter.name if lane.adapter else None,
        raw=lane.app.raw,
        twin=lane.twin,
        groups=rounds.experiment.groups_of(lane.name),
        metrics={**estimates, **differences, **observed.estimates(own_observations)},
        missing={**missing.reasons(own, estimates, planned), **no_differences, **observed.missing(own_observations)},
        cells=cells,
        validity=validity.worst(cells),
        code_lines_by_file=observed.code_lines_by_file(own_observations),
        partial={
            **missing.in_rounds(own, {name: set(rounds.of(lane.name, name)) for name in estimates}),
            **observed.partial(own_observations),
        },
    )


def _estimates(rounds: JudgedRounds, lane: Lane) -> dict[str, Estimate]:
    """Returns an Estimate for each metric that was measured in at least one round."""
    found: dict[str, Estimate] = {}
    for metric in METRICS.from_sources(Source.SLICES):
        values = list(rounds.of(lane.name, metric.name).values())
        if values:
            rho = rounds.resemblances[metric.name].of_estimates
            make = intervals.linear_estimate if metric.average is Average.ARITHMETIC else intervals.log_estimate
            found[metric.name] = make(values, metric.unit, metric.better, rho=rho)
    return found


def _samples(rounds: JudgedRounds, lane: str, observations: Sequence[Observation]) -> dict[str, tuple[float, ...]]:
    """Returns the values of each metric of a Lane; a difference of Lanes has none of its own."""
    own = [observation for observation in observations if observation.lane == lane]
    names = [metric.name for metric in METRICS.from_sources(Source.SLICES)]
    known = {name: tuple(values.values()) for name in names if (values := rounds.of(lane, name))}
    return {**known, **observed.samples(own)}


def _group_summary(group: Group, rounds: JudgedRounds) -> GroupSummary:
    """Ranks the Group's valid Lanes; raw is no contender."""
    lanes = [lane for lane in rounds.experiment.lanes if lane.name in group.lanes]
    contenders = [lane.name for lane in lanes if not (lane.app.raw or lane.twin)]
    values = {lane: rounds.of(lane, THROUGHPUT) for lane in contenders if rounds.valid(lane, THROUGHPUT)}
    measured = {lane: by_round for lane, by_round in values.items() if by_round}
    ratios = ranking.paired_ratios(THROUGHPUT, measured, rounds.resemblances[THROUGHPUT].of_ratios)
    floors = noise_floor.of_group(lanes, rounds)
    noise = noise_floor.largest(floors, THROUGHPUT)
    return GroupSummary(
        group=group.name,
        title=group.title,
        same_server=group.same_server,
        standings=ranking.standings(ranking.best_first(measured), ratios, noise),
        ratios=ratios,
        noise_floors=floors,
    )


def _totals(experiment: Experiment, records: Records) -> RunTotals:
    counted = [record for record in records if counts(record)]
    rates = [record.load.rate_rps for record in counted if record.phase is Phase.FIXED]
    return RunTotals(
        rounds=len({record.round for record in counted}),
        rounds_planned=experiment.preset.rounds,
        wall_s=max((record.at_s + record.slice_s for record in counted), default=0.0),
        measured_s=_sum([record.window_s for record in counted]),
        requests=sum(record.requests for record in counted),
        errors=quotients.errors(*records),
        dropped=sum(record.dropped for record in counted),
        repeated=sum(record.discarded is not None for record in records),
        not_repeated=sum(record.not_repeated is not None for record in counted),
        fixed_rate_rps=rates[0] if rates else None,
        driver_cpu_share=_driver_cpu_share(counted),
    )


def _driver_cpu_share(counted: Records) -> float | None:
    """Returns the share of its core that the driver used; None where it is not known of all slices."""
    cpu_ns = [record.driver_cpu_ns for record in counted if record.driver_cpu_ns is not None]
    if len(cpu_ns) < len(counted) or not sum(cpu_ns):
        return None
    return sum(cpu_ns) / 1e9 / _sum([record.slice_s for record in counted])


def _sum(values: Sequence[float]) -> float:
    return float(np.array(values, dtype=float).sum())
