"""``bench report``: all that is derived from a stored run, made again."""

from pathlib import Path

import click

from bench.cli import completion
from bench.cli.options import json_option, out_option
from bench.cli.publishing import publish_comparison, publish_run


@click.command("report")
@click.argument("run", default="latest", shell_complete=completion.runs)
@out_option
@json_option
def command(*, run: str, results: Path, as_json: bool) -> None:
    """Make all reports of a stored run, or of a comparison, again.

    RUN is its folder, its id, or latest, which it is by default.
    """
    from bench.run import store

    folder = store.find(results, run)
    if comparison := store.read_comparison(folder):
        publish_comparison(folder, comparison, as_json=as_json)
    else:
        publish_run(folder, as_json=as_json)
