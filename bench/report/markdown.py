"""``summary.md``: the whole report as GitHub Markdown, with the charts beside it."""

import re
from collections.abc import Iterable, Iterator
from html import escape

from bench.model.metrics import METRICS, Place
from bench.model.summary import Report
from bench.report import charts_of, context
from bench.report.context import Proof
from bench.report.footprint_table import code_files, columns, described, footprints, notes
from bench.report.format import one_line, printable, times
from bench.report.group_table import Row, Table, comparisons, noise, tables, verdict
from bench.report.sweep_table import POINT_COLUMNS, SweepTable, point_cells, sweep_tables
from bench.report.wording import said


def render(report: Report) -> str:
    """Returns the report; it expects the charts in ``charts/`` beside it."""
    return "\n\n".join(_blocks(report)) + "\n"


def _blocks(report: Report) -> Iterator[str]:
    yield f"# {safe(context.title(report))}"
    yield safe(context.provenance(report))
    yield from (f"> **{safe(notice)}**" for notice in context.notices(report))
    for sweep in sweep_tables(report):
        yield from _sweep(sweep)
    for table in () if report.summary.sweeps else tables(report):
        yield from _group(table)
    yield from _footprint(report)
    yield "## Charts"
    yield from (f"![{title}](charts/{name}.svg)" for name, title in charts_of(report).items())
    yield "## How to read this"
    yield bullets(context.reading(report))
    yield "## What was measured"
    yield bullets(context.what_was_measured(report))
    yield from _every_metric(report)
    yield from _configuration(report)
    yield from _failures(report)


def _group(table: Table) -> Iterator[str]:
    yield f"## {safe(table.title)}"
    yield f"**{safe(verdict(table))}**"
    if noise(table):
        yield safe(noise(table))
    head = ["#", "lane", *(METRICS[metric].column for metric in METRICS.shown_in(Place.GROUP_TABLE))]
    yield grid(head, "rl" + "r" * len(METRICS.shown_in(Place.GROUP_TABLE)), map(_row, table.rows))
    said = [f"{row.title}: {note}" for row in table.rows for note in row.notes]
    if said:
        yield bullets(said)


def _footprint(report: Report) -> Iterator[str]:
    rows, metrics = footprints(report), columns(report)
    if not rows:
        return
    yield "## Footprint"
    cells = ([safe(row.title), *(_cell(row.cell(metric)) for metric in metrics)] for row in rows)
    yield grid(["lane", *(METRICS[metric].column for metric in metrics)], "l" + "r" * len(metrics), cells)
    yield bullets((*notes(report), *described(report)))
    files = [[safe(app), safe(path), str(lines)] for app, path, lines in code_files(report)]
    yield folded("Lines of code by file", grid(["app", "file", "lines"], "llr", files))


def _sweep(sweep: SweepTable) -> Iterator[str]:
    yield f"## {safe(sweep.table.title)}"
    yield f"**{safe(sweep.verdict)}**"
    rows = ([safe(each.row.name), *map(_cell, each.cells)] for each in sweep.rows)
    yield grid(["lane", *sweep.columns], "l" + "r" * len(sweep.columns), rows)
    yield bullets(f"{each.row.title}: {note}" for each in sweep.rows for note in each.notes)
    for each in sweep.rows:
        points = ([safe(_cell(cell)) for cell in point_cells(point)] for point in each.sweep.points)
        table = grid([*POINT_COLUMNS], "r" * (len(POINT_COLUMNS) - 1) + "l", points)
        yield folded(f"{each.row.title}: every load", table)


def _row(row: Row) -> list[str]:
    beside = f"<br>{safe(row.tie)}" if row.tie else ""
    status = "" if row.valid else f"<br>**{safe(row.status)}**"
    cells = (_cell(row.cell(metric)) for metric in METRICS.shown_in(Place.GROUP_TABLE))
    return [row.mark, f"{safe(row.name)}{beside}{status}", *cells]


def _cell(parts: tuple[str, str]) -> str:
    return " ".join(filter(None, parts))


def _every_metric(report: Report) -> Iterator[str]:
    """Yields every Estimate with its interval, and the ratios behind the ranks, a folded table each."""
    for table in tables(report):
        rows = (
            [
                f"{METRICS[metric].title}, {METRICS[metric].unit.shown}",
                *(_cell(row.full(metric)) for row in table.rows),
            ]
            for metric in table.metrics
        )
        head = ["metric", *(safe(row.name) for row in table.rows)]
        yield folded(f"{table.title}: every metric", grid(head, "l" + "r" * len(table.rows), rows))
        ratios = [[safe(what), times(estimate)] for what, estimate in comparisons(table)]
        if ratios:
            yield folded(f"{table.title}: ratios, paired by round", grid(["throughput of", "ratio"], "lr", ratios))


def _configuration(report: Report) -> Iterator[str]:
    yield "## Proof of the configuration"
    yield "Read from the processes as they ran, from their environments and from their answers."
    head = ["lane", "Python", "workers", "versions"]
    proofs = context.proofs(report)
    rows = ([safe(proof.lane), proof.python, str(proof.workers), safe(proof.main_versions)] for proof in proofs)
    yield grid(head, "llrl", rows)
    yield from (folded(proof.lane, _fenced(_proof(proof))) for proof in proofs)
    yield "### Differences that no setting removes"
    yield bullets(list(map(said, report.manifest.irremovable_differences)) or ("None was found.",))


def _proof(proof: Proof) -> str:
    parts = {
        "command": proof.command,
        "environment": proof.environment,
        "packages": proof.all_versions,
        "answer": proof.answer,
    }
    return "\n".join(f"{name}: {value}" for name, value in parts.items() if value)


def _failures(report: Report) -> Iterator[str]:
    if report.summary.failures:
        yield "## Failures"
    for failure in report.summary.failures:
        yield folded(context.failed(failure), _fenced(printable(failure.log_tail).strip("\n") or "(no log)"))


def safe(words: str) -> str:
    """Escapes what Markdown or HTML would take for more than text."""
    return re.sub(r"([\\`*_\[\]<>|~&$#])", r"\\\1", one_line(words))


def headline(words: str) -> str:
    """Returns the line that a job's summary or a comment begins with."""
    return f"### bench: {safe(words)}"


def bullets(sentences: Iterable[str]) -> str:
    """Returns a list, an item a sentence."""
    return "\n".join(f"- {safe(sentence)}" for sentence in sentences)


def grid(head: list[str], alignment: str, rows: Iterable[list[str]]) -> str:
    """Returns a table; ``alignment`` has l or r for each column."""
    rule = ["---:" if side == "r" else "---" for side in alignment]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def folded(summary: str, content: str) -> str:
    """Returns content that a reader has to unfold."""
    return f"<details><summary>{escape(one_line(summary))}</summary>\n\n{content}\n\n</details>"


def _fenced(text: str) -> str:
    """Returns a code block whose fence is longer than any in the text."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
