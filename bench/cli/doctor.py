"""``bench doctor``: is this machine fit to measure on?"""

import sys
from typing import Any

import click

from bench.cli.options import chosen, measuring_options
from bench.cli.output import progress_console, show
from bench.model.errors import ExitCode


@click.command("doctor")
@measuring_options
def command(*, as_json: bool, **asked: Any) -> None:
    """Say whether this machine can measure, and what it can tell apart.

    It loads one Lane for about 20 s to see how far two equal measurements differ, and says what to change.
    """
    import msgspec

    from bench.cli.progress import run_progress
    from bench.doctor.aa_test import short_experiment
    from bench.doctor.examine import examine
    from bench.report.doctor import diagnosis_text
    from bench.run import session

    project, whole = chosen(**asked)
    short = short_experiment(whole)
    with session.open_testbed(project, short) as testbed, run_progress(progress_console(), short) as watcher:
        diagnosis = examine(testbed, whole, watcher)
    show(diagnosis_text(diagnosis), msgspec.json.encode(diagnosis), as_json=as_json)
    if diagnosis.reason is not None:
        sys.exit(ExitCode.NOT_MEASURED)
