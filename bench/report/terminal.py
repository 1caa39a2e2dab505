"""The tables that end a run on the terminal: rich renderables that read well at 80 columns, with or without colour."""

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from bench.model.load import Phase
from bench.model.metrics import METRICS, Place
from bench.model.records import Failure
from bench.model.summary import Report
from bench.report import EXPORTS, HTML, MARKDOWN, charts_of, context
from bench.report.footprint_table import columns, described, footprints, notes
from bench.report.format import one_line, printable
from bench.report.group_table import NO_FRAMEWORK, Row, Table, noise, tables, verdict
from bench.report.sweep_table import SweepRow, SweepTable, sweep_tables

LOG_LINES = 12
"""How much of a failed Lane's log is shown; the whole tail is in the other reports."""


def render(report: Report, folder: str) -> RenderableType:
    """Returns the result of a run for the terminal; ``folder`` is where its files are, as the user should see it."""
    return Group(*_blocks(report, folder))


def _blocks(report: Report, folder: str) -> Iterator[RenderableType]:
    yield Text(context.provenance(report), style="dim")
    yield from (Text(notice, style="bold red") for notice in context.notices(report))
    for sweep in sweep_tables(report):
        yield from (Text(), Text(sweep.table.title, style="bold"), Text(sweep.verdict), _sweep(sweep))
        yield from (Text(f"{each.row.title}: {note}", style="dim") for each in sweep.rows for note in each.notes)
    for table in () if report.summary.sweeps else tables(report):
        yield from (Text(), Text(table.title, style="bold"), Text(verdict(table)), _grid(table))
        yield from (Text(said, style="dim") for said in (noise(table),) if said)
        yield from (Text(note, style="yellow") for note in _notes(table))
    yield from _footprint(report)
    yield from (block for failure in report.summary.failures for block in _failure(failure))
    yield Text()
    yield from (Text(sentence, style="dim") for sentence in _reading(report))
    yield from (Text(), *_files(report, folder))


def _grid(table: Table) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, expand=False)
    grid.add_column("#", justify="right", no_wrap=True)
    grid.add_column("lane", overflow="fold", min_width=12)
    for metric in METRICS.shown_in(Place.GROUP_TABLE):
        grid.add_column(METRICS[metric].column, justify="right", no_wrap=True)
    for row in table.rows:
        grid.add_row(row.mark, _lane(row), *(_cell(row, metric) for metric in METRICS.shown_in(Place.GROUP_TABLE)))
    return grid


def _sweep(sweep: SweepTable) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, expand=False)
    grid.add_column("lane", overflow="fold", min_width=12)
    for column in sweep.columns:
        grid.add_column(column, justify="right")
    for each in sweep.rows:
        grid.add_row(*_sweep_row(each))
    return grid


def _sweep_row(each: SweepRow) -> Iterator[Text]:
    yield _lane(each.row)
    for point, beside in each.cells:
        yield Text.assemble(point, (f"\n{beside}" if beside else "", "dim"))


def _lane(row: Row) -> Text:
    """Returns the title, and below it: that it has no framework, its ties, why it can't be trusted."""
    lane = Text(row.title, style="dim" if row.lane.raw else "bold")
    below = (
        (NO_FRAMEWORK if row.lane.raw else "", "dim"),
        (row.tie, "dim"),
        ("" if row.valid else row.status, "red"),
    )
    for said, style in below:
        lane.append(f"\n{said}" if said else "", style)
    return lane


def _cell(row: Row, metric: str) -> Text:
    """Returns the point with the margin below."""
    return _two_lines(row.cell(metric))


def _two_lines(parts: tuple[str, str]) -> Text:
    """Returns a cell in lines; an interval in full takes two more, so that 80 columns hold all."""
    point, margin = parts
    below = margin.strip("()").replace("–", "–\n")  # noqa: RUF001 - a range
    return Text.assemble(point, (f"\n{below}" if below else "", "dim"))


def _footprint(report: Report) -> Iterator[RenderableType]:
    rows, metrics = footprints(report), columns(report)
    if not rows:
        return
    grid = Grid(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, expand=False)
    grid.add_column("lane", overflow="fold", min_width=12)
    for metric in metrics:
        grid.add_column(METRICS[metric].column.replace(" ", "\n"), justify="right", no_wrap=True)
    for row in rows:
        name = Text.assemble((one_line(row.lane.title), "bold"), (f"\n{row.place}", "dim"))
        grid.add_row(name, *(_two_lines(row.cell(metric)) for metric in metrics))
    yield from (Text(), Text("footprint", style="bold"), grid)
    yield from (Text(note, style="yellow") for note in notes(report))
    yield from (Text(sentence, style="dim") for sentence in described(report))


def _notes(table: Table) -> Iterator[str]:
    """Yields what is to be said of Lanes; a failure is told by itself, once for all Groups."""
    for row in table.rows:
        if not row.failure:
            yield from (f"{row.title}: {note}" for note in row.notes)


def _failure(failure: Failure) -> Iterator[RenderableType]:
    """Yields why a Lane failed and the end of its log, which is shown as it is: no markup, no terminal codes."""
    yield Text()
    yield Text(context.failed(failure), style="bold red")
    lines = printable(failure.log_tail).strip("\n").splitlines()[-LOG_LINES:]
    yield Text("\n".join(f"    {line}" for line in lines))


def _reading(report: Report) -> tuple[str, ...]:
    """Returns what the columns mean."""
    if report.summary.sweeps:
        return (
            f"{context.intervals(report)} ± is the wider half.",
            *context.SWEEP_READING,
            context.load(report, Phase.SWEEP),
            context.machine(report.manifest.machine),
            context.totals(report),
        )
    return (
        f"{context.intervals(report)} ± is the wider half. = can't be told apart.",
        context.RAW,
        *context.adapter_costs(report),
        *(f"{', '.join(_columns(phase))}: {context.load(report, phase)}" for phase in (Phase.SATURATED, Phase.FIXED)),
        context.machine(report.manifest.machine),
        context.totals(report),
        *context.absent(report, _told()),
    )


def _columns(phase: Phase) -> list[str]:
    """Returns the heads of the columns that a phase's load is behind."""
    return [METRICS[name].column for name in METRICS.shown_in(Place.GROUP_TABLE) if METRICS[name].phase is phase]


def _told() -> tuple[str, ...]:
    """Returns the metrics of which a reader is told why they are absent: those of the tables, and what was counted."""
    return (*METRICS.shown_in(Place.GROUP_TABLE), *METRICS.shown_in(Place.FOOTPRINT), *METRICS.counted())


def _files(report: Report, folder: str) -> Iterator[Text]:
    charts = f"charts/*.svg ({', '.join(charts_of(report))})"
    yield Text.assemble("Files in ", (one_line(folder), "bold"), f": {HTML}, {MARKDOWN}, {charts}, {EXPORTS}/")
