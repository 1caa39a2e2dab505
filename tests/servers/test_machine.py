"""What this machine is, and which of its cores are whose."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.servers import machine

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


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
