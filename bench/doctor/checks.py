"""Whether a machine can measure: findings from what it says of itself. Texts of /proc and /sys are parsed here."""

import re
from enum import StrEnum

from msgspec import Struct

from bench.analysis.discard import DISCARD_STEAL
from bench.doctor.aa_test import Trial
from bench.model.experiment import Experiment
from bench.model.records import Machine, Status

NOT_READABLE = "not readable"
NOTICEABLE_STEAL = 0.01
"""Steal above this share of a core's time makes intervals wider than they need be."""
BUSY_LOAD = 0.5
"""So many other processes that run, on average, disturb a run."""
OTHER_FILES = 64
"""Files that the driver has open besides its connections."""
OTHER_MIB, LANE_MIB = 512, 64
"""Memory of bench with its report and driver, and of a Lane's master and worker."""
DIRECT_CLOCKS = ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "riscv_clocksource")
"""Clock sources that are read without a system call (the kernel's vDSO)."""


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    UNKNOWN = "unknown"
    ADVICE = "advice"
    PROBLEM = "problem"


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was looked at. What is not ok or unknown has ``advice``."""

    what: str
    severity: Severity
    found: str
    expected: str
    advice: str | None = None


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


class Diagnosis(Struct, frozen=True, kw_only=True):
    """What `bench doctor` found.

    Without a ``trial``, or with one that tells nothing, there is a ``reason``.
    """

    preset: str
    machine: Machine
    versions: dict[str, str | None]
    findings: tuple[Finding, ...]
    trial: Trial | None
    reason: str | None


def findings(host: Host, here: Machine, experiment: Experiment) -> tuple[Finding, ...]:
    """Returns what there is to say of a machine on which an Experiment is to run."""
    return (
        _cores(host, experiment),
        _pinning(host, here),
        _siblings(host, here),
        _quota(host, experiment),
        _governor(host),
        _turbo(host),
        _load(host),
        _memory(host, experiment),
        _open_files(host, experiment),
        _clock(host),
        _randomisation(host),
        _valgrind(host),
    )


def steal_share(steal_s: float | None, took_s: float) -> float | None:
    """Returns the steal of all cores of servers and driver together as a share of the time; None where it is unknown.

    So is the steal of a slice: the limit of either means the same.
    """
    return None if steal_s is None else steal_s / took_s


def of_steal(share: float | None) -> Finding:
    """Returns what there is to say of the steal, a ``steal_share``: it is a problem where it would spoil slices."""
    expected = (
        f"at most {NOTICEABLE_STEAL:.0%} of a core's time; above {DISCARD_STEAL:.0%} a run's slices are discarded"
    )
    if share is None:
        return _unknown("steal", expected)
    severities = {DISCARD_STEAL: Severity.PROBLEM, NOTICEABLE_STEAL: Severity.ADVICE}
    return _finding(
        "steal",
        next((severity for limit, severity in severities.items() if share > limit), Severity.OK),
        f"{share:.1%} of a core's time",
        expected,
        "the hypervisor gave the cores to others: use a machine with dedicated cores, or another hour",
    )


def of_trial(trial: Trial) -> tuple[Finding, ...]:
    """Returns what there is to say of an A/A: whether its Lanes are valid, and whether they differ."""
    return (_validity(trial), _difference(trial))


def _cores(host: Host, experiment: Experiment) -> Finding:
    needed, count = _cores_needed(experiment), len(host.cores)
    return _finding(
        "cores",
        Severity.OK if count >= needed else Severity.ADVICE,
        f"{count} ({_listed(host.cores)})" if count else NOT_READABLE,
        f"at least {needed}: {experiment.serving.workers} for servers, 1 for the driver",
        "give bench more cores: servers and driver now share theirs, and nothing is pinned",
    )


def _pinning(host: Host, here: Machine) -> Finding:
    found = f"servers {_listed(here.server_cores)}, driver {_listed(here.driver_cores)}" if here.pinned else "nothing"
    return _finding(
        "pinned",
        Severity.OK if host.pinnable and here.pinned else Severity.ADVICE,
        found if host.pinnable else "cannot be pinned",
        "servers and driver on cores of their own",
        "use Linux with a core more than the servers have workers, and let bench set its affinity",
    )


def _siblings(host: Host, here: Machine) -> Finding:
    used = {core: host.siblings.get(core) for core in (*here.server_cores, *here.driver_cores)}
    if not used or None in used.values():
        return _unknown("SMT", "servers and driver on different physical cores")
    shared = sorted({text for text in used.values() if text and list(used.values()).count(text) > 1})
    smt = any(re.search("[,-]", text) for text in host.siblings.values())
    return _finding(
        "SMT",
        Severity.ADVICE if shared else Severity.OK,
        f"cores {' and '.join(shared)} are siblings" if shared else ("on, not shared" if smt else "no siblings"),
        "servers and driver on different physical cores",
        "give bench another physical core, or switch SMT off: echo off > /sys/devices/system/cpu/smt/control",
    )


def _quota(host: Host, experiment: Experiment) -> Finding:
    needed, expected = _cores_needed(experiment), "no limit, or one above the cores that are used"
    if host.quotas is None:
        return _unknown("CPU quota", expected)
    limits = [limit for text in host.quotas if (limit := _quota_cores(text)) is not None]
    return _finding(
        "CPU quota",
        Severity.PROBLEM if limits and min(limits) < needed else Severity.OK,
        f"{min(limits):g} cores" if limits else "no limit",
        expected,
        "raise the limit of the container or control group: it stops processes for parts of each 100 ms",
    )


def _governor(host: Host) -> Finding:
    expected, found = "performance on every core", sorted(set(host.governors.values()))
    if not found:
        return _unknown("frequency governor", expected)
    return _finding(
        "frequency governor",
        Severity.OK if found == ["performance"] else Severity.ADVICE,
        ", ".join(found),
        expected,
        "cpupower frequency-set --governor performance",
    )


def _turbo(host: Host) -> Finding:
    """The files say the opposite of each other: ``no_turbo`` of Intel's driver, ``boost`` of the others."""
    on = {"0": "on", "1": "off"}.get(host.no_turbo or "") or {"1": "on", "0": "off"}.get(host.boost or "")
    if on is None:
        return _unknown("turbo", "off")
    file = "intel_pstate/no_turbo" if host.no_turbo in ("0", "1") else "cpufreq/boost"
    return _finding(
        "turbo",
        Severity.OK if on == "off" else Severity.ADVICE,
        on,
        "off: with it the frequency depends on heat and on what other cores do",
        f"echo {int(file.endswith('no_turbo'))} > /sys/devices/system/cpu/{file}",
    )


def _load(host: Host) -> Finding:
    expected = f"at most {BUSY_LOAD:g} over the last minute"
    if host.load_average is None:
        return _unknown("load average", expected)
    return _finding(
        "load average",
        Severity.ADVICE if host.load_average > BUSY_LOAD else Severity.OK,
        f"{host.load_average:.2f}",
        expected,
        "end what else is running, or wait: it takes time from servers and driver",
    )


def _memory(host: Host, experiment: Experiment) -> Finding:
    lane_mib = LANE_MIB * (1 + experiment.serving.workers) // 2
    needed = OTHER_MIB + len(experiment.lanes) * lane_mib
    expected = f"{needed:,} MiB for {len(experiment.lanes)} lanes"
    if host.available_mib is None:
        return _unknown("memory", expected)
    return _finding(
        "memory",
        Severity.OK if host.available_mib >= needed else Severity.PROBLEM,
        f"{host.available_mib:,.0f} MiB available",
        expected,
        "free memory, or choose fewer Lanes with --lane: a machine that swaps measures its disk",
    )


def _open_files(host: Host, experiment: Experiment) -> Finding:
    per_lane = max(experiment.load.users, experiment.load.connections)
    needed = len(experiment.lanes) * per_lane + OTHER_FILES
    of_server = per_lane + OTHER_FILES
    enough = host.open_files >= needed and host.open_files_of_server >= of_server
    return _finding(
        "open files",
        Severity.OK if enough else Severity.PROBLEM,
        f"{host.open_files:,} for the driver, {host.open_files_of_server:,} for a server",
        f"at least {needed:,} and {of_server:,}: {len(experiment.lanes)} lanes with {per_lane} connections",
        f"ulimit -n {needed} as root, or nofile in /etc/security/limits.conf: the driver goes up to the hard limit",
    )


def _clock(host: Host) -> Finding:
    expected = "one that is read without a system call: tsc, kvm-clock, …"
    if host.clock_source is None:
        return _unknown("clock source", expected)
    return _finding(
        "clock source",
        Severity.OK if host.clock_source in DIRECT_CLOCKS else Severity.ADVICE,
        host.clock_source,
        expected,
        "see /sys/devices/system/clocksource/clocksource0/available_clocksource for others",
    )


def _randomisation(host: Host) -> Finding:
    expected = "on: each round then draws another layout of memory"
    said = {"0": "off", "1": "in part", "2": "on"}.get(host.address_randomisation or "")
    if said is None:
        return _unknown("address randomisation", expected)
    return _finding(
        "address randomisation",
        Severity.OK if said == "on" else Severity.ADVICE,
        said,
        expected,
        "sysctl kernel.randomize_va_space=2: without it all rounds repeat the luck of one layout",
    )


def _valgrind(host: Host) -> Finding:
    found = host.versions.get("valgrind")
    return _finding(
        "valgrind",
        Severity.OK if found else Severity.ADVICE,
        found or "not installed",
        "any version",
        "install valgrind: without it instructions per request are not counted",
    )


def _validity(trial: Trial) -> Finding:
    valid = trial.validity.status is Status.VALID
    return _finding(
        "A/A, validity",
        Severity.OK if valid else Severity.PROBLEM,
        "; ".join((str(trial.validity.status), *trial.validity.reasons)),
        "valid",
        "a run would not rank such a Lane: mend what is named here and above",
    )


def _difference(trial: Trial) -> Finding:
    ratio = trial.ratio
    same = ratio.low is not None and ratio.high is not None and ratio.low <= 1 <= ratio.high
    return _finding(
        "A/A, ratio",
        Severity.OK if same else Severity.ADVICE,
        f"{ratio.point:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"
        if ratio.low and ratio.high
        else f"{ratio.point:.3f}",
        "an interval that has 1 in it: both are the same Lane",
        "run it again: 1 in 20 times this is chance; where it stays, something favours one of two equal servers",
    )


def _finding(what: str, severity: Severity, found: str, expected: str, advice: str) -> Finding:
    """Returns a Finding, with its advice where there is need of it."""
    needed = severity is not Severity.OK
    return Finding(what=what, severity=severity, found=found, expected=expected, advice=advice if needed else None)


def _unknown(what: str, expected: str) -> Finding:
    return Finding(what=what, severity=Severity.UNKNOWN, found=NOT_READABLE, expected=expected)


def _cores_needed(experiment: Experiment) -> int:
    return experiment.serving.workers + 1


def _quota_cores(text: str) -> float | None:
    """Returns the cores of a ``cpu.max``, ``QUOTA PERIOD`` in us; None for no limit (the kernel's cgroup-v2)."""
    limited = re.fullmatch(r"(\d+) ([1-9]\d*)", text)
    return int(limited[1]) / int(limited[2]) if limited else None


def _listed(cores: tuple[int, ...]) -> str:
    return ", ".join(map(str, cores))
