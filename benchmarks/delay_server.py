"""A server with known delays, to hold the driver's latencies against: ``python benchmarks/delay_server.py --core 0``.

It prints its port, and answers each path after delays of its own, counted from when the request arrived. It has one
thread, which never sleeps, so it needs a core for itself. A line on standard input asks for what it has served since
the last line; the sequences of delays then begin anew, the same ones. The end of the input ends it.
"""

import argparse
import gc
import os
import random
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from heapq import heappop, heappush
from math import exp
from pathlib import Path
from time import sleep, time_ns

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

HOST = "127.0.0.1"
NS_PER_MS = 1_000_000
TIMESTAMPNS = 35
"""Linux's SO_TIMESTAMPNS (socket(7)): the kernel notes when bytes arrive, on the clock of the day."""
TIMESPEC = struct.Struct("@ll")
STALL_S = 1.0
STALL_AT = 1000
"""Reading so many requests of its path makes the whole server stand still, once."""
SEED = 1
Values = NDArray[np.float64]
BODY = b"Hello, user00!"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)

DELAYS_MS: dict[str, Callable[[random.Random], float]] = {
    "constant": lambda _: 5.0,
    "bimodal": lambda rng: 1.0 if rng.random() < 0.8 else 10.0,
    "lognormal": lambda rng: 2.0 * exp(rng.gauss(0, 0.6)),
    "stall": lambda _: 1.0,
}
"""By path. The log-normal one has a median of 2 ms."""


class Served(Struct, frozen=True, array_like=True):
    """One request: when it arrived and its answer went out, on the clock of the day, and the delay that it was given.

    A client can't have sent it later, nor have the answer earlier.
    """

    arrived_ns: int
    written_ns: int
    delay_ns: int


class Behaviour:
    """What one path does: a sequence of delays, and what was served with it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.restart()

    def restart(self) -> None:
        """Forgets what was served, and begins the sequence anew."""
        self._rng = random.Random(SEED)  # noqa: S311 - a sequence that can be repeated
        self._read = 0
        self.served: list[Served] = []

    def next_delay_ns(self) -> int:
        """Returns the delay of the request that was just read, after the stall where it sets that off."""
        self._read += 1
        if self._path == "stall" and self._read == STALL_AT:
            sleep(STALL_S)
        return round(DELAYS_MS[self._path](self._rng) * NS_PER_MS)


class Server:
    """Polls its sockets and a heap of answers that are due, and never sleeps: a timer would be late."""

    def __init__(self) -> None:
        self._listener = socket.create_server((HOST, 0), backlog=512)
        self._poll = select.epoll()
        self._peers: dict[int, socket.socket] = {}
        self._due: list[tuple[int, int, int, Behaviour]] = []
        self._behaviours = {path: Behaviour(path) for path in DELAYS_MS}
        for fd in (self._listener.fileno(), sys.stdin.fileno()):
            self._poll.register(fd, select.EPOLLIN)

    def run(self) -> None:
        """Serves until standard input ends."""
        self._say(self._listener.getsockname()[1])
        gc.collect()
        gc.disable()  # what is kept of each request is no garbage, and looking through it would be a stall
        while True:
            for fd, _ in self._poll.poll(0):
                if fd in self._peers:
                    self._read(fd)
                elif fd == self._listener.fileno():
                    self._accept()
                elif not self._report():
                    return
            self._write_what_is_due()

    def _accept(self) -> None:
        peer, _ = self._listener.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform == "linux":
            peer.setsockopt(socket.SOL_SOCKET, TIMESTAMPNS, 1)
        self._peers[peer.fileno()] = peer
        self._poll.register(peer.fileno(), select.EPOLLIN)

    def _read(self, fd: int) -> None:
        # A request of a load generator comes whole and alone: it is short, and the next one waits for its answer.
        try:
            request, messages, _, _ = self._peers[fd].recvmsg(16_384, socket.CMSG_SPACE(TIMESPEC.size))
        except ConnectionError:
            request, messages = b"", []
        if not request:
            self._peers.pop(fd).close()
            return
        behaviour = self._behaviours[request.split(b" ", 2)[1].decode().strip("/")]
        arrived_ns = _stamp_ns(messages)
        due_ns = arrived_ns + behaviour.next_delay_ns()
        heappush(self._due, (due_ns, arrived_ns, fd, behaviour))

    def _write_what_is_due(self) -> None:
        while self._due and self._due[0][0] <= time_ns():
            due_ns, arrived_ns, fd, behaviour = heappop(self._due)
            if fd in self._peers:
                written_ns = time_ns()
                with suppress(ConnectionError):
                    self._peers[fd].send(ANSWER)
                    behaviour.served.append(Served(arrived_ns, written_ns, due_ns - arrived_ns))

    def _report(self) -> bool:
        """Says what was served since the last time, by path; returns False where nobody asks any more."""
        if not os.read(sys.stdin.fileno(), 4096):
            return False
        self._say({path: behaviour.served for path, behaviour in self._behaviours.items()})
        for behaviour in self._behaviours.values():
            behaviour.restart()
        return True

    def _say(self, message: object) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
        sys.stdout.flush()


def _stamp_ns(messages: list[tuple[int, int, bytes]]) -> int:
    """Returns when the kernel took a request in; now, where it did not say.

    The driver reads such stamps too, with code of its own: a mistake there must not be in the truth as well.
    """
    for _, _, stamp in messages:
        seconds, ns = TIMESPEC.unpack(stamp)
        return int(seconds * 1_000_000_000 + ns)
    return time_ns()


class DelayServer:
    """A running server, as its clients see it."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.port: int = msgspec.json.decode(self._line(), type=int)

    @property
    def pid(self) -> int:
        """Returns its process id."""
        return self._process.pid

    def served(self) -> dict[str, list[Served]]:
        """Returns what was served since this was asked last, by path, in the order of writing; sequences begin anew."""
        assert self._process.stdin
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._line(), type=dict[str, list[Served]])

    def _line(self) -> bytes:
        assert self._process.stdout
        line: bytes = self._process.stdout.readline()
        return line


@contextmanager
def delay_server(cores: Sequence[int] = ()) -> Iterator[DelayServer]:
    """Starts a server on the first of these cores, or wherever there is room; ends it."""
    core = [f"--core={core}" for core in cores[:1]]
    with subprocess.Popen(
        [sys.executable, Path(__file__), *core], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield DelayServer(process)


# What a client should have seen, from what the server knows.


def delays_ms(served: Sequence[Served]) -> Values:
    """Returns the delays that were imposed."""
    return np.array([one.delay_ns for one in served]) / NS_PER_MS


def service_ms(served: Sequence[Served]) -> Values:
    """Returns the times from a request's arrival to the writing of its answer, by the server's own clock."""
    return np.array([one.written_ns - one.arrived_ns for one in served]) / NS_PER_MS


def from_intended_ms(served: Sequence[Served], rate_rps: float) -> Values:
    """Returns the times from the intended starts of an open load to the written answers.

    The i-th request to arrive was due i / rate after the first. When the first was due is not the server's to know: it
    is taken from the request that arrived least late.
    """
    in_order = sorted(served, key=lambda one: one.arrived_ns)
    arrived_ns = np.array([one.arrived_ns for one in in_order])
    written_ns = np.array([one.written_ns for one in in_order])
    after_first_ns = np.arange(len(in_order)) * 1e9 / rate_rps
    first_due_ns = (arrived_ns - after_first_ns).min()
    latencies: Values = (written_ns - after_first_ns - first_due_ns) / NS_PER_MS
    return latencies


def quantile(values: Values, percentile: float) -> float:
    """Returns the value whose rank is nearest to so many per cent of their number, as an HdrHistogram defines it."""
    rank = max(1, int(len(values) * percentile / 100 + 0.5))
    return float(np.sort(values)[rank - 1])


def main() -> None:
    """Serves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core", type=int, help="the core to run on (default: any)")
    core = parser.parse_args().core
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [core])
    Server().run()


if __name__ == "__main__":
    main()
