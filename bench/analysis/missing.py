"""Why a metric of a Lane is absent, where there is more to say than that the run had no such slices."""

from collections.abc import Collection, Mapping, Sequence

from bench.analysis import intervals, tidy_table, validity
from bench.analysis.validity import PHASES
from bench.model.records import SliceRecord
from bench.model.schedule import Phase
from bench.report.wording import said

SILENT = "no right answer in the windows that count"
STOOD_STILL = "the counter did not move"
CLOCK_STOOD_STILL = "the clock stood still in all of its slices"
NOT_REACHED = "none of its slices was measured"
MEMORY = ("rss_mib", "pss_mib")
COUNTERS = {
    "cpu_us_per_request": "server_cpu_ns",
    "rss_mib": "server_rss_bytes",
    "pss_mib": "server_pss_bytes",
}
"""Metrics that need more than answers: a field of every slice."""
LATENCIES = [name for name in PHASES if name.startswith(("latency_", "service_"))]


def reasons(records: Sequence[SliceRecord], found: Collection[str], planned: Collection[Phase] = ()) -> dict[str, str]:
    """Returns why metrics that one Lane's slices should have given are not among those ``found``.

    Of a phase without slices nothing is expected, unless it was ``planned`` and others of the Lane were measured.
    """
    measured = [record for record in records if record.phase is not Phase.WARM_UP and not record.discarded]
    expected = ("throughput_rps", "cpu_us_per_request", *LATENCIES, *MEMORY, "error_ratio")
    missing = ((name, _of_metric(measured, name, planned)) for name in expected if name not in found)
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


def _of_metric(records: Sequence[SliceRecord], metric: str, planned: Collection[Phase]) -> str | None:
    own = [record for record in records if record.phase is PHASES.get(metric, record.phase)]
    if not own:
        return NOT_REACHED if records and PHASES.get(metric) in planned else None
    own = [record for record in own if tidy_table.counts(record)]
    if not own:
        return CLOCK_STOOD_STILL
    counter = COUNTERS.get(metric)
    if counter and (unknown := _unknown(own, counter)):
        return unknown
    if metric not in MEMORY and not any(record.requests_in_slice for record in own):
        return _silent(own[0])
    if metric in LATENCIES and any(record.requests for record in own):
        return _too_few(metric)
    return STOOD_STILL if counter else _silent(own[0])


def _silent(record: SliceRecord) -> str:
    return said(record.unknown["requests"]) if "requests" in record.unknown else SILENT


def _unknown(records: Sequence[SliceRecord], counter: str) -> str | None:
    """Returns why a counter has no value, as the first of its slices says."""
    without = [record for record in records if getattr(record, counter) is None]
    if not without:
        return None
    return said(without[0].unknown[counter]) if counter in without[0].unknown else "no reason was recorded"


def _too_few(metric: str) -> str:
    """Returns how many answers it takes, which is the same for all Lanes."""
    percentile = next(at for name, at in intervals.PERCENTILES.items() if f"_{name}_" in metric)
    in_run, in_round = (
        round(beyond / intervals.beyond(1, percentile))
        for beyond in (intervals.MIN_BEYOND, tidy_table.MIN_BEYOND_IN_ROUND)
    )
    return (
        f"too few answers: it takes {in_run:,} in the run and {in_round:,} in each round for "
        f"{intervals.MIN_BEYOND} and {tidy_table.MIN_BEYOND_IN_ROUND} to be expected beyond {percentile:g} %"
    )
