"""Counters of processes and cores, read from this machine."""

import mmap
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from bench.model.reason import Code, Unknown, known, reason
from bench.servers import counters


def reading(count: int | None) -> counters.Counters:
    """Returns counters that all say the same."""
    return counters.Counters(*[count for _ in counters.Counters.__struct_fields__])


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@linux
def test_cpu_time_of_all_threads_is_counted() -> None:
    """A process's CPU time includes that of its other threads, in ns."""
    release = threading.Event()

    def work() -> None:
        burn(0.05)
        release.wait()

    before = counters.read([os.getpid()])
    thread = threading.Thread(target=work)
    thread.start()
    burn(0.05)
    time.sleep(0.2)
    after = counters.read([os.getpid()])
    release.set()
    thread.join()
    assert (known(after.since(before).cpu_ns) or 0) > 0.09e9


@linux
def test_counters_of_a_process_that_ended_are_unknown() -> None:
    """A server that died gives None, not zero and not a traceback."""
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    assert set(asdict(counters.read([process.pid])).values()) == {None}
    assert counters.rss_bytes([process.pid]) == counters.UNREADABLE


@linux
def test_shared_pages_are_divided_in_pss() -> None:
    """PSS is known, above zero, never above RSS, and grows by what is used; that of a process that ended is unknown."""
    pss, rss = (known(of([os.getpid()])) for of in (counters.pss_bytes, counters.rss_bytes))
    assert pss is not None
    assert rss is not None
    assert 0 < pss <= rss * 1.01
    own = mmap.mmap(-1, 2**25, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # memory that nothing has used before
    for at in range(0, len(own), mmap.PAGESIZE):
        own[at] = 1
    assert (known(counters.pss_bytes([os.getpid()])) or 0) - pss == pytest.approx(len(own), rel=0.2)
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    assert counters.pss_bytes([process.pid]) == counters.UNREADABLE


def test_elsewhere_ticks_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Off Linux, CPU time comes from ticks, and the time on the run queue is unknown."""
    monkeypatch.setattr(sys, "platform", "darwin")
    found = counters.read([os.getpid()])
    assert found.cpu_ns is not None
    assert found.cpu_ns > 0
    assert found.run_queue_ns is None


@linux
def test_missing_proc_files_are_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A kernel without schedstat, statm, smaps_rollup or /proc/stat gives None, not zero and not a traceback."""
    own = tmp_path / str(os.getpid())
    (own / "task" / "1").mkdir(parents=True)
    (own / "stat").symlink_to(f"/proc/{os.getpid()}/stat")
    monkeypatch.setattr(counters, "PROC", tmp_path)
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    found = counters.read([os.getpid()])
    assert found.cpu_ns is not None
    assert found.run_queue_ns is None
    assert counters.steal_s([0]) is None
    assert counters.rss_bytes([os.getpid()]) == counters.UNREADABLE
    assert counters.pss_bytes([os.getpid()]) == counters.UNREADABLE


@linux
def test_processes_that_were_not_found_have_no_memory() -> None:
    """That of none is unknown, not zero."""
    assert counters.rss_bytes([]) == counters.UNREADABLE
    assert counters.pss_bytes([]) == counters.UNREADABLE


@linux
def test_cpu_time_of_threads_that_ended_is_kept() -> None:
    """A server that starts a thread for each request still shows all that it used."""
    before = counters.read([os.getpid()])
    thread = threading.Thread(target=burn, args=(0.1,))
    thread.start()
    thread.join()
    assert (known(counters.read([os.getpid()]).since(before).cpu_ns) or 0) > 0.09e9


def test_steal_is_that_of_the_named_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The eighth column of /proc/stat, in ticks, summed over the cores that were asked for."""
    steals = {"cpu": 900, "cpu0": 300, "cpu1": 600, "cpu10": 50}
    (tmp_path / "stat").write_text("".join(f"{name} 1 1 1 1 1 1 1 {ticks} 0 0\n" for name, ticks in steals.items()))
    monkeypatch.setattr(counters, "PROC", tmp_path)
    hz = os.sysconf("SC_CLK_TCK")
    assert counters.steal_s([1]) == 600 / hz
    assert counters.steal_s([0, 1]) == 900 / hz
    assert counters.steal_s([]) == 900 / hz


@given(st.none() | st.integers(0, 100), st.none() | st.integers(0, 100))
def test_a_counter_that_goes_backwards_is_unknown(before: int | None, after: int | None) -> None:
    """A difference is never negative, and never made from what is unknown; what it lacks has its reason."""
    found = counters.difference(before, after)
    if before is None or after is None:
        assert found == counters.UNREADABLE
    elif after < before:
        assert found == Unknown(reason(Code.COUNTER_WENT_BACKWARDS, before=before, after=after))
    else:
        assert found == after - before
    assert reading(after).since(reading(before)).cpu_ns == found
