"""Which slices say more of the machine than of the Lane, and are measured again."""

from collections.abc import Sequence

from msgspec.structs import replace

from bench.model.load import Phase
from bench.model.reason import Code, Reason, reason
from bench.model.records import SliceRecord

DISCARD_STEAL = 0.2
"""A slice is discarded if the hypervisor took more than this share of it from its cores. It counts 10 ms ticks."""
DISCARD_STEP_S = 0.05
"""So is one in which the wall clock moved by more than this against the monotonic one."""


def why_discarded(record: SliceRecord) -> Reason | None:
    """Returns why a slice says more of the machine than of the Lane, or None."""
    if record.clock_step_s is not None and abs(record.clock_step_s) > DISCARD_STEP_S:
        return reason(Code.CLOCK_STEPPED, step_s=record.clock_step_s)
    if record.steal_s is not None and record.steal_s > DISCARD_STEAL * record.slice_s:
        return reason(Code.STEAL, steal_s=record.steal_s, slice_s=record.slice_s)
    return None


def judged(records: Sequence[SliceRecord], repeats_left: int) -> tuple[SliceRecord, ...]:
    """Returns the records of one Slice with what discarded it, if anything did: for one Lane of a Duet is for both.

    A Slice that can't be repeated counts all the same.
    """
    why = next(filter(None, map(why_discarded, records)), None)
    if why is None:
        return tuple(records)
    return tuple(_marked(record, why, repeats_left) for record in records)


def note(records: Sequence[SliceRecord]) -> tuple[Reason, ...]:
    """Returns how many slices were discarded, and what became of them; nothing where none was."""
    repeated = {(record.round, record.slice) for record in records if record.discarded}
    kept = {(r.round, r.slice) for r in records if r.not_repeated and r.phase is not Phase.WARM_UP}
    if not (repeated or kept):
        return ()
    return (reason(Code.SLICES_DISCARDED, repeated=len(repeated), counted=len(kept)),)


def _marked(record: SliceRecord, why: Reason, repeats_left: int) -> SliceRecord:
    if record.phase is Phase.WARM_UP or repeats_left == 0:
        return replace(record, not_repeated=why)
    return replace(record, discarded=why)
