"""A connected, non-blocking plain socket, waited for on gevent's hub."""

import errno
import os
import socket
from collections.abc import Sequence
from contextlib import suppress

from gevent import monkey
from gevent.hub import get_hub
from greenlet import getcurrent

from bench.driver.kernel_timestamps import ask_for_arrivals, receive
from bench.driver.prepared_request import Address

READ, WRITE = 1, 2
"""The event masks of gevent's loops."""
RECEIVE_BYTES = 16_384

# gevent's own socket tries each call before it waits: one system call in vain for every answer.
_PlainSocket: type[socket.socket] = monkey.get_original("socket", "socket")


class ClientSocket:
    """An open connection. One greenlet at a time may wait on it."""

    def __init__(self, plain: socket.socket) -> None:
        self._hub = get_hub()
        self._plain = plain
        self._readable = self._hub.loop.io(plain.fileno(), READ)

    def send(self, payload: bytes) -> None:
        """Sends a request. None is under way, so the send buffer is empty and takes this one whole.

        A server that has closed the connection shows when the answer is read.
        """
        try:  # noqa: SIM105  contextlib.suppress takes longer than all the rest of this function but the system call
            self._plain.send(payload)
        except ConnectionError:
            pass

    def read(self, not_before_ns: int) -> tuple[bytes, int]:
        """Waits for bytes and returns them, none at the end of the stream, and when they arrived. Raises OSError.

        They can't have arrived before the request was sent, at ``not_before_ns`` on the monotonic clock.

        It waits first, as nothing can have come yet. ``Hub.wait`` would do the same with a Waiter made for each call.
        """
        while True:
            self._readable.start(getcurrent().switch)
            try:
                self._hub.switch()
            finally:
                self._readable.stop()
            try:
                return receive(self._plain, RECEIVE_BYTES, not_before_ns)
            except BlockingIOError:
                continue  # woken for nothing, which the system is free to do

    def is_stale(self) -> bool:
        """Returns whether the server has closed an idle connection, or sent what nobody asked for."""
        try:
            self._plain.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Closes the connection."""
        self._readable.close()
        self._plain.close()


def connect(addresses: Sequence[Address]) -> ClientSocket:
    """Returns a connection to the first address that takes one; raises the last one's OSError."""
    *others, last = addresses
    for address in others:
        with suppress(OSError):
            return ClientSocket(_connected(address))
    return ClientSocket(_connected(last))


def _connected(address: Address) -> socket.socket:
    family, host_and_port = address
    plain = _PlainSocket(family, socket.SOCK_STREAM)
    try:
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ask_for_arrivals(plain)
        status = plain.connect_ex(host_and_port)
        if status == errno.EINPROGRESS:
            status = _connect_status(plain)
        if status:
            raise OSError(status, os.strerror(status))
    except BaseException:
        plain.close()
        raise
    return plain


def _connect_status(plain: socket.socket) -> int:
    hub = get_hub()
    writable = hub.loop.io(plain.fileno(), WRITE)
    try:
        hub.wait(writable)
    finally:
        writable.close()
    return plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
