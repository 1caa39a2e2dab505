"""What `bench doctor` found of a machine, in words: what was looked at, found and expected, and what to do."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from bench.doctor.diagnosis import Finding, Severity, What
from bench.report.wording import filled, said

NOT_READABLE = "not readable"


def title(finding: Finding) -> str:
    """Returns what was looked at."""
    return FINDING_WORDS[finding.what].title


def found(finding: Finding) -> str:
    """Says what was found."""
    if finding.severity is Severity.UNKNOWN:
        return NOT_READABLE
    words = FINDING_WORDS[finding.what].found
    return words(finding) if callable(words) else filled(words, finding.values)


def expected(finding: Finding) -> str:
    """Says what should be found."""
    return filled(FINDING_WORDS[finding.what].expected, finding.values)


def advice(finding: Finding) -> str:
    """Says what to do where something else was found."""
    return filled(FINDING_WORDS[finding.what].advice, finding.values)


class Words(Struct, frozen=True):
    """How a finding is said: templates that are filled with its values, or what makes words of it."""

    title: str
    found: str | Callable[[Finding], str]
    expected: str
    advice: str


def _cores(finding: Finding) -> str:
    cores = finding.values["cores"]
    return filled("{count} ({cores:list})", {"cores": cores, "count": len(cores)}) if isinstance(cores, tuple) else ""


def _pinned(finding: Finding) -> str:
    templates = {
        "pinned": "servers {server_cores:list}, driver {driver_cores:list}",
        "unpinned": "nothing",
        "unpinnable": "cannot be pinned",
    }
    return filled(templates[str(finding.values["state"])], finding.values)


def _siblings(finding: Finding) -> str:
    templates = {"shared": "cores {shared:and} are siblings", "unshared": "on, not shared", "none": "no siblings"}
    return filled(templates[str(finding.values["state"])], finding.values)


def _quota(finding: Finding) -> str:
    return filled("no limit" if finding.values["cores"] is None else "{cores:g} cores", finding.values)


def _randomisation(finding: Finding) -> str:
    return "in part" if finding.values["state"] == "partial" else filled("{state}", finding.values)


def _version(finding: Finding) -> str:
    return filled("not installed" if finding.values["version"] is None else "{version}", finding.values)


def _status(finding: Finding) -> str:
    return "; ".join((filled("{status}", finding.values), *map(said, finding.because)))


def _ratio(finding: Finding) -> str:
    interval = "" if finding.values["low"] is None else " ({low:.3f} to {high:.3f})"
    return filled("{ratio:.3f}" + interval, finding.values)


FINDING_WORDS: Mapping[What, Words] = {
    What.CORES: Words(
        "cores",
        _cores,
        "at least {needed}: {workers} for servers, 1 for the driver",
        "give bench more cores: servers and driver now share theirs, and nothing is pinned",
    ),
    What.PINNING: Words(
        "pinned",
        _pinned,
        "servers and driver on cores of their own",
        "use Linux with a core more than the servers have workers, and let bench set its affinity",
    ),
    What.SMT: Words(
        "SMT",
        _siblings,
        "servers and driver on different physical cores",
        "give bench another physical core, or switch SMT off: echo off > /sys/devices/system/cpu/smt/control",
    ),
    What.CPU_QUOTA: Words(
        "CPU quota",
        _quota,
        "no limit, or at least {needed} cores",
        "raise the limit of the container or control group: it stops processes for parts of each 100 ms",
    ),
    What.GOVERNOR: Words(
        "frequency governor",
        "{governors:list}",
        "performance on every core",
        "cpupower frequency-set --governor performance",
    ),
    What.TURBO: Words(
        "turbo",
        "{state}",
        "off: with it the frequency depends on heat and on what other cores do",
        "echo {value} > /sys/devices/system/cpu/{file}",
    ),
    What.LOAD_AVERAGE: Words(
        "load average",
        "{load_average:.2f}",
        "at most {most:g} over the last minute",
        "end what else is running, or wait: it takes time from servers and driver",
    ),
    What.MEMORY: Words(
        "memory",
        "{available_mib:,.0f} MiB available",
        "{needed_mib:,} MiB for {lanes} Lanes",
        "free memory, or choose fewer Lanes with --lane: a machine that swaps measures its disk",
    ),
    What.OPEN_FILES: Words(
        "open files",
        "{of_driver:,} for the driver, {of_server:,} for a server",
        "at least {needed_of_driver:,} and {needed_of_server:,}: {lanes} Lanes with {connections} connections",
        "ulimit -n {needed_of_driver} as root, or nofile in /etc/security/limits.conf: the driver goes up to the hard "
        "limit",
    ),
    What.CLOCK_SOURCE: Words(
        "clock source",
        "{clock_source}",
        "one that is read without a system call: tsc, kvm-clock, …",
        "see /sys/devices/system/clocksource/clocksource0/available_clocksource for others",
    ),
    What.ADDRESS_RANDOMISATION: Words(
        "address randomisation",
        _randomisation,
        "on: each round then draws another layout of memory",
        "sysctl kernel.randomize_va_space=2: without it all rounds repeat the luck of one layout",
    ),
    What.VALGRIND: Words(
        "valgrind",
        _version,
        "any version",
        "install valgrind: without it instructions per request are not counted",
    ),
    What.STEAL: Words(
        "steal",
        "{steal_share:percent} of a core's time",
        "at most {noticeable_share:percent} of a core's time; above {discard_share:percent} a run's slices are "
        "discarded",
        "the hypervisor gave the cores to others: use a machine with dedicated cores, or another hour",
    ),
    What.AA_VALIDITY: Words(
        "A/A, validity",
        _status,
        "valid",
        "a run would not rank such a Lane: mend what is named here and above",
    ),
    What.AA_RATIO: Words(
        "A/A, ratio",
        _ratio,
        "an interval with 1 in it: both are the same Lane",
        "run it again: 1 in 20 times this is chance; where it stays, something favours one of two equal servers",
    ),
}
"""What is said of each thing that was looked at."""
