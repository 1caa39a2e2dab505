"""``bench run``: the main job."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.errors import words
from bench.cli.options import chosen, measuring_options, out_option, sweep_options
from bench.cli.output import progress_console, tell
from bench.cli.publishing import publish_run
from bench.model.errors import ExitCode

if TYPE_CHECKING:
    from bench.analysis.summary import Folded
    from bench.model.records import Manifest
    from bench.run.store import Run
    from bench.servers.testbed import Testbed


@click.command("run")
@measuring_options
@sweep_options
@out_option
@click.option(
    "--instructions/--no-instructions",
    default=None,
    help="Count instructions per request, too, which needs valgrind. Default: as the preset says.",
)
def command(*, results: Path, instructions: bool | None, as_json: bool, **asked: Any) -> None:
    """Measure every Lane, and report: the main job."""
    from msgspec.structs import replace

    from bench.model import schedule
    from bench.report.plain import plan_text
    from bench.run import session, store

    project, experiment = chosen(**asked)
    if instructions is not None:
        experiment = replace(experiment, preset=replace(experiment.preset, instructions=instructions))
    click.echo(plan_text(schedule.outline(experiment)), err=True)
    run_id = store.new_run_id()
    with session.open_testbed(project, experiment) as testbed, store.create(results, run_id) as sink:
        whole = _measured(testbed, session.draft(testbed, run_id), sink)
    measured = publish_run(sink.folder, as_json=as_json)
    if measured.summary.complete:
        store.mark_latest(results, sink.folder)
        if not experiment.sweep:
            _remember(results, measured)
    if not whole or measured.summary.failures:
        sys.exit(ExitCode.NOT_MEASURED)


def _measured(testbed: "Testbed", manifest: "Manifest", sink: "Run") -> bool:
    """Measures, and returns whether it came to the end; what was measured until then is stored, and worth a report."""
    from bench.cli.progress import run_progress
    from bench.run import footprint, session
    from bench.run.driver_client import DriverFailed
    from bench.run.runner import NothingToMeasure

    try:
        with run_progress(progress_console(), testbed.experiment) as watcher:
            session.measure(testbed, manifest, sink, watcher)
            footprint.measure(testbed, sink, watcher.observing)
            if testbed.experiment.preset.instructions:
                session.count_instructions(testbed, sink, watcher.observing)
    except (KeyboardInterrupt, NothingToMeasure, DriverFailed) as problem:
        tell(f"{words(problem) or 'interrupted'}; this is what was measured until then")
        return False
    return True


def _remember(results: Path, run: "Folded") -> None:
    """Adds a run to the history, or says why it cannot be there."""
    from bench.model.history import NoHistory
    from bench.regression import history_file, history_line

    try:
        history_file.append(results, history_line.record(run))
    except NoHistory as problem:
        tell(str(problem))
