"""Steps are found where they are, and not where there is only noise."""

from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.signal import lfilter

from bench.analysis.autocorrelation import Floats
from bench.regression import changepoints
from bench.regression.changepoints import MIN_SEGMENT, Step, steps, without_outliers

SEEDS = st.integers(0, 2**32 - 1)
NOISE = 0.01


def noise(n: int, rho: float, seed: int) -> Floats:
    """Returns logarithms of AR(1) noise with a standard deviation of NOISE."""
    drawn = np.random.default_rng(seed).standard_normal(n + 100)
    return NOISE * np.asarray(lfilter([sqrt(1 - rho**2)], [1, -rho], drawn)[100:])


def places(found: tuple[Step, ...]) -> list[int]:
    return [step.at for step in found]


@given(value=st.floats(1e-6, 1e9), n=st.integers(1, 300))
def test_a_constant_series_has_no_steps(value: float, n: int) -> None:
    """Whatever its value and its length."""
    assert steps(np.full(n, value)) == ()


@given(n=st.integers(0, 2 * MIN_SEGMENT - 1), seed=SEEDS)
def test_too_few_values_have_no_steps(n: int, seed: int) -> None:
    """Below two segments there is no level before or none after."""
    assert steps(np.exp(np.random.default_rng(seed).uniform(-5, 5, n))) == ()


LENGTHS, CHANGES = st.integers(10, 60), st.floats(0.2, 2).flatmap(lambda change: st.sampled_from([change, -change]))


@given(before=LENGTHS, after=LENGTHS, change=CHANGES)
def test_a_large_clean_step_is_found_where_it_is(before: int, after: int, change: float) -> None:
    """It is the only one, lies between the two runs on its sides, and is as large as it is."""
    (step,) = steps(np.exp(np.repeat([0.0, change], [before, after])))
    assert step.earliest == step.at == step.latest == before
    assert step.ratio.point == pytest.approx(exp(change))
    assert step.ratio.low is not None
    assert step.ratio.high is not None
    assert step.ratio.low < step.ratio.point < step.ratio.high


@given(before=LENGTHS, after=LENGTHS, change=CHANGES, seed=SEEDS)
def test_noise_does_not_hide_a_large_step(before: int, after: int, change: float, seed: int) -> None:
    """One of 20 standard deviations is found at its place, and only there can its size be."""
    found = steps(np.exp(np.repeat([0.0, change], [before, after]) + noise(before + after, 0.0, seed)))
    sizes = {step.at: step.ratio.point for step in found}
    assert sizes[before] == pytest.approx(exp(change), rel=0.05)
    assert max(sizes, key=lambda at: abs(log(sizes[at]))) == before


@given(scale=st.floats(1e-3, 1e6), seed=SEEDS)
def test_the_unit_does_not_matter(scale: float, seed: int) -> None:
    """All values times the same have the same steps."""
    values = np.exp(noise(80, 0.3, seed) + np.repeat([0.0, 0.03, -0.03], [30, 30, 20]))
    found, scaled = steps(values), steps(scale * values)
    assert places(found) == places(scaled)
    for one, other in zip(found, scaled, strict=True):
        assert one.ratio.point == pytest.approx(other.ratio.point)


@given(seed=SEEDS)
def test_backwards_the_same_steps_are_found(seed: int) -> None:
    """A series read from its end has its steps at the same places, and their inverse sizes."""
    values = np.exp(noise(60, 0.0, seed) + np.repeat([0.0, 0.1, 0.3], 20))
    found, backwards = steps(values), steps(values[::-1])
    assert places(found) == [60 - at for at in places(backwards)][::-1]
    assert [step.ratio.point for step in found] == pytest.approx([1 / step.ratio.point for step in backwards[::-1]])


@pytest.mark.parametrize("levels", [[0.0, 0.1, 0.2, 0.05], [0.0, 0.1, 0.0, 0.1]], ids=["up and down", "and again"])
def test_several_steps_are_found(levels: list[float]) -> None:
    """Each at its place, in order; also where a level came and went, so that no single step explains much."""
    series = np.repeat(levels, [40, 30, 50, 30])
    assert places(steps(np.exp(series))) == [40, 70, 120]
    assert places(steps(np.exp(series + noise(150, 0.0, 1)))) == [40, 70, 120]


@pytest.mark.parametrize(("tails", "rho"), [("normal", 0.0), ("normal", 0.6), ("heavy", 0.6)])
def test_noise_that_lingers_is_no_step(tails: str, rho: float) -> None:
    """Of 400 series without a step at most 4 % have one: three times of what is documented would be 3 %."""
    rng = np.random.default_rng(1)
    drawn = rng.standard_normal((400, 150)) if tails == "normal" else rng.standard_t(3, (400, 150))
    series = np.exp(NOISE * lfilter([sqrt(1 - rho**2)], [1, -rho], drawn)[:, 100:])
    assert sum(bool(steps(values)) for values in series) <= 16


def test_lingering_noise_would_fool_a_test_that_does_not_allow_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same series alarm more often than one in five if their values are taken to be independent."""
    monkeypatch.setattr(changepoints, "HIGHEST_RHO", 0.0)
    alarms = sum(bool(steps(np.exp(noise(50, 0.6, seed)))) for seed in range(200))
    assert alarms > 40


@given(at=st.integers(5, 44), size=st.floats(0.5, 5), seed=SEEDS)
def test_one_bad_run_is_no_step_and_hides_none(at: int, size: float, seed: int) -> None:
    """A value that is off by fifty standard deviations: the step of ten is found, and without noise no other."""
    assume(not 22 <= at <= 27)  # nearer, the two are one window
    level = np.repeat([0.0, 0.1], 25)
    level[at] += size
    assert places(steps(np.exp(level))) == [25]
    assert 25 in places(steps(np.exp(level + noise(50, 0.0, seed))))


@given(values=st.lists(st.floats(-3, 3), min_size=0, max_size=40))
def test_without_outliers_values_stay_within_their_range(values: list[float]) -> None:
    """None becomes larger or smaller than all were."""
    kept = without_outliers(np.array(values))
    assert len(kept) == len(values)
    if values:
        assert min(values) - 1e-9 <= kept.min()
        assert kept.max() <= max(values) + 1e-9


@given(seed=SEEDS, change=st.floats(0.005, 0.1), rho=st.floats(0, 0.6))
def test_the_likeliest_place_is_within_its_interval(seed: int, change: float, rho: float) -> None:
    """Between earliest and latest, with five runs on both sides."""
    values = np.exp(noise(60, rho, seed) + np.repeat([0.0, change], 30))
    for step in steps(values):
        assert MIN_SEGMENT <= step.earliest <= step.at <= step.latest <= 60 - MIN_SEGMENT


def test_levels_are_those_between_steps() -> None:
    """One more than there are steps; the level of all where there is none."""
    values = np.repeat([1.0, 2.0], 10)
    assert changepoints.levels(values, steps(values)) == pytest.approx([1, 2])
    assert changepoints.levels(values[:10], ()) == pytest.approx([1])
