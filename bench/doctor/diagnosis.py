"""What `bench doctor` and `bench plan --detect` say: values alone, without what they are derived by."""

from enum import StrEnum

from msgspec import Struct

from bench.model.estimate import Estimate, Validity
from bench.model.reason import Reason, Value
from bench.model.records import Machine

POWER = 0.8
"""How often a difference that is there should be found."""
MAX_ROUNDS = 5000
"""More are not proposed: that would be days."""


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    UNKNOWN = "unknown"
    ADVICE = "advice"
    PROBLEM = "problem"


class What(StrEnum):
    """What was looked at. Its docstring names the values of its finding: what was found, and what was expected."""

    CORES = "cores"
    """Those that bench may use: ``cores``; ``needed``, of which ``workers`` are for servers and one for the driver."""
    PINNING = "pinning"
    """Whether processes can be kept on cores (``state``), and on which: ``server_cores``, ``driver_cores``."""
    SMT = "smt"
    """Whether servers and driver share physical cores (``state``); ``shared`` are lists of siblings."""
    CPU_QUOTA = "cpu-quota"
    """``cores`` that the control groups allow, None for no limit; ``needed``."""
    GOVERNOR = "frequency-governor"
    """``governors`` of the cores."""
    TURBO = "turbo"
    """``state``; ``value`` written to ``file`` below /sys/devices/system/cpu switches it off."""
    LOAD_AVERAGE = "load-average"
    """``load_average`` over the last minute; ``most`` that is expected."""
    MEMORY = "memory"
    """``available_mib``; ``needed_mib`` for so many ``lanes``."""
    OPEN_FILES = "open-files"
    """``of_driver`` and ``of_server`` are the limits; ``needed_of_driver`` and ``needed_of_server`` are for so many
    ``lanes`` with so many ``connections``."""
    CLOCK_SOURCE = "clock-source"
    """``clock_source`` of the kernel."""
    ADDRESS_RANDOMISATION = "address-randomisation"
    """``state``: on, off or partial."""
    VALGRIND = "valgrind"
    """Its ``version``, None where it is not installed."""
    STEAL = "steal"
    """``steal_share`` of a core's time; above ``noticeable_share`` it is noticed, above ``discard_share`` slices are
    discarded."""
    AA_VALIDITY = "aa-validity"
    """The ``status`` of the A/A."""
    AA_RATIO = "aa-ratio"
    """``ratio`` of the twin's throughput to the Lane's, from ``low`` to ``high``."""


class Finding(Struct, frozen=True, kw_only=True):
    """What was found: its numbers and names, those that were expected too. One that is not known is None.

    ``because`` has the reasons of a status.
    """

    what: What
    severity: Severity
    values: dict[str, Value]
    because: tuple[Reason, ...] = ()


class Host(Struct, frozen=True, kw_only=True):
    """What a machine says of itself, as it says it; None where it does not.

    ``siblings`` and ``governors`` are by core, of the cores that bench may use. ``quotas`` are ``QUOTA PERIOD`` of the
    control groups that bench runs in, innermost first.
    """

    cores: tuple[int, ...]
    pinnable: bool
    siblings: dict[int, str]
    quotas: tuple[str, ...] | None
    governors: dict[int, str]
    no_turbo: str | None
    boost: str | None
    load_average: float | None
    available_mib: float | None
    open_files: int
    """The driver's, which raises its limit as far as it goes."""
    open_files_of_server: int
    clock_source: str | None
    address_randomisation: str | None
    versions: dict[str, str | None]


class Resolution(Struct, frozen=True, kw_only=True):
    """A difference (0.03 for 3 %) and the rounds of a run that tells it apart, with the time that such a run takes.

    ``rounds`` and ``expected_s`` are None where more than ``MAX_ROUNDS`` would be needed.
    """

    difference: float
    rounds: int | None
    expected_s: float | None


class GroupProposal(Struct, frozen=True, kw_only=True):
    """What a Group needs to tell a difference apart, judged by that pair of its Lanes whose ratio spread most.

    ``spread`` is the standard deviation of ln(ratio) from round to round. Without a pair there is a ``reason``.
    """

    group: str
    comparisons: int
    lanes: tuple[str, ...]
    spread: Estimate | None
    resolution: Resolution | None
    reason: Reason | None


class Proposal(Struct, frozen=True, kw_only=True):
    """How many rounds a run needs, judged by another run whose rounds were made in the same way.

    ``rounds`` are those of the Group that needs most; None where none could be judged, or one needs too many.
    """

    run_id: str
    preset: str
    rounds_of_run: int
    difference: float
    rounds: int | None
    groups: tuple[GroupProposal, ...]


class AaTest(Struct, frozen=True, kw_only=True):
    """What an A/A found, of the throughput.

    ``ratio`` is the twin's divided by the Lane's: 1 in truth. ``spread`` is the standard deviation of its logarithm
    from round to round. ``difference`` is what a run of the preset tells apart (0.03 for 3 %), with the interval that
    the spread's gives; ``resolution`` is its point and the run, ``others`` what other differences take. ``validity`` is
    the worse one of the two Lanes. Where their saturated cells are not valid nothing of that is told, for a ``reason``.
    """

    lane: str
    rounds: int
    wall_s: float
    validity: Validity
    ratio: Estimate
    spread: Estimate
    difference: Estimate | None
    resolution: Resolution | None
    others: tuple[Resolution, ...]
    reason: Reason | None = None


class Diagnosis(Struct, frozen=True, kw_only=True):
    """What `bench doctor` found.

    Without an ``aa_test``, or with one that tells nothing, there is a ``reason``.
    """

    preset: str
    machine: Machine
    versions: dict[str, str | None]
    findings: tuple[Finding, ...]
    aa_test: AaTest | None
    reason: Reason | None
