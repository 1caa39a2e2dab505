"""Two versions of Apps compared in one run: rounds until the answer is precise, and a regression measured again."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from math import inf
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from bench.analysis import discard
from bench.model import quotients, schedule
from bench.model.experiment import Experiment, Lane
from bench.model.load import Phase
from bench.model.metrics import INSTRUCTIONS
from bench.model.reason import Code, Reason, reason
from bench.model.records import Estimate, Failure, LaneFacts, Observation, SliceRecord, Stage
from bench.model.regression import Evidence, Verdict
from bench.model.schedule import Slice
from bench.regression import ratios, verdict
from bench.regression.ratios import Allowed, Pair
from bench.run.runner import NothingToMeasure, Sink, measure_with_repeats

MIN_ROUNDS = 4
"""Fewer say little of how much one start differs from the next."""
FIRST_SHARE = 0.5
"""The share of the budget after which a regression is measured again, and counted again, so that there is time to."""


class Terms(Struct, frozen=True, kw_only=True):
    """What is asked of a comparison. ``precision`` is half the width of an interval, as a share."""

    allowed: Allowed
    precision: float
    budget_s: float


class Round(Protocol):
    """What a Round of a comparison is made of."""

    facts: tuple[LaneFacts, ...]
    failures: tuple[Failure, ...]

    def measure_all(self, planned: Slice) -> tuple[SliceRecord, ...]:
        """Offers the load of a Slice to all its Lanes, and returns what was seen of each."""

    def failure(self, lane: str) -> Failure | None:
        """Returns why a Lane's server is gone, or None while it runs."""


class Watcher(Protocol):
    """Who looks on."""

    def round_started(self, index: int, *, again: bool) -> None:
        """Hears that a Round begins."""

    def round_ended(self, spent_s: float, widest: float) -> None:
        """Hears how much of the budget is spent, and half the width of the widest interval, as a share."""


OpenRound = Callable[[int, tuple[Lane, ...]], AbstractContextManager[Round]]
Count = Callable[[], Sequence[Observation]]
"""Counts the instructions of all Lanes: nothing where they were not asked for."""


class Outcome(Struct, frozen=True):
    """What a comparison came to: evidence by App; ``measured_again`` where a regression had to be seen twice."""

    evidence: Mapping[str, tuple[Evidence, ...]]
    facts: tuple[LaneFacts, ...]
    rounds: int
    measured_again: bool
    spent_s: float
    notes: tuple[Reason, ...]


class Comparison:
    """One comparison. Decides when to stop; starts and measures nothing itself."""

    def __init__(
        self,
        experiment: Experiment,
        pairs: Sequence[Pair],
        terms: Terms,
        open_round: OpenRound,
        count: Count,
        sink: Sink,
    ) -> None:
        self._experiment = experiment
        self._pairs = pairs
        self._app_of = {lane: pair.app for pair in pairs for lane in (pair.base, pair.head)}
        self._terms = terms
        self._open_round = open_round
        self._count = count
        self._sink = sink
        self._records: list[SliceRecord] = []
        self._facts: tuple[LaneFacts, ...] = ()
        self._rates_rps: dict[str, float] = {}
        self._failed: dict[str, Failure] = {}

    def run(self, watcher: Watcher, clock: Callable[[], float]) -> Outcome:
        """Compares. Raises NothingToMeasure where a side cannot be served, and what the rounds raise."""
        self._watcher, self._clock, self._began = watcher, clock, clock()
        counted = self._counted()
        self._plan(self._terms.budget_s - 2 * self._spent_s)
        self._measure(self._terms.budget_s * FIRST_SHARE, first=0)
        first, regressions = self._rounds, self._regressions(counted)
        regressed = {metric for _, metric in regressions}
        counted_again = self._counted() if INSTRUCTIONS in regressed else ()
        self._measure(self._terms.budget_s, first=first if regressed - {INSTRUCTIONS} else 0)
        found = {
            pair.app: tuple(
                self._stands(item, pair, counted_again, first)
                if item.verdict is Verdict.SLOWER or (pair.app, item.metric) in regressions
                else item
                for item in self._evidence(pair, counted)
            )
            for pair in self._standing
        }
        found |= {app: ratios.failed(failure) for app, failure in self._failed.items()}
        stands = any(item.verdict is Verdict.SLOWER for of_app in found.values() for item in of_app)
        again = bool(regressions) or stands
        return Outcome(found, self._facts, self._rounds, again, self._spent_s, discard.note(self._records))

    @property
    def _standing(self) -> list[Pair]:
        """Returns the Apps of which nothing has failed."""
        return [pair for pair in self._pairs if pair.app not in self._failed]

    @property
    def _rounds(self) -> int:
        return 1 + max((record.round for record in self._records), default=-1)

    @property
    def _spent_s(self) -> float:
        return self._clock() - self._began

    def _plan(self, left_s: float) -> None:
        """Decides what a Round has, such that two measurements of the fewest Rounds fit into what counts leave."""
        apps = len(self._pairs)
        self._round_plan = schedule.round_plan(self._experiment, apps, left_s / (2 * MIN_ROUNDS))
        self._repeats = self._round_plan.repeats * apps

    def _measure(self, until_s: float, *, first: int) -> None:
        """Measures Rounds, from ``first`` on, until they are precise enough or the next one would not fit."""
        round_s, ratios = 0.0, self._steering(first)
        while self._rounds - first < MIN_ROUNDS or (
            self._spent_s + round_s <= until_s and not verdict.is_precise(ratios, self._terms.precision)
        ):
            began_s = self._spent_s
            self._watcher.round_started(self._rounds, again=first > 0)
            self._play(self._rounds)
            round_s, ratios = self._spent_s - began_s, self._steering(first)
            self._watcher.round_ended(self._spent_s, max(map(verdict.half_width, ratios), default=inf))

    def _play(self, index: int) -> None:
        lanes = tuple(lane for lane in self._experiment.lanes if self._app_of[lane.name] not in self._failed)
        with self._open_round(index, lanes) as live:
            self._fail(live.failures)
            self._facts = self._facts or live.facts
            warm = [
                record
                for planned in schedule.warm_up_slices(self._experiment, index)
                for record in self._measured(live, planned, repeats_left=0)
            ]
            measure_with_repeats(self._slices(index, warm), self._repeats, partial(self._attempt, live))
        self._sink.sync()

    def _slices(self, index: int, warm: Sequence[SliceRecord]) -> list[Slice]:
        """Returns the Round's slices after its warm-up, App by App."""
        self._find_rates(index, warm)
        slices: list[Slice] = []
        for pair in self._standing:
            lanes, rate_rps = (pair.base, pair.head), self._rates_rps[pair.app]
            first_index = len(warm) + len(slices)
            slices += schedule.comparison_slices(lanes, self._round_plan, index, rate_rps, first_index=first_index)
        return slices

    def _find_rates(self, index: int, warm: Sequence[SliceRecord]) -> None:
        """Finds the rates of open loads by the first Round's warm-up, and leaves out the Apps that never answered."""
        for pair in [pair for pair in self._standing if pair.app not in self._rates_rps]:
            own = [record for record in warm if record.lane in (pair.base, pair.head)]
            throughputs = [rps for record in own if (rps := quotients.throughput_rps(record))]
            if throughputs:
                self._rates_rps[pair.app] = schedule.fixed_rate_rps(self._experiment.load.rate_share, throughputs)
            else:
                self._fail([_silent(pair, index, own)])

    def _attempt(self, live: Round, planned: Slice, repeats_left: int) -> bool:
        """Measures a Slice, and returns whether it has to be measured again."""
        return any(record.discarded for record in self._measured(live, planned, repeats_left=repeats_left))

    def _measured(self, live: Round, planned: Slice, *, repeats_left: int) -> tuple[SliceRecord, ...]:
        if self._app_of[planned.lanes[0]] in self._failed:
            return ()
        records = discard.judged(live.measure_all(planned), repeats_left)
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
            raise NothingToMeasure(_said(next(iter(self._failed.values()))))

    def _counted(self) -> Sequence[Observation]:
        counted = self._count()
        for observation in counted:
            self._sink.observe(observation)
        return counted

    def _steering(self, first: int) -> list[Estimate]:
        return ratios.steering(self._standing, [record for record in self._records if record.round >= first])

    def _regressions(self, counted: Sequence[Observation]) -> set[tuple[str, str]]:
        """Returns what is slower so far, by App and metric."""
        return {
            (pair.app, found.metric)
            for pair in self._standing
            for found in self._evidence(pair, counted)
            if found.verdict is Verdict.SLOWER
        }

    def _evidence(self, pair: Pair, counted: Sequence[Observation]) -> tuple[Evidence, ...]:
        workers = self._experiment.serving.workers
        return ratios.judge(pair, self._records, counted, self._terms.allowed, workers=workers, apps=len(self._pairs))

    def _stands(self, found: Evidence, pair: Pair, counted_again: Sequence[Observation], first: int) -> Evidence:
        """Returns a regression as it is where it was seen twice, and else undecided.

        The Rounds from ``first`` on measured it again with fresh processes, whether or not it had shown by then.
        """
        allowed = self._terms.allowed
        limit = allowed.instructions if found.metric == INSTRUCTIONS else allowed.time
        before, again = self._twice(found, pair, counted_again, first)
        together = again if found.metric == INSTRUCTIONS else found.ratio  # two counts are not pooled
        if found.verdict is Verdict.INVALID or verdict.confirmed(found.metric, before, again, together, limit):
            return found
        return replace(found, verdict=Verdict.UNDECIDED, reasons=(_why_not(found.metric, before, again, limit),))

    def _twice(
        self, found: Evidence, pair: Pair, counted_again: Sequence[Observation], first: int
    ) -> tuple[Estimate | None, Estimate | None]:
        """Returns the ratio of the first measurement by itself, and that of the second one."""
        if found.metric == INSTRUCTIONS:
            values = {item.lane: item.value for item in counted_again}
            base, head = values.get(pair.base), values.get(pair.head)
            return found.ratio, verdict.exact(base, head) if base and head else None
        measured = [record for record in self._records if record.phase is not Phase.WARM_UP]
        halves = ([r for r in measured if r.round < first], [r for r in measured if r.round >= first])
        before, again = (ratios.ratios(pair, half, apps=len(self._pairs)).get(found.metric) for half in halves)
        return before, again


def _why_not(metric: str, before: Estimate | None, again: Estimate | None, limit: float) -> Reason:
    """Returns why a regression does not stand."""
    if before is None or again is None or again.low is None:
        return reason(Code.NOT_MEASURED_AGAIN)
    if verdict.is_worse(metric, before) and verdict.is_worse(metric, again):
        return reason(Code.NOT_CERTAIN, first=before.point, second=again.point, allowed_share=limit)
    return reason(Code.NOT_SEEN_TWICE, first=before.point, second=again.point)


def _silent(pair: Pair, index: int, warm: Sequence[SliceRecord]) -> Failure:
    """Returns that neither side of an App answers; which Lane it is said of does not matter then."""
    kinds = sorted({kind for record in warm for kind in record.errors})
    said = f" ({', '.join(kinds)})" if kinds else ""
    why = f"neither side gave one right answer under load{said}"
    return Failure(lane=pair.head, round=index, stage=Stage.LOAD, reason=why, log_tail="")


def _said(failure: Failure) -> str:
    last = failure.log_tail.strip().splitlines()[-1:]
    return ": ".join((f"{failure.lane} failed at {failure.stage}", failure.reason, *last))
