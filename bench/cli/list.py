"""``bench list``: what there is to measure, by name."""

from pathlib import Path

import click

from bench.cli.options import Name, config_option, json_option
from bench.cli.output import show

KINDS = ("apps", "servers", "groups", "lanes", "presets", "workloads")
"""As ``bench.model.inventory.Kind`` has them."""


@click.command("list")
@click.argument("kind", type=Name(KINDS), required=False)
@config_option
@json_option
def command(*, kind: str | None, config: Path, as_json: bool) -> None:
    """List Apps, Servers, Groups, Lanes, presets and Workloads.

    KIND is one of them; without it all are listed.
    """
    from bench.model.formats import to_json
    from bench.model.inventory import Kind, inventory
    from bench.report.inventory import inventory_text
    from bench.servers.project import open_project

    project = open_project(config)
    found = inventory(project.config, project.apps)
    kinds = [Kind(kind)] if kind else list(Kind)
    show(inventory_text(found, kinds), to_json({each: getattr(found, each) for each in kinds}), as_json=as_json)
