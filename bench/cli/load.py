"""``bench load``: the driver alone, on any URL."""

import re
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from bench.cli.options import finite, json_option
from bench.cli.output import show
from bench.model.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.model.protocol import Target

ABOVE_ZERO = click.FloatRange(min=0, min_open=True)
DEFAULT: "Mapping[str, float]" = {"users": 16}
"""What is done without an option of a load."""
MAX_CONNECTIONS = 64
URL_TEXT = re.compile(r"[!-~]+\Z")
"""ASCII that is seen: anything else in a URL is percent-encoded (RFC 3986, 2)."""


@click.command("load")
@click.argument("url")
@click.option("--users", type=click.IntRange(min=1), help="Closed load: so many users, each waiting for its answer.")
@click.option("--rate", type=ABOVE_ZERO, callback=finite, help="Open load: so many requests a second.")
@click.option("--seconds", type=ABOVE_ZERO, callback=finite, default=10.0, help="How long. Default: 10.")
@json_option
def command(*, url: str, seconds: float, as_json: bool, **values: float | None) -> None:
    """Load any http URL with the driver alone, as hey and wrk do.

    Without --users and --rate it is a closed load of 16 users.
    """
    given = {name: value for name, value in values.items() if value} or DEFAULT
    if len(given) > 1:
        raise click.UsageError(f"found {' and '.join(f'--{name}' for name in given)}, expected one of them")
    target = _target(url)

    import msgspec

    from bench.analysis.load_result import load_result
    from bench.model.load import BY_NAME
    from bench.report.plain import load_text
    from bench.run import session

    ((name, value),) = given.items()
    load = BY_NAME[name].of(value)
    result, driver_cpu_share = session.load_url(target, load, load.connections(MAX_CONNECTIONS), seconds)
    outcome = load_result(url, load, result, driver_cpu_share)
    show(load_text(outcome), msgspec.json.encode(outcome), as_json=as_json)
    if outcome.requests == 0:
        sys.exit(ExitCode.NOT_MEASURED)


def _target(url: str) -> "Target":
    """Returns what a URL names. Any answer with a status below 400 is right."""
    from bench.model.protocol import Request, Target

    if not URL_TEXT.match(url):
        raise click.BadParameter(f"found {url!r}, expected it percent-encoded, without spaces", param_hint="URL")
    try:
        parts = urlsplit(url)
        port = 80 if parts.port is None else parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "http" or not parts.hostname or not port:
        raise click.BadParameter(f"found {url!r}, expected http://HOST[:PORT][/PATH]", param_hint="URL")
    query = f"?{parts.query}" if parts.query else ""
    return Target(url, parts.hostname, port, (Request(f"{parts.path or '/'}{query}"),))
