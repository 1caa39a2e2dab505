"""Makes everything that is derived from a run's records, and writes it beside them."""

from pathlib import Path

from msgspec import Struct
from rich.console import RenderableType

from bench import check, history_entry, history_file, store
from bench.check import Measured
from bench.records import Report
from bench.report import (
    EXPORTS,
    HTML,
    MARKDOWN,
    charts,
    charts_of,
    exports,
    html,
    markdown,
)
from bench.report import text as terminal
from bench.store import StoredRun


class Published(Struct, frozen=True):
    """What the files of a run were made from, and a line for each that could not be made here."""

    measured: Measured
    left_out: tuple[str, ...]


def publish(folder: Path) -> Published:
    """Writes the summary, the charts, the reports and the exports of a run, complete or not. Raises Unreadable."""
    run = store.read(folder)
    found = measured(run)
    report = found.report
    drawn = {name: charts.render(figure) for name, figure in charts.draw(report).items()}
    files = {f"charts/{name}.{kind}": content for name, kinds in drawn.items() for kind, content in kinds.items()}
    files[store.SUMMARY] = store.summary_bytes(report.summary)
    files[MARKDOWN] = markdown.render(report).encode()
    files[HTML] = html.render(report, {name: drawn[name]["svg"] for name in charts_of(report)}).encode()
    exported = exports.render(report, run.records)
    files |= {f"{EXPORTS}/{name}": content for name, content in exported.files.items()}
    store.write_files(folder, files)
    return Published(found, exported.left_out)


def measured(run: StoredRun) -> Measured:
    """Folds a stored run."""
    return check.measured(run.manifest, run.records, run.failures, run.observations)


def record(results: Path, run: Measured) -> bool:
    """Adds a run to the history of ``results``; returns whether it was new there. Raises NoHistory."""
    return history_file.append(results, history_entry.record(run))


def text(report: Report, folder: Path) -> RenderableType:
    """Returns a run's result for the terminal."""
    return terminal.render(report, str(folder))
