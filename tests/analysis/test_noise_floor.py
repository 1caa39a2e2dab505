"""How far a Lane differs from its twin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import noise_floor
from bench.model.metrics import CPU, THROUGHPUT

VALUES = st.floats(1.0, 1e5)
TWINS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=9)


@given(pairs=TWINS)
def test_a_noise_floor_is_the_end_of_its_interval_that_is_further_from_one(pairs: list[tuple[float, float]]) -> None:
    """Upwards or downwards, as a factor; without an interval none is known."""
    of_twin, of_lane = zip(*pairs, strict=True)
    floor = noise_floor.between("a", "a#2", THROUGHPUT, of_twin, of_lane)
    if floor.ratio.low is None or floor.ratio.high is None:
        assert floor.difference is None
        assert len(pairs) < 3
    else:
        assert floor.difference is not None
        assert floor.difference == pytest.approx(max(floor.ratio.high, 1 / floor.ratio.low) - 1)
        assert floor.difference >= 0


@given(pairs=TWINS)
def test_a_noise_floor_does_not_care_who_is_the_twin(pairs: list[tuple[float, float]]) -> None:
    """Twin and Lane are the same Lane."""
    of_twin, of_lane = zip(*pairs, strict=True)
    there, back = (
        noise_floor.between("a", "b", THROUGHPUT, of_twin, of_lane),
        noise_floor.between("a", "b", THROUGHPUT, of_lane, of_twin),
    )
    assert there.difference == pytest.approx(back.difference)


@given(pairs=TWINS, rho=st.sampled_from([0.0, 0.3, 0.9]))
def test_rounds_that_resemble_each_other_raise_the_noise_floor(pairs: list[tuple[float, float]], rho: float) -> None:
    """They say less of how far a Lane is from itself."""
    of_twin, of_lane = zip(*pairs, strict=True)
    low, high = (noise_floor.between("a", "b", THROUGHPUT, of_twin, of_lane, r).difference for r in (0.0, rho))
    assert (low is None) == (high is None)
    assert low is None or high is None or low <= high * (1 + 1e-9)


def test_the_largest_noise_floor_counts() -> None:
    """Of several twins the noisiest; one without an interval, another metric, or no twin at all takes nothing away."""
    narrow, wide = (noise_floor.between("a", "a#2", THROUGHPUT, [1.0, 1 + x, 1.0], [1.0] * 3) for x in (0.01, 0.02))
    short = noise_floor.between("a", "a#2", THROUGHPUT, [1.5], [1.0])
    other = noise_floor.between("a", "a#2", CPU, [1.0, 2.0, 1.0], [1.0] * 3)
    assert noise_floor.largest([narrow, short, wide, other], THROUGHPUT) == wide.difference != narrow.difference
    assert noise_floor.largest([short, other], THROUGHPUT) == noise_floor.largest([], THROUGHPUT) == 0
