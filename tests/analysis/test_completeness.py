"""What an interrupted run lacks, wherever it was interrupted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.analysis.completeness import lacking
from bench.analysis.summary import fold
from bench.model.metrics import INSTRUCTIONS
from bench.model.records import Stage
from tests.builders.runs import A, B, experiment, failure, manifest, run_observations, run_records

WHOLE = experiment(preset=replace(experiment().preset, cold_starts=2, instructions=True))
RECORDS, OBSERVED = run_records(WHOLE), run_observations(WHOLE)


def test_a_run_that_came_to_its_end_lacks_nothing() -> None:
    """All slices, the whole footprint, all counts."""
    assert lacking(WHOLE, RECORDS, (), OBSERVED) == ()
    assert fold(manifest(WHOLE), RECORDS, (), OBSERVED).report.summary.complete


@given(count=st.integers(0, len(OBSERVED) - 1))
def test_a_run_that_was_interrupted_after_its_rounds_is_incomplete(count: int) -> None:
    """During the footprint or while instructions are counted."""
    parts = lacking(WHOLE, RECORDS, (), OBSERVED[:count])
    assert parts[-1].startswith("instructions per request of ")
    assert not any("slices" in part for part in parts)


def test_what_the_rounds_of_an_incomplete_run_found_stands() -> None:
    """Only what it lacks is missing."""
    summary = fold(manifest(WHOLE), RECORDS, (), ()).report.summary
    assert not summary.complete
    assert summary.lacking == lacking(WHOLE, RECORDS, (), ())
    assert all("throughput_rps" in lane.metrics for lane in summary.lanes)
    assert summary.groups[0].standings


def test_what_is_missing_is_named() -> None:
    """In the order in which it is measured."""
    short = [each for each in OBSERVED if each.metric not in ("import_ms", INSTRUCTIONS)]
    assert lacking(WHOLE, RECORDS[:-3], (), short) == (
        "3 of 45 slices",
        "the footprint (import_ms)",
        "instructions per request of 5 of 5 lanes",
    )


@pytest.mark.parametrize("kept", [0, 1])
def test_one_start_fewer_is_enough(kept: int) -> None:
    """Of one Lane."""
    others = [each for each in OBSERVED if (each.lane, each.metric) != (A, "first_response_ms")]
    own = [each for each in OBSERVED if (each.lane, each.metric) == (A, "first_response_ms")]
    assert lacking(WHOLE, RECORDS, (), [*others, *own[:kept]]) == ("the footprint (first_response_ms)",)


def test_what_could_not_be_measured_is_not_missing() -> None:
    """It was given up, with its reason; further starts of it are not made."""
    others = [each for each in OBSERVED if (each.lane, each.metric) != (A, "import_ms")]
    given_up = replace(OBSERVED[0], lane=A, metric="import_ms", value=None, reason="it has no module")
    assert lacking(WHOLE, RECORDS, (), [*others, given_up]) == ()


def test_a_lane_that_failed_lacks_no_slices() -> None:
    """One without an environment has no footprint either."""
    left = [row for row in RECORDS if row.lane != B]
    elsewhere = [each for each in OBSERVED if each.lane != B]
    assert lacking(WHOLE, left, [failure(B)], OBSERVED) == ()
    assert lacking(WHOLE, left, [failure(B)], elsewhere) != ()
    assert lacking(WHOLE, left, [failure(B, stage=Stage.ENVIRONMENT)], elsewhere) == ()
    assert lacking(WHOLE, RECORDS, [failure(lane.name) for lane in WHOLE.lanes], OBSERVED) == (
        "a lane that did not fail",
    )


def test_a_preset_without_starts_and_counts_lacks_none() -> None:
    """What lies there without a start is still looked at."""
    bare = experiment()
    at_rest = run_observations(bare)
    assert lacking(bare, RECORDS, (), at_rest) == ()
    assert lacking(bare, RECORDS, (), at_rest[:1]) == ("the footprint (code_lines, packages, installed_mib)",)
