"""From a run's tidy table to its Report: estimates, validity, standings and CPU splits."""

from collections.abc import Iterator, Sequence

import pandas as pd

from bench import compare, metrics, observed, plan, stats, sweep, validity
from bench.plan import Phase
from bench.records import (
    FORMAT_VERSION,
    CpuSplit,
    Estimate,
    Failure,
    LaneSummary,
    LeagueSummary,
    Manifest,
    NoiseFloor,
    Observation,
    Report,
    RunTotals,
    SliceRecord,
    Status,
    Summary,
)
from bench.spec import TWIN_SUFFIX, Experiment, Lane, League

UNITS = {
    "throughput_rps": ("requests/s", "higher"),
    "cpu_us_per_request": ("us", "lower"),
    "rss_mib": ("MiB", "lower"),
}
"""Units of the metrics that are not latencies in ms, and which way is better."""
RANKED_BY = "throughput_rps"


def build_report(
    manifest: Manifest,
    records: Sequence[SliceRecord],
    failures: Sequence[Failure],
    observations: Sequence[Observation] = (),
) -> Report:
    """Folds a run, complete or not, into all that its renderers need."""
    table = metrics.tidy(records)
    by_round = metrics.by_round(table)
    lanes = tuple(
        _lane_summary(manifest, lane, records, by_round, failures, observations) for lane in manifest.experiment.lanes
    )
    measured = [lane.lane for lane in lanes if lane.metrics]
    return Report(
        manifest=manifest,
        summary=Summary(
            format_version=FORMAT_VERSION,
            run_id=manifest.run_id,
            complete=_complete(manifest.experiment, table, failures),
            pinned=manifest.machine.pinned,
            totals=_totals(manifest.experiment, records, table),
            lanes=lanes,
            leagues=tuple(_league_summary(league, lanes, by_round) for league in manifest.experiment.leagues),
            cpu_splits=tuple(_cpu_splits(manifest.experiment, by_round)),
            failures=tuple(failures),
            sweeps=sweep.fold(manifest.experiment, records),
        ),
        curves=tuple(curve for lane in measured if (curve := metrics.curve(lane, table))),
        traces=tuple(metrics.trace(lane, table) for lane in measured if not manifest.experiment.sweep),
        samples={lane.lane: _samples(by_round, lane.lane, observations) for lane in lanes},
    )


def _lane_summary(
    manifest: Manifest,
    lane: Lane,
    records: Sequence[SliceRecord],
    by_round: pd.DataFrame,
    failures: Sequence[Failure],
    observations: Sequence[Observation],
) -> LaneSummary:
    experiment = manifest.experiment
    own = [record for record in records if record.lane == lane.name]
    failure = next((failure for failure in failures if failure.lane == lane.name), None)
    own_observations = [observation for observation in observations if observation.lane == lane.name]
    cells = validity.judge_cells(own, failure, experiment.serving.workers)
    return LaneSummary(
        lane=lane.name,
        app=lane.app.name,
        title=lane.app.title,
        server=lane.server.name,
        adapter=lane.adapter.name if lane.adapter else None,
        baseline=lane.app.baseline,
        twin=lane.twin,
        leagues=experiment.leagues_of(lane.name),
        metrics={**_estimates(experiment, lane, by_round), **observed.estimates(own_observations)},
        missing=observed.missing(own_observations),
        cells=cells,
        validity=validity.worst(cells),
    )


def _estimates(experiment: Experiment, lane: Lane, by_round: pd.DataFrame) -> dict[str, Estimate]:
    """Returns an Estimate for each metric that was measured in at least one round."""
    found: dict[str, Estimate] = {}
    for name in by_round.columns:
        values = _rounds(by_round, lane.name, name)
        if name == "error_ratio" and len(values):
            found[name] = stats.linear_estimate(list(values), "errors/answers", "lower")
        elif len(values):
            found[name] = stats.log_estimate(list(values), *UNITS.get(name, ("ms", "lower")))
    split = _cpu_split(experiment, lane, by_round)
    return {**found, "overhead_us_per_request": split.framework} if split else found


def _samples(by_round: pd.DataFrame, lane: str, observations: Sequence[Observation]) -> dict[str, tuple[float, ...]]:
    """Returns the values of each metric of a Lane; a difference of Lanes has none of its own."""
    in_rounds = {metric: _rounds(by_round, lane, metric) for metric in by_round.columns}
    own = [observation for observation in observations if observation.lane == lane]
    known = {metric: tuple(values.astype(float)) for metric, values in in_rounds.items() if len(values)}
    return {**known, **observed.samples(own)}


def _cpu_splits(experiment: Experiment, by_round: pd.DataFrame) -> list[CpuSplit]:
    """Returns the splits of those Lanes whose raw counterparts were measured too."""
    splits = (_cpu_split(experiment, lane, by_round) for lane in experiment.lanes)
    return [split for split in splits if split]


def _cpu_split(experiment: Experiment, lane: Lane, by_round: pd.DataFrame) -> CpuSplit | None:
    """Splits a Lane's CPU time: raw, what the adapter adds to raw, what the framework adds to that; paired by round."""
    bare, ceiling = _raw(experiment, lane, adapted=False), _raw(experiment, lane, adapted=lane.adapter is not None)
    if lane.app.baseline or not bare or not ceiling:
        return None
    names = {who.name for who in (lane, ceiling, bare)}
    cpu_us = pd.DataFrame({name: _rounds(by_round, name, "cpu_us_per_request") for name in names}).dropna()
    if cpu_us.empty:
        return None
    return CpuSplit(
        lane=lane.name,
        raw=_mean_us(cpu_us[bare.name]),
        adapter=_mean_us(cpu_us[ceiling.name] - cpu_us[bare.name]) if lane.adapter else None,
        framework=_mean_us(cpu_us[lane.name] - cpu_us[ceiling.name]),
    )


def _mean_us(by_round: pd.Series) -> Estimate:
    return stats.linear_estimate(list(by_round), "us", "lower")


def _raw(experiment: Experiment, lane: Lane, *, adapted: bool) -> Lane | None:
    """Returns the baseline's Lane on the same Server, through the same Adapter or through none."""
    adapter = lane.adapter if adapted else None
    candidates = (other for other in experiment.lanes if other.app.baseline and other.server == lane.server)
    return next((other for other in candidates if other.adapter == adapter), None)


def _league_summary(league: League, lanes: Sequence[LaneSummary], by_round: pd.DataFrame) -> LeagueSummary:
    """Ranks the League's valid Lanes; baselines are no contenders."""
    contenders = [
        lane.lane
        for lane in lanes
        if lane.lane in league.lanes
        and not (lane.baseline or lane.twin)
        and validity.of_phase(lane.cells, Phase.SATURATED).status is Status.VALID
    ]
    values = {lane: dict(_rounds(by_round, lane, RANKED_BY)) for lane in contenders}
    measured = {lane: rounds for lane, rounds in values.items() if rounds}
    ratios = compare.paired_ratios(RANKED_BY, measured)
    floors = tuple(_noise_floors(league, lanes, by_round))
    return LeagueSummary(
        league=league.name,
        title=league.title,
        same_server=league.same_server,
        standings=compare.standings(compare.best_first(measured), ratios, compare.largest(floors)),
        ratios=ratios,
        noise_floors=floors,
    )


def _noise_floors(league: League, lanes: Sequence[LaneSummary], by_round: pd.DataFrame) -> Iterator[NoiseFloor]:
    """Yields how far each Lane of a League that has a twin there differs from it."""
    names = [lane.lane for lane in lanes if lane.lane in league.lanes and lane.metrics]
    twins = {twin: twin.removesuffix(TWIN_SUFFIX) for twin in names if twin.endswith(TWIN_SUFFIX)}
    for twin, lane in twins.items():
        if lane in names:
            pair = {name: dict(_rounds(by_round, name, RANKED_BY)) for name in (twin, lane)}
            if rounds := compare.common_rounds(pair):
                yield compare.noise_floor(lane, twin, *([pair[name][r] for r in rounds] for name in (twin, lane)))


def _totals(experiment: Experiment, records: Sequence[SliceRecord], table: pd.DataFrame) -> RunTotals:
    rates = [load.rate_rps for load in table.loc[table["phase"] == Phase.FIXED, "load"]]
    driver_ns = table["driver_cpu_ns"].astype(float).sum(skipna=False)
    return RunTotals(
        rounds=table["round"].nunique(),
        rounds_planned=experiment.preset.rounds,
        wall_s=float((table["at_s"] + table["slice_s"]).max()) if len(table) else 0.0,
        measured_s=float(table["window_s"].sum()),
        requests=int(table["requests"].sum()),
        errors=sum(sum(record.errors.values()) for record in records),
        missed=int(table["missed"].sum()),
        repeated=sum(record.spoilt is not None for record in records),
        fixed_rate_rps=rates[0] if rates else None,
        driver_cpu_share=float(driver_ns / 1e9 / table["slice_s"].sum()) if driver_ns > 0 else None,
    )


def _complete(experiment: Experiment, table: pd.DataFrame, failures: Sequence[Failure]) -> bool:
    """Returns whether every Lane that did not fail was measured in every planned slice."""
    failed = {failure.lane for failure in failures}
    planned = experiment.preset.rounds * plan.slices_per_lane(experiment)
    counts = table["lane"].value_counts()
    left = [lane.name for lane in experiment.lanes if lane.name not in failed]
    return bool(left) and all(counts.get(lane, 0) == planned for lane in left)


def _rounds(by_round: pd.DataFrame, lane: str, metric: str) -> pd.Series:
    """Returns a metric of a Lane by round, where it was measured."""
    if lane not in by_round.index.get_level_values("lane"):
        return pd.Series(dtype=float)
    return by_round[metric].xs(lane, level="lane").dropna()
