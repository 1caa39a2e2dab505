"""A comparison, with Rounds that answer at once: when it stops, what it measures again, and what it then says."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.model.estimate import Status
from bench.model.experiment import Lane, Side
from bench.model.load import Open, Phase
from bench.model.metrics import CPU
from bench.model.reason import Code, reason
from bench.model.records import Failure, LaneFacts, Manifest, Observation, SliceRecord, Stage
from bench.model.regression import Evidence, Verdict
from bench.model.schedule import ROUND_START_S, SERVER_START_S, SLICE_GAP_S, RoundPlan, Slice
from bench.regression import ratios, verdict
from bench.regression.ab_runner import ROUNDS_AT_LEAST, AbPlan, AbResult, AbRunner, Terms
from bench.regression.ratios import Allowed, AppRound, Pair, steering_metrics
from bench.run.runner import NothingToMeasure
from tests.builders.comparisons import folded
from tests.builders.runs import LANES, experiment, failure, record, spread

BASE, HEAD = (replace(LANES[0], side=side) for side in Side)
OTHERS = tuple(replace(LANES[1], side=side) for side in Side)
PAIR = Pair("alpha", BASE.name, HEAD.name)
TWO_PAIRS = (PAIR, Pair("beta", *(lane.name for lane in OTHERS)))
WHOLE = experiment(lanes=(BASE, HEAD), groups=())
BOUT = RoundPlan(users=1, seed=1)
ROUND_S = 8.0
CPU_NS = 290_000_000
Change = Callable[[int, SliceRecord], SliceRecord]
"""What is different about a record of HEAD, by Round."""


class FakeRound:
    """A Round in which both sides do the same but for noise, and HEAD what it is changed to."""

    def __init__(self, index: int, change: Change, noise: float, failures: Sequence[Failure]) -> None:
        self._index = index
        self._change = change
        self._noise = noise
        self._rng = Random(index)  # noqa: S311 - the same noise each time
        self.facts: tuple[LaneFacts, ...] = ()
        self.driver_versions: Mapping[str, str] = {}
        self.failures = tuple(failures)

    def measure(self, planned: Slice) -> tuple[SliceRecord, ...]:
        return tuple(self._record(planned, lane) for lane in planned.lanes)

    def failure(self, lane: str) -> Failure | None:
        return None

    def _record(self, planned: Slice, lane: str) -> SliceRecord:
        cpu_ns = round(CPU_NS * (1 + self._rng.uniform(-self._noise, self._noise)))
        slice_s = planned.settle_s + planned.window_s
        requests = 200 if planned.phase is Phase.SATURATED else 250  # all users have one under way, and no more
        times = {"server_cpu_ns": cpu_ns, "slice_s": min(slice_s, 0.3)}
        seen = record(planned, round=self._index, lane=lane, requests=requests, **times)
        return self._change(self._index, seen) if lane == HEAD.name else seen


class Job:
    """A comparison under fake conditions: a Sink, a Watcher and a clock that a Round moves on."""

    def __init__(
        self,
        change: Change = lambda _, seen: seen,
        *,
        noise: float = 0.005,
        instructions: Sequence[tuple[float, float]] = (),
        failures: Sequence[Failure] = (),
    ) -> None:
        self._change = change
        self._noise = noise
        self._instructions = list(instructions)
        self._failures = failures
        self.spent_s = 0.0
        self.started: list[bool] = []
        self.synced: list[int] = []
        self.records: list[SliceRecord] = []
        self.observations: list[Observation] = []
        self.widest: list[float] = []
        self.failed: list[Failure] = []

    def run(self, *, precision: float = 0.01, budget_s: float = 120.0, pairs: Sequence[Pair] = (PAIR,)) -> AbResult:
        terms = Terms(allowed=Allowed(0.03, 0.005), precision=precision, budget_s=budget_s)
        whole = replace(WHOLE, lanes=(BASE, HEAD, *OTHERS)[: 2 * len(pairs)])
        plan = AbPlan(whole, tuple(pairs), terms)
        return AbRunner(plan, self.open_round, self.count, self, self, lambda: self.spent_s).run()

    def open_round(self, index: int, lanes: tuple[Lane, ...]) -> AbstractContextManager[FakeRound]:
        return self._round(index)

    @contextmanager
    def _round(self, index: int) -> Iterator[FakeRound]:
        yield FakeRound(index, self._change, self._noise, self._failures)
        self.spent_s += ROUND_S

    def count(self) -> Sequence[Observation]:
        if not self._instructions:
            return ()
        values = self._instructions.pop(0)
        return [
            Observation(lane=lane, metric="instructions_per_request", value=value)
            for lane, value in zip((BASE.name, HEAD.name), values, strict=True)
        ]

    def describe(self, manifest: Manifest) -> None:
        raise AssertionError("whoever starts a comparison describes it")

    def append(self, record: SliceRecord) -> None:
        self.records.append(record)

    def fail(self, failure: Failure) -> None:
        self.failed.append(failure)

    def observe(self, observation: Observation) -> None:
        self.observations.append(observation)

    def sync(self) -> None:
        self.synced.append(len(self.records))

    def round_started(self, index: int, *, again: bool) -> None:
        self.started.append(again)

    def round_ended(self, spent_s: float, widest: float) -> None:
        assert widest > 0
        self.widest.append(widest)


class PlannedJob(Job):
    """A comparison in which everything takes as long as it is expected to, and counting instructions 25 s."""

    @contextmanager
    def _round(self, index: int) -> Iterator[FakeRound]:
        yield FakeRound(index, self._change, self._noise, self._failures)
        of_round = [seen for seen in self.records if seen.round == index]
        windows_s = {seen.slice: seen.window_s for seen in of_round}
        lanes = len({seen.lane for seen in of_round})
        gaps_s = len(windows_s) * (BOUT.settle_s + SLICE_GAP_S)
        self.spent_s += ROUND_START_S + lanes * SERVER_START_S + sum(windows_s.values()) + gaps_s

    def count(self) -> Sequence[Observation]:
        self.spent_s += 25.0
        return super().count()


class FailingJob(Job):
    """A comparison in which one Lane fails at the start of a Round, and is not asked of later ones."""

    def __init__(self, lane: str, at_round: int) -> None:
        super().__init__(noise=0.001)
        self._lane = lane
        self.at_round = at_round

    def open_round(self, index: int, lanes: tuple[Lane, ...]) -> AbstractContextManager[FakeRound]:
        asked = self._lane in {lane.name for lane in lanes}
        assert asked == (index <= self.at_round)
        self._failures = [failure(self._lane)] if index == self.at_round else []
        return self._round(index)


def costs(factor: float) -> Change:
    """Returns what it is to use so many times the CPU time."""
    return lambda _, seen: replace(seen, server_cpu_ns=round((seen.server_cpu_ns or 0) * factor))


def of(result: AbResult, metric: str = CPU) -> Evidence:
    return next(found for found in result.evidence["alpha"] if found.metric == metric)


def regressed(result: AbResult) -> bool:
    """Returns whether anything is slower, and was so twice."""
    return any(found.verdict is Verdict.SLOWER for found in result.evidence["alpha"])


def test_it_stops_as_soon_as_it_is_precise() -> None:
    """Without a difference nothing is measured again, and the budget is not used up."""
    job = Job(noise=0.001)
    result = job.run()
    assert of(result).verdict is Verdict.NO_DIFFERENCE
    assert result.rounds == ROUNDS_AT_LEAST
    assert job.started == [False] * ROUNDS_AT_LEAST
    ends = [sum(seen.round <= index for seen in job.records) for index in range(ROUNDS_AT_LEAST)]
    assert job.synced == ends  # each Round is on the disk before the next begins


def test_it_stops_when_the_budget_is_spent() -> None:
    """A precision that can't be had costs the whole budget and not a Round more."""
    result = Job(noise=0.2).run(precision=0.0001, budget_s=100)
    assert 100 - ROUND_S < result.spent_s <= 100
    assert of(result).verdict is Verdict.UNDECIDED


def test_every_round_has_duets_and_both_lanes_in_turn() -> None:
    """Each Duet has a record of either side, and each side has as many slices of the other phases."""
    job = Job(noise=0.001)
    job.run()
    for phase in (Phase.DUET, Phase.SATURATED, Phase.FIXED):
        base, head = ([r for r in job.records if (r.lane, r.phase) == (lane.name, phase)] for lane in (BASE, HEAD))
        assert len(base) == len(head) > 0
    duets = {(r.round, r.slice) for r in job.records if r.phase is Phase.DUET}
    assert all(sum((r.round, r.slice) == duet for r in job.records) == 2 for duet in duets)
    assert len({r.load for r in job.records if isinstance(r.load, Open)}) == 1


def test_a_regression_is_measured_again_with_fresh_rounds() -> None:
    """It stands when it shows both times."""
    job = Job(costs(1.08))
    result = job.run()
    assert result.measured_again
    assert regressed(result)
    assert of(result).verdict is Verdict.SLOWER
    assert job.started == sorted(job.started)
    assert sum(job.started) >= ROUNDS_AT_LEAST


def test_a_regression_that_does_not_show_again_is_undecided() -> None:
    """Something happened to the first Rounds; the reason has both ratios."""
    result = Job(lambda at, seen: costs(1.08)(at, seen) if at < ROUNDS_AT_LEAST else seen, noise=0.001).run()
    assert result.measured_again
    assert not regressed(result)
    assert of(result).verdict is Verdict.UNDECIDED
    (why,) = of(result).reasons
    assert why.code is Code.NOT_SEEN_TWICE
    assert why.values == pytest.approx({"first": 1.08, "second": 1.0}, abs=0.005)


def in_rounds(*factors: float) -> Change:
    """Returns what it is to use so many times the CPU time in each Round; the last factor stays."""
    return lambda index, seen: costs(factors[min(index, len(factors) - 1)])(index, seen)


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        ((1.02, 1.06, 1.03, 1.07, *(1.06, 1.2) * 9), Verdict.SLOWER),
        ((0.98, 1.05, 1.0, 1.06, *(1.06, 1.2) * 9), Verdict.UNDECIDED),
    ],
)
def test_a_regression_that_shows_while_another_is_measured_again_must_be_in_both_measurements(
    factors: tuple[float, ...], expected: Verdict
) -> None:
    """Throughput was low in the first Rounds alone; CPU time is too much worse in all of them together."""

    def change(at: int, seen: SliceRecord) -> SliceRecord:
        if seen.phase is Phase.SATURATED:
            return replace(seen, requests=round(seen.requests * (0.9 if at < ROUNDS_AT_LEAST else 1)))
        return in_rounds(*factors)(at, seen)

    job = Job(change)
    result = job.run(precision=0.07)
    assert result.measured_again
    assert any(job.started)
    assert of(result, "throughput_rps").verdict is Verdict.UNDECIDED
    found = of(result)
    assert found.ratio is not None
    assert found.ratio.low is not None
    assert found.ratio.low > 1.03
    assert found.verdict is expected
    assert [why.code for why in found.reasons] == ([Code.NOT_SEEN_TWICE] if expected is Verdict.UNDECIDED else [])
    assert all(why.values["first"] == pytest.approx(1.02, abs=0.005) for why in found.reasons)


def test_a_regression_that_shows_late_must_be_in_both_measurements() -> None:
    """It was in doubt when most of the budget was spent; what was left is the second measurement."""
    job = Job(in_rounds(*(1.02, 1.07) * 4, 1.02, 1.06))
    result = job.run(precision=0.0001)
    assert of(result).verdict is Verdict.SLOWER
    assert result.measured_again
    assert set(job.started) == {False}  # as nothing had shown by then

    once = Job(in_rounds(*(0.96, 1.06) * 4, 0.96, 1.16))
    assert of(once.run(precision=0.0001)).verdict is Verdict.UNDECIDED


def test_a_regression_in_each_measurement_that_may_be_allowed_is_said_to_be_that() -> None:
    """It showed twice, so that it was not seen twice cannot be the reason."""
    found = of(Job(in_rounds(1.04, 1.041, 1.04, 1.041, 1.02), noise=0.001).run())
    assert found.verdict is Verdict.UNDECIDED
    (why,) = found.reasons
    assert (why.code, why.values["allowed_share"]) == (Code.NOT_CERTAIN, 0.03)


def test_a_regression_of_one_app_fits_into_the_budget_and_keeps_nearly_all_duets() -> None:
    """Two measurements of four Rounds fit into 120 s with two counts of instructions, at the cost of other slices."""
    job = PlannedJob(costs(1.08), instructions=[(1000.0, 1080.0)] * 2)
    result = job.run()
    assert len(job.observations) == 4
    assert result.rounds == 2 * ROUNDS_AT_LEAST
    assert result.spent_s <= 120
    duets = {(seen.round, seen.slice) for seen in job.records if seen.phase is Phase.DUET}
    assert len(duets) >= result.rounds * (BOUT.duets - 1)


@given(most_s=st.floats(0, 20))
def test_a_bout_takes_no_longer_than_it_may_and_gives_up_duets_last(most_s: float) -> None:
    """Down to one slice of each kind."""
    found = BOUT.within(most_s)
    assert found.expected_s <= most_s or (found.duets, found.saturated, found.fixed) == (1, 1, 1)
    assert found.duets == BOUT.duets or (found.saturated, found.fixed) <= (2, 2)
    assert 1 <= found.repeats <= BOUT.repeats
    assert BOUT.within(BOUT.expected_s) == BOUT


def test_a_regression_of_one_of_two_apps_fits_into_the_budget() -> None:
    """Rounds have fewer slices, and a regression needs twice as many as no difference does."""
    result = PlannedJob(costs(1.08)).run(pairs=TWO_PAIRS)
    assert regressed(result)
    assert result.rounds >= 2 * ROUNDS_AT_LEAST
    assert result.spent_s <= 120


def test_an_improvement_is_not_measured_again() -> None:
    """Nobody is to be stopped by it."""
    result = Job(costs(0.9)).run()
    assert of(result).verdict is Verdict.FASTER
    assert not result.measured_again


def test_a_wrong_answer_makes_all_of_it_invalid() -> None:
    """However fast it was given, and in whichever Round; the reason says by which side."""
    result = Job(lambda at, seen: replace(seen, errors={"wrong body": 1}) if at == 1 else seen, noise=0.001).run()
    assert {found.verdict for found in result.evidence["alpha"]} == {Verdict.INVALID}
    (why,) = of(result).reasons
    assert (why.code, why.of, why.values) == (Code.NOT_VALID, "HEAD", {"status": Status.FAILING})
    (cause,) = why.because
    assert (cause.code, cause.values["kinds"]) == (Code.WRONG_ANSWERS, ("wrong body",))


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([(1000.0, 1002.0)], Verdict.NO_DIFFERENCE),
        ([(1000.0, 1010.0), (1000.0, 1010.0)], Verdict.SLOWER),
        ([(1000.0, 1010.0), (1000.0, 1000.0)], Verdict.UNDECIDED),
        ([(1000.0, 1007.0), (1000.0, 1005.0)], Verdict.UNDECIDED),
        ([(1000.0, 990.0)], Verdict.FASTER),
    ],
)
def test_instructions_have_a_threshold_of_their_own(counts: list[tuple[float, float]], expected: Verdict) -> None:
    """One percent more is found, and counted again, though it is less than what is allowed of time."""
    job = Job(instructions=counts, noise=0.001)
    result = job.run()
    assert of(result, "instructions_per_request").verdict is expected
    assert len(job.observations) == 2 * len(counts)
    assert result.counted == tuple(job.observations)
    assert result.rounds == ROUNDS_AT_LEAST  # more rounds would say nothing of instructions


@pytest.mark.parametrize(("second", "code"), [(1000.0, Code.NOT_SEEN_TWICE), (1005.0, Code.NOT_CERTAIN)])
def test_why_instructions_are_undecided_is_said_of_both_counts(second: float, code: Code) -> None:
    """The second count has to be worse by more than what is allowed, too."""
    result = Job(instructions=[(1000.0, 1007.0), (1000.0, second)], noise=0.001).run()
    (why,) = of(result, "instructions_per_request").reasons
    assert why.code is code
    assert (why.values["first"], why.values["second"]) == pytest.approx((1.007, second / 1000))


def test_a_side_that_cannot_be_served_ends_it() -> None:
    """The reason names the Lane, and with it the side, the stage and the cause; each failure is stored."""
    failures = [failure(HEAD.name), failure(BASE.name)]
    job = Job(failures=failures)
    with pytest.raises(NothingToMeasure) as ended:
        job.run()
    (why,) = ended.value.reasons
    assert (why.code, why.of, why.because) == (Code.LANE_FAILED, HEAD.name, (failures[0].reason,))
    assert why.values == {"round": failures[0].round, "stage": Stage.LOAD, "log": "bye"}
    assert job.failed == failures


def test_an_app_that_fails_is_invalid_and_the_others_go_on() -> None:
    """What is known of the others is not lost with it, whether it fails at its start or later under load."""
    job = FailingJob(OTHERS[1].name, at_round=2)
    result = job.run(pairs=TWO_PAIRS, precision=0.0001)
    assert {found.verdict for found in result.evidence["beta"]} == {Verdict.INVALID}
    (why,) = result.evidence["beta"][0].reasons
    assert (why.code, why.of) == (Code.LANE_FAILED, OTHERS[1].name)
    assert why.values == {"round": 0, "stage": Stage.LOAD, "log": "bye"}
    assert why.because == (job.failed[0].reason,)
    assert of(result).verdict is Verdict.NO_DIFFERENCE
    assert result.rounds > ROUNDS_AT_LEAST
    assert {seen.lane for seen in job.records if seen.round > job.at_round} == {BASE.name, HEAD.name}
    assert [found.lane for found in job.failed] == [OTHERS[1].name]


class SilentRound(FakeRound):
    """A Round in which no Lane of beta gives a right answer under load."""

    def _record(self, planned: Slice, lane: str) -> SliceRecord:
        seen = super()._record(planned, lane)
        silent = replace(seen, requests=0, requests_in_slice=0, errors={"status 500": 9})
        return silent if lane in (OTHERS[0].name, OTHERS[1].name) else seen


class SilentJob(Job):
    """A comparison of such Rounds."""

    @contextmanager
    def _round(self, index: int) -> Iterator[FakeRound]:
        yield SilentRound(index, self._change, self._noise, self._failures)
        self.spent_s += ROUND_S


def test_an_app_without_one_right_answer_under_load_is_invalid_and_the_others_go_on() -> None:
    """There is no rate at which to compare its latency; the reason names what came instead of answers."""
    job = SilentJob()
    result = job.run(pairs=TWO_PAIRS)
    assert {found.verdict for found in result.evidence["beta"]} == {Verdict.INVALID}
    (why,) = result.evidence["beta"][0].reasons
    assert (why.code, why.values["stage"]) == (Code.LANE_FAILED, Stage.LOAD)
    assert why.because == (reason(Code.NEITHER_SIDE_ANSWERED, kinds=("status 500",)),)
    assert of(result).verdict is Verdict.NO_DIFFERENCE
    assert {seen.lane for seen in job.records if seen.phase is not Phase.WARM_UP} == {BASE.name, HEAD.name}


def stolen_in(discarded_slices: set[int]) -> Change:
    """Returns what it is that the hypervisor takes half of some Slices of each Round, as HEAD's record alone says."""
    return lambda _, seen: replace(seen, steal_s=seen.slice_s / 2) if seen.slice in discarded_slices else seen


def test_a_duet_that_was_discarded_for_one_lane_is_measured_again_for_both() -> None:
    """Both records have the reason, and so have both of the repeat, at the end of its Round, what they repeat."""
    discarded_index = len(WHOLE.lanes)  # the first after the warm-up
    job = Job(stolen_in({discarded_index}), noise=0.001)
    result = job.run()
    of_round = [seen for seen in job.records if seen.round == 1]
    discarded = [seen for seen in of_round if seen.discarded]
    assert {(seen.phase, seen.slice, seen.lane) for seen in discarded} == {
        (Phase.DUET, discarded_index, lane.name) for lane in (BASE, HEAD)
    }
    assert {seen.discarded.code for seen in discarded if seen.discarded} == {Code.STEAL}
    repeats = of_round[-2:]
    assert {(seen.repeat_of, seen.lane, seen.load) for seen in repeats} == {
        (discarded_index, seen.lane, seen.load) for seen in discarded
    }
    assert result.notes == (reason(Code.SLICES_DISCARDED, repeated=result.rounds, counted=0),)


def test_what_was_discarded_is_in_no_ratio() -> None:
    """HEAD cost many times as much in slices of each phase that the hypervisor disturbed, and no more in the others."""
    discarded = {2, 8, 9, 18, 19}  # a Duet, and HEAD saturated and at the fixed rate: it comes first or second

    def change(index: int, seen: SliceRecord) -> SliceRecord:
        seen = stolen_in(discarded)(index, seen)
        slow = spread(9, 90_000)
        disturbed = replace(costs(20.0)(index, seen), requests=9, latency_us=slow, latency_from_intended_us=slow)
        return disturbed if seen.steal_s else seen

    job = Job(change, noise=0.001)
    result = job.run()
    assert {seen.phase for seen in job.records if seen.discarded} == {Phase.DUET, Phase.SATURATED, Phase.FIXED}
    found = [of(result, metric).ratio for metric in steering_metrics()]
    assert [ratio.point for ratio in found if ratio] == pytest.approx([1.0] * len(steering_metrics()), rel=0.01)


@pytest.mark.parametrize("discarded", [{3}, set(range(2, 8)), set(range(60))])
def test_repeats_are_bounded_and_every_slice_counts_once(discarded: set[int]) -> None:
    """However bad it gets, a Round has at most its repeats more, and both sides count as often as they were to."""
    job = Job(stolen_in(discarded), noise=0.001)
    job.run()
    of_round = [seen for seen in job.records if seen.round == 0]
    assert len({seen.slice for seen in of_round if seen.discarded}) <= BOUT.repeats
    planned = {Phase.WARM_UP: 1, Phase.DUET: BOUT.duets, Phase.SATURATED: BOUT.saturated, Phase.FIXED: BOUT.fixed}
    assert Counter((seen.phase, seen.lane) for seen in of_round if not seen.discarded) == {
        (phase, lane.name): count for phase, count in planned.items() for lane in (BASE, HEAD)
    }
    assert all(seen.discarded or seen.not_repeated for seen in of_round if seen.steal_s)


@pytest.mark.parametrize("pairs", [TWO_PAIRS[:1], TWO_PAIRS])
def test_what_is_judged_and_what_steers_is_corrected_for_the_number_of_apps(pairs: Sequence[Pair]) -> None:
    """Both are the ratios whose intervals hold for all Apps of the comparison at once."""
    job = Job()
    result = job.run(pairs=pairs)
    expected = {pair.app: ratios.ratios(folded(pair, job.records), apps=len(pairs)) for pair in pairs}
    judged = {app: {found.metric: found.ratio for found in of_app} for app, of_app in result.evidence.items()}
    assert judged == expected
    steering = [of_app[metric] for of_app in expected.values() for metric in steering_metrics()]
    assert job.widest[-1] == max(map(verdict.half_width, steering))


def test_every_round_is_folded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many follow, and though two measurements are compared: each App's slices of each Round, and no others."""
    seen: list[tuple[str, int, int]] = []
    fold = ratios.fold

    def spy(pair: Pair, index: int, records: Sequence[SliceRecord]) -> AppRound:
        seen.append((pair.app, index, len(records)))
        return fold(pair, index, records)

    monkeypatch.setattr(ratios, "fold", spy)
    job = Job(costs(1.08))
    result = job.run(pairs=TWO_PAIRS)
    sizes = Counter(record.round for record in job.records)
    assert result.measured_again
    assert seen == [(pair.app, index, sizes[index]) for index in range(result.rounds) for pair in TWO_PAIRS]
