"""Requests made ready to be sent, and where they go."""

import socket
from collections.abc import Iterable
from typing import Any, Self

from gevent import monkey

from bench.driver.response import AnswerParser, KnownAnswer, WrongAnswer, known_answer
from bench.model.protocol import Request, Target

# gevent's resolver would start threads; names are resolved once, before there is any load to hold up.
_getaddrinfo = monkey.get_original("socket", "getaddrinfo")

Address = tuple[socket.AddressFamily, Any]


class PreparedRequest:
    """A request as bytes, and what is known of its right answer. All connections of a lane share it."""

    __slots__ = ("known", "payload", "right_body", "url")

    def __init__(self, request: Request, authority: str) -> None:
        self.url = f"http://{authority}{request.target}"
        self.payload = f"GET {request.target} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
        self.right_body = request.body
        self.known: KnownAnswer | None = None

    def check(self, answer: AnswerParser, data: bytes) -> int:
        """Returns the length of the body, and keeps the answer as the known one; raises WrongAnswer."""
        body = answer.body
        if answer.status >= 400 or (self.right_body is not None and answer.status != 200):
            raise WrongAnswer(f"status {answer.status}")
        if self.right_body is not None and body != self.right_body:
            raise WrongAnswer("wrong body")
        if answer.keeps_alive:
            self.known = known_answer(data, len(body))
        return len(body)


class Destination:
    """A server that listens, and the calls that are made to it in turn."""

    def __init__(self, name: str, host: str, port: int, requests: Iterable[Request]) -> None:
        self.name = name
        self.addresses = _resolve(host, port)
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.calls = tuple(PreparedRequest(request, authority) for request in requests)

    @classmethod
    def of(cls, target: Target) -> Self:
        """Returns a Target's destination; raises OSError where the host has no address."""
        return cls(target.lane, target.host, target.port, target.requests)


def _resolve(host: str, port: int) -> tuple[Address, ...]:
    try:
        found = _getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise OSError(f"{host}: {error.strerror}, expected the name or the address of a host") from None
    return tuple((family, address) for family, _, _, _, address in found)
