"""What one load against one URL came to: the result of `bench load`."""

from bench.analysis import histograms
from bench.model import quotients
from bench.model.load import Load
from bench.model.metrics import PERCENTILES
from bench.model.protocol import SliceResult
from bench.model.summary import LoadResult


def load_result(url: str, load: Load, result: SliceResult, driver_cpu_share: float | None) -> LoadResult:
    """Folds the one slice of `bench load`."""
    return LoadResult(
        url=url,
        load=load,
        window_s=result.window_s,
        requests=result.requests,
        throughput_rps=quotients.throughput_rps(result) or 0.0,
        errors=result.errors,
        dropped=result.dropped,
        bytes_received=result.bytes_received,
        driver_cpu_share=driver_cpu_share,
        latency_ms=_percentiles_ms(result.latency_us) or {},
        latency_from_intended_ms=_percentiles_ms(result.latency_from_intended_us),
        send_lateness_ms=_percentiles_ms(result.send_lateness_us),
    )


def _percentiles_ms(encoded: str | None) -> dict[str, float] | None:
    if encoded is None:
        return None
    histogram = histograms.merged([encoded])
    return {
        name: histograms.percentile_ms(histogram, percentile)
        for name, percentile in PERCENTILES.items()
        if histograms.beyond(histogram.total_count, percentile) >= histograms.MIN_BEYOND
    }
