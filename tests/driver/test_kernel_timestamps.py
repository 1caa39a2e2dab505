"""Bytes arrived when the kernel took them in, however late they are read."""

import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from time import monotonic_ns, sleep, time_ns

import pytest

from bench.driver import kernel_timestamps
from bench.driver.kernel_timestamps import ask_for_arrivals, receive

LIMIT_BYTES = 100
LATE_S = 0.05
HOUR_NS = 3_600 * 10**9

of_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux notes when bytes of a connection arrive")
Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Yields who sends and who receives."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as receiver,
        closing(listener.accept()[0]) as sender,
    ):
        yield sender, receiver


@of_linux
def test_bytes_that_are_read_late_have_arrived_when_they_were_sent(ends: Ends) -> None:
    """The reader slept; that is not the sender's time."""
    sender, receiver = ends
    ask_for_arrivals(receiver)
    before_ns = monotonic_ns()
    sender.sendall(b"answer")
    sleep(LATE_S)
    read_ns = monotonic_ns()
    data, arrived_ns = receive(receiver, LIMIT_BYTES, before_ns)
    assert data == b"answer"
    assert before_ns <= arrived_ns < read_ns


@of_linux
def test_of_several_pieces_the_last_ones_arrival_counts(ends: Ends) -> None:
    """An answer is there when all of it is."""
    sender, receiver = ends
    ask_for_arrivals(receiver)
    sender.sendall(b"an")
    sleep(LATE_S)
    last_ns = monotonic_ns()
    sender.sendall(b"swer")
    data, arrived_ns = receive(receiver, LIMIT_BYTES, 0)
    assert data == b"answer"
    assert arrived_ns >= last_ns


@of_linux
@pytest.mark.parametrize("set_by_ns", [HOUR_NS, -HOUR_NS])
def test_where_the_clock_was_set_meanwhile_bytes_arrived_when_they_were_read(
    ends: Ends, set_by_ns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour on, they would have arrived before they can have been sent; an hour back, after now."""
    sender, receiver = ends
    ask_for_arrivals(receiver)
    monkeypatch.setattr(kernel_timestamps, "time_ns", lambda: time_ns() + set_by_ns)
    sent_ns = monotonic_ns()
    sender.sendall(b"answer")
    sleep(LATE_S)
    read_ns = monotonic_ns()
    _, arrived_ns = receive(receiver, LIMIT_BYTES, sent_ns)
    assert read_ns <= arrived_ns <= monotonic_ns()


def test_where_the_kernel_says_nothing_bytes_arrived_when_they_were_read(ends: Ends) -> None:
    """As on a system that keeps no such notes."""
    sender, receiver = ends
    sender.sendall(b"answer")
    read_ns = monotonic_ns()
    _, arrived_ns = receive(receiver, LIMIT_BYTES, 0)
    assert read_ns <= arrived_ns <= monotonic_ns()


def test_the_end_of_a_connection_is_no_bytes_now(ends: Ends) -> None:
    """No bytes have no arrival of their own."""
    sender, receiver = ends
    ask_for_arrivals(receiver)
    sender.close()
    read_ns = monotonic_ns()
    data, arrived_ns = receive(receiver, LIMIT_BYTES, 0)
    assert data == b""
    assert read_ns <= arrived_ns <= monotonic_ns()
