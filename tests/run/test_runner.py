"""The runner, with Rounds that answer at once: what happens when, and what is kept whatever happens."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.analysis import discard
from bench.analysis.parity import LanesDiffer
from bench.cli.sweep_option import parse_sweep
from bench.model import schedule
from bench.model.experiment import Experiment, Lane, Sweep, without
from bench.model.load import Closed, Open, Phase
from bench.model.reason import Code, reason
from bench.model.records import Failure, LaneFacts, Manifest, Observation, SliceRecord, Stage
from bench.model.schedule import Slice
from bench.run.runner import NothingToMeasure, Runner
from tests.builders.runs import RPS, A, B, G, R, experiment, facts, failure, manifest, record

Answer = Callable[[int, Slice], SliceRecord]
WHOLE = experiment()
NAMES = [lane.name for lane in WHOLE.lanes]
PLAYED = (Phase.WARM_UP, Phase.SATURATED, Phase.FIXED)
"""The phases of a run; duets belong to comparisons."""


class FakeRound:
    """A Round whose Slices end at once. ``dying`` are Lanes whose server is found gone after a wrong answer."""

    def __init__(
        self,
        index: int,
        answer: Answer,
        started: Sequence[LaneFacts],
        failures: Sequence[Failure],
        dying: Sequence[str],
    ) -> None:
        self._index = index
        self._answer = answer
        self._dying = dying
        self.facts = tuple(started)
        self.failures = tuple(failures)
        self.driver_versions: Mapping[str, str] = {"locust": "2.47.0"}

    def measure(self, planned: Slice) -> tuple[SliceRecord, ...]:
        record = self._answer(self._index, planned)
        self._has_answered_wrongly = bool(record.errors)
        return (record,)

    def failure(self, lane: str) -> Failure | None:
        gone = lane in self._dying and self._has_answered_wrongly
        return failure(lane, round=self._index) if gone else None


class Diary:
    """A Sink and a Watcher that writes down all that it hears, in order."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.manifests: list[Manifest] = []
        self.records: list[SliceRecord] = []
        self.failures: list[Failure] = []
        self.planned: list[Slice] = []
        self.heard: list[object] = []

    def describe(self, manifest: Manifest) -> None:
        self.events.append("describe")
        self.manifests.append(manifest)

    def append(self, record: SliceRecord) -> None:
        self.events.append("append")
        self.records.append(record)

    def fail(self, failure: Failure) -> None:
        self.events.append(f"fail {failure.lane}")
        self.failures.append(failure)

    def observe(self, observation: Observation) -> None:
        self.events.append(f"observe {observation.metric}")

    def sync(self) -> None:
        self.events.append("sync")

    def round_started(self, index: int) -> None:
        self.events.append(f"round {index}")

    def slice_started(self, planned: Slice) -> None:
        self.events.append("slice")
        self.planned.append(planned)

    def slice_ended(self, record: SliceRecord) -> None:
        self.events.append("ended")
        self.heard.append(record)

    def lane_failed(self, failure: Failure) -> None:
        self.events.append("heard of failure")
        self.heard.append(failure)

    def visits(self, index: int | None = None) -> Counter[str]:
        """Returns how often each Lane was measured, in one Round or in all."""
        return Counter(record.lane for record in self.records if index in (None, record.round))


def steady(index: int, planned: Slice) -> SliceRecord:
    """Returns what a Lane does at its usual throughput."""
    (lane,) = planned.lanes
    return record(planned, round=index, requests=round(RPS[lane] * planned.window_s))


class Rehearsal:
    """A run under fake conditions.

    ``failing`` and ``dying`` have the Lanes that do so, by Round; ``odd`` is what is different about Beta.
    """

    def __init__(
        self,
        answer: Answer = steady,
        *,
        whole: Experiment = WHOLE,
        failing: Mapping[int, Sequence[str]] | None = None,
        dying: Mapping[int, Sequence[str]] | None = None,
        odd: Mapping[str, Any] | None = None,
    ) -> None:
        self.diary = Diary()
        self.opened: list[tuple[str, ...]] = []
        self.closed = 0
        self._answer = answer
        self._failing = failing or {}
        self._dying = dying or {}
        self._odd = odd or {}
        self.draft = manifest(whole, driver_versions={}, lanes=())

    def open_round(self, index: int, lanes: tuple[Lane, ...]) -> AbstractContextManager[FakeRound]:
        self.opened.append(tuple(lane.name for lane in lanes))
        return self._round(index, lanes)

    @contextmanager
    def _round(self, index: int, lanes: tuple[Lane, ...]) -> Iterator[FakeRound]:
        failing = self._failing.get(index, ())
        started = [facts(lane, **(self._odd if lane.name == B else {})) for lane in lanes if lane.name not in failing]
        failures = [failure(lane.name, round=index, stage=Stage.START) for lane in lanes if lane.name in failing]
        try:
            yield FakeRound(index, self._answer, started, failures, self._dying.get(index, ()))
        finally:
            self.closed += 1

    def run(self, *failures: Failure) -> Diary:
        Runner(self.draft, self.open_round, self.diary, self.diary).run(failures)
        return self.diary


def wrong_in(index: int, lane: str, phase: Phase, right: int = 0) -> Answer:
    """Returns an answer in which a Lane answers wrongly in one phase of one Round."""

    def answer(at: int, planned: Slice) -> SliceRecord:
        seen = steady(at, planned)
        if (at, planned.lanes[0], planned.phase) == (index, lane, phase):
            return replace(seen, requests=right, errors={"connection refused": 3})
        return seen

    return answer


def rates(diary: Diary) -> set[float]:
    """Returns the rates of all fixed Slices."""
    return {planned.load.rate_rps for planned in diary.planned if isinstance(planned.load, Open)}


def stolen_in(discarded_slices: set[int]) -> Answer:
    """Returns an answer in which the hypervisor takes half of some Slices of each Round."""

    def answer(at: int, planned: Slice) -> SliceRecord:
        seen = steady(at, planned)
        return replace(seen, steal_s=seen.slice_s / 2) if planned.index in discarded_slices else seen

    return answer


def test_a_discarded_slice_is_measured_again_at_the_end_of_its_round() -> None:
    """The discarded one is kept with its reason, and the repeat has the same Lane and Load and says what it repeats."""
    whole = replace(WHOLE, preset=replace(WHOLE.preset, repeats=2))
    discarded_index = len(WHOLE.lanes)  # the first after the warm-up
    first_round = [
        seen for seen in Rehearsal(stolen_in({discarded_index}), whole=whole).run().records if seen.round == 0
    ]
    (discarded,) = (seen for seen in first_round if seen.discarded)
    assert discarded.slice == discarded_index
    assert discarded.discarded
    assert discarded.discarded.code is Code.STEAL
    repeat = first_round[-1]
    assert (repeat.repeat_of, repeat.lane, repeat.phase, repeat.load) == (
        discarded.slice,
        discarded.lane,
        discarded.phase,
        discarded.load,
    )
    assert len({seen.slice for seen in first_round}) == len(first_round)


@given(repeats=st.integers(0, 5), discarded=st.sets(st.integers(0, 200)))
def test_repeats_are_bounded_and_every_slice_counts_once(repeats: int, discarded: set[int]) -> None:
    """However bad it gets, a Round has at most its repeats more; what can't be repeated counts as it is."""
    whole = replace(WHOLE, preset=replace(WHOLE.preset, repeats=repeats))
    diary = Rehearsal(stolen_in(discarded), whole=whole).run()
    for index in range(whole.preset.rounds):
        seen = [record for record in diary.records if record.round == index]
        assert sum(record.discarded is not None for record in seen) <= repeats
        assert sum(record.discarded is None for record in seen) == schedule.slices_per_round(whole)
        assert all(record.discarded or record.not_repeated for record in seen if record.steal_s)


def test_a_slice_that_was_discarded_and_counts_says_why() -> None:
    """In the warm-up, and where the Round's repeats are used up."""
    whole = replace(WHOLE, preset=replace(WHOLE.preset, repeats=1))
    warm, measured = 0, len(WHOLE.lanes)
    seen = {row.slice: row for row in Rehearsal(stolen_in({warm, measured, measured + 1}), whole=whole).run().records}
    why = reason(Code.STEAL, steal_s=seen[measured].steal_s, slice_s=seen[measured].slice_s)
    assert (seen[measured].discarded, seen[measured].not_repeated) == (why, None)
    for index in (warm, measured + 1):
        assert (seen[index].discarded, seen[index].not_repeated) == (None, discard.why_discarded(seen[index]))
        assert seen[index].not_repeated


@pytest.mark.parametrize("text", ["users=1..8", "rate=100..1000"])
def test_a_sweep_is_its_plan(text: str) -> None:
    """After the warm-up each Lane is offered each load once a Round; the settle is that of the slowest Lane seen."""
    sweep = Sweep(loads=parse_sweep(text), slo_ms=10.0)
    whole = replace(WHOLE, sweep=sweep)
    diary = Rehearsal(whole=whole).run()
    expected = [
        planned
        for index in range(whole.preset.rounds)
        for planned in (
            *schedule.warm_up_slices(whole, index),
            *schedule.sweep_slices(whole, sweep, index, RPS[G], first_index=len(NAMES)),
        )
    ]
    assert diary.planned == expected
    assert diary.visits() == dict.fromkeys(NAMES, 3 * (1 + len(sweep.loads)))


def test_a_run_is_its_plan() -> None:
    """Each Round is measured as planned, to the Slice, and everything is appended in that order."""
    diary = Rehearsal().run()
    rate = 0.5 * RPS[G]
    expected = [
        planned
        for index in range(WHOLE.preset.rounds)
        for planned in (
            *schedule.warm_up_slices(WHOLE, index),
            *schedule.measured_slices(WHOLE, index, rate, first_index=len(NAMES)),
        )
    ]
    assert diary.planned == expected
    assert [(row.lane, row.slice, row.phase, row.load) for row in diary.records] == [
        (planned.lanes[0], planned.index, planned.phase, planned.load) for planned in expected
    ]
    assert diary.heard == diary.records


@given(seed=st.integers(0, 2**32), rounds=st.integers(1, 5))
def test_every_lane_is_visited_equally(seed: int, rounds: int) -> None:
    """In each Round, under any seed, every Lane has as many Slices as every other."""
    whole = replace(WHOLE, seed=seed, preset=replace(WHOLE.preset, rounds=rounds))
    diary = Rehearsal(whole=whole).run()
    for index in range(rounds):
        assert diary.visits(index) == dict.fromkeys(NAMES, 1 + 2 + 1)


def test_things_happen_in_order() -> None:
    """A Round is announced, measured, synced; each Slice is appended before anyone hears of it.

    The run is described before its first Round, so that whatever it leaves can be read, and again with what the servers
    of that Round told.
    """
    events = Rehearsal().run().events
    per_slice = ["slice", "append", "ended"]
    slices = schedule.slices_per_round(WHOLE)
    assert events[:3] == ["describe", "round 0", "describe"]
    assert events[3 : 3 + 3 * slices + 2] == [*per_slice * slices, "sync", "round 1"]
    assert events.count("describe") == 2
    assert events.count("sync") == WHOLE.preset.rounds
    assert events[-1] == "sync"


def test_every_round_is_fresh_and_closed() -> None:
    """A Round is opened for all Lanes that are left, and its servers are gone after it."""
    stage = Rehearsal()
    stage.run()
    assert stage.opened == [tuple(NAMES)] * WHOLE.preset.rounds
    assert stage.closed == WHOLE.preset.rounds


def test_the_manifest_is_completed_by_the_first_round() -> None:
    """Facts and driver are those of the servers that ran; the Experiment is the one that was ordered."""
    stage = Rehearsal(failing={0: [B]})
    first, written = stage.run().manifests
    assert first == stage.draft
    assert (first.lanes, first.driver_versions) == ((), {})
    assert [fact.lane for fact in written.lanes] == [name for name in NAMES if name != B]
    assert written.driver_versions == {"locust": "2.47.0"}
    assert written.experiment == WHOLE


def test_irremovable_differences_are_written_down() -> None:
    """Differences that no setting removes belong to the manifest."""
    turned = facts(WHOLE.lanes[1]).response_headers[::-1]
    first, written = Rehearsal(odd={"response_headers": turned}).run().manifests
    assert first.irremovable_differences == ()
    assert len(written.irremovable_differences) == 2


def test_lanes_that_are_not_comparable_are_not_measured() -> None:
    """No facts are described and no Slice is played; the Round is closed all the same."""
    stage = Rehearsal(odd={"workers": 4})
    with pytest.raises(LanesDiffer, match=r"\+workers 4"):
        stage.run()
    assert stage.diary.events == ["describe", "round 0"]
    assert stage.diary.manifests == [stage.draft]
    assert stage.closed == 1


def test_lanes_that_failed_beforehand_are_left_out() -> None:
    """They are noted before the first Round, and never started."""
    stage = Rehearsal()
    diary = stage.run(failure(A, stage=Stage.ENVIRONMENT), failure(R, stage=Stage.ENVIRONMENT))
    failed = [f"fail {A}", "heard of failure", f"fail {R}", "heard of failure"]
    assert diary.events[:6] == ["describe", *failed, "round 0"]
    left = tuple(name for name in NAMES if name not in (A, R))
    assert stage.opened == [left] * WHOLE.preset.rounds
    assert set(diary.visits()) == set(left)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_lane_that_fails_at_start_is_left_out_from_then_on(index: int) -> None:
    """It was measured in the Rounds before; the others go on as planned, each as often as ever."""
    stage = Rehearsal(failing={index: [B]})
    diary = stage.run()
    assert [failed.lane for failed in diary.failures] == [B]
    assert diary.visits()[B] == 4 * index
    assert all(diary.visits()[name] == 4 * 3 for name in NAMES if name != B)
    assert [B in lanes for lanes in stage.opened] == [at <= index for at in range(3)]


@pytest.mark.parametrize("phase", PLAYED)
def test_a_lane_that_dies_under_load_is_left_out_at_once(phase: Phase) -> None:
    """The Slice that saw it is kept; no other is offered to it, in this Round or later."""
    stage = Rehearsal(wrong_in(1, B, phase), dying={1: [B]})
    diary = stage.run()
    last = [row for row in diary.records if row.lane == B][-1]
    assert (last.round, last.phase, last.errors) == (1, phase, {"connection refused": 3})
    assert [(failed.lane, failed.round, failed.stage) for failed in diary.failures] == [(B, 1, Stage.LOAD)]
    assert stage.opened[2] == tuple(name for name in NAMES if name != B)
    assert all(diary.visits()[name] == 4 * 3 for name in NAMES if name != B)
    indices = [row.slice for row in diary.records if row.round == 1]
    assert all(a < b for a, b in pairwise(indices))


def test_a_lane_that_answers_wrongly_but_lives_goes_on() -> None:
    """Wrong answers are recorded; only a server that is gone is left out."""
    diary = Rehearsal(wrong_in(0, B, Phase.SATURATED)).run()
    assert diary.failures == []
    assert diary.visits() == dict.fromkeys(NAMES, 4 * 3)
    assert sum(row.errors != {} for row in diary.records) == WHOLE.preset.saturated_slices


def test_the_rate_is_found_by_the_first_warm_up_and_kept() -> None:
    """Whatever later Rounds do, all fixed Slices have the one rate: half of the slowest Lane's throughput."""

    def ever_slower(index: int, planned: Slice) -> SliceRecord:
        seen = steady(index, planned)
        return replace(seen, requests=seen.requests // (1 + 3 * index))

    assert rates(Rehearsal(ever_slower).run()) == {0.5 * RPS[G]}


def test_a_lane_without_a_right_answer_does_not_set_the_rate() -> None:
    """Others would be measured at no rate at all."""
    assert rates(Rehearsal(wrong_in(0, G, Phase.WARM_UP)).run()) == {0.5 * RPS[B]}


def test_a_lane_that_died_in_the_warm_up_does_not_set_the_rate() -> None:
    """A few right answers before its end are no throughput, and it is not measured at the rate anyway."""
    stage = Rehearsal(wrong_in(0, G, Phase.WARM_UP, right=2), dying={0: [G]})
    assert rates(stage.run()) == {0.5 * RPS[B]}


def test_a_lane_that_failed_beforehand_does_not_set_the_rate() -> None:
    """The slowest Lane is the slowest of those that are left."""
    assert rates(Rehearsal().run(failure(G))) == {0.5 * RPS[B]}


def test_warm_up_and_saturated_slices_are_closed() -> None:
    """They have the users of the configuration in every Round."""
    loads = {planned.load for planned in Rehearsal().run().planned if planned.phase is not Phase.FIXED}
    assert loads == {Closed(WHOLE.load.users)}


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("count", [0, 1, 7, 20, 33])
def test_an_interruption_leaves_what_was_appended(interruption: type[BaseException], count: int) -> None:
    """What was measured until then is with the sink, the Round is closed, and the interruption goes on."""

    def interrupted(index: int, planned: Slice) -> SliceRecord:
        if index * schedule.slices_per_round(WHOLE) + planned.index == count:
            raise interruption
        return steady(index, planned)

    stage = Rehearsal(interrupted)
    with pytest.raises(interruption):
        stage.run()
    assert len(stage.diary.records) == count
    assert stage.diary.records == Rehearsal().run().records[:count]
    assert stage.diary.manifests == Rehearsal().run().manifests
    assert stage.closed == len(stage.opened)


def test_no_lane_left_beforehand_is_nothing_to_measure() -> None:
    """No server is started for nobody; the run is described, and all failures are noted."""
    stage = Rehearsal()
    with pytest.raises(NothingToMeasure):
        stage.run(*map(failure, NAMES))
    assert stage.opened == []
    assert stage.diary.manifests == [stage.draft]
    assert [failed.lane for failed in stage.diary.failures] == NAMES


def test_no_lane_left_at_start_is_nothing_to_measure() -> None:
    """Where every server fails there are no facts to describe; the Round is closed."""
    stage = Rehearsal(failing={0: NAMES})
    with pytest.raises(NothingToMeasure):
        stage.run()
    assert (stage.diary.manifests, stage.diary.records, stage.closed) == ([stage.draft], [], 1)


def test_no_lane_left_under_load_is_nothing_to_measure() -> None:
    """Where the last server dies in the warm-up, there is nobody to offer a rate to."""
    alone = without(WHOLE, [name for name in NAMES if name != A])
    stage = Rehearsal(wrong_in(0, A, Phase.WARM_UP), whole=alone, dying={0: [A]})
    with pytest.raises(NothingToMeasure):
        stage.run()
    assert len(stage.diary.records) == 1


def test_no_right_answer_is_nothing_to_measure() -> None:
    """Where no Lane answers rightly, there is no rate; what was seen is kept."""
    stage = Rehearsal(lambda index, planned: replace(steady(index, planned), requests=0, errors={"status 500": 9}))
    with pytest.raises(NothingToMeasure) as ended:
        stage.run()
    assert ended.value.reasons == (reason(Code.NO_LANE_ANSWERED),)
    assert stage.diary.visits() == dict.fromkeys(NAMES, 1)


@given(
    failing=st.dictionaries(st.integers(0, 2), st.sets(st.sampled_from(NAMES))),
    dying=st.dictionaries(st.integers(0, 2), st.sets(st.sampled_from(NAMES))),
    phase=st.sampled_from(PLAYED),
)
def test_whatever_fails_the_others_are_visited_equally(
    failing: dict[int, set[str]], dying: dict[int, set[str]], phase: Phase
) -> None:
    """Lanes that never fail have all their Slices; each that does, fails once and is not measured again."""

    def answer(index: int, planned: Slice) -> SliceRecord:
        seen = steady(index, planned)
        dead = planned.lanes[0] in dying.get(index, ()) and planned.phase is phase
        return replace(seen, errors={"connection reset": 1}) if dead else seen

    unlucky = set().union(*failing.values(), *dying.values())
    stage = Rehearsal(
        answer,
        failing={index: sorted(lanes) for index, lanes in failing.items()},
        dying={index: sorted(lanes) for index, lanes in dying.items()},
    )
    if unlucky == set(NAMES):
        return  # how a run without Lanes ends has its own tests
    diary = stage.run()
    assert Counter(failed.lane for failed in diary.failures) == dict.fromkeys(unlucky, 1)
    assert all(diary.visits()[name] == 4 * 3 for name in NAMES if name not in unlucky)
    assert all(diary.visits()[name] < 4 * 3 or phase is Phase.FIXED for name in unlucky)
    assert stage.closed == len(stage.opened) == 3
