"""Why a metric of a Lane is absent, where there is more to say than that the run had no such slices."""

from collections.abc import Collection, Mapping, Sequence

from bench.analysis import intervals
from bench.analysis.folds import MIN_BEYOND_IN_ROUND, counts, of_phase
from bench.model.load import Phase
from bench.model.metrics import METRICS, Metric, Source
from bench.model.reason import Code, Reason, reason
from bench.model.records import SliceRecord


def reasons(
    records: Sequence[SliceRecord], found: Collection[str], planned: Collection[Phase] = ()
) -> dict[str, Reason]:
    """Returns why metrics that one Lane's slices should have given are not among those ``found``.

    Of a phase without slices nothing is expected, unless it was ``planned`` and others of the Lane were measured.
    """
    measured = [record for record in records if record.phase is not Phase.WARM_UP and not record.discarded]
    expected = [metric for metric in METRICS.from_sources(Source.SLICES) if metric.name not in found]
    missing = ((metric.name, _of_metric(measured, metric, planned)) for metric in expected)
    return {name: why for name, why in missing if why}


def in_rounds(records: Sequence[SliceRecord], found: Mapping[str, Collection[int]]) -> dict[str, tuple[Reason, ...]]:
    """Returns by metric why Rounds of one Lane are not in its mean; ``found`` has the Rounds that are, by metric."""
    lacking: dict[str, dict[Reason, list[int]]] = {}
    for index in sorted({record.round for record in records}):
        of_round = [record for record in records if record.round == index]
        missing = reasons(of_round, [metric for metric, rounds in found.items() if index in rounds])
        for metric, why in missing.items():
            if found.get(metric):
                lacking.setdefault(metric, {}).setdefault(why, []).append(index)
    return {
        metric: tuple(reason(Code.NOT_IN_ROUNDS, why, rounds=tuple(rounds)) for why, rounds in by_reason.items())
        for metric, by_reason in lacking.items()
    }


def _of_metric(records: Sequence[SliceRecord], metric: Metric, planned: Collection[Phase]) -> Reason | None:
    own = of_phase(metric, records)
    if not own:
        return reason(Code.NOT_REACHED) if records and metric.phase in planned else None
    own = [record for record in own if counts(record)]
    if not own:
        return reason(Code.CLOCK_STOOD_STILL)
    if metric.counter and (unknown := _unknown(own, metric.counter)):
        return unknown
    if metric.needs_answers and not any(record.requests_in_slice for record in own):
        return _silent(own[0])
    if metric.percentile is not None and any(record.requests for record in own):
        return _too_few(metric.percentile)
    return reason(Code.COUNTER_STOOD_STILL) if metric.counter else _silent(own[0])


def _silent(record: SliceRecord) -> Reason:
    return record.unknown.get("requests", reason(Code.NO_RIGHT_ANSWER))


def _unknown(records: Sequence[SliceRecord], counter: str) -> Reason | None:
    """Returns why a counter has no value, as the first of its slices says."""
    without = [record for record in records if getattr(record, counter) is None]
    return without[0].unknown.get(counter, reason(Code.NO_REASON)) if without else None


def _too_few(percentile: float) -> Reason:
    """Returns how many answers it takes, which is the same for all Lanes."""
    in_run, in_round = (
        round(beyond / intervals.beyond(1, percentile)) for beyond in (intervals.MIN_BEYOND, MIN_BEYOND_IN_ROUND)
    )
    return reason(Code.TOO_FEW_ANSWERS, percentile=percentile, in_run=in_run, in_round=in_round)
