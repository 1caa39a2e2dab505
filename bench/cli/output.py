"""Where what commands say goes: results to standard output, as text or as JSON, all else to standard error."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def show(text: "RenderableType", document: bytes, *, as_json: bool) -> None:
    """Prints a result in the form that was asked for."""
    if as_json:
        click.echo(document.rstrip(b"\n"))
    elif isinstance(text, str):
        click.echo(text)
    else:
        from rich.console import Console

        Console(highlight=False).print(text)


def tell(line: str) -> None:
    """Says something beside the result."""
    click.echo(f"bench: {line}", err=True)


def progress_console() -> "Console":
    """Returns standard error as what shows progress draws on it."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)
