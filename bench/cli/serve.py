"""``bench serve``: one Lane in the foreground, to look at."""

import sys
from pathlib import Path

import click

from bench.cli import completion
from bench.cli.options import config_option

LOCUSTFILE = Path(__file__).parent.parent / "driver" / "locustfile.py"


@click.command("serve")
@click.argument("lane_name", metavar="LANE", shell_complete=completion.lanes)
@config_option
def command(*, lane_name: str, config: Path) -> None:
    """Serve one Lane in the foreground, as a run launches it.

    It ends with Ctrl-C. `bench list lanes` shows all Lanes.
    """
    from bench.model.config import select_lanes
    from bench.model.config_errors import ConfigError
    from bench.run import session
    from bench.run.runner import NothingToMeasure
    from bench.servers.project import open_project

    project = open_project(config)
    any_preset = next(iter(project.config.presets))  # a Lane is launched in the same way under all of them
    experiment = select_lanes(project.experiment(any_preset, seed=1), [lane_name])
    if len(experiment.lanes) > 1:
        names = ", ".join(lane.name for lane in experiment.lanes)
        raise ConfigError(f"lane: found {lane_name!r}, which names {names}; expected one of them")
    with session.open_testbed(project, experiment) as testbed:
        for failure in testbed.failures:
            raise NothingToMeasure(failure.reason.found_of(failure.lane))
        session.serve(testbed, experiment.lanes[0], announce=_announce)


def _announce(url: str) -> None:
    from bench.report.plain import serving_text

    locust = Path(sys.executable).with_name("locust")
    click.echo(serving_text(url, str(locust), str(LOCUSTFILE)), err=True)
