"""Which slices are measured again."""

from conftest import saturated
from hypothesis import given
from hypothesis import strategies as st

from bench.spoilt import SPOILT_STEAL, SPOILT_STEP_S, why_spoilt


@given(steal_s=st.none() | st.floats(0, 1), step_s=st.floats(-1, 1))
def test_a_slice_is_spoilt_by_the_machine_alone(steal_s: float | None, step_s: float) -> None:
    """By steal or by a clock that stepped, with the number in its reason; errors and speed have no say."""
    seen = saturated(steal_s=steal_s, clock_step_s=step_s, errors={"timeout": 9}, requests=0)
    stolen = steal_s is not None and steal_s > SPOILT_STEAL * seen.slice_s
    stepped = abs(step_s) > SPOILT_STEP_S
    assert (why_spoilt(seen) is not None) == (stolen or stepped)
