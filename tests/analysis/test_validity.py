"""How far a Lane's numbers can be trusted, and why."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert, to_builtins
from msgspec.structs import replace

from bench.analysis import validity
from bench.model.load import Phase
from bench.model.reason import Code, reason
from bench.model.records import Cell, SliceRecord, Status, Validity
from tests.builders.runs import failure, fixed, histogram, saturated, spread

SHARES = st.floats(0.0, 1.2)


def at_shares(server: float | None, driver: float | None) -> list[SliceRecord]:
    """Returns saturated slices in which server and driver used these shares of their cores."""
    slice_s = saturated().slice_s
    server_ns, driver_ns = (None if share is None else round(share * slice_s * 1e9) for share in (server, driver))
    return [saturated(server_cpu_ns=server_ns, driver_cpu_ns=driver_ns) for _ in range(3)]


def judged(records: Sequence[SliceRecord], workers: int = 1) -> Validity:
    return validity.worst(validity.judge_cells(records, None, workers))


def test_a_server_that_was_the_limit_is_valid() -> None:
    """The server was busy, no answer was wrong: nothing to be said."""
    assert judged(at_shares(0.97, 0.5)) == Validity(Status.VALID)


@given(server=SHARES, driver=SHARES)
def test_the_limit_has_to_be_the_server(server: float, driver: float) -> None:
    """A busy server is valid; else a busy driver was the limit; else nobody was."""
    found = judged(at_shares(server, driver))
    if abs(server - 0.9) > 0.01 and abs(driver - 0.9) > 0.01:  # each waited for its core for 0.3 % of the time
        expected = Status.DRIVER_BOUND if driver > 0.9 else Status.NOT_SATURATED
        assert found.status is (Status.VALID if server > 0.9 else expected)
    assert bool(found.reasons) == (found.status is not Status.VALID)


def test_reasons_have_the_numbers() -> None:
    """What was seen of server and driver is said in percent."""
    (reason,) = judged(at_shares(0.41, 0.97)).reasons
    assert "server at 41%" in reason
    assert "driver at 97%" in reason
    (reason,) = judged(at_shares(0.41, 0.52)).reasons
    assert "server at 41%" in reason
    assert "driver at 52%" in reason


@pytest.mark.parametrize(("workers", "status"), [(1, Status.VALID), (2, Status.VALID), (3, Status.NOT_SATURATED)])
def test_every_worker_has_a_core_to_fill(workers: int, status: Status) -> None:
    """Two cores' worth of time saturates two workers, not three."""
    assert judged(at_shares(1.9, 0.5), workers).status is status


@pytest.mark.parametrize(("server", "driver"), [(None, 0.5), (0.5, None), (None, None)])
def test_without_counters_nothing_shows_what_the_limit_was(server: float | None, driver: float | None) -> None:
    """What is not known is not valid, and the reason says what is missing."""
    found = judged(at_shares(server, driver))
    assert found.status is Status.NOT_SATURATED
    assert found.reasons[0].startswith("CPU times could not be read")


def test_a_busy_server_is_the_limit_whatever_the_driver_did() -> None:
    """The driver's own counter is not needed where the server's says it all."""
    assert judged(at_shares(0.97, None)).status is Status.VALID


def test_requests_that_were_never_sent_make_a_lane_failing() -> None:
    """Their latency is in no percentile; the reason has how many of how many, and what to do."""
    found = judged([*at_shares(0.97, 0.5), fixed(requests=90, dropped=10)])
    assert found.status is Status.FAILING
    (reason,) = found.reasons
    assert reason.startswith("10 of 100 requests of the fixed rate were never sent")
    assert reason.endswith("lower load.rate_share")


def test_only_saturated_slices_say_what_the_limit_was() -> None:
    """At a fixed rate nobody is meant to be busy."""
    idle = [fixed(server_cpu_ns=10**6, driver_cpu_ns=10**6) for _ in range(9)]
    assert judged([*at_shares(0.97, 0.5), *idle]).status is Status.VALID
    assert judged(idle).status is Status.VALID


def test_wrong_answers_are_counted_in_all_slices() -> None:
    """Any wrong answer makes a Lane failing; the reason has how many of how many, and of what kinds."""
    records = [
        saturated(requests_in_slice=90, errors={"status 500": 4}),
        saturated(requests_in_slice=90),
        fixed(requests_in_slice=100, errors={"timeout": 1, "status 500": 15}),
    ]
    found = judged(records)
    assert found.status is Status.FAILING
    assert found.reasons[0].startswith("20 of 300 answers were wrong (status 500, timeout)")


def test_wrong_answers_come_before_the_limit() -> None:
    """Numbers of a Lane that answers wrongly mean nothing, however busy it was."""
    assert judged([*at_shares(0.2, 0.99), saturated(errors={"status 500": 1})]).status is Status.FAILING


@given(server=SHARES, errors=st.dictionaries(st.sampled_from(["timeout", "status 500"]), st.integers(1, 9)))
def test_a_lane_that_failed_has_failed(server: float, errors: dict[str, int]) -> None:
    """Nothing else matters of a Lane that was left out; the reason has the Round, counted from 1, and the step."""
    records = [*at_shares(server, 0.5), saturated(errors=errors)]
    found = validity.worst(
        validity.judge_cells(records, failure("alpha@gthread", round=2, reason="the server ended"), 1)
    )
    assert found == Validity(Status.FAILED, ("round 3, load: the server ended",))


def test_a_lane_without_records_is_not_measured() -> None:
    """Nothing is known of it, so it is not valid; the reason says what to do. A Lane that failed has failed."""
    found = judged([])
    assert found.status is Status.NOT_MEASURED
    (reason,) = found.reasons
    assert reason.endswith("; run it again")
    assert validity.worst(validity.judge_cells([], failure("alpha@gthread"), 1)).status is Status.FAILED


def test_a_busy_share_is_that_of_the_slices_that_know() -> None:
    """A slice without a counter is left out with its time; without any the share is unknown."""
    records = [saturated(driver_cpu_ns=150_000_000, slice_s=0.3), saturated(driver_cpu_ns=None, slice_s=0.3)]
    assert validity.busy_share(records, "driver_cpu_ns") == pytest.approx(0.5)
    assert validity.busy_share(records[1:], "driver_cpu_ns") is None
    assert validity.busy_share([], "driver_cpu_ns") is None


@given(times_ms=st.lists(st.integers(0, 300), min_size=1, max_size=9))
def test_a_busy_share_is_over_all_slices(times_ms: list[int]) -> None:
    """One slice does not decide."""
    records = [saturated(server_cpu_ns=time_ms * 10**6, slice_s=0.3) for time_ms in times_ms]
    assert validity.busy_share(records, "server_cpu_ns") == pytest.approx(sum(times_ms) / 300 / len(times_ms))


def cells_of(records: Sequence[SliceRecord], workers: int = 1) -> dict[Phase, Validity]:
    return {cell.phase: cell.validity for cell in validity.judge_cells(records, None, workers)}


def late(median_us: int) -> str:
    """Returns the histogram of a driver that was late by so much."""
    return histogram(*[median_us] * 101)


def test_a_server_that_waited_for_its_core_is_starved() -> None:
    """Runnable all the time and not run: something else was on its core. The reason says how long it waited."""
    found = judged([saturated(server_cpu_ns=180_000_000, server_run_queue_ns=100_000_000) for _ in range(3)])
    assert found.status is Status.STARVED
    assert "server at 60% of its cores" in found.reasons[0]
    assert "the server waited for a core for 33% of the time" in found.reasons[0]


def test_a_driver_that_waited_for_its_core_is_starved() -> None:
    """It would have offered more."""
    waiting = [saturated(server_cpu_ns=180_000_000, driver_cpu_ns=150_000_000, driver_run_queue_ns=130_000_000)]
    found = judged(waiting)
    assert found.status is Status.STARVED
    assert "the driver waited for a core for 43% of the time" in found.reasons[0]


def test_threads_that_wait_for_each_other_starve_nobody() -> None:
    """A server whose threads queue for the core that they fill was the limit itself."""
    assert judged([saturated(server_cpu_ns=285_000_000, server_run_queue_ns=600_000_000)]) == Validity(Status.VALID)


@pytest.mark.parametrize("make", [saturated, fixed])
def test_what_the_hypervisor_took_starves(make: Callable[..., SliceRecord]) -> None:
    """One slice may lose more; all slices together may not."""
    stolen = [make(steal_s=0.15), make(steal_s=0.0), make(steal_s=0.01)]
    assert judged(stolen).status is Status.VALID
    found = judged([*stolen, make(steal_s=0.15)])
    assert found.status is Status.STARVED
    assert "26%" in found.reasons[0]


@pytest.mark.parametrize("unknown", ["server_cpu_ns", "driver_cpu_ns"])
def test_latencies_of_a_load_whose_cpu_times_are_unknown_may_be_those_of_a_queue(unknown: str) -> None:
    """A missing file in /proc is no proof that there was time to spare."""
    found = judged([convert({**to_builtins(fixed()), unknown: None}, SliceRecord)])
    assert found.status is Status.UNSTABLE
    assert found.reasons[0].startswith("CPU times could not be read")


def test_what_is_not_known_is_no_zero() -> None:
    """A reason gives neither a steal nor a waiting that nobody has read."""
    row = saturated(server_cpu_ns=100_000_000, driver_cpu_ns=100_000_000, slice_s=0.3, steal_s=None)
    starved = judged([replace(row, server_run_queue_ns=190_000_000)])
    assert starved.status is Status.STARVED
    assert "waited for a core for 63% of the time, steal an unknown share" in starved.reasons[0]
    stolen = judged([replace(row, server_run_queue_ns=None, steal_s=0.05, server_cpu_ns=230_000_000)])
    assert "waited for a core for an unknown share of the time, steal 17%" in stolen.reasons[0]


def test_discarded_slices_do_not_count() -> None:
    """They were measured again, and what they say is in no metric."""
    discarded = saturated(server_cpu_ns=0, steal_s=0.3, discarded=reason(Code.STEAL))
    assert judged([discarded, discarded, *at_shares(0.97, 0.5)]).status is Status.VALID


@pytest.mark.parametrize(
    ("latency_us", "status"),
    [(4000, Status.VALID), (2100, Status.VALID), (1900, Status.DRIVER_BOUND), (4500, Status.UNSTABLE)],
)
def test_the_users_have_to_be_there(latency_us: int, status: Status) -> None:
    """By Little's law: 1,000 answers a second of 4 ms each are 4 users; fewer are with the driver, more can't be."""
    found = judged([saturated(latency_us=spread(250, latency_us))])
    assert found.status is status
    assert all("Little's law" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("latency_us", "late_us", "status"),
    [
        (250, 90, Status.VALID),
        (250, 120, Status.DRIVER_BOUND),
        (8000, 350, Status.VALID),
        (8000, 450, Status.DRIVER_BOUND),
    ],
)
def test_a_driver_at_a_fixed_rate_has_to_be_on_time(latency_us: int, late_us: int, status: Status) -> None:
    """To 0.1 ms, or to 5 % of the latency that it reports; the reason has both."""
    lateness = {"send_lateness_us": late(late_us), "loop_lag_us": late(late_us + 100)}
    found = judged([fixed(latency_from_intended_us=late(latency_us), **lateness)])
    assert found.status is status
    assert all(f"{late_us / 1000:.2f} ms late" in reason for reason in found.reasons)


@pytest.mark.parametrize(("sent_us", "looped_us"), [(9000, 60), (60, 9000), (9000, None), (None, 9000)])
def test_the_driver_was_as_late_as_both_say(sent_us: int | None, looped_us: int | None) -> None:
    """Requests that a full server left no connection for are sent late by it, while the event loop is on time."""
    sent, looped = (None if us is None else late(us) for us in (sent_us, looped_us))
    record = fixed(latency_from_intended_us=late(10_000), send_lateness_us=sent, loop_lag_us=looped)
    assert judged([record]).status is Status.VALID


def test_a_fixed_rate_leaves_server_and_driver_time() -> None:
    """Where the server has none, requests queue up; where the driver has none, latencies are its own."""
    assert judged([fixed(server_cpu_ns=285_000_000)]).status is Status.UNSTABLE
    assert judged([fixed(server_cpu_ns=285_000_000, driver_cpu_ns=285_000_000)]).status is Status.DRIVER_BOUND


def test_lanes_of_a_duet_need_not_fill_their_core() -> None:
    """They share it, with all that disturbs it, and only their CPU time per request counts. Wrong answers count too."""
    duet = fixed(phase=Phase.DUET, server_cpu_ns=150_000_000, driver_cpu_ns=295_000_000, steal_s=0.2)
    assert judged([duet]).status is Status.VALID
    assert judged([replace(duet, errors={"timeout": 1})]).status is Status.FAILING


def test_an_unknown_lateness_is_not_held_against_a_lane() -> None:
    """Counters and histograms that were not recorded say nothing, either way."""
    assert judged([fixed(loop_lag_us=None, send_lateness_us=None)]).status is Status.VALID


def test_a_phase_without_a_right_answer_is_failing() -> None:
    """Nothing was wrong, and nothing came: there is no number to trust."""
    found = judged([saturated(requests=0, latency_us=histogram())])
    assert found.status is Status.FAILING
    assert "no right answer came in the 1 slices" in found.reasons[0]


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
    reasons = {Phase.FIXED: "it drifted by +30%"}
    cells = validity.with_unstable(validity.judge_cells([*at_shares(0.97, 0.5), fixed()], None, 1), reasons)
    assert [cell.validity.status for cell in cells] == [Status.VALID, Status.UNSTABLE]
    assert validity.worst(cells) == Validity(Status.UNSTABLE, ("it drifted by +30%",))
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


def test_one_round_without_a_right_answer_is_enough_to_be_failing() -> None:
    """Its mean would be that of the other Rounds, in silence. The reason names the Round, and what its record says."""
    why = {"requests": reason(Code.NO_RIGHT_ANSWER, errors={"timeout": 3})}
    empty = [saturated(requests=0, latency_us=histogram(), round=1, unknown=why) for _ in range(2)]
    found = judged([*at_shares(0.97, 0.5), *empty])
    assert found.status is Status.FAILING
    assert "in the 2 slices that count of round 2 (no right answer in the window: 3 x timeout)" in found.reasons[0]
    assert judged([*at_shares(0.97, 0.5), empty[0], saturated(round=1)]).status is not Status.FAILING


def tails(rounds: Sequence[tuple[int, int, int]]) -> list[SliceRecord]:
    """Returns a slice a Round with these p99s in us: of sending, of the event loop, of the latency; fine medians."""

    def ending(tail_us: int, median_us: int) -> str:
        return histogram(*[median_us] * 245, *[tail_us] * 5)

    return [
        fixed(
            round=index,
            send_lateness_us=ending(sent, 50),
            loop_lag_us=ending(looped, 50),
            latency_from_intended_us=ending(latency, 1000),
        )
        for index, (sent, looped, latency) in enumerate(rounds)
    ]


@pytest.mark.parametrize(
    ("rounds", "status"),
    [
        ([(1900, 1900, 4000)] * 3, Status.VALID),
        ([(2100, 2100, 4000)] * 3, Status.DRIVER_BOUND),
        ([(90, 90, 100)] * 3, Status.VALID),
        ([(9000, 500, 10_000)] * 3, Status.VALID),
        ([(500, 9000, 10_000)] * 3, Status.VALID),
        ([(2100, 2100, 4000), (200, 200, 4000)], Status.VALID),
        ([(2100, 2100, 4000), (3100, 2900, 4000), (200, 200, 4000)], Status.DRIVER_BOUND),
    ],
)
def test_the_tail_of_a_latency_is_not_the_drivers(rounds: list[tuple[int, int, int]], status: Status) -> None:
    """Not for the most part, in most Rounds; what the server made late by having no connection free is its own."""
    found = judged(tails(rounds))
    assert found.status is status
    assert all("late at p99" in reason and "p99 of 4.00 ms" in reason for reason in found.reasons)


def waiting(ms_a_request: float, make: Callable[..., SliceRecord], **changes: object) -> list[SliceRecord]:
    """Returns slices in which the server's threads waited so long for a core, a right answer."""
    return [make(server_run_queue_ns=round(ms_a_request * 300 * 1e6), **changes) for _ in range(3)]


@pytest.mark.parametrize(
    ("usual_ms", "fixed_ms", "status"),
    [
        (0.0, 0.09, Status.VALID),
        (0.0, 0.2, Status.STARVED),
        (0.6, 0.9, Status.VALID),
        (0.6, 1.1, Status.STARVED),
    ],
)
def test_a_server_at_a_fixed_rate_has_to_have_its_core(usual_ms: float, fixed_ms: float, status: Status) -> None:
    """What its threads wait for each other is what they do when saturated; the reason has both, and what to do."""
    cells = cells_of([*waiting(usual_ms, saturated), *waiting(fixed_ms, fixed)])
    assert cells[Phase.SATURATED] == Validity(Status.VALID)
    assert cells[Phase.FIXED].status is status
    for each in cells[Phase.FIXED].reasons:
        assert f"the server waited for a core for {fixed_ms:.2f} ms a request" in each
        assert f"its own threads explain {1.5 * usual_ms:.2f} ms" in each
        assert each.endswith("end what else runs on its cores")


def test_a_server_that_was_starved_when_saturated_shows_nothing_usual() -> None:
    """Then its waiting was not its own threads' doing, and is no measure for the fixed rate."""
    robbed = waiting(0.6, saturated, server_cpu_ns=150_000_000)
    assert cells_of([*robbed, *waiting(0.6, fixed)])[Phase.FIXED].status is Status.STARVED
    assert cells_of([*waiting(0.6, saturated), *waiting(0.6, fixed)])[Phase.FIXED].status is Status.VALID


def test_without_a_saturated_slice_nothing_shows_what_a_server_usually_waits() -> None:
    """Nor without the counter: no finding."""
    assert judged(waiting(0.6, fixed)).status is Status.VALID
    unknown = [saturated(server_run_queue_ns=None), *waiting(0.6, fixed)]
    assert cells_of(unknown)[Phase.FIXED].status is Status.VALID
