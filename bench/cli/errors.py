"""What a command ends with that raises: one line on standard error, and an exit code."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from bench.model.errors import BenchError, ExitCode


@contextmanager
def in_one_line(ctx: click.Context) -> Iterator[None]:
    """Ends the context's command with one line and an exit code where its body raises; what is click's stays so.

    A mistake of bench itself has its traceback before the line; Python would end with 1, which says that something
    became slower. Where nobody reads what is printed there is no line.
    """
    try:
        yield
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
