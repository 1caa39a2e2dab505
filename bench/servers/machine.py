"""What this machine is, and which cores are whose."""

import contextlib
import os
import platform
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil

from bench.model.records import Machine
from bench.servers.counters import PROC, threads_of

TOPOLOGY = Path("/sys/devices/system/cpu")


def describe(workers: int) -> Machine:
    """Returns this machine, with cores assigned for servers of so many workers."""
    server_cores, driver_cores = assign_cores(workers)
    return Machine(
        cpu=_cpu_name(),
        cores=psutil.cpu_count() or 1,
        memory_gib=_memory_gib(),
        system=f"{platform.system()} {_kernel_version()} {platform.machine()}",
        python=platform.python_version(),
        server_cores=server_cores,
        driver_cores=driver_cores,
    )


def _memory_gib() -> float | None:
    """Returns the size of the memory; None where the system does not tell."""
    try:
        return round(psutil.virtual_memory().total / 2**30, 1)
    except (OSError, KeyError):  # psutil: no /proc/meminfo, or one without a total
        return None


def assign_cores(workers: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns cores for the servers and one for the driver, on different physical cores where there are enough.

    Both are empty where processes cannot be pinned (macOS) or there is no core to spare for the driver.
    """
    if sys.platform != "linux":
        return (), ()
    ordered = _physical_first(sorted(os.sched_getaffinity(0)))
    if len(ordered) < workers + 1:
        return (), ()
    return tuple(ordered[:workers]), (ordered[workers],)


def _physical_first(cores: list[int]) -> list[int]:
    """Returns the cores with SMT siblings of earlier ones at the end."""
    seen: set[str] = set()
    first: list[int] = []
    siblings: list[int] = []
    for core in cores:
        path = TOPOLOGY / f"cpu{core}" / "topology" / "thread_siblings_list"
        siblings_of = path.read_text().strip() if path.exists() else str(core)
        (siblings if siblings_of in seen else first).append(core)
        seen.add(siblings_of)
    return [*first, *siblings]


def pin(pids: Iterable[int], cores: Iterable[int]) -> None:
    """Lets processes run on these cores only, with all their threads. Does nothing where there are no cores to name."""
    wanted = set(cores)
    if sys.platform != "linux" or not wanted:
        return
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # a process or thread may end at any time
            _pin_threads(pid, wanted)


def _pin_threads(pid: int, cores: set[int]) -> None:
    for thread in threads_of(pid):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(thread, cores)


def _kernel_version() -> str:
    """Returns the kernel's version without what its builder added: ``6.8.0`` for ``6.8.0-45-generic``."""
    version = re.match(r"[\d.]*\d", platform.release())
    return version[0] if version else platform.release()


def _cpu_name() -> str:
    info = PROC / "cpuinfo"
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
