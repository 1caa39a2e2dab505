"""One point of a sweep: what a Lane did under one Load, and whether it can be trusted."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from bench.analysis import contention, histograms, intervals, lateness, saturation, validity
from bench.analysis.contention import Shares
from bench.analysis.folds import is_known
from bench.model import quotients
from bench.model.estimate import Estimate, Status, Validity, is_busy
from bench.model.load import Load
from bench.model.metrics import METRICS, PERCENTILES, SWEPT, THROUGHPUT, latency_at_rate
from bench.model.reason import Code, reason
from bench.model.records import SliceRecord
from bench.model.sweep import SweepPoint

SERVED_SHARE = 0.95
"""A rate is served where so much of what came due in windows is got through in them, and nothing was left unsent."""

RoundSlices = Mapping[int, Sequence[SliceRecord]]
"""What one Lane did under one Load: its slices, by round."""


def point(load: Load, rounds: RoundSlices, workers: int, own_wait_ms: float | None) -> SweepPoint:
    """Folds what one Lane did under one Load; its own threads may have kept a request waiting for ``own_wait_ms``."""
    records = slices_of(rounds)
    by_round = list(throughputs_rps(rounds).values())
    throughput = _estimate(THROUGHPUT, by_round) if by_round else None
    shares = contention.shares_of(records, workers)
    found = (
        _wrong(rounds)
        or contention.stolen(shares)
        or _limit(load, records, shares, throughput)
        or _disturbed(load, records, shares, own_wait_ms)
    )
    return SweepPoint(
        load=load,
        throughput_rps=throughput,
        latency_ms={} if _queue_grows(load, records, shares) else _latencies(rounds),
        server_cpu_share=shares.server,
        driver_cpu_share=shares.driver,
        dropped=sum(record.dropped for record in records),
        validity=found or Validity(Status.VALID),
    )


def slices_of(rounds: RoundSlices) -> list[SliceRecord]:
    """Returns the slices of all rounds."""
    return [record for of_round in rounds.values() for record in of_round]


def used_its_cores(records: Sequence[SliceRecord], workers: int) -> bool:
    """Returns whether the server had its cores, and used them."""
    return is_busy(contention.shares_of(records, workers).server)


def by_round_of(records: Sequence[SliceRecord]) -> RoundSlices:
    """Returns slices by their round, in the order in which they were."""
    ordered = sorted(records, key=attrgetter("round", "slice"))
    return {index: list(of_round) for index, of_round in groupby(ordered, key=attrgetter("round"))}


def throughputs_rps(rounds: RoundSlices) -> dict[int, float]:
    """Returns the right answers a second of the windows, by round; nothing of a round without one."""
    return {index: rps for index, records in rounds.items() if (rps := quotients.served_rps(*records))}


def _latencies(rounds: RoundSlices) -> dict[str, Estimate]:
    """Returns the percentiles that enough answers lie beyond, in each round and in all, as for other metrics."""
    by_round = [
        histograms.merged([record.latency_from_intended_us or record.latency_us for record in records])
        for records in rounds.values()
    ]
    answers = [histogram.total_count for histogram in by_round]
    return {
        name: _estimate(latency_at_rate(name), [histograms.percentile_ms(each, PERCENTILES[name]) for each in by_round])
        for name in SWEPT
        if is_known(answers, PERCENTILES[name])
    }


def _estimate(metric: str, by_round: Sequence[float]) -> Estimate:
    """Returns what a metric is under the Load of a point, in its unit."""
    return intervals.log_estimate(by_round, METRICS[metric].unit, METRICS[metric].better)


def _served(load: Load, records: Sequence[SliceRecord]) -> bool:
    """Returns whether what came due was got through; of a closed load nothing does."""
    due = sum(load.due(record.window_s) or 0 for record in records)
    answers = sum(record.answers_in_window or 0 for record in records)
    return answers >= SERVED_SHARE * due and not any(record.dropped for record in records)


def _queue_grows(load: Load, records: Sequence[SliceRecord], shares: Shares) -> bool:
    """Returns whether latency grows for as long as the load lasts: nothing bounds it, and it fills the server."""
    return load.under_way is None and (not _served(load, records) or is_busy(shares.server))


def _wrong(rounds: RoundSlices) -> Validity | None:
    records = slices_of(rounds)
    if not records:
        return Validity(Status.NOT_MEASURED, (reason(Code.NO_SLICES),))
    if wrong := tuple(validity.wrong(records)):
        return Validity(Status.FAILING, wrong)
    silent = {index: of_round for index, of_round in rounds.items() if not any(r.answers_in_window for r in of_round)}
    if silent:
        return Validity(Status.FAILING, (validity.silent_rounds(silent, slices_of(silent)),))
    return None


def _limit(load: Load, records: Sequence[SliceRecord], shares: Shares, throughput: Estimate | None) -> Validity | None:
    """Judges what limited a point: the driver, which makes it say nothing of the server, or overload."""
    if full := saturation.driver_full(shares):
        return full
    if load.rate_rps is None or _served(load, records):
        return None
    found = reason(
        Code.OVERLOADED,
        served_rps=throughput.point if throughput else 0.0,
        rate_rps=load.rate_rps,
        dropped=sum(record.dropped for record in records),
    )
    return Validity(Status.OVERLOADED, (found,))


def _disturbed(
    load: Load, records: Sequence[SliceRecord], shares: Shares, own_wait_ms: float | None
) -> Validity | None:
    """Judges what else was in a point's figures, as in those of a cell of its kind of load."""
    if is_busy(shares.server):
        filled = Validity(Status.UNSTABLE, (reason(Code.RATE_FILLS_SERVER, server_share=shares.server),))
        return filled if load.under_way is None else saturation.users_under_way(records)
    if not saturation.cpu_times_known(shares):
        return validity.without_cpu_times()
    driver = lateness.late(records) if load.is_scheduled else contention.held_up_driver(shares)
    return driver or contention.kept_waiting(records, own_wait_ms)
