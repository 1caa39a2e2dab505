"""Child processes never outlive bench."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.servers.processes import clean_environment, kill, open_process_group, stop, tree

FAMILY = ["/bin/sh", "-c", "sleep 300 & sleep 300 & wait"]

KILLED_HARD = """
import os, sys, time
from pathlib import Path
from bench.servers.processes import clean_environment, open_process_group
with open_process_group() as process_group:
    child = process_group.start({family!r}, env=clean_environment(), cwd=Path("/"))
    time.sleep(0.3)
    print(child.pid, flush=True)
    time.sleep(300)
"""


def gone(pids: list[int], within_s: float = 10.0) -> bool:
    """Waits until none of the processes runs any more."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def family_of(pid: int) -> list[int]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and len(tree(pid)) < 3:
        time.sleep(0.01)
    return [process.pid for process in tree(pid)]


def test_sigkill_of_bench_kills_children_and_grandchildren() -> None:
    """Nothing that was started runs on when bench gets a signal that it cannot handle."""
    script = KILLED_HARD.format(family=FAMILY)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as bench:
        assert bench.stdout is not None
        pids = family_of(int(bench.stdout.readline()))
        assert len(pids) == 3
        bench.kill()
        bench.wait()
    assert gone(pids)


def test_a_group_ends_with_its_block(tmp_path: Path) -> None:
    """What is left of a group is killed at the end of the with statement, also when it ends by an exception."""

    def fail() -> None:
        with open_process_group() as process_group:
            pids.extend(family_of(process_group.start(FAMILY, env=clean_environment(), cwd=tmp_path).pid))
            raise RuntimeError

    pids: list[int] = []
    with pytest.raises(RuntimeError):
        fail()
    assert len(pids) == 3
    assert gone(pids)


def test_stop_ends_whole_families_even_deaf_ones(tmp_path: Path) -> None:
    """stop() ends children of children, and kills what ignores the request to end."""
    deaf = ["/bin/sh", "-c", "trap '' TERM; sleep 300 & sleep 300 & wait; wait"]
    with open_process_group() as process_group:
        processes = [process_group.start(command, env=clean_environment(), cwd=tmp_path) for command in (FAMILY, deaf)]
        pids = [pid for process in processes for pid in family_of(process.pid)]
        stop(processes)
        assert gone(pids, within_s=1)
        assert all(process.returncode is not None for process in processes)


def test_stop_accepts_what_has_ended(tmp_path: Path) -> None:
    """A server that died by itself is no error at the end of a round."""
    with open_process_group() as process_group:
        process = process_group.start(["/bin/true"], env=clean_environment(), cwd=tmp_path)
        process.wait()
        stop([process])
    assert process.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("stat", [None, "cpu 1 1 1 1\n"])
def test_families_are_found_and_ended_where_the_boot_is_not_told(
    stat: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without /proc/stat, or without a time in it, a process has the descendants that it has with it."""
    with open_process_group() as process_group:
        process = process_group.start(
            ["/bin/sh", "-c", "sh -c 'sleep 300 & wait' & wait"], env=clean_environment(), cwd=Path("/")
        )
        pids = family_of(process.pid)
        for pid in (os.getpid(), *pids):
            (tmp_path / str(pid)).symlink_to(f"/proc/{pid}")
        if stat:
            (tmp_path / "stat").write_text(stat)
        monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
        assert sorted(member.pid for member in tree(process.pid)) == sorted(pids)
        assert {member.pid for member in tree(os.getpid())} == {os.getpid(), *pids}
        stop([process])
        monkeypatch.undo()
        assert gone(pids, within_s=10)
        assert tree(process.pid) == []


def test_ctrl_c_on_the_terminal_reaches_bench_alone(tmp_path: Path) -> None:
    """Children are in a group of their own, so that bench can still ask them for what they know."""
    with open_process_group() as process_group:
        child = process_group.start(["/bin/sleep", "300"], env=clean_environment(), cwd=tmp_path)
        assert os.getpgid(child.pid) != os.getpgid(0)
        assert child.poll() is None


def test_the_environment_is_scrubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that change servers or driver do not pass."""
    hostile = ("GUNICORN_CMD_ARGS", "WEB_CONCURRENCY", "UVICORN_LOOP", "PORT", "OTEL_SDK", "PYTHONPATH", "LOCUST_USERS")
    for name in hostile:
        monkeypatch.setenv(name, "1")
    assert not set(hostile) & clean_environment().keys()
    assert clean_environment(OWN="yes")["OWN"] == "yes"


def test_processes_are_killed_with_all_their_descendants() -> None:
    """At once, whatever they would do when asked to end; one that has ended already is fine."""
    with open_process_group() as process_group:
        deaf = ["/bin/sh", "-c", "trap '' TERM; sleep 300 & sleep 300 & wait"]
        process, done = (
            process_group.start(each, env=clean_environment(), cwd=Path("/")) for each in (deaf, ["/bin/true"])
        )
        pids = family_of(process.pid)
        assert len(pids) == 3
        done.wait()
        kill([process, done])
        assert process.returncode == -9
        assert gone(pids)
