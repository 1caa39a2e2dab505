"""Child processes that never outlive bench, even when bench is killed with SIGKILL.

All children join one process group, whose leader is a shell that waits for its standard input to close. However bench
ends, the pipe closes, and the shell kills the group: children, their children, and itself.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

STOP_S = 2.0
"""How long a process may take to end when asked, before it is killed."""


class ProcessGroup:
    """The process group that children join."""

    def __init__(self, leader: "subprocess.Popen[bytes]") -> None:
        self._leader = leader

    def start(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdin: int | None = subprocess.DEVNULL,
        stdout: IO[bytes] | int | None = None,
        stderr: IO[bytes] | int | None = None,
    ) -> "subprocess.Popen[bytes]":
        """Starts a child in the group. Raises OSError where the command cannot be started."""
        return subprocess.Popen(
            list(command),
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            process_group=self._leader.pid,
        )


@contextmanager
def open_process_group() -> Iterator[ProcessGroup]:
    """Yields a group for children; kills whatever is left of it at the end."""
    leader = subprocess.Popen(["/bin/sh", "-c", "read -r _; kill -KILL 0"], stdin=subprocess.PIPE, process_group=0)
    try:
        yield ProcessGroup(leader)
    finally:
        leader.communicate()


def tree(pid: int) -> list[psutil.Process]:
    """Returns a process and its descendants; none where it has ended."""
    try:
        root = psutil.Process(pid)
        return [root, *_descendants(root)]
    except psutil.NoSuchProcess:
        return []


def _descendants(root: psutil.Process) -> list[psutil.Process]:
    """Returns a process's descendants. Raises NoSuchProcess where it has ended."""
    try:
        return root.children(recursive=True)
    except (OSError, RuntimeError, psutil.AccessDenied):  # psutil: the system does not tell when it booted
        return _named_by_parents(root.pid)


def _named_by_parents(pid: int) -> list[psutil.Process]:
    """Returns a process's descendants by what every process says of its parent: slower than psutil's own way."""
    children: dict[int, list[psutil.Process]] = {}
    for each in psutil.pids():
        with suppress(psutil.Error):  # it ended just now, or is another user's
            process = psutil.Process(each)
            children.setdefault(process.ppid(), []).append(process)
    found = children.pop(pid, [])
    for member in found:  # which grows: none of them is met twice, whatever the pids say
        found += children.pop(member.pid, [])
    return found


def ended(pids: Iterable[int]) -> list[int]:
    """Returns those of these processes that have ended."""
    return [pid for pid in pids if not psutil.pid_exists(pid)]


def stop(processes: Iterable["subprocess.Popen[bytes]"]) -> None:
    """Ends processes with all their descendants: asks each, waits for all, then kills what is left."""
    roots = list(processes)
    family = [member for root in roots for member in tree(root.pid)]
    for root in roots:
        root.terminate()
    _, alive = psutil.wait_procs(family, timeout=STOP_S)
    for member in alive:
        with suppress(psutil.NoSuchProcess):  # it ended just now
            member.kill()
    for root in roots:
        root.wait()


def kill(processes: Iterable["subprocess.Popen[bytes]"]) -> None:
    """Ends processes with all their descendants without asking: those that have nothing to bring to an end."""
    roots = list(processes)
    for member in [member for root in roots for member in tree(root.pid)]:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    for root in roots:
        root.wait()


def clean_environment(**extra: str) -> dict[str, str]:
    """Returns an environment with nothing in it but what a process needs to start, and ``extra``.

    A list of what may pass, not of what may not: GUNICORN_CMD_ARGS, WEB_CONCURRENCY, UVICORN_*, PORT, OTEL_*,
    PYTHON* and LOCUST_* would each change what is measured.
    """
    passed = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**passed, "LANG": "C.UTF-8", **extra}
