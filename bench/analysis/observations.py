"""Estimates from what was observed of a Lane outside slices: its footprint, and its instructions per request."""

from collections.abc import Sequence
from itertools import groupby

from bench.analysis import intervals
from bench.model.estimate import Estimate
from bench.model.metrics import CODE_LINES, METRICS, Average, Metric
from bench.model.reason import Code, Reason, reason
from bench.model.records import Observation


def estimates(observations: Sequence[Observation]) -> dict[str, Estimate]:
    """Returns an Estimate of each metric that was observed at least once: the median of one Lane's values."""
    return {
        metric: _estimate(METRICS[metric], values)
        for metric, found in _by_metric(observations)
        if (values := [observation.value for observation in found if observation.value is not None])
    }


def _estimate(metric: Metric, values: Sequence[float]) -> Estimate:
    make = intervals.exact_estimate if metric.average is Average.COUNT else intervals.median_estimate
    return make(values, metric.unit, metric.better)


def missing(observations: Sequence[Observation]) -> dict[str, Reason]:
    """Returns why a metric has no value at all."""
    return {
        metric: _reasons(found)[0]
        for metric, found in _by_metric(observations)
        if all(observation.value is None for observation in found)
    }


def partial(observations: Sequence[Observation]) -> dict[str, tuple[Reason, ...]]:
    """Returns how many values a metric has and why it has no more, if it has both values and a reason."""
    found = [(metric, [each.value for each in seen], _reasons(seen)) for metric, seen in _by_metric(observations)]
    return {
        metric: (reason(Code.FEWER_VALUES, *reasons, n=len(values) - values.count(None)),)
        for metric, values, reasons in found
        if reasons and len(values) > values.count(None)
    }


def samples(observations: Sequence[Observation]) -> dict[str, tuple[float, ...]]:
    """Returns all values of each metric that was observed of one Lane."""
    values = {
        metric: tuple(observation.value for observation in found if observation.value is not None)
        for metric, found in _by_metric(observations)
    }
    return {metric: known for metric, known in values.items() if known}


def code_lines_by_file(observations: Sequence[Observation]) -> dict[str, int]:
    """Returns the lines of each file of an App's own code, by its path within the App's folder."""
    found = {
        observation.part: int(observation.value)
        for observation in observations
        if observation.metric == CODE_LINES and observation.part is not None and observation.value is not None
    }
    return dict(sorted(found.items()))


def _reasons(observations: Sequence[Observation]) -> list[Reason]:
    """Returns why values are absent, each reason once."""
    found = (each.reason or reason(Code.NO_REASON) for each in observations if each.value is None)
    return list(dict.fromkeys(found))


def _by_metric(observations: Sequence[Observation]) -> list[tuple[str, list[Observation]]]:
    wholes = (observation for observation in observations if observation.part is None)
    ordered = sorted(wholes, key=lambda observation: list(METRICS).index(observation.metric))
    return [(metric, list(found)) for metric, found in groupby(ordered, key=lambda observation: observation.metric)]
