"""What a comparison says, verdict first: as Markdown for a pull request, and as a table for the terminal."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from bench.model.regression import Comparison, SideFacts
from bench.report import wording
from bench.report.format import listed, one_line, share
from bench.report.markdown import bullets, folded, headline, safe
from bench.report.verdict import UNDECIDED, evidence_grid, evidence_table, resolutions, verdict

RATIO = "HEAD : BASE"
READING = (
    "Ratios are HEAD : BASE, measured side by side, with 95 % intervals over rounds that each have fresh processes; "
    "those of a metric hold for all Apps at once.",
    "slower: the whole interval is worse than what is allowed, and a second measurement with fresh processes agreed.",
    UNDECIDED,
)


def terminal(comparison: Comparison) -> RenderableType:
    """Returns the result for the terminal."""
    return Group(*_blocks(comparison))


def markdown(comparison: Comparison) -> str:
    """Returns the result as GitHub-flavoured Markdown: one table, and the details folded."""
    return "\n\n".join(_paragraphs(comparison)) + "\n"


def noise_floor(comparison: Comparison) -> str:
    """Says below what size the two sides differ by noise alone, metric by metric."""
    return f"Noise floor, half of the widest interval: {resolutions(comparison.judged) or 'not known'}."


def conditions(comparison: Comparison) -> tuple[str, ...]:
    """Says what was compared, how long, and what was allowed."""
    return (
        f"BASE {_side(comparison.base)}, HEAD {_side(comparison.head)}.",
        f"{comparison.rounds} rounds in {comparison.spent_s:.0f} s of a budget of {comparison.budget_s:.0f} s"
        f"{', a regression measured again' if comparison.measured_again else ''}; allowed: "
        f"{share(comparison.max_regression)}, of instructions {share(comparison.max_instructions)}.",
        *wording.sentences(comparison.notes),
        *(f"{app.app}: {difference}" for app in comparison.apps for difference in app.differences),
    )


def _blocks(comparison: Comparison) -> Iterator[RenderableType]:
    yield Text(verdict(comparison.judged, comparison.max_regression), style="bold")
    for app in comparison.apps:
        yield from (Text(), Text(app.lane, style="bold"), evidence_grid(app.evidence, RATIO))
    yield from (Text(), Text(noise_floor(comparison)), Text())
    yield from (Text(one_line(sentence), style="dim") for sentence in (*conditions(comparison), *READING))


def _paragraphs(comparison: Comparison) -> Iterator[str]:
    yield headline(verdict(comparison.judged, comparison.max_regression))
    yield evidence_table(comparison.judged, "App", RATIO)
    yield safe(noise_floor(comparison))
    details = bullets((*conditions(comparison), *READING))
    yield folded("How this was measured", details)


def _side(side: SideFacts) -> str:
    commit = f" ({side.commit[:12]})" if side.commit and not side.commit.startswith(side.revision) else ""
    extra = f" with {listed(side.requirements)}" if side.requirements else ""
    return one_line(f"{side.revision}{commit}{extra}, Python {side.python}")
