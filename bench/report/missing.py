"""Why figures are absent or of fewer Rounds or starts than others, once for all that have the same reason."""

from collections.abc import Iterator, Mapping, Sequence

from bench.model.metrics import METRICS
from bench.model.reason import Reason
from bench.model.summary import LaneSummary
from bench.report.format import listed, one_line
from bench.report.wording import all_said

Reasons = tuple[Reason, ...]
ByMetric = Mapping[str, Reasons]


def sentences(lanes: Mapping[str, LaneSummary], metrics: Sequence[str]) -> tuple[str, ...]:
    """Returns a sentence a reason, of these Lanes by what they are called, and these metrics."""
    missing = {name: {metric: (why,) for metric, why in lane.missing.items()} for name, lane in lanes.items()}
    partial = {name: lane.partial for name, lane in lanes.items()}
    return (
        *_sentences("Not measured of", missing, metrics),
        *_sentences(
            "Not of all rounds, of", partial, [metric for metric in metrics if not METRICS[metric].is_observed]
        ),
        *_sentences("Not of all starts, of", partial, [metric for metric in metrics if METRICS[metric].is_observed]),
    )


def _sentences(what: str, by_lane: Mapping[str, ByMetric], metrics: Sequence[str]) -> Iterator[str]:
    """Yields a sentence for all that is missing for the same reasons, of the same Lanes."""
    together: dict[tuple[Reasons, tuple[str, ...]], list[str]] = {}
    for metric in metrics:
        for reasons, names in _by_reasons(by_lane, metric).items():
            together.setdefault((reasons, names), []).append(metric)
    for (reasons, names), of_reasons in together.items():
        who = "all Lanes" if len(names) == len(by_lane) > 1 else listed(names)
        titles = "; ".join(METRICS[metric].title for metric in of_reasons)
        yield one_line(f"{what} {who}: {titles} ({all_said(reasons)}).")


def _by_reasons(by_lane: Mapping[str, ByMetric], metric: str) -> dict[Reasons, tuple[str, ...]]:
    """Returns the Lanes that lack a metric for the same reasons, in their order."""
    found: dict[Reasons, tuple[str, ...]] = {}
    for name, by_metric in by_lane.items():
        if reasons := by_metric.get(metric):
            found[reasons] = (*found.get(reasons, ()), name)
    return found
