"""The main job: rounds of slices, each record stored as it comes. Decides what happens when; does none of it itself."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

import msgspec

from bench.analysis import parity
from bench.analysis.discard import judged
from bench.model import quotients, schedule
from bench.model.experiment import Experiment, Lane, without
from bench.model.reason import Code, ReasonedError, reason
from bench.model.records import Failure, LaneFacts, Manifest, Observation, SliceRecord
from bench.model.schedule import OutsideSlices, Slice


class NothingToMeasure(ReasonedError):
    """Every Lane has failed."""


class Round(Protocol):
    """What a Round is made of: servers that are ready, and a way to offer them load."""

    facts: tuple[LaneFacts, ...]
    failures: tuple[Failure, ...]

    driver_versions: Mapping[str, str]

    def measure(self, planned: Slice) -> Sequence[SliceRecord]:
        """Offers the load of a Slice to all its Lanes at once, and returns what was seen of each."""

    def failure(self, lane: str) -> Failure | None:
        """Returns why a Lane's server is gone, or None while it runs."""


class ObservationSink(Protocol):
    """Where every value that is measured outside slices is written at once."""

    def observe(self, observation: Observation) -> None:
        """Writes one value."""

    def sync(self) -> None:
        """Waits until all of it is on the disk."""


class Sink(ObservationSink, Protocol):
    """Where everything that happens is written at once."""

    def describe(self, manifest: Manifest) -> None:
        """Writes the manifest."""

    def append(self, record: SliceRecord) -> None:
        """Writes one row."""

    def fail(self, failure: Failure) -> None:
        """Writes that a Lane is left out."""


class Watcher(Protocol):
    """Who looks on."""

    def round_started(self, index: int) -> None:
        """Hears that a Round begins: its servers are being started."""

    def slice_started(self, planned: Slice) -> None:
        """Hears that a Slice begins."""

    def slice_ended(self, record: SliceRecord) -> None:
        """Hears what a Slice saw."""

    def lane_failed(self, failure: Failure) -> None:
        """Hears that a Lane is left out."""


Heard = Callable[[OutsideSlices, float], None]
"""Hears what is measured outside slices, and how much of it is done."""
OpenRound = Callable[[int, tuple[Lane, ...]], AbstractContextManager[Round]]
Attempt = Callable[[Slice, int], bool]
"""Measures a Slice, told how many repeats are left, and returns whether it has to be measured again."""


class Runner:
    """One run. ``failures`` may hold Lanes that failed before the first Round."""

    def __init__(self, draft: Manifest, open_round: OpenRound, sink: Sink, watcher: Watcher) -> None:
        self._draft = draft
        self._open_round = open_round
        self._sink = sink
        self._watcher = watcher
        self._left: Experiment = draft.experiment
        self._slowest_rps: float | None = None

    def run(self, failures: Sequence[Failure] = ()) -> None:
        """Measures every Round. Raises NothingToMeasure, LanesDiffer, and what the rounds raise."""
        self._sink.describe(self._draft)
        for failure in failures:
            self._fail(failure)
        for index in range(self._draft.experiment.preset.rounds):
            self._watcher.round_started(index)
            self._expect_lanes()
            with self._open_round(index, self._left.lanes) as live:
                self._play(index, live)
            self._sink.sync()

    def _play(self, index: int, live: Round) -> None:
        for failure in live.failures:
            self._fail(failure)
        self._expect_lanes()
        if index == 0:
            self._describe(live)
        warm = self._measure_all(live, schedule.warm_up_slices(self._left, index))
        self._expect_lanes()
        if self._slowest_rps is None:
            self._slowest_rps = _slowest_rps([record for record in warm if self._is_left(record.lane)])
        slices = self._planned(index, self._slowest_rps, first_index=len(warm))
        measure_with_repeats(slices, self._repeats, partial(self._attempt, live))

    def _planned(self, index: int, slowest_rps: float, *, first_index: int) -> list[Slice]:
        """Returns the Round's slices after its warm-up. The rate of all fixed slices of the run is the same."""
        if sweep := self._left.sweep:
            return schedule.sweep_slices(self._left, sweep, index, slowest_rps, first_index=first_index)
        rate_rps = schedule.fixed_rate_rps(self._left.load.rate_share, [slowest_rps])
        return schedule.measured_slices(self._left, index, rate_rps, first_index=first_index)

    def _describe(self, live: Round) -> None:
        """Proves that the Lanes are comparable, and writes down what the run is made from."""
        parity.prove(self._left, live.facts)
        self._sink.describe(
            msgspec.structs.replace(
                self._draft,
                driver_versions=dict(live.driver_versions),
                lanes=live.facts,
                irremovable_differences=parity.irremovable_differences(live.facts),
            )
        )

    def _attempt(self, live: Round, planned: Slice, repeats_left: int) -> bool:
        """Measures a slice, if its Lane is left, and returns whether it has to be measured again."""
        if not self._is_left(planned.lanes[0]):
            return False
        return self._measure(live, planned, repeats_left=repeats_left).discarded is not None

    def _measure_all(self, live: Round, slices: Sequence[Slice]) -> list[SliceRecord]:
        return [self._measure(live, planned, repeats_left=0) for planned in slices if self._is_left(planned.lanes[0])]

    @property
    def _repeats(self) -> int:
        return self._draft.experiment.preset.repeats

    def _measure(self, live: Round, planned: Slice, *, repeats_left: int) -> SliceRecord:
        """Measures one slice, and records whether it is discarded."""
        self._watcher.slice_started(planned)
        (record,) = judged(live.measure(planned), repeats_left)
        self._sink.append(record)
        self._watcher.slice_ended(record)
        if failure := live.failure(record.lane):
            self._fail(failure)
        return record

    def _fail(self, failure: Failure) -> None:
        """Leaves a Lane out from now on; the others go on."""
        self._sink.fail(failure)
        self._watcher.lane_failed(failure)
        self._left = without(self._left, [failure.lane])

    def _is_left(self, lane_name: str) -> bool:
        return any(lane.name == lane_name for lane in self._left.lanes)

    def _expect_lanes(self) -> None:
        if not self._left.lanes:
            raise NothingToMeasure(reason(Code.NOTHING_LEFT))


def measure_with_repeats(slices: Sequence[Slice], repeats: int, attempt: Attempt) -> None:
    """Measures a Round's slices, and at its end the discarded ones again, until its repeats are used up."""
    waiting, left = list(slices), repeats
    next_index = waiting[-1].index + 1 if waiting else 0
    while waiting:
        planned = waiting.pop(0)
        if attempt(planned, left):
            waiting.append(schedule.repeat(planned, next_index))
            left, next_index = left - 1, next_index + 1


def _slowest_rps(warm: Sequence[SliceRecord]) -> float:
    """Returns the throughput of the slowest Lane. One without one right answer has no say in it."""
    throughputs = [rps for record in warm if (rps := quotients.throughput_rps(record))]
    if not throughputs:
        raise NothingToMeasure(reason(Code.NO_LANE_ANSWERED))
    return min(throughputs)
