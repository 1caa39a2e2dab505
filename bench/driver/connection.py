"""One user's keep-alive HTTP/1.1 connection to one destination."""

import os
from itertools import cycle
from time import monotonic_ns

import gevent

from bench.driver.client_socket import ClientSocket, connect
from bench.driver.prepared_request import Destination, PreparedRequest
from bench.driver.response import AnswerParser, RequestError, WrongAnswer

REOPEN_PAUSE_S = 0.01
"""How long to leave a server alone that took no connection: it refuses at once, and other users must get a turn."""


class _StaleError(Exception):
    """A connection that had served before was closed without a byte of the answer."""


class Connection:
    """Opened when first needed, and again after a close or an error.

    ``sent_ns`` and ``answered_ns`` are those of the last call, on the monotonic clock. Where the connection had to be
    opened first, that falls between the two.
    """

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self.calls = cycle(destination.calls)
        self.sent_ns = 0
        self.answered_ns = 0
        self.bytes_received = 0
        self._socket: ClientSocket | None = None
        self._has_served = False
        self._failed_to_open = False

    def ask(self, call: PreparedRequest) -> int:
        """Makes a call, and returns the length of the body that answered it rightly; raises RequestError."""
        try:
            if self._failed_to_open:
                gevent.sleep(REOPEN_PAUSE_S)
            self.sent_ns = monotonic_ns()
            return self._ask(call)
        except WrongAnswer:
            raise
        except RequestError:
            self._give_up()
            raise
        except OSError as error:
            self._give_up()
            raise RequestError(_reason(error)) from error

    def is_open(self) -> bool:
        """Returns whether the next call finds the connection open, as far as can be told without making it."""
        if self._socket is not None and self._socket.is_stale():
            self.close()
        return self._socket is not None

    def close(self) -> None:
        """Closes the connection; the next call opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _give_up(self) -> None:
        self.answered_ns = monotonic_ns()
        self.close()

    def _open(self) -> ClientSocket:
        self._failed_to_open = True
        self._socket = connect(self.destination.addresses)
        self._failed_to_open = self._has_served = False
        return self._socket

    def _ask(self, call: PreparedRequest) -> int:
        try:
            return self._exchange(self._socket or self._open(), call)
        except _StaleError:
            # A server may close an idle connection just as a request sets out; a GET is then sent once more, on a
            # connection of its own (RFC 9112, 9.3.1). The time that this takes is the request's.
            self.close()
            return self._exchange(self._open(), call)

    def _exchange(self, socket: ClientSocket, call: PreparedRequest) -> int:
        socket.send(call.payload)
        data = self._first_piece(socket)
        known = call.known
        if known is not None:
            while known.is_begun_by(data) and (piece := self._read(socket)):
                data += piece
            if known.matches(data):
                self._has_served = True
                return known.body_length
        return self._parse(socket, call, data)

    def _first_piece(self, socket: ClientSocket) -> bytes:
        try:
            data = self._read(socket)
        except ConnectionError:
            if self._has_served:
                raise _StaleError from None
            raise
        if not data and self._has_served:
            raise _StaleError
        return data

    def _read(self, socket: ClientSocket) -> bytes:
        data, self.answered_ns = socket.read(self.sent_ns)
        self.bytes_received += len(data)
        return data

    def _parse(self, socket: ClientSocket, call: PreparedRequest, data: bytes) -> int:
        answer = AnswerParser()
        pieces = [data]
        answer.feed(data)
        while not answer.is_complete:
            pieces.append(self._read(socket))
            answer.feed(pieces[-1])
        self._has_served = True
        if not answer.keeps_alive:
            self.close()
        return call.check(answer, b"".join(pieces))


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else type(error).__name__
