"""Parses ``--sweep`` and ``--slo``, once, into a Sweep that an Experiment and its settings have room for."""

import re
from collections.abc import Callable, Iterator
from itertools import count, takewhile

import msgspec
from msgspec import Struct

from bench.model.config_errors import ConfigError
from bench.model.experiment import Experiment, Sweep, without
from bench.model.load import Closed, Load, Open

MS_PER_UNIT = {"us": 0.001, "ms": 1.0, "s": 1000.0}
DEFAULT_SLO = "10ms"
MAX_LOADS = 64
"""More are a mistake: a round would take minutes for each Lane."""
MIN_RATE_RPS = 10.0
"""In the longest window 20 requests come due at this rate: one more or less is the 5 % by which a rate is served."""
MAX_RATE_RPS = 100_000.0
"""Several times what the driver can send; the schedule of a much higher rate alone would keep it busy."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s)", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def _one_two_five(low: float) -> Iterator[float]:
    """Yields 1, 2 and 5 times the powers of ten, from the power that is not above ``low`` on."""
    for power in count(int(f"{low:e}".partition("e")[2])):
        yield from (float(f"{digit}e{power}") for digit in (1, 2, 5))


def _powers_of_two(_low: float) -> Iterator[float]:
    return (2.0**power for power in count())


class _Kind(Struct, frozen=True):
    """How loads of one kind are swept: what a value makes, which values there are, and those between two ends."""

    load: Callable[[float], Load]
    fits: Callable[[float], bool]
    expected: str
    between: Callable[[float], Iterator[float]]


_KINDS = {
    Closed.name: _Kind(
        load=lambda users: Closed(int(users)),
        fits=lambda users: users >= 1 and users.is_integer(),
        expected="a whole number of users from 1 on",
        between=_powers_of_two,
    ),
    Open.name: _Kind(
        load=Open,
        fits=lambda rate_rps: MIN_RATE_RPS <= rate_rps <= MAX_RATE_RPS,
        expected=f"{MIN_RATE_RPS:g} to {MAX_RATE_RPS:,.0f} requests a second",
        between=_one_two_five,
    ),
}
"""The loads that can be swept, by what they are called in the option."""


def parse_sweep(text: str) -> tuple[Load, ...]:
    """Returns the loads of ``users=1..256``, ``rate=100..20000`` or a list such as ``rate=500,1000``, lowest first.

    A range has its two ends, and between them powers of two for users, and for rates 1, 2 and 5 times the powers of
    ten. Raises ConfigError.
    """
    name, _, values = text.partition("=")
    if name not in _KINDS:
        raise ConfigError(f"--sweep: found {text!r}, expected users=1..256, rate=100..20000 or a list: rate=500,1000")
    kind, (first, is_range, last) = _KINDS[name], values.partition("..")
    numbers = [_number(text, kind, part) for part in ((first, last) if is_range else values.split(","))]
    if is_range:
        numbers = _range(text, kind, *numbers)
    if len(set(numbers)) > MAX_LOADS:
        raise ConfigError(f"--sweep: found {len(set(numbers))} loads in {text!r}, expected at most {MAX_LOADS}")
    return tuple(kind.load(number) for number in sorted(set(numbers)))


def parse_slo_ms(text: str) -> float:
    """Returns a duration such as ``10ms``, ``500us`` or ``0.5s`` in ms. Raises ConfigError."""
    found = _DURATION.fullmatch(text)
    milliseconds = float(found[1]) * MS_PER_UNIT[found[2]] if found else 0.0
    if not 0 < milliseconds < float("inf"):
        raise ConfigError(f"--slo: found {text!r}, expected a time above zero with its unit: 500us, 10ms or 0.5s")
    return milliseconds


def with_sweep(file: str, whole: Experiment, sweep: Sweep) -> Experiment:
    """Returns the Experiment with a sweep and without twins, which show the noise of what a sweep does not measure.

    Raises ConfigError where its servers could not hold the connections; ``file`` is the configuration's.
    """
    experiment = without(msgspec.structs.replace(whole, sweep=sweep), [lane.name for lane in whole.lanes if lane.twin])
    if not experiment.lanes:
        raise ConfigError("lane: found twins alone, expected one or more others: a sweep leaves twins out")
    serving, most = whole.serving, max(experiment.most_users, whole.load.connections) + whole.serving.threads
    if serving.worker_connections < most:
        raise ConfigError(
            f"{file}: serving.worker_connections: found {serving.worker_connections}, expected at least {most}: "
            "the sweep's connections and the threads; raise it, or sweep fewer users"
        )
    return experiment


def _number(text: str, kind: _Kind, part: str) -> float:
    """Returns one value of a sweep."""
    number = float(part) if _NUMBER.fullmatch(part) else 0.0
    if not 0 < number < float("inf") or not kind.fits(number):
        raise ConfigError(f"--sweep: found {part!r} in {text!r}, expected {kind.expected}")
    return number


def _range(text: str, kind: _Kind, low: float, high: float) -> list[float]:
    if low >= high:
        raise ConfigError(f"--sweep: found {text!r}, expected a range from a lower to a higher value")
    between = takewhile(lambda step: step < high, kind.between(low))
    return [low, *(step for step in between if step > low), high]
