"""The driver as bench sees it: a process of its own, spoken to in lines of JSON. Never imports Locust."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.model.protocol import Ready, Setup, SliceOrder, SliceResult, SliceResults
from bench.model.reason import Code, Reason, ReasonedError, reason
from bench.servers.processes import ProcessGroup, clean_environment, stop

LAST_WORDS_S = 2.0
"""How long a driver that says no more may take to end and to log why."""

_Message = TypeVar("_Message", Ready, SliceResults)


class DriverFailed(ReasonedError):
    """The driver ended or said something else; the reason has the end of its log."""


class Driver:
    """A running driver: it is set up once, and then plays as many slices as wanted."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Returns its process id."""
        return self._process.pid

    def setup(self, setup: Setup) -> Ready:
        """Tells it the targets, and waits until its users are there. Raises DriverFailed."""
        self._send(setup)
        return self._receive(Ready)

    def play(self, order: SliceOrder) -> tuple[SliceResult, ...]:
        """Has it play one slice, and returns what it saw of each Lane. Raises DriverFailed."""
        self._send(order)
        return self._receive(SliceResults).results

    def _send(self, message: Setup | SliceOrder) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(message) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise DriverFailed(self._last_words()) from None

    def _receive(self, kind: type[_Message]) -> _Message:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise DriverFailed(self._last_words())
        try:
            return msgspec.json.decode(line, type=kind)
        except msgspec.DecodeError as error:
            found = repr(line[:80])
            why = reason(Code.DRIVER_NOT_UNDERSTOOD, found=found, expected=kind.__name__, text=str(error))
            raise DriverFailed(why) from None

    def _last_words(self) -> Reason:
        with suppress(subprocess.TimeoutExpired):  # it writes its reason after it has closed its output
            self._process.wait(LAST_WORDS_S)
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return reason(Code.DRIVER_ENDED, text=lines[-1] if lines else None)


@contextmanager
def open_driver(process_group: ProcessGroup, log: Path) -> Iterator[Driver]:
    """Starts a fresh driver, and ends it."""
    with log.open("wb") as errors:
        process = process_group.start(
            (sys.executable, "-m", "bench.driver"),
            env=clean_environment(),
            cwd=log.parent,  # not the project's folder: Locust reads configuration from where it is started
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    try:
        yield Driver(process, log)
    finally:
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):  # it ended before it read what was sent
                pipe.close()
        stop([process])
