"""``bench verify``: does every Lane answer as its Workload asks, and are all served alike?"""

import sys
from typing import Any

import click

from bench.cli.options import chosen, measuring_options
from bench.cli.output import show
from bench.model.errors import ExitCode


@click.command("verify")
@measuring_options
def command(*, as_json: bool, **asked: Any) -> None:
    """Check the workload and the parity of every Lane, without load."""
    import msgspec

    from bench.report.plain import verified_text
    from bench.run import session

    project, experiment = chosen(**asked)
    with session.open_testbed(project, experiment) as testbed:
        verified = session.verify(testbed)
    text = verified_text(verified.lanes, verified.failures, verified.irremovable_differences)
    show(text, msgspec.json.encode(verified), as_json=as_json)
    if verified.failures:
        sys.exit(ExitCode.NOT_MEASURED)
