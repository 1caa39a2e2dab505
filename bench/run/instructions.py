"""Instructions per request: an App's callable is asked in process, under valgrind's callgrind, which counts them all.

callgrind runs the program on a processor of its own making, one instruction after the other, so the count does not
depend on what else the machine does (Valgrind User Manual, section 6, "Callgrind").
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.model.experiment import Interface, Lane, Workload
from bench.model.metrics import INSTRUCTIONS
from bench.model.reason import Code, Reason, Unknown, reason
from bench.model.records import Observation
from bench.servers.launch import SERVERSIDE
from bench.servers.processes import ProcessGroup, stop

PROGRAM = SERVERSIDE / "bench_requests.py"
COUNTS = (25, 125)
"""n and 5n requests: what is between the two is counted, so that start-up and the first requests cancel."""
MARK = "getppid"
"""The C function that the program calls at each of these counts, and at which callgrind writes down its sum."""
TIMEOUT_S = 300.0
"""A count takes some seconds of CPU time; a machine that is busy makes it longer, not different."""
POLL_S = 0.05

_SUM = re.compile(r"^summary: (\d+)$", re.MULTILINE)
_VALGRIND_SAYS = re.compile(r"^==\d+== ?", re.MULTILINE)


class Work(Struct, frozen=True):
    """What the program that runs in the App's environment is told."""

    application: str
    adapter: str | None
    interface: Interface
    requests: tuple[tuple[str, str], ...]
    counts: tuple[int, int]


class Subject(Struct, frozen=True):
    """A callable to be counted: the interpreter of its environment, its folder, its variables, and what to ask."""

    python: Path
    folder: Path
    environment: Mapping[str, str]
    work: Work


def subject(
    lane: Lane, workload: Workload, *, programs: Path, app_folder: Path, environment: Mapping[str, str]
) -> Subject:
    """Returns what is to be counted for a Lane; equal for all Lanes that serve the same callable.

    ``environment`` is that of the Lane's server. Hashes are the same in every process, unlike a server's.
    """
    return Subject(
        python=programs / "python",
        folder=app_folder,
        environment={**environment, "PYTHONHASHSEED": "0"},
        work=Work(
            application=lane.application,
            adapter=lane.adapter.callable if lane.adapter else None,
            interface=lane.server.interface,
            requests=tuple((target, body.decode()) for target, body in workload.load_requests()),
            counts=COUNTS,
        ),
    )


def count(subjects: Mapping[str, Subject], process_group: ProcessGroup, scratch: Path) -> Iterator[Observation]:
    """Yields the instructions per request of every Lane, by its name, as soon as they are known.

    Equal subjects are counted once, and as many at once as there are cores. A Lane without a count has the reason.
    """
    if shutil.which("valgrind") is None:
        yield from _observations(Unknown(reason(Code.NO_VALGRIND)), subjects)
        return
    waiting = distinct(subjects.values())
    cores, running = free_cores(), list[_Counting]()
    try:
        while waiting or running:
            while waiting and cores:
                running.append(_Counting(waiting.pop(0), cores.pop(0), process_group, scratch))
            time.sleep(POLL_S)
            for done in [counting for counting in running if counting.is_over()]:
                running.remove(done)
                cores.append(done.core)
                lanes = [lane for lane, found in subjects.items() if found == done.subject]
                yield from _observations(done.result(), lanes)
    finally:
        stop(counting.process for counting in running)


def distinct(subjects: Iterable[Subject]) -> list[Subject]:
    """Returns every subject once, in order."""
    found: list[Subject] = []
    for candidate in subjects:
        if candidate not in found:
            found.append(candidate)
    return found


def command(python: Path, profile: Path, core: int | None) -> tuple[str, ...]:
    """Returns the command line that counts, and writes the parts between the marks to ``profile``."""
    pinned = () if core is None else (str(core),)
    return (
        "valgrind",
        "--tool=callgrind",
        "--command-line-only=yes",  # no .valgrindrc
        "--quiet",
        f"--dump-before={MARK}",
        "--combine-dumps=yes",
        f"--callgrind-out-file={profile}",
        str(python),
        str(PROGRAM),
        *pinned,
    )


def per_request(profile: str) -> float | Unknown:
    """Returns instructions per request from what callgrind wrote: start-up, the counted part, and the end.

    Unknown where there are other parts (Valgrind User Manual, "Callgrind Format Specification": ``summary``).
    """
    sums = [int(found) for found in _SUM.findall(profile)]
    requests, expected = COUNTS[1] - COUNTS[0], len(COUNTS) + 1
    if len(sums) != expected:
        return Unknown(reason(Code.PROFILE_INCOMPLETE, found=len(sums), expected=expected, requests=requests))
    return sums[1] / requests


def why(log: str, exit_code: int) -> Reason:
    """Returns the reason why the program ended early: the last line that it, or valgrind, wrote."""
    lines = [line for line in _VALGRIND_SAYS.sub("", log).splitlines() if line.strip()]
    return reason(Code.SAID, text=lines[-1].strip()) if lines else reason(Code.VALGRIND_FAILED, exit_code=exit_code)


def free_cores() -> list[int | None]:
    """Returns the cores to count on, one count on each; unnamed where processes cannot be pinned."""
    if sys.platform == "linux":
        return [*sorted(os.sched_getaffinity(0))]
    return [None] * (os.cpu_count() or 1)


class _Counting:
    """A count that is under way on a core."""

    def __init__(self, subject: Subject, core: int | None, process_group: ProcessGroup, scratch: Path) -> None:
        self.subject = subject
        self.core = core
        self._folder = scratch / f"instructions-{time.monotonic_ns()}"
        self._deadline_s = time.monotonic() + TIMEOUT_S
        self.process = self._start(process_group)

    def is_over(self) -> bool:
        """Returns whether it has ended, or has to be ended."""
        return self.process.poll() is not None or time.monotonic() > self._deadline_s

    def result(self) -> float | Unknown:
        """Returns instructions per request, or why there is no count; ends what is late."""
        exit_code = self.process.poll()
        if exit_code is None:
            stop([self.process])
            return Unknown(reason(Code.COUNT_TIMED_OUT, timeout_s=TIMEOUT_S))
        if exit_code:
            return Unknown(why(self._log.read_text(errors="replace"), exit_code))
        return per_request(self._profile.read_text(errors="replace"))

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    @property
    def _profile(self) -> Path:
        return self._folder / "profile"

    def _start(self, process_group: ProcessGroup) -> "subprocess.Popen[bytes]":
        self._folder.mkdir()
        work = self._folder / "work.json"
        work.write_bytes(msgspec.json.encode(self.subject.work))
        with work.open("rb") as standard_input, self._log.open("wb") as log:
            return process_group.start(
                command(self.subject.python, self._profile, self.core),
                env=self.subject.environment,
                cwd=self.subject.folder,
                stdin=standard_input.fileno(),
                stdout=log,
                stderr=log,
            )


def _observations(found: float | Unknown, lanes: Iterable[str]) -> Iterator[Observation]:
    value, why_none = (None, found.reason) if isinstance(found, Unknown) else (found, None)
    yield from (Observation(lane=lane, metric=INSTRUCTIONS, value=value, reason=why_none) for lane in lanes)
