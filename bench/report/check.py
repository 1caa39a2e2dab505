"""What a check of two stored runs says: for the terminal, and as Markdown."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from bench.model.metrics import METRICS
from bench.model.regression import Check
from bench.report.format import listed, one_line, share
from bench.report.markdown import bullets, folded, headline, safe
from bench.report.verdict import UNDECIDED, evidence_grid, evidence_table, resolutions, verdict
from bench.report.wording import sentences

RATIO = "RUN : BASELINE"
READING = (
    "Ratios are RUN : BASELINE of each Lane relative to raw in its own run, with 95 % intervals that hold at once.",
    "slower: the whole interval is worse than what is allowed, and than the noise floor.",
    UNDECIDED,
)

RELATIVE_TO_RAW = "Every Lane is relative to raw on the same server in its own run; raw itself can't be checked."


def terminal(check: Check) -> RenderableType:
    """Returns the result for the terminal."""
    return Group(*_blocks(check))


def markdown(check: Check) -> str:
    """Returns the result as GitHub-flavoured Markdown: one table, and the details folded."""
    paragraphs = (
        headline(verdict(check.judged, check.max_regression)),
        evidence_table(check.judged, "Lane", RATIO),
        safe(noise_floor(check)),
        folded("How this was checked", bullets((*conditions(check), *READING))),
    )
    return "\n\n".join(paragraphs) + "\n"


def noise_floor(check: Check) -> str:
    """Says below what size nothing is told apart, metric by metric: what Lanes differ from their twins by."""
    floors = [f"{METRICS[metric].short} {share(noise)}" for metric, noise in check.noise_floors.items() if noise]
    return (
        f"Noise floor, how far a Lane differs from its twin: {listed(floors) or 'not known, because no App ran twice'}."
    )


def conditions(check: Check) -> tuple[str, ...]:
    """Says what was compared, and what was allowed."""
    return (
        f"RUN {check.run_id}, BASELINE {check.baseline_run_id}.",
        f"Allowed: {share(check.max_regression)}, of instructions {share(check.max_instructions)}.",
        f"Resolution, half of the widest interval: {resolutions(check.judged) or 'not known'}.",
        RELATIVE_TO_RAW,
        *sentences(check.notes),
    )


def _blocks(check: Check) -> Iterator[RenderableType]:
    yield Text(verdict(check.judged, check.max_regression), style="bold")
    for lane in check.lanes:
        yield from (Text(), Text(lane.lane, style="bold"), evidence_grid(lane.evidence, RATIO))
    yield from (Text(), Text(noise_floor(check)), Text())
    yield from (Text(one_line(sentence), style="dim") for sentence in (*conditions(check), *READING))
