"""Why a metric of a Lane is absent, where there is more to say than that the run had no such slices."""

from collections.abc import Collection, Mapping, Sequence

from bench.analysis import intervals, validity
from bench.analysis.folds import MIN_BEYOND_IN_ROUND, counts, of_phase
from bench.model.load import Phase
from bench.model.metrics import METRICS, Metric, Source
from bench.model.records import SliceRecord
from bench.report.wording import said

SILENT = "no right answer in the windows that count"
STOOD_STILL = "the counter did not move"
CLOCK_STOOD_STILL = "the clock stood still in all of its slices"
NOT_REACHED = "none of its slices was measured"


def reasons(records: Sequence[SliceRecord], found: Collection[str], planned: Collection[Phase] = ()) -> dict[str, str]:
    """Returns why metrics that one Lane's slices should have given are not among those ``found``.

    Of a phase without slices nothing is expected, unless it was ``planned`` and others of the Lane were measured.
    """
    measured = [record for record in records if record.phase is not Phase.WARM_UP and not record.discarded]
    expected = [metric for metric in METRICS.from_sources(Source.SLICES) if metric.name not in found]
    missing = ((metric.name, _of_metric(measured, metric, planned)) for metric in expected)
    return {name: reason for name, reason in missing if reason}


def in_rounds(records: Sequence[SliceRecord], found: Mapping[str, Collection[int]]) -> dict[str, str]:
    """Returns by metric why Rounds of one Lane are not in its mean; ``found`` has the Rounds that are, by metric."""
    lacking: dict[str, dict[str, list[int]]] = {}
    for index in sorted({record.round for record in records}):
        of_round = [record for record in records if record.round == index]
        missing = reasons(of_round, [metric for metric, rounds in found.items() if index in rounds])
        for metric, reason in missing.items():
            if found.get(metric):
                lacking.setdefault(metric, {}).setdefault(reason, []).append(index)
    return {
        metric: "; ".join(f"not in {validity.numbered(rounds)}: {reason}" for reason, rounds in by_reason.items())
        for metric, by_reason in lacking.items()
    }


def _of_metric(records: Sequence[SliceRecord], metric: Metric, planned: Collection[Phase]) -> str | None:
    own = of_phase(metric, records)
    if not own:
        return NOT_REACHED if records and metric.phase in planned else None
    own = [record for record in own if counts(record)]
    if not own:
        return CLOCK_STOOD_STILL
    if metric.counter and (unknown := _unknown(own, metric.counter)):
        return unknown
    if metric.needs_answers and not any(record.requests_in_slice for record in own):
        return _silent(own[0])
    if metric.percentile is not None and any(record.requests for record in own):
        return _too_few(metric.percentile)
    return STOOD_STILL if metric.counter else _silent(own[0])


def _silent(record: SliceRecord) -> str:
    return said(record.unknown["requests"]) if "requests" in record.unknown else SILENT


def _unknown(records: Sequence[SliceRecord], counter: str) -> str | None:
    """Returns why a counter has no value, as the first of its slices says."""
    without = [record for record in records if getattr(record, counter) is None]
    if not without:
        return None
    return said(without[0].unknown[counter]) if counter in without[0].unknown else "no reason was recorded"


def _too_few(percentile: float) -> str:
    """Returns how many answers it takes, which is the same for all Lanes."""
    in_run, in_round = (
        round(beyond / intervals.beyond(1, percentile)) for beyond in (intervals.MIN_BEYOND, MIN_BEYOND_IN_ROUND)
    )
    return (
        f"too few answers: it takes {in_run:,} in the run and {in_round:,} in each round for "
        f"{intervals.MIN_BEYOND} and {MIN_BEYOND_IN_ROUND} to be expected beyond {percentile:g} %"
    )
