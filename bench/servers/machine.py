"""What this machine is, which cores are whose, and the counters that the kernel keeps of processes and cores."""

import contextlib
import os
import platform
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import psutil
from msgspec import Struct

from bench.model.reason import Code, Unknown, reason
from bench.model.records import Machine

PROC = Path("/proc")
TOPOLOGY = Path("/sys/devices/system/cpu")


_Number = TypeVar("_Number", int, float)
UNREADABLE = Unknown(reason(Code.UNREADABLE))


class Used(Struct, frozen=True):
    """What a set of processes used between two readings of their Counters."""

    cpu_ns: int | Unknown
    run_queue_ns: int | Unknown


class Counters(Struct, frozen=True):
    """Of a set of processes, since they started: CPU time, and time spent runnable but waiting for a core.

    None is what one has ended of, or the system does not tell.
    """

    cpu_ns: int | None
    run_queue_ns: int | None

    def since(self, before: "Counters") -> Used:
        """Returns what was used since an earlier reading."""
        return Used(difference(before.cpu_ns, self.cpu_ns), difference(before.run_queue_ns, self.run_queue_ns))


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


def counters(pids: Iterable[int]) -> Counters:
    """Returns the counters of processes, in ns. None where one has ended, or the system does not tell.

    CPU time comes from each process's own CPU clock, which keeps the time of threads that have ended (asgiref starts a
    thread for each request of a Django App, so summing the threads' ``schedstat`` would lose it). The time on the run
    queue is only in ``/proc/<pid>/task/<tid>/schedstat`` (kernel documentation, scheduler/sched-stats), and is that of
    the threads there are.
    """
    processes = list(pids)
    if sys.platform != "linux":
        return Counters(_cpu_ns_from_ticks(processes), None)
    return Counters(_cpu_ns(processes), _run_queues_ns(processes))


def rss_bytes(pids: Iterable[int]) -> int | Unknown:
    """Returns the resident memory of processes, shared pages counted in each.

    Unknown where a process has ended, none was found, or the system does not tell.
    """
    try:
        return sum(psutil.Process(pid).memory_info().rss for pid in pids) or UNREADABLE
    except (OSError, psutil.Error):
        return UNREADABLE


def pss_bytes(pids: Iterable[int]) -> int | Unknown:
    """Returns the memory of processes, each shared page divided among those that share it (proc(5), smaps_rollup).

    Unknown where a process has ended, none was found, or the system does not tell.
    """
    try:
        return sum(_pss_kib(pid) for pid in pids) * 1024 or UNREADABLE
    except (OSError, StopIteration):
        return UNREADABLE


def steal_s(cores: Iterable[int]) -> float | None:
    """Returns the time that the hypervisor took from these cores since boot, in s (ticks of 10 ms); None if unknown."""
    stat = PROC / "stat"
    wanted = {f"cpu{core}" for core in cores} or {"cpu"}
    try:
        rows = [line.split() for line in stat.read_text().splitlines()]
    except OSError:
        return None
    ticks = [int(row[8]) for row in rows if row and row[0] in wanted and len(row) > 8]
    return sum(ticks) / os.sysconf("SC_CLK_TCK") if ticks else None


def difference(before: _Number | None, after: _Number | None) -> _Number | Unknown:
    """Returns how far a counter went; Unknown where it could not be read or went backwards."""
    if before is None or after is None:
        return UNREADABLE
    if after < before:
        return Unknown(reason(Code.COUNTER_WENT_BACKWARDS, before=before, after=after))
    return after - before


def _pin_threads(pid: int, cores: set[int]) -> None:
    for thread in _threads(pid):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(thread, cores)


def _cpu_ns(pids: list[int]) -> int | None:
    try:
        return sum(time.clock_gettime_ns(_process_cpu_clock(pid)) for pid in pids)
    except OSError:
        return None


def _run_queues_ns(pids: list[int]) -> int | None:
    try:
        waits_ns = [_run_queue_ns(pid, thread) for pid in pids for thread in _threads(pid)]
    except (OSError, ValueError):
        return None
    return None if None in waits_ns else sum(wait_ns or 0 for wait_ns in waits_ns)


def _threads(pid: int) -> list[int]:
    return [int(thread.name) for thread in (PROC / str(pid) / "task").iterdir()]


def _process_cpu_clock(pid: int) -> int:
    """Returns the id of a process's CPU clock, as clock_getcpuclockid(3) makes it: the scheduler's count, in ns."""
    return (~pid << 3) | 2


def _run_queue_ns(pid: int, thread: int) -> int | None:
    """Returns how long a thread has waited for a core; 0 for one that has just ended, None without schedstat."""
    try:
        _, wait_ns, _ = (PROC / str(pid) / "task" / str(thread) / "schedstat").read_text().split()
    except FileNotFoundError:
        return None if (PROC / str(pid) / "task" / str(thread)).exists() else 0
    except ProcessLookupError:
        return 0
    return int(wait_ns)


def _cpu_ns_from_ticks(pids: list[int]) -> int | None:
    try:
        times = [psutil.Process(pid).cpu_times() for pid in pids]
    except psutil.NoSuchProcess:
        return None
    return int(1e9 * sum(time.user + time.system for time in times))


def _pss_kib(pid: int) -> int:
    lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _kernel_version() -> str:
    """Returns the kernel's version without what its builder added: ``6.8.0`` for ``6.8.0-45-generic``."""
    version = re.match(r"[\d.]*\d", platform.release())
    return version[0] if version else platform.release()


def _cpu_name() -> str:
    info = PROC / "cpuinfo"
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
