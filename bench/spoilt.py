"""Which slices say more of the machine than of the Lane, and are measured again."""

from msgspec.structs import replace

from bench.plan import Phase
from bench.records import SliceRecord

SPOILT_STEAL = 0.2
"""A slice from whose cores the hypervisor took more than this share of its length is spoilt; it counts 10 ms ticks."""
SPOILT_STEP_S = 0.05
"""So is one in which the wall clock moved by more than this against the monotonic one."""


def why_spoilt(record: SliceRecord) -> str | None:
    """Returns why a slice says more of the machine than of the Lane, or None."""
    if abs(record.clock_step_s) > SPOILT_STEP_S:
        return f"the clock stepped by {record.clock_step_s:+.2f} s, as it does where a machine was paused"
    if record.steal_s is not None and record.steal_s > SPOILT_STEAL * record.slice_s:
        return f"steal {record.steal_s:.2f} s in {record.slice_s:.2f} s"
    return None


def judged(record: SliceRecord, repeats_left: int, repeats: int) -> SliceRecord:
    """Returns the record with what spoilt it, if anything did; it counts all the same where it can't be repeated."""
    reason = why_spoilt(record)
    if reason is None:
        return record
    if record.phase is Phase.WARM_UP:
        return replace(record, not_repeated=f"{reason}; a warm-up is not repeated")
    if repeats_left == 0:
        return replace(record, not_repeated=f"{reason}; not repeated, as the round's repeats ({repeats}) were used up")
    return replace(record, spoilt=reason)
