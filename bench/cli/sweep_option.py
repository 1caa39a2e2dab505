"""Parses ``--sweep`` and ``--slo``, once, into a Sweep that an Experiment and its settings have room for."""

import re
from itertools import takewhile

import msgspec

from bench.model.config_errors import ConfigError
from bench.model.experiment import Experiment, Sweep, without
from bench.model.load import BY_NAME, LOADS, Load, SweepSteps

MS_PER_UNIT = {"us": 0.001, "ms": 1.0, "s": 1000.0}
DEFAULT_SLO = "10ms"
MAX_LOADS = 64
"""More are a mistake: a round would take minutes for each Lane."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s)", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def parse_sweep(text: str) -> tuple[Load, ...]:
    """Returns the loads of ``users=1..256``, ``rate=100..20000`` or a list such as ``rate=500,1000``, lowest first.

    A range has its two ends, and between them powers of two for users, and for rates 1, 2 and 5 times the powers of
    ten. Raises ConfigError.
    """
    name, _, values = text.partition("=")
    if name not in BY_NAME:
        ranges = ", ".join(kind.sweep_steps.example for kind in LOADS)
        raise ConfigError(f"--sweep: found {text!r}, expected {ranges} or a list such as users=1,8,64")
    kind, (first, is_range, last) = BY_NAME[name], values.partition("..")
    steps = kind.sweep_steps
    numbers = [_number(text, steps, part) for part in ((first, last) if is_range else values.split(","))]
    if is_range:
        numbers = _range(text, steps, *numbers)
    if len(set(numbers)) > MAX_LOADS:
        raise ConfigError(f"--sweep: found {len(set(numbers))} loads in {text!r}, expected at most {MAX_LOADS}")
    return tuple(kind.of(number) for number in sorted(set(numbers)))


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


def _number(text: str, steps: SweepSteps, part: str) -> float:
    """Returns one value of a sweep."""
    number = float(part) if _NUMBER.fullmatch(part) else 0.0
    if not 0 < number < float("inf") or not steps.fits(number):
        raise ConfigError(f"--sweep: found {part!r} in {text!r}, expected {steps.expected}")
    return number


def _range(text: str, steps: SweepSteps, low: float, high: float) -> list[float]:
    if low >= high:
        raise ConfigError(f"--sweep: found {text!r}, expected a range from a lower to a higher value")
    between = takewhile(lambda step: step < high, steps.between(low))
    return [low, *(step for step in between if step > low), high]
