"""The knee and the objective of a sweep: what the model predicts is found, and what was not seen is not claimed."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from bench.analysis import sweep
from bench.analysis.knee import STILL_GROWING, within_slo
from bench.analysis.summary import fold
from bench.cli.sweep_option import parse_sweep
from bench.driver.arrival_schedule import Schedule
from bench.model.estimate import Estimate, Status, Validity
from bench.model.experiment import Experiment, Sweep
from bench.model.load import MIN_RATE_RPS, Closed, Load, Open, Phase
from bench.model.metrics import Better, Unit
from bench.model.reason import Code, Reason, reason
from bench.model.records import SliceRecord
from bench.model.sweep import LaneSweep, SweepPoint
from tests.builders.runs import RPS, A, B, experiment, histogram, manifest, run_observations, spread, sweep_records

USERS, RATES = parse_sweep("users=1..256"), parse_sweep("rate=100..20000")
VALID = Validity(Status.VALID)
IDLE = {"server_cpu_ns": 150_000_000}


def swept(loads: Sequence[Load], slo_ms: float = 10.0) -> Experiment:
    return replace(experiment(), sweep=Sweep(loads=tuple(loads), slo_ms=slo_ms))


def folded(whole: Experiment, records: Sequence[SliceRecord]) -> dict[str, LaneSweep]:
    return {each.lane: each for each in sweep.fold(whole, records)}


def changed(records: Sequence[SliceRecord], load: Load, **changes: object) -> list[SliceRecord]:
    """Returns records with changes in those of Alpha under one Load of the sweep."""
    return [
        replace(row, **changes) if (row.lane, row.load, row.phase) == (A, load, Phase.SWEEP) else row for row in records
    ]


def point(load: Load, p99: tuple[float, float] | None, status: Status = Status.VALID) -> SweepPoint:
    """Returns a point whose p99 is known to the first value, and at most the second."""
    latency = {} if p99 is None else {"p99": Estimate(p99[0], p99[0] / 2, p99[1], 3, Unit.MS, Better.LOWER)}
    throughput = Estimate(100.0, 90.0, 110.0, 3, Unit.REQUESTS_PER_S, Better.HIGHER)
    return SweepPoint(
        load=load,
        throughput_rps=throughput,
        latency_ms=latency,
        server_cpu_share=0.5,
        driver_cpu_share=0.1,
        dropped=0,
        validity=Validity(status),
    )


def not_valid(load: Load, status: Status) -> Reason:
    return reason(Code.POINT_NOT_VALID, status=status, load=to_builtins(load))


# ---------------------------------------------------------------- the knee


@given(rps=st.floats(700, 20_000), idle_ms=st.floats(1, 20))
def test_the_knee_of_users_is_where_the_bounds_cross(rps: float, idle_ms: float) -> None:
    """For a system that follows the asymptotic bounds, N* is its response time times its maximum."""
    whole = swept(USERS)
    knee = folded(whole, sweep_records(whole, dict.fromkeys(RPS, rps), idle_ms))[A].knee
    crossing = max(1.0, rps * idle_ms / 1000)
    if crossing > 128 * STILL_GROWING:
        assert knee.at is None
        assert knee.reason is not None
        assert knee.reason.values == {"load": to_builtins(Closed(256))}
        assert knee.reason.code in (Code.STILL_GROWING, Code.MAXIMUM_UNKNOWN)  # the server may be just short of full
    elif crossing < 128:
        assert knee.at == pytest.approx(crossing, rel=0.05)  # a window holds whole requests
        assert knee.low is not None and knee.at is not None and knee.high is not None  # noqa: PT018 - all or none
        assert knee.low <= knee.at <= knee.high


@given(rps=st.floats(50, 30_000))
def test_the_knee_of_rates_lies_between_a_rate_that_was_served_and_one_that_was_not(rps: float) -> None:
    """Whatever the capacity; one outside the sweep is no knee, and says which way to go on."""
    whole = swept(RATES)
    knee = folded(whole, sweep_records(whole, dict.fromkeys(RPS, rps)))[A].knee
    if rps < 100:
        assert knee.at is None
        assert knee.reason is not None
        assert knee.reason.code is Code.ALREADY_BEYOND
        assert knee.reason.values["load"] == to_builtins(Open(100))
    elif rps > 20_001:
        assert (knee.at, knee.reason) == (None, reason(Code.STILL_SERVED, load=to_builtins(Open(20_000))))
    elif knee.at is None:  # the first or the last rate fills the server, or nearly so
        assert knee.reason is not None
        assert knee.reason.code is (Code.ALREADY_BEYOND if rps < 112 else Code.STILL_SERVED)
        assert not 112 < rps < 20_000
    else:
        assert knee.low is not None and knee.high is not None  # noqa: PT018 - both or none
        assert knee.low == knee.at <= rps <= knee.high


def test_a_rate_that_fills_the_server_is_not_within_the_objective() -> None:
    """All but 4 % of it is got through, but requests queue up: no latency, and the capacity is within the bounds."""
    loads = tuple(map(Open, (2000.0, 3200.0, 3900.0, 4160.0, 4800.0)))
    rows = sweep_records(swept(loads), dict.fromkeys(RPS, 4000.0))
    found = folded(swept(loads), [replace(row, dropped=0) for row in rows])[A]
    statuses = [each.validity.status for each in found.points]
    assert statuses == [Status.VALID, Status.VALID, Status.UNSTABLE, Status.UNSTABLE, Status.OVERLOADED]
    assert found.points[3].validity.reasons[0].code is Code.RATE_FILLS_SERVER
    assert found.points[3].validity.reasons[0].values == pytest.approx({"server_share": 0.97})
    assert [bool(each.latency_ms) for each in found.points] == [True, True, False, False, False]
    assert (found.knee.low, found.knee.high) == (3200, 4800)
    assert (found.within_slo.load, found.within_slo.reasons) == (
        Open(3200.0),
        (not_valid(Open(3_900), Status.UNSTABLE),),
    )
    full = folded(swept(loads[2:]), [replace(row, dropped=0) for row in rows])[A]
    assert full.knee.reason == reason(Code.ALREADY_BEYOND, status=Status.UNSTABLE, load=to_builtins(Open(3_900)))


def test_a_knee_is_not_claimed_where_the_driver_was_the_limit() -> None:
    """The highest throughput is then the driver's, and the server's is unknown."""
    for loads, last in ((USERS, Closed(256)), (RATES, Open(500.0))):
        whole = swept(loads)
        busy = changed(sweep_records(whole), last, driver_cpu_ns=300_000_000, server_cpu_ns=100_000_000, slice_s=0.3)
        found = folded(whole, changed(busy, last, answers_in_window=500, dropped=0))[A]
        assert found.points[loads.index(last)].validity.status is Status.DRIVER_BOUND
        assert found.knee.at is None
        assert found.knee.reason is not None
        assert (found.knee.reason.code, found.knee.reason.values) == (Code.MAXIMUM_UNKNOWN, {"load": to_builtins(last)})
        assert [cause.code for cause in found.knee.reason.because] == [Code.DRIVER_FULL]


@pytest.mark.parametrize("loads", [USERS[:1], RATES[:1]])
def test_one_load_shows_no_knee(loads: tuple[Load, ...]) -> None:
    """It takes two to see that the second brought nothing."""
    whole = swept(loads)
    knee = folded(whole, sweep_records(whole))[A].knee
    assert knee.at is None
    assert knee.reason


def test_a_sweep_without_one_user_takes_the_idle_response_time_by_littles_law() -> None:
    """From N users, N / X(N): the same as from one, as long as nobody waits."""
    whole = swept(parse_sweep("users=2..256"))
    assert folded(whole, sweep_records(whole, dict.fromkeys(RPS, 2000.0)))[A].knee.at == pytest.approx(6, rel=0.05)


@pytest.mark.parametrize("text", ["users=16..256", "users=8..64"])
def test_a_sweep_that_begins_beyond_the_knee_shows_none(text: str) -> None:
    """The true one is at 6 users; N / X(N) of more is no idle response time. With one user it always is."""
    whole = swept(parse_sweep(text))
    knee = folded(whole, sweep_records(whole, dict.fromkeys(RPS, 2000.0)))[A].knee
    assert (knee.at, knee.reason) == (None, reason(Code.ALREADY_SATURATED, load=to_builtins(parse_sweep(text)[0])))
    single = swept(USERS)
    assert folded(single, sweep_records(single, dict.fromkeys(RPS, 200.0)))[A].knee.at == pytest.approx(1, rel=0.05)


def test_no_knee_is_drawn_through_a_sweep_whose_upper_half_is_not_valid() -> None:
    """A best point that does not fill its server is the most only if more users, undisturbed, get no more."""
    whole = swept(USERS)
    rows = sweep_records(whole)
    for load in USERS[1:]:
        rows = changed(rows, load, server_cpu_ns=100_000_000, slice_s=0.3)
    for load in USERS[4:]:
        rows = changed(rows, load, answers_in_window=200, driver_cpu_ns=100_000_000, driver_run_queue_ns=190_000_000)
    knee = folded(whole, rows)[A].knee
    assert (knee.at, knee.reason) == (None, not_valid(Closed(16), Status.STARVED))
    full = changed(rows, USERS[3], server_cpu_ns=290_000_000, answers_in_window=255)
    assert folded(whole, full)[A].knee.at == pytest.approx(3, rel=0.05)


# ---------------------------------------------------------------- points


def test_overload_is_a_result() -> None:
    """Throughput is what the Lane can do, dropped requests are counted, latency is left out; the Lane is valid."""
    whole = swept(RATES)
    records = sweep_records(whole)
    first, *_, last = folded(whole, records)[A].points
    assert (first.validity, first.dropped) == (VALID, 0)
    assert set(first.latency_ms) == {"p50", "p90", "p99"}
    assert last.validity.status is Status.OVERLOADED
    (overloaded,) = last.validity.reasons
    assert overloaded.code is Code.OVERLOADED
    expected = {"served_rps": RPS[A], "rate_rps": 20_000, "dropped": 3 * 19_000 * whole.preset.window_s}
    assert overloaded.values == pytest.approx(expected)
    assert last.throughput_rps
    assert last.throughput_rps.point == pytest.approx(RPS[A])
    assert last.dropped == 3 * 19_000 * whole.preset.window_s
    assert last.latency_ms == {}
    summary = fold(manifest(whole), records, [], run_observations(whole)).report.summary
    assert {lane.validity.status for lane in summary.lanes} == {Status.VALID}
    assert summary.complete
    assert [each.lane for each in summary.sweeps] == [lane.name for lane in whole.lanes]


@given(rate_rps=st.floats(MIN_RATE_RPS, 60), latency_ms=st.floats(0.5, 60))
def test_a_window_holds_whole_requests(rate_rps: float, latency_ms: float) -> None:
    """A server that answers in the same time, once a window a little later, is overloaded at no rate."""
    whole = swept([Open(rate_rps)])
    rows = []
    for row in sweep_records(whole, dict.fromkeys(RPS, 1e6)):
        settle_s = row.slice_s - row.window_s
        schedule = Schedule(0, round(row.slice_s * 1e9), rate_rps)
        schedule.advance(round(row.slice_s * 1e9))
        arrived_s = [schedule.take() / 1e9 + latency_ms / 1e3 for _ in range(schedule.waiting)]
        rows.append(replace(row, answers_in_window=sum(settle_s <= at_s < row.slice_s for at_s in arrived_s) - 1))
    assert folded(whole, rows)[A].points[0].validity == VALID


def test_a_run_that_is_no_sweep_has_none() -> None:
    """Nothing is made up from its other slices."""
    assert sweep.fold(experiment(), sweep_records(swept(USERS))) == ()


def test_discarded_slices_do_not_count() -> None:
    """They were measured again."""
    whole = swept(USERS)
    records = sweep_records(whole)
    discarded = [replace(row, discarded=reason(Code.STEAL), answers_in_window=1, errors={"x": 1}) for row in records]
    assert sweep.fold(whole, [*records, *discarded]) == sweep.fold(whole, records)


def test_wrong_answers_fail_their_point_alone() -> None:
    """It says how many; other loads and other Lanes stand, but no knee is drawn through it."""
    whole = swept(USERS)
    found = folded(whole, changed(sweep_records(whole), Closed(8), errors={"status 500": 2}))
    statuses = [each.validity.status for each in found[A].points]
    assert statuses == [Status.VALID] * 3 + [Status.FAILING] + [Status.VALID] * 5
    (wrong,) = found[A].points[3].validity.reasons
    assert (wrong.code, wrong.values["errors"], wrong.values["kinds"]) == (Code.WRONG_ANSWERS, 6, ("status 500",))
    assert found[A].knee.reason == not_valid(Closed(8), Status.FAILING)
    assert found[A].within_slo.load == Closed(4)
    assert found[B].knee.at is not None


@pytest.mark.parametrize(
    ("load", "changes", "status", "code"),
    [
        (Closed(8), {"steal_s": 0.15}, Status.STARVED, Code.STOLEN),
        (
            Closed(8),
            {"driver_cpu_ns": 150_000_000, "driver_run_queue_ns": 140_000_000, **IDLE},
            Status.STARVED,
            Code.DRIVER_KEPT_OFF,
        ),
        (Closed(8), {"server_run_queue_ns": 140_000_000, **IDLE}, Status.STARVED, Code.SERVER_WAITED),
        (Open(200.0), {"server_run_queue_ns": 140_000_000, **IDLE}, Status.STARVED, Code.SERVER_WAITED),
        (Closed(8), {"latency_us": spread(250, 2000), "requests": 250}, Status.DRIVER_BOUND, Code.USERS_WITH_DRIVER),
        (Open(500.0), {"steal_s": 0.15}, Status.STARVED, Code.STOLEN),
        (
            Open(500.0),
            {"send_lateness_us": spread(250, 900), "loop_lag_us": spread(250, 800)},
            Status.DRIVER_BOUND,
            Code.DRIVER_LATE,
        ),
    ],
)
def test_a_point_is_judged_as_cells_are(load: Load, changes: dict[str, object], status: Status, code: Code) -> None:
    """By theft, by who waited for a core, by whether the users were there, by whether the driver was on time."""
    loads = USERS if isinstance(load, Closed) else RATES
    whole, at = swept(loads), loads.index(load)
    rows = changed(sweep_records(whole), loads[-1], slice_s=0.3, server_cpu_ns=290_000_000)
    found = folded(whole, changed(rows, load, slice_s=0.3, **changes))[A]
    assert [each.validity.status for each in found.points[:at]] == [Status.VALID] * at
    assert found.points[at].validity.status is status
    assert [each.code for each in found.points[at].validity.reasons] == [code]


def test_threads_that_wait_for_each_other_starve_no_point() -> None:
    """They do so, a request, at every load, also at those that fill the server's cores."""
    whole = swept(USERS)
    rows = [replace(row, server_run_queue_ns=row.requests_in_slice * 600_000) for row in sweep_records(whole)]
    idle = changed(rows, Closed(1), server_cpu_ns=200_000_000)
    assert {each.validity.status for each in folded(whole, idle)[A].points} == {Status.VALID}


def test_no_knee_is_derived_from_a_server_that_never_had_its_cores() -> None:
    """Where others had half of them throughout, its best load looks like a maximum, and is none."""
    whole = swept(USERS)
    rows = [
        replace(row, slice_s=0.3, server_cpu_ns=150_000_000, server_run_queue_ns=140_000_000)
        for row in sweep_records(whole)
    ]
    knee = folded(whole, rows)[A].knee
    assert knee.at is None
    assert knee.reason is not None
    assert knee.reason.code is Code.MAXIMUM_UNKNOWN
    (cause,) = knee.reason.because
    assert cause.code is Code.SERVER_SHORT_OF_CORES
    assert cause.values == pytest.approx({"server_share": 0.5, "waited_share": 0.47}, abs=0.01)
    spared = [replace(row, server_run_queue_ns=90_000_000) for row in rows]
    assert folded(whole, spared)[A].knee.at


def test_no_knee_is_derived_where_users_wait_for_the_driver_and_the_server_is_not_full() -> None:
    """Neither is at 90 % of its core, and together they are the limit: the server alone may do more."""
    whole = swept(USERS)
    both = {"slice_s": 0.3, "server_cpu_ns": 255_000_000, "driver_cpu_ns": 255_000_000}
    rows = [replace(row, **both) for row in sweep_records(whole)]
    assert folded(whole, rows)[A].knee.at  # an App that waits for something else has all its users
    halves = [replace(row, requests=row.requests // 2) for row in rows]
    knee = folded(whole, halves)[A].knee
    assert knee.at is None
    assert knee.reason is not None
    (cause,) = knee.reason.because
    assert (knee.reason.code, cause.code) == (Code.MAXIMUM_UNKNOWN, Code.FULL_TOGETHER)
    expected = {"server_share": 0.85, "driver_share": 0.85, "users_share": 0.5}
    assert cause.values == pytest.approx(expected, abs=0.01)


def test_without_cpu_times_a_sweep_claims_nothing() -> None:
    """No point is valid, none is within the objective, and there is no knee."""
    for loads in (USERS, RATES):
        whole = swept(loads)
        found = folded(whole, [replace(row, server_cpu_ns=None, driver_cpu_ns=None) for row in sweep_records(whole)])[A]
        assert {each.validity.status for each in found.points} <= {Status.UNSTABLE, Status.OVERLOADED}
        assert found.points[0].validity.reasons == (reason(Code.CPU_TIMES_UNKNOWN),)
        assert (found.knee.at, found.within_slo.load) == (None, None)


def test_a_busy_server_whose_users_wait_for_the_driver_is_not_called_idle() -> None:
    """The knee's reason does not contradict the share beside it."""
    whole = swept(USERS)
    rows = [replace(row, slice_s=0.3, server_cpu_ns=290_000_000) for row in sweep_records(whole)]
    found = folded(whole, [replace(row, requests=row.requests // 4) for row in rows])[A]
    assert {each.validity.status for each in found.points} == {Status.DRIVER_BOUND}
    assert found.knee.reason is not None
    assert (found.knee.reason.code, found.knee.reason.values["status"]) == (Code.POINT_NOT_VALID, Status.DRIVER_BOUND)


@pytest.mark.parametrize("loads", [USERS, RATES])
def test_no_knee_is_derived_from_a_point_that_cannot_be_trusted(loads: tuple[Load, ...]) -> None:
    """Its own figures stand under its finding."""
    whole = swept(loads)
    found = folded(whole, changed(sweep_records(whole), loads[0], steal_s=9.0))[A]
    assert (found.knee.at, found.knee.reason) == (None, not_valid(loads[0], Status.STARVED))


def test_a_load_that_was_not_reached_is_not_measured() -> None:
    """An interrupted sweep says so, and shows the rest."""
    whole = swept(USERS)
    found = folded(whole, [row for row in sweep_records(whole) if row.load != Closed(64)])[A]
    assert found.points[6].validity.status is Status.NOT_MEASURED
    assert found.points[6].throughput_rps is None
    assert found.knee.reason == not_valid(Closed(64), Status.NOT_MEASURED)


def test_no_answer_at_all_is_no_number() -> None:
    """Neither zero nor a NaN: no throughput, no latency, and the reason."""
    whole = swept(USERS)
    empty = changed(sweep_records(whole), Closed(1), answers_in_window=0, requests=0, latency_us=histogram())
    first = folded(whole, empty)[A].points[0]
    assert (first.throughput_rps, first.latency_ms) == (None, {})
    assert first.validity.status is Status.FAILING


def test_a_round_without_an_answer_is_not_averaged_over() -> None:
    """Its point is failing, and says which Round it was."""
    whole = swept(USERS)
    rows = [
        replace(row, answers_in_window=0) if row.load == Closed(8) and row.round == 1 else row
        for row in sweep_records(whole)
    ]
    found = folded(whole, rows)[A].points[3]
    silent = reason(Code.SILENT_ROUNDS, rounds=(1,), slices=1)
    assert found.validity == Validity(Status.FAILING, (silent,))


def test_shares_are_of_the_cores_that_there_are() -> None:
    """The server's of those of its workers; unknown counters are unknown shares."""
    whole = swept(USERS)
    two = replace(whole, serving=replace(whole.serving, workers=2))
    one_core, two_cores = (folded(each, sweep_records(whole))[A].points[0] for each in (whole, two))
    assert one_core.server_cpu_share and two_cores.server_cpu_share  # noqa: PT018 - both are known
    assert two_cores.server_cpu_share == pytest.approx(one_core.server_cpu_share / 2)
    blind = folded(whole, [replace(row, server_cpu_ns=None, driver_cpu_ns=None) for row in sweep_records(whole)])[A]
    assert (blind.points[0].server_cpu_share, blind.points[0].driver_cpu_share) == (None, None)


# ---------------------------------------------------------------- the objective

P99 = st.one_of(st.none(), st.tuples(st.floats(0.1, 100), st.floats(1, 3)).map(lambda two: (two[0], two[0] * two[1])))
STATUSES = st.sampled_from([Status.VALID] * 6 + [Status.OVERLOADED, Status.FAILING, Status.DRIVER_BOUND])
POINTS = st.lists(st.tuples(P99, STATUSES), min_size=1, max_size=8).map(
    lambda drawn: [point(load, p99, status) for load, (p99, status) in zip(RATES, drawn, strict=False)]
)


@given(points=POINTS, slo_ms=st.floats(0.1, 100))
def test_the_objective_holds_at_every_load_up_to_the_one_that_is_named(points: list[SweepPoint], slo_ms: float) -> None:
    """And at the next one whose p99 is known it does not, or there is none; a reason is always given."""
    found = within_slo(points, slo_ms)
    end = [each.load for each in points].index(found.load) + 1 if found.load else 0
    for each in points[:end]:
        assert each.validity.status is Status.VALID
        assert "p99" not in each.latency_ms or (each.latency_ms["p99"].high or 0) <= slo_ms
    known = [each for each in points[end:] if "p99" in each.latency_ms or each.validity.status is not Status.VALID]
    assert not known or known[0].validity.status is not Status.VALID or (known[0].latency_ms["p99"].high or 0) > slo_ms
    assert found.reasons
    assert (found.throughput_rps is None) == (found.load is None)


@given(points=POINTS, slo_ms=st.floats(0.1, 100), more_ms=st.floats(0, 100))
def test_a_laxer_objective_never_holds_for_less(points: list[SweepPoint], slo_ms: float, more_ms: float) -> None:
    """Monotonic in the objective."""

    def reached(limit_ms: float) -> int:
        load = within_slo(points, limit_ms).load
        return [each.load for each in points].index(load) if load else -1

    assert reached(slo_ms) <= reached(slo_ms + more_ms)


def test_the_end_of_the_objective_says_why() -> None:
    """In numbers; where there is no interval, nothing is claimed."""
    above = reason(Code.P99_ABOVE_OBJECTIVE, p99_ms=9, high_ms=12, load=to_builtins(Open(200)))
    reasons = {
        (above,): [point(RATES[0], (5, 6)), point(RATES[1], (9, 12))],
        (not_valid(Open(200), Status.OVERLOADED),): [
            point(RATES[0], (5, 6)),
            point(RATES[1], None, Status.OVERLOADED),
        ],
        (reason(Code.SWEEP_ENDED),): [point(RATES[0], (5, 6))],
        (reason(Code.NO_P99),): [point(RATES[0], None)],
        (above, reason(Code.NO_P99_BELOW, load=to_builtins(Open(200)))): [
            point(RATES[0], None),
            point(RATES[1], (9, 12)),
        ],
    }
    assert {within_slo(points, 10).reasons: points for points in reasons.values()} == reasons
    short = replace(
        experiment(), preset=replace(experiment().preset, rounds=2), sweep=Sweep(loads=RATES[2:], slo_ms=1000)
    )
    found = folded(short, sweep_records(short))[A].within_slo
    assert (found.load, found.reasons) == (None, (reason(Code.NO_INTERVAL, load=to_builtins(Open(500))),))
