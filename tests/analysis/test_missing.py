"""Why a metric is absent: what is missing, in words, and nothing where the run had no such slices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.analysis import missing
from bench.model.load import Phase
from bench.model.metrics import METRICS, Source
from bench.model.reason import Code, reason
from bench.model.records import SliceRecord
from bench.report.wording import said
from tests.builders.runs import fixed, histogram, saturated, spread

NOTHING_FOUND: list[str] = []
FROM_SLICES = sorted(metric.name for metric in METRICS.from_sources(Source.SLICES))


def silent(record: SliceRecord, **changes: object) -> SliceRecord:
    return replace(record, requests=0, requests_in_slice=0, latency_us=histogram(), **changes)


def test_a_counter_says_itself_why_it_is_unknown() -> None:
    """The reason is the one that was recorded with the slice; one without a reason says so."""
    why = reason(Code.COUNTER_WENT_BACKWARDS, before=9, after=5)
    unknown = saturated(server_cpu_ns=None, unknown={"server_cpu_ns": why}, server_rss_bytes=None)
    found = missing.reasons([saturated(), unknown], ["throughput_rps", "error_ratio"])
    assert found["cpu_us_per_request"] == said(why)
    assert found["rss_mib"] == "no reason was recorded"


def test_a_counter_that_stood_still_says_so() -> None:
    """CPU time in ticks of 10 ms can be 0 over a short slice."""
    found = missing.reasons([saturated(server_cpu_ns=0, server_rss_bytes=0)], NOTHING_FOUND)
    assert found["cpu_us_per_request"] == found["rss_mib"] == missing.STOOD_STILL


def test_no_right_answer_is_the_reason_for_all_that_needs_one() -> None:
    """Throughput, CPU time per request and latencies; memory does not."""
    found = missing.reasons([silent(saturated())], ["rss_mib", "pss_mib"])
    assert {name for name, said in found.items() if said == missing.SILENT} == {
        "throughput_rps",
        "cpu_us_per_request",
        "error_ratio",
        *(f"latency_saturated_{name}_ms" for name in ("p50", "p90", "p99", "p999")),
    }


def test_too_few_answers_say_how_many_it_takes() -> None:
    """In the run and in each Round, and why so many; so it is one reason for all Lanes."""
    found = missing.reasons([fixed(requests=250, round=index) for index in (0, 1)], NOTHING_FOUND)
    assert found["latency_fixed_p99_ms"] == (
        "too few answers: it takes 500 in the run and 100 in each round for 5 and 1 to be expected beyond 99 %"
    )
    assert found["service_fixed_p999_ms"].endswith("beyond 99.9 %")


def test_a_run_without_such_slices_needs_no_reason() -> None:
    """Nobody expects a latency at a fixed rate of a run that had none; nor anything of no slices, or discarded ones."""
    assert not [name for name in missing.reasons([saturated()], NOTHING_FOUND) if "fixed" in name]
    assert missing.reasons([], NOTHING_FOUND) == {}
    assert missing.reasons([saturated(discarded=reason(Code.STEAL))], NOTHING_FOUND) == {}


def test_slices_of_no_length_say_so() -> None:
    """No rate can be of no time."""
    assert set(missing.reasons([saturated(window_s=0.0)], NOTHING_FOUND).values()) == {missing.CLOCK_STOOD_STILL}


@given(found=st.sets(st.sampled_from(FROM_SLICES)))
def test_what_was_found_is_not_missing(found: set[str]) -> None:
    """And everything else is, once its slices are there."""
    expected = set(FROM_SLICES)
    assert set(missing.reasons([silent(saturated()), fixed(latency_us=spread(9, 100))], found)) == expected - found


@pytest.mark.parametrize("metric", FROM_SLICES)
def test_reasons_are_sentences(metric: str) -> None:
    """Each says something, in one line."""
    found = missing.reasons([silent(saturated()), fixed()], NOTHING_FOUND)[metric]
    assert found
    assert "\n" not in found


def test_a_slice_without_a_right_answer_says_itself_why() -> None:
    """The reason is the one that was recorded with it."""
    why = reason(Code.NO_RIGHT_ANSWER, errors={"timeout": 3})
    found = missing.reasons([silent(saturated(unknown={"requests": why}))], ["rss_mib", "pss_mib"])
    assert set(found.values()) == {said(why)}


def test_slices_that_were_planned_and_not_measured_are_a_reason() -> None:
    """An interrupted run says why it has no latencies; of a Lane without any slice its status says it."""
    found = missing.reasons([saturated()], NOTHING_FOUND, {Phase.SATURATED, Phase.FIXED})
    assert found["latency_fixed_p50_ms"] == missing.NOT_REACHED
    assert found["throughput_rps"] != missing.NOT_REACHED
    assert missing.reasons([], NOTHING_FOUND, {Phase.SATURATED, Phase.FIXED}) == {}


def test_a_mean_over_fewer_rounds_says_which_and_why() -> None:
    """Of those metrics alone that other Rounds have; a Round without slices is none of the Lane's."""
    lost = saturated(
        round=1, server_cpu_ns=None, unknown={"server_cpu_ns": reason(Code.SAID, text="the counter went backwards")}
    )
    records = [saturated(round=0), lost, silent(saturated(), round=2), saturated(round=4)]
    rounds = {"throughput_rps": {0, 1, 4}, "cpu_us_per_request": {0, 4}, "rss_mib": {0, 1, 2, 4}}
    found = missing.in_rounds(records, {**rounds, "pss_mib": rounds["rss_mib"], "error_ratio": {0, 1, 4}})
    assert found == {
        "throughput_rps": f"not in round 3: {missing.SILENT}",
        "error_ratio": f"not in round 3: {missing.SILENT}",
        "cpu_us_per_request": f"not in round 2: the counter went backwards; not in round 3: {missing.SILENT}",
    }
