"""What one load against one URL came to: the result of `bench load`."""

import msgspec

from bench import stats
from bench.messages import Load, SliceResult
from bench.metrics import MIN_BEYOND_IN_RUN, PERCENTILES


class LoadOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Latencies are in ms; a percentile that too few answers lie beyond is absent.

    ``latency_ms`` is from sending to the whole answer; for an open load ``latency_from_intended_ms`` counts from when
    the request was due, and ``send_lateness_ms`` is how late the driver sent it.
    """

    url: str
    load: Load
    window_s: float
    requests: int
    throughput_rps: float
    errors: dict[str, int]
    missed: int
    bytes_received: int
    latency_ms: dict[str, float]
    latency_from_intended_ms: dict[str, float] | None
    send_lateness_ms: dict[str, float] | None


def load_outcome(url: str, load: Load, result: SliceResult) -> LoadOutcome:
    """Folds the one slice of `bench load`."""
    return LoadOutcome(
        url=url,
        load=load,
        window_s=result.window_s,
        requests=result.requests,
        throughput_rps=result.requests / result.window_s,
        errors=result.errors,
        missed=result.missed,
        bytes_received=result.bytes_received,
        latency_ms=_percentiles_ms(result.latency_us) or {},
        latency_from_intended_ms=_percentiles_ms(result.latency_from_intended_us),
        send_lateness_ms=_percentiles_ms(result.send_lateness_us),
    )


def _percentiles_ms(encoded: str | None) -> dict[str, float] | None:
    if encoded is None:
        return None
    histogram = stats.merged([encoded])
    return {
        name: stats.percentile_ms(histogram, percentile)
        for name, percentile in PERCENTILES.items()
        if histogram.total_count * (1 - percentile / 100) >= MIN_BEYOND_IN_RUN
    }
