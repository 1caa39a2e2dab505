"""Which Lanes kept still: neither noise, nor the machine, nor another Lane makes one unstable."""

from collections.abc import Mapping
from math import isfinite

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import stability
from bench.model.reason import Code

LANES = st.dictionaries(
    st.sampled_from("abcdef"), st.dictionaries(st.integers(0, 8), st.floats(1e-3, 1e6), max_size=9), max_size=6
)


def run(n: int, lanes: int = 6, own: float = 0.03, common: float = 0.1, seed: int = 1) -> dict[str, dict[int, float]]:
    """Returns throughputs by Lane and round, with a disturbance in common and one of each Lane's own."""
    rng = np.random.default_rng([seed, n, lanes])
    shared = rng.normal(0, common, n)
    return {
        f"lane{lane}": dict(enumerate((1000 * np.exp(shared + rng.normal(0, own, n))).tolist()))
        for lane in range(lanes)
    }


def bent(rounds: Mapping[int, float], change: float) -> dict[int, float]:
    """Returns rounds with a trend that changes them by so much from the first to the last."""
    return {index: value * (1 + change) ** (index / (len(rounds) - 1)) for index, value in rounds.items()}


@pytest.mark.parametrize("change", [-0.4, 0.6])
def test_a_lane_that_drifts_is_unstable_and_no_other(change: float) -> None:
    """It says by how much, and how sure that is; those that it is compared with keep their names."""
    lanes = run(9)
    found = stability.unstable({**lanes, "lane2": bent(lanes["lane2"], change)})
    assert set(found) == {"lane2"}
    assert found["lane2"].code is Code.DRIFTED
    assert found["lane2"].values["change_share"] == pytest.approx(change, abs=0.2)
    assert found["lane2"].values["p_value"] == pytest.approx(0, abs=0.01)


def test_of_two_lanes_the_one_that_drifts_is_found() -> None:
    """Each drifts against the other; only one does so in itself."""
    lanes = run(9, lanes=2, common=0.0)
    assert set(stability.unstable({**lanes, "lane0": bent(lanes["lane0"], 0.6)})) == {"lane0"}


def test_a_machine_that_drifts_makes_nobody_unstable() -> None:
    """What slows all Lanes alike cancels in their ratios."""
    assert stability.unstable({lane: bent(rounds, -0.5) for lane, rounds in run(9).items()}) == {}


def test_a_lane_alone_can_only_be_held_against_itself() -> None:
    """Where nobody else was measured, the drift of the machine can't be told from its own."""
    (rounds,) = run(9, lanes=1).values()
    assert stability.unstable({"alone": rounds}) == {}
    assert set(stability.unstable({"alone": bent(rounds, 2.0)})) == {"alone"}


def test_a_lane_that_rises_less_than_the_machine_does_not_drift() -> None:
    """It became faster, and slower than the others did: neither direction is its own."""
    lanes = {lane: bent(rounds, 1.0) for lane, rounds in run(9, own=0.01, common=0.0).items()}
    behind = bent(run(9, own=0.01, common=0.0)["lane2"], 0.4)
    assert stability.unstable({**lanes, "lane2": behind}, large_spread=1.0) == {}


def test_rounds_that_resemble_each_other_are_no_drift() -> None:
    """Slow waves look like trends: of 100 runs in which each Lane has its own, at most 5 have one that drifts."""

    def wave(seed: int) -> dict[str, dict[int, float]]:
        logs = np.random.default_rng(seed).normal(0, 0.1, (12, 15))
        for index in range(1, 15):
            logs[:, index] = 0.6 * logs[:, index - 1] + 0.8 * logs[:, index]
        return {f"lane{lane}": dict(enumerate(np.exp(own).tolist())) for lane, own in enumerate(logs)}

    found = [stability.unstable(wave(seed), large_spread=1.0) for seed in range(100)]
    assert sum(map(bool, found)) <= 5


def test_a_small_drift_is_no_reason() -> None:
    """However sure it is: below 10 % over the run it is within what runs differ by."""
    lanes = run(21, own=0.001)
    assert stability.unstable({**lanes, "lane2": bent(lanes["lane2"], 0.08)}) == {}


def test_rounds_that_do_not_agree_are_unstable() -> None:
    """A Lane whose rounds differ by a factor, while those of the others do not, says so in numbers."""
    lanes = run(7)
    lanes["lane4"] = {index: value * (2 if index % 2 else 1) for index, value in lanes["lane4"].items()}
    found = stability.unstable(lanes)
    assert set(found) == {"lane4"}
    assert found["lane4"].code is Code.SCATTERED
    assert found["lane4"].values["spread_share"] == pytest.approx(0.45, abs=0.1)
    assert stability.unstable(lanes, large_spread=1.0) == {}


@pytest.mark.parametrize("n", [3, 5, 7, 21])
def test_noise_is_seldom_called_unstable(n: int) -> None:
    """Of 300 runs of 12 Lanes whose rounds differ by 6 %, at most 3 % have a Lane that is called unstable."""
    alarms = [bool(stability.unstable(run(n, lanes=12, own=0.06, seed=seed))) for seed in range(300)]
    assert np.mean(alarms) <= 0.03


@given(lanes=LANES)
def test_whatever_rounds_there_are(lanes: dict[str, dict[int, float]]) -> None:
    """Missing rounds, missing Lanes and equal values are no error; two rounds are too few to be unstable."""
    found = stability.unstable(lanes)
    assert set(found) <= {lane for lane, rounds in lanes.items() if len(rounds) >= 3}
    values = [value for why in found.values() for value in why.values.values()]
    assert all(isinstance(value, float) and isfinite(value) for value in values)
