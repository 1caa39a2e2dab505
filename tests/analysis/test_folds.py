"""The folds over slices: sums before quotients, and nothing where nothing was measured."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.analysis import curves, histograms, tidy_table
from bench.analysis.folds import counts, round_values
from bench.model.load import Closed, Phase
from bench.model.metrics import METRICS, PERCENTILES, Source
from bench.model.records import SliceRecord
from bench.model.schedule import Slice
from bench.model.summary import Curve, Trace
from tests.builders.runs import A, B, experiment, fixed, histogram, record, run_records, saturated, spread

THROUGHPUT, CPU, RSS, ERRORS = "throughput_rps", "cpu_us_per_request", "rss_mib", "error_ratio"
NO_ANSWERS = histogram()


def value(records: Sequence[SliceRecord], metric: str, lane: str = A, index: int = 0) -> float:
    """Returns one metric of one Lane in one Round; NaN where it could not be measured."""
    return round_values(records).of(lane, metric).get(index, math.nan)


def several(record: SliceRecord, rounds: int) -> list[SliceRecord]:
    """Returns the same record in so many Rounds."""
    return [msgspec.structs.replace(record, round=index) for index in range(rounds)]


def curve(*parts: str) -> Curve | None:
    """Returns the curve of a Lane with these latencies, and service times, at the fixed rate, a Round each."""
    rows = [fixed(A, round=index, latency_from_intended_us=part, latency_us=part) for index, part in enumerate(parts)]
    return curves.curve(A, rows)


def warm_up(**changes: object) -> SliceRecord:
    return record(Slice(0, Phase.WARM_UP, (A,), Closed(4), 0.05, 0.25), **changes)


def test_the_tidy_table_has_a_row_a_measured_slice() -> None:
    """Warm-up is left out; columns are the record's own, also where there are no rows."""
    whole = experiment()
    table = tidy_table.tidy(run_records(whole))
    assert len(table) == whole.preset.rounds * len(whole.lanes) * 3
    assert Phase.WARM_UP not in set(table["phase"])
    assert list(table.columns) == list(tidy_table.tidy([]).columns) == list(tidy_table.COLUMNS)
    assert set(tidy_table.COLUMNS) == set(SliceRecord.__struct_fields__)


@pytest.mark.parametrize("changes", [{"window_s": 0.0}, {"slice_s": 0.0}, {"discarded": "steal 0.30 s in 0.30 s"}])
def test_what_does_not_count_is_not_in_the_table(changes: dict[str, Any]) -> None:
    """Discarded slices, and those of no length, are in no metric."""
    assert not counts(saturated(**changes))
    assert len(tidy_table.tidy([saturated(), saturated(**changes)])) == 1


def test_the_tidy_table_counts_errors() -> None:
    """Errors of all kinds are one number."""
    table = tidy_table.tidy([saturated(errors={"timeout": 2, "status 500": 3}), saturated()])
    assert list(table["errors"]) == [5, 0]


def test_each_lane_has_its_own_values_in_each_round() -> None:
    """Lanes are not mixed, nor are Rounds; each Lane has every metric that comes from slices, measured or not."""
    whole = experiment()
    found = round_values(run_records(whole))
    assert found.rounds == (0, 1, 2)
    assert list(found.by_lane) == sorted(lane.name for lane in whole.lanes)
    for of_lane in found.by_lane.values():
        assert list(of_lane) == [metric.name for metric in METRICS.from_sources(Source.SLICES)]
        assert list(of_lane[THROUGHPUT]) == [0, 1, 2]


def test_an_array_has_the_lanes_that_were_there_in_all_rounds() -> None:
    """In order of name; a Lane that lacks a Round is left out, and so is one that is not asked for."""
    records = [saturated(lane, round=index, requests=100 + index) for index in (0, 1) for lane in (B, A)]
    found = round_values([*records, saturated("poor", round=1)])
    assert found.array(THROUGHPUT, [B, A, "poor", "unknown"]).tolist() == [[400.0, 404.0], [400.0, 404.0]]
    assert found.array(THROUGHPUT, []).shape == (0, 2)


few_examples = settings(max_examples=20)

SLICES = st.lists(st.tuples(st.integers(0, 5000), st.floats(0.1, 2.0)), min_size=1, max_size=6)


@few_examples
@given(slices=SLICES)
def test_throughput_is_all_requests_over_all_time(slices: list[tuple[int, float]]) -> None:
    """Slices weigh as much as they last; a Round without one right answer has no throughput."""
    records = [saturated(requests=requests, window_s=window_s) for requests, window_s in slices]
    requests, seconds = sum(count for count, _ in slices), sum(window_s for _, window_s in slices)
    found = value(records, THROUGHPUT)
    assert found == pytest.approx(requests / seconds) if requests else math.isnan(found)


@few_examples
@given(slices=st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 5000)), min_size=1, max_size=6))
def test_cpu_time_is_divided_by_the_requests_of_the_same_time(slices: list[tuple[int, int]]) -> None:
    """The whole slice's CPU time belongs to the whole slice's requests, settle time included."""
    records = [saturated(server_cpu_ns=ns, requests_in_slice=requests) for ns, requests in slices]
    requests = sum(count for _, count in slices)
    found = value(records, CPU)
    assert found == pytest.approx(sum(ns for ns, _ in slices) / 1000 / requests) if requests else math.isnan(found)


def test_cpu_time_needs_all_slices_of_a_round() -> None:
    """A Round with a slice whose counter is unknown has no CPU time; the other Rounds have."""
    records = [saturated(), saturated(server_cpu_ns=None), saturated(round=1)]
    assert math.isnan(value(records, CPU))
    assert value(records, CPU, index=1) == pytest.approx(290_000 / 300)


def test_saturated_metrics_are_of_saturated_slices() -> None:
    """What the fixed slices saw changes neither throughput nor CPU time."""
    disturbing = fixed(requests=9, requests_in_slice=9, server_cpu_ns=9)
    assert value([saturated(), disturbing], THROUGHPUT) == pytest.approx(1000)
    assert value([saturated(), disturbing], CPU) == pytest.approx(290_000 / 300)


def test_memory_is_the_most_that_was_seen() -> None:
    """Unknown memory is left out; where all of it is unknown there is none."""
    records = [saturated(server_rss_bytes=bytes_) for bytes_ in (32 * 2**20, 48 * 2**20, None)]
    assert value(records, RSS) == 48
    assert math.isnan(value([saturated(server_rss_bytes=None)], RSS))


@pytest.mark.parametrize(
    ("metric", "records"),
    [(CPU, [saturated(server_cpu_ns=0)]), (RSS, [saturated(server_rss_bytes=0)])],
    ids=["cpu", "rss"],
)
def test_a_counter_that_did_not_move_measured_nothing(metric: str, records: list[SliceRecord]) -> None:
    """CPU time in ticks of 10 ms can be 0 over a short slice, and so can the memory of an ended process."""
    assert math.isnan(value(records, metric))


@few_examples
@given(counts=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=5))
def test_the_error_ratio_is_of_all_answers(counts: list[tuple[int, int]]) -> None:
    """Wrong ones divided by all, over whole measured slices; without any answer there is no ratio."""
    records = [
        saturated(requests_in_slice=right, errors={"timeout": wrong} if wrong else {}) for right, wrong in counts
    ]
    right, wrong = (sum(column) for column in zip(*counts, strict=True))
    found = value(records, ERRORS)
    assert found == pytest.approx(wrong / (right + wrong)) if right + wrong else math.isnan(found)


def test_latencies_are_of_all_answers_of_a_round() -> None:
    """A Round's percentile is that of its merged slices, not a mean of percentiles."""
    parts = [histogram(*range(1000, 1100)), histogram(*range(9000, 9020))]
    records = [saturated(latency_us=part) for part in parts]
    for name, expected_ms in (("p50", 1.059), ("p90", 9.007)):  # the 60th and the 108th of 120 answers
        assert value(records, f"latency_saturated_{name}_ms") == pytest.approx(expected_ms, rel=0.001)


def test_latency_at_a_fixed_rate_counts_from_the_intended_start() -> None:
    """Both are kept apart: from the intended start, and from sending."""
    records = [fixed(latency_from_intended_us=spread(100, 8000), latency_us=spread(100, 1000))]
    assert value(records, "latency_fixed_p50_ms") == pytest.approx(8, rel=0.03)
    assert value(records, "service_fixed_p50_ms") == pytest.approx(1, rel=0.03)
    assert math.isnan(value(records, "latency_saturated_p50_ms"))


def test_a_fixed_slice_may_lack_its_histogram() -> None:
    """A record's latency from the intended start may be None by its type; the other slices still count."""
    records = [fixed(latency_from_intended_us=None), fixed()]
    assert value(records, "latency_fixed_p50_ms") == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize(
    ("answers", "rounds", "given_"),
    [
        (9, 1, []),
        (10, 1, ["p50"]),
        (50, 1, ["p50", "p90"]),
        (499, 1, ["p50", "p90"]),
        (500, 1, ["p50", "p90", "p99"]),
        (100, 5, ["p50", "p90", "p99"]),
        (99, 6, ["p50", "p90"]),
        (1000, 5, ["p50", "p90", "p99", "p999"]),
    ],
)
def test_a_percentile_needs_answers_beyond_it(answers: int, rounds: int, given_: list[str]) -> None:
    """A percentile is given where five answers of the run, and one of each Round, are beyond it."""
    records = several(saturated(latency_us=spread(answers, 1000)), rounds)
    found = [name for name in PERCENTILES if not math.isnan(value(records, f"latency_saturated_{name}_ms"))]
    assert found == given_


def test_a_poor_round_takes_a_percentile_from_all() -> None:
    """Leaving out only the rounds with few answers would average over the fast ones."""
    records = [saturated(round=index, latency_us=spread(count, 1000)) for index, count in enumerate([5000, 5000, 90])]
    found = round_values(records)
    assert found.of(A, "latency_saturated_p99_ms") == {}
    assert list(found.of(A, "latency_saturated_p90_ms")) == [0, 1, 2]


def test_another_lanes_answers_do_not_help() -> None:
    """Each Lane needs answers of its own."""
    records = [saturated(A, latency_us=spread(8, 1000)), saturated(B, latency_us=spread(6000, 1000))]
    assert math.isnan(value(records, "latency_saturated_p50_ms", A))
    assert value(records, "latency_saturated_p999_ms", B) == pytest.approx(1.5, rel=0.01)


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([], id="no record"),
        pytest.param([warm_up()], id="only warm-up"),
        pytest.param([saturated()], id="no fixed slice"),
        pytest.param([fixed()], id="no saturated slice"),
        pytest.param(
            [saturated(requests=0, requests_in_slice=0, latency_us=NO_ANSWERS, server_cpu_ns=None)], id="no answer"
        ),
        pytest.param([saturated(A), fixed(B)], id="half a round"),
    ],
)
def test_whatever_was_not_measured_has_no_value(records: list[SliceRecord]) -> None:
    """Each Lane with a slice that counts is there, and no value is infinite or none."""
    found = round_values(records)
    assert found.by_lane.keys() == {row.lane for row in records if row.phase is not Phase.WARM_UP}
    values = [value for of_lane in found.by_lane.values() for rounds in of_lane.values() for value in rounds.values()]
    assert all(map(math.isfinite, values))


@pytest.mark.parametrize("count", [16, 17, 60, 99, 100, 101, 999, 10_000])
def test_a_curve_ends_where_answers_become_few(count: int) -> None:
    """It begins at 0 and rises, and ends where as few answers are beyond as a metric needs."""
    found = curve(spread(count, 1000))
    assert found is not None
    assert found.lane == A
    assert found.percentiles[0] == 0
    assert all(a < b for a, b in pairwise(found.percentiles))
    assert all(a <= b for a, b in pairwise(found.latencies_ms))
    assert len(found.percentiles) == len(found.latencies_ms)
    assert count * (1 - found.percentiles[-1] / 100) == pytest.approx(histograms.MIN_BEYOND, abs=1e-6)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 15])
def test_too_few_answers_have_no_curve(count: int) -> None:
    """Where enough answers are beyond no percentile worth drawing, or nobody answered, nothing is drawn."""
    assert curve(spread(count, 1000)) is None
    assert curve() is None


def test_a_curve_is_of_all_its_histograms() -> None:
    """All Rounds are merged."""
    parts = [spread(300, 1000), spread(300, 3000)]
    assert curve(*parts) == curve(bytes(histograms.merged(parts).encode()).decode())


def test_a_curve_is_of_its_lane_at_the_fixed_rate() -> None:
    """Other Lanes, saturated slices and slices without a histogram add nothing."""
    others = [
        fixed(B, latency_from_intended_us=spread(300, 9000)),
        saturated(A, latency_us=spread(300, 9000), latency_from_intended_us=spread(300, 9000)),
        fixed(A, latency_us=NO_ANSWERS, latency_from_intended_us=None),
    ]
    own = fixed(A, latency_us=spread(300, 1000), latency_from_intended_us=spread(300, 1000))
    assert curves.curve(A, [own, *others]) == curve(spread(300, 1000))
    assert curves.curve(A, others) is None


def test_a_curve_has_the_time_from_the_intended_start_and_the_service_time() -> None:
    """Each from its own histograms, at the same percentiles."""
    row = fixed(A, latency_from_intended_us=spread(300, 9000), latency_us=spread(300, 1000))
    found, slow, fast = curves.curve(A, [row]), curve(spread(300, 9000)), curve(spread(300, 1000))
    assert found
    assert slow
    assert fast
    assert found.latencies_ms == slow.latencies_ms
    assert found.services_ms == fast.services_ms


def test_a_trace_has_a_point_a_saturated_slice() -> None:
    """Throughput of each of a Lane's own saturated slices, when it began; in plain numbers."""
    records = [saturated(A, at_s=1.5, requests=100), saturated(B, at_s=2.0), saturated(A, at_s=3.0, requests=50)]
    found = curves.trace(A, [*records, fixed(A, at_s=4.0)])
    assert found == Trace(lane=A, at_s=(1.5, 3.0), throughput_rps=(400.0, 200.0))
    assert curves.trace(A, []) == Trace(lane=A, at_s=(), throughput_rps=())
