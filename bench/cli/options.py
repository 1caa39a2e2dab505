"""What commands share: an option, kinds of option values, which are parsed as they come in, and an exit code."""

import math
from pathlib import Path

import click

NOT_MEASURED = 3
"""The exit code of what could not be measured: invalid, not comparable, failed."""

out_option = click.option(
    "--out",
    "results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    help="Folder of runs. Default: results.",
)


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


def finite(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    """Refuses what float() reads and no clock can count: nan, inf."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"found {value}, expected a number")
    return value
