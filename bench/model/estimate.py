"""How sure a number is: its interval, and how far it can be trusted. No I/O."""

from enum import StrEnum

from msgspec import Struct

from bench.model.metrics import Better, Unit
from bench.model.reason import Reason

CONFIDENCE = 0.95
"""How often an interval is to hold what it is of."""


class Estimate(Struct, frozen=True):
    """A 95 % interval over ``n`` rounds. ``low`` and ``high`` are None where n is below 3: too few for an interval."""

    point: float
    low: float | None
    high: float | None
    n: int
    unit: Unit
    better: Better

    @classmethod
    def ratio(cls, point: float, low: float | None, high: float | None, n: int) -> "Estimate":
        """Returns that of a ratio, of which it depends on what is divided whether more or less is better."""
        return cls(point, low, high, n, Unit.RATIO, Better.NEITHER)


class Status(StrEnum):
    """How far a Lane's numbers can be trusted."""

    VALID = "valid"
    DRIVER_BOUND = "driver-bound"
    NOT_SATURATED = "not-saturated"
    STARVED = "starved"
    UNSTABLE = "unstable"
    FAILING = "failing"
    FAILED = "failed"
    NOT_MEASURED = "not-measured"
    OVERLOADED = "overloaded"


class Validity(Struct, frozen=True):
    """A Status with its reasons."""

    status: Status
    reasons: tuple[Reason, ...] = ()


BUSY_SHARE = 0.9
"""A process that used this share of its core's time was the limit; some of the rest goes to interrupts and to steal."""


def is_busy(share: float | None) -> bool:
    """Returns whether a process with this share of its cores' time was the limit; not where the share is unknown."""
    return share is not None and share >= BUSY_SHARE


def inverted(ratio: Estimate) -> Estimate:
    """Returns the ratio of b to a for that of a to b, with its interval."""
    low = None if ratio.high is None else 1 / ratio.high
    high = None if ratio.low is None else 1 / ratio.low
    return Estimate(1 / ratio.point, low, high, ratio.n, ratio.unit, ratio.better)
