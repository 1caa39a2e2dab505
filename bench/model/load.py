"""What the driver offers, and why: a closed load of users, or an open one at a rate, in a phase of a Round.

Each kind of load says all that others need of it.

A third kind is a Struct here, its name in ``Load``, and what plays it in ``driver/loads.py``.
"""

from collections.abc import Sequence
from enum import StrEnum
from math import floor
from typing import Annotated, ClassVar, get_args

from msgspec import Meta, Struct


class Phase(StrEnum):
    """Why a Slice is there. Metrics take the name of the phase that they come from."""

    WARM_UP = "warm_up"
    SATURATED = "saturated"
    FIXED = "fixed"
    DUET = "duet"
    SWEEP = "sweep"


class Closed(Struct, frozen=True, tag="closed", tag_field="kind"):
    """Closed load: each of ``users`` sends its next request when the last one is answered."""

    users: Annotated[int, Meta(ge=1)]

    name: ClassVar = "users"
    """What its value is called in options and tables."""
    unit: ClassVar = "users"
    axis: ClassVar = "users of the closed load"
    form: ClassVar = "closed({} users)"
    is_open: ClassVar = False
    """Whether requests come whatever the answers do: then a queue may grow for as long as the load lasts."""

    def __str__(self) -> str:
        return self.form.format(f"{self.value:g}")

    @property
    def value(self) -> int:
        """Returns the number of users."""
        return self.users

    @property
    def label(self) -> str:
        """Returns it as a reader says it: ``16 users``."""
        return f"{self.users:,} user{'s' if self.users > 1 else ''}"

    @property
    def under_way(self) -> int | None:
        """Returns how many requests are under way at any time; None where the load does not say."""
        return self.users

    def due(self, window_s: float) -> int | None:  # noqa: ARG002 - an open load needs it
        """Returns how many requests come due in a window; None where the answers decide."""
        return None

    def connections(self, most: int) -> int:  # noqa: ARG002 - an open load needs it
        """Returns how many connections it may have busy at once, of so many that an open load may have."""
        return self.users


class Open(Struct, frozen=True, tag="open", tag_field="kind"):
    """Open load: requests are due on an absolute schedule, ``rate_rps`` a second, whatever the answers do."""

    rate_rps: Annotated[float, Meta(gt=0)]

    name: ClassVar = "rate"
    unit: ClassVar = "requests/s"
    axis: ClassVar = "offered rate, requests/s"
    form: ClassVar = "open({}/s)"
    is_open: ClassVar = True

    def __str__(self) -> str:
        return self.form.format(f"{self.value:g}")

    @property
    def value(self) -> float:
        """Returns the rate, in requests a second."""
        return self.rate_rps

    @property
    def label(self) -> str:
        """Returns it as a reader says it: ``2,000/s``."""
        return f"{self.rate_rps:,.10g}/s"

    @property
    def under_way(self) -> int | None:
        """Returns None: how many requests are under way depends on the server."""
        return None

    def due(self, window_s: float) -> int | None:
        """Returns how many requests come due in a window. It holds whole requests, so a part of one does not count."""
        return floor(self.rate_rps * window_s)

    def connections(self, most: int) -> int:
        """Returns how many connections it may have busy at once: all that it is given."""
        return most


Load = Closed | Open
LOADS: tuple[type[Load], ...] = get_args(Load)
"""Every kind of load, in the order in which tables have them."""


def listed(loads: Sequence[Load]) -> str:
    """Names loads of one kind: ``closed(1, 2, 4 users)``, ``open(100, 200/s)``."""
    return loads[0].form.format(", ".join(f"{load.value:,.10g}" for load in loads))
