"""Exit codes, and what all exceptions have in common that end a command with one line."""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """How a command ends. Nothing else may end with 1: a CI job reads it as a regression."""

    FINE = 0
    REGRESSION = 1
    WRONG_USAGE = 2
    NOT_MEASURED = 3


class BenchError(Exception):
    """Ends a command: its text is the one line that says why, ``exit_code`` how.

    The line names the thing, what was found, what was expected and what to do. What derives from this could not be
    measured; WrongUsage is what the user can put right.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.NOT_MEASURED


class WrongUsage(BenchError):
    """A command, a configuration or a file is not as it should be."""

    exit_code = ExitCode.WRONG_USAGE
