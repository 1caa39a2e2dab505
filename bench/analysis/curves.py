"""What charts draw of a Lane beyond its metrics: latency by percentile, and throughput over the run."""

import numpy as np

from bench.analysis import histograms
from bench.analysis.folds import MIN_BEYOND_IN_ROUND, Records, counts
from bench.model import quotients
from bench.model.load import Phase
from bench.model.summary import Curve, Trace

CURVE_POINTS_PER_NINE = 12
MIN_NINES = 0.5
"""A curve that would end before this (the 68th percentile) is not drawn."""


def curve(lane: str, records: Records) -> Curve | None:
    """Returns latency by percentile over all rounds; None for too few answers.

    It goes as far as the metrics do: enough answers of the run, and one of each round, are expected beyond.
    """
    own = _of(lane, records, Phase.FIXED)
    histogram = histograms.merged([each for record in own if (each := record.latency_from_intended_us)])
    services = histograms.merged([record.latency_us for record in own])
    beyond = max(histograms.MIN_BEYOND, MIN_BEYOND_IN_ROUND * len({record.round for record in own}))
    nines = np.log10(max(1.0, histogram.total_count / beyond))
    if nines < MIN_NINES:
        return None
    percentiles = tuple(
        float(100 * (1 - 10**-x)) for x in np.linspace(0, nines, 2 + int(nines * CURVE_POINTS_PER_NINE))
    )
    return Curve(
        lane=lane,
        percentiles=percentiles,
        latencies_ms=tuple(histograms.percentile_ms(histogram, percentile) for percentile in percentiles),
        services_ms=tuple(histograms.percentile_ms(services, percentile) for percentile in percentiles),
    )


def trace(lane: str, records: Records) -> Trace:
    """Returns a Lane's throughput in each of its saturated slices."""
    own = _of(lane, records, Phase.SATURATED)
    return Trace(
        lane=lane,
        at_s=tuple(record.at_s for record in own),
        throughput_rps=tuple(quotients.throughput_rps(record) or 0.0 for record in own),
    )


def _of(lane: str, records: Records, phase: Phase) -> Records:
    return [record for record in records if record.lane == lane and record.phase is phase and counts(record)]
