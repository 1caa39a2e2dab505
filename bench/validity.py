"""How far a Lane's numbers can be trusted."""

from collections.abc import Sequence

from bench.plan import Phase
from bench.records import Cell, Failure, SliceRecord, Status, Validity

BUSY_SHARE = 0.9
"""A process that used this share of its core's time was the limit."""
SPOILT_STEAL = 0.2
"""A slice from whose cores the hypervisor took more than this share of its length is spoilt; it counts 10 ms ticks."""
SPOILT_STEP_S = 0.05
"""So is one in which the wall clock moved by more than this against the monotonic one."""


def spoilt(record: SliceRecord) -> str | None:
    """Returns why a slice says more of the machine than of the Lane, or None."""
    if abs(record.clock_step_s) > SPOILT_STEP_S:
        return f"the clock stepped by {record.clock_step_s:+.2f} s, as it does where a machine was paused"
    if record.steal_s is not None and record.steal_s > SPOILT_STEAL * record.slice_s:
        return f"steal {record.steal_s:.2f} s in {record.slice_s:.2f} s"
    return None


def judge_cells(records: Sequence[SliceRecord], failure: Failure | None, workers: int) -> tuple[Cell, ...]:
    """Judges one Lane by all its slices: a Cell for each phase of the run."""
    phases = dict.fromkeys(record.phase for record in records if record.phase is not Phase.WARM_UP)
    phases = phases or dict.fromkeys([Phase.SATURATED])
    return tuple(Cell(phase, _judge(phase, records, failure, workers)) for phase in phases)


def worst(cells: Sequence[Cell]) -> Validity:
    """Returns the first finding that is not good, or that there is none."""
    return next((cell.validity for cell in cells if cell.validity.status is not Status.VALID), Validity(Status.VALID))


def of_phase(cells: Sequence[Cell], phase: Phase) -> Validity:
    """Returns the finding of one phase; that of a phase without slices is that of the whole Lane."""
    return next((cell.validity for cell in cells if cell.phase is phase), worst(cells))


def _judge(phase: Phase, records: Sequence[SliceRecord], failure: Failure | None, workers: int) -> Validity:
    """Judges one phase, worst finding first. A wrong answer counts in every phase, in the warm-up too."""
    if failure:
        return Validity(Status.FAILED, (f"round {failure.round + 1}, {failure.step}: {failure.reason}",))
    if not any(record.phase is not Phase.WARM_UP for record in records):
        return Validity(Status.NOT_MEASURED, ("no slice of it was measured before the run ended; run it again",))
    failing = (*_wrong(records), *_missed(records))
    if failing:
        return Validity(Status.FAILING, failing)
    if phase is not Phase.SATURATED:
        return Validity(Status.VALID)
    return _limit([record for record in records if record.phase is phase and not record.spoilt], workers)


def busy_share(records: Sequence[SliceRecord], counter: str) -> float | None:
    """Returns the share of wall time that a ``*_cpu_ns`` counter covers; None where it is unknown."""
    known = [record for record in records if getattr(record, counter) is not None]
    if not known:
        return None
    return float(sum(getattr(record, counter) for record in known) / 1e9 / sum(record.slice_s for record in known))


def _wrong(records: Sequence[SliceRecord]) -> tuple[str, ...]:
    errors = sum(sum(record.errors.values()) for record in records)
    if not errors:
        return ()
    kinds = ", ".join(sorted({kind for record in records for kind in record.errors}))
    total = errors + sum(record.requests_in_slice for record in records)
    return (f"{errors} of {total} answers were wrong ({kinds}); see the server's log with `bench serve`",)


def _missed(records: Sequence[SliceRecord]) -> tuple[str, ...]:
    """Judges the requests that an open load could not send: their latency is in no percentile.

    In a sweep they are what overload looks like, and judged with the point that they belong to.
    """
    missed = sum(record.missed for record in records if record.phase is not Phase.SWEEP)
    if not missed:
        return ()
    due = missed + sum(record.requests for record in records if record.phase is Phase.FIXED)
    return (
        f"{missed} of {due} requests of the fixed rate were never sent, because all connections were busy; "
        "lower load.rate_share",
    )


def _limit(saturated: Sequence[SliceRecord], workers: int) -> Validity:
    """Judges what limited the saturated throughput. It has to be the server."""
    server, driver = busy_share(saturated, "server_cpu_ns"), busy_share(saturated, "driver_cpu_ns")
    if not saturated or (server is not None and server / workers >= BUSY_SHARE):
        return Validity(Status.VALID)
    if server is None or driver is None:
        return Validity(
            Status.NOT_SATURATED,
            ("CPU times could not be read, so nothing shows that the server was the limit; see `/proc`",),
        )
    seen = f"server at {server / workers:.0%} of its cores, driver at {driver:.0%} of its own"
    if driver >= BUSY_SHARE:
        return Validity(
            Status.DRIVER_BOUND, (f"{seen}: the driver was the limit, the server can do more than is shown",)
        )
    return Validity(Status.NOT_SATURATED, (f"{seen}: neither was the limit; offer more users or look for other load",))
