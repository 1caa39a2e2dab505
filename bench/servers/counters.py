"""The counters that the kernel keeps of processes and cores: CPU time, time on the run queue, memory, steal."""

import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import psutil
from msgspec import Struct

from bench.model.reason import Code, Unknown, reason

PROC = Path("/proc")

_Number = TypeVar("_Number", int, float)
_Count = TypeVar("_Count", int | None, int | Unknown)

UNREADABLE = Unknown(reason(Code.UNREADABLE))


class Kept(Struct, Generic[_Count], frozen=True):
    """What the kernel counts of a set of processes: CPU time, and time spent runnable but waiting for a core.

    A field here is in the records of slices, as ``server_<field>``, and as ``driver_<field>`` where they have that.
    """

    cpu_ns: _Count
    run_queue_ns: _Count


class Used(Kept[int | Unknown], frozen=True):
    """What processes used between two readings of their Counters."""


class Counters(Kept[int | None], frozen=True):
    """One reading: since the processes started. None is what one has ended of, or the system does not tell."""

    def since(self, before: "Counters") -> Used:
        """Returns what was used since an earlier reading."""
        return Used(**{name: difference(getattr(before, name), getattr(self, name)) for name in Used.__struct_fields__})


class ProcessMemory(Struct, frozen=True):
    """The memory of a set of processes at one moment: each field is in the records of slices, as ``server_<field>``."""

    rss_bytes: int | Unknown
    pss_bytes: int | Unknown


def read(pids: Iterable[int]) -> Counters:
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


def memory(pids: Sequence[int]) -> ProcessMemory:
    """Returns the memory of processes, each value unknown by itself."""
    return ProcessMemory(rss_bytes(pids), pss_bytes(pids))


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


def _cpu_ns(pids: list[int]) -> int | None:
    try:
        return sum(time.clock_gettime_ns(_process_cpu_clock(pid)) for pid in pids)
    except OSError:
        return None


def _run_queues_ns(pids: list[int]) -> int | None:
    try:
        waits_ns = [_run_queue_ns(pid, thread) for pid in pids for thread in threads_of(pid)]
    except (OSError, ValueError):
        return None
    return None if None in waits_ns else sum(wait_ns or 0 for wait_ns in waits_ns)


def threads_of(pid: int) -> list[int]:
    """Returns the ids of a process's threads. Raises OSError where it has ended."""
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
