"""How far a Lane's numbers can be trusted: a finding for each cell, which is the Lane under one phase's load."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from bench.analysis import intervals
from bench.analysis.discard import DISCARD_STEAL
from bench.model.estimate import BUSY_SHARE, is_busy
from bench.model.load import Phase
from bench.model.metrics import METRICS
from bench.model.records import Cell, Failure, SliceRecord, Status, Validity
from bench.report import wording

USERS_SHARE = 0.5
"""So many of a closed load's users have to be waiting for the server at any time; else they mostly wait for the driver.

With a server that is busy throughout, an answer that waits for the driver costs no throughput.
"""
MORE_USERS = 1.1
"""More than that can't be: throughput and latency of the windows are then not of the same requests."""
LATE_MS = 0.1
"""A driver may be that late at the median: latencies are to be right to 0.1 ms ..."""
LATE_SHARE = 0.05
"""... or to 5 %, whichever is more."""
LATE_TAIL_SHARE = 0.5
"""In the tail one hiccup of the machine is enough; a p99 of which the driver's lateness is more is not the server's."""
ALL_USERS_SHARE = 0.9
"""So many have to be with a server that is not busy, for what it serves to be the most that it can: one that waits."""
UNREAD = "CPU times could not be read, so"
LIMIT_UNSEEN = f"{UNREAD} nothing shows that the server was the limit"
USUAL_WAIT = 1.5
"""A server's threads wait for each other, about as long for a request at any load; so many times that is too long."""


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


def with_unstable(cells: Sequence[Cell], unstable: Mapping[Phase, str]) -> tuple[Cell, ...]:
    """Returns the Cells with what ``drift`` found, by phase, against those with nothing else against them."""
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


def said_of(name: str, found: Validity) -> Validity:
    """Returns what was found with whom it was found of before each reason: a run, or a side of a comparison."""
    return Validity(found.status, tuple(f"{name}: {reason}" for reason in found.reasons))


def busy_share(records: Sequence[SliceRecord], counter: str) -> float | None:
    """Returns the share of wall time that a ``*_ns`` counter covers; None where it is unknown."""
    known = [record for record in records if getattr(record, counter) is not None]
    slice_s = sum(record.slice_s for record in known)
    if not slice_s > 0:
        return None
    return float(sum(getattr(record, counter) for record in known) / 1e9 / slice_s)


def numbered(rounds: Iterable[int]) -> str:
    """Writes Rounds as they are counted elsewhere, from 1 on: ``round 2``, ``rounds 2, 5``."""
    numbers = [str(index + 1) for index in sorted(rounds)]
    return f"round{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


class Shares(Struct, frozen=True):
    """Shares of the time of a cell's slices: of the server's cores, of the driver's, and of one core for the steal."""

    server: float | None
    server_waited: float | None
    driver: float | None
    driver_waited: float | None
    steal: float | None

    def __str__(self) -> str:
        return f"server at {_share(self.server)} of its cores, driver at {_share(self.driver)} of its own"


def _judge(phase: Phase, records: Sequence[SliceRecord], failure: Failure | None, workers: int) -> Validity | None:
    """Returns the worst finding of one phase, if any. A wrong answer counts in every phase, in the warm-up too."""
    if failure:
        return Validity(Status.FAILED, (f"round {failure.round + 1}, {failure.stage}: {failure.reason}",))
    if not any(record.phase is not Phase.WARM_UP for record in records):
        return Validity(Status.NOT_MEASURED, ("no slice of it was measured before the run ended; run it again",))
    own = [record for record in records if record.phase is phase and not record.discarded]
    # What a sweep's open load could not send is what overload looks like: it is judged with its point.
    dropped = () if phase is Phase.SWEEP else _dropped(own)
    failing = (*_wrong(records), *_silent(own), *dropped)
    if failing:
        return Validity(Status.FAILING, failing)
    shares = shares_of(own, workers)
    match phase:
        case Phase.SATURATED:
            return robbed(shares) or _limit(own, shares)
        case Phase.FIXED:
            saturated = [record for record in records if record.phase is Phase.SATURATED and not record.discarded]
            return robbed(shares) or _punctual(own, shares) or kept_waiting(own, _own_wait_ms(saturated, workers))
        case _:  # the Lanes of a Duet share a core, and all that disturbs it; a sweep is judged point by point
            return None


def _wrong(records: Sequence[SliceRecord]) -> Iterator[str]:
    errors = sum(sum(record.errors.values()) for record in records)
    if errors:
        kinds = ", ".join(sorted({kind for record in records for kind in record.errors}))
        total = errors + sum(record.requests_in_slice for record in records)
        yield f"{errors} of {total} answers were wrong ({kinds}); see the server's log with `bench serve`"


def _silent(records: Sequence[SliceRecord]) -> Iterator[str]:
    """Judges Rounds without a right answer: the means of the others would say nothing of them."""
    silent = sorted({record.round for record in records} - {record.round for record in records if record.requests})
    own = [record for record in records if record.round in silent]
    if not records:
        yield "none of its slices counts; run it again"
    if own:
        said = next((wording.said(record.unknown["requests"]) for record in own if "requests" in record.unknown), "")
        yield (
            f"no right answer came in the {len(own)} slices that count of {numbered(silent)}"
            f"{f' ({said})' if said else ''}; look at it with `bench serve`"
        )


def _dropped(records: Sequence[SliceRecord]) -> Iterator[str]:
    """Judges the requests that an open load could not send: their latency is in no percentile."""
    dropped = sum(record.dropped for record in records)
    if dropped:
        due = dropped + sum(record.requests for record in records)
        yield (
            f"{dropped} of {due} requests of the fixed rate were never sent, because all connections were busy; "
            "lower load.rate_share"
        )


def shares_of(records: Sequence[SliceRecord], workers: int) -> Shares:
    """Returns what server and driver did with their cores in these slices."""
    server, waited = busy_share(records, "server_cpu_ns"), busy_share(records, "server_run_queue_ns")
    known = [record for record in records if record.steal_s is not None]
    slice_s = sum(record.slice_s for record in known)
    return Shares(
        server=None if server is None else server / workers,
        server_waited=None if waited is None else waited / workers,
        driver=busy_share(records, "driver_cpu_ns"),
        driver_waited=busy_share(records, "driver_run_queue_ns"),
        steal=sum(record.steal_s or 0.0 for record in known) / slice_s if slice_s > 0 else None,
    )


def robbed(shares: Shares) -> Validity | None:
    """Judges what the hypervisor took: more than discards a slice, in so many slices that not all could be repeated."""
    if shares.steal is None or shares.steal <= DISCARD_STEAL:
        return None
    return Validity(
        Status.STARVED,
        (f"the hypervisor took {shares.steal:.0%} of a core's time; measure when the machine has less to do",),
    )


def _limit(saturated: Sequence[SliceRecord], shares: Shares) -> Validity | None:
    """Judges what limited the saturated throughput. It has to be the server.

    The server's own threads wait for each other, which counts as waiting for a core too: so its CPU time decides first.
    """
    if is_busy(shares.server):
        return users_under_way(saturated)
    if shares.server is None or shares.driver is None:
        return Validity(Status.NOT_SATURATED, (f"{LIMIT_UNSEEN}; see `/proc`",))
    if is_busy(shares.driver):
        return Validity(
            Status.DRIVER_BOUND, (f"{shares}: the driver was the limit, the server can do more than is shown",)
        )
    return (
        _held_up(shares, "server", shares.server, shares.server_waited)
        or held_up_driver(shares)
        or Validity(
            Status.NOT_SATURATED, (f"{shares}: neither was the limit; offer more users or look for other load",)
        )
    )


def held_up_driver(shares: Shares) -> Validity | None:
    """Judges whether others kept the driver off its core: it has one thread, which waits for no other of its own."""
    return None if shares.driver is None else _held_up(shares, "driver", shares.driver, shares.driver_waited)


def may_do_more(saturated: Sequence[SliceRecord], shares: Shares) -> str:
    """Says why a server that did not use its cores may do more than it did; nothing where that was its most.

    It waited for its cores: for others, or for its own threads. Or users were with the driver (Little's law).
    """
    if is_busy(shares.server):
        return ""
    if shares.server is None:
        return LIMIT_UNSEEN
    if shares.server + (shares.server_waited or 0.0) >= BUSY_SHARE:
        waited = _share(shares.server_waited)
        return f"the server used {shares.server:.0%} of its cores and waited for one {waited} of the time"
    share = _under_way(saturated)
    return f"{shares}, and only {share:.0%} of the users had a request under way" if share < ALL_USERS_SHARE else ""


def _held_up(shares: Shares, who: str, ran: float, waited: float | None) -> Validity | None:
    if ran + (waited or 0.0) + (shares.steal or 0.0) < BUSY_SHARE:
        return None
    reason = f"the {who} waited for a core for {_share(waited)} of the time, steal {_share(shares.steal)}"
    return Validity(Status.STARVED, (f"{shares}; {reason}: end what else runs on these cores",))


def users_under_way(saturated: Sequence[SliceRecord]) -> Validity | None:
    """Judges by Little's law whether the users that were to be offered were there.

    Throughput times mean latency is how many requests were under way (Little, A proof for the queuing formula L = λW,
    Operations Research 9, 1961). A user who has none is with the driver.
    """
    share = _under_way(saturated)
    if share < USERS_SHARE:
        return Validity(
            Status.DRIVER_BOUND,
            (f"only {share:.0%} of the users had a request under way (Little's law): the driver held up the others",),
        )
    if share > MORE_USERS:
        return Validity(
            Status.UNSTABLE,
            (f"throughput times latency is {share:.0%} of the users (Little's law): make window_s longer",),
        )
    return None


def _under_way(saturated: Sequence[SliceRecord]) -> float:
    """Returns the share of the users who had a request under way, by throughput and mean latency."""
    users = sum((record.load.under_way or 0) * record.window_s for record in saturated)
    latencies = intervals.merged([record.latency_us for record in saturated])
    requests = sum(record.requests for record in saturated)
    return requests * intervals.mean_us(latencies) / 1e6 / users if users > 0 else 1.0


def _punctual(fixed: Sequence[SliceRecord], shares: Shares) -> Validity | None:
    """Judges whether latencies at a fixed rate are the server's: with time to spare, under a driver that is on time."""
    if unread := without_cpu_times(shares):
        return unread
    if is_busy(shares.driver):
        return Validity(Status.DRIVER_BOUND, (f"{shares}: latencies are the driver's own; lower load.rate_share",))
    if is_busy(shares.server):
        return Validity(
            Status.UNSTABLE, (f"{shares}: at this rate requests queue up while a slice lasts; lower load.rate_share",)
        )
    return late(fixed)


def without_cpu_times(shares: Shares) -> Validity | None:
    """Judges a load of which CPU times are not known: its latencies may be those of a queue, at the driver too."""
    if shares.server is not None and shares.driver is not None:
        return None
    return Validity(Status.UNSTABLE, (f"{UNREAD} driver or server may have been full; see `/proc`",))


def late(fixed: Sequence[SliceRecord]) -> Validity | None:
    """Judges how much of the latencies of an open load is the driver's, at the median and in the tail."""
    late_ms, latency_ms = _driver_ms(fixed, 50), _percentile_ms([r.latency_from_intended_us for r in fixed], 50)
    if late_ms is not None and late_ms > max(LATE_MS, LATE_SHARE * (latency_ms or 0.0)):
        said = f"the driver was {late_ms:.2f} ms late, which is in the latency of {latency_ms or 0.0:.2f} ms (medians)"
        return Validity(Status.DRIVER_BOUND, (f"{said}; end what else runs on its core",))
    return _late_tail(fixed)


def _driver_ms(fixed: Sequence[SliceRecord], percentile: float) -> float | None:
    """Returns how late the driver was; None where it is unknown.

    A request is sent late by the server too, where it left no connection free: the driver's event loop was not late
    then. So the driver was as late as both say.
    """
    sent_ms = _percentile_ms([record.send_lateness_us for record in fixed], percentile)
    looped_ms = _percentile_ms([record.loop_lag_us for record in fixed], percentile)
    return None if sent_ms is None or looped_ms is None else min(sent_ms, looped_ms)


def _late_tail(fixed: Sequence[SliceRecord]) -> Validity | None:
    """Judges the tail, by the p99 of most Rounds: one hiccup in one of them is no habit."""
    rounds = sorted({record.round for record in fixed})
    tails = [tail for index in rounds if (tail := _tail_ms([record for record in fixed if record.round == index]))]
    if not tails:
        return None
    late_ms, latency_ms = sorted(tails, key=lambda tail: tail[0] / tail[1])[(len(tails) - 1) // 2]
    if late_ms <= max(LATE_MS, LATE_TAIL_SHARE * latency_ms):
        return None
    said = f"the driver was {late_ms:.2f} ms late at p99, which is most of the p99 of {latency_ms:.2f} ms"
    return Validity(Status.DRIVER_BOUND, (f"{said} (in most rounds); end what else runs on its core",))


def _tail_ms(of_round: Sequence[SliceRecord]) -> tuple[float, float] | None:
    """Returns the p99 of how late the driver was, and of the latency; None for too few answers, or unknown."""
    if intervals.beyond(sum(record.requests for record in of_round), 99) < 1:
        return None
    late_ms = _driver_ms(of_round, 99)
    latency_ms = _percentile_ms([record.latency_from_intended_us for record in of_round], 99)
    return (late_ms, latency_ms) if late_ms is not None and latency_ms else None


def _own_wait_ms(saturated: Sequence[SliceRecord], workers: int) -> float | None:
    """Returns how long a server's own threads may keep a request waiting: nothing, if it was starved when saturated."""
    found = _limit(saturated, shares_of(saturated, workers))
    return 0.0 if found and found.status is Status.STARVED else own_wait_ms(saturated)


def own_wait_ms(saturated: Sequence[SliceRecord]) -> float | None:
    """Returns how long a server's own threads may keep a request waiting, by slices in which it had its cores."""
    wait_ms = _wait_ms(saturated)
    return None if wait_ms is None else USUAL_WAIT * wait_ms


def kept_waiting(records: Sequence[SliceRecord], own_ms: float | None) -> Validity | None:
    """Judges whether others kept a server off its cores that had time to spare: how long it waited a request.

    Of that its own threads may have done ``own_ms``; where that is not known, nothing is found.
    """
    waited_ms = _wait_ms(records)
    if waited_ms is None or own_ms is None:
        return None
    latency_ms = _percentile_ms([record.latency_from_intended_us or record.latency_us for record in records], 50) or 0.0
    if waited_ms <= own_ms + max(LATE_MS, LATE_SHARE * latency_ms):
        return None
    said = f"the server waited for a core for {waited_ms:.2f} ms a request"
    of_it = f"its own threads explain {own_ms:.2f} ms, the rest is in the latency of {latency_ms:.2f} ms (median)"
    return Validity(Status.STARVED, (f"{said}: {of_it}; end what else runs on its cores",))


def _wait_ms(records: Sequence[SliceRecord]) -> float | None:
    """Returns how long the server's threads waited for a core, by right answers; None where it is unknown."""
    known = [record for record in records if record.server_run_queue_ns is not None]
    answers = sum(record.requests_in_slice for record in known)
    return sum(record.server_run_queue_ns or 0 for record in known) / 1e6 / answers if answers else None


def _percentile_ms(encoded: Sequence[str | None], percentile: float) -> float | None:
    histogram = intervals.merged([text for text in encoded if text is not None])
    return intervals.percentile_ms(histogram, percentile) if histogram.total_count else None


def _share(share: float | None) -> str:
    return "an unknown share" if share is None else f"{share:.0%}"


def _severity(validity: Validity) -> int:
    return SEVERITY.index(validity.status)
