"""What GitHub Actions reads: annotations, as workflow commands, and the job's summary, which is Markdown."""

from collections.abc import Iterator, Sequence

from bench.model.metrics import METRICS
from bench.model.regression import Evidence, Judged, Verdict
from bench.report.verdict import said

LEVELS = {Verdict.SLOWER: "error", Verdict.INVALID: "error", Verdict.UNDECIDED: "warning"}
"""Verdicts that somebody has to see, and how loud they are; the others are in the summary."""


def annotations(judged: Sequence[Judged], ratio_title: str) -> str:
    """Returns a workflow command a line for each Verdict that somebody has to see (GitHub, Workflow commands)."""
    return "".join(f"{line}\n" for line in _annotations(judged, ratio_title))


def annotation(level: str, text: str) -> str:
    """Returns one workflow command, a line, for what has no Verdict."""
    return f"::{level} title=bench::{_message(text)}\n"


def _annotations(judged: Sequence[Judged], ratio_title: str) -> Iterator[str]:
    for each in judged:
        for found in each.evidence:
            if level := LEVELS.get(found.verdict):
                title = _property(f"bench: {each.name}, {METRICS[found.metric].short}")
                yield f"::{level} title={title}::{_message(_words(found, ratio_title))}"


def _words(found: Evidence, ratio_title: str) -> str:
    ratio = "" if found.ratio is None else f", {ratio_title} is {found.ratio.point:.3f}"
    return f"{said(found)}{ratio}"


def _message(text: str) -> str:
    """Escapes what would end a command, or be taken for an escape."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
