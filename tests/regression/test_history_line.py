"""A run's line in the history: relative to raw in the same run, of what can be trusted, and nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from bench.analysis.summary import Folded, fold
from bench.model import formats
from bench.model.experiment import Experiment, Side, Sweep, only
from bench.model.history import HistoryRecord, NoHistory
from bench.model.load import Closed
from bench.model.metrics import INSTRUCTIONS, METRICS
from bench.model.records import Failure, LatencyEnd, Observation, SliceRecord
from bench.regression.history_line import record
from bench.run import store
from tests.builders.runs import (
    CPU_US,
    RG,
    RPS,
    A,
    B,
    G,
    R,
    experiment,
    failure,
    manifest,
    run_observations,
    run_records,
    twinned,
)

WHOLE = experiment()
DATA = Path(__file__).parent.parent / "data"


def of(
    records: Sequence[SliceRecord],
    failures: Sequence[Failure] = (),
    observations: Sequence[Observation] = (),
    whole: Experiment = WHOLE,
) -> Folded:
    return fold(manifest(whole), records, failures, (*run_observations(whole), *observations))


def line(**changes: Any) -> HistoryRecord:
    return record(of(run_records(WHOLE), **changes))


def test_figures_are_relative_to_raw_of_the_same_server_and_adapter() -> None:
    """Alpha's CPU time is divided by raw's, that of Gamma, which has an Adapter, by that of raw behind it."""
    lanes = line().lanes
    assert list(lanes) == sorted([A, B, G])
    assert lanes[A]["cpu_us_per_request"].point == pytest.approx(CPU_US[A] / CPU_US[R], rel=1e-3)
    assert lanes[G]["cpu_us_per_request"].point == pytest.approx(CPU_US[G] / CPU_US[RG], rel=1e-3)
    assert lanes[A]["throughput_rps"].point == pytest.approx(RPS[A] / RPS[R], rel=0.02)
    for metrics in lanes.values():
        assert list(metrics) == list(METRICS.relative())
        for reading in metrics.values():
            assert reading.low is not None
            assert reading.high is not None
            assert reading.low <= reading.point <= reading.high


def test_a_slower_day_leaves_the_same_line() -> None:
    """Half the speed of every Lane, raw among them, cancels."""
    slower = run_records(
        WHOLE, {lane: rps / 2 for lane, rps in RPS.items()}, {lane: 2 * us for lane, us in CPU_US.items()}
    )
    today, other_day = line().lanes, record(of(slower)).lanes
    assert today.keys() == other_day.keys() == {A, B, G}
    for lane, metrics in today.items():
        assert other_day[lane]["cpu_us_per_request"].point == pytest.approx(
            metrics["cpu_us_per_request"].point, rel=0.01
        )


def test_what_the_run_was_stands_beside() -> None:
    """The manifest's fields, as they are."""
    written, made_from = line(), manifest(WHOLE)
    assert (written.run_id, written.started_utc) == (made_from.run_id, made_from.started_utc)
    assert (written.bench_version, written.project_revision) == (made_from.bench_version, made_from.project_revision)
    assert written.machine.server_cores == made_from.machine.server_cores
    assert written.fixed_rate_rps == of(run_records(WHOLE)).summary.totals.fixed_rate_rps is not None


def conditions(**changes: Any) -> str | None:
    whole = replace(WHOLE, **changes)
    return record(fold(manifest(whole), run_records(whole), (), run_observations(whole))).conditions


def test_conditions_tell_apart_what_was_asked() -> None:
    """Users, serving, workload and the length of a Slice; how many Rounds there are and the seed ask nothing else."""
    changed: list[dict[str, Any]] = [
        {"load": replace(WHOLE.load, users=WHOLE.load.users + 1)},
        {"serving": replace(WHOLE.serving, threads=2)},
        {"workload": replace(WHOLE.workload, load_names=20)},
        {"preset": replace(WHOLE.preset, window_s=0.5)},
        {},
    ]
    assert len({conditions(**change) for change in changed}) == len(changed)
    assert conditions(seed=2) == conditions(preset=replace(WHOLE.preset, repeats=2)) == conditions()


def test_conditions_are_the_same_whatever_is_installed() -> None:
    """Another version is what a trend is to show, so it stays in the trend."""
    newer = manifest(WHOLE, bench_version="0.2.0", driver_versions={"locust": "3.0.0"})
    assert record(fold(newer, run_records(WHOLE), (), run_observations(WHOLE))).conditions == conditions()


def test_a_stored_run_has_the_line_that_was_written_when_it_ended() -> None:
    """Its figures and its conditions, by which later runs are compared with it, whatever they are called today."""
    run = store.read(DATA / "runs" / "v3" / "quiet-2")
    lines = [msgspec.json.decode(line) for line in (DATA / "history-v1.jsonl").read_bytes().splitlines()]
    (written,) = (line for line in lines if line["run_id"] == run.manifest.run_id)
    found = record(fold(run.manifest, run.records, run.failures, run.observations))
    assert found == formats.decoded(HistoryRecord, written, 1)


def test_runs_whose_latencies_end_elsewhere_are_in_no_trend_with_those_of_today() -> None:
    """Nor are those that do not tell."""
    ends = [
        record(fold(manifest(WHOLE, latency_end=end), run_records(WHOLE), (), run_observations(WHOLE))).conditions
        for end in (*LatencyEnd, None)
    ]
    assert len(set(ends)) == 3
    assert conditions() == ends[0]


def test_figures_have_five_digits() -> None:
    """A line stays short."""
    readings = [reading for metrics in line().lanes.values() for reading in metrics.values()]
    values = [value for one in readings for value in (one.point, one.low, one.high) if value]
    assert len(values) == 3 * 3 * len(METRICS.relative())
    assert values == [float(f"{value:.5g}") for value in values]


def failing(records: Sequence[SliceRecord], lane: str) -> list[SliceRecord]:
    return [replace(row, errors={"wrong body": 3}) if row.lane == lane else row for row in records]


def test_a_lane_that_is_not_valid_is_left_out() -> None:
    """One that answered wrongly has no figures; the others have theirs."""
    assert sorted(record(of(failing(run_records(WHOLE), B))).lanes) == sorted([A, G])


def test_where_raw_is_not_valid_its_lanes_are_left_out() -> None:
    """Alpha and Beta have nothing to be measured by; Gamma's raw is another one."""
    assert list(record(of(failing(run_records(WHOLE), R))).lanes) == [G]


def test_a_lane_that_failed_is_left_out() -> None:
    """A run in which one Lane could not be started is complete, without it."""
    records = [row for row in run_records(WHOLE) if row.lane != B]
    assert sorted(record(of(records, failures=[failure(B)])).lanes) == sorted([A, G])


def test_a_count_of_instructions_is_exact_and_needs_no_raw() -> None:
    """It stands as it was counted, also where raw is not valid; of a Lane that answered wrongly there is none."""
    counted = [Observation(lane=B, metric=INSTRUCTIONS, value=352_752.0)]
    lanes = record(of(failing(run_records(WHOLE), R), observations=counted)).lanes
    assert (lanes[B][INSTRUCTIONS].point, lanes[B][INSTRUCTIONS].low) == (352_752, 352_752)
    with_wrong_answers = record(of(failing(run_records(WHOLE), B), observations=counted)).lanes
    assert B not in with_wrong_answers


def test_twins_are_not_in_it() -> None:
    """A twin shows the noise, and has no trend."""
    whole = twinned()
    names = [lane.name for lane in whole.lanes]
    twin = next(name for name in names if name.endswith("#2"))
    records = run_records(whole, RPS | {twin: RPS[A]}, CPU_US | {twin: CPU_US[A]})
    assert sorted(record(of(records, whole=whole)).lanes) == sorted([A, B, G])


@pytest.mark.parametrize(
    ("whole", "records", "said"),
    [
        (WHOLE, run_records(WHOLE)[:-1], "an interrupted run"),
        (replace(WHOLE, sweep=Sweep(loads=(Closed(1), Closed(2)), slo_ms=10)), [], "a sweep"),
        (
            replace(WHOLE, lanes=(*WHOLE.lanes, replace(WHOLE.lanes[0], side=Side.HEAD))),
            [],
            "a comparison",
        ),
    ],
    ids=["interrupted", "sweep", "comparison"],
)
def test_other_runs_are_refused(whole: Experiment, records: list[SliceRecord], said: str) -> None:
    """What is not a complete run has no place in the history; the message names it."""
    with pytest.raises(NoHistory, match=f"20260301T101500Z-3f9a1c: found {said}\\b"):
        record(of(records, whole=whole))


def test_a_run_without_raw_is_refused() -> None:
    """It would be an empty line; the message says what it needs."""
    whole = only(WHOLE, [A, B])
    records = [row for row in run_records(WHOLE) if row.lane in (A, B)]
    observations = [one for one in run_observations(WHOLE) if one.lane in (A, B)]
    run = fold(manifest(whole), records, (), observations)
    assert run.summary.complete
    with pytest.raises(NoHistory, match=r"`raw = true`"):
        record(run)
    counted = [*observations, Observation(lane=B, metric=INSTRUCTIONS, value=352_752.0)]
    assert list(record(fold(manifest(whole), records, (), counted)).lanes) == [B]


def test_a_run_without_a_valid_lane_is_refused() -> None:
    """Where raw is there and nothing can be trusted, that is what it says."""
    records = [replace(row, errors={"wrong body": 3}) for row in run_records(WHOLE)]
    with pytest.raises(NoHistory, match="3f9a1c: found no valid Lane "):
        record(of(records))
