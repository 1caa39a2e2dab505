"""What GitHub Actions reads: annotations, as workflow commands, and the job's summary, which is Markdown."""

from collections.abc import Iterator

from bench.gate import Comparison, Evidence, Verdict
from bench.report.comparison import METRIC_TITLES, said

LEVELS = {Verdict.SLOWER: "error", Verdict.INVALID: "error", Verdict.UNDECIDED: "warning"}
"""Verdicts that somebody has to see, and how loud they are; the others are in the summary."""


def annotations(comparison: Comparison) -> str:
    """Returns a workflow command a line for each Verdict that somebody has to see (GitHub, Workflow commands)."""
    return "".join(f"{line}\n" for line in _annotations(comparison))


def _annotations(comparison: Comparison) -> Iterator[str]:
    for app in comparison.apps:
        for found in app.evidence:
            if level := LEVELS.get(found.verdict):
                title = _property(f"bench: {app.app}, {METRIC_TITLES[found.metric]}")
                yield f"::{level} title={title}::{_message(_words(found))}"


def _words(found: Evidence) -> str:
    ratio = "" if found.ratio is None else f", HEAD : BASE is {found.ratio.point:.3f}"
    reasons = "" if found.verdict is Verdict.INVALID else "".join(f"; {reason}" for reason in found.reasons)
    return f"{said(found)}{ratio}{reasons}"


def _message(text: str) -> str:
    """Escapes what would end a command, or be taken for an escape."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
