"""What the driver offers, and why: a closed load of users, or an open one at a rate, in a phase of a Round.

Each kind of load says all that others need of it, so that nobody outside of the model and the driver asks which it is.

A third kind is a Struct here, its name in ``Load``, and what plays it in ``driver/players.py``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import count
from math import floor
from typing import Annotated, ClassVar, Self, get_args

from msgspec import Meta, Struct


class Phase(StrEnum):
    """Why a Slice is there. Metrics take the name of the phase that they come from."""

    WARM_UP = "warm_up"
    SATURATED = "saturated"
    FIXED = "fixed"
    DUET = "duet"
    SWEEP = "sweep"


class KneeMethod(StrEnum):
    """How a sweep shows where throughput stops growing."""

    CROSSING = "crossing"
    """Two bounds of the throughput cross: an estimate, with its interval."""
    LAST_SERVED = "last_served"
    """Between the last load that was served and the next: two loads of the sweep, and no estimate."""


class SweepSteps(Struct, frozen=True):
    """How loads of one kind are swept: the option as an example, which values there are, and those between two ends."""

    example: str
    fits: Callable[[float], bool]
    expected: str
    between: Callable[[float], Iterator[float]]


MIN_RATE_RPS = 10.0
"""In the longest window 20 requests come due at this rate: one more or less is the 5 % by which a rate is served."""
MAX_RATE_RPS = 100_000.0
"""Several times what the driver can send; the schedule of a much higher rate alone would keep it busy."""


def _powers_of_two(_low: float) -> Iterator[float]:
    return (2.0**power for power in count())


def _one_two_five(low: float) -> Iterator[float]:
    """Yields 1, 2 and 5 times the powers of ten, from the power that is not above ``low`` on."""
    for power in count(int(f"{low:e}".partition("e")[2])):
        yield from (float(f"{digit}e{power}") for digit in (1, 2, 5))


class Closed(Struct, frozen=True, tag="closed", tag_field="kind"):
    """Closed load: each of ``users`` sends its next request when the last one is answered."""

    users: Annotated[int, Meta(ge=1)]

    name: ClassVar = "users"
    """What its value is called in options and tables."""
    unit: ClassVar = "users"
    axis: ClassVar = "users of the closed load"
    form: ClassVar = "closed({} users)"
    is_scheduled: ClassVar = False
    """Whether each request has a time at which it is due.

    Its latency is counted from then, the driver may be late for it, and it may be dropped.
    """
    knee_method: ClassVar = KneeMethod.CROSSING
    sweep_steps: ClassVar = SweepSteps(
        example="users=1..256",
        fits=lambda users: users >= 1 and users.is_integer(),
        expected="a whole number of users from 1 on",
        between=_powers_of_two,
    )

    def __str__(self) -> str:
        return self.form.format(f"{self.value:g}")

    @classmethod
    def of(cls, value: float) -> Self:
        """Returns the load with this value."""
        return cls(int(value))

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
        """Returns how many requests are under way at any time.

        None where nothing bounds them: a queue may then grow for as long as the load lasts.
        """
        return self.users

    @property
    def rate_rps(self) -> float | None:
        """Returns how many requests a second it sends, whatever the answers do; None where the answers decide."""
        return None

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
    axis: ClassVar = "rate, requests/s"
    form: ClassVar = "open({}/s)"
    is_scheduled: ClassVar = True
    knee_method: ClassVar = KneeMethod.LAST_SERVED
    sweep_steps: ClassVar = SweepSteps(
        example="rate=100..20000",
        fits=lambda rate_rps: MIN_RATE_RPS <= rate_rps <= MAX_RATE_RPS,
        expected=f"{MIN_RATE_RPS:g} to {MAX_RATE_RPS:,.0f} requests a second",
        between=_one_two_five,
    )

    def __str__(self) -> str:
        return self.form.format(f"{self.value:g}")

    @classmethod
    def of(cls, value: float) -> Self:
        """Returns the load with this value."""
        return cls(value)

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
BY_NAME: Mapping[str, type[Load]] = {kind.name: kind for kind in LOADS}
"""The same, by what their value is called in options."""


def listed(loads: Sequence[Load]) -> str:
    """Names loads of one kind: ``closed(1, 2, 4 users)``, ``open(100, 200/s)``."""
    return loads[0].form.format(", ".join(f"{load.value:,.10g}" for load in loads))
