"""How far a Lane's numbers can be trusted, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert, to_builtins
from msgspec.structs import replace

from bench.analysis import validity
from bench.model.estimate import Status, Validity
from bench.model.load import Phase
from bench.model.reason import Code, reason
from bench.model.records import SliceRecord, Stage
from bench.model.summary import Cell
from tests.builders.cells import at_shares, cells_of, judged
from tests.builders.runs import failure, fixed, histogram, saturated

SHARES = st.floats(0.0, 1.2)


def test_a_server_that_was_the_limit_is_valid() -> None:
    """The server was busy, no answer was wrong: nothing to be said."""
    assert judged(at_shares(0.97, 0.5)) == Validity(Status.VALID)


def test_requests_that_were_never_sent_make_a_lane_failing() -> None:
    """Their latency is in no percentile; the reason has how many of how many."""
    dropped = (reason(Code.REQUESTS_DROPPED, dropped=10, due=100),)
    assert judged([*at_shares(0.97, 0.5), fixed(requests=90, dropped=10)]) == Validity(Status.FAILING, dropped)


def test_wrong_answers_are_counted_in_all_slices() -> None:
    """Any wrong answer makes a Lane failing; the reason has how many of how many, and of what kinds."""
    records = [
        saturated(requests_in_slice=90, errors={"status 500": 4}),
        saturated(requests_in_slice=90),
        fixed(requests_in_slice=100, errors={"timeout": 1, "status 500": 15}),
    ]
    wrong = reason(Code.WRONG_ANSWERS, errors=20, answers=300, kinds=("status 500", "timeout"))
    assert judged(records) == Validity(Status.FAILING, (wrong,))


def test_wrong_answers_come_before_the_limit() -> None:
    """Numbers of a Lane that answers wrongly mean nothing, however busy it was."""
    assert judged([*at_shares(0.2, 0.99), saturated(errors={"status 500": 1})]).status is Status.FAILING


@given(server=SHARES, errors=st.dictionaries(st.sampled_from(["timeout", "status 500"]), st.integers(1, 9)))
def test_a_lane_that_failed_has_failed(server: float, errors: dict[str, int]) -> None:
    """Nothing else matters of a Lane that was left out; the reason has the Round and the stage."""
    records = [*at_shares(server, 0.5), saturated(errors=errors)]
    found = validity.worst(
        validity.judge_cells(records, failure("alpha@gthread", round=2, reason="the server ended"), 1)
    )
    failed = reason(Code.LANE_FAILED, round=2, stage=Stage.LOAD, text="the server ended")
    assert found == Validity(Status.FAILED, (failed,))


def test_a_lane_without_records_is_not_measured() -> None:
    """Nothing is known of it, so it is not valid. A Lane that failed has failed."""
    assert judged([]) == Validity(Status.NOT_MEASURED, (reason(Code.NO_SLICES),))
    assert validity.worst(validity.judge_cells([], failure("alpha@gthread"), 1)).status is Status.FAILED


def test_discarded_slices_do_not_count() -> None:
    """They were measured again, and what they say is in no metric."""
    discarded = saturated(server_cpu_ns=0, steal_s=0.3, discarded=reason(Code.STEAL))
    assert judged([discarded, discarded, *at_shares(0.97, 0.5)]).status is Status.VALID


def test_a_fixed_rate_leaves_server_and_driver_time() -> None:
    """Where the server has none, requests queue up; where the driver has none, latencies are its own."""
    full = judged([fixed(server_cpu_ns=285_000_000)])
    assert (full.status, full.reasons[0].code) == (Status.UNSTABLE, Code.SERVER_FULL_AT_RATE)
    assert full.reasons[0].values == pytest.approx({"server_share": 0.95})
    both = judged([fixed(server_cpu_ns=285_000_000, driver_cpu_ns=285_000_000)])
    assert (both.status, both.reasons[0].code) == (Status.DRIVER_BOUND, Code.DRIVER_FULL_AT_RATE)
    assert both.reasons[0].values == pytest.approx({"driver_share": 0.95})


@pytest.mark.parametrize("unknown", ["server_cpu_ns", "driver_cpu_ns"])
def test_latencies_of_a_load_whose_cpu_times_are_unknown_may_be_those_of_a_queue(unknown: str) -> None:
    """A missing file in /proc is no proof that there was time to spare."""
    found = judged([convert({**to_builtins(fixed()), unknown: None}, SliceRecord)])
    assert found == Validity(Status.UNSTABLE, (reason(Code.CPU_TIMES_UNKNOWN),))


def test_lanes_of_a_duet_need_not_fill_their_core() -> None:
    """They share it, with all that disturbs it, and only their CPU time per request counts. Wrong answers count too."""
    duet = fixed(phase=Phase.DUET, server_cpu_ns=150_000_000, driver_cpu_ns=295_000_000, steal_s=0.2)
    assert judged([duet]).status is Status.VALID
    assert judged([replace(duet, errors={"timeout": 1})]).status is Status.FAILING


def test_a_phase_without_a_right_answer_is_failing() -> None:
    """Nothing was wrong, and nothing came: there is no number to trust."""
    found = judged([saturated(requests=0, latency_us=histogram())])
    assert found == Validity(Status.FAILING, (reason(Code.SILENT_ROUNDS, rounds=(0,), slices=1),))


def test_one_round_without_a_right_answer_is_enough_to_be_failing() -> None:
    """Its mean would be that of the other Rounds, in silence. The reason names the Round; its cause is the record's."""
    why = reason(Code.NO_RIGHT_ANSWER, errors={"timeout": 3})
    empty = [saturated(requests=0, latency_us=histogram(), round=1, unknown={"requests": why}) for _ in range(2)]
    silent = reason(Code.SILENT_ROUNDS, why, rounds=(1,), slices=2)
    assert judged([*at_shares(0.97, 0.5), *empty]) == Validity(Status.FAILING, (silent,))
    assert judged([*at_shares(0.97, 0.5), empty[0], saturated(round=1)]).status is not Status.FAILING


def test_each_cell_has_its_own_finding() -> None:
    """What is wrong under one load says nothing of the other; wrong answers count under both."""
    lost = cells_of([*at_shares(0.97, 0.5), fixed(dropped=3)])
    assert {phase: found.status for phase, found in lost.items()} == {
        Phase.SATURATED: Status.VALID,
        Phase.FIXED: Status.FAILING,
    }
    idle = cells_of([*at_shares(0.4, 0.5), fixed()])
    assert (idle[Phase.SATURATED].status, idle[Phase.FIXED].status) == (Status.NOT_SATURATED, Status.VALID)
    wrong = cells_of([*at_shares(0.97, 0.5), fixed(errors={"timeout": 1})])
    assert {found.status for found in wrong.values()} == {Status.FAILING}


def test_a_lane_that_did_not_keep_still_is_unstable() -> None:
    """In the phase in which it did not; a worse finding comes first."""
    drifted = reason(Code.DRIFTED, change_share=0.3, p_value=0.001)
    reasons = {Phase.FIXED: drifted}
    cells = validity.with_unstable(validity.judge_cells([*at_shares(0.97, 0.5), fixed()], None, 1), reasons)
    assert [cell.validity.status for cell in cells] == [Status.VALID, Status.UNSTABLE]
    assert validity.worst(cells) == Validity(Status.UNSTABLE, (drifted,))
    (cell,) = validity.with_unstable(validity.judge_cells([fixed(dropped=3)], None, 1), reasons)
    assert cell.validity.status is Status.FAILING


@given(statuses=st.lists(st.sampled_from(Status), min_size=1, max_size=4))
def test_the_worst_cell_speaks_for_the_lane(statuses: list[Status]) -> None:
    """It is valid only if all of its cells are."""
    found = validity.worst([Cell(Phase.FIXED, Validity(status)) for status in statuses])
    assert found.status in statuses
    assert (found.status is Status.VALID) == (set(statuses) == {Status.VALID})
    assert all(validity.SEVERITY.index(found.status) >= validity.SEVERITY.index(status) for status in statuses)


def test_every_status_has_a_severity() -> None:
    """A new one has to be placed."""
    assert sorted(validity.SEVERITY) == sorted(Status)


@pytest.mark.parametrize(
    ("metric", "status"),
    [
        ("throughput_rps", Status.VALID),
        ("cpu_us_per_request", Status.VALID),
        ("latency_saturated_p99_ms", Status.VALID),
        ("latency_fixed_p50_ms", Status.FAILING),
        ("service_fixed_p999_ms", Status.FAILING),
        ("rss_mib", Status.FAILING),
    ],
)
def test_a_metric_stands_under_the_finding_of_its_phase(metric: str, status: Status) -> None:
    """And what is measured in all phases under the worst."""
    cells = validity.judge_cells([*at_shares(0.97, 0.5), fixed(dropped=3)], None, 1)
    assert validity.of_metric(cells, metric).status is status
