"""What a command ends with that raises: one line on standard error, and an exit code."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, NoReturn

import click

from bench.model.errors import BenchError, ExitCode


class OneLine(click.ClickException):
    """Wrong usage, without the four lines that click has for it."""

    exit_code = ExitCode.WRONG_USAGE

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the line."""
        click.echo(f"bench: {self.message}", file=file, err=True)


def one_line(error: click.UsageError) -> click.ClickException:
    """Returns what click says of wrong usage as one line; where no command was named, click shows the help."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    path = error.ctx.command_path if error.ctx else "bench"
    command = path.partition(" ")[2]
    message = " ".join(error.format_message().split())
    return OneLine(f"{f'{command}: ' if command else ''}{message} See `{path} --help`.")


@contextmanager
def in_one_line(ctx: click.Context) -> Iterator[None]:
    """Ends the context's command with one line and an exit code where its body raises.

    A mistake of bench itself has its traceback before the line; Python would end with 1, which says that something
    became slower. Where nobody reads what is printed there is no line.
    """
    try:
        yield
    except click.UsageError as error:
        raise one_line(error) from None
    except (click.ClickException, click.Abort, click.exceptions.Exit):
        raise
    except BenchError as error:
        _end(ctx, words(error), error.exit_code)
    except KeyboardInterrupt:
        _end(ctx, "interrupted", ExitCode.NOT_MEASURED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python still flushes at its end
        ctx.exit(ExitCode.NOT_MEASURED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _end(ctx, f"{where}{error.strerror or error}", ExitCode.NOT_MEASURED)
    except Exception:
        from traceback import print_exc

        print_exc()
        _end(ctx, "an error of bench itself, which the lines above describe", ExitCode.NOT_MEASURED)


def words(error: BaseException) -> str:
    """Returns the line that an error ends a command with."""
    from bench.model.reason import ReasonedError

    if isinstance(error, ReasonedError):
        from bench.report.wording import all_said

        return all_said(error.reasons)
    return str(error)


def _end(ctx: click.Context, message: str, code: ExitCode) -> NoReturn:
    click.echo(f"bench: {' '.join(message.splitlines())}", err=True)
    ctx.exit(code)
