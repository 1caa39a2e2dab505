"""What comes back: one whole HTTP/1.1 answer, read in pieces, or recognised because it is known already."""

import re
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

LARGEST_KNOWN_BYTES = 65_536
"""Longer answers are parsed each time: comparing them piece by piece would copy them over and over."""

_DATE_VALUE = re.compile(rb"\r\ndate: *([^\r\n]{29})\r\n", re.IGNORECASE)
"""The one header that changes from second to second; its value always has 29 bytes (RFC 9110, 5.6.7)."""
_FRAMING_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


class RequestError(Exception):
    """A request got no right answer. The message is the short reason that it is counted under."""


class WrongAnswer(RequestError):
    """A whole answer came, and it was not the right one: the connection is still good."""


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """The bytes of a right answer but for the value of its Date header."""

    head: bytes
    tail: bytes
    length: int
    body_length: int

    def matches(self, data: bytes) -> bool:
        """Returns whether ``data`` is this answer, whatever its date."""
        return len(data) == self.length and data.startswith(self.head) and data.endswith(self.tail)

    def is_begun_by(self, data: bytes) -> bool:
        """Returns whether ``data`` is a part of this answer, so that the rest must follow."""
        if len(data) >= self.length:
            return False
        after_date = data[self.length - len(self.tail) :]
        return self.head.startswith(data[: len(self.head)]) and self.tail.startswith(after_date)


def known_answer(data: bytes, body_length: int) -> KnownAnswer | None:
    """Returns how to recognise an answer that was parsed and found right; None where it is too long."""
    if len(data) > LARGEST_KNOWN_BYTES:
        return None
    date = _DATE_VALUE.search(data, 0, data.find(b"\r\n\r\n") + 2)
    start, end = date.span(1) if date else (len(data), len(data))
    return KnownAnswer(data[:start], data[end:], len(data), body_length)


class AnswerParser:
    """Reads exactly one final answer; interim (1xx) answers before it are skipped."""

    def __init__(self) -> None:
        self.is_complete = False
        self.keeps_alive = False
        self.status = 0
        self._pieces: list[bytes] = []
        self._is_framed = False
        self._has_headers = False
        self._parser = HttpResponseParser(self)

    @property
    def body(self) -> bytes:
        """Returns the body as far as it has come, without its chunking."""
        return b"".join(self._pieces)

    def feed(self, data: bytes) -> None:
        """Reads what a socket gave; no bytes mean that the server has closed. Raises RequestError."""
        if not data:
            self._end()
            return
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            raise RequestError("status 101") from None
        except HttpParserError as error:
            raise RequestError("malformed answer") from error

    def _end(self) -> None:
        # Without a length, the body ends where the connection does (RFC 9112, 6.3).
        if not self._has_headers or self._is_framed:
            raise RequestError("connection closed")
        self.is_complete = True

    # What httptools calls. An exception raised in here comes out of feed_data as an HttpParserError.

    def on_message_begin(self) -> None:
        """Refuses a second answer, which can't be told from the answer to the next request."""
        if self.is_complete:
            raise HttpParserError("more than one answer")

    def on_header(self, name: bytes, _value: bytes) -> None:
        """Notes whether the body's end is marked."""
        self._is_framed = self._is_framed or name.lower() in _FRAMING_HEADERS

    def on_headers_complete(self) -> None:
        """Notes the status."""
        self.status = self._parser.get_status_code()
        self._has_headers = True

    def on_body(self, piece: bytes) -> None:
        """Keeps a piece of the body."""
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Ends the answer, unless it was an interim one."""
        is_interim = self.status < 200
        self.is_complete = not is_interim
        self.keeps_alive = self._parser.should_keep_alive()
        if is_interim:
            self._has_headers = self._is_framed = False
