"""Did it get slower, and how sure are we? From the evidence of a comparison to a Verdict for each App and metric.

Ratios are HEAD divided by BASE. ``worse`` is the ratio turned so that above 1 is a regression, whatever the metric.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import exp, log

from bench.analysis import intervals
from bench.analysis.ranking import common_rounds
from bench.model.estimate import Estimate, Validity, inverted
from bench.model.estimate import Status as Trust
from bench.model.metrics import METRICS, Better
from bench.model.reason import Code, Reason, reason
from bench.model.regression import Evidence, Judged, Verdict

EXACT = 0.001
"""Counts, even of instructions, are the same to this share from one to the next, so that is their interval."""


def worse(metric: str, ratio: Estimate) -> Estimate:
    """Returns the ratio turned so that above 1 is a regression."""
    return inverted(ratio) if METRICS[metric].better is Better.HIGHER else ratio


def paired(base: Mapping[int, float], head: Mapping[int, float], comparisons: int = 1) -> Estimate | None:
    """Returns HEAD:BASE of values by round, over the rounds that both have; None without one.

    The intervals of so many ``comparisons`` hold at once.
    """
    rounds = common_rounds({"base": base, "head": head})
    if not rounds:
        return None
    return intervals.ratio_estimate([head[at] for at in rounds], [base[at] for at in rounds], comparisons=comparisons)


def exact(base: float, head: float) -> Estimate:
    """Returns HEAD:BASE of two counts, such as of instructions."""
    ratio = head / base
    return Estimate.ratio(ratio, ratio * (1 - EXACT), ratio * (1 + EXACT), 1)


def judge(metric: str, ratio: Estimate | None, allowed: float, found: Iterable[tuple[str, Validity]]) -> Evidence:
    """Judges one metric of one App. ``allowed`` is the largest regression that is not one: 0.03 for 3 %.

    ``found`` is what the metric rests on: the name of a side or a run, and what was found of it.
    """
    against = tuple(_not_valid(name, validity) for name, validity in found if validity.status is not Trust.VALID)
    if against or ratio is None:
        return Evidence(metric, ratio, Verdict.INVALID, None, against or (reason(Code.NOT_MEASURED),))
    verdict, bound = _verdict(worse(metric, ratio), allowed)
    visible = None if bound is None else (1 + allowed) * (1 + half_width(ratio)) - 1
    return Evidence(metric, ratio, verdict, bound, (), visible)


def _not_valid(name: str, found: Validity) -> Reason:
    return reason(Code.NOT_VALID, *found.reasons, status=found.status).found_of(name)


def _verdict(ratio: Estimate, allowed: float) -> tuple[Verdict, float | None]:
    """Returns the Verdict, and the largest difference that the interval leaves open, either way."""
    if ratio.low is None or ratio.high is None:
        return Verdict.UNDECIDED, None
    bound = exp(max(abs(log(ratio.low)), abs(log(ratio.high)))) - 1
    if ratio.low > 1 + allowed:
        return Verdict.SLOWER, bound
    if ratio.high < 1 / (1 + allowed):
        return Verdict.FASTER, bound
    return (Verdict.NO_DIFFERENCE if bound <= allowed else Verdict.UNDECIDED), bound


def is_unusable(judged: Judged) -> bool:
    """Returns whether nothing that was measured under load is valid: a wrong answer makes all of it invalid.

    One metric alone may be invalid for a lesser reason.
    """
    under_load = [found for found in judged.evidence if not METRICS[found.metric].is_counted]
    return {found.verdict for found in under_load} == {Verdict.INVALID}


def exceeds(metric: str, ratio: Estimate, limit: float) -> bool:
    """Returns whether the whole interval lies beyond a limit, such as 0.03, to the worse or to the better."""
    found = _verdict(worse(metric, ratio), limit)[0]
    return found in (Verdict.SLOWER, Verdict.FASTER)


def half_width(ratio: Estimate) -> float:
    """Returns half the width of a ratio's interval, as a share: 0.01 for ±1 %. Infinite without an interval."""
    if ratio.low is None or ratio.high is None:
        return float("inf")
    return exp((log(ratio.high) - log(ratio.low)) / 2) - 1


def is_precise(ratios: Sequence[Estimate], precision: float) -> bool:
    """Returns whether all intervals are as narrow as asked: the only thing that ends a comparison before its budget.

    What they say has no part in it, as stopping on significance would make false alarms of noise (Armitage, McPherson
    and Rowe, Repeated significance tests on accumulating data, 1969).
    """
    return bool(ratios) and all(half_width(ratio) <= precision for ratio in ratios)


def confirmed(
    metric: str, before: Estimate | None, again: Estimate | None, together: Estimate | None, allowed: float
) -> bool:
    """Returns whether a regression was seen twice.

    Each of two measurements must see a regression by itself, and all rounds together, or the second count of
    instructions, one that is too large.
    """
    return is_worse(metric, before) and is_worse(metric, again) and is_worse(metric, together, allowed)


def is_worse(metric: str, ratio: Estimate | None, allowed: float = 0.0) -> bool:
    """Returns whether the whole interval is a regression, by more than what is allowed."""
    return ratio is not None and (worse(metric, ratio).low or 0.0) > 1 + allowed
