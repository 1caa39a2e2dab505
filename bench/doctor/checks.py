"""Whether a machine can measure: findings from what it says of itself. Texts of /proc and /sys are parsed here."""

import re

from bench.analysis.discard import DISCARD_STEAL
from bench.doctor.diagnosis import AaTest, Finding, Host, Severity, What
from bench.model.estimate import Status
from bench.model.experiment import Experiment
from bench.model.reason import Value
from bench.model.records import Machine

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
    """Returns what there is to say of the steal, a ``steal_share``: it is a problem where it discards slices."""
    severities = {DISCARD_STEAL: Severity.PROBLEM, NOTICEABLE_STEAL: Severity.ADVICE}
    return _finding(
        What.STEAL,
        Severity.UNKNOWN
        if share is None
        else next((severity for limit, severity in severities.items() if share > limit), Severity.OK),
        steal_share=share,
        noticeable_share=NOTICEABLE_STEAL,
        discard_share=DISCARD_STEAL,
    )


def of_aa_test(found: AaTest) -> tuple[Finding, ...]:
    """Returns what there is to say of an A/A: whether its Lanes are valid, and whether they differ."""
    return (_validity(found), _ratio(found))


def _cores(host: Host, experiment: Experiment) -> Finding:
    needed = _cores_needed(experiment)
    severity = _advice_unless(len(host.cores) >= needed) if host.cores else Severity.UNKNOWN
    return _finding(What.CORES, severity, cores=host.cores, needed=needed, workers=experiment.serving.workers)


def _pinning(host: Host, here: Machine) -> Finding:
    return _finding(
        What.PINNING,
        _advice_unless(host.pinnable and here.pinned),
        state="unpinnable" if not host.pinnable else "pinned" if here.pinned else "unpinned",
        server_cores=here.server_cores,
        driver_cores=here.driver_cores,
    )


def _siblings(host: Host, here: Machine) -> Finding:
    used = {core: host.siblings.get(core) for core in (*here.server_cores, *here.driver_cores)}
    if not used or None in used.values():
        return _finding(What.SMT, Severity.UNKNOWN, state=None, shared=None)
    shared = tuple(sorted({text for text in used.values() if text and list(used.values()).count(text) > 1}))
    smt = any(re.search("[,-]", text) for text in host.siblings.values())
    state = "shared" if shared else "unshared" if smt else "none"
    return _finding(What.SMT, _advice_unless(not shared), state=state, shared=shared)


def _quota(host: Host, experiment: Experiment) -> Finding:
    needed = _cores_needed(experiment)
    if host.quotas is None:
        return _finding(What.CPU_QUOTA, Severity.UNKNOWN, cores=None, needed=needed)
    limit = min((limit for text in host.quotas if (limit := _quota_cores(text)) is not None), default=None)
    severity = Severity.PROBLEM if limit is not None and limit < needed else Severity.OK
    return _finding(What.CPU_QUOTA, severity, cores=limit, needed=needed)


def _governor(host: Host) -> Finding:
    found = tuple(sorted(set(host.governors.values())))
    severity = _advice_unless(found == ("performance",)) if found else Severity.UNKNOWN
    return _finding(What.GOVERNOR, severity, governors=found or None)


def _turbo(host: Host) -> Finding:
    """The files say the opposite of each other: ``no_turbo`` of Intel's driver, ``boost`` of the others."""
    state = {"0": "on", "1": "off"}.get(host.no_turbo or "") or {"1": "on", "0": "off"}.get(host.boost or "")
    severity = _advice_unless(state == "off") if state else Severity.UNKNOWN
    if host.no_turbo in ("0", "1"):
        return _finding(What.TURBO, severity, state=state, file="intel_pstate/no_turbo", value=1)
    return _finding(What.TURBO, severity, state=state, file="cpufreq/boost", value=0)


def _load(host: Host) -> Finding:
    found = host.load_average
    severity = Severity.UNKNOWN if found is None else _advice_unless(found <= BUSY_LOAD)
    return _finding(What.LOAD_AVERAGE, severity, load_average=found, most=BUSY_LOAD)


def _memory(host: Host, experiment: Experiment) -> Finding:
    lane_mib, lanes = LANE_MIB * (1 + experiment.serving.workers) // 2, len(experiment.lanes)
    needed, found = OTHER_MIB + lanes * lane_mib, host.available_mib
    severity = Severity.UNKNOWN if found is None else _problem_unless(found >= needed)
    return _finding(What.MEMORY, severity, available_mib=found, needed_mib=needed, lanes=lanes)


def _open_files(host: Host, experiment: Experiment) -> Finding:
    connections, lanes = max(experiment.load.users, experiment.load.connections), len(experiment.lanes)
    of_driver, of_server = lanes * connections + OTHER_FILES, connections + OTHER_FILES
    return _finding(
        What.OPEN_FILES,
        _problem_unless(host.open_files >= of_driver and host.open_files_of_server >= of_server),
        of_driver=host.open_files,
        of_server=host.open_files_of_server,
        needed_of_driver=of_driver,
        needed_of_server=of_server,
        lanes=lanes,
        connections=connections,
    )


def _clock(host: Host) -> Finding:
    found = host.clock_source
    severity = Severity.UNKNOWN if found is None else _advice_unless(found in DIRECT_CLOCKS)
    return _finding(What.CLOCK_SOURCE, severity, clock_source=found)


def _randomisation(host: Host) -> Finding:
    state = {"0": "off", "1": "partial", "2": "on"}.get(host.address_randomisation or "")
    severity = _advice_unless(state == "on") if state else Severity.UNKNOWN
    return _finding(What.ADDRESS_RANDOMISATION, severity, state=state)


def _valgrind(host: Host) -> Finding:
    found = host.versions.get("valgrind")
    return _finding(What.VALGRIND, _advice_unless(bool(found)), version=found)


def _validity(found: AaTest) -> Finding:
    status, reasons = found.validity.status, found.validity.reasons
    severity = _problem_unless(status is Status.VALID)
    return Finding(what=What.AA_VALIDITY, severity=severity, values={"status": status}, because=reasons)


def _ratio(found: AaTest) -> Finding:
    ratio = found.ratio
    same = ratio.low is not None and ratio.high is not None and ratio.low <= 1 <= ratio.high
    return _finding(What.AA_RATIO, _advice_unless(same), ratio=ratio.point, low=ratio.low, high=ratio.high)


def _finding(what: What, severity: Severity, **values: Value) -> Finding:
    return Finding(what=what, severity=severity, values=values)


def _advice_unless(good: bool) -> Severity:
    return Severity.OK if good else Severity.ADVICE


def _problem_unless(good: bool) -> Severity:
    return Severity.OK if good else Severity.PROBLEM


def _cores_needed(experiment: Experiment) -> int:
    return experiment.serving.workers + 1


def _quota_cores(text: str) -> float | None:
    """Returns the cores of a ``cpu.max``, ``QUOTA PERIOD`` in us; None for no limit (the kernel's cgroup-v2)."""
    limited = re.fullmatch(r"(\d+) ([1-9]\d*)", text)
    return int(limited[1]) / int(limited[2]) if limited else None
