"""The workload is checked to the byte, against servers that break it in one way each."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote

import pytest

from bench.model.experiment import Workload
from bench.servers.verification import VerificationFailed, verify

WORKLOAD = Workload(
    name="hello",
    path="/hello/{name}",
    body="Hello, {name}!",
    content_type="text/plain; charset=utf-8",
    names=("world", "Zoë", "a b", "50%", "🦄"),
    longest_name=1000,
    not_found=("/", "/hello"),
    not_allowed=("POST",),
    load_names=10,
)


class Right(BaseHTTPRequestHandler):
    """Answers the whole workload; subclasses break one thing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        """Says nothing."""

    def do_GET(self) -> None:
        """Greets, or answers 404."""
        name = unquote(self.path.removeprefix("/hello/"))
        if not self.path.startswith("/hello/"):
            self.answer(404, b"")
        else:
            self.answer(200, self.body(name))

    def do_POST(self) -> None:
        """Refuses."""
        self.answer(405, b"")

    def body(self, name: str) -> bytes:
        return f"Hello, {name}!".encode()

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class WrongBody(Right):
    def body(self, name: str) -> bytes:
        return super().body(name).replace("ë".encode(), b"e")


class WrongStatus(Right):
    def answer(self, status: int, body: bytes) -> None:
        super().answer(201 if status == 200 else status, body)


class AnswersPost(Right):
    def do_POST(self) -> None:
        self.answer(200, b"")


class AnswersEverything(Right):
    def do_GET(self) -> None:
        self.answer(200, self.body(unquote(self.path.removeprefix("/hello/"))))


class NoLength(Right):
    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n")


class OtherType(Right):
    def send_header(self, keyword: str, value: str) -> None:
        super().send_header(keyword, "text/plain" if keyword == "Content-Type" else value)


class Closes(Right):
    def answer(self, status: int, body: bytes) -> None:
        self.close_connection = True
        super().answer(status, body)

    def end_headers(self) -> None:
        self.send_header("Connection", "close")
        super().end_headers()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_a_right_app_passes_and_its_answer_is_returned() -> None:
    """The first right answer comes back whole, for the proof of parity."""
    with serving(Right) as port:
        answer = verify("127.0.0.1", port, WORKLOAD)
    assert (answer.status, answer.body) == (200, b"Hello, world!")
    assert answer.values("content-type") == ["text/plain; charset=utf-8"]


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (WrongBody, "body: found b'Hello, Zoe!'"),
        (WrongStatus, "status: found 201, expected 200"),
        (AnswersPost, "POST /hello/world: status: found 200, expected 405"),
        (AnswersEverything, "GET /: status: found 200, expected 404"),
        (NoLength, "content-length: found [], expected ['13']"),
        (OtherType, "content-type: found ['text/plain']"),
        (Closes, "kept alive"),
    ],
)
def test_each_breach_is_named(handler: type[BaseHTTPRequestHandler], said: str) -> None:
    """One line says which request, what was found and what was expected."""
    with serving(handler) as port, pytest.raises(VerificationFailed) as broken:
        verify("127.0.0.1", port, WORKLOAD)
    assert said in str(broken.value)
    assert "\n" not in str(broken.value)


def test_a_server_that_is_not_there_is_a_breach() -> None:
    """A refused connection is told as what it is, without a traceback."""
    with serving(Right) as port:
        pass
    with pytest.raises(VerificationFailed, match="ConnectionRefusedError"):
        verify("127.0.0.1", port, WORKLOAD)


def test_a_long_name_is_shortened_in_the_message() -> None:
    """A breach on a name of 1,000 characters still makes one readable line."""

    class Cut(Right):
        def body(self, name: str) -> bytes:
            return super().body(name[:500])

    with serving(Cut) as port, pytest.raises(VerificationFailed) as broken:
        verify("127.0.0.1", port, WORKLOAD)
    assert re.match(r"GET /hello/n+… \(\d+ characters\): body: found ", str(broken.value))
    assert len(str(broken.value)) < 400
