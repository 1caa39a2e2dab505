"""Why figures are absent or of fewer Rounds or starts than others, once for all that have the same reason."""

from collections.abc import Iterator, Mapping, Sequence

from bench.model.metrics import METRICS
from bench.model.records import LaneSummary
from bench.report.format import listed, one_line


def sentences(lanes: Mapping[str, LaneSummary], metrics: Sequence[str]) -> tuple[str, ...]:
    """Returns a sentence a reason, of these Lanes by what they are called, and these metrics."""
    missing = {name: lane.missing for name, lane in lanes.items()}
    partial = {name: lane.partial for name, lane in lanes.items()}
    return (
        *_sentences("Not measured of", missing, metrics),
        *_sentences(
            "Not of all rounds, of", partial, [metric for metric in metrics if not METRICS[metric].is_observed]
        ),
        *_sentences("Not of all starts, of", partial, [metric for metric in metrics if METRICS[metric].is_observed]),
    )


def _sentences(what: str, by_lane: Mapping[str, Mapping[str, str]], metrics: Sequence[str]) -> Iterator[str]:
    """Yields a sentence for each reason and the metrics that the same Lanes have it for."""
    together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for metric in metrics:
        for reason, names in _by_reason(by_lane, metric).items():
            together.setdefault((reason, names), []).append(metric)
    for (reason, names), of_reason in together.items():
        who = "all lanes" if len(names) == len(by_lane) > 1 else listed(names)
        titles = "; ".join(METRICS[metric].title for metric in of_reason)
        yield one_line(f"{what} {who}: {titles} ({reason}).")


def _by_reason(by_lane: Mapping[str, Mapping[str, str]], metric: str) -> dict[str, tuple[str, ...]]:
    """Returns the Lanes that lack a metric for the same reason, in their order."""
    found: dict[str, tuple[str, ...]] = {}
    for name, reasons in by_lane.items():
        if reason := reasons.get(metric):
            found[reason] = (*found.get(reason, ()), name)
    return found
