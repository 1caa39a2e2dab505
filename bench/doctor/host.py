"""What this machine says of itself, as it says it: files of /proc and /sys, limits, and versions of programs."""

import os
import platform
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from bench.doctor.diagnosis import Host
from bench.servers.counters import PROC

SYS = Path("/sys")
PACKAGES = ("locust", "gevent", "httptools", "hdrhistogram", "msgspec", "numpy", "pandas", "scipy", "uv")
"""What measures, and what makes figures of it."""
PROGRAMS = {"valgrind": "--version", "wrk": "-v"}
"""Programs that some commands use where they are installed, and what makes them tell their version."""
PROGRAM_TIMEOUT_S = 10.0


def read() -> Host:
    """Returns what there is to be read; what is missing, or may not be read, is None or left out."""
    cpu, cores = SYS / "devices" / "system" / "cpu", _cores()
    return Host(
        cores=cores,
        pinnable=_pinnable(cores),
        siblings=_by_core(cores, cpu, "topology/thread_siblings_list"),
        quotas=_quotas(),
        governors=_by_core(cores, cpu, "cpufreq/scaling_governor"),
        no_turbo=_text(cpu / "intel_pstate" / "no_turbo"),
        boost=_text(cpu / "cpufreq" / "boost"),
        load_average=_load_average(),
        available_mib=_available_mib(),
        open_files=_open_files(),
        open_files_of_server=_limit(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        clock_source=_text(SYS / "devices" / "system" / "clocksource" / "clocksource0" / "current_clocksource"),
        address_randomisation=_text(PROC / "sys" / "kernel" / "randomize_va_space"),
        versions={
            "python": platform.python_version(),
            **{name: _package(name) for name in PACKAGES},
            **{name: _program(name, option) for name, option in PROGRAMS.items()},
        },
    )


def _available_mib() -> float | None:
    try:
        return float(psutil.virtual_memory().available / 2**20)
    except (OSError, KeyError):  # psutil: no /proc/meminfo, or one without a total
        return None


def _cores() -> tuple[int, ...]:
    if sys.platform != "linux":
        return tuple(range(psutil.cpu_count() or 1))
    return tuple(sorted(os.sched_getaffinity(0)))


def _pinnable(cores: tuple[int, ...]) -> bool:
    """Returns whether a process may choose among its cores, by doing so for a moment."""
    if sys.platform != "linux":
        return False
    try:
        os.sched_setaffinity(0, cores[:1])
        os.sched_setaffinity(0, cores)
    except OSError:
        return False
    return True


def _by_core(cores: Iterable[int], folder: Path, file: str) -> dict[int, str]:
    texts = {core: _text(folder / f"cpu{core}" / file) for core in cores}
    return {core: text for core, text in texts.items() if text}


def _quotas() -> tuple[str, ...] | None:
    """Returns the limits of the control groups that this process is in; None where it does not say which these are.

    A group is limited by those around it, too. In a container its own folder may be mounted as the root.
    """
    groups = _text(PROC / "self" / "cgroup")
    if groups is None:
        return None
    return tuple(quota for line in groups.splitlines() for quota in _quotas_of(line))


def _quotas_of(line: str) -> Iterator[str]:
    """Yields the limits of one line of /proc/self/cgroup, ``ID:CONTROLLERS:PATH``; version 2 names no controllers."""
    _, _, rest = line.partition(":")
    controllers, _, path = rest.partition(":")
    if controllers and "cpu" not in controllers.split(","):
        return
    root = SYS / "fs" / "cgroup" / ("cpu" if controllers else "")
    folder = root / path.lstrip("/")
    for group in (folder, *folder.parents):
        if group.is_relative_to(root) and (quota := _version_1(group) if controllers else _text(group / "cpu.max")):
            yield quota


def _version_1(group: Path) -> str | None:
    quota, period = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")
    return f"{quota} {period}" if quota and period else None


def _load_average() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _open_files() -> int:
    """Returns the hard limit, to which the driver raises its own; where there is none, more than any run needs.

    A hard limit that is called unlimited may be one that the system lets nobody raise to: then the soft one counts.
    """
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _limit(soft if most == resource.RLIM_INFINITY else most)


def _limit(limit: int) -> int:
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def _package(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _program(name: str, option: str) -> str | None:
    """Returns the version that a program tells of itself, or None where it is not installed or does not run."""
    path = shutil.which(name)
    if path is None:
        return None
    try:
        done = subprocess.run([path, option], capture_output=True, text=True, check=False, timeout=PROGRAM_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d[\w.+-]*", done.stdout)
    return found[0] if found else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
