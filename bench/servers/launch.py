"""Launches a Lane: its command line and environment are functions of values; a running server is a context manager."""

import http.client
import random
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from msgspec import Struct

from bench.model.experiment import Lane, Serving
from bench.servers.processes import ProcessGroup, clean_environment, stop

HOST = "127.0.0.1"
SERVERSIDE = Path(__file__).parent / "serverside"
ADAPTED = "bench_adapter:application"
PORTS = range(10_000, 32_000)
"""Below the ephemeral range of Linux and macOS, so that no outgoing connection takes a port before its server does."""
LOG_TAIL_LINES = 20
POLL_S = 0.002
"""How often a starting server is asked whether it answers: what a first answer's time can be late by."""


class NotReady(Exception):
    """A server ended, or did not answer in time; the message says which."""


class Launch(Struct, frozen=True):
    """All that it takes to start a Lane: a command, its environment, and the folder to start it in."""

    lane: str
    command: tuple[str, ...]
    environment: dict[str, str]
    folder: Path
    port: int


class Running(Struct, frozen=True):
    """A server process that was started, ready or not yet; ``started_s`` is just before, of ``time.monotonic``."""

    launch: Launch
    process: "subprocess.Popen[bytes]"
    log: Path
    started_s: float

    def log_tail(self) -> str:
        """Returns the last lines that the server wrote."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])


def prepare_launch(lane: Lane, serving: Serving, *, programs: Path, app_folder: Path, port: int) -> Launch:
    """Returns how to start a Lane whose environment has its executables in ``programs``."""
    values = {
        "host": HOST,
        "port": port,
        "application": ADAPTED if lane.adapter else lane.application,
        "serverside": SERVERSIDE,
        "workers": serving.workers,
        "threads": serving.threads,
        "keep_alive_s": serving.keep_alive_s,
        "backlog": serving.backlog,
        "worker_connections": serving.worker_connections,
    }
    program, *arguments = (part.format_map(values) for part in lane.server.command)
    return Launch(
        lane.name, (str(programs / program), *arguments), server_environment(lane, app_folder), app_folder, port
    )


def server_environment(lane: Lane, app_folder: Path) -> dict[str, str]:
    """Returns a Lane's whole environment: the necessary minimum, the App's own, and the adapter's."""
    adapted = {"BENCH_ADAPTER": lane.adapter.callable, "BENCH_APPLICATION": lane.application} if lane.adapter else {}
    path = f"{app_folder}:{SERVERSIDE}"
    return clean_environment(
        PYTHONPATH=path, PYTHONUNBUFFERED="1", PYTHONDONTWRITEBYTECODE="1", **adapted, **lane.app.environment
    )


class Started(Struct, frozen=True):
    """Servers that were told to start, and by Lane why the system refused to start others."""

    running: list[Running]
    refused: dict[str, str]


@contextmanager
def started(launches: Iterable[Launch], process_group: ProcessGroup, logs: Path) -> Iterator[Started]:
    """Starts all servers side by side, and ends them all. They may not be ready yet; one may even have failed."""
    servers = Started([], {})
    try:
        for launch in launches:
            try:
                servers.running.append(start(launch, process_group, logs))
            except OSError as error:
                servers.refused[launch.lane] = refusal(launch, error)
        yield servers
    finally:
        stop(server.process for server in servers.running)


def start(launch: Launch, process_group: ProcessGroup, logs: Path) -> Running:
    """Starts a server, and does not wait for it. Raises OSError where the system refuses."""
    log = logs / f"{launch.lane}.log"
    with log.open("wb") as output:
        started_s = time.monotonic()
        process = process_group.start(
            launch.command, env=launch.environment, cwd=launch.folder, stdout=output, stderr=output
        )
    return Running(launch, process, log, started_s)


def refusal(launch: Launch, error: OSError) -> str:
    """Says why the system refused to start a server."""
    return f"{launch.command[0]}: {error.strerror}, expected the server's program"


def wait_until_ready(process: "subprocess.Popen[bytes]", port: int, target: str, timeout_s: float) -> float:
    """Waits for any HTTP answer, and returns the seconds that it took. Raises NotReady.

    gunicorn listens before its worker has imported the App, so an open port does not say enough.
    """
    began = time.monotonic()
    while time.monotonic() - began < timeout_s:
        code = process.poll()
        if code is not None:
            raise NotReady(f"the server ended with exit code {code} before it was ready")
        if _answers(port, target, timeout_s=1.0):
            return time.monotonic() - began
        time.sleep(0.02)
    raise NotReady(f"no answer in {timeout_s:g} s")


class Answered(Struct, frozen=True):
    """When the first whole right answer came, in s since the server was started, and its bytes, head and body."""

    after_s: float
    size_bytes: int


class FirstAnswer:
    """Asks a server that is starting until it has answered once, whole and right. It never waits."""

    def __init__(self, port: int, target: str, body: bytes) -> None:
        self._address = (HOST, port)
        self._request = f"GET {target} HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode()
        self._body = body
        self._socket: socket.socket | None = None
        self._received = b""

    def poll(self) -> int | None:
        """Returns the size of the right answer in bytes, or None as long as there is none."""
        try:
            self._read()
        except BlockingIOError:
            return None
        except OSError:  # nobody listens yet, or the connection was reset: it is asked anew the next time
            self.close()
            return None
        head, _, body = self._received.partition(b"\r\n\r\n")
        return len(self._received) if head.startswith(b"HTTP/1.1 200 ") and body == self._body else None

    def found(self) -> str:
        """Says what has come so far that is no right answer."""
        first_line, *_ = self._received.decode(errors="replace").splitlines() or ["nothing"]
        return first_line

    def close(self) -> None:
        """Gives up the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _read(self) -> None:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=1.0)
            self._received = b""
            self._socket.sendall(self._request)
            self._socket.setblocking(False)
        piece = self._socket.recv(65_536)
        if not piece:
            raise ConnectionResetError
        self._received += piece


def first_answers(
    servers: Sequence[Running], request: tuple[str, bytes], timeout_s: float
) -> list[Answered | NotReady]:
    """Waits until every server has given its first right answer, and returns when; or else why it gave none."""
    outcomes: dict[int, Answered | NotReady] = {}
    with ExitStack() as stack:
        asking = [stack.enter_context(closing(FirstAnswer(server.launch.port, *request))) for server in servers]
        while len(outcomes) < len(servers):
            for index in range(len(servers)):
                if index not in outcomes and (outcome := _outcome(servers[index], asking[index], timeout_s)):
                    outcomes[index] = outcome
            time.sleep(POLL_S)
    return [outcomes[index] for index in range(len(servers))]


def _outcome(server: Running, asking: FirstAnswer, timeout_s: float) -> Answered | NotReady | None:
    size_bytes, after_s = asking.poll(), time.monotonic() - server.started_s
    if size_bytes is not None:
        return Answered(after_s, size_bytes)
    if (code := server.process.poll()) is not None:
        return NotReady(f"the server ended with exit code {code} before it answered")
    if after_s > timeout_s:
        return NotReady(f"no right answer in {timeout_s:g} s: found {asking.found()}")
    return None


def _answers(port: int, target: str, timeout_s: float) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request("GET", target)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return True
    finally:
        connection.close()


def free_ports(count: int) -> list[int]:
    """Returns different ports that nothing listens on. Raises OSError where there are too few."""
    found: list[int] = []
    for port in random.sample(PORTS, k=len(PORTS)):
        if len(found) == count:
            return found
        if _is_free(port):
            found.append(port)
    raise OSError(f"found {len(found)} free ports between {PORTS.start} and {PORTS.stop}, expected {count}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
