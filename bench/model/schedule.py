"""The schedule of a run, as data: Rounds of Slices in a seeded order. No clock, no I/O."""

import random
from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from bench.model import footprint_plan
from bench.model.experiment import Experiment, Preset, Sweep
from bench.model.load import Closed, Load, Open, Phase
from bench.model.protocol import SEND_LIMIT_S

SERVER_START_S = 0.4
"""Expected time to start and check one Lane, beside the others, on two cores; used for the expected time only."""
ROUND_START_S = 2.5
"""Expected time to start a driver and to end a round."""
SLICE_GAP_S = 0.01
"""Expected time between two slices: the last answers arrive, and the counters are read."""
INSTRUCTIONS_S = 90.0
"""Expected time to count the instructions of all callables, at most."""
REPORT_S = 8.0
"""Expected time for the report, and for the environments."""

SWEEP_SEND_LIMIT_S = 0.1
"""In a sweep overload should show, not be worked off: what is unsent so long after a window is dropped."""
SWEEP_ROUND_REQUESTS, SWEEP_RUN_REQUESTS = 105, 525
"""The requests of every rate of a sweep, in a Round and in a run: enough for a p99 ..."""
SWEEP_WINDOW_S = 2.0
"""... or as many as are due in a window of this length, if these are fewer."""
SWEEP_SETTLE_S = 2.0
"""The settle of a sweep's closed load lasts until each user has its first answer, and no longer than this."""
EXPECTED_RPS = 1000.0
"""Throughput of the slowest Lane before it is known; used for the expected time only."""


class OutsideSlices(StrEnum):
    """What a run measures when its Rounds are over."""

    FOOTPRINT = "footprint"
    INSTRUCTIONS = "instructions"


class Slice(Struct, frozen=True):
    """A short window in which a stated Load is offered to stated Lanes; ``repeat_of`` a discarded one, or of none."""

    index: int
    phase: Phase
    lanes: tuple[str, ...]
    load: Load
    settle_s: float
    window_s: float
    repeat_of: int | None = None
    send_limit_s: float = SEND_LIMIT_S


class RoundPlan(Struct, frozen=True, kw_only=True):
    """What a comparison measures of one App in each Round: how many slices of each kind, and how long they are.

    At most ``repeats`` discarded Slices are measured again.
    """

    users: int
    seed: int
    duets: int = 6
    duet_s: float = 0.5
    saturated: int = 5
    fixed: int = 4
    window_s: float = 0.2
    settle_s: float = 0.03
    repeats: int = 4

    @property
    def expected_s(self) -> float:
        """Returns how long one App takes in a Round, without its start."""
        in_turn = 2 * (self.saturated + self.fixed)
        slices = self.duets + in_turn
        return self.duets * self.duet_s + in_turn * self.window_s + slices * (self.settle_s + SLICE_GAP_S)

    def within(self, most_s: float) -> "RoundPlan":
        """Returns a plan that takes no longer, with fewer slices if need be. Keeps at least one slice of each kind.

        Duets go last: in the same time they find smaller differences than all others.
        """
        least = replace(self, duets=1, saturated=1, fixed=1)
        found = next((round_plan for round_plan in self._fewer() if round_plan.expected_s <= most_s), least)
        return replace(found, repeats=max(1, int(self.repeats * found.expected_s / self.expected_s)))

    def _fewer(self) -> Iterator["RoundPlan"]:
        """Yields this one, then ones with fewer slices in turn down to two of each kind, then ones with fewer Duets."""
        few = min(2, self.saturated, self.fixed)
        for saturated in range(self.saturated, few - 1, -1):
            yield replace(self, saturated=saturated, fixed=min(self.fixed, saturated))
        for duets in range(self.duets - 1, 0, -1):
            yield replace(self, duets=duets, saturated=few, fixed=few)


class Outline(Struct, frozen=True):
    """What a run would do, and how long it will take."""

    preset: str
    seed: int
    lanes: tuple[str, ...]
    rounds: int
    slices_per_round: int
    window_s: float
    measured_s: float
    expected_s: float
    sweep: Sweep | None = None


def outline(experiment: Experiment) -> Outline:
    """Returns the outline of a run, once its environments are made."""
    preset = experiment.preset
    return Outline(
        preset=experiment.preset_name,
        seed=experiment.seed,
        lanes=tuple(lane.name for lane in experiment.lanes),
        rounds=preset.rounds,
        slices_per_round=slices_per_round(experiment),
        window_s=preset.window_s,
        measured_s=preset.rounds * len(experiment.lanes) * _lane_windows_s(experiment),
        expected_s=preset.rounds * _round_s(experiment)
        + footprint_plan.expected_s(experiment)
        + (INSTRUCTIONS_S if preset.instructions else 0)
        + REPORT_S,
        sweep=experiment.sweep,
    )


def warm_up_slices(experiment: Experiment, round_index: int) -> list[Slice]:
    """Returns one closed slice for every Lane; those of round 0 find the rate for the fixed phase."""
    preset, load = experiment.preset, Closed(experiment.load.users)
    return [
        Slice(index, Phase.WARM_UP, (lane,), load, preset.settle_s, preset.warm_up_s)
        for index, lane in enumerate(_shuffled(experiment, _random(experiment, round_index, Phase.WARM_UP)))
    ]


def measured_slices(experiment: Experiment, round_index: int, rate_rps: float, *, first_index: int) -> list[Slice]:
    """Returns the Round's saturated slices, then its fixed-rate slices.

    Lanes come in shuffled blocks, each Lane once a block, so that a slow minute falls on all of them alike.
    """
    preset = experiment.preset
    phases: tuple[tuple[Phase, Load, int], ...] = (
        (Phase.SATURATED, Closed(experiment.load.users), preset.saturated_slices),
        (Phase.FIXED, Open(rate_rps), preset.fixed_slices),
    )
    drawn = (
        (phase, load, lane)
        for phase, load, blocks in phases
        for lane in _blocks(experiment, round_index, phase, blocks)
    )
    return [
        Slice(index, phase, (lane,), load, preset.settle_s, preset.window_s)
        for index, (phase, load, lane) in enumerate(drawn, start=first_index)
    ]


def round_plan(experiment: Experiment, apps: int, round_s: float) -> RoundPlan:
    """Returns what a comparison measures of each of so many Apps, such that a Round takes no longer than that."""
    start_s = ROUND_START_S + len(experiment.lanes) * (SERVER_START_S + experiment.preset.warm_up_s)
    whole = RoundPlan(users=experiment.load.users, seed=experiment.seed)
    return whole.within((round_s - start_s) / apps)


def comparison_slices(
    pair: tuple[str, str], round_plan: RoundPlan, round_index: int, rate_rps: float, *, first_index: int
) -> list[Slice]:
    """Returns a comparison's slices of one App in a Round: Duets, then the two Lanes in turn under both loads.

    Who goes first is drawn for every pair of slices, from a generator that knows the Round and the pair.
    """
    rng = random.Random(f"{round_plan.seed}/{round_index}/{pair}")  # noqa: S311 - a shuffle that can be repeated
    closed, fixed = Closed(round_plan.users), Open(rate_rps)
    drawn: list[tuple[Phase, tuple[str, ...], Load, float]] = [
        (Phase.DUET, tuple(rng.sample(pair, 2)), closed, round_plan.duet_s) for _ in range(round_plan.duets)
    ]
    for phase, load, count in ((Phase.SATURATED, closed, round_plan.saturated), (Phase.FIXED, fixed, round_plan.fixed)):
        for _ in range(count):
            drawn += [(phase, (lane,), load, round_plan.window_s) for lane in rng.sample(pair, 2)]
    return [
        Slice(index, phase, lanes, load, round_plan.settle_s, window_s)
        for index, (phase, lanes, load, window_s) in enumerate(drawn, start=first_index)
    ]


def sweep_slices(
    experiment: Experiment, sweep: Sweep, round_index: int, slowest_rps: float, *, first_index: int
) -> list[Slice]:
    """Returns the Round's slices of a sweep: every Lane once under every load, shuffled all together.

    ``slowest_rps`` is what the slowest Lane serves. All Lanes have the same settle and window under a load.
    """
    drawn = [(lane.name, load) for load in sweep.loads for lane in experiment.lanes]
    _random(experiment, round_index, Phase.SWEEP).shuffle(drawn)
    return [
        _swept(experiment.preset, index, lane, load, slowest_rps)
        for index, (lane, load) in enumerate(drawn, start=first_index)
    ]


def _swept(preset: Preset, index: int, lane: str, load: Load, slowest_rps: float) -> Slice:
    settle_s, window_s = preset.settle_s, preset.window_s
    if load.under_way:  # until then the first requests, all sent at once, wait less than the later ones will
        settle_s = max(settle_s, min(SWEEP_SETTLE_S, load.under_way / slowest_rps))
    if load.rate_rps:
        needed_s = max(SWEEP_ROUND_REQUESTS, SWEEP_RUN_REQUESTS / preset.rounds) / load.rate_rps
        window_s = max(window_s, min(SWEEP_WINDOW_S, needed_s))
    return Slice(index, Phase.SWEEP, (lane,), load, settle_s, window_s, send_limit_s=SWEEP_SEND_LIMIT_S)


def repeat(discarded: Slice, index: int) -> Slice:
    """Returns a Slice that measures a discarded one again."""
    return replace(discarded, index=index, repeat_of=discarded.index)


def fixed_rate_rps(share: float, throughputs_rps: list[float]) -> float:
    """Returns ``share`` of the slowest throughput, rounded down to two digits so that it can be said and repeated."""
    rate = Decimal(repr(share * min(throughputs_rps)))
    return float(rate.quantize(Decimal((0, (1,), rate.adjusted() - 1)), ROUND_DOWN))


def slices_per_round(experiment: Experiment) -> int:
    """Returns the number of slices in a Round, warm-up included."""
    return len(experiment.lanes) * (1 + slices_per_lane(experiment))


def slices_per_lane(experiment: Experiment) -> int:
    """Returns the number of a Lane's measured slices in a Round."""
    if experiment.sweep:
        return len(experiment.sweep.loads)
    return experiment.preset.saturated_slices + experiment.preset.fixed_slices


def _round_s(experiment: Experiment) -> float:
    preset = experiment.preset
    warm_up_s = preset.settle_s + preset.warm_up_s + SLICE_GAP_S
    measured_s = sum(settle_s + window_s + SLICE_GAP_S for settle_s, window_s in _lane_slices(experiment))
    return ROUND_START_S + len(experiment.lanes) * (SERVER_START_S + warm_up_s + measured_s)


def _lane_windows_s(experiment: Experiment) -> float:
    return sum(window_s for _, window_s in _lane_slices(experiment))


def _lane_slices(experiment: Experiment) -> list[tuple[float, float]]:
    """Returns settle and window of each measured slice that a Lane is expected to have in a Round."""
    preset = experiment.preset
    if experiment.sweep is None:
        return [(preset.settle_s, preset.window_s)] * slices_per_lane(experiment)
    planned = (_swept(preset, 0, "", load, EXPECTED_RPS) for load in experiment.sweep.loads)
    return [(each.settle_s, each.window_s) for each in planned]


def _blocks(experiment: Experiment, round_index: int, phase: Phase, blocks: int) -> Iterator[str]:
    rng = _random(experiment, round_index, phase)
    for _ in range(blocks):
        yield from _shuffled(experiment, rng)


def _shuffled(experiment: Experiment, rng: random.Random) -> list[str]:
    names = [lane.name for lane in experiment.lanes]
    rng.shuffle(names)
    return names


def _random(experiment: Experiment, round_index: int, phase: Phase) -> random.Random:
    return random.Random(f"{experiment.seed}/{round_index}/{phase}")  # noqa: S311 - a shuffle that can be repeated
