"""How numbers, intervals and lists are written, the same in every renderer."""

import re
from collections.abc import Sequence

from bench.model.estimate import Estimate
from bench.model.metrics import METRICS, Average, Unit

NO_INTERVAL = "n < 3: no interval"

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def number(value: float) -> str:
    """Writes a number to three significant digits, or to the unit above 100: ``6,512``, ``81.2``, ``0.0123``."""
    return _fixed(value, _decimals(value))


def share(ratio: float) -> str:
    """Writes a ratio as a percentage: ``0 %``, ``0.02 %``, ``12.5 %``."""
    return f"{number(100 * ratio)} %"


def margin(estimate: Estimate) -> str:
    """Writes the wider half of the interval as a percentage, ``±1.8 %``, or that there is none: ``n = 2``.

    From ±100 % on that would reach below zero, where the interval does not: then it is written in full.
    """
    if estimate.low is None or estimate.high is None:
        return f"n = {estimate.n}"
    if estimate.low == estimate.high:
        return "±0 %"
    half = max(estimate.high - estimate.point, estimate.point - estimate.low)
    percent = 100 * half / abs(estimate.point) if estimate.point else 100.0
    if percent >= 99.5:
        return f"({interval(estimate)})"
    return f"±{percent:.1f} %" if percent < 9.95 else f"±{percent:.0f} %"


def interval(estimate: Estimate) -> str:
    """Writes ``6,400 to 6,630``, with a dash for the word, to the digits of the point, or that there is no interval."""
    if estimate.low is None or estimate.high is None:
        return NO_INTERVAL if estimate.n < 3 else f"n = {estimate.n}: no interval"
    decimals = _decimals(estimate.point)
    return f"{_fixed(estimate.low, decimals)}–{_fixed(estimate.high, decimals)}"  # noqa: RUF001 - a range


def times(ratio: Estimate) -> str:
    """Writes a ratio and its interval: ``1.31x (low to high)``, with a dash for the word.

    With as many decimals as tell each of the three from 1, so that nobody reads a tie into a rounded bound.
    """
    known = [value for value in (ratio.point, ratio.low, ratio.high) if value is not None]
    decimals = next((n for n in range(_decimals(ratio.point), 9) if all(_told_from_one(x, n) for x in known)), 9)
    if ratio.low is None or ratio.high is None:
        return f"{_fixed(ratio.point, decimals)}x ({NO_INTERVAL})"
    low, high = _fixed(ratio.low, decimals), _fixed(ratio.high, decimals)
    return f"{_fixed(ratio.point, decimals)}x ({low}–{high})"  # noqa: RUF001 - a range


def cell(metric: str, estimate: Estimate | None) -> tuple[str, str]:
    """Returns a table cell: the point, and beside it the margin. An absent metric is a dash."""
    if estimate is None:
        return "–", ""  # noqa: RUF001 - a dash
    row = METRICS[metric]
    if row.unit is Unit.ERROR_RATIO:
        return ("0", "") if estimate.point == 0 else (share(estimate.point), "")
    if row.average is Average.COUNT:
        return _exact(estimate.point), "" if estimate.low == estimate.high else margin(estimate)
    return number(estimate.point), margin(estimate)


def full(metric: str, estimate: Estimate | None) -> tuple[str, str]:
    """Returns a table cell: the point, and beside it the interval in full. An absent metric is a dash."""
    point, margin = cell(metric, estimate)
    return point, f"({interval(estimate)})" if estimate and margin else ""


def listed(words: Sequence[str]) -> str:
    """Joins words as a sentence does: ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def printable(text: str) -> str:
    """Drops terminal colours and replaces control characters, which no terminal, XML or font can be trusted with."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _ANSI.sub("", text.replace("\r\n", "\n")))


def one_line(text: str) -> str:
    """Returns the text as one printable line."""
    return " ".join(printable(text).split())


def _exact(value: float) -> str:
    """Writes a count with all its digits, and what is no whole number as any other."""
    return f"{value:,.0f}" if float(value).is_integer() else number(value)


def _told_from_one(value: float, decimals: int) -> bool:
    return value == 1 or round(value, decimals) != 1


def _decimals(value: float) -> int:
    """Returns how many decimals three significant digits need, after rounding: 9.996 is 10.0 and not 10.00."""
    if value == 0:
        return 0
    exponent = int(f"{abs(value):.2e}".partition("e")[2])
    return min(max(2 - exponent, 0), 9)


def _fixed(value: float, decimals: int) -> str:
    written = f"{value:,.{decimals}f}"
    return written if float(written.replace(",", "")) else written.lstrip("-")
