"""Trends: which runs are in one, in which order, and between which commits a step lies."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.model.history import HistoryRecord, NoHistory, Reading, Trend
from bench.model.metrics import MEDIAN_LATENCY, METRICS
from bench.regression import trends
from tests.builders.histories import told
from tests.builders.runs import IDENTITY, A, B, history_record, history_records

STEP = [1.5] * 12 + [1.6] * 8
OTHER = replace(IDENTITY, python="3.13.1")


def only(records: Sequence[HistoryRecord]) -> Trend:
    (trend,) = told(records)[0].trends
    return trend


def test_a_step_lies_between_two_commits() -> None:
    """The runs on both sides of it, their commits as git takes a range, and its size."""
    trend = only(history_records(*STEP))
    (step,) = trend.steps
    assert (step.before, step.after) == step.between == ("run-0011", "run-0012")
    assert step.commits == "0000011..0000012"
    assert step.ratio.point == pytest.approx(1.6 / 1.5)
    assert (trend.runs, trend.latest_run, trend.latest.point) == (20, "run-0019", 1.6)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("0123456789ab", "ba9876543210", ("0123456..ba98765", False)),
        ("0123456789ab", "ba9876543210+", ("0123456..ba98765", True)),
        ("0123456789ab+", "ba9876543210", ("0123456..ba98765", True)),
        ("0123456789ab", "0123456789ab", ("0123456", False)),
        ("0123456789ab", "0123456789ab+", ("0123456", True)),
        ("0123456789ab+", "0123456789ab+", ("0123456", True)),
        (None, "0123456789ab", (None, False)),
        ("0123456789ab+", None, (None, True)),
    ],
)
def test_commits_are_named_as_git_takes_them(
    before: str | None, after: str | None, expected: tuple[str | None, bool]
) -> None:
    """A range, one commit where it is the same, None where one is not known; what was not committed is said beside."""
    records = [
        replace(record, project_revision=before if index < 12 else after)
        for index, record in enumerate(history_records(*STEP))
    ]
    (step,) = only(records).steps
    assert (step.commits, step.uncommitted) == expected


@given(order=st.permutations(range(20)))
def test_runs_stand_in_the_order_of_their_times(order: list[int]) -> None:
    """Wherever their lines are: an old run may have been added late."""
    records = history_records(*STEP)
    assert told([records[index] for index in order])[0] == told(records)[0]


def test_only_runs_of_the_latest_machine_are_in_the_trend() -> None:
    """Those of others are counted, and make no step."""
    records = history_records(*STEP)
    mixed = [replace(record, machine=OTHER) for record in records[:12]] + records[12:]
    found, _ = told(mixed)
    assert (found.runs, found.other_machines, found.other_conditions, found.machine) == (8, 12, 0, IDENTITY)
    assert [trend.steps for trend in found.trends] == [()]
    assert (found.first_utc, found.latest_utc) == (records[12].started_utc, records[-1].started_utc)


@pytest.mark.parametrize("changes", [{"preset": "quick"}, {"conditions": "ba9876543210"}])
def test_only_runs_that_were_asked_the_same_are_in_the_trend(changes: dict[str, str]) -> None:
    """Those of another preset or other settings are counted beside those of other machines, and make no step."""
    records = history_records(*STEP)
    mixed = [replace(record, **changes) for record in records[:12]] + records[12:]
    mixed[0] = replace(mixed[0], machine=OTHER)
    found, _ = told(mixed)
    assert (found.runs, found.other_machines, found.other_conditions) == (8, 1, 11)
    assert [trend.steps for trend in found.trends] == [()]


def test_latencies_are_of_one_rate() -> None:
    """Those at another rate than the latest run's are left out and counted; other metrics keep all of their runs."""
    both = {name: Reading(2.0, None, None) for name in ("cpu_us_per_request", MEDIAN_LATENCY)}
    rates = [500.0, 600.0, None, 500.0, 600.0, 500.0]
    records = [
        replace(record, fixed_rate_rps=rate, lanes={A: both})
        for record, rate in zip(history_records(*[2.0] * 6), rates, strict=True)
    ]
    found, _ = told(records)
    assert {trend.metric: trend.runs for trend in found.trends} == {"cpu_us_per_request": 6, MEDIAN_LATENCY: 3}
    assert (found.runs, found.other_rates, found.fixed_rate_rps) == (6, 2, 500)


def test_an_empty_history_is_said_to_be_empty() -> None:
    """NoHistory says what adds to it."""
    with pytest.raises(NoHistory, match=r"`bench run`"):
        trends.like_latest([])


def test_a_lane_that_is_missing_in_some_runs_keeps_its_places() -> None:
    """Steps and the latest run are those of the runs that have it."""
    records = history_records(*STEP)
    gaps = [replace(record, lanes={}) if index in (3, 11, 19) else record for index, record in enumerate(records)]
    trend = only(gaps)
    assert (trend.runs, trend.latest_run) == (17, "run-0018")
    assert (trend.steps[0].before, trend.steps[0].after) == ("run-0010", "run-0012")


def test_trends_have_a_fixed_order() -> None:
    """Lanes by name, and of each the metrics as they are gated, the most precise first."""
    gated = [row.name for row in METRICS.gated()]
    metrics = {name: Reading(2.0, None, None) for name in reversed(gated)}
    found, _ = told([history_record(lanes={B: metrics, A: metrics})])
    assert [trend.lane for trend in found.trends] == [A] * len(gated) + [B] * len(gated)
    assert [trend.metric for trend in found.trends] == gated * 2


@given(n=st.integers(1, 60), most=st.integers(1, 30))
def test_a_line_has_as_many_points_as_are_wanted(n: int, most: int) -> None:
    """At most so many, over all of the runs, each the median of its runs."""
    (one,) = trends.series(history_records(*([2.0] * n)))
    drawn = trends.line(one, most)
    assert len(drawn.xs) == min(n, most)
    assert np.all(np.diff(drawn.xs) > 0)
    assert drawn.readings[:, 0] == pytest.approx(2.0)
    (level,) = drawn.levels
    assert level == pytest.approx((0, n - 1, 2.0))


def test_a_line_has_a_level_on_both_sides_of_a_step() -> None:
    """Each from its first run to its last."""
    (one,) = trends.series(history_records(*STEP))
    before, after = trends.line(one, 300).levels
    assert before == pytest.approx((0, 11, 1.5))
    assert after == pytest.approx((12, 19, 1.6))
