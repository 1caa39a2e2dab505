"""From slices to metrics: a fold for each metric, over the slices of one Lane in one Round.

Percentiles and counters are folded as their rows say; all others have their fold in ``FOLDS``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from hdrh.histogram import HdrHistogram
from msgspec import Struct

from bench.analysis import histograms
from bench.analysis.autocorrelation import Floats
from bench.model import quotients
from bench.model.load import Phase
from bench.model.metrics import METRICS, Folding, Metric, Source
from bench.model.records import SliceRecord

MIN_BEYOND_IN_ROUND = 1
"""A percentile takes at least so many answers beyond it in each round."""

Records = Sequence[SliceRecord]
ByRound = Mapping[int, float]
"""A metric of one Lane, by round."""
Fold = Callable[[Records], float | None]
"""From the slices of one Lane in one Round, those that a metric comes from, to its value; None where it has none."""


class RoundValues(Struct, frozen=True):
    """The metrics of each Lane by Round, where they were measured. ``rounds`` have a slice that counts, of any Lane."""

    rounds: tuple[int, ...]
    by_lane: Mapping[str, Mapping[str, ByRound]]

    def of(self, lane: str, metric: str) -> ByRound:
        """Returns a metric of a Lane by round."""
        return self.by_lane.get(lane, {}).get(metric, {})

    def array(self, metric: str, lanes: Iterable[str]) -> Floats:
        """Returns an array (lanes, rounds) of those of these Lanes that have the metric in all rounds, by name."""
        whole = [self.of(lane, metric) for lane in sorted(set(lanes) & self.by_lane.keys())]
        rows = [[values[index] for index in self.rounds] for values in whole if len(values) == len(self.rounds)]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.rounds))


def counts(record: SliceRecord) -> bool:
    """Returns whether a record counts: not warm-up, nor discarded, nor one in which the clock stood still."""
    return record.phase is not Phase.WARM_UP and not record.discarded and record.window_s > 0 and record.slice_s > 0


def round_values(records: Records) -> RoundValues:
    """Folds the slices of a run that count."""
    grouped: dict[str, dict[int, list[SliceRecord]]] = {}
    for record in filter(counts, records):
        grouped.setdefault(record.lane, {}).setdefault(record.round, []).append(record)
    return RoundValues(
        rounds=tuple(sorted({index for of_lane in grouped.values() for index in of_lane})),
        by_lane={
            lane: of_lane_values({at: grouped[lane][at] for at in sorted(grouped[lane])}) for lane in sorted(grouped)
        },
    )


def of_lane_values(rounds: Mapping[int, Records]) -> dict[str, ByRound]:
    """Returns every metric of one Lane, given its slices that count by Round."""
    merged = {family: _merged(*where, rounds) for family, where in METRICS.histograms().items()}
    return {
        metric.name: _percentiles(metric, merged[metric.family]) if metric.family else _folded(metric, rounds)
        for metric in METRICS.from_sources(Source.SLICES)
    }


def _folded(metric: Metric, rounds: Mapping[int, Records]) -> ByRound:
    values = {index: folded(metric, of_phase(metric, records)) for index, records in rounds.items()}
    return {index: value for index, value in values.items() if value is not None}


def folded(metric: Metric, records: Records) -> float | None:
    """Returns a metric that is no percentile, given the slices that it comes from; None where they have none."""
    if metric.folding is None:
        return FOLDS[metric.name](records)
    assert metric.counter is not None, "the Registry refuses a folding without a counter"
    if metric.folding is Folding.PER_REQUEST:
        return quotients.per_request(metric.counter, metric.divisor, *records)
    known = [value for record in records if (value := getattr(record, metric.counter)) is not None]
    return _positive(max(known, default=0) / metric.divisor)


def of_phase(metric: Metric, records: Records) -> Records:
    """Returns the slices that a metric comes from."""
    return [record for record in records if metric.phase in (None, record.phase)]


def _merged(phase: Phase, histogram: str, rounds: Mapping[int, Records]) -> dict[int, HdrHistogram]:
    """Returns the sum of the histograms of a phase's slices by Round, where there is such a slice."""
    own = {index: [record for record in records if record.phase is phase] for index, records in rounds.items()}
    return {index: merged_field(histogram, of_round) for index, of_round in own.items() if of_round}


def _percentiles(metric: Metric, merged: Mapping[int, HdrHistogram]) -> ByRound:
    """Returns a percentile by Round; nothing where the run has too few answers beyond it, or one of its rounds none.

    All rounds of a Lane have a percentile or none has: leaving out the poor ones would favour the fast ones.
    """
    assert metric.percentile is not None
    if not is_known([histogram.total_count for histogram in merged.values()], metric.percentile):
        return {}
    return {index: histograms.percentile_ms(histogram, metric.percentile) for index, histogram in merged.items()}


def merged_field(histogram: str, records: Records) -> HdrHistogram:
    """Returns the sum of the histograms that slices have in one of their fields."""
    encoded = (getattr(record, histogram) for record in records)
    return histograms.merged([text for text in encoded if text is not None])


def is_known(answers_by_round: Sequence[int], percentile: float) -> bool:
    """Returns whether so many answers, a number a round, are enough for a percentile: in each round and in all."""
    return (
        bool(answers_by_round)
        and histograms.beyond(min(answers_by_round), percentile) >= MIN_BEYOND_IN_ROUND
        and histograms.beyond(sum(answers_by_round), percentile) >= histograms.MIN_BEYOND
    )


def _positive(value: float) -> float | None:
    """Returns a value, or None if it is not above zero: then it is no divisor and has no logarithm."""
    return value if value > 0 else None


FOLDS: dict[str, Fold] = {
    "throughput_rps": lambda records: quotients.throughput_rps(*records),
    "error_ratio": lambda records: quotients.error_ratio(*records),
}
"""The folds of metrics that come from slices and whose rows do not describe them whole."""
