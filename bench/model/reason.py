"""Why a value is unknown, or can't be trusted: a code with its numbers. ``report`` puts it into words.

A reason is one of many things that may be found of a value, a Lane, a run or a machine. Programs read its code; people
read the words of ``report/wording.py``. docs/reasons.md has a table of all, made from the docstrings below.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from bench.model.errors import BenchError

_Value = TypeVar("_Value")

Value = float | int | str | tuple[str | int | None, ...] | Mapping[str, float | int | str] | None
"""A number, a name, several of them, counts by name, or a load that belong to a reason; None where it is not known."""


class Code(StrEnum):
    """What a reason is. Its docstring names all of its values; rounds are numbered as in ``slices.jsonl``, from 0."""

    # Of anything
    SAID = "said"
    """Something else said why: a program, the system, or a file of an older format. ``text`` is what it said."""
    OLD_FORMAT = "old-format"
    """The format ``version`` that a record was written in has no place for the value, or for why it is unknown."""
    NO_REASON = "no-reason"
    """No reason was recorded."""
    LANE_FAILED = "lane-failed"
    """The Lane failed in a ``round``, at a ``stage``; the cause says how. ``log`` is the last line of its log, null
    where that is empty, or stored beside it."""

    # How a Lane failed
    NO_LOCK = "no-lock"
    """There is no ``file``, which names what to install for an App."""
    NOT_LINKED = "not-linked"
    """``package`` was installed as a copy of its folder, as ``file`` says, and not as a link to it."""
    UV_FAILED = "uv-failed"
    """uv's ``command`` ended with ``exit_code``; ``text`` is what it said, if anything."""
    SERVER_REFUSED = "server-refused"
    """The system refused to start ``program``, the server; ``text`` is what it said."""
    ENDED_BEFORE_ANSWER = "ended-before-answer"
    """The server ended with ``exit_code`` before it had answered."""
    NO_ANSWER_IN_TIME = "no-answer-in-time"
    """The server did not answer in ``timeout_s``."""
    NO_RIGHT_ANSWER_IN_TIME = "no-right-answer-in-time"
    """The server gave no right answer in ``timeout_s``; ``found`` is the first line of what came, if anything."""
    ENDED_IN_CHECK = "ended-in-check"
    """The server ended while it was checked."""
    ANSWER_DIFFERS = "answer-differs"
    """Of the answer to a ``request``, ``part`` is as ``found``, and not as ``expected``."""
    REQUEST_FAILED = "request-failed"
    """There was no answer to a ``request``; ``text`` is the error."""
    CONNECTION_CLOSED = "connection-closed"
    """The server closed the connection after its answer to a ``request``."""
    SERVER_ENDED = "server-ended"
    """The server ended with ``exit_code``."""
    PROCESS_ENDED = "process-ended"
    """A process of the server ended under load; it may have been replaced."""
    NEITHER_SIDE_ANSWERED = "neither-side-answered"
    """Neither version of an App gave one right answer under load; ``kinds`` are those of the errors."""

    # What ends a run
    NOTHING_LEFT = "nothing-left"
    """Every Lane has failed."""
    NO_LANE_ANSWERED = "no-lane-answered"
    """No Lane gave one right answer under load."""
    NOT_SERVED = "not-served"
    """A Lane was not served; why is the cause, and its log was shown."""
    APP_NOT_BUILT = "app-not-built"
    """The environment of ``app`` at a ``revision`` could not be made; why is the cause."""
    DRIVER_ENDED = "driver-ended"
    """The driver ended; ``text`` is the last line of its log, if there is one."""
    DRIVER_NOT_UNDERSTOOD = "driver-not-understood"
    """The driver said ``found`` in place of ``expected``; ``text`` is the error."""
    LANES_DIFFER = "lanes-differ"
    """``lane`` has not the configuration of ``other``, of the same ``group``: ``difference`` has the lines that differ,
    as unified diffs have them."""
    PACKAGES_DIFFER = "packages-differ"
    """``package`` of a ``part``, a Server or Adapter called ``name``, is not the same in all ``lanes``: ``versions``,
    in the same order, null where it is not installed."""

    # What no setting removes
    HEADERS_OF_ANSWERS = "headers-of-answers"
    """The answers of these ``lanes`` have these ``headers``, and those of others do not."""

    # Counters, clocks and answers
    UNREADABLE = "unreadable"
    """The system does not tell, or a process has ended."""
    COUNTER_WENT_BACKWARDS = "counter-went-backwards"
    """From ``before`` to ``after``."""
    COUNTER_STOOD_STILL = "counter-stood-still"
    """A counter did not move in the slices that count."""
    CLOCK_STOOD_STILL = "clock-stood-still"
    """No time passed in any of the slices."""
    SILENT = "silent"
    """No right answer came in the slices that count, and no slice recorded why."""
    NO_RIGHT_ANSWER = "no-right-answer"
    """None in the window: ``errors`` by kind, ``dropped`` requests, and right answers ``outside`` of it."""

    # Discarded slices
    STEAL = "steal"
    """The hypervisor took ``steal_s`` in ``slice_s``."""
    CLOCK_STEPPED = "clock-stepped"
    """The wall clock moved by ``step_s`` against the monotonic one."""
    SLICES_DISCARDED = "slices-discarded"
    """``repeated`` slices were discarded and measured again; ``counted`` ones could not be repeated, and count."""

    # The footprint
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

    # Instructions
    NO_VALGRIND = "no-valgrind"
    """It is not on the PATH."""
    VALGRIND_FAILED = "valgrind-failed"
    """It ended with ``exit_code`` and said nothing."""
    COUNT_TIMED_OUT = "count-timed-out"
    """A count of instructions took more than ``timeout_s``."""
    PROFILE_INCOMPLETE = "profile-incomplete"
    """callgrind's profile has ``found`` parts in place of ``expected``: start-up, ``requests``, and the end."""

    # A Lane that did not answer rightly, or not at all
    NO_SLICES = "no-slices"
    """No slice of the Lane was measured before the run ended."""
    NO_SLICE_COUNTS = "no-slice-counts"
    """All slices of a phase were discarded."""
    WRONG_ANSWERS = "wrong-answers"
    """``errors`` of so many ``answers`` were wrong or missing, of these ``kinds``."""
    SILENT_ROUNDS = "silent-rounds"
    """No right answer came in these ``rounds``, in so many ``slices``; what a slice recorded is the cause."""
    REQUESTS_DROPPED = "requests-dropped"
    """``dropped`` of ``due`` requests were never sent: all connections were busy."""

    # What limited a Lane
    NOTHING_FULL = "nothing-full"
    """Neither server nor driver used all of its cores (``server_share``, ``driver_share``), with so many ``users``."""
    DRIVER_FULL = "driver-full"
    """The driver used all of its core (``driver_share``), the server did not (``server_share``)."""
    USERS_WITH_DRIVER = "users-with-driver"
    """Only ``users_share`` of the users had a request under way, by Little's law."""
    WINDOWS_TOO_SHORT = "windows-too-short"
    """Throughput times latency is ``users_share`` of the users: more than there were."""
    CPU_TIMES_UNKNOWN = "cpu-times-unknown"
    """Those of server or driver could not be read, so nothing shows what was full."""

    # Latencies at a rate
    SERVER_FULL_AT_RATE = "server-full-at-rate"
    """The server used all of its cores (``server_share``) at a fixed rate: requests queue up."""
    DRIVER_FULL_AT_RATE = "driver-full-at-rate"
    """The driver used all of its core (``driver_share``) at a fixed rate: latencies are its own."""
    DRIVER_LATE = "driver-late"
    """By ``late_ms`` at the median, which is in the median latency of ``latency_ms``."""
    DRIVER_LATE_IN_TAIL = "driver-late-in-tail"
    """By ``late_ms`` at p99, which is most of the p99 of ``latency_ms``, in most rounds."""
    OVERLOADED = "overloaded"
    """Of ``rate_rps`` the Lane served ``served_rps``; ``dropped`` requests were never sent."""

    # Who had the cores
    STOLEN = "stolen"
    """The hypervisor took ``steal_share`` of a core's time."""
    SERVER_KEPT_OFF = "server-kept-off"
    """The server used ``server_share`` of its cores and waited for one ``waited_share`` of the time; the driver used
    ``driver_share`` of its own, the hypervisor took ``steal_share``."""
    DRIVER_KEPT_OFF = "driver-kept-off"
    """The driver used ``driver_share`` of its core and waited for it ``waited_share`` of the time; the server used
    ``server_share`` of its own, the hypervisor took ``steal_share``."""
    SERVER_WAITED = "server-waited"
    """For a core ``waited_ms`` a request, of which its own threads explain ``own_ms``; the median latency is
    ``latency_ms``."""

    # From round to round
    DRIFTED = "drifted"
    """By ``change_share`` from the first round to the last, and not as other Lanes did (``p_value``)."""
    SCATTERED = "scattered"
    """Rounds differ by a standard deviation of ``spread_share``."""

    # What is not derived
    LANE_NOT_VALID = "lane-not-valid"
    """The Lane has this ``status``, so nothing is derived from its figures."""
    RAW_NOT_VALID = "raw-not-valid"
    """Raw's ``lane`` has this ``status``, so there is nothing to compare with."""
    NO_RAW = "no-raw"
    """Raw was not run on this ``server``, through this ``adapter`` if there is one."""
    NO_ROUND_WITH_RAW = "no-round-with-raw"
    """No round has both the Lane's CPU time and raw's."""

    # Figures that are missing, or of less than the whole run
    NOT_REACHED = "not-reached"
    """None of the phase's slices was measured: the run ended before."""
    TOO_FEW_ANSWERS = "too-few-answers"
    """A ``percentile`` takes ``in_run`` answers in the run and ``in_round`` in each round."""
    NOT_IN_ROUNDS = "not-in-rounds"
    """These ``rounds`` are not in the mean; why is the cause."""
    FEWER_VALUES = "fewer-values"
    """There are ``n`` values, and no more; why is the cause."""

    # What an incomplete run lacks
    NO_LANE_LEFT = "no-lane-left"
    """Every Lane failed."""
    SLICES_LACKING = "slices-lacking"
    """``missing`` of the ``planned`` slices."""
    FOOTPRINT_LACKING = "footprint-lacking"
    """These ``metrics``."""
    COUNTS_LACKING = "counts-lacking"
    """Instructions per request of ``missing`` of ``lanes``."""

    # Sweeps
    POINT_NOT_VALID = "point-not-valid"
    """The point at a ``load`` has this ``status``."""
    ONE_LOAD = "one-load"
    """One load alone shows no knee."""
    ALREADY_SATURATED = "already-saturated"
    """The smallest ``load`` saturates the Lane."""
    STILL_GROWING = "still-growing"
    """Throughput still grows at the largest ``load``."""
    ALREADY_BEYOND = "already-beyond"
    """The lowest rate, ``load``, has this ``status``, so the knee lies below it."""
    RATE_FILLS_SERVER = "rate-fills-server"
    """At this rate the server used all of its cores (``server_share``): requests queue up while a slice lasts."""
    STILL_SERVED = "still-served"
    """The highest rate, ``load``, was still served, so the knee lies above it."""
    MAXIMUM_UNKNOWN = "maximum-unknown"
    """What the server can do at most is not known at the best ``load``; why is the cause."""
    SERVER_SHORT_OF_CORES = "server-short-of-cores"
    """The server used ``server_share`` of its cores and waited for one ``waited_share`` of the time: it may do more."""
    FULL_TOGETHER = "full-together"
    """Neither server (``server_share``) nor driver (``driver_share``) is full, and ``users_share`` of the users had a
    request under way: together they are the limit."""
    NO_COMMON_ROUND = "no-common-round"
    """No round has both the smallest load and the best one."""
    SWEEP_ENDED = "sweep-ended"
    """It is the highest load of the sweep."""
    P99_ABOVE_OBJECTIVE = "p99-above-objective"
    """p99 is ``p99_ms`` at this ``load``, and its interval reaches to ``high_ms``."""
    NO_INTERVAL = "no-interval"
    """There are too few rounds for an interval at this ``load``."""
    NO_P99 = "no-p99"
    """No load has requests enough for a p99."""
    NO_P99_BELOW = "no-p99-below"
    """No load below ``load`` has requests enough for a p99."""

    # The A/A of bench doctor, and bench plan
    AA_SHORT = "aa-short"
    """The A/A has so many ``rounds``, of ``expected`` that it takes."""
    AA_NOT_VALID = "aa-not-valid"
    """The A/A has this ``status``, so it tells nothing of differences."""
    NO_VALID_PAIR = "no-valid-pair"
    """No two valid Lanes have so many ``rounds`` in common."""

    # Comparisons of revisions and of runs
    NOT_MEASURED = "not-measured"
    """The metric was not measured."""
    NOT_VALID = "not-valid"
    """What the metric rests on has this ``status``."""
    NOT_MEASURED_AGAIN = "not-measured-again"
    """Slower, but too late to be measured a second time within the budget."""
    NOT_SEEN_TWICE = "not-seen-twice"
    """Slower, but not by each measurement: ratios ``first`` and ``second``."""
    NOT_CERTAIN = "not-certain"
    """Slower by each measurement (``first``, ``second``), but not for certain by more than ``allowed_share``."""
    WITHIN_NOISE_FLOOR = "within-noise-floor"
    """The difference is not beyond what Lanes differ from their twins by, ``noise_share``."""
    NOT_COUNTED = "not-counted"
    """Its instructions could not be counted; why is the cause."""
    ON_ONE_SIDE = "on-one-side"
    """An App or a Lane is in one revision or run only, ``side``, and is not compared."""
    FILES_DIFFER_OUTSIDE = "files-differ-outside"
    """So many ``files`` outside of the Apps' folders differ, ``first`` the first of them."""
    RUN_INCOMPLETE = "run-incomplete"
    """A run has so many ``rounds``, and lacks some of what was planned."""
    RATES_DIFFER = "rates-differ"
    """The runs measured latencies at different rates, ``run_rps`` and ``baseline_rps``, so these are not compared."""


class Reason(Struct, frozen=True, omit_defaults=True):
    """A code, and the numbers and names that belong to it. Units are in their names: ``late_ms``.

    ``of`` is whom it is found of, where its place does not say so: a Lane, a run, a side of a comparison. ``because``
    are its causes.
    """

    code: Code
    values: dict[str, Value] = {}
    of: str | None = None
    because: tuple["Reason", ...] = ()

    def __hash__(self) -> int:  # a dict has none
        return hash((self.code, self.of, self.because))

    def found_of(self, name: str) -> "Reason":
        """Returns it with whom it is found of."""
        return replace(self, of=name)


class Unknown(Struct, frozen=True):
    """A value that is not known: what functions return in its place."""

    reason: Reason


class ReasonedError(BenchError):
    """Ends a command for reasons, which ``report`` puts into its line."""

    def __init__(self, *reasons: Reason) -> None:
        super().__init__(*reasons)
        self.reasons = reasons


def reason(code: Code, *because: Reason, **values: Value) -> Reason:
    """Returns a Reason: ``reason(Code.SAID, text="no such file")``; its causes stand before its values."""
    return Reason(code, values, because=because)


def known(value: _Value | Unknown) -> _Value | None:
    """Returns a value, or None where it is not known: as records have it, which keep the reason beside it."""
    return None if isinstance(value, Unknown) else value
