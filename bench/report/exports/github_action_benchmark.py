"""What github-action-benchmark takes as ``customSmallerIsBetter`` and ``customBiggerIsBetter``.

Source: the README of benchmark-action/github-action-benchmark, and ``BenchmarkResult`` in its ``src/extract.ts``.
"""

from collections.abc import Sequence

from msgspec import Struct

from bench.model.estimate import Estimate
from bench.model.formats import to_json
from bench.model.metrics import Better
from bench.report.exports.trends import Point


class Entry(Struct, frozen=True, omit_defaults=True):
    """One benchmark. The action knows it by its name; ``range`` and ``extra`` are shown as they are."""

    name: str
    unit: str
    value: float
    range: str | None = None
    extra: str | None = None


def render(points: Sequence[Point], better: Better) -> bytes:
    """Returns an array of those points of which values are better that way."""
    entries = [_entry(point) for point in points if point.estimate.better == better]
    return to_json(entries)


def _entry(point: Point) -> Entry:
    estimate = point.estimate
    return Entry(point.name, estimate.unit, estimate.point, _range(estimate), _extra(estimate))


def _range(estimate: Estimate) -> str | None:
    """Returns the wider half of the interval, in the unit of the value."""
    if estimate.low is None or estimate.high is None:
        return None
    return f"± {max(estimate.high - estimate.point, estimate.point - estimate.low):.4g}"


def _extra(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"n = {estimate.n}, no interval"
    return f"{estimate.low:.6g} to {estimate.high:.6g}, n = {estimate.n}"
