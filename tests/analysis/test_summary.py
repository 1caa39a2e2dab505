"""A run folded: everything in the summary comes from records, and what was not measured is not there."""

import math
from collections.abc import Iterable, Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.analysis.folds import round_values
from bench.analysis.intervals import ratio_estimate
from bench.analysis.summary import fold as fold_run
from bench.model import footprint_plan
from bench.model.estimate import Estimate, Status
from bench.model.experiment import Group
from bench.model.formats import to_json
from bench.model.load import Open, Phase
from bench.model.metrics import METRICS, Average, Source
from bench.model.reason import Code, reason
from bench.model.records import Failure, Observation, SliceRecord, Stage
from bench.model.summary import CpuSplit, LaneSummary, Report, Standing, Summary
from tests.builders.runs import (
    CPU_US,
    LANES,
    RG,
    RPS,
    USERS,
    A,
    B,
    G,
    R,
    experiment,
    failure,
    histogram,
    manifest,
    run_observations,
    run_records,
    spread,
    twinned,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")  # arithmetic on what was not measured

WHOLE = experiment()
MANIFEST = manifest(WHOLE)
RECORDS = run_records(WHOLE)
OBSERVED = run_observations(WHOLE)
NO_ANSWERS = histogram()
LATENCIES = {f"{kind}_{name}_ms" for kind in ("latency_saturated", "latency_fixed") for name in ("p50", "p90")}
POSITIVE = {metric.name for metric in METRICS.from_sources(Source.SLICES) if metric.average is Average.GEOMETRIC}
COUNTERS = (
    "server_cpu_ns",
    "server_run_queue_ns",
    "server_rss_bytes",
    "driver_cpu_ns",
    "driver_run_queue_ns",
    "steal_s",
)


class Folded:
    """A report, with its parts by name."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.lanes: dict[str, LaneSummary] = {lane.lane: lane for lane in report.summary.lanes}
        self.splits: dict[str, CpuSplit] = {split.lane: split for split in report.summary.cpu_splits}

    @property
    def standings(self) -> tuple[Standing, ...]:
        return self.report.summary.groups[0].standings

    def statuses(self) -> dict[str, Status]:
        return {name: lane.validity.status for name, lane in self.lanes.items()}

    def estimates(self) -> list[Estimate]:
        """Returns every Estimate there is."""
        summary = self.report.summary
        return [
            *(estimate for lane in summary.lanes for estimate in lane.metrics.values()),
            *(ratio.ratio for group in summary.groups for ratio in group.ratios),
            *(part for split in summary.cpu_splits for part in (split.raw, split.adapter, split.framework) if part),
        ]


def fold(records: Sequence[SliceRecord], failures: Sequence[Failure] = ()) -> Folded:
    """Folds a run, and expects what must hold of every one: plain finite numbers, and the same again from JSON."""
    folded = Folded(fold_run(MANIFEST, records, failures).report)
    for estimate in folded.estimates():
        bounds = (estimate.low, estimate.high)
        numbers = [number for number in (estimate.point, *bounds) if number is not None]
        assert all(math.isfinite(number) for number in numbers), estimate
        assert bounds == (None, None) if estimate.n < 3 else None not in bounds, estimate
        assert estimate.n > 0
    report = folded.report
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
    assert msgspec.json.decode(to_json(report.summary), type=Summary) == report.summary
    return folded


def changed(records: Iterable[SliceRecord], lane: str | None = None, **changes: object) -> list[SliceRecord]:
    """Returns records with changes in those of one Lane, or of all."""
    return [replace(row, **changes) if lane in (None, row.lane) else row for row in records]


def silent(records: Iterable[SliceRecord]) -> list[SliceRecord]:
    """Returns records of slices without one right answer."""
    return [
        replace(
            row,
            requests=0,
            requests_in_slice=0,
            latency_us=NO_ANSWERS,
            latency_from_intended_us=NO_ANSWERS if isinstance(row.load, Open) else None,
        )
        for row in records
    ]


def slower(row: SliceRecord, factor: float) -> SliceRecord:
    """Returns the record of a saturated slice with fewer answers, each of which took its users longer."""
    if row.phase is not Phase.SATURATED:
        return row
    requests = round(row.requests * factor)
    return replace(row, requests=requests, latency_us=spread(requests, round(1e6 * USERS * row.window_s / requests)))


@pytest.fixture(scope="module")
def whole() -> Folded:
    """Returns the run in which all went well."""
    return fold(RECORDS)


def test_folding_twice_is_folding_once(whole: Folded) -> None:
    """A report made again from what is stored is the same, to the byte."""
    again = fold(RECORDS)
    assert again.report == whole.report
    assert to_json(again.report.summary) == to_json(whole.report.summary)


def test_every_lane_is_described(whole: Folded) -> None:
    """Each Lane of the Experiment is there, with what it is and where it plays, in the Experiment's order."""
    assert list(whole.lanes) == [lane.name for lane in LANES]
    gamma = whole.lanes[G]
    assert (gamma.app, gamma.title, gamma.server, gamma.adapter) == ("gamma", "Gamma", "gthread", "a2wsgi")
    assert (gamma.groups, gamma.raw) == (("wsgi",), False)
    assert whole.lanes[R].raw
    assert set(whole.statuses().values()) == {Status.VALID}


def test_metrics_are_what_the_lanes_did(whole: Folded) -> None:
    """Throughput and CPU time come out as they were put in, whatever luck the Rounds had."""
    mean_luck = (1.0 * 1.2 * 1.4) ** (1 / 3)
    for name in RPS:
        lane = whole.lanes[name]
        assert set(lane.metrics) >= {"throughput_rps", "cpu_us_per_request", "rss_mib", "error_ratio"} | LATENCIES
        assert lane.metrics["throughput_rps"].point == pytest.approx(RPS[name] / mean_luck, rel=0.02)
        assert lane.metrics["cpu_us_per_request"].point == pytest.approx(CPU_US[name] * mean_luck, rel=0.01)
        assert lane.metrics["rss_mib"].point == pytest.approx(32)
        assert lane.metrics["error_ratio"].point == 0
        assert {metric.n for metric in lane.metrics.values()} == {3}


def test_metrics_have_units(whole: Folded) -> None:
    """Each Estimate says its unit, and which way is better."""
    found = {name: (metric.unit, metric.better) for name, metric in whole.lanes[A].metrics.items()}
    assert found["throughput_rps"] == ("requests/s", "higher")
    assert found["cpu_us_per_request"] == found["own_cost_us_per_request"] == ("us", "lower")
    assert found["rss_mib"] == ("MiB", "lower")
    assert found["latency_fixed_p50_ms"] == ("ms", "lower")
    assert all(better == "lower" for name, (_, better) in found.items() if name != "throughput_rps")


def test_totals_add_up(whole: Folded) -> None:
    """Warm-up is not counted."""
    measured = [row for row in RECORDS if row.phase is not Phase.WARM_UP]
    totals = whole.report.summary.totals
    assert totals.requests == sum(row.requests for row in measured)
    assert totals.measured_s == pytest.approx(sum(row.window_s for row in measured))
    assert totals.wall_s == pytest.approx(max(row.at_s + row.slice_s for row in measured))
    assert (totals.rounds, totals.rounds_planned, totals.fixed_rate_rps) == (3, 3, 200)
    assert totals.driver_cpu_share == pytest.approx(0.1 / 0.3)
    assert (totals.errors, totals.dropped) == (0, 0)


def test_slices_that_were_discarded_are_counted() -> None:
    """Those that were repeated and do not count, and those that count although they were discarded; no warm-up."""
    rows = [*changed(RECORDS[:6], discarded=reason(Code.STEAL)), *changed(RECORDS, A, not_repeated=reason(Code.STEAL))]
    totals = fold(rows).report.summary.totals
    assert (totals.repeated, totals.not_repeated) == (6, 9)


def test_errors_and_dropped_requests_are_added_up() -> None:
    """Over all Lanes and kinds; errors of the warm-up too, so that "0 errors" is said of the whole run."""
    totals = fold(changed(RECORDS, A, errors={"timeout": 2, "status 500": 1}, dropped=4)).report.summary.totals
    assert (totals.errors, totals.dropped) == (3 * (9 + 3), 4 * 9)


def test_a_frameworks_overhead_is_its_cost_minus_raws(whole: Folded) -> None:
    """Through the same Adapter; raw itself has none."""
    mean_luck = 1.2
    for name, raw in ((A, R), (B, R), (G, RG)):
        own_cost = whole.lanes[name].metrics["own_cost_us_per_request"]
        assert own_cost.point == pytest.approx((CPU_US[name] - CPU_US[raw]) * mean_luck, rel=0.01)
    assert all("own_cost_us_per_request" not in whole.lanes[name].metrics for name in (R, RG))


def test_splits_add_up(whole: Folded) -> None:
    """Raw, Adapter and framework together are the Lane's own CPU time, but for the kind of mean."""
    assert set(whole.splits) == {A, B, G}
    for name, split in whole.splits.items():
        parts = split.raw.point + split.framework.point + (split.adapter.point if split.adapter else 0)
        assert parts == pytest.approx(whole.lanes[name].metrics["cpu_us_per_request"].point, rel=0.02)
        assert (split.adapter is not None) == (name == G)


def test_splits_of_steady_rounds_add_up_exactly() -> None:
    """Where Rounds agree, all kinds of mean do."""
    steady = [
        replace(row, server_cpu_ns=round(cpu_us * 1000), slice_s=cpu_us / 1e6 / 0.95)
        for row in RECORDS
        for cpu_us in [CPU_US[row.lane] * row.requests_in_slice]
    ]
    split = fold(steady).splits[G]
    assert split.adapter is not None
    assert split.raw.point == pytest.approx(480)
    assert split.adapter.point == pytest.approx(320)
    assert split.framework.point == pytest.approx(1600)


@pytest.mark.parametrize(("gone", "left"), [(R, set()), (RG, {A, B})])
def test_a_split_needs_its_raw_lanes(gone: str, left: set[str]) -> None:
    """Where raw was not measured, alone or through the Adapter, nothing is split and there is no own_cost to tell."""
    folded = fold([row for row in RECORDS if row.lane != gone])
    assert set(folded.splits) == left
    assert {name for name, lane in folded.lanes.items() if "own_cost_us_per_request" in lane.metrics} == left


@pytest.mark.parametrize(("late", "left"), [(R, set()), (RG, {A, B}), (G, {A, B})])
def test_a_split_needs_a_round_in_common(late: str, left: set[str]) -> None:
    """What was measured in other Rounds than the rest is compared with nothing."""
    folded = fold([row for row in RECORDS if (row.lane == late) == (row.round == 2)])
    assert set(folded.splits) == left
    assert {name for name, lane in folded.lanes.items() if "own_cost_us_per_request" in lane.metrics} == left


def test_a_split_is_of_the_rounds_in_common() -> None:
    """Raw and framework add up to the Lane's own CPU time also where the Lane was left out of later, slower Rounds."""
    folded = fold([row for row in RECORDS if row.lane != A or row.round == 0])
    split, own = folded.splits[A], folded.lanes[A].metrics["cpu_us_per_request"]
    assert split.raw.n == split.framework.n
    assert split.raw.point + split.framework.point == pytest.approx(own.point, rel=0.02)


def test_all_parts_of_a_split_are_of_the_same_rounds() -> None:
    """Where each of the three Lanes missed another Round, the one that all have is split."""
    missing = {(G, 1), (RG, 2), (R, 1)}
    split = fold([row for row in RECORDS if (row.lane, row.round) not in missing]).splits[G]
    assert split.adapter is not None
    assert split.raw.n == split.adapter.n == split.framework.n == 1
    assert split.raw.point + split.adapter.point + split.framework.point == pytest.approx(CPU_US[G], rel=1e-3)


def test_a_frameworks_overhead_is_its_part_of_the_split(whole: Folded) -> None:
    """The same number is not given twice with different values."""
    assert {name: split.framework for name, split in whole.splits.items()} == {
        name: whole.lanes[name].metrics["own_cost_us_per_request"] for name in (A, B, G)
    }


def test_a_group_ranks_its_contenders(whole: Folded) -> None:
    """By throughput, best first; baselines are no contenders, and every pair has its ratio."""
    assert whole.standings == tuple(
        Standing(lane=name, rank=place, tied_with=()) for place, name in enumerate((A, B, G), start=1)
    )
    ratios = {(ratio.lane, ratio.other): ratio.ratio for ratio in whole.report.summary.groups[0].ratios}
    assert {pair: found.point for pair, found in ratios.items()} == {
        (A, B): pytest.approx(1000 / 800, rel=0.03),
        (A, G): pytest.approx(1000 / 400, rel=0.03),
        (B, G): pytest.approx(800 / 400, rel=0.03),
    }
    assert all(found.low is not None and found.low > 1 for found in ratios.values())


def test_a_group_ranks_only_its_own() -> None:
    """A Lane of another Group has no place in this one."""
    groups = (
        Group(name="few", title="", lanes=(B, A), same_server=True),
        Group(name="one", title="", lanes=(G, R), same_server=False),
    )
    report = fold_run(manifest(experiment(groups=groups)), RECORDS, ()).report
    found = [[standing.lane for standing in group.standings] for group in report.summary.groups]
    assert found == [[A, B], [G]]
    assert [group.same_server for group in report.summary.groups] == [True, False]


def test_a_tie_has_no_rank() -> None:
    """Two Lanes with the same throughput, but for noise, have each other's names instead of a number."""
    folded = fold(run_records(WHOLE, {**RPS, B: 1001.0}))
    by_lane = {standing.lane: standing for standing in folded.standings}
    assert (by_lane[A].rank, by_lane[A].tied_with) == (None, (B,))
    assert (by_lane[B].rank, by_lane[B].tied_with) == (None, (A,))
    assert (by_lane[G].rank, by_lane[G].tied_with) == (3, ())


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"errors": {"status 500": 1}}, Status.FAILING),
        ({"server_cpu_ns": 100_000_000, "driver_cpu_ns": 290_000_000}, Status.DRIVER_BOUND),
        ({"server_cpu_ns": 100_000_000}, Status.NOT_SATURATED),
    ],
)
def test_an_invalid_lane_is_not_ranked(changes: dict[str, object], status: Status) -> None:
    """Its metrics are shown, with the reason; the others are ranked without it."""
    folded = fold(changed(RECORDS, A, **changes))
    assert folded.statuses() == {**dict.fromkeys(RPS, Status.VALID), A: status}
    assert [(standing.lane, standing.rank) for standing in folded.standings] == [(B, 1), (G, 2)]
    assert folded.lanes[A].validity.reasons
    assert "throughput_rps" in folded.lanes[A].metrics


def test_wrong_answers_in_the_warm_up_make_a_lane_failing(whole: Folded) -> None:
    """It is not ranked, nothing is derived, and its metrics, which are of measured slices, are what they were."""
    rows = [
        replace(row, errors={"timeout": 1}) if row.phase is Phase.WARM_UP and row.lane == A else row for row in RECORDS
    ]
    folded = fold(rows)
    assert folded.lanes[A].validity.status is Status.FAILING
    measured = {name: found for name, found in whole.lanes[A].metrics.items() if name != "own_cost_us_per_request"}
    assert folded.lanes[A].metrics == measured
    assert A not in [standing.lane for standing in folded.standings]


@pytest.mark.parametrize("stage", Stage)
def test_a_lane_that_never_ran_has_no_metrics(stage: Stage) -> None:
    """A failed Lane has its reason, and neither metrics nor a place, curve, trace or split from nowhere."""
    folded = fold([row for row in RECORDS if row.lane != A], [failure(A, stage=stage)])
    assert folded.lanes[A].metrics == {}
    assert folded.lanes[A].validity.status is Status.FAILED
    assert A not in [standing.lane for standing in folded.standings]
    assert A not in folded.splits
    assert A not in [curve.lane for curve in folded.report.curves]
    assert A not in [trace.lane for trace in folded.report.traces]
    assert folded.report.summary.failures == (failure(A, stage=stage),)
    assert Code.SLICES_LACKING not in [part.code for part in folded.report.summary.lacking]


def test_a_lane_that_failed_later_keeps_what_was_measured() -> None:
    """Its metrics are of the Rounds that it was there for; it is not ranked."""
    folded = fold([row for row in RECORDS if row.lane != A or row.round == 0], [failure(A, round=1)])
    metric = folded.lanes[A].metrics["throughput_rps"]
    assert (metric.n, metric.low, metric.high) == (1, None, None)
    assert folded.lanes[A].validity.status is Status.FAILED
    assert [(standing.lane, standing.rank) for standing in folded.standings] == [(B, 1), (G, 2)]


def test_a_run_is_complete_when_all_was_measured() -> None:
    """One missing slice of a Lane that did not fail is enough to be incomplete."""
    assert fold_run(MANIFEST, RECORDS, (), OBSERVED).report.summary.complete
    missing = next(row for row in RECORDS if (row.round, row.lane, row.phase) == (2, A, Phase.SATURATED))
    summary = fold_run(MANIFEST, [row for row in RECORDS if row is not missing], (), OBSERVED).report.summary
    assert (summary.complete, summary.lacking) == (False, (reason(Code.SLICES_LACKING, missing=1, planned=45),))


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_run_without_its_last_rounds_folds(rounds: int) -> None:
    """What was measured is reported, without intervals and ranks where Rounds are too few."""
    folded = fold([row for row in RECORDS if row.round < rounds])
    assert folded.report.summary.lacking[0].code is Code.SLICES_LACKING
    assert folded.report.summary.totals.rounds == rounds
    assert {metric.n for lane in folded.lanes.values() for metric in lane.metrics.values()} == {rounds}
    assert [standing.rank for standing in folded.standings] == [None] * 3


PER_ROUND = len(RECORDS) // 3


@pytest.mark.parametrize("count", [1, 5, 6, 10, 16, PER_ROUND, PER_ROUND + 7, len(RECORDS) - 1])
def test_a_run_may_end_anywhere(count: int) -> None:
    """After any number of slices, half-way through a Round too, there is a report of what there is."""
    folded = fold(RECORDS[:count])
    assert folded.report.summary.lacking[0].code is Code.SLICES_LACKING
    measured = {row.lane for row in RECORDS[:count] if row.phase is not Phase.WARM_UP}
    assert {name for name, lane in folded.lanes.items() if lane.metrics} == measured
    not_measured = {name for name, status in folded.statuses().items() if status is Status.NOT_MEASURED}
    assert not_measured == set(folded.lanes) - measured


@pytest.mark.parametrize("phase", Phase)
def test_a_run_may_lack_a_phase(phase: Phase) -> None:
    """Without saturated slices there is no throughput and no rank, without fixed ones no latency and no rate."""
    folded = fold([row for row in RECORDS if row.phase is not phase])
    metrics = folded.lanes[A].metrics
    assert ("throughput_rps" in metrics) == bool(folded.standings) == (phase is not Phase.SATURATED)
    assert ("latency_fixed_p50_ms" in metrics) == bool(folded.report.curves) == (phase is not Phase.FIXED)
    assert (folded.report.summary.totals.fixed_rate_rps is None) == (phase is Phase.FIXED)


def test_a_run_without_records_has_no_metrics() -> None:
    """There is a summary, and nothing in it but the Lanes, of which none was measured."""
    folded = fold([])
    assert {name: lane.metrics for name, lane in folded.lanes.items()} == {name: {} for name in RPS}
    assert set(folded.statuses().values()) == {Status.NOT_MEASURED}
    assert folded.report.summary.lacking[0].code is Code.SLICES_LACKING
    totals = folded.report.summary.totals
    assert (totals.rounds, totals.requests, totals.wall_s, totals.measured_s) == (0, 0, 0.0, 0.0)
    assert (totals.fixed_rate_rps, totals.driver_cpu_share) == (None, None)
    assert (folded.standings, folded.splits, folded.report.traces) == ((), {}, ())


def test_all_lanes_may_have_failed() -> None:
    """A run in which nothing could be measured says so of each Lane, and is not complete."""
    folded = fold([], [failure(name, stage=Stage.START) for name in RPS])
    assert set(folded.statuses().values()) == {Status.FAILED}
    assert folded.standings == ()
    assert folded.report.summary.lacking[0] == reason(Code.NO_LANE_LEFT)


def test_a_run_whose_lanes_all_failed_is_not_complete() -> None:
    """However much was measured before the last of them failed."""
    folded = fold(RECORDS, [failure(name, round=2) for name in RPS])
    assert set(folded.statuses().values()) == {Status.FAILED}
    assert folded.report.summary.lacking[0] == reason(Code.NO_LANE_LEFT)


def test_slices_without_an_answer_have_no_metrics() -> None:
    """A Lane that never answered rightly has neither throughput nor latency nor cost, and no rank."""
    rows = [row for original in RECORDS for row in (silent([original]) if original.lane == A else [original])]
    folded = fold(rows)
    assert set(folded.lanes[A].metrics) == {"rss_mib", "pss_mib"}
    assert [(standing.lane, standing.rank) for standing in folded.standings] == [(B, 1), (G, 2)]
    assert A not in folded.splits


def test_a_round_without_an_answer_is_not_left_out_in_silence() -> None:
    """Its figures are of the other Rounds, say so, and can't be trusted; the Lane is not ranked."""
    rows = [
        row
        for original in RECORDS
        for row in (silent([original]) if (original.lane, original.round) == (A, 1) else [original])
    ]
    folded = fold(rows)
    lane = folded.lanes[A]
    assert lane.metrics["throughput_rps"].n == lane.metrics["cpu_us_per_request"].n == 2
    assert lane.metrics["rss_mib"].n == 3
    assert {"throughput_rps", "cpu_us_per_request"} <= lane.partial.keys()
    assert set(lane.partial.values()) == {(reason(Code.NOT_IN_ROUNDS, reason(Code.SILENT), rounds=(1,)),)}
    assert {cell.validity.status for cell in lane.cells} == {Status.FAILING}
    assert A not in [standing.lane for standing in folded.standings]


def test_starts_that_ended_early_are_not_left_out_in_silence() -> None:
    """Of a Lane that failed at its third start the figures are of two, and say so; what came later is missing."""
    home, ended = footprint_plan.footprint_lanes(WHOLE)[0].name, reason(Code.SAID, text="exit code 1")
    first = [Observation(lane=home, metric="first_response_ms", value=value) for value in (7.0, 9.0)]
    lost = [
        Observation(lane=home, metric=each, value=None, reason=ended) for each in ("first_response_ms", "import_ms")
    ]
    report = fold_run(MANIFEST, RECORDS, (), [*first, *lost]).report
    lane = Folded(report).lanes[home]
    assert lane.metrics["first_response_ms"].n == 2
    assert lane.partial == {"first_response_ms": (reason(Code.FEWER_VALUES, ended, n=2),)}
    assert lane.missing["import_ms"] == ended
    assert msgspec.json.decode(to_json(report.summary), type=Summary) == report.summary


@pytest.mark.parametrize(
    ("counter", "absent"),
    [
        ("server_cpu_ns", {"cpu_us_per_request", "own_cost_us_per_request"}),
        ("server_rss_bytes", {"rss_mib"}),
        ("driver_cpu_ns", set()),
    ],
)
def test_what_the_machine_does_not_tell_is_absent(whole: Folded, counter: str, absent: set[str]) -> None:
    """Without a counter the metrics that need it are missing, and nothing else."""
    folded = fold(changed(RECORDS, **{counter: None}))
    assert set(folded.lanes[A].metrics) == set(whole.lanes[A].metrics) - absent
    assert bool(folded.splits) == (counter != "server_cpu_ns")
    assert (folded.report.summary.totals.driver_cpu_share is None) == (counter == "driver_cpu_ns")


@pytest.mark.parametrize(
    ("counter", "metric"), [("server_cpu_ns", "cpu_us_per_request"), ("server_rss_bytes", "rss_mib")]
)
def test_counters_that_did_not_move_are_absent(counter: str, metric: str) -> None:
    """CPU time in ticks of 10 ms can be 0 over a short slice."""
    folded = fold(changed(RECORDS, A, **{counter: 0}))
    assert metric not in folded.lanes[A].metrics
    assert metric in folded.lanes[B].metrics


def test_nothing_is_told_by_the_machine() -> None:
    """Without any counter there are still throughput and latency, but nothing shows what the limit was: no ranks."""
    folded = fold(changed(RECORDS, **dict.fromkeys(COUNTERS)))
    assert folded.standings == ()
    assert {name for name, lane in folded.lanes.items() if "throughput_rps" in lane.metrics} == set(RPS)
    assert set(folded.statuses().values()) == {Status.NOT_SATURATED}


@settings(max_examples=12)
@given(data=st.data())
def test_any_part_of_a_run_folds(data: st.DataObject) -> None:
    """Whatever slices are missing, silent or without counters, every number is finite and goes through JSON."""
    kept = data.draw(st.lists(st.sampled_from(RECORDS), max_size=30, unique_by=lambda row: (row.round, row.slice)))
    rows: list[SliceRecord] = []
    for row in kept:
        unknown = data.draw(st.sets(st.sampled_from(COUNTERS)))
        (seen,) = silent([row]) if data.draw(st.booleans()) else [row]
        rows.append(replace(seen, **dict.fromkeys(unknown)))
    fold(rows, data.draw(st.lists(st.sampled_from([failure(A), failure(R)]), unique=True)))


def test_curves_and_traces_are_of_measured_lanes(whole: Folded) -> None:
    """Each Lane has its latencies at the fixed rate, and its throughput in each saturated slice of the run."""
    assert [curve.lane for curve in whole.report.curves] == list(whole.lanes)
    assert [trace.lane for trace in whole.report.traces] == list(whole.lanes)
    assert all(len(trace.at_s) == 3 * 2 for trace in whole.report.traces)
    curve = whole.report.curves[0]
    assert curve.latencies_ms[0] == pytest.approx(0.05, rel=0.01)  # half of Alpha's median of 0.1 ms


def test_a_lane_without_answers_at_the_fixed_rate_has_no_curve() -> None:
    """A curve is drawn of latencies that were measured, not of none."""
    rows = [
        row for original in RECORDS for row in (silent([original]) if original.phase is Phase.FIXED else [original])
    ]
    assert fold(rows).report.curves == ()


def test_a_metric_that_is_absent_says_why() -> None:
    """Every metric of a slice is either there or has its reason; a counter's reason is the one in its record."""
    why = reason(Code.COUNTER_WENT_BACKWARDS, before=9, after=5)
    rows = changed(RECORDS, A, server_cpu_ns=None, unknown={"server_cpu_ns": why})
    lane = fold(rows).lanes[A]
    assert lane.missing["cpu_us_per_request"] == why
    assert not set(lane.missing) & set(lane.metrics)
    whole = fold(RECORDS).lanes[A]
    assert set(lane.missing) | set(lane.metrics) == set(whole.missing) | set(whole.metrics)


def test_an_overhead_needs_a_baseline_that_can_be_trusted() -> None:
    """Above a raw Lane that was no limit there is none, and the reason names it; an Adapter's Lane needs both."""
    idle = {"server_cpu_ns": 100_000_000}
    folded = fold(changed(RECORDS, RG, **idle))
    assert set(folded.splits) == {A, B}
    not_valid = reason(Code.RAW_NOT_VALID, lane=RG, status=Status.NOT_SATURATED)
    assert folded.lanes[G].missing["own_cost_us_per_request"] == not_valid
    assert set(fold(changed(RECORDS, R, **idle)).splits) == set()


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"server_cpu_ns": 100_000_000}, Status.NOT_SATURATED), ({"errors": {"timeout": 1}}, Status.FAILING)],
)
def test_nothing_is_derived_from_a_lane_that_cannot_be_trusted(changes: dict[str, object], status: Status) -> None:
    """No framework's part of its CPU time, no own_cost; the reason is the Lane's own."""
    folded = fold(changed(RECORDS, A, **changes))
    assert set(folded.splits) == {B, G}
    assert folded.lanes[A].missing["own_cost_us_per_request"] == reason(Code.LANE_NOT_VALID, status=status)
    latency = [replace(row, dropped=3) if row.lane == A and row.phase is Phase.FIXED else row for row in RECORDS]
    assert set(fold(latency).splits) == {A, B, G}


def test_an_adapters_cost_is_known_whatever_framework_is_behind_it() -> None:
    """It is raw's behind it minus raw's, by Round; it needs both of these to be valid, and nobody else."""
    records = run_records(experiment())
    idle = {"server_cpu_ns": 10**6}
    (of_whole,) = fold(records).report.summary.adapter_costs
    assert (of_whole.adapter, of_whole.server, of_whole.cost.n) == ("a2wsgi", "gthread", 3)
    assert of_whole.cost.point == pytest.approx(1.2 * (CPU_US[RG] - CPU_US[R]), rel=0.01)
    folded = fold(changed(records, G, **idle))
    assert G not in folded.splits
    assert folded.report.summary.adapter_costs == (of_whole,)
    for raw in (R, RG):
        assert fold(changed(records, raw, **idle)).report.summary.adapter_costs == ()


def test_an_overhead_needs_raw_on_the_same_server() -> None:
    """A run without it says so."""
    alone = experiment(lanes=tuple(lane for lane in LANES if lane.name not in (R, RG)))
    lanes = fold_run(manifest(alone), [row for row in RECORDS if row.lane not in (R, RG)], ()).report.summary.lanes
    no_raw = reason(Code.NO_RAW, server="gthread", adapter=None)
    assert {lane.missing["own_cost_us_per_request"] for lane in lanes} == {no_raw}


def test_a_twin_gives_a_noise_floor_of_more_than_throughput() -> None:
    """Of CPU time per request and of the median latency too, each where its own cell can be trusted on both sides."""
    whole = twinned()
    twin = whole.lanes[-1].name
    rps, cpu_us = {**RPS, twin: 1000.0}, {**CPU_US, twin: 960.0}
    rows = run_records(whole, rps, cpu_us)
    (group,) = fold_run(manifest(whole), rows, ()).report.summary.groups
    found = {floor.metric: floor for floor in group.noise_floors}
    told = [row for row in METRICS.gated() if row.noise_floor]
    assert list(found) == [row.name for row in told]
    assert {"throughput_rps", "cpu_us_per_request", "latency_fixed_p50_ms"} <= found.keys()
    assert found["cpu_us_per_request"].ratio.point == pytest.approx(960 / 950, rel=0.001)
    late = [replace(row, dropped=3) if row.lane == twin and row.phase is Phase.FIXED else row for row in rows]
    (group,) = fold_run(manifest(whole), late, ()).report.summary.groups
    trusted = [row.name for row in told if row.phase is not Phase.FIXED]
    assert [floor.metric for floor in group.noise_floors] == trusted


def test_a_doubtful_latency_takes_no_rank() -> None:
    """Missed sends are of the fixed rate: throughput is ranked all the same, and the Lane is marked."""
    rows = [replace(row, dropped=3) if row.lane == A and row.phase is Phase.FIXED else row for row in RECORDS]
    folded = fold(rows)
    assert [(standing.lane, standing.rank) for standing in folded.standings] == [(A, 1), (B, 2), (G, 3)]
    assert folded.lanes[A].validity.status is Status.FAILING
    assert [cell.validity.status for cell in folded.lanes[A].cells] == [Status.VALID, Status.FAILING]


def test_lanes_that_cannot_be_trusted_are_no_measure_of_drift() -> None:
    """All but B became faster, as the machine might: where the driver held up three of them, B alone tells of A."""
    whole = experiment(preset=replace(experiment().preset, rounds=9))
    rows = [slower(row, 1.1**row.round) if row.lane != B else row for row in run_records(whole)]
    busy_driver = {"server_cpu_ns": 10**6, "driver_cpu_ns": 295_000_000}
    bound = [
        replace(row, **busy_driver) if row.lane in (G, R, RG) and row.phase is Phase.SATURATED else row for row in rows
    ]
    of_all, of_two = (fold_run(manifest(whole), run, ()).report.summary.lanes[0].cells[0] for run in (rows, bound))
    assert of_all.validity.status is Status.VALID
    assert of_two.validity.status is Status.UNSTABLE


def test_a_lane_that_drifts_is_not_ranked() -> None:
    """Unlike all others; more rounds than three are needed to be sure."""
    longer = experiment(preset=replace(WHOLE.preset, rounds=9))
    rows = [slower(row, 0.9**row.round) if row.lane == A else row for row in run_records(longer)]
    report = fold_run(manifest(longer), rows, ()).report
    (unstable,) = (lane for lane in report.summary.lanes if lane.validity.status is not Status.VALID)
    assert (unstable.lane, unstable.validity.status) == (A, Status.UNSTABLE)
    assert A not in [standing.lane for standing in report.summary.groups[0].standings]


def test_intervals_of_ratios_hold_at_once(whole: Folded) -> None:
    """Three pairs in a Group: each interval is wider than the pair's alone would be."""
    rps = {lane: list(round_values(RECORDS).of(lane, "throughput_rps").values()) for lane in (A, B, G)}
    ratios = whole.report.summary.groups[0].ratios
    assert len(ratios) == 3
    for found in ratios:
        alone = ratio_estimate(rps[found.lane], rps[found.other])
        assert found.ratio.point == pytest.approx(alone.point)
        assert found.ratio.low is not None
        assert alone.low is not None
        assert found.ratio.low < alone.low


RARE = st.none() | st.sampled_from([0, 1, 10**6, 10**9, 10**15])
HISTOGRAMS = st.sampled_from([NO_ANSWERS, histogram(0), histogram(*range(1, 3000)), histogram(60_000_000)])


@st.composite
def any_records(draw: st.DrawFn) -> list[SliceRecord]:
    """Draws records of which everything may be odd that a SliceRecord can hold: bad clocks, lost counters, silence."""
    rows = draw(st.lists(st.sampled_from(RECORDS), max_size=24))
    return [
        replace(
            row,
            round=draw(st.integers(0, 4)),
            window_s=draw(st.sampled_from([0.0, 1e-9, 0.25, 100.0])),
            slice_s=draw(st.sampled_from([0.0, 1e-9, 0.3, 100.0])),
            requests=draw(st.sampled_from([0, 1, 250, 10**9])),
            requests_in_slice=draw(st.sampled_from([0, 1, 300, 10**9])),
            dropped=draw(st.sampled_from([0, 0, 5])),
            errors=draw(st.sampled_from([{}, {}, {"timeout": 1}])),
            latency_us=draw(HISTOGRAMS),
            latency_from_intended_us=draw(st.none() | HISTOGRAMS),
            send_lateness_us=draw(st.none() | HISTOGRAMS),
            loop_lag_us=draw(st.none() | HISTOGRAMS),
            steal_s=draw(st.sampled_from([None, 0.0, 0.01, 9.0])),
            clock_step_s=draw(st.sampled_from([0.0, -3600.0, 1e9])),
            discarded=draw(st.sampled_from([None, None, reason(Code.STEAL)])),
            **{counter: draw(RARE) for counter in COUNTERS if counter != "steal_s"},
        )
        for row in rows
    ]


@settings(max_examples=25)
@given(rows=any_records(), failures=st.lists(st.sampled_from([failure(A), failure(R)]), unique=True))
def test_no_record_gives_a_number_that_is_none(rows: list[SliceRecord], failures: list[Failure]) -> None:
    """Whatever was recorded: no NaN, no infinity, and no zero where a figure has to be positive; no traceback."""
    folded = fold(rows, failures)
    text = to_json(folded.report.summary).decode()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert all(math.isfinite(x) for trace in folded.report.traces for x in (*trace.at_s, *trace.throughput_rps))
    for lane in folded.lanes.values():
        assert all(metric.point > 0 for name, metric in lane.metrics.items() if name in POSITIVE)
        assert not set(lane.metrics) & set(lane.missing)
        assert (lane.validity.status is Status.VALID) == (not lane.validity.reasons)
