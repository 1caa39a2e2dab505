"""Verdicts as tests, for JUnit XML: a test for each metric of each App or Lane that was compared."""

from collections.abc import Sequence

from bench.model.metrics import METRICS
from bench.model.regression import Evidence, Judged, Verdict
from bench.report import wording
from bench.report.exports.junit import Case, Outcome
from bench.report.format import times
from bench.report.regression import said

OUTCOMES = {Verdict.SLOWER: Outcome.FAILURE, Verdict.INVALID: Outcome.ERROR, Verdict.UNDECIDED: Outcome.SKIPPED}
"""A regression fails, and what could not be measured is an error; undecided is shown, and is neither."""


def cases(judged: Sequence[Judged], ratio_title: str) -> tuple[Case, ...]:
    """Returns a test for each piece of evidence: that nothing became slower."""
    return tuple(_case(each.name, found, ratio_title) for each in judged for found in each.evidence)


def _case(name: str, found: Evidence, ratio_title: str) -> Case:
    outcome = OUTCOMES.get(found.verdict, Outcome.PASSED)
    ratio = "" if found.ratio is None else f"{ratio_title} {times(found.ratio)}"
    return Case(
        classname=name,
        name=METRICS[found.metric].short,
        outcome=outcome,
        message="" if outcome is Outcome.PASSED else "; ".join(filter(None, (said(found), ratio))),
        details="\n".join(map(wording.said, found.reasons)),
    )
