"""The short A/A: what it is made of, and what is made of it."""

import numpy as np
import pytest
from msgspec.structs import replace

from bench.doctor import aa_test
from bench.doctor.aa_test import AaTest, short_experiment
from bench.model import schedule
from bench.model.estimate import Status
from bench.model.experiment import Experiment, only
from bench.model.load import Phase
from bench.model.reason import Code, Unknown, reason
from bench.model.records import Failure, SliceRecord, Stage
from tests.builders.runs import A, B, R, experiment, histogram, manifest, record, twinned

TWIN = f"{A}#2"


def records(short: Experiment, spread: float = 0.02) -> list[SliceRecord]:
    """Returns an A/A's records, whose slices differ by chance alone."""
    rng = np.random.default_rng(1)
    return [
        record(planned, round=index, requests=round(250 * np.exp(rng.normal(0, spread))))
        for index in range(short.preset.rounds)
        for planned in schedule.measured_slices(short, index, 200.0, first_index=0)
    ]


def judged(short: Experiment, rows: list[SliceRecord], *failures: Failure) -> AaTest | Unknown:
    return aa_test.judge(twinned(), manifest(short), rows, failures)


def test_it_is_the_lane_that_has_a_twin() -> None:
    """The configured twin and its Lane, in one Group, with the run's own saturated slices."""
    short = short_experiment(twinned())
    assert [lane.name for lane in short.lanes] == [A, TWIN]
    assert [group.lanes for group in short.groups] == [(A, TWIN)]
    assert short.preset.saturated_slices == experiment().preset.saturated_slices
    assert short.preset.cold_starts == 0
    assert not short.preset.instructions


@pytest.mark.parametrize(("chosen", "lane"), [((A, B), A), ((B, R), B), ((R,), R), ((TWIN,), A)])
def test_any_lane_can_be_its_own_twin(chosen: tuple[str, ...], lane: str) -> None:
    """Without a configured twin it is the first contender, or else raw."""
    short = short_experiment(only(twinned() if TWIN in chosen else experiment(), chosen))
    assert [lane.name for lane in short.lanes] == [lane, f"{lane}#2"]


@pytest.mark.parametrize(("window_s", "most_s"), [(0.05, 21.0), (0.3, 21.0), (2.0, 60.0)])
def test_it_takes_about_twenty_seconds(window_s: float, most_s: float) -> None:
    """As many rounds as fit, but never fewer than 3, without which there is no interval."""
    short = short_experiment(experiment(preset=replace(experiment().preset, window_s=window_s)))
    assert short.preset.rounds >= 3
    assert schedule.outline(short).expected_s - schedule.REPORT_S <= most_s


def test_its_spread_becomes_what_can_be_told_apart() -> None:
    """Two equal Lanes: a ratio near 1, and a difference that is what the spread allows, within its interval."""
    short = short_experiment(twinned())
    found = judged(short, records(short))
    assert isinstance(found, AaTest)
    assert found.rounds == short.preset.rounds
    assert found.ratio.point == pytest.approx(1, abs=0.05)
    difference = found.difference
    assert found.resolution is not None
    assert difference is not None
    assert difference.low is not None
    assert difference.high is not None
    assert difference.low < found.resolution.difference == difference.point < difference.high
    assert found.resolution.rounds == experiment().preset.rounds
    assert [other.difference for other in found.others] == [0.01, 0.03, 0.05]
    needed = [other.rounds for other in found.others]
    assert needed == sorted(needed, key=lambda count: -(count or 0))


def test_a_noisier_machine_tells_less_apart() -> None:
    """Four times the noise, four times the difference or so."""
    short = short_experiment(twinned())
    quiet, noisy = (judged(short, records(short, spread)) for spread in (0.01, 0.04))
    assert isinstance(quiet, AaTest)
    assert isinstance(noisy, AaTest)
    assert quiet.difference is not None
    assert noisy.difference is not None
    assert noisy.difference.point > 3 * quiet.difference.point


def test_a_lane_that_failed_is_the_reason() -> None:
    """An A/A of one Lane alone is none: the other's failure is said."""
    short = short_experiment(twinned())
    failed = Failure(lane=TWIN, round=0, stage=Stage.START, reason="no answer in 30 s", log_tail="")
    alone = [row for row in records(short) if row.lane == A]
    cause = reason(Code.LANE_FAILED, round=0, stage=Stage.START, text="no answer in 30 s").found_of(TWIN)
    assert judged(short, alone, failed) == Unknown(reason(Code.AA_SHORT, cause, rounds=0, expected=3))


def test_wrong_answers_are_told() -> None:
    """A Lane that is not valid makes the A/A's validity."""
    short = short_experiment(twinned())
    rows = records(short)
    found = judged(short, [replace(rows[0], errors={"status 500": 3}), *rows[1:]])
    assert isinstance(found, AaTest)
    assert found.validity.status == "failing"


def test_an_a_a_that_is_not_valid_tells_nothing() -> None:
    """No difference is told apart where the driver was the limit: the reason says so, what was measured stands."""
    short = short_experiment(twinned())
    bound = {"server_cpu_ns": 90_000_000, "driver_cpu_ns": 295_000_000}
    rows = [replace(row, **bound) if row.phase is Phase.SATURATED else row for row in records(short)]
    found = judged(short, rows)
    assert isinstance(found, AaTest)
    assert (found.difference, found.resolution, found.others) == (None, None, ())
    assert found.ratio.point == pytest.approx(1, abs=0.05)
    assert found.reason is not None
    assert (found.reason.code, found.reason.values) == (Code.AA_NOT_VALID, {"status": Status.DRIVER_BOUND})
    (cause,) = found.reason.because
    assert cause.code is Code.DRIVER_FULL
    assert cause.values == pytest.approx({"server_share": 0.3, "driver_share": 0.98}, abs=0.01)


def test_a_late_driver_at_the_fixed_rate_says_nothing_of_throughput() -> None:
    """It is found against the A/A, whose resolution is one of saturated throughputs."""
    short = short_experiment(twinned())
    late = {"send_lateness_us": histogram(*[900] * 250), "loop_lag_us": histogram(*[900] * 250)}
    found = judged(short, [replace(row, **late) if row.phase is Phase.FIXED else row for row in records(short)])
    assert isinstance(found, AaTest)
    assert found.validity.status == "driver-bound"
    assert found.resolution is not None
    assert found.reason is None


def test_the_worse_of_the_two_lanes_speaks_for_both() -> None:
    """Whichever comes first: wrong answers of the twin are worse than a driver that held up the Lane."""
    short = short_experiment(twinned())
    idle = {"server_cpu_ns": 90_000_000, "driver_cpu_ns": 295_000_000}
    rows = [
        replace(row, errors={"status 500": 3}) if row.lane == TWIN else replace(row, **idle) for row in records(short)
    ]
    found = judged(short, rows)
    assert isinstance(found, AaTest)
    assert found.validity.status == "failing"


def test_a_lane_that_was_silent_says_why() -> None:
    """A round without an answer is no round; its record knows the reason, and trying again would not help."""
    short = short_experiment(twinned())
    why = reason(Code.NO_RIGHT_ANSWER, errors={"timeout": 4})
    silent = {"requests": 0, "latency_us": histogram(), "unknown": {"requests": why}}
    rows = [replace(row, **silent) if row.lane == TWIN and row.round == 1 else row for row in records(short)]
    found = judged(replace(short, preset=replace(short.preset, rounds=3)), [row for row in rows if row.round < 3])
    assert found == Unknown(reason(Code.AA_SHORT, why.found_of(TWIN), rounds=2, expected=3))
