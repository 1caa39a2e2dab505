"""The schedule: repeatable, fair to every Lane in every block, and in agreement with its outline."""

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.analysis import histograms
from bench.analysis.folds import MIN_BEYOND_IN_ROUND
from bench.cli.sweep_option import parse_sweep
from bench.model import schedule
from bench.model.experiment import Experiment, Sweep, only
from bench.model.load import Closed, Open, Phase
from bench.model.protocol import SEND_LIMIT_S
from bench.model.schedule import RoundPlan, Slice
from tests.builders.runs import USERS, A, B, experiment

WHOLE = experiment()
SERVER_S = schedule.SERVER_START_S + WHOLE.preset.warm_up_s
PRESETS = st.builds(
    replace,
    st.just(WHOLE.preset),
    rounds=st.integers(1, 9),
    saturated_slices=st.integers(1, 6),
    fixed_slices=st.integers(1, 6),
    window_s=st.sampled_from([0.1, 0.35, 2.0]),
)
EXPERIMENTS = st.builds(
    lambda preset, seed, lanes: replace(only(WHOLE, lanes), preset=preset, seed=seed),
    PRESETS,
    st.integers(0, 2**32),
    st.sets(st.sampled_from([lane.name for lane in WHOLE.lanes]), min_size=1),
)
ROUND_INDICES = st.integers(0, 30)


def a_round(whole: Experiment, index: int, rate_rps: float = 100.0) -> list[Slice]:
    """Returns all Slices of a Round, as the runner asks for them."""
    warm = schedule.warm_up_slices(whole, index)
    return [*warm, *schedule.measured_slices(whole, index, rate_rps, first_index=len(warm))]


def lanes_of(slices: list[Slice]) -> list[str]:
    return [lane for planned in slices for lane in planned.lanes]


@given(whole=EXPERIMENTS, index=ROUND_INDICES)
def test_a_seed_repeats_its_shuffles(whole: Experiment, index: int) -> None:
    """The same seed gives the same Round, whatever was planned before."""
    first = a_round(whole, index)
    a_round(whole, index + 1)
    assert a_round(whole, index) == first


def test_another_seed_shuffles_otherwise() -> None:
    """Seeds and Rounds differ in their order, so no Lane always follows the same other one."""
    by_seed = {tuple(lanes_of(a_round(replace(WHOLE, seed=seed), 0))) for seed in range(10)}
    by_round = {tuple(lanes_of(a_round(WHOLE, index))) for index in range(10)}
    assert len(by_seed) == len(by_round) == 10


def test_every_lane_comes_first_now_and_then() -> None:
    """Being first in a block is not one Lane's privilege."""
    firsts = Counter(lanes_of(a_round(WHOLE, index))[len(WHOLE.lanes)] for index in range(100))
    assert set(firsts) == {lane.name for lane in WHOLE.lanes}
    assert max(firsts.values()) < 40


@given(whole=EXPERIMENTS, index=ROUND_INDICES)
def test_every_block_has_each_lane_once(whole: Experiment, index: int) -> None:
    """A Round is warm-up, saturated and fixed blocks; a slow minute falls on all Lanes alike."""
    width = len(whole.lanes)
    slices = a_round(whole, index)
    blocks = [slices[start : start + width] for start in range(0, len(slices), width)]
    names = sorted(lane.name for lane in whole.lanes)
    assert all(sorted(lanes_of(block)) == names for block in blocks)
    assert all(len({planned.phase for planned in block}) == 1 for block in blocks)
    assert [block[0].phase for block in blocks] == [
        Phase.WARM_UP,
        *[Phase.SATURATED] * whole.preset.saturated_slices,
        *[Phase.FIXED] * whole.preset.fixed_slices,
    ]


@given(whole=EXPERIMENTS, index=ROUND_INDICES)
def test_indices_count_the_slices_of_a_round(whole: Experiment, index: int) -> None:
    """Indices are unique and increase by one from 0, from warm-up to the last fixed Slice."""
    indices = [planned.index for planned in a_round(whole, index)]
    assert indices == list(range(len(indices)))
    assert all(a < b for a, b in pairwise(indices))


@given(whole=EXPERIMENTS, rate_rps=st.floats(1, 1e6))
def test_each_phase_has_its_load_and_window(whole: Experiment, rate_rps: float) -> None:
    """Warm-up and saturated Slices are closed, fixed ones open at the one rate; all have the settle time."""
    preset = whole.preset
    closed = Closed(whole.load.users)
    expected = {
        Phase.WARM_UP: (closed, preset.warm_up_s),
        Phase.SATURATED: (closed, preset.window_s),
        Phase.FIXED: (Open(rate_rps), preset.window_s),
    }
    slices = a_round(whole, 0, rate_rps)
    assert {planned.phase for planned in slices} == expected.keys()
    for planned in slices:
        assert (planned.load, planned.window_s) == expected[planned.phase]
        assert planned.settle_s == preset.settle_s
        assert len(planned.lanes) == 1


@given(whole=EXPERIMENTS)
def test_the_outline_agrees_with_the_plan(whole: Experiment) -> None:
    """What is said is what is done: Slices, Rounds, measured seconds; the expected time is longer than that."""
    outline = schedule.outline(whole)
    slices = [planned for index in range(whole.preset.rounds) for planned in a_round(whole, index)]
    measured = [planned.window_s for planned in slices if planned.phase is not Phase.WARM_UP]
    assert outline.slices_per_round == schedule.slices_per_round(whole) == len(slices) / outline.rounds
    assert outline.measured_s == pytest.approx(sum(measured))
    assert outline.expected_s > sum(planned.settle_s + planned.window_s for planned in slices)
    assert outline.lanes == tuple(lane.name for lane in whole.lanes)
    assert (outline.rounds, outline.seed) == (whole.preset.rounds, whole.seed)
    assert (outline.preset, outline.window_s) == (whole.preset_name, whole.preset.window_s)


def test_more_of_anything_takes_longer() -> None:
    """The expected time grows with Rounds, Slices, windows and Lanes."""
    preset = WHOLE.preset
    expected_s = schedule.outline(WHOLE).expected_s
    for more in (
        replace(preset, rounds=preset.rounds + 1),
        replace(preset, saturated_slices=preset.saturated_slices + 1),
        replace(preset, fixed_slices=preset.fixed_slices + 1),
        replace(preset, window_s=preset.window_s + 0.1),
        replace(preset, warm_up_s=preset.warm_up_s + 0.1),
        replace(preset, settle_s=preset.settle_s + 0.1),
        replace(preset, cold_starts=preset.cold_starts + 1),
        replace(preset, instructions=True),
    ):
        assert schedule.outline(replace(WHOLE, preset=more)).expected_s > expected_s
    assert schedule.outline(only(WHOLE, [WHOLE.lanes[0].name])).expected_s < expected_s


THROUGHPUTS = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=12)


@given(share=st.floats(0.01, 0.99), throughputs_rps=THROUGHPUTS)
def test_the_rate_is_a_share_of_the_slowest(share: float, throughputs_rps: list[float]) -> None:
    """The rate is never above its share of the slowest throughput, nor much below, however slow that is."""
    rate = schedule.fixed_rate_rps(share, throughputs_rps)
    wanted = share * min(throughputs_rps)
    assert wanted * 10 / 11 < rate * (1 + 1e-9) <= wanted * (1 + 1e-9)


@given(share=st.floats(0.01, 0.99), throughputs_rps=THROUGHPUTS)
def test_the_rate_has_two_digits(share: float, throughputs_rps: list[float]) -> None:
    """The rate can be said and repeated: two digits, then zeros."""
    rate = schedule.fixed_rate_rps(share, throughputs_rps)
    assert rate == pytest.approx(float(f"{rate:.1e}"), rel=1e-12)


@pytest.mark.parametrize(
    ("slowest_rps", "rate_rps"),
    [
        (2468.0, 1200.0),
        (20.0, 10.0),
        (199.0, 99.0),
        (99_999.0, 49_000.0),
        (19.99, 9.9),
        (1.0, 0.5),
        (0.2468, 0.12),
        (0.002, 0.001),
    ],
)
def test_the_rate_is_rounded_down(slowest_rps: float, rate_rps: float) -> None:
    """Half of the slowest, rounded down to two digits."""
    assert schedule.fixed_rate_rps(0.5, [slowest_rps, slowest_rps * 7]) == rate_rps


@pytest.mark.parametrize("tenths", [12, 50, 55, 60, 61, 120, 6100])
def test_a_rate_of_two_digits_is_kept(tenths: int) -> None:
    """A rate that needs no rounding is not rounded, also below ten a second."""
    assert schedule.fixed_rate_rps(0.5, [tenths / 10 * 2]) == pytest.approx(tenths / 10)


# Sweeps

SWEEPS = st.sampled_from(["users=1..256", "users=3,5", "rate=50..20000", "rate=10"]).map(
    lambda text: Sweep(loads=parse_sweep(text), slo_ms=10.0)
)


@given(st.integers(1, 4), st.floats(0.1, 60))
def test_a_bout_fits_into_its_round_and_leaves_no_kind_of_slice_out(apps: int, round_s: float) -> None:
    """More Apps, or a smaller budget, make fewer slices of each App; without need none is left out."""
    round_plan = schedule.round_plan(experiment(), apps, round_s)
    slices = schedule.comparison_slices((A, B), round_plan, 0, 100.0, first_index=0)
    of_phase = Counter(each.phase for each in slices)
    assert of_phase.keys() == {Phase.DUET, Phase.SATURATED, Phase.FIXED}
    assert round_plan.expected_s * apps <= round_s or of_phase[Phase.DUET] == 1
    whole, start_s = RoundPlan(users=USERS, seed=1), schedule.ROUND_START_S + len(WHOLE.lanes) * SERVER_S
    assert (round_plan == whole) == ((round_s - start_s) / apps >= whole.expected_s)


def test_either_side_of_a_comparison_goes_first_now_and_then() -> None:
    """In Duets, and in the pairs of slices under each load."""
    rounds = [schedule.comparison_slices((A, B), RoundPlan(users=4, seed=1), at, 9.0, first_index=0) for at in range(5)]
    for phase in (Phase.DUET, Phase.SATURATED, Phase.FIXED):
        lanes = [lane for slices in rounds for each in slices if each.phase is phase for lane in each.lanes]
        pairs = list(zip(lanes[::2], lanes[1::2], strict=True))
        assert set(pairs) == {(A, B), (B, A)}


@given(whole=EXPERIMENTS, sweep=SWEEPS, index=ROUND_INDICES, slowest_rps=st.floats(1, 1e5))
def test_a_sweep_offers_every_load_to_every_lane_once_a_round(
    whole: Experiment, sweep: Sweep, index: int, slowest_rps: float
) -> None:
    """In an order that the seed and the Round decide, and with the same settle and window for all Lanes."""
    slices = schedule.sweep_slices(whole, sweep, index, slowest_rps, first_index=7)
    assert Counter((planned.lanes[0], planned.load) for planned in slices) == Counter(
        (lane.name, load) for lane in whole.lanes for load in sweep.loads
    )
    assert [planned.index for planned in slices] == list(range(7, 7 + len(slices)))
    assert slices == schedule.sweep_slices(whole, sweep, index, slowest_rps, first_index=7)
    for load in sweep.loads:
        assert len({(each.settle_s, each.window_s) for each in slices if each.load == load}) == 1


@given(whole=EXPERIMENTS, sweep=SWEEPS, slowest_rps=st.floats(1, 1e5))
def test_a_slice_of_a_sweep_is_as_long_as_its_numbers_need(whole: Experiment, sweep: Sweep, slowest_rps: float) -> None:
    """Each user is answered within the settle, a rate has enough requests for a p99, and both have a bound."""
    preset = whole.preset
    slices = schedule.sweep_slices(whole, sweep, 0, slowest_rps, first_index=0)
    assert len(slices) == len(whole.lanes) * len(sweep.loads)
    for planned in slices:
        assert preset.settle_s <= planned.settle_s <= max(preset.settle_s, schedule.SWEEP_SETTLE_S)
        assert preset.window_s <= planned.window_s <= max(preset.window_s, schedule.SWEEP_WINDOW_S)
        assert planned.send_limit_s < SEND_LIMIT_S
        if isinstance(planned.load, Closed) and planned.settle_s < schedule.SWEEP_SETTLE_S:
            assert planned.settle_s * slowest_rps >= planned.load.users * (1 - 1e-9)
        if isinstance(planned.load, Open) and planned.window_s < schedule.SWEEP_WINDOW_S:
            requests = math.floor(planned.load.rate_rps * planned.window_s)
            assert histograms.beyond(requests, 99) >= MIN_BEYOND_IN_ROUND
            assert histograms.beyond(requests * preset.rounds, 99) >= histograms.MIN_BEYOND


@given(whole=EXPERIMENTS, sweep=SWEEPS)
def test_the_outline_of_a_sweep_agrees_with_its_plan(whole: Experiment, sweep: Sweep) -> None:
    """Slices, measured seconds, and an expected time that is longer."""
    whole = replace(whole, sweep=sweep)
    outline = schedule.outline(whole)
    slices = schedule.sweep_slices(whole, sweep, 0, schedule.EXPECTED_RPS, first_index=0)
    assert outline.sweep == sweep
    assert outline.slices_per_round == len(whole.lanes) + len(slices)
    assert outline.measured_s == pytest.approx(outline.rounds * sum(planned.window_s for planned in slices))
    assert outline.expected_s > outline.rounds * sum(planned.settle_s + planned.window_s for planned in slices)
