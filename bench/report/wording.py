"""Reasons in words: a template for each code, filled with the numbers and names of the reason."""

from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any

from bench.model.reason import Code, Reason, Value

Values = Mapping[str, Value]


def said(reason: Reason) -> str:
    """Returns a reason in words, in one clause without a full stop. What it should name and does not is unknown."""
    words = WORDS[reason.code]
    return words(reason.values) if callable(words) else _FORMATTER.vformat(words, (), reason.values)


class _Formatter(Formatter):
    """Formats values of any type, since files hold what their writers left in them."""

    def get_value(self, key: int | str, args: Any, kwargs: Values) -> Value:  # noqa: ARG002 - the signature of Formatter
        return kwargs.get(str(key))

    def format_field(self, value: Any, format_spec: str) -> str:
        if value is None:
            return "an unknown value"
        try:
            return format(value, format_spec)
        except (TypeError, ValueError):
            return str(value)


_FORMATTER = _Formatter()


def _no_right_answer(values: Values) -> str:
    errors, dropped, outside = (values.get(name) for name in ("errors", "dropped", "outside"))
    kinds = [f"{count} x {kind}" for kind, count in errors.items()] if isinstance(errors, dict) else []
    unsent = f"{dropped} requests never sent" if dropped else ""
    elsewhere = f"{outside} right answers outside it" if outside else ""
    seen = ", ".join(filter(None, (*kinds, unsent, elsewhere)))
    return f"no right answer in the window: {seen or 'nothing was answered'}"


WORDS: Mapping[Code, str | Callable[[Values], str]] = {
    Code.SAID: "{text}",
    Code.OLD_FORMAT: "runs of format {version} do not say",
    Code.UNREADABLE: "the system does not tell, or a process has ended",
    Code.COUNTER_WENT_BACKWARDS: "the counter went backwards, from {before} to {after}",
    Code.NO_RIGHT_ANSWER: _no_right_answer,
    Code.STEAL: "steal {steal_s:.2f} s in {slice_s:.2f} s",
    Code.CLOCK_STEPPED: "the clock stepped by {step_s:+.2f} s, as it does where a machine was paused",
    Code.NO_WORKERS: "the server's command has no {{workers}}",
    Code.WORKERS_BUSY: "{workers} workers did not come to rest in {timeout_s:g} s",
    Code.IMPORT_TIMED_OUT: "importing {application} took more than {timeout_s:g} s",
    Code.IMPORT_FAILED: "importing {application} failed: {text}",
    Code.CODE_UNREADABLE: "{file}: {text}",
    Code.NO_VALGRIND: (
        "found no valgrind on the PATH, expected it; install it (Debian and Ubuntu: apt install valgrind)"
    ),
    Code.VALGRIND_FAILED: "valgrind ended with exit code {exit_code}, expected 0",
    Code.COUNT_TIMED_OUT: "found no end after {timeout_s:g} s, expected one",
    Code.PROFILE_INCOMPLETE: (
        "found {found} parts in callgrind's profile, expected {expected}: start-up, {requests} requests, and the end"
    ),
}
"""The words of each code: a template, or what makes them of the values."""
