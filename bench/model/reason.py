"""Why a value is unknown, or can't be trusted: a code with its numbers. ``report`` puts it into words."""

from enum import StrEnum
from typing import TypeVar

from msgspec import Struct

_Value = TypeVar("_Value")

Value = float | int | str | tuple[str, ...] | dict[str, int] | None
"""A number, a name, or counts by name that belong to a reason; None where it is not known."""


class Code(StrEnum):
    """What a reason is. Each has its words in ``report/wording.py``, and a test holds that."""

    SAID = "said"
    """Something else said why: a program, the system, or a file of an older format. ``text`` is what it said."""

    OLD_FORMAT = "old-format"
    """The format ``version`` that a record was written in has no place for the value, or for why it is unknown."""
    UNREADABLE = "unreadable"
    """The system does not tell, or a process has ended."""
    COUNTER_WENT_BACKWARDS = "counter-went-backwards"
    """From ``before`` to ``after``."""
    NO_RIGHT_ANSWER = "no-right-answer"
    """None in the window: ``errors`` by kind, ``dropped`` requests, and right answers ``outside`` of it."""

    STEAL = "steal"
    """The hypervisor took ``steal_s`` in ``slice_s``."""
    CLOCK_STEPPED = "clock-stepped"
    """The wall clock moved by ``step_s`` against the monotonic one."""

    NO_WORKERS = "no-workers"
    """The server's command does not take a number of workers."""
    WORKERS_BUSY = "workers-busy"
    """``workers`` did not come to rest in ``timeout_s``."""
    IMPORT_TIMED_OUT = "import-timed-out"
    """Importing ``application`` took more than ``timeout_s``."""
    IMPORT_FAILED = "import-failed"
    """Importing ``application`` failed; ``text`` is what the interpreter said last."""
    CODE_UNREADABLE = "code-unreadable"
    """``file`` of an App can't be read as code, as ``text`` says."""

    NO_VALGRIND = "no-valgrind"
    """It is not on the PATH."""
    VALGRIND_FAILED = "valgrind-failed"
    """It ended with ``exit_code`` and said nothing."""
    COUNT_TIMED_OUT = "count-timed-out"
    """A count of instructions took more than ``timeout_s``."""
    PROFILE_INCOMPLETE = "profile-incomplete"
    """callgrind's profile has ``found`` parts in place of ``expected``: start-up, ``requests``, and the end."""


class Reason(Struct, frozen=True):
    """A code, and the numbers and names that belong to it. Units are in their names: ``late_ms``."""

    code: Code
    values: dict[str, Value] = {}


class Unknown(Struct, frozen=True):
    """A value that is not known: what functions return in its place."""

    reason: Reason


def reason(code: Code, **values: Value) -> Reason:
    """Returns a Reason: ``reason(Code.SAID, text="no such file")``."""
    return Reason(code, values)


def known(value: _Value | Unknown) -> _Value | None:
    """Returns a value, or None where it is not known: as records have it, which keep the reason beside it."""
    return None if isinstance(value, Unknown) else value
