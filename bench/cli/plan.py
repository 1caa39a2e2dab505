"""``bench plan``: a run before it is run."""

import sys
from pathlib import Path
from typing import Any

import click

from bench.cli.options import Percent, chosen, measuring_options, out_option, sweep_options
from bench.cli.output import show
from bench.model.errors import ExitCode


@click.command("plan")
@measuring_options
@sweep_options
@click.option("--detect", type=Percent(), help="Propose how many rounds find such a difference, e.g. 3%.")
@out_option
def command(*, as_json: bool, detect: float | None, results: Path, **asked: Any) -> None:
    """Show what a run would do, and how long it will take.

    --detect proposes rounds for the Lanes and the preset of the latest run, by how far its rounds spread. Nothing is
    run.
    """
    import msgspec

    from bench.model import schedule
    from bench.report.plain import plan_text

    if detect is not None:
        _propose(results, detect, as_json=as_json)
        return
    _, experiment = chosen(**asked)
    outline = schedule.outline(experiment)
    show(plan_text(outline), msgspec.json.encode(outline), as_json=as_json)


def _propose(results: Path, difference: float, *, as_json: bool) -> None:
    import msgspec

    from bench.doctor.examine import propose
    from bench.report.doctor import proposal_text

    proposal = propose(results, difference)
    show(proposal_text(proposal), msgspec.json.encode(proposal), as_json=as_json)
    if proposal.rounds is None:
        sys.exit(ExitCode.NOT_MEASURED)
