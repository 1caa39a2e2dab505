"""Cores and counters, read from this machine."""

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

from bench.model.reason import Code, Unknown, known, reason
from bench.servers import machine

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

    before = machine.counters([os.getpid()])
    thread = threading.Thread(target=work)
    thread.start()
    burn(0.05)
    time.sleep(0.2)
    after = machine.counters([os.getpid()])
    release.set()
    thread.join()
    assert (known(after.since(before).cpu_ns) or 0) > 0.09e9


@linux
def test_counters_of_a_process_that_ended_are_unknown() -> None:
    """A server that died gives None, not zero and not a traceback."""
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    assert machine.counters([process.pid]) == machine.Counters(None, None)
    assert machine.rss_bytes([process.pid]) == machine.UNREADABLE


@linux
def test_shared_pages_are_divided_in_pss() -> None:
    """PSS is known, above zero, and never above RSS; that of a process that ended is unknown."""
    pss, rss = (known(of([os.getpid()])) for of in (machine.pss_bytes, machine.rss_bytes))
    assert pss is not None
    assert rss is not None
    assert 0 < pss <= rss * 1.01
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    assert machine.pss_bytes([process.pid]) == machine.UNREADABLE


def test_elsewhere_ticks_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Off Linux, CPU time comes from ticks, and the time on the run queue is unknown."""
    monkeypatch.setattr(sys, "platform", "darwin")
    counters = machine.counters([os.getpid()])
    assert counters.cpu_ns is not None
    assert counters.cpu_ns > 0
    assert counters.run_queue_ns is None


@linux
def test_missing_proc_files_are_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A kernel without schedstat, statm, smaps_rollup or /proc/stat gives None, not zero and not a traceback."""
    own = tmp_path / str(os.getpid())
    (own / "task" / "1").mkdir(parents=True)
    (own / "stat").symlink_to(f"/proc/{os.getpid()}/stat")
    monkeypatch.setattr(machine, "PROC", tmp_path)
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    counters = machine.counters([os.getpid()])
    assert counters.cpu_ns is not None
    assert counters.run_queue_ns is None
    assert machine.steal_s([0]) is None
    assert machine.rss_bytes([os.getpid()]) == machine.UNREADABLE
    assert machine.pss_bytes([os.getpid()]) == machine.UNREADABLE


@linux
def test_processes_that_were_not_found_have_no_memory() -> None:
    """That of none is unknown, not zero."""
    assert machine.rss_bytes([]) == machine.UNREADABLE
    assert machine.pss_bytes([]) == machine.UNREADABLE


@linux
def test_cpu_time_of_threads_that_ended_is_kept() -> None:
    """A server that starts a thread for each request still shows all that it used."""
    before = machine.counters([os.getpid()])
    thread = threading.Thread(target=burn, args=(0.1,))
    thread.start()
    thread.join()
    assert (known(machine.counters([os.getpid()]).since(before).cpu_ns) or 0) > 0.09e9


def test_steal_is_that_of_the_named_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The eighth column of /proc/stat, in ticks, summed over the cores that were asked for."""
    steals = {"cpu": 900, "cpu0": 300, "cpu1": 600, "cpu10": 50}
    (tmp_path / "stat").write_text("".join(f"{name} 1 1 1 1 1 1 1 {ticks} 0 0\n" for name, ticks in steals.items()))
    monkeypatch.setattr(machine, "PROC", tmp_path)
    hz = os.sysconf("SC_CLK_TCK")
    assert machine.steal_s([1]) == 600 / hz
    assert machine.steal_s([0, 1]) == 900 / hz
    assert machine.steal_s([]) == 900 / hz


@given(st.none() | st.integers(0, 100), st.none() | st.integers(0, 100))
def test_a_counter_that_goes_backwards_is_unknown(before: int | None, after: int | None) -> None:
    """A difference is never negative, and never made from what is unknown; what it lacks has its reason."""
    found = machine.difference(before, after)
    if before is None or after is None:
        assert found == machine.UNREADABLE
    elif after < before:
        assert found == Unknown(reason(Code.COUNTER_WENT_BACKWARDS, before=before, after=after))
    else:
        assert found == after - before
    assert machine.Counters(after, before).since(machine.Counters(before, before)).cpu_ns == found


@pytest.mark.parametrize(
    ("available", "workers", "siblings", "expected"),
    [
        ({0}, 1, {}, ((), ())),
        ({0, 1}, 1, {}, ((0,), (1,))),
        ({0, 1}, 2, {}, ((), ())),
        ({2, 3, 5}, 2, {}, ((2, 3), (5,))),
        ({0, 1, 2, 3}, 1, {0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}, ((0,), (2,))),
    ],
)
@linux
def test_servers_and_driver_get_cores_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    available: set[int],
    workers: int,
    siblings: dict[int, str],
    expected: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    """Servers and driver share no core, no SMT pair where that can be helped, and nothing is pinned on one core."""
    for core, group in siblings.items():
        folder = tmp_path / f"cpu{core}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(group)
    monkeypatch.setattr(machine, "TOPOLOGY", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: available)
    assert machine.assign_cores(workers) == expected


@linux
def test_pinning_reaches_every_thread() -> None:
    """After pin() each thread of the process may run on the named cores only."""
    core = min(os.sched_getaffinity(0))
    script = (
        "import threading, time\n"
        "for _ in range(3): threading.Thread(target=time.sleep, args=(300,), daemon=True).start()\n"
        "print('up', flush=True)\n"
        "time.sleep(300)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            machine.pin([process.pid], [core])
            threads = os.listdir(f"/proc/{process.pid}/task")  # noqa: PTH208 - names are what is wanted
            assert len(threads) == 4
            assert all(os.sched_getaffinity(int(thread)) == {core} for thread in threads)
        finally:
            process.kill()


def test_pinning_what_has_ended_does_nothing() -> None:
    """A server may die at any time; that is found out by its answers."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    machine.pin([process.pid], [0])


@pytest.mark.parametrize(
    ("release", "said"), [("6.8.0-45-generic", "6.8.0"), ("6.18", "6.18"), ("5.4.0_custom", "5.4.0"), ("next", "next")]
)
def test_a_kernel_is_named_without_its_builder(monkeypatch: pytest.MonkeyPatch, release: str, said: str) -> None:
    """What a host adds to its kernel's version says nothing to a reader, and names the host."""
    monkeypatch.setattr("platform.release", lambda: release)
    assert machine.describe(1).system.split()[1] == said


def test_the_machine_is_described_without_naming_it() -> None:
    """What goes into a manifest says what the machine is, not whose it is."""
    described = machine.describe(workers=1)
    assert described.cores >= 1
    assert described.cpu
    assert os.uname().nodename not in (described.cpu, described.system)
