"""Estimates from what was observed of a Lane outside slices: its footprint, and its instructions per request."""

from collections.abc import Sequence
from itertools import groupby

from bench.analysis import intervals
from bench.model.reason import Code, Reason, reason
from bench.model.records import Estimate, Observation

EXACT = ("code_lines", "packages", "installed_mib", "response_bytes", "instructions_per_request")
"""Metrics that are counted, so that they are the same each time."""
UNITS = {
    "first_response_ms": ("ms", "lower"),
    "import_ms": ("ms", "lower"),
    "idle_pss_mib": ("MiB", "lower"),
    "pss_per_worker_mib": ("MiB", "lower"),
    "code_lines": ("lines", "lower"),
    "packages": ("packages", "lower"),
    "installed_mib": ("MiB", "lower"),
    "response_bytes": ("bytes", "lower"),
    "instructions_per_request": ("instructions", "lower"),
}
"""Every metric that may be observed, with its unit and which way is better."""


def estimates(observations: Sequence[Observation]) -> dict[str, Estimate]:
    """Returns an Estimate of each metric that was observed at least once: the median of one Lane's values."""
    return {
        metric: (intervals.exact_estimate if metric in EXACT else intervals.median_estimate)(values, *UNITS[metric])
        for metric, found in _by_metric(observations)
        if (values := [observation.value for observation in found if observation.value is not None])
    }


def missing(observations: Sequence[Observation]) -> dict[str, Reason]:
    """Returns why a metric has no value at all."""
    return {
        metric: _reasons(found)[0]
        for metric, found in _by_metric(observations)
        if all(observation.value is None for observation in found)
    }


def partial(observations: Sequence[Observation]) -> dict[str, tuple[Reason, ...]]:
    """Returns of how many values a metric is, and why there are no more, where it has values and a reason."""
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
        if observation.metric == "code_lines" and observation.part is not None and observation.value is not None
    }
    return dict(sorted(found.items()))


def _reasons(observations: Sequence[Observation]) -> list[Reason]:
    """Returns why values are absent, each reason once."""
    found = (each.reason or reason(Code.NO_REASON) for each in observations if each.value is None)
    return list(dict.fromkeys(found))


def _by_metric(observations: Sequence[Observation]) -> list[tuple[str, list[Observation]]]:
    wholes = (observation for observation in observations if observation.part is None)
    ordered = sorted(wholes, key=lambda observation: list(UNITS).index(observation.metric))
    return [(metric, list(found)) for metric, found in groupby(ordered, key=lambda observation: observation.metric)]
