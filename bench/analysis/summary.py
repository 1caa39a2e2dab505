"""From a run's tidy table to its Report: estimates, validity, standings and CPU splits."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from bench.analysis import (
    autocorrelation,
    completeness,
    intervals,
    missing,
    ranking,
    stability,
    sweep,
    validity,
)
from bench.analysis import observations as observed
from bench.analysis.autocorrelation import Resemblance
from bench.analysis.curves import curve, trace
from bench.analysis.folds import ByRound, Records, RoundValues, counts, round_values
from bench.model.experiment import Experiment, Group, Lane
from bench.model.load import Phase
from bench.model.metrics import CPU, METRICS, OWN_COST, THROUGHPUT, Average, Source
from bench.model.reason import Code, Reason, Unknown, reason
from bench.model.records import (
    FORMAT_VERSION,
    AdapterCost,
    Cell,
    CpuSplit,
    Estimate,
    Failure,
    GroupSummary,
    LaneSummary,
    Manifest,
    NoiseFloor,
    Observation,
    Report,
    RunTotals,
    SliceRecord,
    Status,
    Summary,
)


class _Rounds(Struct, frozen=True):
    """What the parts of a summary are made from: metrics a Lane and Round, and what is found of each Lane's cells."""

    experiment: Experiment
    values: RoundValues
    cells: dict[str, tuple[Cell, ...]]
    resemblances: dict[str, Resemblance]

    def of(self, lane: str, metric: str) -> ByRound:
        """Returns a metric of a Lane by round, where it was measured."""
        return self.values.of(lane, metric)

    def valid(self, lane: str, metric: str) -> bool:
        """Returns whether a metric of a Lane stands under a cell with nothing against it."""
        return _valid(self.cells[lane], metric)


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
    values = round_values(records)
    cells = _cells(experiment, records, failures, values)
    rounds = _Rounds(experiment, values, cells, _resemblances(values, cells))
    splits = {lane.name: _cpu_split(rounds, lane) for lane in _with_own_cost(experiment)}
    lanes = tuple(
        _lane_summary(rounds, lane, records, observations, splits.get(lane.name)) for lane in experiment.lanes
    )
    measured = [lane.lane for lane in lanes if lane.metrics]
    lacking = completeness.lacking(experiment, records, failures, observations)
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
            cpu_splits=tuple(_shown(rounds, splits.values())),
            failures=tuple(failures),
            sweeps=sweep.fold(experiment, records, {name: validity.worst(found) for name, found in cells.items()}),
            adapter_costs=tuple(_adapter_costs(rounds)),
        ),
        curves=tuple(drawn for lane in measured if (drawn := curve(lane, records))),
        traces=tuple(trace(lane, records) for lane in measured if not experiment.sweep),
        samples={lane.lane: _samples(rounds, lane.lane, observations) for lane in lanes},
    )
    return Folded(report, values)


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


def _resemblances(values: RoundValues, cells: dict[str, tuple[Cell, ...]]) -> dict[str, Resemblance]:
    """Returns by metric how much a round resembles the next, as the valid Lanes show that were there in all rounds."""
    found = {}
    for metric in METRICS.from_sources(Source.SLICES):
        array = values.array(metric.name, [lane for lane in values.by_lane if _valid(cells[lane], metric.name)])
        found[metric.name] = autocorrelation.resemblance(
            array if metric.average is Average.ARITHMETIC else np.log(array)
        )
    return found


def _lane_summary(
    rounds: _Rounds,
    lane: Lane,
    records: Sequence[SliceRecord],
    observations: Sequence[Observation],
    split: CpuSplit | Unknown | None,
) -> LaneSummary:
    own = [record for record in records if record.lane == lane.name]
    own_observations = [observation for observation in observations if observation.lane == lane.name]
    estimates, cells = _estimates(rounds, lane), rounds.cells[lane.name]
    planned = () if rounds.experiment.sweep else (Phase.SATURATED, Phase.FIXED)
    own_cost = {OWN_COST: split.framework} if isinstance(split, CpuSplit) else {}
    no_own_cost = {OWN_COST: split.reason} if isinstance(split, Unknown) else {}
    return LaneSummary(
        lane=lane.name,
        app=lane.app.name,
        title=lane.app.title,
        server=lane.server.name,
        adapter=lane.adapter.name if lane.adapter else None,
        raw=lane.app.raw,
        twin=lane.twin,
        groups=rounds.experiment.groups_of(lane.name),
        metrics={**estimates, **own_cost, **observed.estimates(own_observations)},
        missing={**missing.reasons(own, estimates, planned), **no_own_cost, **observed.missing(own_observations)},
        cells=cells,
        validity=validity.worst(cells),
        code_lines_by_file=observed.code_lines_by_file(own_observations),
        partial={
            **missing.in_rounds(own, {name: set(rounds.of(lane.name, name)) for name in estimates}),
            **observed.partial(own_observations),
        },
    )


def _estimates(rounds: _Rounds, lane: Lane) -> dict[str, Estimate]:
    """Returns an Estimate for each metric that was measured in at least one round."""
    found: dict[str, Estimate] = {}
    for metric in METRICS.from_sources(Source.SLICES):
        values = list(rounds.of(lane.name, metric.name).values())
        if values:
            rho = rounds.resemblances[metric.name].of_estimates
            make = intervals.linear_estimate if metric.average is Average.ARITHMETIC else intervals.log_estimate
            found[metric.name] = make(values, metric.unit, metric.better, rho=rho)
    return found


def _samples(rounds: _Rounds, lane: str, observations: Sequence[Observation]) -> dict[str, tuple[float, ...]]:
    """Returns the values of each metric of a Lane; a difference of Lanes has none of its own."""
    own = [observation for observation in observations if observation.lane == lane]
    names = [metric.name for metric in METRICS.from_sources(Source.SLICES)]
    known = {name: tuple(values.values()) for name in names if (values := rounds.of(lane, name))}
    return {**known, **observed.samples(own)}


def _with_own_cost(experiment: Experiment) -> list[Lane]:
    """Returns the Lanes that have an own cost: raw has none, and a sweep's Lanes are not saturated side by side."""
    return [] if experiment.sweep else [lane for lane in experiment.lanes if not lane.app.raw]


def _cpu_split(rounds: _Rounds, lane: Lane) -> CpuSplit | Unknown:
    """Splits a Lane's CPU time: raw, what the adapter adds to raw, what the framework adds to that; paired by round.

    Unknown where the Lane or raw behind the same Adapter can't be trusted.
    """
    bare, adapted_raw = (rounds.experiment.raw(lane, adapted=adapted) for adapted in (False, True))
    if not bare or not adapted_raw:
        adapter = lane.adapter.name if bare and lane.adapter else None
        return Unknown(reason(Code.NO_RAW, server=lane.server.name, adapter=adapter))
    names = [who.name for who in (lane, adapted_raw, bare)]
    cpu_us = _cpu_us(rounds, names)
    if not cpu_us:
        return Unknown(reason(Code.NO_ROUND_WITH_RAW))
    if not rounds.valid(adapted_raw.name, CPU):
        status = validity.of_metric(rounds.cells[adapted_raw.name], CPU).status
        return Unknown(reason(Code.RAW_NOT_VALID, lane=adapted_raw.name, status=status))
    if not rounds.valid(lane.name, CPU):
        return Unknown(reason(Code.LANE_NOT_VALID, status=validity.of_metric(rounds.cells[lane.name], CPU).status))
    rho = rounds.resemblances[CPU]
    return CpuSplit(
        lane=lane.name,
        raw=_mean_us(cpu_us[bare.name], rho.of_estimates),
        adapter=_mean_us(cpu_us[adapted_raw.name] - cpu_us[bare.name], rho.of_ratios) if lane.adapter else None,
        framework=_mean_us(cpu_us[lane.name] - cpu_us[adapted_raw.name], rho.of_ratios),
    )


def _shown(rounds: _Rounds, splits: Iterable[CpuSplit | Unknown]) -> Iterator[CpuSplit]:
    """Yields the splits of which raw without an Adapter can be trusted too; a framework's own part does not need it."""
    for split in splits:
        if isinstance(split, CpuSplit):
            bare = rounds.experiment.raw(rounds.experiment.lane(split.lane), adapted=False)
            if bare and rounds.valid(bare.name, CPU):
                yield split


def _adapter_costs(rounds: _Rounds) -> Iterator[AdapterCost]:
    """Yields what each Adapter costs on each Server, of raw behind it and raw, where both can be trusted.

    No framework has a part in it: what an Adapter costs is known whatever is found against the Lanes that use it.
    """
    behind = [] if rounds.experiment.sweep else [lane for lane in rounds.experiment.lanes if lane.app.raw]
    for lane in behind:
        bare = rounds.experiment.raw(lane, adapted=False)
        if lane.adapter is None or bare is None or not all(rounds.valid(raw.name, CPU) for raw in (lane, bare)):
            continue
        if cpu_us := _cpu_us(rounds, (lane.name, bare.name)):
            cost = _mean_us(cpu_us[lane.name] - cpu_us[bare.name], rounds.resemblances[CPU].of_ratios)
            yield AdapterCost(adapter=lane.adapter.name, server=lane.server.name, cost=cost)


def _cpu_us(rounds: _Rounds, lanes: Sequence[str]) -> dict[str, autocorrelation.Floats]:
    """Returns the CPU time per request of Lanes in the rounds that all of them have; nothing without one."""
    of_each = {lane: rounds.of(lane, CPU) for lane in lanes}
    common = ranking.common_rounds(of_each)
    return {lane: np.array([by_round[at] for at in common]) for lane, by_round in of_each.items()} if common else {}


def _mean_us(by_round_us: autocorrelation.Floats, rho: float) -> Estimate:
    own_cost = METRICS[OWN_COST]
    return intervals.linear_estimate(by_round_us.tolist(), own_cost.unit, own_cost.better, rho=rho)


def _group_summary(group: Group, rounds: _Rounds) -> GroupSummary:
    """Ranks the Group's valid Lanes; baselines are no contenders."""
    lanes = [lane for lane in rounds.experiment.lanes if lane.name in group.lanes]
    contenders = [lane.name for lane in lanes if not (lane.app.raw or lane.twin)]
    values = {lane: rounds.of(lane, THROUGHPUT) for lane in contenders if rounds.valid(lane, THROUGHPUT)}
    measured = {lane: by_round for lane, by_round in values.items() if by_round}
    ratios = ranking.paired_ratios(THROUGHPUT, measured, rounds.resemblances[THROUGHPUT].of_ratios)
    floors = tuple(_noise_floors(lanes, rounds, THROUGHPUT))
    return GroupSummary(
        group=group.name,
        title=group.title,
        same_server=group.same_server,
        standings=ranking.standings(ranking.best_first(measured), ratios, ranking.largest(floors)),
        ratios=ratios,
        noise_floors=floors,
        other_noise_floors=tuple(
            floor
            for metric in METRICS.gated()
            if metric.noise_floor and metric.name != THROUGHPUT
            for floor in _noise_floors(lanes, rounds, metric.name)
        ),
    )


def _noise_floors(lanes: Sequence[Lane], rounds: _Rounds, metric: str) -> Iterator[NoiseFloor]:
    """Yields how far each Lane of a Group that has a twin there differs from it, where both can be trusted."""
    names = {lane.name for lane in lanes}
    for twin in (lane for lane in lanes if lane.twin and lane.original in names):
        pair = {name: rounds.of(name, metric) for name in (twin.name, twin.original)}
        common = ranking.common_rounds(pair)
        if common and all(rounds.valid(name, metric) for name in pair):
            of_twin, of_lane = ([by_round[index] for index in common] for by_round in pair.values())
            rho = rounds.resemblances[metric].of_ratios
            yield replace(ranking.noise_floor(twin.original, twin.name, of_twin, of_lane, rho), metric=metric)


def _totals(experiment: Experiment, records: Records) -> RunTotals:
    counted = [record for record in records if counts(record)]
    rates = [record.load.value for record in counted if record.phase is Phase.FIXED]
    return RunTotals(
        rounds=len({record.round for record in counted}),
        rounds_planned=experiment.preset.rounds,
        wall_s=max((record.at_s + record.slice_s for record in counted), default=0.0),
        measured_s=_sum([record.window_s for record in counted]),
        requests=sum(record.requests for record in counted),
        errors=sum(sum(record.errors.values()) for record in records),
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
