"""Why a value is unknown, or can't be trusted: a code with its numbers. ``report`` puts it into words."""

from enum import StrEnum

from msgspec import Struct

Value = float | int | str | tuple[str, ...] | None
"""A number or a name that belongs to a reason; None where it is not known."""


class Code(StrEnum):
    """What a reason is. Each has its words in ``report/wording.py``, and a test holds that."""

    SAID = "said"
    """Something else said why: a program, the system, or a file of an older format. ``text`` is what it said."""


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
