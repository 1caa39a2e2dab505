"""Reasons in words: a template for each code, filled with the numbers and names of the reason."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from string import Formatter
from typing import Any

import msgspec

from bench.model.load import Load
from bench.model.reason import Code, Reason, Value
from bench.report.format import listed, number, one_line

Values = Mapping[str, Value]


def said(reason: Reason) -> str:
    """Returns a reason in words, in one line without a full stop: of whom, what, and its causes.

    What it should name and does not is unknown.
    """
    words = WORDS[reason.code]
    what = words(reason) if callable(words) else f"{filled(words, reason.values)}{_after_colon(reason.because)}"
    return one_line(f"{reason.of}: {what}" if reason.of else what)


def all_said(reasons: Iterable[Reason]) -> str:
    """Returns several reasons in words, one after the other."""
    return "; ".join(map(said, reasons))


def sentences(reasons: Iterable[Reason]) -> tuple[str, ...]:
    """Returns several reasons as sentences. What begins with a name keeps its first letter."""
    words = ((reason.of, said(reason)) for reason in reasons)
    return tuple(f"{what if whose else what[:1].upper() + what[1:]}." for whose, what in words)


def in_rounds(rounds: Iterable[int]) -> str:
    """Writes Rounds as people count them, from 1 on: ``round 2``, ``rounds 2, 5``."""
    numbers = [str(index + 1) for index in sorted(rounds)]
    return f"round{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


class _Formatter(Formatter):
    """Formats values of any type, since files hold what their writers left in them."""

    def get_value(self, key: int | str, args: Any, kwargs: Values) -> Value:  # noqa: ARG002 - the signature of Formatter
        return kwargs.get(str(key))

    def format_field(self, value: Any, format_spec: str) -> str:
        if value is None:
            return "an unknown share" if format_spec == "share" else "an unknown value"
        try:
            return _SPECS[format_spec](value) if format_spec in _SPECS else format(value, format_spec)
        except (TypeError, ValueError, OverflowError, msgspec.ValidationError):
            return str(value)


def _label(load: Mapping[str, Any]) -> str:
    """Writes a load, which is as files have it, as a reader says it."""
    found: Load = msgspec.convert(load, Load)
    return found.label


_FORMATTER = _Formatter()
_SPECS: Mapping[str, Callable[[Any], str]] = {
    "share": lambda share: f"{100 * share:.0f} %",
    "percent": lambda share: f"{number(100 * share)} %",
    "change": lambda share: f"{100 * share:+.0f} %",
    "list": lambda names: ", ".join(map(str, names)),
    "and": lambda names: listed([str(name) for name in names]),
    "rounds": in_rounds,
    "load": _label,
}
"""How templates have shares, lists, Rounds and loads written, beside what Python formats."""


def filled(template: str, values: Values) -> str:
    """Fills a template with values; one that is not there is unknown. ``_SPECS`` are more ways to write them."""
    return _FORMATTER.vformat(template, (), values)


def _after_colon(because: Iterable[Reason]) -> str:
    causes = all_said(because)
    return f": {causes}" if causes else ""


def _no_right_answer(reason: Reason) -> str:
    return f"no right answer in the window: {_seen_instead(reason.values) or 'nothing was answered'}"


def _silent_rounds(reason: Reason) -> str:
    causes = "; ".join(_seen_instead(cause.values) or said(cause) for cause in reason.because)
    what = filled("no right answer came in {rounds:rounds}, in {slices} slices", reason.values)
    return f"{what}{f' ({causes})' if causes else ''}; look at it with `bench serve`"


def _seen_instead(values: Values) -> str:
    """Lists what came in place of right answers; nothing where nothing came, or that is not known."""
    errors, dropped, outside = (values.get(name) for name in ("errors", "dropped", "outside"))
    kinds = [f"{count} x {kind}" for kind, count in errors.items()] if isinstance(errors, dict) else []
    drops = f"{dropped} requests dropped" if dropped else ""
    elsewhere = f"{outside} right answers outside it" if outside else ""
    return ", ".join(filter(None, (*kinds, drops, elsewhere)))


def _lane_failed(reason: Reason) -> str:
    log = ": {log}" if reason.values.get("log") else ""
    return filled(
        "{where}, {stage}{how}" + log,
        {**reason.values, "where": _round(reason.values.get("round")), "how": _after_colon(reason.because)},
    )


def _uv_failed(reason: Reason) -> str:
    text = ": {text}" if reason.values.get("text") else ""
    return filled("uv {command} ended with exit code {exit_code}" + text, reason.values)


def _no_right_answer_in_time(reason: Reason) -> str:
    found = "{found}" if reason.values.get("found") else "nothing"
    return filled("no right answer in {timeout_s:g} s: found " + found, reason.values)


def _neither_side_answered(reason: Reason) -> str:
    kinds = " ({kinds:list})" if reason.values.get("kinds") else ""
    return filled("neither side gave one right answer under load" + kinds, reason.values)


def _not_served(reason: Reason) -> str:
    return f"it was not served{_after_colon(reason.because)}; its log is above"


def _driver_ended(reason: Reason) -> str:
    return filled("the driver ended: " + ("{text}" if reason.values.get("text") else "it wrote nothing"), reason.values)


def _import_failed(reason: Reason) -> str:
    text = "{text}" if reason.values.get("text") else "no reason was given"
    return filled("importing {application} failed: " + text, reason.values)


def _lanes_differ(reason: Reason) -> str:
    lines = reason.values.get("difference")
    return filled(
        "Group {group}: {lane} and {other} must have the same configuration, but differ: {lines}",
        {**reason.values, "lines": " ".join(map(str, lines)) if isinstance(lines, tuple | list) else lines},
    )


def _packages_differ(reason: Reason) -> str:
    lanes, versions = (_several(reason.values.get(name)) for name in ("lanes", "versions"))
    found = "; ".join(
        f"{version} in {', '.join(lane for lane, its in zip(lanes, versions, strict=False) if its == version)}"
        for version in dict.fromkeys(versions)
    )
    return filled(
        "{part} {name}: package {package}: found {found}, expected the same version in every Lane; mend its name, or "
        "the Apps' requirements",
        {**reason.values, "found": found},
    )


def _several(value: Value) -> Sequence[str]:
    """Returns several names; one that is missing is none."""
    return ["none" if each is None else str(each) for each in value] if isinstance(value, tuple | list) else []


def _round(index: Value) -> str:
    return in_rounds([index]) if isinstance(index, int) else "an unknown round"


def _overloaded(reason: Reason) -> str:
    drops = ", {dropped:,} requests dropped" if reason.values.get("dropped") else ""
    return filled("{served_rps:,.0f} of {rate_rps:,.10g} requests/s served" + drops, reason.values)


def _no_raw(reason: Reason) -> str:
    through = " through {adapter}" if reason.values.get("adapter") else ""
    return filled("raw was not run on {server}" + through, reason.values)


def _discarded(reason: Reason) -> str:
    counted = ", {counted} kept, as no repeats were left" if reason.values.get("counted") else ""
    return filled(
        "slices discarded because of other work on this machine: {repeated} measured again" + counted, reason.values
    )


def _run_incomplete(reason: Reason) -> str:
    causes = f"; missing: {all_said(reason.because)}" if reason.because else ""
    return f"{filled('incomplete, with {rounds} rounds', reason.values)}{causes}"


def _rates_differ(reason: Reason) -> str:
    rates = {
        name: "no rate" if rate is None else filled("{rate:,.5g}/s", {"rate": rate})
        for name, rate in (("run", reason.values.get("run_rps")), ("baseline", reason.values.get("baseline_rps")))
    }
    return filled("latencies were measured at {run} and at {baseline}, so they are not compared", rates)


WORDS: Mapping[Code, str | Callable[[Reason], str]] = {
    Code.SAID: "{text}",
    Code.OLD_FORMAT: "runs of format {version} do not say",
    Code.NO_REASON: "no reason was recorded",
    Code.LANE_FAILED: _lane_failed,
    # how a Lane failed
    Code.NO_LOCK: "{file}: found no such file, expected the App's requirements, with its server; add it",
    Code.NOT_LINKED: (
        "{file}: found a copy of the folder of {package}, expected a link to it, as no lock tells whether files there "
        "changed; write --editable before its path"
    ),
    Code.UV_FAILED: _uv_failed,
    Code.SERVER_REFUSED: "{program}: {text}, expected the server's program",
    Code.ENDED_BEFORE_ANSWER: "the server ended with exit code {exit_code} before it answered",
    Code.NO_ANSWER_IN_TIME: "no answer in {timeout_s:g} s",
    Code.NO_RIGHT_ANSWER_IN_TIME: _no_right_answer_in_time,
    Code.ENDED_IN_CHECK: "the server ended while it was checked",
    Code.ANSWER_DIFFERS: "{request}: {part}: found {found}, expected {expected}",
    Code.REQUEST_FAILED: "{request}: found {text}, expected an answer",
    Code.CONNECTION_CLOSED: "{request}: found a closed connection, expected it to be kept alive",
    Code.SERVER_ENDED: "the server ended with exit code {exit_code}",
    Code.PROCESS_ENDED: "a process of the server ended under load",
    Code.NEITHER_SIDE_ANSWERED: _neither_side_answered,
    # what ends a run
    Code.NOTHING_LEFT: "no Lane is left to be measured",
    Code.NO_LANE_ANSWERED: "no Lane gave one right answer under load",
    Code.NOT_SERVED: _not_served,
    Code.APP_NOT_BUILT: "{revision}: {app} does not build",
    Code.DRIVER_ENDED: _driver_ended,
    Code.DRIVER_NOT_UNDERSTOOD: "the driver said {found}, expected a {expected}: {text}",
    Code.LANES_DIFFER: _lanes_differ,
    Code.PACKAGES_DIFFER: _packages_differ,
    # what no setting removes
    Code.HEADERS_OF_ANSWERS: "answers with the headers {headers:list}: {lanes:list}",
    # counters
    Code.UNREADABLE: "the system does not tell, or a process has ended",
    Code.COUNTER_WENT_BACKWARDS: "the counter went backwards, from {before} to {after}",
    Code.COUNTER_STOOD_STILL: "the counter did not move",
    Code.CLOCK_STOOD_STILL: "the clock stood still in all of its slices",
    Code.SILENT: "no right answer in the windows that count",
    Code.NO_RIGHT_ANSWER: _no_right_answer,
    # slices
    Code.STEAL: "steal {steal_s:.2f} s in {slice_s:.2f} s",
    Code.CLOCK_STEPPED: "the clock stepped by {step_s:+.2f} s: the machine was probably paused",
    Code.SLICES_DISCARDED: _discarded,
    # the footprint
    Code.NO_WORKERS: "the server's command has no {{workers}}",
    Code.WORKERS_BUSY: "{workers} workers did not come to rest in {timeout_s:g} s",
    Code.IMPORT_TIMED_OUT: "importing {application} took more than {timeout_s:g} s",
    Code.IMPORT_FAILED: _import_failed,
    Code.CODE_UNREADABLE: "{file}: {text}",
    # instructions
    Code.NO_VALGRIND: "valgrind was not found; install it (Debian and Ubuntu: apt install valgrind)",
    Code.VALGRIND_FAILED: "valgrind ended with exit code {exit_code}",
    Code.COUNT_TIMED_OUT: "the count did not end in {timeout_s:g} s",
    Code.PROFILE_INCOMPLETE: (
        "callgrind's profile has {found} parts, expected {expected}: start-up, {requests} requests, and the end"
    ),
    # a Lane under a Load: what it answered
    Code.NO_SLICES: "no slice of it was measured before the run ended; run it again",
    Code.NO_SLICE_COUNTS: "none of its slices counts; run it again",
    Code.WRONG_ANSWERS: (
        "{errors:,} of {answers:,} answers were wrong ({kinds:list}); see the server's log with `bench serve`"
    ),
    Code.SILENT_ROUNDS: _silent_rounds,
    Code.REQUESTS_DROPPED: (
        "{dropped:,} of {due:,} requests of the fixed rate were dropped, as all connections were busy; "
        "lower load.rate_share"
    ),
    # what limited it
    Code.NOTHING_FULL: (
        "nothing was saturated (server {server_share:share}, driver {driver_share:share}): something else used the "
        "machine, or {users} users are too few"
    ),
    Code.DRIVER_FULL: (
        "the driver was the limit (driver {driver_share:share}, server {server_share:share}): the server can do more"
    ),
    Code.USERS_WITH_DRIVER: (
        "only {users_share:share} of the users had a request under way (Little's law): the driver held up the others"
    ),
    Code.WINDOWS_TOO_SHORT: (
        "throughput times latency is {users_share:share} of the users (Little's law): make window_s longer"
    ),
    Code.CPU_TIMES_UNKNOWN: (
        "the CPU times of server or driver could not be read, so nothing shows which of them was full; see `/proc`"
    ),
    # at a rate
    Code.SERVER_FULL_AT_RATE: (
        "the server used {server_share:share} of its cores, so requests queue up at this rate; lower load.rate_share"
    ),
    Code.DRIVER_FULL_AT_RATE: (
        "the driver used {driver_share:share} of its core, so latencies are its own; lower load.rate_share"
    ),
    Code.DRIVER_LATE: (
        "the driver was {late_ms:.2f} ms late, in a latency of {latency_ms:.2f} ms (medians); end what else runs on "
        "its core"
    ),
    Code.DRIVER_LATE_IN_TAIL: (
        "the driver was {late_ms:.2f} ms late at p99, most of the p99 of {latency_ms:.2f} ms, in most rounds; end "
        "what else runs on its core"
    ),
    Code.OVERLOADED: _overloaded,
    # contention
    Code.STOLEN: ("the hypervisor took {steal_share:share} of a core's time; measure when the machine has less to do"),
    Code.SERVER_KEPT_OFF: (
        "other work kept the server off its cores: it used {server_share:share} and waited {waited_share:share} of the "
        "time, steal {steal_share:share} (driver {driver_share:share}); end what else runs on these cores"
    ),
    Code.DRIVER_KEPT_OFF: (
        "other work kept the driver off its core: it used {driver_share:share} and waited {waited_share:share} of the "
        "time, steal {steal_share:share} (server {server_share:share}); end what else runs on these cores"
    ),
    Code.SERVER_WAITED: (
        "other work kept the server waiting for a core: {waited_ms:.2f} ms a request, of which its own threads explain "
        "{own_ms:.2f} ms, in a median latency of {latency_ms:.2f} ms; end what else runs on its cores"
    ),
    # from round to round
    Code.DRIFTED: (
        "it drifted by {change_share:change} from the first round to the last, and other Lanes did not "
        "(p = {p_value:.1g}); look for what changes in the App as it runs, such as a cache or a leak"
    ),
    Code.SCATTERED: (
        "its rounds differ by {spread_share:share} (standard deviation); measure more rounds, or on a quieter machine"
    ),
    # what is derived
    Code.LANE_NOT_VALID: "the Lane is {status}, so nothing is derived from it",
    Code.RAW_NOT_VALID: "{lane} is {status}, so there is nothing to compare with",
    Code.NO_RAW: _no_raw,
    Code.NO_ROUND_WITH_RAW: "no round has both its CPU time and raw's",
    # what is missing
    Code.NOT_REACHED: "none of its slices was measured",
    Code.TOO_FEW_ANSWERS: (
        "too few answers: p{percentile:g} takes {in_run:,} in the run and {in_round:,} in each round"
    ),
    Code.NOT_IN_ROUNDS: "not in {rounds:rounds}",
    Code.FEWER_VALUES: "n = {n}",
    Code.NO_LANE_LEFT: "a Lane that did not fail",
    Code.SLICES_LACKING: "{missing:,} of {planned:,} slices",
    Code.FOOTPRINT_LACKING: "the footprint ({metrics:list})",
    Code.COUNTS_LACKING: "instructions per request of {missing} of {lanes} Lanes",
    # sweeps
    Code.POINT_NOT_VALID: "{status} at {load:load}",
    Code.ONE_LOAD: "one load alone shows no knee",
    Code.ALREADY_SATURATED: "{load:load} already saturate it; sweep fewer",
    Code.STILL_GROWING: "throughput still grows at {load:load}; sweep further",
    Code.ALREADY_BEYOND: "{status} at {load:load} already; sweep lower rates",
    Code.RATE_FILLS_SERVER: (
        "the server used {server_share:share} of its cores, so requests queue up at this rate while a slice lasts"
    ),
    Code.STILL_SERVED: "{load:load} was still served; sweep further",
    Code.MAXIMUM_UNKNOWN: "the server's maximum is not known at {load:load}",
    Code.SERVER_SHORT_OF_CORES: (
        "the server used {server_share:share} of its cores and waited for one {waited_share:share} of the time"
    ),
    Code.FULL_TOGETHER: (
        "server at {server_share:share} of its cores, driver at {driver_share:share} of its own, and only "
        "{users_share:share} of the users had a request under way"
    ),
    Code.NO_COMMON_ROUND: "no round has both the smallest load and the best one",
    Code.SWEEP_ENDED: "the highest load of the sweep",
    Code.P99_ABOVE_OBJECTIVE: "p99 {p99_ms:.3g} ms (up to {high_ms:.3g}) at {load:load}",
    Code.NO_INTERVAL: "n < 3 rounds, so no interval, at {load:load}",
    Code.NO_P99: "too few requests for a p99",
    Code.NO_P99_BELOW: "too few requests for a p99 below {load:load}",
    # the A/A
    Code.AA_SHORT: "found {rounds} rounds, expected {expected}",
    Code.AA_NOT_VALID: "the A/A was {status}",
    Code.NO_VALID_PAIR: "found no two valid Lanes with {rounds} rounds in common",
    # comparisons
    Code.NOT_MEASURED: "it was not measured",
    Code.NOT_VALID: "{status}",
    Code.NOT_MEASURED_AGAIN: "slower, but there was no time to measure it again: raise --budget",
    Code.NOT_SEEN_TWICE: "slower, but not by each measurement: the first gave {first:.3f}, the second {second:.3f}",
    Code.NOT_CERTAIN: (
        "slower by each measurement (first {first:.3f}, second {second:.3f}), but not for certain by more than "
        "{allowed_share:percent}"
    ),
    Code.WITHIN_NOISE_FLOOR: "within the noise floor: Lanes differ from their twins by {noise_share:percent}",
    Code.NOT_COUNTED: "instructions could not be counted",
    Code.ON_ONE_SIDE: "found in {side} only, so it is not compared",
    Code.FILES_DIFFER_OUTSIDE: (
        "{files} files outside of the Apps' folders differ, {first} first; other Apps that use them were not compared: "
        "name them with --app"
    ),
    Code.RUN_INCOMPLETE: _run_incomplete,
    Code.RATES_DIFFER: _rates_differ,
}
"""The words of each code: a template, or what makes them of the reason."""
