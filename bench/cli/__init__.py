"""The command line. Results go to standard output, progress and errors to standard error.

Exit codes: 0 fine, 1 a confirmed regression, 2 wrong usage or configuration, 3 could not be measured.
"""

import importlib
import re
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import click
import msgspec
from msgspec.structs import replace
from rich.console import Console, RenderableType

from bench import __version__
from bench.analysis.parity import NotComparable
from bench.cli.options import NOT_MEASURED, Percent, finite, out_option
from bench.cli.progress import run_progress
from bench.cli.sweep_option import DEFAULT_SLO, parse_slo_ms, parse_sweep, with_sweep
from bench.model import schedule
from bench.model.config import ConfigError, select_lanes
from bench.model.experiment import Experiment, Sweep
from bench.model.history import DamagedHistory, NoHistory
from bench.model.load import Closed, Open
from bench.model.protocol import Request, Target
from bench.model.records import Manifest
from bench.report import plain as terminal
from bench.run import footprint, session, store
from bench.run.driver_client import DriverFailed
from bench.run.git import RevisionFailed
from bench.run.runner import NothingToMeasure
from bench.servers import processes
from bench.servers.project import Project, open_project
from bench.servers.testbed import Testbed

if TYPE_CHECKING:
    from bench.analysis.summary import Folded

EXIT_CODES: dict[type[Exception], int] = {
    ConfigError: 2,
    store.Unreadable: 2,
    store.OtherFormat: NOT_MEASURED,
    DamagedHistory: 2,
    NoHistory: NOT_MEASURED,
    NotComparable: NOT_MEASURED,
    NothingToMeasure: NOT_MEASURED,
    DriverFailed: NOT_MEASURED,
    RevisionFailed: NOT_MEASURED,
}

ABOVE_ZERO = click.FloatRange(min=0, min_open=True)
DEFAULT_USERS = 16
MAX_CONNECTIONS = 64
URL_TEXT = re.compile(r"[!-~]+\Z")
"""ASCII that is seen: anything else in a URL is percent-encoded (RFC 3986, 2)."""

LOCUSTFILE = Path(__file__).parent.parent / "driver" / "locustfile.py"

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


LAZY_COMMANDS = {
    "check": ("bench.cli.check", "check_command"),
    "compare": ("bench.cli.compare", "compare"),
    "history": ("bench.cli.history", "history_command"),
}
"""Commands that live in modules of their own: the module, and the name there."""


class Commands(click.Group):
    """Turns what bench raises into one line and an exit code; imports commands that need pandas when asked."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands."""
        return sorted([*super().list_commands(ctx), *LAZY_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a command by its name."""
        if cmd_name in LAZY_COMMANDS:
            module, name = LAZY_COMMANDS[cmd_name]
            command: click.Command = getattr(importlib.import_module(module), name)
            return command
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except tuple(EXIT_CODES) as error:
            _end(ctx, str(error), EXIT_CODES[type(error)])
        except KeyboardInterrupt:
            _end(ctx, "interrupted", NOT_MEASURED)
        except BrokenPipeError:
            raise  # click ends in silence when nobody reads what is printed
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            _end(ctx, f"{where}{error.strerror or error}", NOT_MEASURED)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception:  # Python would end with 1, which says that something became slower
            traceback.print_exc()
            _end(ctx, "an error of bench itself, which the lines above describe", NOT_MEASURED)


def _end(ctx: click.Context, message: str, code: int) -> NoReturn:
    click.echo(f"bench: {message}", err=True)
    ctx.exit(code)


def options(*, preset: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds the options that choose what to measure; ``preset`` is the default one."""
    added = (
        click.option(
            "--config", type=click.Path(path_type=Path), default=Path("bench.toml"), help="Default: bench.toml."
        ),
        click.option("--preset", default=preset, help=f"A preset of the configuration. Default: {preset}."),
        click.option("--seed", type=int, default=1, help="Seed of the order of slices. Default: 1."),
        click.option("--lane", "lanes", multiple=True, help="Only these Lanes, e.g. 'flask_hello@*'; may be repeated."),
        click.option("--json", "as_json", is_flag=True, help="Give the result as one JSON document."),
    )

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(added):
            command = option(command)
        return command

    return decorate


def sweep_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that make a run a sweep; the command gets the ``sweep``, or None."""

    @wraps(command)
    def with_sweep_or_none(*, loads: str | None, slo: str | None, **others: Any) -> None:
        command(sweep=_sweep(loads, slo), **others)

    slo = click.option("--slo", help=f"Objective for p99 in a sweep: 500us, 10ms, 0.5s. Default: {DEFAULT_SLO}.")
    loads = click.option(
        "--sweep", "loads", help="Throughput and latency against load: users=1..256, rate=100..20000, rate=500,1000."
    )
    return loads(slo(with_sweep_or_none))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Python web frameworks side by side, on identical servers, under the same load."""
    processes.interrupt_on_signals()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # names and lines that a terminal's encoding lacks


@main.command()
@options(preset="standard")
@sweep_options
@out_option
@click.option(
    "--instructions/--no-instructions",
    default=None,
    help="Count instructions per request, too, which needs valgrind. Default: as the preset says.",
)
def run(  # noqa: PLR0913 - one for each option
    *,
    config: Path,
    preset: str,
    seed: int,
    lanes: tuple[str, ...],
    as_json: bool,
    sweep: Sweep | None,
    results: Path,
    instructions: bool | None,
) -> None:
    """Measure every Lane, and report: the main job."""
    project, experiment = _chosen(config, preset, seed, lanes, sweep)
    if instructions is not None:
        experiment = replace(experiment, preset=replace(experiment.preset, instructions=instructions))
    err.print(terminal.plan_text(schedule.outline(experiment)), soft_wrap=True)
    run_id = store.new_run_id()
    with session.open_testbed(project, experiment) as testbed, store.create(results, run_id) as sink:
        whole = _measured(testbed, session.draft(testbed, run_id), sink)
    measured = _publish(sink.folder, as_json=as_json)
    if measured.summary.complete:
        store.mark_latest(results, sink.folder)
        if not sweep:
            _remember(results, measured)
    if not whole or measured.summary.failures:
        sys.exit(NOT_MEASURED)


def _measured(testbed: Testbed, manifest: Manifest, sink: store.Run) -> bool:
    """Measures, and returns whether it came to the end; what was measured until then is stored, and worth a report."""
    try:
        with run_progress(err, testbed.experiment) as watcher:
            session.measure(testbed, manifest, sink, watcher)
            footprint.measure(testbed, sink, watcher)
            if testbed.experiment.preset.instructions:
                session.count_instructions(testbed, sink, watcher.observing)
    except (KeyboardInterrupt, NothingToMeasure, DriverFailed) as problem:
        click.echo(f"bench: {problem or 'interrupted'}; this is what was measured until then", err=True)
        return False
    return True


def _publish(folder: Path, *, as_json: bool) -> "Folded":
    """Makes a run's reports, shows the result, and returns what they were made from."""
    from bench.analysis.summary import fold  # noqa: PLC0415 - pandas and matplotlib take a second
    from bench.report import SUMMARY, terminal  # noqa: PLC0415
    from bench.report.publish import publish  # noqa: PLC0415

    stored = store.read(folder)
    run = fold(stored.manifest, stored.records, stored.failures, stored.observations)
    published = publish(run, stored.records)
    store.write_files(folder, published.files)
    for line in published.left_out:
        click.echo(f"bench: {line}", err=True)
    _show(terminal.render(run.report, str(folder)), published.files[SUMMARY], as_json=as_json)
    return run


def _remember(results: Path, run: "Folded") -> None:
    """Adds a run to the history, or says why it cannot be there."""
    from bench.regression import history_file, history_line  # noqa: PLC0415 - as for the reports

    try:
        history_file.append(results, history_line.record(run))
    except NoHistory as problem:
        click.echo(f"bench: {problem}", err=True)


@main.command("plan")
@options(preset="standard")
@sweep_options
@click.option("--detect", type=Percent(), help="Propose rounds that tell such a difference apart, e.g. 3%.")
@out_option
def plan_command(*, as_json: bool, detect: float | None, results: Path, **chosen: Any) -> None:
    """Print what a run would do, and how long it will take; run nothing.

    --detect proposes rounds for the Lanes and the preset of the latest run, by how far its rounds spread.
    """
    if detect is not None:
        _propose(results, detect, as_json=as_json)
        return
    _, experiment = _chosen(**chosen)
    _show(
        terminal.plan_text(schedule.outline(experiment)),
        msgspec.json.encode(schedule.outline(experiment)),
        as_json=as_json,
    )


def _propose(results: Path, difference: float, *, as_json: bool) -> None:
    from bench.doctor.examine import propose  # noqa: PLC0415 - as for the reports
    from bench.report.doctor import proposal_text  # noqa: PLC0415

    proposal = propose(results, difference)
    _show(proposal_text(proposal), msgspec.json.encode(proposal), as_json=as_json)
    if proposal.rounds is None:
        sys.exit(NOT_MEASURED)


@main.command()
@options(preset="standard")
def doctor(config: Path, preset: str, seed: int, lanes: tuple[str, ...], as_json: bool) -> None:
    """Say whether this machine can measure, what to change, and what difference it can tell apart."""
    from bench.doctor.aa_test import short_experiment  # noqa: PLC0415
    from bench.doctor.examine import examine  # noqa: PLC0415 - as for the reports
    from bench.report.doctor import diagnosis_text  # noqa: PLC0415

    project, whole = _chosen(config, preset, seed, lanes)
    short = short_experiment(whole)
    with session.open_testbed(project, short) as testbed, run_progress(err, short) as watcher:
        diagnosis = examine(testbed, whole, watcher)
    _show(diagnosis_text(diagnosis), msgspec.json.encode(diagnosis), as_json=as_json)
    if diagnosis.reason is not None:
        sys.exit(NOT_MEASURED)


@main.command()
@options(preset="standard")
def verify(config: Path, preset: str, seed: int, lanes: tuple[str, ...], as_json: bool) -> None:
    """Check the workload and the parity of every Lane, without load."""
    project, experiment = _chosen(config, preset, seed, lanes)
    with session.open_testbed(project, experiment) as testbed:
        verified = session.verify(testbed)
    _show(
        terminal.verified_text(verified.lanes, verified.failures, verified.irremovable_differences),
        msgspec.json.encode(verified),
        as_json=as_json,
    )
    if verified.failures:
        sys.exit(NOT_MEASURED)


@main.command()
@click.argument("run", default="latest")
@out_option
@click.option("--json", "as_json", is_flag=True, help="Give the result as one JSON document.")
def report(run: str, results: Path, as_json: bool) -> None:
    """Make all reports again from a stored RUN, or a comparison: its folder, its id, or latest."""
    folder = store.find(results, run)
    if comparison := store.read_comparison(folder):
        from bench.cli.compare import publish  # noqa: PLC0415 - as for the reports

        publish(folder, comparison, as_json=as_json)
    else:
        _publish(folder, as_json=as_json)


@main.command()
@click.argument("lane_name", metavar="LANE")
@click.option("--config", type=click.Path(path_type=Path), default=Path("bench.toml"), help="Default: bench.toml.")
def serve(lane_name: str, config: Path) -> None:
    """Serve one LANE in the foreground, exactly as a run launches it, until Ctrl-C."""
    project = open_project(config)
    any_preset = next(iter(project.config.presets))  # a Lane is launched in the same way under all of them
    experiment = select_lanes(project.experiment(any_preset, seed=1), [lane_name])
    if len(experiment.lanes) > 1:
        raise ConfigError(f"lane: found {lane_name!r}, which names {len(experiment.lanes)} lanes, expected one")
    with session.open_testbed(project, experiment) as testbed:
        for failure in testbed.failures:
            raise NothingToMeasure(f"{failure.lane}: {failure.reason}")
        session.serve(testbed, experiment.lanes[0], announce=_announce)


def _announce(url: str) -> None:
    locust = Path(sys.executable).with_name("locust")
    err.print(terminal.serving_text(url, str(locust), str(LOCUSTFILE)), soft_wrap=True)


@main.command()
@click.argument("url")
@click.option("--users", type=click.IntRange(min=1), help="Closed load: so many users, each waiting for its answer.")
@click.option("--rate", type=ABOVE_ZERO, callback=finite, help="Open load: so many requests a second.")
@click.option("--seconds", type=ABOVE_ZERO, callback=finite, default=10.0, help="Default: 10.")
@click.option("--json", "as_json", is_flag=True, help="Give the result as one JSON document.")
def load(url: str, users: int | None, rate: float | None, seconds: float, as_json: bool) -> None:
    """LoadSettings load to any http URL with the driver alone, in the manner of hey or wrk."""
    if users and rate:
        raise click.UsageError("found --users and --rate, expected one of them: a load is closed or open")
    from bench.analysis.load_result import load_result  # noqa: PLC0415 - as for the reports

    offered = Open(rate) if rate else Closed(users or DEFAULT_USERS)
    connections = users or (MAX_CONNECTIONS if rate else DEFAULT_USERS)
    result, driver_cpu_share = session.load_url(_target(url), offered, connections, seconds)
    outcome = load_result(url, offered, result, driver_cpu_share)
    _show(terminal.load_text(outcome), msgspec.json.encode(outcome), as_json=as_json)
    if outcome.requests == 0:
        sys.exit(NOT_MEASURED)


def _target(url: str) -> Target:
    """Returns what a URL names. Any answer with a status below 400 is right."""
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


def _chosen(
    config: Path, preset: str, seed: int, lanes: tuple[str, ...], sweep: Sweep | None = None
) -> tuple[Project, Experiment]:
    """Returns the project and the Experiment that the options ask for. Raises ConfigError."""
    project = open_project(config)
    whole = project.experiment(preset, seed)
    chosen = select_lanes(whole, lanes) if lanes else whole
    return project, with_sweep(project.config.file, chosen, sweep) if sweep else chosen


def _sweep(loads: str | None, slo: str | None) -> Sweep | None:
    """Returns the sweep that the options ask for, if any. Raises ConfigError."""
    if loads is None:
        if slo is not None:
            raise click.UsageError("found --slo alone, expected --sweep with it: the objective is that of a sweep")
        return None
    return Sweep(loads=parse_sweep(loads), slo_ms=parse_slo_ms(slo or DEFAULT_SLO))


def _show(text: RenderableType, document: bytes, *, as_json: bool) -> None:
    """Prints a result in the form that was asked for."""
    if as_json:
        click.echo(document)
    else:
        out.print(text, soft_wrap=isinstance(text, str))
