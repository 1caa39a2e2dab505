"""Bencher Metric Format: what ``bencher run --adapter json`` takes.

Source: bencher.dev, docs, reference, Bencher Metric Format.
"""

from collections.abc import Sequence

from bench.model.formats import to_json
from bench.report.exports.trends import Point
from bench.report.format import one_line


def render(points: Sequence[Point]) -> bytes:
    """Returns an object by Lane of objects by metric: ``value``, and the interval's ends where it has one."""
    benchmarks: dict[str, dict[str, dict[str, float]]] = {}
    for point in points:
        benchmarks.setdefault(one_line(point.lane), {})[point.metric] = _metric(point)
    return to_json(benchmarks)


def _metric(point: Point) -> dict[str, float]:
    ends = {"lower_value": point.estimate.low, "upper_value": point.estimate.high}
    return {"value": point.estimate.point, **{name: end for name, end in ends.items() if end is not None}}
