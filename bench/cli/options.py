"""Options that commands share, their types, and the project and Experiment that they choose."""

import math
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli import completion
from bench.model.suggest import one_of

if TYPE_CHECKING:
    from bench.model.experiment import Experiment, Sweep
    from bench.servers.project import Project

Command = Callable[..., None]

DEFAULT_PRESETS = ("quick", "standard", "thorough")
"""Those of bench/defaults.toml; a project may have others."""
STANDARD = "standard"
FOLDER = click.Path(path_type=Path)


class Percent(click.ParamType[float]):
    """A share, written as a percentage: ``3%``."""

    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Returns the share: 0.03 for ``3%``."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / 100
        except ValueError:
            share = -1.0
        if not text.endswith("%") or not 0 < share < 1:
            self.fail(f"found {text!r}, expected a percentage such as 3%", param, ctx)
        return share


class Requirement(click.ParamType[str]):
    """A requirement as pip takes it: ``uvicorn==0.50.*``."""

    name = "requirement"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns it; what begins with a dash would be an option of the installer."""
        text = str(value).strip()
        if not text or text.startswith("-"):
            self.fail(f"found {text!r}, expected a requirement such as 'uvicorn==0.50.*'", param, ctx)
        return text


class Name(click.Choice[str]):
    """One of a few names; a message on another one says which it may be."""

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:  # noqa: ARG002 - click calls it so
        """Returns what was found and expected."""
        return f"found {str(value)!r}, expected {one_of(str(value), self.choices)}"


def finite(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    """Refuses what float() reads and no clock can count: nan, inf."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"found {value}, expected a number")
    return value


config_option = click.option(
    "--config", type=FOLDER, default=Path("bench.toml"), help="The project. Default: bench.toml."
)
out_option = click.option(
    "--out", "results", type=FOLDER, default=Path("results"), help="Folder of runs. Default: results."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Give the result as one JSON document.")
seed_option = click.option("--seed", type=int, default=1, help="Seed of the order of slices. Default: 1.")
preset_option = click.option(
    "--preset",
    default=STANDARD,
    metavar=f"[{'|'.join(DEFAULT_PRESETS)}|…]",
    help=f"How long to measure, or a preset of your own. Default: {STANDARD}.",
    shell_complete=completion.presets,
)
lane_option = click.option(
    "--lane",
    "lanes",
    multiple=True,
    metavar="LANE",
    help="Only these Lanes, e.g. 'flask_hello@*'; may be repeated. `bench list lanes` shows all.",
    shell_complete=completion.lanes,
)
max_regression_option = click.option(
    "--max-regression", type=Percent(), default=0.03, help="Allowed in time and throughput. Default: 3%."
)
max_instructions_option = click.option(
    "--max-instructions", type=Percent(), default=0.005, help="Allowed in instructions. Default: 0.5%."
)
github_option = click.option(
    "--github", is_flag=True, help="Write annotations, and the summary of the job, for GitHub Actions."
)


def measuring_options(command: Command) -> Command:
    """Adds the options that choose what to measure, and ``--json``."""
    for option in (json_option, lane_option, seed_option, preset_option, config_option):
        command = option(command)
    return command


def sweep_options(command: Command) -> Command:
    """Adds the options that make a run a sweep; the command gets the ``sweep``, or None."""

    @wraps(command)
    def with_sweep_or_none(*, loads: str | None, slo: str | None, **others: Any) -> None:
        command(sweep=_sweep(loads, slo), **others)

    slo = click.option("--slo", help="Objective for p99 in a sweep: 500us, 10ms, 0.5s. Default: 10ms.")
    loads = click.option(
        "--sweep",
        "loads",
        help="Throughput and latency against load, such as users=1..256, rate=100..20000, rate=500,1000.",
    )
    return loads(slo(with_sweep_or_none))


def chosen(
    *, config: Path, preset: str, seed: int, lanes: tuple[str, ...], sweep: "Sweep | None" = None
) -> "tuple[Project, Experiment]":
    """Returns the project and the Experiment that the options ask for. Raises ConfigError."""
    from bench.cli.sweep_option import with_sweep
    from bench.model.config import select_lanes
    from bench.servers.project import open_project

    project = open_project(config)
    whole = project.experiment(preset, seed)
    wanted = select_lanes(whole, lanes) if lanes else whole
    return project, with_sweep(project.config.file, wanted, sweep) if sweep else wanted


def _sweep(loads: str | None, slo: str | None) -> "Sweep | None":
    """Returns the sweep that the options ask for, if any. Raises ConfigError."""
    if loads is None:
        if slo is not None:
            raise click.UsageError("found --slo alone, expected --sweep with it: the objective is that of a sweep")
        return None
    from bench.cli.sweep_option import DEFAULT_SLO, parse_slo_ms, parse_sweep
    from bench.model.experiment import Sweep

    return Sweep(loads=parse_sweep(loads), slo_ms=parse_slo_ms(slo or DEFAULT_SLO))
