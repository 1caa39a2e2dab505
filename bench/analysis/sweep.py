"""Throughput and latency against load: the points of a sweep, its knee, and the highest load within an objective.

For a closed load the knee is that of asymptotic bounds: with N users the throughput X(N) is at most N / R0, where R0 is
the response time with nobody else in the system, and at most X_max, where the bottleneck is busy all the time. The two
bounds cross at N* = R0 * X_max (Lazowska, Zahorjan, Graham and Sevcik, Quantitative System Performance, 1984, section
5.2, where R0 is D + Z and X_max is 1 / D_max). R0 is taken from the sweep's smallest load by Little's law: N / X(N).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, takewhile
from operator import attrgetter

from msgspec.structs import replace

from bench.analysis import contention, intervals, lateness, saturation, validity
from bench.analysis.contention import Shares
from bench.analysis.folds import counts, is_known
from bench.model import quotients
from bench.model.estimate import Estimate, Status, Validity, is_busy
from bench.model.experiment import Experiment, Sweep
from bench.model.load import Load, Phase
from bench.model.metrics import PERCENTILES, Better, Unit
from bench.model.reason import Code, Reason, reason
from bench.model.records import SliceRecord
from bench.model.sweep import Knee, LaneSweep, SweepPoint, WithinSlo

SERVED_SHARE = 0.95
"""A rate is served where so much of what came due in windows is got through in them, and nothing was left unsent."""
STILL_GROWING = 1.05
"""Where the largest load gets so many times the throughput of the one before it, the maximum is not in the sweep."""
POINT_PERCENTILES = ("p50", "p90", "p99")

RecordsByRound = Mapping[int, Sequence[SliceRecord]]


def fold(
    experiment: Experiment, records: Sequence[SliceRecord], found: Mapping[str, Validity] | None = None
) -> tuple[LaneSweep, ...]:
    """Returns the sweep of every Lane; nothing for a run that was none. ``found`` is what is against a Lane as a whole.

    From a Lane that is not valid neither a knee nor a load within the objective is derived.
    """
    if experiment.sweep is None:
        return ()
    counted = [record for record in records if record.phase is Phase.SWEEP and counts(record)]
    sweeps = (
        lane_sweep(
            lane.name,
            experiment.sweep,
            [record for record in counted if record.lane == lane.name],
            experiment.serving.workers,
        )
        for lane in experiment.lanes
    )
    found = found or {}
    return tuple(_trusted(each, found.get(each.lane, Validity(Status.VALID))) for each in sweeps)


def lane_sweep(lane: str, sweep: Sweep, records: Sequence[SliceRecord], workers: int) -> LaneSweep:
    """Folds one Lane's slices."""
    by_load = {load: _by_round([record for record in records if record.load == load]) for load in sweep.loads}
    busy = [of_load for of_load in by_load.values() if _used_its_cores(_records(of_load), workers)]
    own_wait_ms = contention.own_wait_ms([record for of_load in busy for record in _records(of_load)])
    points = tuple(point(load, rounds, workers, own_wait_ms) for load, rounds in by_load.items())
    return LaneSweep(
        lane=lane, points=points, knee=knee(points, by_load, workers), within_slo=within_slo(points, sweep.slo_ms)
    )


def _trusted(found: LaneSweep, lane: Validity) -> LaneSweep:
    """Returns a Lane's sweep without what is derived from its points, where the Lane is not valid."""
    if lane.status is Status.VALID:
        return found
    why = reason(Code.LANE_NOT_VALID, status=lane.status)
    return replace(found, knee=_no_knee(why), within_slo=_within(None, why))


def point(load: Load, rounds: RecordsByRound, workers: int, own_wait_ms: float | None) -> SweepPoint:
    """Folds what one Lane did under one Load; its own threads may have kept a request waiting for ``own_wait_ms``."""
    records = _records(rounds)
    by_round = list(_throughputs_rps(rounds).values())
    throughput = intervals.log_estimate(by_round, Unit.REQUESTS_PER_S, Better.HIGHER) if by_round else None
    shares = contention.shares_of(records, workers)
    found = (
        _wrong(rounds)
        or contention.robbed(shares)
        or _limit(load, records, shares, throughput)
        or _disturbed(load, records, shares, own_wait_ms)
    )
    return SweepPoint(
        load=load,
        throughput_rps=throughput,
        latency_ms={} if load.is_open and _queues(load, records, shares) else _latencies(rounds),
        server_cpu_share=shares.server,
        driver_cpu_share=shares.driver,
        dropped=sum(record.dropped for record in records),
        validity=found or Validity(Status.VALID),
    )


def knee(points: Sequence[SweepPoint], by_load: Mapping[Load, RecordsByRound], workers: int) -> Knee:
    """Returns where a Lane's throughput stops growing with its load."""
    doubtful = [each for each in points if each.validity.status in (Status.FAILING, Status.NOT_MEASURED)]
    if doubtful:
        return _no_knee(_not_valid(doubtful[0]))
    return _crossing(points, by_load, workers) if not points[0].load.is_open else _last_served(points)


def within_slo(points: Sequence[SweepPoint], slo_ms: float) -> WithinSlo:
    """Returns the highest load up to which the upper end of p99's interval is within the objective, at every load.

    A load that too few requests came from for a p99 is passed over.
    """
    best: SweepPoint | None = None
    for each in points:
        if breach := _breach(each, slo_ms):
            passed_over = best is None and each is not points[0]
            below = [reason(Code.NO_P99_BELOW, load=each.load.label)] if passed_over else []
            return _within(best, breach, *below)
        best = each if "p99" in each.latency_ms else best
    return _within(best, reason(Code.SWEEP_ENDED if best else Code.NO_P99))


def _records(rounds: RecordsByRound) -> list[SliceRecord]:
    return [record for of_round in rounds.values() for record in of_round]


def _used_its_cores(records: Sequence[SliceRecord], workers: int) -> bool:
    """Returns whether the server had its cores, and used them."""
    return is_busy(contention.shares_of(records, workers).server)


def _by_round(records: Sequence[SliceRecord]) -> RecordsByRound:
    ordered = sorted(records, key=attrgetter("round", "slice"))
    return {index: list(of_round) for index, of_round in groupby(ordered, key=attrgetter("round"))}


def _throughputs_rps(rounds: RecordsByRound) -> dict[int, float]:
    """Returns the right answers a second of the windows, by round; nothing of a round without one."""
    return {index: rps for index, records in rounds.items() if (rps := quotients.served_rps(*records))}


def _latencies(rounds: RecordsByRound) -> dict[str, Estimate]:
    """Returns the percentiles that enough answers lie beyond, in each round and in all, as for other metrics."""
    histograms = [
        intervals.merged([record.latency_from_intended_us or record.latency_us for record in records])
        for records in rounds.values()
    ]
    answers = [histogram.total_count for histogram in histograms]
    return {
        name: intervals.log_estimate(
            [intervals.percentile_ms(each, PERCENTILES[name]) for each in histograms], Unit.MS, Better.LOWER
        )
        for name in POINT_PERCENTILES
        if is_known(answers, PERCENTILES[name])
    }


def _served(load: Load, records: Sequence[SliceRecord]) -> bool:
    """Returns whether what came due was got through; of a closed load nothing does."""
    due = sum(load.due(record.window_s) or 0 for record in records)
    answers = sum(record.answers_in_window or 0 for record in records)
    return answers >= SERVED_SHARE * due and not any(record.dropped for record in records)


def _queues(load: Load, records: Sequence[SliceRecord], shares: Shares) -> bool:
    """Returns whether latency grows for as long as the load lasts: the rate is not served, or fills the server."""
    return not _served(load, records) or is_busy(shares.server)


def _wrong(rounds: RecordsByRound) -> Validity | None:
    records = _records(rounds)
    if not records:
        return Validity(Status.NOT_MEASURED, (reason(Code.NO_SLICES),))
    if wrong := tuple(validity.wrong(records)):
        return Validity(Status.FAILING, wrong)
    silent = {index: of_round for index, of_round in rounds.items() if not any(r.answers_in_window for r in of_round)}
    if silent:
        return Validity(Status.FAILING, (validity.silent_rounds(silent, _records(silent)),))
    return None


def _limit(load: Load, records: Sequence[SliceRecord], shares: Shares, throughput: Estimate | None) -> Validity | None:
    """Judges what limited a point: the driver, which makes it say nothing of the server, or overload."""
    if full := saturation.driver_full(shares):
        return full
    if _served(load, records):
        return None
    found = reason(
        Code.OVERLOADED,
        served_rps=throughput.point if throughput else 0.0,
        offered_rps=load.value,
        dropped=sum(record.dropped for record in records),
    )
    return Validity(Status.OVERLOADED, (found,))


def _disturbed(
    load: Load, records: Sequence[SliceRecord], shares: Shares, own_wait_ms: float | None
) -> Validity | None:
    """Judges what else was in a point's figures, as in those of a cell of its kind of load."""
    if is_busy(shares.server):
        filled = Validity(Status.UNSTABLE, (reason(Code.RATE_FILLS_SERVER, server_share=shares.server),))
        return filled if load.is_open else saturation.users_under_way(records)
    if not saturation.cpu_times_known(shares):
        return validity.without_cpu_times()
    driver = lateness.late(records) if load.is_open else contention.held_up_driver(shares)
    return driver or contention.kept_waiting(records, own_wait_ms)


def _crossing(points: Sequence[SweepPoint], by_load: Mapping[Load, RecordsByRound], workers: int) -> Knee:
    """Returns the users at which the asymptotic bounds cross, paired by round."""
    measured = [each for each in points if each.throughput_rps]
    best = max(measured, key=_rps)
    if why := next(_against_a_crossing(measured, best, _records(by_load[best.load]), workers), None):
        return _no_knee(why)
    first, top = (_throughputs_rps(by_load[each.load]) for each in (measured[0], best))
    common = [index for index in top if index in first]
    if not common:
        return _no_knee(reason(Code.NO_COMMON_ROUND))
    growth = intervals.ratio_estimate([top[index] for index in common], [first[index] for index in common])
    users = measured[0].load.value
    low, high = (None if end is None else users * end for end in (growth.low, growth.high))
    return Knee(at=users * growth.point, low=low, high=high, reason=None)


def _against_a_crossing(
    measured: Sequence[SweepPoint], best: SweepPoint, records: Sequence[SliceRecord], workers: int
) -> Iterator[Reason]:
    """Yields why the bounds are not known; ``records`` are those of the best point."""
    if len(measured) < 2:
        yield reason(Code.ONE_LOAD)
    yield from (_doubt(each) for each in _deciding(measured, best) if each.validity.status is not Status.VALID)
    if more := saturation.may_do_more(records, contention.shares_of(records, workers)):
        yield reason(Code.MAXIMUM_UNKNOWN, more, load=best.load.label)
    if _saturates(measured[0], best):
        yield reason(Code.ALREADY_SATURATED, load=measured[0].load.label)
    if best is measured[-1] and _rps(best) > STILL_GROWING * _rps(measured[-2]):
        yield reason(Code.STILL_GROWING, load=best.load.label)


def _deciding(measured: Sequence[SweepPoint], best: SweepPoint) -> Iterator[SweepPoint]:
    """Yields the points that R0 and X_max rest on.

    Where the best does not fill its server, that there is no more to be had is seen by those of more users.
    """
    yield best
    yield measured[0]
    if not is_busy(best.server_cpu_share):
        yield from measured[measured.index(best) + 1 :]


def _saturates(first: SweepPoint, best: SweepPoint) -> bool:
    """Returns whether a sweep begins beyond its knee: N / X(N) is then no R0. With one user it always is."""
    full = is_busy(first.server_cpu_share) or STILL_GROWING * _rps(first) >= _rps(best)
    return full and first.load.value > 1


def _last_served(points: Sequence[SweepPoint]) -> Knee:
    """Returns the highest rate up to which every one was served with time to spare, and the next that was not served.

    Where a rate is got through and fills the server, the knee may be on either side of it.
    """
    served = list(takewhile(lambda each: each.validity.status is Status.VALID, points))
    for each in points[len(served) :]:
        if each.validity.status not in (Status.VALID, Status.UNSTABLE, Status.OVERLOADED):
            return _no_knee(_doubt(each))
        if not served:
            return _no_knee(reason(Code.ALREADY_BEYOND, status=each.validity.status, load=each.load.label))
        if each.validity.status is Status.OVERLOADED:
            return Knee(at=_rate(served[-1]), low=_rate(served[-1]), high=_rate(each), reason=None)
    return _no_knee(reason(Code.STILL_SERVED, load=points[-1].load.label))


def _doubt(each: SweepPoint) -> Reason:
    """Returns why nothing is derived from a point."""
    if each.validity.status is Status.DRIVER_BOUND and not is_busy(each.server_cpu_share):
        return reason(Code.MAXIMUM_UNKNOWN, *each.validity.reasons, load=each.load.label)
    return _not_valid(each)


def _not_valid(each: SweepPoint) -> Reason:
    return reason(Code.POINT_NOT_VALID, status=each.validity.status, load=each.load.label)


def _breach(each: SweepPoint, slo_ms: float) -> Reason | None:
    """Returns what a point has against it; None where p99 is within the objective, or not known."""
    if each.validity.status is not Status.VALID:
        return _not_valid(each)
    p99 = each.latency_ms.get("p99")
    if p99 is None:
        return None
    if p99.high is None:
        return reason(Code.NO_INTERVAL, load=each.load.label)
    if p99.high <= slo_ms:
        return None
    return reason(Code.P99_ABOVE_OBJECTIVE, p99_ms=p99.point, high_ms=p99.high, load=each.load.label)


def _within(best: SweepPoint | None, *reasons: Reason) -> WithinSlo:
    if best is None:
        return WithinSlo(load=None, throughput_rps=None, reasons=reasons)
    return WithinSlo(load=best.load, throughput_rps=best.throughput_rps, reasons=reasons)


def _no_knee(why: Reason) -> Knee:
    return Knee(at=None, low=None, high=None, reason=why)


def _rps(each: SweepPoint) -> float:
    return each.throughput_rps.point if each.throughput_rps else 0.0


def _rate(each: SweepPoint) -> float:
    return each.load.value
