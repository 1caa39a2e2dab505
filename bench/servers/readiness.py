"""When a started server answers: any answer, and the first right one."""

import http.client
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing

from msgspec import Struct

from bench.servers.launch import HOST, Running

POLL_S = 0.002
"""How often a starting server is asked whether it answers: what a first answer's time can be late by."""


class NotReady(Exception):
    """A server ended, or did not answer in time; the message says which."""


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
