"""What a comparison says, verdict first: as Markdown for a pull request, and as a table for the terminal."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.gate import AppComparison, Comparison, Evidence, SideFacts, Verdict
from bench.report.markdown import bullets, folded, grid, safe
from bench.report.words import listed, one_line, share, times

METRIC_TITLES = {
    "cpu_us_per_request": "CPU time per request",
    "throughput_rps": "throughput",
    "latency_fixed_p50_ms": "latency p50",
    "latency_fixed_p99_ms": "latency p99",
    "instructions_per_request": "instructions per request",
}
STYLES = {
    Verdict.SLOWER: "bold red",
    Verdict.FASTER: "bold green",
    Verdict.NO_DIFFERENCE: "green",
    Verdict.UNDECIDED: "yellow",
    Verdict.INVALID: "bold red",
}
READING = (
    "Ratios are HEAD : BASE, measured side by side, with 95 % intervals over rounds that each have fresh processes.",
    "slower: the whole interval is worse than what is allowed, and a second measurement with fresh processes agreed.",
    "undecided: the interval holds both a harmless difference and a regression; it is no pass.",
)


def verdict(comparison: Comparison) -> str:
    """Says in one sentence what came of it."""
    by_verdict = {
        wanted: [f"{app.app} ({METRIC_TITLES[found.metric]})" for app in comparison.apps for found in _of(app, wanted)]
        for wanted in Verdict
    }
    if by_verdict[Verdict.INVALID]:
        return f"Could not be measured: {listed(by_verdict[Verdict.INVALID])}."
    if by_verdict[Verdict.SLOWER]:
        return f"Slower: {listed(by_verdict[Verdict.SLOWER])}."
    if by_verdict[Verdict.UNDECIDED]:
        return f"No confirmed regression; undecided: {listed(by_verdict[Verdict.UNDECIDED])}."
    return f"No regression larger than {share(comparison.max_regression)}."


def said(found: Evidence) -> str:
    """Says a verdict in words, with the number that it rests on."""
    bound = "" if found.bound is None else share(found.bound)
    match found.verdict:
        case Verdict.NO_DIFFERENCE:
            return f"no difference larger than {bound}"
        case Verdict.UNDECIDED:
            return f"undecided: differences below {bound} can't be told" if bound else "undecided: too few rounds"
        case Verdict.INVALID:
            return f"invalid: {one_line('; '.join(found.reasons))}"
    return str(found.verdict)


def terminal(comparison: Comparison) -> RenderableType:
    """Returns the result for the terminal."""
    return Group(*_blocks(comparison))


def markdown(comparison: Comparison) -> str:
    """Returns the result as GitHub-flavoured Markdown: one table, and the details folded."""
    return "\n\n".join(_paragraphs(comparison)) + "\n"


def conditions(comparison: Comparison) -> tuple[str, ...]:
    """Says what was compared, how long, and what was allowed."""
    return (
        f"BASE {_side(comparison.base)}, HEAD {_side(comparison.head)}.",
        f"{comparison.rounds} rounds in {comparison.spent_s:.0f} s of a budget of {comparison.budget_s:.0f} s"
        f"{', a regression measured again' if comparison.measured_again else ''}; allowed: "
        f"{share(comparison.max_regression)}, of instructions {share(comparison.max_instructions)}.",
        *comparison.notes,
        *(f"{app.app}: {difference}" for app in comparison.apps for difference in app.differences),
    )


def _blocks(comparison: Comparison) -> Iterator[RenderableType]:
    yield Text(verdict(comparison), style="bold")
    for app in comparison.apps:
        yield from (Text(), Text(app.lane, style="bold"), _grid(app))
        yield from (Text(f"{METRIC_TITLES[found.metric]}: {reason}", style="yellow") for found, reason in _reasons(app))
    yield Text()
    yield from (Text(one_line(sentence), style="dim") for sentence in (*conditions(comparison), *READING))


def _grid(app: AppComparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, expand=False)
    table.add_column("metric", no_wrap=True)
    table.add_column("HEAD : BASE", no_wrap=True)
    table.add_column("n", justify="right")
    table.add_column("verdict")
    for found in app.evidence:
        ratio = "" if found.ratio is None else times(found.ratio)
        n = "" if found.ratio is None else str(found.ratio.n)
        table.add_row(METRIC_TITLES[found.metric], ratio, n, Text(said(found), style=STYLES[found.verdict]))
    return table


def _paragraphs(comparison: Comparison) -> Iterator[str]:
    yield f"### bench: {safe(verdict(comparison))}"
    rows = (
        [safe(app.app), METRIC_TITLES[found.metric], f"**{safe(said(found))}**", _ratio(found)]
        for app in comparison.apps
        for found in app.evidence
    )
    yield grid(["App", "metric", "verdict", "HEAD : BASE"], "lllr", rows)
    reasons = [
        f"{app.app}, {METRIC_TITLES[found.metric]}: {reason}"
        for app in comparison.apps
        for found, reason in _reasons(app)
    ]
    details = bullets((*reasons, *conditions(comparison), *READING))
    yield folded("How this was measured", details)


def _ratio(found: Evidence) -> str:
    return "–" if found.ratio is None else times(found.ratio)  # noqa: RUF001 - a dash


def _reasons(app: AppComparison) -> Iterator[tuple[Evidence, str]]:
    """Yields why evidence is less than it was, where its words do not say so already."""
    for found in app.evidence:
        if found.verdict is not Verdict.INVALID:
            yield from ((found, reason) for reason in found.reasons)


def _of(app: AppComparison, wanted: Verdict) -> Sequence[Evidence]:
    return [found for found in app.evidence if found.verdict is wanted]


def _side(side: SideFacts) -> str:
    commit = f" ({side.commit[:12]})" if side.commit and not side.commit.startswith(side.revision) else ""
    extra = f" with {listed(side.requirements)}" if side.requirements else ""
    return one_line(f"{side.revision}{commit}{extra}, Python {side.python}")
