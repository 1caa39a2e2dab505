"""Which slices are measured again."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.analysis.discard import DISCARD_STEAL, DISCARD_STEP_S, judged, note, why_discarded
from bench.model.load import Phase
from bench.model.reason import Code, reason
from tests.builders.runs import saturated


@given(steal_s=st.none() | st.floats(0, 1), step_s=st.floats(-1, 1))
def test_a_slice_is_discarded_by_the_machine_alone(steal_s: float | None, step_s: float) -> None:
    """By steal or by a clock that stepped, with the number in its reason; errors and speed have no say."""
    seen = saturated(steal_s=steal_s, clock_step_s=step_s, errors={"timeout": 9}, requests=0)
    stolen = steal_s is not None and steal_s > DISCARD_STEAL * seen.slice_s
    stepped = abs(step_s) > DISCARD_STEP_S
    stolen_s = reason(Code.STEAL, steal_s=steal_s, slice_s=seen.slice_s) if stolen else None
    assert why_discarded(seen) == (reason(Code.CLOCK_STEPPED, step_s=step_s) if stepped else stolen_s)


@given(steal_s=st.floats(0, 1), repeats_left=st.integers(0, 3), phase=st.sampled_from(Phase))
def test_a_discarded_slice_is_either_repeated_or_says_why_not(steal_s: float, repeats_left: int, phase: Phase) -> None:
    """Its record has what discarded it in any case, under one of two names; that of any other slice has neither."""
    seen = saturated(steal_s=steal_s, phase=phase)
    (found,), why = judged([seen], repeats_left), why_discarded(seen)
    repeatable = phase is not Phase.WARM_UP and repeats_left > 0
    assert found.discarded == (why if repeatable else None)
    assert found.not_repeated == (None if repeatable else why)


@given(steal_s=st.tuples(st.floats(0, 1), st.floats(0, 1)), repeats_left=st.integers(0, 3))
def test_what_spoils_a_slice_spoils_it_for_all_of_its_lanes(steal_s: tuple[float, float], repeats_left: int) -> None:
    """Either both records of a Duet count or neither does, and both have the same reason."""
    seen = [saturated(steal_s=each, phase=Phase.DUET) for each in steal_s]
    found = judged(seen, repeats_left)
    assert [replace(each, discarded=None, not_repeated=None) for each in found] == seen
    assert (found[0].discarded, found[0].not_repeated) == (found[1].discarded, found[1].not_repeated)
    assert bool(found[0].discarded or found[0].not_repeated) == any(map(why_discarded, seen))


def test_a_note_says_what_became_of_discarded_slices() -> None:
    """A Duet is one slice, a warm-up counts in no case, and of a quiet run there is nothing to say."""
    quiet, stolen = saturated(slice=1), saturated(slice=2, steal_s=0.3)
    warm_up = judged([replace(stolen, phase=Phase.WARM_UP)], 0)
    duet = judged([stolen, replace(stolen, lane="other")], 1)
    kept = judged([replace(stolen, slice=3)], 0)
    assert note([quiet, *warm_up]) == ()
    assert note([quiet, *duet]) == (reason(Code.SLICES_DISCARDED, repeated=1, counted=0),)
    assert note([*duet, *kept]) == (reason(Code.SLICES_DISCARDED, repeated=1, counted=1),)
