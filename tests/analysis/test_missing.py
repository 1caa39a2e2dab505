"""What is missing: why a metric is absent, and what a run lacks that came to no end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.analysis import missing
from bench.analysis.missing import lacking
from bench.analysis.summary import fold
from bench.model.load import Phase
from bench.model.metrics import INSTRUCTIONS, METRICS, Source
from bench.model.reason import Code, reason
from bench.model.records import SliceRecord, Stage
from tests.builders.runs import (
    CPU_US,
    RPS,
    A,
    B,
    experiment,
    failure,
    fixed,
    histogram,
    manifest,
    run_observations,
    run_records,
    saturated,
    spread,
    twinned,
)

NOTHING_FOUND: list[str] = []
SILENT = reason(Code.SILENT)
NEEDS_NO_ANSWER = [metric.name for metric in METRICS.from_sources(Source.SLICES) if not metric.needs_answers]
FROM_SLICES = sorted(metric.name for metric in METRICS.from_sources(Source.SLICES))
WHOLE = experiment(preset=replace(experiment().preset, cold_starts=2, instructions=True))
RECORDS, OBSERVED = run_records(WHOLE), run_observations(WHOLE)


def silent(record: SliceRecord, **changes: object) -> SliceRecord:
    return replace(record, requests=0, requests_in_slice=0, latency_us=histogram(), **changes)


def test_a_counter_says_itself_why_it_is_unknown() -> None:
    """The reason is the one that was recorded with the slice; one without a reason says so."""
    why = reason(Code.COUNTER_WENT_BACKWARDS, before=9, after=5)
    unknown = saturated(server_cpu_ns=None, unknown={"server_cpu_ns": why}, server_rss_bytes=None)
    found = missing.reasons([saturated(), unknown], ["throughput_rps", "error_ratio"])
    assert found["cpu_us_per_request"] == why
    assert found["rss_mib"] == reason(Code.NO_REASON)


def test_a_counter_that_stood_still_says_so() -> None:
    """CPU time in ticks of 10 ms can be 0 over a short slice."""
    found = missing.reasons([saturated(server_cpu_ns=0, server_rss_bytes=0)], NOTHING_FOUND)
    assert found["cpu_us_per_request"] == found["rss_mib"] == reason(Code.COUNTER_STOOD_STILL)


def test_no_right_answer_is_the_reason_for_all_that_needs_one() -> None:
    """Throughput, CPU time per request and latencies; memory does not."""
    found = missing.reasons([silent(saturated())], NEEDS_NO_ANSWER)
    in_phase = {row.name for row in METRICS.from_sources(Source.SLICES) if row.phase in (None, Phase.SATURATED)}
    assert {name for name, why in found.items() if why == SILENT} == in_phase - {*NEEDS_NO_ANSWER}
    assert {"throughput_rps", "cpu_us_per_request", "error_ratio"} <= found.keys()


def test_too_few_answers_say_how_many_it_takes() -> None:
    """In the run and in each Round; so it is one reason for all Lanes."""
    found = missing.reasons([fixed(requests=250, round=index) for index in (0, 1)], NOTHING_FOUND)
    assert found["latency_fixed_p99_ms"] == reason(Code.TOO_FEW_ANSWERS, percentile=99.0, in_run=500, in_round=100)
    assert found["service_fixed_p999_ms"] == reason(Code.TOO_FEW_ANSWERS, percentile=99.9, in_run=5000, in_round=1000)


def test_a_run_without_such_slices_needs_no_reason() -> None:
    """Nobody expects a latency at a fixed rate of a run that had none; nor anything of no slices, or discarded ones."""
    assert not [name for name in missing.reasons([saturated()], NOTHING_FOUND) if "fixed" in name]
    assert missing.reasons([], NOTHING_FOUND) == {}
    assert missing.reasons([saturated(discarded=reason(Code.STEAL))], NOTHING_FOUND) == {}


def test_slices_of_no_length_say_so() -> None:
    """No rate can be of no time."""
    found = missing.reasons([saturated(window_s=0.0)], NOTHING_FOUND)
    assert set(found.values()) == {reason(Code.CLOCK_STOOD_STILL)}


@given(found=st.sets(st.sampled_from(FROM_SLICES)))
def test_what_was_found_is_not_missing(found: set[str]) -> None:
    """And everything else is, once its slices are there."""
    expected = set(FROM_SLICES)
    assert set(missing.reasons([silent(saturated()), fixed(latency_us=spread(9, 100))], found)) == expected - found


def test_a_slice_without_a_right_answer_says_itself_why() -> None:
    """The reason is the one that was recorded with it."""
    why = reason(Code.NO_RIGHT_ANSWER, errors={"timeout": 3})
    found = missing.reasons([silent(saturated(unknown={"requests": why}))], NEEDS_NO_ANSWER)
    assert set(found.values()) == {why}


def test_slices_that_were_planned_and_not_measured_are_a_reason() -> None:
    """An interrupted run says why it has no latencies; of a Lane without any slice its status says it."""
    found = missing.reasons([saturated()], NOTHING_FOUND, {Phase.SATURATED, Phase.FIXED})
    assert found["latency_fixed_p50_ms"] == reason(Code.NOT_REACHED)
    assert found["throughput_rps"] != reason(Code.NOT_REACHED)
    assert missing.reasons([], NOTHING_FOUND, {Phase.SATURATED, Phase.FIXED}) == {}


def test_a_mean_over_fewer_rounds_says_which_and_why() -> None:
    """Of those metrics alone that other Rounds have; a Round without slices is none of the Lane's."""
    backwards = reason(Code.COUNTER_WENT_BACKWARDS, before=9, after=5)
    lost = saturated(round=1, server_cpu_ns=None, unknown={"server_cpu_ns": backwards})
    records = [saturated(round=0), lost, silent(saturated(), round=2), saturated(round=4)]
    rounds = {"throughput_rps": {0, 1, 4}, "cpu_us_per_request": {0, 4}, "rss_mib": {0, 1, 2, 4}}
    found = missing.in_rounds(records, {**rounds, "pss_mib": rounds["rss_mib"], "error_ratio": {0, 1, 4}})
    silent_round = reason(Code.NOT_IN_ROUNDS, SILENT, rounds=(2,))
    assert found == {
        "throughput_rps": (silent_round,),
        "error_ratio": (silent_round,),
        "cpu_us_per_request": (reason(Code.NOT_IN_ROUNDS, backwards, rounds=(1,)), silent_round),
    }


# ---------------------------------------------------------------- what a run lacks


def test_a_run_that_came_to_its_end_lacks_nothing() -> None:
    """All slices, the whole footprint, all counts."""
    assert lacking(WHOLE, RECORDS, (), OBSERVED) == ()
    assert fold(manifest(WHOLE), RECORDS, (), OBSERVED).report.summary.complete


@given(count=st.integers(0, len(OBSERVED) - 1))
def test_a_run_that_was_interrupted_after_its_rounds_is_incomplete(count: int) -> None:
    """During the footprint or while instructions are counted."""
    parts = lacking(WHOLE, RECORDS, (), OBSERVED[:count])
    assert parts[-1].code is Code.COUNTS_LACKING
    assert {part.code for part in parts} <= {Code.FOOTPRINT_LACKING, Code.COUNTS_LACKING}


def test_what_the_rounds_of_an_incomplete_run_found_stands() -> None:
    """Only what it lacks is missing."""
    summary = fold(manifest(WHOLE), RECORDS, (), ()).report.summary
    assert not summary.complete
    assert summary.lacking == lacking(WHOLE, RECORDS, (), ())
    measured = [lane.lane for lane in summary.lanes if "throughput_rps" in lane.metrics]
    assert measured == [lane.name for lane in WHOLE.lanes]
    assert summary.groups[0].standings


def test_what_is_missing_is_named() -> None:
    """In the order in which it is measured."""
    short = [each for each in OBSERVED if each.metric not in ("import_ms", INSTRUCTIONS)]
    assert lacking(WHOLE, RECORDS[:-3], (), short) == (
        reason(Code.SLICES_LACKING, missing=3, planned=45),
        reason(Code.FOOTPRINT_LACKING, metrics=("import_ms",)),
        reason(Code.COUNTS_LACKING, missing=5, lanes=5),
    )


def test_instructions_of_a_twin_are_not_counted_and_not_missing() -> None:
    """They are those of the Lane that it is."""
    whole = replace(twinned(), preset=WHOLE.preset)
    counts = [each for each in OBSERVED if each.metric == INSTRUCTIONS]
    twin = whole.lanes[-1].name
    records = run_records(whole, RPS | {twin: RPS[A]}, CPU_US | {twin: CPU_US[A]})
    assert not lacking(whole, records, (), OBSERVED)
    (short,) = lacking(whole, records, (), [each for each in OBSERVED if each not in counts[:1]])
    assert short == reason(Code.COUNTS_LACKING, missing=1, lanes=5)


@pytest.mark.parametrize("kept", [0, 1])
def test_one_start_fewer_is_enough(kept: int) -> None:
    """Of one Lane."""
    others = [each for each in OBSERVED if (each.lane, each.metric) != (A, "first_response_ms")]
    own = [each for each in OBSERVED if (each.lane, each.metric) == (A, "first_response_ms")]
    short = reason(Code.FOOTPRINT_LACKING, metrics=("first_response_ms",))
    assert lacking(WHOLE, RECORDS, (), [*others, *own[:kept]]) == (short,)


def test_what_could_not_be_measured_is_not_missing() -> None:
    """It was given up, with its reason; further starts of it are not made."""
    others = [each for each in OBSERVED if (each.lane, each.metric) != (A, "import_ms")]
    given_up = replace(OBSERVED[0], lane=A, metric="import_ms", value=None, reason=reason(Code.NO_REASON))
    assert lacking(WHOLE, RECORDS, (), [*others, given_up]) == ()


def test_a_lane_that_failed_lacks_no_slices() -> None:
    """One without an environment has no footprint either."""
    left = [row for row in RECORDS if row.lane != B]
    elsewhere = [each for each in OBSERVED if each.lane != B]
    assert lacking(WHOLE, left, [failure(B)], OBSERVED) == ()
    assert lacking(WHOLE, left, [failure(B)], elsewhere) != ()
    assert lacking(WHOLE, left, [failure(B, stage=Stage.ENVIRONMENT)], elsewhere) == ()
    all_failed = [failure(lane.name) for lane in WHOLE.lanes]
    assert lacking(WHOLE, RECORDS, all_failed, OBSERVED) == (reason(Code.NO_LANE_LEFT),)


def test_a_preset_without_starts_and_counts_lacks_none() -> None:
    """What lies there without a start is still looked at."""
    bare = experiment()
    at_rest = run_observations(bare)
    assert lacking(bare, RECORDS, (), at_rest) == ()
    (short,) = lacking(bare, RECORDS, (), at_rest[:1])
    assert short == reason(Code.FOOTPRINT_LACKING, metrics=("code_lines", "packages", "installed_mib"))
