"""Why figures are absent or of fewer Rounds than others, once for all Lanes and metrics that have the same reason."""

from collections.abc import Iterator, Mapping, Sequence

from bench.records import LaneSummary
from bench.report.words import METRICS, listed, one_line


def sentences(lanes: Mapping[str, LaneSummary], metrics: Sequence[str]) -> tuple[str, ...]:
    """Returns a sentence a reason, of these Lanes by what they are called, and these metrics."""
    missing = {name: lane.missing for name, lane in lanes.items()}
    partial = {name: lane.partial for name, lane in lanes.items()}
    return (*_sentences("Not measured of", missing, metrics), *_sentences("Not of all rounds, of", partial, metrics))


def _sentences(what: str, by_lane: Mapping[str, Mapping[str, str]], metrics: Sequence[str]) -> Iterator[str]:
    """Yields a sentence for each reason and the Lanes that have it for the same metrics."""
    together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for name, reasons in by_lane.items():
        for reason, of_reason in _by_reason(reasons, metrics).items():
            together.setdefault((reason, of_reason), []).append(name)
    for (reason, of_reason), names in together.items():
        who = "all lanes" if len(names) == len(by_lane) > 1 else listed(names)
        titles = "; ".join(METRICS[metric].title for metric in of_reason)
        yield one_line(f"{what} {who}: {titles} ({reason}).")


def _by_reason(reasons: Mapping[str, str], metrics: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Returns the metrics that each reason holds for, in their order."""
    found: dict[str, tuple[str, ...]] = {}
    for metric in metrics:
        if reason := reasons.get(metric):
            found[reason] = (*found.get(reason, ()), metric)
    return found
