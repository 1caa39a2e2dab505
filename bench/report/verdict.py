"""The wording of verdicts, one by one and of all: for a comparison of two revisions, and a check of two runs."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from bench.model.estimate import Estimate
from bench.model.metrics import METRICS
from bench.model.regression import Evidence, Judged, Verdict
from bench.regression.verdict import half_width, is_unusable, worse
from bench.report import wording
from bench.report.format import listed, share, times
from bench.report.markdown import grid, safe

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


def resolutions(judged: Sequence[Judged]) -> str:
    """Lists how small a difference the intervals can tell from none, metric by metric: half of the widest one."""
    halves: dict[str, float] = {}
    for metric, ratio in ((found.metric, found.ratio) for each in judged for found in each.evidence):
        if ratio and ratio.low is not None:
            halves[metric] = max(half_width(ratio), halves.get(metric, 0.0))
    return listed([f"{METRICS[metric].short} {share(half)}" for metric, half in halves.items()])


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
