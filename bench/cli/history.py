"""``bench history``: what became of every Lane over all runs that are like the latest one, and where it changed."""

from pathlib import Path

import click
import msgspec
from rich.console import Console

from bench.cli.options import out_option
from bench.regression import history_file, history_line, trends
from bench.report import charts
from bench.report.charts.history import NAME, history_chart
from bench.report.history import terminal
from bench.run import store

out = Console(highlight=False)


@click.command("history")
@out_option
@click.option("--add", "runs", multiple=True, metavar="RUN", help="Add a stored run first; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Give the result as one JSON document.")
def history_command(*, results: Path, runs: tuple[str, ...], as_json: bool) -> None:
    """Show the trend of every Lane relative to raw, over the runs that are like the latest, and the steps in it."""
    for run in runs:
        _add(results, store.find(results, run))
    chosen = trends.like_latest(history_file.read(results))
    series = trends.series(chosen.records)
    found = trends.history(chosen, series)
    drawn = charts.render(history_chart(found, series))
    store.write_files(results, {f"{NAME}.{kind}": content for kind, content in drawn.items()})
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        out.print(terminal(found, f"chart: {results / NAME}.svg, .png"))


def _add(results: Path, folder: Path) -> None:
    from bench.analysis.summary import fold  # noqa: PLC0415 - it needs pandas, which takes a second

    stored = store.read(folder)
    run = fold(stored.manifest, stored.records, stored.failures, stored.observations)
    is_new = history_file.append(results, history_line.record(run))
    said = "added to the history" if is_new else "it is in the history already"
    click.echo(f"bench: {folder.name}: {said}", err=True)
