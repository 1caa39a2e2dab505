"""Two versions of Apps compared in one run: rounds until the answer is precise, and a regression measured again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import inf
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from bench.analysis import discard, validity
from bench.model import quotients, schedule
from bench.model.estimate import Estimate
from bench.model.experiment import Experiment
from bench.model.metrics import METRICS
from bench.model.reason import Code, Reason, reason
from bench.model.records import Failure, LaneFacts, Observation, SliceRecord, Stage
from bench.model.regression import Evidence, Verdict
from bench.model.schedule import RoundPlan, Slice
from bench.regression import ratios, verdict
from bench.regression.ratios import Allowed, AppRound, Pair
from bench.run.runner import NothingToMeasure, OpenRound, Round, Sink, measure_with_repeats

ROUNDS_AT_LEAST = 4
"""Fewer say little of how much one start differs from the next."""
FIRST_SHARE = 0.5
"""The share of the budget after which a regression is measured again, and counted again, so that there is time to."""


class Terms(Struct, frozen=True, kw_only=True):
    """What is asked of a comparison. ``precision`` is half the width of an interval, as a share."""

    allowed: Allowed
    precision: float
    budget_s: float


class AbPlan(Struct, frozen=True):
    """What is compared, and what is asked of the answer."""

    experiment: Experiment
    pairs: tuple[Pair, ...]
    terms: Terms


class AbWatcher(Protocol):
    """Who looks on."""

    def round_started(self, index: int, *, again: bool) -> None:
        """Hears that a Round begins."""

    def round_ended(self, spent_s: float, widest: float) -> None:
        """Hears how much of the budget is spent, and half the width of the widest interval, as a share."""


CountInstructions = Callable[[], Sequence[Observation]]
"""Counts the instructions of all Lanes: nothing where they were not asked for."""


class AbResult(Struct, frozen=True):
    """What a comparison came to: evidence by App; ``measured_again`` where a regression had to be seen twice.

    ``counted`` are all counts of instructions, of both measurements.
    """

    evidence: Mapping[str, tuple[Evidence, ...]]
    counted: tuple[Observation, ...]
    facts: tuple[LaneFacts, ...]
    rounds: int
    measured_again: bool
    spent_s: float
    notes: tuple[Reason, ...]


class FirstPass(Struct, frozen=True):
    """The first measurement: what a Round has, the instructions counted, and how many Rounds there were.

    ``slower`` is what was slower by then, by App and metric.
    """

    round_plan: RoundPlan
    counted: Sequence[Observation]
    rounds: int
    slower: frozenset[tuple[str, str]]


class AbRunner:
    """One comparison, whose time begins now. Decides when to stop; starts and measures nothing itself."""

    def __init__(
        self,
        plan: AbPlan,
        open_round: OpenRound,
        count: CountInstructions,
        sink: Sink,
        watcher: AbWatcher,
        clock: Callable[[], float],
    ) -> None:
        self._plan = plan
        self._app_of = {lane: pair.app for pair in plan.pairs for lane in (pair.base, pair.head)}
        self._open_round = open_round
        self._count = count
        self._sink = sink
        self._watcher = watcher
        self._clock = clock
        self._began = clock()
        self._records: list[SliceRecord] = []
        self._folded: list[dict[str, AppRound]] = []  # a Round each, by App
        self._facts: tuple[LaneFacts, ...] = ()
        self._rates_rps: dict[str, float] = {}
        self._failed: dict[str, Failure] = {}

    def run(self) -> AbResult:
        """Compares. Raises NothingToMeasure where a side cannot be served, and what the rounds raise."""
        first = self._first_pass()
        counted_again = self._confirm(first)
        return self._judge(first, counted_again)

    def _first_pass(self) -> FirstPass:
        """Measures until it is precise, or half of the budget is spent."""
        counted = self._counted()
        round_plan = self._fitting(self._plan.terms.budget_s - 2 * self._spent_s)
        self._measure(round_plan, self._plan.terms.budget_s * FIRST_SHARE, first=0)
        return FirstPass(round_plan, counted, len(self._folded), self._slower(counted))

    def _confirm(self, first: FirstPass) -> Sequence[Observation]:
        """Measures what is slower so far again, by fresh processes, and goes on with what is not yet precise.

        Returns the second count of instructions, where the first one was slower.
        """
        slower, counts = {metric for _, metric in first.slower}, {*METRICS.counted()}
        counted_again = self._counted() if slower & counts else ()
        self._measure(first.round_plan, self._plan.terms.budget_s, first=first.rounds if slower - counts else 0)
        return counted_again

    def _judge(self, first: FirstPass, counted_again: Sequence[Observation]) -> AbResult:
        """Judges by all Rounds; what is slower has to be so in both measurements."""
        found = {pair.app: tuple(self._confirmed(pair, first, counted_again)) for pair in self._standing}
        found |= {app: ratios.failed(failure) for app, failure in self._failed.items()}
        stands = any(item.verdict is Verdict.SLOWER for of_app in found.values() for item in of_app)
        return AbResult(
            evidence=found,
            counted=(*first.counted, *counted_again),
            facts=self._facts,
            rounds=len(self._folded),
            measured_again=bool(first.slower) or stands,
            spent_s=self._spent_s,
            notes=discard.note(self._records),
        )

    @property
    def _standing(self) -> list[Pair]:
        """Returns the Apps of which nothing has failed."""
        return [pair for pair in self._plan.pairs if pair.app not in self._failed]

    @property
    def _spent_s(self) -> float:
        return self._clock() - self._began

    def _fitting(self, left_s: float) -> RoundPlan:
        """Returns what a Round has, such that two measurements of the fewest Rounds fit into what counts leave."""
        return schedule.round_plan(self._plan.experiment, len(self._plan.pairs), left_s / (2 * ROUNDS_AT_LEAST))

    def _measure(self, round_plan: RoundPlan, until_s: float, *, first: int) -> None:
        """Measures Rounds, from ``first`` on, until they are precise enough or the next one would not fit."""
        round_s, known = 0.0, self._steering(first)
        while len(self._folded) - first < ROUNDS_AT_LEAST or (
            self._spent_s + round_s <= until_s and not verdict.is_precise(known, self._plan.terms.precision)
        ):
            began_s = self._spent_s
            self._watcher.round_started(len(self._folded), again=first > 0)
            self._play(len(self._folded), round_plan)
            round_s, known = self._spent_s - began_s, self._steering(first)
            self._watcher.round_ended(self._spent_s, max(map(verdict.half_width, known), default=inf))

    def _play(self, index: int, round_plan: RoundPlan) -> None:
        lanes = tuple(lane for lane in self._plan.experiment.lanes if self._app_of[lane.name] not in self._failed)
        before = len(self._records)
        with self._open_round(index, lanes) as live:
            self._fail(live.failures)
            self._facts = self._facts or live.facts
            warm = [
                record
                for planned in schedule.warm_up_slices(self._plan.experiment, index)
                for record in self._measured(live, planned, repeats_left=0)
            ]
            self._find_rates(index, warm)
            slices = self._slices(index, round_plan, first_index=len(warm))
            measure_with_repeats(slices, round_plan.repeats * len(self._plan.pairs), partial(self._attempt, live))
        self._sink.sync()
        of_round = self._records[before:]
        self._folded.append({pair.app: ratios.fold(pair, index, of_round) for pair in self._standing})

    def _slices(self, index: int, round_plan: RoundPlan, *, first_index: int) -> list[Slice]:
        """Returns the Round's slices after its warm-up, App by App."""
        slices: list[Slice] = []
        for pair in self._standing:
            lanes, rate_rps, at = (pair.base, pair.head), self._rates_rps[pair.app], first_index + len(slices)
            slices += schedule.comparison_slices(lanes, round_plan, index, rate_rps, first_index=at)
        return slices

    def _find_rates(self, index: int, warm: Sequence[SliceRecord]) -> None:
        """Finds the rates of open loads by the first Round's warm-up, and leaves out the Apps that never answered."""
        for pair in [pair for pair in self._standing if pair.app not in self._rates_rps]:
            own = [record for record in warm if record.lane in (pair.base, pair.head)]
            throughputs = [rps for record in own if (rps := quotients.throughput_rps(record))]
            if throughputs:
                share = self._plan.experiment.load.rate_share
                self._rates_rps[pair.app] = schedule.fixed_rate_rps(share, throughputs)
            else:
                self._fail([_silent(pair, index, own)])

    def _attempt(self, live: Round, planned: Slice, repeats_left: int) -> bool:
        """Measures a Slice, and returns whether it has to be measured again."""
        return any(record.discarded for record in self._measured(live, planned, repeats_left=repeats_left))

    def _measured(self, live: Round, planned: Slice, *, repeats_left: int) -> tuple[SliceRecord, ...]:
        if self._app_of[planned.lanes[0]] in self._failed:
            return ()
        records = discard.judged(live.measure(planned), repeats_left)
        for record in records:
            self._sink.append(record)
        self._fail([failure for record in records if (failure := live.failure(record.lane))])
        self._records += records
        return records

    def _fail(self, failures: Sequence[Failure]) -> None:
        """Writes down why Lanes cannot be measured, and goes on without their Apps.

        Raises NothingToMeasure where no other App is left.
        """
        for failure in failures:
            self._sink.fail(failure)
            self._failed.setdefault(self._app_of[failure.lane], failure)
        if not self._standing:
            raise NothingToMeasure(validity.failed_with_log(next(iter(self._failed.values()))))

    def _counted(self) -> Sequence[Observation]:
        counted = self._count()
        for observation in counted:
            self._sink.observe(observation)
        return counted

    def _rounds(self, pair: Pair, first: int = 0, end: int | None = None) -> list[AppRound]:
        """Returns what an App did in the Rounds from ``first`` on, up to ``end``."""
        return [of_round[pair.app] for of_round in self._folded[first:end]]

    def _steering(self, first: int) -> list[Estimate]:
        """Returns the ratios that decide when there are enough Rounds."""
        return ratios.steering([self._rounds(pair, first) for pair in self._standing])

    def _ratios(self, pair: Pair, first: int = 0, end: int | None = None) -> dict[str, Estimate]:
        return ratios.ratios(self._rounds(pair, first, end), apps=len(self._plan.pairs))

    def _slower(self, counted: Sequence[Observation]) -> frozenset[tuple[str, str]]:
        """Returns what is slower so far, by App and metric."""
        return frozenset(
            (pair.app, found.metric)
            for pair in self._standing
            for found in self._evidence(pair, counted)
            if found.verdict is Verdict.SLOWER
        )

    def _evidence(self, pair: Pair, counted: Sequence[Observation]) -> tuple[Evidence, ...]:
        allowed = self._plan.terms.allowed
        cells = ratios.cells(pair, self._records, self._plan.experiment.serving.workers)
        by_rounds = ratios.judge(self._ratios(pair), cells, allowed.time)
        return (*ratios.judge_counts(pair, counted, allowed.instructions), *by_rounds)

    def _confirmed(self, pair: Pair, first: FirstPass, counted_again: Sequence[Observation]) -> Iterator[Evidence]:
        """Yields the evidence of all Rounds; what is slower has to be so in both measurements.

        The Rounds after the first pass measured it again with fresh processes, whether or not it had shown by then.
        """
        before = {**self._ratios(pair, end=first.rounds), **ratios.counts(pair, first.counted)}
        again = {**self._ratios(pair, first.rounds), **ratios.counts(pair, counted_again)}
        for found in self._evidence(pair, first.counted):
            suspect = found.verdict is Verdict.SLOWER or (pair.app, found.metric) in first.slower
            if suspect and found.verdict is not Verdict.INVALID:
                limit = self._plan.terms.allowed.of(found.metric)
                yield _seen_twice(found, before.get(found.metric), again.get(found.metric), limit)
            else:
                yield found


def _seen_twice(found: Evidence, before: Estimate | None, again: Estimate | None, limit: float) -> Evidence:
    """Returns a regression as it is where two measurements saw it, and else undecided."""
    together = again if METRICS[found.metric].is_counted else found.ratio  # two counts are not pooled
    if verdict.confirmed(found.metric, before, again, together, limit):
        return found
    return replace(found, verdict=Verdict.UNDECIDED, reasons=(_why_not(found.metric, before, again, limit),))


def _why_not(metric: str, before: Estimate | None, again: Estimate | None, limit: float) -> Reason:
    """Returns why a regression does not stand."""
    if before is None or again is None or again.low is None:
        return reason(Code.NOT_MEASURED_AGAIN)
    if verdict.is_worse(metric, before) and verdict.is_worse(metric, again):
        return reason(Code.NOT_CERTAIN, first=before.point, second=again.point, allowed_share=limit)
    return reason(Code.NOT_SEEN_TWICE, first=before.point, second=again.point)


def _silent(pair: Pair, index: int, warm: Sequence[SliceRecord]) -> Failure:
    """Returns that neither side of an App answers; which Lane it is said of does not matter then."""
    kinds = tuple(sorted({kind for record in warm for kind in record.errors}))
    why = reason(Code.NEITHER_SIDE_ANSWERED, kinds=kinds)
    return Failure(lane=pair.head, round=index, stage=Stage.LOAD, reason=why, log_tail="")
