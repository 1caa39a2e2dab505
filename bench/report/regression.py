"""What a comparison says, verdict first: as Markdown for a pull request, and as a table for the terminal."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.model.estimate import Estimate
from bench.model.metrics import METRICS
from bench.model.regression import Comparison, Evidence, Judged, SideFacts, Verdict
from bench.regression.verdict import half_width, is_unusable, worse
from bench.report import wording
from bench.report.format import listed, one_line, share, times
from bench.report.markdown import bullets, folded, grid, headline, safe

RATIO = "HEAD : BASE"
MOST_NAMED = 4
"""More names would bury the verdict."""
STYLES = {
    Verdict.SLOWER: "bold red",
    Verdict.FASTER: "bold green",
    Verdict.NO_DIFFERENCE: "green",
    Verdict.UNDECIDED: "yellow",
    Verdict.INVALID: "bold red",
}
UNDECIDED = (
    "undecided: the interval leaves open both what is allowed and more, to the worse or to the better; it is no pass."
)
READING = (
    "Ratios are HEAD : BASE, measured side by side, with 95 % intervals over rounds that each have fresh processes; "
    "those of a metric hold for all Apps at once.",
    "slower: the whole interval is worse than what is allowed, and a second measurement with fresh processes agreed.",
    UNDECIDED,
)


def verdict(judged: Sequence[Judged], allowed: float) -> str:
    """Says in one sentence what came of it."""
    by_verdict = {
        wanted: [f"{each.name} ({METRICS[found.metric].short})" for each in judged for found in _of(each, wanted)]
        for wanted in Verdict
    }
    lost = f"; could not be measured: {_few(by_verdict[Verdict.INVALID])}" if by_verdict[Verdict.INVALID] else ""
    slower = f"; slower: {_few(by_verdict[Verdict.SLOWER])}" if by_verdict[Verdict.SLOWER] else ""
    if unusable := [each.name for each in judged if is_unusable(each)]:
        return f"Could not be measured: {_few(unusable)}{slower}."
    if by_verdict[Verdict.SLOWER]:
        return f"Slower: {_few(by_verdict[Verdict.SLOWER])}{lost}."
    if by_verdict[Verdict.UNDECIDED]:
        return f"No confirmed regression; undecided: {_few(by_verdict[Verdict.UNDECIDED])}{lost}."
    return f"No regression larger than {share(allowed)}{lost}."


def _few(names: Sequence[str]) -> str:
    """Lists names; of many, how many more there are in the table."""
    return listed(
        names if len(names) <= MOST_NAMED else (*names[: MOST_NAMED - 1], f"{len(names) - MOST_NAMED + 1} more")
    )


def said(found: Evidence) -> str:
    """Says a verdict in words, with the number that it rests on."""
    bound = "" if found.bound is None else share(found.bound)
    match found.verdict:
        case Verdict.NO_DIFFERENCE:
            return f"no difference larger than {bound}"
        case Verdict.UNDECIDED:
            return f"undecided: {_why_undecided(found)}"
        case Verdict.INVALID:
            return f"invalid: {wording.all_said(found.reasons)}"
    return str(found.verdict)


def _why_undecided(found: Evidence) -> str:
    """Says why, where more is known than the interval; what that leaves open; what regression would have been seen."""
    if found.ratio is None or found.visible is None:
        return "; ".join((*map(wording.said, found.reasons), "too few rounds"))
    seen = f"a regression above {share(found.visible)} would have been seen"
    return "; ".join((*map(wording.said, found.reasons), _left_open(worse(found.metric, found.ratio)), seen))


def _left_open(worse_by: Estimate) -> str:
    """Says what an interval leaves open, of a ratio that is above 1 for the worse: ``2 % to 8 % worse``."""
    assert worse_by.low is not None
    assert worse_by.high is not None
    ends = [(end - 1, "worse") if end >= 1 else (1 / end - 1, "better") for end in (worse_by.low, worse_by.high)]
    (low, low_word), (high, high_word) = ends
    return f"{share(low)}{f' {low_word}' if low_word != high_word else ''} to {share(high)} {high_word}"


def terminal(comparison: Comparison) -> RenderableType:
    """Returns the result for the terminal."""
    return Group(*_blocks(comparison))


def markdown(comparison: Comparison) -> str:
    """Returns the result as GitHub-flavoured Markdown: one table, and the details folded."""
    return "\n\n".join(_paragraphs(comparison)) + "\n"


def noise_floor(comparison: Comparison) -> str:
    """Says below what size the two sides differ by noise alone, metric by metric."""
    return f"Noise floor, half of the widest interval: {resolutions(comparison.judged) or 'not known'}."


def resolutions(judged: Sequence[Judged]) -> str:
    """Lists how small a difference the intervals can tell from none, metric by metric: half of the widest one."""
    halves: dict[str, float] = {}
    for metric, ratio in ((found.metric, found.ratio) for each in judged for found in each.evidence):
        if ratio and ratio.low is not None:
            halves[metric] = max(half_width(ratio), halves.get(metric, 0.0))
    return listed([f"{METRICS[metric].short} {share(half)}" for metric, half in halves.items()])


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


def evidence_grid(evidence: Sequence[Evidence], ratio_title: str) -> Table:
    """Returns a row a metric, for the terminal."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, expand=False)
    table.add_column("metric", no_wrap=True)
    table.add_column(ratio_title, no_wrap=True)
    table.add_column("n", justify="right")
    table.add_column("verdict")
    for found in evidence:
        ratio = "" if found.ratio is None else times(found.ratio)
        n = "" if found.ratio is None else str(found.ratio.n)
        table.add_row(METRICS[found.metric].short, ratio, n, Text(said(found), style=STYLES[found.verdict]))
    return table


def _paragraphs(comparison: Comparison) -> Iterator[str]:
    yield headline(verdict(comparison.judged, comparison.max_regression))
    yield evidence_table(comparison.judged, "App", RATIO)
    yield safe(noise_floor(comparison))
    details = bullets((*conditions(comparison), *READING))
    yield folded("How this was measured", details)


def evidence_table(judged: Sequence[Judged], name_title: str, ratio_title: str) -> str:
    """Returns a row a name and metric, as Markdown."""
    rows = (
        [safe(each.name), METRICS[found.metric].short, f"**{safe(said(found))}**", _ratio(found)]
        for each in judged
        for found in each.evidence
    )
    return grid([name_title, "metric", "verdict", ratio_title], "lllr", rows)


def _ratio(found: Evidence) -> str:
    return "–" if found.ratio is None else times(found.ratio)  # noqa: RUF001 - a dash


def _of(judged: Judged, wanted: Verdict) -> Sequence[Evidence]:
    return [found for found in judged.evidence if found.verdict is wanted]


def _side(side: SideFacts) -> str:
    commit = f" ({side.commit[:12]})" if side.commit and not side.commit.startswith(side.revision) else ""
    extra = f" with {listed(side.requirements)}" if side.requirements else ""
    return one_line(f"{side.revision}{commit}{extra}, Python {side.python}")
