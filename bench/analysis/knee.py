"""What the points of a sweep add up to: its knee, and the highest load within an objective.

For a closed load the knee is that of asymptotic bounds: with N users the throughput X(N) is at most N / R0, where R0 is
the response time with nobody else in the system, and at most X_max, where the bottleneck is busy all the time. The two
bounds cross at N* = R0 * X_max (Lazowska, Zahorjan, Graham and Sevcik, Quantitative System Performance, 1984, section
5.2, where R0 is D + Z and X_max is 1 / D_max). R0 is taken from the sweep's smallest load by Little's law: N / X(N).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from msgspec import to_builtins

from bench.analysis import contention, intervals, saturation
from bench.analysis.sweep_point import RoundSlices, slices_of, throughputs_rps
from bench.model.estimate import Status, is_busy
from bench.model.load import KneeMethod, Load
from bench.model.metrics import OBJECTIVE
from bench.model.reason import Code, Reason, reason
from bench.model.records import SliceRecord
from bench.model.sweep import Knee, SweepPoint, WithinSlo

STILL_GROWING = 1.05
"""If the largest load gets more than this times the throughput of the one before, the sweep misses the maximum."""


def knee(points: Sequence[SweepPoint], by_load: Mapping[Load, RoundSlices], workers: int) -> Knee:
    """Returns where a Lane's throughput stops growing with its load."""
    doubtful = [each for each in points if each.validity.status in (Status.FAILING, Status.NOT_MEASURED)]
    if doubtful:
        return no_knee(_not_valid(doubtful[0]))
    match points[0].load.knee_method:
        case KneeMethod.CROSSING:
            return _crossing(points, by_load, workers)
        case KneeMethod.LAST_SERVED:
            return _last_served(points)


def within_slo(points: Sequence[SweepPoint], slo_ms: float) -> WithinSlo:
    """Returns the highest load up to which the upper end of p99's interval is within the objective, at every load.

    A load that too few requests came from for a p99 is passed over.
    """
    best: SweepPoint | None = None
    for each in points:
        if breach := _breach(each, slo_ms):
            passed_over = best is None and each is not points[0]
            below = [reason(Code.NO_P99_BELOW, load=_data(each.load))] if passed_over else []
            return within(best, breach, *below)
        best = each if OBJECTIVE in each.latency_ms else best
    return within(best, reason(Code.SWEEP_ENDED if best else Code.NO_P99))


def _crossing(points: Sequence[SweepPoint], by_load: Mapping[Load, RoundSlices], workers: int) -> Knee:
    """Returns the users at which the asymptotic bounds cross, paired by round."""
    measured = [each for each in points if each.throughput_rps]
    best = max(measured, key=_rps)
    if why := next(_against_a_crossing(measured, best, slices_of(by_load[best.load]), workers), None):
        return no_knee(why)
    first, top = (throughputs_rps(by_load[each.load]) for each in (measured[0], best))
    common = [index for index in top if index in first]
    if not common:
        return no_knee(reason(Code.NO_COMMON_ROUND))
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
        yield reason(Code.MAXIMUM_UNKNOWN, more, load=_data(best.load))
    if _saturates(measured[0], best):
        yield reason(Code.ALREADY_SATURATED, load=_data(measured[0].load))
    if best is measured[-1] and _rps(best) > STILL_GROWING * _rps(measured[-2]):
        yield reason(Code.STILL_GROWING, load=_data(best.load))


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
    return full and first.load.under_way != 1


def _last_served(points: Sequence[SweepPoint]) -> Knee:
    """Returns the highest rate up to which every one was served with time to spare, and the next that was not served.

    Where a rate is got through and fills the server, the knee may be on either side of it.
    """
    served = list(takewhile(lambda each: each.validity.status is Status.VALID, points))
    for each in points[len(served) :]:
        if each.validity.status not in (Status.VALID, Status.UNSTABLE, Status.OVERLOADED):
            return no_knee(_doubt(each))
        if not served:
            return no_knee(reason(Code.ALREADY_BEYOND, status=each.validity.status, load=_data(each.load)))
        if each.validity.status is Status.OVERLOADED:
            return Knee(at=served[-1].load.value, low=served[-1].load.value, high=each.load.value, reason=None)
    return no_knee(reason(Code.STILL_SERVED, load=_data(points[-1].load)))


def _doubt(each: SweepPoint) -> Reason:
    """Returns why nothing is derived from a point."""
    if each.validity.status is Status.DRIVER_BOUND and not is_busy(each.server_cpu_share):
        return reason(Code.MAXIMUM_UNKNOWN, *each.validity.reasons, load=_data(each.load))
    return _not_valid(each)


def _not_valid(each: SweepPoint) -> Reason:
    return reason(Code.POINT_NOT_VALID, status=each.validity.status, load=_data(each.load))


def _breach(each: SweepPoint, slo_ms: float) -> Reason | None:
    """Returns what a point has against it; None where p99 is within the objective, or not known."""
    if each.validity.status is not Status.VALID:
        return _not_valid(each)
    p99 = each.latency_ms.get(OBJECTIVE)
    if p99 is None:
        return None
    if p99.high is None:
        return reason(Code.NO_INTERVAL, load=_data(each.load))
    if p99.high <= slo_ms:
        return None
    return reason(Code.P99_ABOVE_OBJECTIVE, p99_ms=p99.point, high_ms=p99.high, load=_data(each.load))


def within(best: SweepPoint | None, *reasons: Reason) -> WithinSlo:
    """Returns the load within an objective: that of a point, or none."""
    if best is None:
        return WithinSlo(load=None, throughput_rps=None, reasons=reasons)
    return WithinSlo(load=best.load, throughput_rps=best.throughput_rps, reasons=reasons)


def no_knee(why: Reason) -> Knee:
    """Returns a knee that is not known."""
    return Knee(at=None, low=None, high=None, reason=why)


def _data(load: Load) -> dict[str, float | str]:
    """Returns a load as files have it: ``{"kind": "closed", "users": 16}``."""
    found: dict[str, float | str] = to_builtins(load)
    return found


def _rps(each: SweepPoint) -> float:
    return each.throughput_rps.point if each.throughput_rps else 0.0
