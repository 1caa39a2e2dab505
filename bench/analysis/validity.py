"""How far a Lane's numbers can be trusted: a finding for each cell, which is the Lane under one phase's load."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.analysis import contention, lateness, saturation
from bench.analysis.contention import Shares
from bench.model import quotients
from bench.model.estimate import Status, Validity, is_busy
from bench.model.load import Phase
from bench.model.metrics import METRICS
from bench.model.reason import Code, Reason, reason
from bench.model.records import Failure, SliceRecord
from bench.model.summary import Cell

SEVERITY = (
    Status.VALID,
    Status.UNSTABLE,
    Status.OVERLOADED,
    Status.NOT_SATURATED,
    Status.DRIVER_BOUND,
    Status.STARVED,
    Status.FAILING,
    Status.NOT_MEASURED,
    Status.FAILED,
)
"""Statuses from the best to the worst."""
UNUSABLE = (Status.FAILING, Status.NOT_MEASURED, Status.FAILED)
"""With one of these a Lane says nothing, not even of what needs no load."""


def judge_cells(records: Sequence[SliceRecord], failure: Failure | None, workers: int) -> tuple[Cell, ...]:
    """Judges one Lane by all its slices, apart from whether it kept still: a Cell for each phase of the run."""
    phases = dict.fromkeys(record.phase for record in records if record.phase is not Phase.WARM_UP)
    return tuple(
        Cell(phase, _judge(phase, records, failure, workers) or Validity(Status.VALID))
        for phase in phases or [Phase.SATURATED]
    )


def with_unstable(cells: Sequence[Cell], unstable: Mapping[Phase, Reason]) -> tuple[Cell, ...]:
    """Returns the Cells with what ``stability`` found, by phase, against those with nothing else against them."""
    return tuple(
        Cell(cell.phase, Validity(Status.UNSTABLE, (unstable[cell.phase],)))
        if cell.phase in unstable and cell.validity.status is Status.VALID
        else cell
        for cell in cells
    )


def worst(cells: Sequence[Cell]) -> Validity:
    """Returns the finding of the cell that is worst off; of cells that are equally bad, the first one's."""
    return max((cell.validity for cell in cells), key=_severity, default=Validity(Status.VALID))


def of_phase(cells: Sequence[Cell], phase: Phase) -> Validity:
    """Returns the finding of one phase; that of a phase without slices is that of the whole Lane."""
    return next((cell.validity for cell in cells if cell.phase is phase), worst(cells))


def of_metric(cells: Sequence[Cell], metric: str) -> Validity:
    """Returns the finding that a metric stands under: of the phase that it is measured in, or of the whole Lane.

    What was observed without load needs a Lane that answers rightly, and no more.
    """
    row = METRICS[metric]
    if row.phase is not None:
        return of_phase(cells, row.phase)
    found = worst(cells)
    return Validity(Status.VALID) if row.is_observed and found.status not in UNUSABLE else found


def _judge(phase: Phase, records: Sequence[SliceRecord], failure: Failure | None, workers: int) -> Validity | None:
    """Returns the worst finding of one phase, if any. A wrong answer counts in every phase, in the warm-up too."""
    if failure:
        return Validity(Status.FAILED, (failed(failure),))
    if not any(record.phase is not Phase.WARM_UP for record in records):
        return Validity(Status.NOT_MEASURED, (reason(Code.NO_SLICES),))
    own = [record for record in records if record.phase is phase and not record.discarded]
    # What a sweep's open load could not send is what overload looks like: it is judged with its point.
    dropped = () if phase is Phase.SWEEP else _dropped(own)
    if failing := (*wrong(records), *_silent(own), *dropped):
        return Validity(Status.FAILING, failing)
    shares = contention.shares_of(own, workers)
    match phase:
        case Phase.SATURATED:
            return contention.stolen(shares) or saturation.limit(own, shares)
        case Phase.FIXED:
            saturated = [record for record in records if record.phase is Phase.SATURATED and not record.discarded]
            own_wait_ms = _own_wait_ms(saturated, workers)
            return contention.stolen(shares) or _punctual(own, shares) or contention.kept_waiting(own, own_wait_ms)
        case _:  # the Lanes of a Duet share a core, and all that disturbs it; a sweep is judged point by point
            return None


def failed(failure: Failure, log: str | None = None) -> Reason:
    """Returns how a Lane failed, with a line of its log."""
    return reason(Code.LANE_FAILED, failure.reason, round=failure.round, stage=failure.stage, log=log)


def failed_with_log(failure: Failure) -> Reason:
    """Returns how a Lane failed, with its name and the last line of its log: for where the log is not shown."""
    last = next(reversed(failure.log_tail.strip().splitlines()), None)
    return failed(failure, last).found_of(failure.lane)


def wrong(records: Sequence[SliceRecord]) -> Iterator[Reason]:
    """Yields what is to be said of wrong answers, if there were any."""
    errors = quotients.errors(*records)
    if errors:
        kinds = tuple(sorted({kind for record in records for kind in record.errors}))
        answers = errors + sum(record.requests_in_slice for record in records)
        yield reason(Code.WRONG_ANSWERS, errors=errors, answers=answers, kinds=kinds)


def silent_rounds(rounds: Iterable[int], records: Sequence[SliceRecord]) -> Reason:
    """Says that these Rounds had no right answer in ``records``, their slices that count, and why."""
    said = [record.unknown["requests"] for record in records if "requests" in record.unknown]
    return reason(Code.SILENT_ROUNDS, *said[:1], rounds=tuple(sorted(rounds)), slices=len(records))


def _silent(records: Sequence[SliceRecord]) -> Iterator[Reason]:
    """Judges Rounds without a right answer: the means of the others would say nothing of them."""
    if not records:
        yield reason(Code.NO_SLICE_COUNTS)
    silent = {record.round for record in records} - {record.round for record in records if record.requests}
    if silent:
        yield silent_rounds(silent, [record for record in records if record.round in silent])


def _dropped(records: Sequence[SliceRecord]) -> Iterator[Reason]:
    """Judges the requests that an open load could not send: their latency is in no percentile."""
    dropped = sum(record.dropped for record in records)
    if dropped:
        due = dropped + sum(record.requests for record in records)
        yield reason(Code.REQUESTS_DROPPED, dropped=dropped, due=due)


def _punctual(fixed: Sequence[SliceRecord], shares: Shares) -> Validity | None:
    """Judges whether latencies at a fixed rate are the server's: with time to spare, under a driver that is on time."""
    if not saturation.cpu_times_known(shares):
        return without_cpu_times()
    if is_busy(shares.driver):
        found = reason(Code.DRIVER_FULL_AT_RATE, driver_share=shares.driver)
        return Validity(Status.DRIVER_BOUND, (found,))
    if is_busy(shares.server):
        return Validity(Status.UNSTABLE, (reason(Code.SERVER_FULL_AT_RATE, server_share=shares.server),))
    return lateness.late(fixed)


def without_cpu_times() -> Validity:
    """Judges latencies where CPU times are not known: they may be those of a queue, at the driver too."""
    return Validity(Status.UNSTABLE, (reason(Code.CPU_TIMES_UNKNOWN),))


def _own_wait_ms(saturated: Sequence[SliceRecord], workers: int) -> float | None:
    """Returns how long a server's own threads may keep a request waiting: nothing, if it was starved when saturated."""
    found = saturation.limit(saturated, contention.shares_of(saturated, workers))
    return 0.0 if found and found.status is Status.STARVED else contention.own_wait_ms(saturated)


def _severity(validity: Validity) -> int:
    return SEVERITY.index(validity.status)
