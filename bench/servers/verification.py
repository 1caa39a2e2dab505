"""Checks over a real connection that a running Lane answers the whole workload, byte for byte."""

import http.client
from collections.abc import Iterator
from contextlib import closing

from msgspec import Struct

from bench.model.experiment import Workload
from bench.model.reason import Code, Reason, reason

TIMEOUT_S = 10.0


class VerificationFailed(Exception):
    """An answer is not what the workload says; the reason has the request, what was found and what was expected."""

    def __init__(self, why: Reason) -> None:
        super().__init__(why)
        self.reason = why


class Answer(Struct, frozen=True):
    """A whole response. Header names are in the case in which they came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Returns the values of a header."""
        return [value for found, value in self.headers if found.lower() == name]


def verify(host: str, port: int, workload: Workload) -> Answer:
    """Asks everything on one kept-alive connection, and returns the first right answer. Raises VerificationFailed."""
    with closing(http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)) as connection:
        answers = [_greeting(connection, workload, name) for name in _names(workload)]
        for target in workload.not_found:
            _expect("GET", target, ask(connection, "GET", target), "status", 404)
        for method in workload.not_allowed:
            target, _ = workload.request(workload.names[0])
            _expect(method, target, ask(connection, method, target), "status", 405)
    return answers[0]


def _names(workload: Workload) -> Iterator[str]:
    yield from workload.names
    if workload.longest_name:
        yield workload.longest_name * "n"
        yield workload.longest_name * "🦄"


def _greeting(connection: http.client.HTTPConnection, workload: Workload, name: str) -> Answer:
    target, body = workload.request(name)
    answer = ask(connection, "GET", target)
    _expect("GET", target, answer, "status", 200)
    _expect("GET", target, answer, "body", body)
    for header, value in (("content-type", workload.content_type), ("content-length", str(len(body)))):
        if answer.values(header) != [value]:
            raise VerificationFailed(_differs("GET", target, header, answer.values(header), [value]))
    if connection.sock is None:
        raise VerificationFailed(reason(Code.CONNECTION_CLOSED, request=_request("GET", target)))
    return answer


def ask(connection: http.client.HTTPConnection, method: str, target: str) -> Answer:
    """Sends one request as it stands, and returns the whole answer. Raises VerificationFailed."""
    try:
        connection.request(method, target)
        response = connection.getresponse()
        return Answer(response.status, tuple(response.getheaders()), response.read())
    except (OSError, http.client.HTTPException) as error:
        why = reason(Code.REQUEST_FAILED, request=_request(method, target), text=repr(error))
        raise VerificationFailed(why) from error


def _expect(method: str, target: str, answer: Answer, what: str, expected: int | bytes) -> None:
    found = getattr(answer, what)
    if found != expected:
        raise VerificationFailed(_differs(method, target, what, found, expected))


def _differs(method: str, target: str, part: str, found: object, expected: object) -> Reason:
    return reason(
        Code.ANSWER_DIFFERS,
        request=_request(method, target),
        part=part,
        found=_short(repr(found)),
        expected=_short(repr(expected)),
    )


def _request(method: str, target: str) -> str:
    return f"{method} {_short(target)}"


def _short(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
