"""The tidy table of a run, and the metrics of each Lane in each Round: folds over slice records, with pandas."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pandas as pd
from hdrh.histogram import HdrHistogram

from bench.analysis import intervals
from bench.model.records import Curve, SliceRecord, Trace
from bench.model.schedule import Phase

MIN_BEYOND_IN_ROUND = 1
"""Of the answers that have to be expected beyond a percentile, so many in each round."""
CURVE_POINTS_PER_NINE = 12
MIN_NINES = 0.5
"""A curve that would end before this (the 68th percentile) is not drawn."""
MIB = 2**20
ByLane = dict[str, dict[str, dict[int, float]]]
"""Values by lane, metric and round, where they were measured."""


def counts(record: SliceRecord) -> bool:
    """Returns whether a record counts: not warm-up, nor discarded, nor one in which the clock stood still."""
    return record.phase is not Phase.WARM_UP and not record.discarded and record.window_s > 0 and record.slice_s > 0


def tidy(records: Sequence[SliceRecord]) -> pd.DataFrame:
    """Returns one row a (round, slice, lane) of the records that count; ``errors`` is their number."""
    rows = [
        {**msgspec.structs.asdict(record), "errors": sum(record.errors.values())}
        for record in records
        if counts(record)
    ]
    return pd.DataFrame(rows, columns=list(SliceRecord.__struct_fields__))


def by_round(table: pd.DataFrame) -> pd.DataFrame:
    """Returns a row a (lane, round) and a column a metric; NaN where a metric could not be measured."""
    groups = table.groupby(["lane", "round"], sort=True)
    saturated = table[table["phase"] == Phase.SATURATED].groupby(["lane", "round"])
    fixed = table[table["phase"] == Phase.FIXED].groupby(["lane", "round"])
    sums = saturated[["requests", "window_s", "requests_in_slice"]].sum()
    answers = groups["requests_in_slice"].sum()
    errors = groups["errors"].sum()
    return pd.DataFrame(
        {
            "throughput_rps": _positive(sums["requests"] / sums["window_s"]),
            "cpu_us_per_request": _positive(saturated["server_cpu_ns"].agg(_sum_us))
            / _positive(sums["requests_in_slice"]),
            **_latencies("latency_saturated", saturated["latency_us"]),
            **_latencies("latency_fixed", fixed["latency_from_intended_us"]),
            **_latencies("service_fixed", fixed["latency_us"]),
            "rss_mib": _positive(groups["server_rss_bytes"].max().astype(float)) / MIB,
            "pss_mib": _positive(groups["server_pss_bytes"].max().astype(float)) / MIB,
            "error_ratio": errors / _positive(errors + answers),
        },
        index=answers.index,
    ).astype(float)


def by_lane(table: pd.DataFrame) -> ByLane:
    """Returns what ``by_round`` returned as values by lane, metric and round, without those that are NaN."""
    found: ByLane = {}
    columns = {str(name): table[name].to_numpy() for name in table.columns}
    for at, (lane, index) in enumerate(table.index):
        of_lane = found.setdefault(lane, {name: {} for name in columns})
        for name, values in columns.items():
            if not np.isnan(values[at]):
                of_lane[name][index] = float(values[at])
    return found


def curve(lane: str, table: pd.DataFrame) -> Curve | None:
    """Returns latency by percentile over all rounds; None for too few answers.

    It goes as far as the metrics do: enough answers of the run, and one of each round, are expected beyond.
    """
    rows = table[(table["lane"] == lane) & (table["phase"] == Phase.FIXED)]
    histogram = _merged(rows["latency_from_intended_us"])
    services = _merged(rows["latency_us"])
    beyond = max(intervals.MIN_BEYOND, MIN_BEYOND_IN_ROUND * rows["round"].nunique())
    nines = np.log10(max(1.0, histogram.total_count / beyond))
    if nines < MIN_NINES:
        return None
    percentiles = tuple(
        float(100 * (1 - 10**-x)) for x in np.linspace(0, nines, 2 + int(nines * CURVE_POINTS_PER_NINE))
    )
    return Curve(
        lane=lane,
        percentiles=percentiles,
        latencies_ms=tuple(intervals.percentile_ms(histogram, percentile) for percentile in percentiles),
        services_ms=tuple(intervals.percentile_ms(services, percentile) for percentile in percentiles),
    )


def trace(lane: str, table: pd.DataFrame) -> Trace:
    """Returns a Lane's throughput in each of its saturated slices."""
    rows = table[(table["lane"] == lane) & (table["phase"] == Phase.SATURATED)]
    return Trace(
        lane=lane,
        at_s=tuple(rows["at_s"].astype(float)),
        throughput_rps=tuple((rows["requests"] / rows["window_s"]).astype(float)),
    )


def _latencies(prefix: str, groups: "pd.api.typing.SeriesGroupBy[str, tuple[object, ...]]") -> dict[str, pd.Series]:
    """Returns a column a percentile; NaN for a Lane whose run has too few answers beyond it, or one of its rounds none.

    All rounds of a Lane have a percentile or none has: leaving out the poor ones would favour the fast ones.
    """
    histograms = groups.agg(_merged)
    counts = histograms.map(lambda histogram: histogram.total_count)
    in_run, in_poorest = (counts.groupby(level="lane").transform(fold) for fold in ("sum", "min"))
    columns = {}
    for name, percentile in intervals.PERCENTILES.items():
        enough = (in_poorest.map(lambda count, at=percentile: intervals.beyond(count, at)) >= MIN_BEYOND_IN_ROUND) & (
            in_run.map(lambda count, at=percentile: intervals.beyond(count, at)) >= intervals.MIN_BEYOND
        )
        values = histograms.map(lambda histogram, at=percentile: intervals.percentile_ms(histogram, at))
        columns[f"{prefix}_{name}_ms"] = values.where(enough)
    return columns


def _merged(encoded: "pd.Series[str]") -> HdrHistogram:
    return intervals.merged([text for text in encoded if isinstance(text, str)])


def _sum_us(values_ns: pd.Series) -> float:
    """Returns a sum of ns in us; NaN where one of them is unknown."""
    return float(values_ns.astype(float).sum(skipna=False)) / 1000


def _positive(values: pd.Series) -> pd.Series:
    """Returns values with those that are not above zero as NaN: neither a divisor nor a logarithm."""
    return values.where(values > 0)
