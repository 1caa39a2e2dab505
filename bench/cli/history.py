"""``bench history``: what became of every Lane over all runs that are like the latest one, and where it changed."""

from pathlib import Path

import click

from bench.cli import completion
from bench.cli.options import json_option, out_option
from bench.cli.output import show, tell


@click.command("history")
@out_option
@click.option(
    "--add",
    "runs",
    multiple=True,
    metavar="RUN",
    help="Add a stored run first: its folder, its id, or latest; may be repeated.",
    shell_complete=completion.runs,
)
@json_option
def command(*, results: Path, runs: tuple[str, ...], as_json: bool) -> None:
    """Show the trend of every Lane over all runs, and where it changed.

    Figures are relative to raw. Only runs with the latest run's machine, preset and conditions are in a trend.
    """
    from bench.model.formats import to_json
    from bench.regression import history_file, trends
    from bench.report import charts
    from bench.report.charts.history import HISTORY_CHART, history_chart
    from bench.report.history import terminal
    from bench.run import store

    for run in runs:
        _add(results, store.find(results, run))
    chosen = trends.like_latest(history_file.read(results))
    series = trends.series(chosen.records)
    found = trends.history(chosen, series)
    drawn = charts.render(history_chart(found, series))
    store.write_files(results, {f"{HISTORY_CHART}.{kind}": content for kind, content in drawn.items()})
    show(terminal(found, f"chart: {results / HISTORY_CHART}.svg, .png"), to_json(found), as_json=as_json)


def _add(results: Path, folder: Path) -> None:
    from bench.cli.publishing import folded
    from bench.regression import history_file, history_line

    is_new = history_file.append(results, history_line.record(folded(folder)))
    tell(f"{folder.name}: {'added to the history' if is_new else 'it is in the history already'}")
