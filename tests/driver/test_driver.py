"""What the driver promises: every request is checked and counted once, under the right name, and no slice hangs."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic_ns, sleep
from typing import Any, NamedTuple, Self

import gevent
import msgspec
import psutil
import pytest
from gevent.event import Event
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.driver.arrival_schedule import NS_PER_S, Schedule
from bench.driver.histogram import Histogram
from bench.driver.loop_lag import INTERVAL_NS, LoopLagProbe
from bench.driver.response import AnswerParser, RequestError, known_answer
from bench.driver.timer import GeventTimer, Timer, TimerfdTimer
from bench.model.load import Closed, Load, Open
from bench.model.protocol import (
    MAX_LATENCY_US,
    SIGNIFICANT_DIGITS,
    Ready,
    Request,
    Setup,
    SliceOrder,
    SliceResult,
    SliceResults,
    Target,
)

HOST = "127.0.0.1"
BODY = b"Hello, user00!"
DATE = b"Mon, 23 Nov 2026 08:34:10 GMT"
LOCUSTFILE = Path(__file__).parent.parent.parent / "bench" / "driver" / "locustfile.py"
USERS = 4
CONNECTIONS = 6

unhurried = settings(deadline=None)  # a busy machine may take its time over an example


# A server with known behaviours: the first part of the path says which.


def answer(body: bytes = BODY, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 %s\r\nDate: %s\r\n%s%s\r\n%s" % (status, DATE, length, headers, body)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nHello, \r\n7\r\nuser00!\r\n0\r\n\r\n"
UNFRAMED = b"HTTP/1.1 200 OK\r\n\r\n" + BODY
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
BODILESS = b"HTTP/1.1 %s\r\n\r\n"


class Peer:
    """One connection of a client's, as a behaviour sees it."""

    def __init__(self, server: "Server", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.writer = writer
        self.answered = 0
        self._reader = reader

    async def target(self) -> str:
        request = await self._reader.readuntil(b"\r\n\r\n")
        return request.split(b" ", 2)[1].decode()

    async def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            if len(pieces) > 1:
                await asyncio.sleep(0.002)
        self.answered += 1


Behaviour = Callable[[Peer], Coroutine[Any, Any, None]]


def says(*pieces: bytes) -> Behaviour:
    return lambda peer: peer.say(*pieces)


def says_and_closes(*pieces: bytes) -> Behaviour:
    async def behave(peer: Peer) -> None:
        await peer.say(*pieces)
        peer.writer.close()

    return behave


async def greets(peer: Peer) -> None:
    name = peer.server.targets["hello"][-1].rpartition("/")[2]
    await peer.say(answer(f"Hello, {name}!".encode()))


async def closes_after_three(peer: Peer) -> None:
    await peer.say(answer())
    if peer.answered == 3:
        peer.writer.close()


async def drops(peer: Peer) -> None:
    peer.writer.close()


async def never(peer: Peer) -> None:
    await asyncio.sleep(60)


async def is_slow(peer: Peer) -> None:
    await asyncio.sleep(0.02)
    await peer.say(answer())


async def stalls_once(peer: Peer) -> None:
    if len(peer.server.targets["stalls-once"]) == STALL_AT:
        sleep(STALL_S)  # not asyncio's: the whole server is to stand still
    await peer.say(answer())


STALL_AT = 60
STALL_S = 0.5

BEHAVIOURS: dict[str, Behaviour] = {
    "right": says(answer()),
    "kept": says(answer()),
    "in-turn": says(answer()),
    "crowded": says(answer()),
    "hello": greets,
    "close": says_and_closes(answer(headers=b"Connection: close\r\n")),
    "old": says_and_closes(answer().replace(b"HTTP/1.1", b"HTTP/1.0")),
    "closes-after-three": closes_after_three,
    "chunked": says(CHUNKED),
    "split": says(answer()[:25], answer()[25:70], answer()[70:-3], answer()[-3:]),
    "until-close": says_and_closes(UNFRAMED),
    "interim": says(INTERIM + answer()),
    "204": says(BODILESS % b"204 No Content"),
    "304": says(BODILESS % b"304 Not Modified"),
    "large": says(answer(b"x" * 300_000)),
    "wrong": says(answer(b"Hello, user01!")),
    "500": says(answer(status=b"500 Internal Server Error")),
    "201": says(answer(status=b"201 Created")),
    "upgrade": says(BODILESS % b"101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x"),
    "malformed": says_and_closes(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "twice": says(answer() + answer()),
    "half": says_and_closes(answer()[:-3]),
    "drops": drops,
    "never": never,
    "slow": is_slow,
    "stalls-once": stalls_once,
}


class Server:
    """Listens in a thread of its own, and remembers what it was asked, by behaviour."""

    def __init__(self, behaviours: dict[str, Behaviour] = BEHAVIOURS) -> None:
        self._behaviours = behaviours
        self.targets: defaultdict[str, list[str]] = defaultdict(list)
        self.peers: defaultdict[str, set[Peer]] = defaultdict(set)
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        listening = asyncio.start_server(self._serve, HOST, 0, backlog=500)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._loop.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(self, reader, writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                target = await peer.target()
                name = target.split("/")[1]
                self.targets[name].append(target)
                self.peers[name].add(peer)
                await self._behaviours[name](peer)


class Driver:
    """``python -m bench.driver`` at the other end of its protocol."""

    def __init__(self, **options: Any) -> None:
        command = [sys.executable, "-m", "bench.driver"]
        pipe = subprocess.PIPE
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, **options
        )

    def set_up(self, *targets: Target, users: int = USERS, cores: tuple[int, ...] = ()) -> Ready:
        self.send(Setup(targets, users, CONNECTIONS, cores))
        return msgspec.json.decode(self.read(), type=Ready)

    def play(self, lane: str, load: Load | None = None, settle_s: float = 0.05, window_s: float = 0.1) -> SliceResult:
        (result,) = self.play_all((lane,), load, settle_s, window_s)
        return result

    def play_all(
        self, lanes: tuple[str, ...], load: Load | None = None, settle_s: float = 0.05, window_s: float = 0.1
    ) -> tuple[SliceResult, ...]:
        self.send(SliceOrder(lanes, load or Closed(USERS), settle_s, window_s))
        return self.result()

    def result(self) -> tuple[SliceResult, ...]:
        return msgspec.json.decode(self.read(), type=SliceResults).results

    def send(self, message: object) -> None:
        assert self.process.stdin
        self.process.stdin.write(msgspec.json.encode(message) + b"\n")
        self.process.stdin.flush()

    def read(self) -> bytes:
        assert self.process.stdout
        line: bytes = self.process.stdout.readline()
        return line

    def end(self) -> tuple[int, bytes, bytes]:
        """Ends the input, and returns the exit code and the rest of what was printed."""
        printed, log = self.process.communicate(timeout=60)
        return self.process.returncode, printed, log


@contextmanager
def running_driver(**options: Any) -> Iterator[Driver]:
    driver = Driver(**options)
    try:
        yield driver
    finally:
        driver.process.kill()
        driver.process.communicate()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(scope="module")
def driver(server: Server) -> Iterator[Driver]:
    targets = [target(server, name) for name in BEHAVIOURS]
    unchecked = [target(server, name, body=None, lane=f"unchecked-{name}") for name in BEHAVIOURS]
    nobody = Target("refused", HOST, unused_port(), (Request("/", BODY),))
    with running_driver() as running:
        running.set_up(*targets, *unchecked, nobody)
        yield running


def target(server: Server, name: str, body: bytes | None = BODY, lane: str | None = None) -> Target:
    asked = tuple(Request(f"/{name}/{index}", body) for index in range(3))
    return Target(lane or name, HOST, server.port, asked)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def histogram(encoded: str | None) -> HdrHistogram:
    assert encoded
    return HdrHistogram.decode(encoded)


def count_above(encoded: str | None, limit_us: int) -> int:
    return sum(item.count_at_value_iterated_to for item in histogram(encoded) if item.value_iterated_to > limit_us)


# Right answers


@pytest.mark.parametrize(
    "lane", ["right", "close", "old", "closes-after-three", "chunked", "split", "until-close", "interim", "slow"]
)
def test_a_right_answer_counts_however_it_is_delivered(driver: Driver, lane: str) -> None:
    """Pieces, chunks, interim answers and closes are the server's choice: none of them is an error."""
    result = driver.play(lane, window_s=0.3)
    assert not result.errors
    assert 0 < result.requests <= result.requests_in_slice
    assert histogram(result.latency_us).get_total_count() == result.requests


def test_every_request_of_a_closed_slice_is_counted_once(driver: Driver, server: Server) -> None:
    """What the server was asked is what the driver counts in the slice, settle and drain included."""
    asked_before = len(server.targets["right"])
    result = driver.play("right")
    assert result.requests_in_slice == len(server.targets["right"]) - asked_before
    assert result.bytes_received == result.requests_in_slice * len(answer())
    assert result.window_s == 0.1
    assert result.answers_in_window == result.requests
    assert result.dropped == 0
    assert result.latency_from_intended_us is None
    assert result.send_lateness_us is None


def test_answers_outside_the_window_are_not_requests(driver: Driver) -> None:
    """A settle longer than the window holds more answers than the window does, but they don't count."""
    result = driver.play("slow", Closed(1), settle_s=0.5, window_s=0.1)
    assert result.requests < result.requests_in_slice
    assert histogram(result.latency_us).get_total_count() == result.requests


def test_a_request_that_is_under_way_when_the_window_ends_is_answered_before_the_next_slice(driver: Driver) -> None:
    """With a window shorter than an answer, all answers come after it: none counts, none is lost."""
    result = driver.play("slow", Closed(2), settle_s=0.001, window_s=0.001)
    assert (result.requests, result.requests_in_slice) == (0, 2)
    assert not result.errors


def test_connections_stay_open_between_slices(driver: Driver, server: Server) -> None:
    """A closed load of n users has n connections, and later slices use the same ones."""
    for _ in range(3):
        driver.play("kept", Closed(3))
    assert len(server.peers["kept"]) == 3


def test_each_user_sends_its_targets_requests_in_turn(driver: Driver, server: Server) -> None:
    """One user alone goes through the list from its beginning, over and over."""
    driver.play("in-turn", Closed(1))
    asked = server.targets["in-turn"]
    assert len(asked) > 3
    assert asked == [f"/in-turn/{index % 3}" for index in range(len(asked))]


def test_more_users_than_were_set_up_are_added(driver: Driver, server: Server) -> None:
    """A slice decides how many users it has; Setup only says how many to begin with."""
    driver.play("crowded", Closed(CONNECTIONS + 5))
    assert len(server.peers["crowded"]) == CONNECTIONS + 5


# Wrong answers


@pytest.mark.parametrize(
    ("lane", "reason"),
    [
        ("wrong", "wrong body"),
        ("500", "status 500"),
        ("201", "status 201"),
        ("204", "status 204"),
        ("304", "status 304"),
        ("upgrade", "status 101"),
        ("malformed", "malformed answer"),
        ("twice", "malformed answer"),
        ("half", "connection closed"),
        ("drops", "connection closed"),
        ("refused", "connection refused"),
    ],
)
@pytest.mark.parametrize("load", [Closed(USERS), Open(100)], ids=str)
def test_anything_else_is_an_error_with_a_reason(driver: Driver, lane: str, reason: str, load: Load) -> None:
    """An error is in no count of requests and in no histogram, so that a fast failure is never a fast answer."""
    result = driver.play(lane, load)
    assert set(result.errors) == {reason}
    assert (result.requests, result.requests_in_slice) == (0, 0)
    assert histogram(result.latency_us).get_total_count() == 0


@pytest.mark.parametrize("lane", ["right", "wrong", "201", "204", "304", "until-close", "large"])
def test_without_a_body_to_expect_any_status_below_400_is_right(driver: Driver, lane: str) -> None:
    """``bench load URL`` knows no workload."""
    result = driver.play(f"unchecked-{lane}")
    assert not result.errors
    assert result.requests > 0


def test_without_a_body_to_expect_an_error_status_is_still_wrong(driver: Driver) -> None:
    """A server that answers 500 has failed, whatever it says."""
    assert set(driver.play("unchecked-500").errors) == {"status 500"}


class Hopeless(NamedTuple):
    """A closed and an open load on a server that never answers, and the drivers that have survived them."""

    closed: Driver
    closed_result: SliceResult
    opened: Driver
    open_result: SliceResult


def test_a_duet_loads_its_lanes_at_the_same_time(driver: Driver) -> None:
    """Each Lane has users of its own, and the results come in the order of the Lanes."""
    right, wrong = driver.play_all(("right", "wrong"))
    assert right.requests > 0
    assert not right.errors
    assert wrong.requests == 0
    assert set(wrong.errors) == {"wrong body"}


@pytest.fixture(scope="module")
def hopeless(server: Server) -> Iterator[Hopeless]:
    """Offers both loads side by side, because each takes seconds."""
    with running_driver() as closed, running_driver() as opened:
        for driver in (closed, opened):
            driver.set_up(target(server, "never"), target(server, "right"))
        closed.send(SliceOrder(("never",), Closed(2), 0.1, 0.2))
        opened.send(SliceOrder(("never",), Open(100), 0.1, 0.2))
        closed_result, open_result = (driver.result()[0] for driver in (closed, opened))
        yield Hopeless(closed, closed_result, opened, open_result)


def test_a_server_that_never_answers_ends_a_closed_slice_all_the_same(hopeless: Hopeless) -> None:
    """Every request that was under way is an error, and the next slice is as good as any."""
    result = hopeless.closed_result
    assert result.errors == {"no answer in 5 s": 2 + 2}  # two first calls, and two requests of the slice
    assert result.requests_in_slice == 0
    assert hopeless.closed.play("right").requests > 0


def test_a_server_that_never_answers_ends_an_open_slice_all_the_same(hopeless: Hopeless) -> None:
    """At most ``connections`` requests are under way, and the rest are dropped: together they are all that were due.

    The first call on each connection has no answer either.
    """
    result = hopeless.open_result
    assert result.errors == {"no answer in 5 s": CONNECTIONS + CONNECTIONS}
    assert result.dropped == 30 - CONNECTIONS
    assert hopeless.opened.play("right").requests > 0


# Open loads


@pytest.mark.parametrize("lane", ["right", "slow", "close"])
def test_an_open_load_sends_exactly_what_is_due(driver: Driver, server: Server, lane: str) -> None:
    """Rate times window, however fast the server is; and rate times slice, plus a first call on new connections."""
    asked_before = len(server.targets[lane])
    result = driver.play(lane, Open(200), settle_s=0.1, window_s=0.5)
    assert result.requests == 100
    assert 120 <= result.requests_in_slice <= 120 + CONNECTIONS
    assert len(server.targets[lane]) - asked_before == result.requests_in_slice
    assert (result.errors, result.dropped) == ({}, 0)
    for encoded in (result.latency_us, result.latency_from_intended_us, result.send_lateness_us):
        assert histogram(encoded).get_total_count() == 100


def test_overload_is_dropped_requests_and_what_was_got_through_in_the_window(driver: Driver, server: Server) -> None:
    """What is unsent a send limit after the window is dropped; the next slice finds nothing left over.

    Each connection takes 20 ms an answer, so at 20 times the rate that they can do together most requests are not
    sent. Requests that were due in the window are answered after it too, so their number says nothing of the capacity.
    """
    capacity_rps = CONNECTIONS / 0.02
    driver.send(SliceOrder(("slow",), Open(20 * capacity_rps), 0.1, 0.4, 0.1))
    (result,) = driver.result()
    due = round(20 * capacity_rps * 0.5)
    assert result.dropped + result.requests_in_slice in range(due, due + CONNECTIONS + 1)
    answers = result.answers_in_window
    assert answers is not None
    assert 0 < answers <= capacity_rps * 0.4 + CONNECTIONS
    assert answers < result.requests_in_slice
    asked_before = len(server.targets["right"])
    after = driver.play("right", Closed(1))
    assert (after.errors, after.dropped) == ({}, 0)
    assert len(server.targets["right"]) - asked_before == after.requests_in_slice


def test_no_connection_is_new_in_an_open_slice(driver: Driver, server: Server) -> None:
    """Every connection has been used before the slice begins: an idle new one could hold up a server's only thread."""
    driver.play("right", Open(50), settle_s=0.05, window_s=0.1)
    again = driver.play("right", Open(200), settle_s=0.1, window_s=0.5)
    assert again.requests_in_slice == 120
    assert server.targets["right"]


def test_a_stall_shows_in_the_time_from_the_intended_start_and_hardly_in_the_service_time(driver: Driver) -> None:
    """Only the few requests that were under way waited for the server; the others waited for their turn."""
    result = driver.play("stalls-once", Open(200), settle_s=0.1, window_s=1.0)
    assert (result.requests, result.dropped, result.errors) == (200, 0, {})
    slow_us = 100_000
    assert count_above(result.latency_us, slow_us) >= 1
    assert count_above(result.latency_from_intended_us, slow_us) > 3 * count_above(result.latency_us, slow_us)
    assert count_above(result.send_lateness_us, slow_us) > 3 * count_above(result.latency_us, slow_us)


@unhurried
@given(
    rate=st.integers(1, 500),
    settle=st.integers(0, 5),
    window=st.integers(1, 10),
    start_ns=st.integers(0, 10**18),
)
def test_a_schedule_has_rate_times_window_requests_in_any_window(
    rate: int, settle: int, window: int, start_ns: int
) -> None:
    """Where that is a whole number: here the window is some tenths of a second, and the rate a multiple of ten."""
    window_ns = start_ns + settle * NS_PER_S // 10
    end_ns = window_ns + window * NS_PER_S // 10
    schedule = Schedule(start_ns, end_ns, rate * 10)
    schedule.advance(end_ns)
    taken = [schedule.take() for _ in range(schedule.waiting)]
    assert len([intended_ns for intended_ns in taken if intended_ns >= window_ns]) == rate * window
    assert schedule.is_exhausted


@unhurried
@given(rate_rps=st.floats(0.5, 20_000), looks=st.lists(st.integers(0, 200_000_000)))
def test_a_schedule_keeps_its_times_however_late_it_is_looked_at(rate_rps: float, looks: list[int]) -> None:
    """Nothing is due before its time, all that is due waits, and request i is intended for i intervals after the start.

    Late looks must not move what comes later: that would be a closed load in disguise.
    """
    start_ns, end_ns = NS_PER_S, NS_PER_S + 100_000_000
    schedule = Schedule(start_ns, end_ns, rate_rps)
    taken: list[int] = []
    for now_ns in (start_ns + look for look in sorted(looks)):
        schedule.advance(now_ns)
        assert schedule.next_ns is None or schedule.next_ns > now_ns
        taken += [schedule.take() for _ in range(schedule.waiting)]
        assert all(intended_ns <= now_ns for intended_ns in taken)
    assert all(start_ns <= intended_ns < end_ns for intended_ns in taken)
    looked_ns = min(max(looks, default=-1), end_ns - start_ns - 1)  # no look, no request
    assert len(taken) == pytest.approx(looked_ns * rate_rps / NS_PER_S + (looked_ns >= 0), abs=1)
    for index, intended_ns in enumerate(taken):
        assert intended_ns == pytest.approx(start_ns + index * NS_PER_S / rate_rps, abs=1)


@unhurried
@given(rate_rps=st.floats(2, 50_000), looks=st.lists(st.integers(0, 200_000_000)))
def test_a_sender_is_up_before_a_request_is_due_for_a_fifth_of_the_time_at_most(
    rate_rps: float, looks: list[int]
) -> None:
    """Between two requests most of the time is there for answers, at any rate, and the wait is a short one."""
    schedule = Schedule(NS_PER_S, 2 * NS_PER_S, rate_rps)
    for now_ns in (NS_PER_S + look for look in sorted(looks)):
        schedule.advance(now_ns)
        assert schedule.next_ns is not None
        assert schedule.wake_ns is not None
        assert 0 <= schedule.next_ns - schedule.wake_ns <= min(200_000, 0.2 * NS_PER_S / rate_rps)


TICKERS = [
    pytest.param(
        TimerfdTimer, marks=pytest.mark.skipif(sys.platform != "linux", reason="timerfd is a system call of Linux")
    ),
    GeventTimer,
]


@pytest.mark.parametrize("make", TICKERS)
@pytest.mark.parametrize("ahead_ns", [-NS_PER_S, 0, 5_000_000])
def test_a_ticker_calls_once_for_each_time_it_was_asked_to_and_not_early(
    make: Callable[[], Timer], ahead_ns: int
) -> None:
    """Half a millisecond is allowed for a loop that counts in whole ones."""
    timer, called = make(), Event()
    calls_ns: list[int] = []

    def call() -> None:
        calls_ns.append(monotonic_ns())
        called.set()
        timer.stop()

    for turn in range(1, 4):
        called.clear()
        timer.start(call)
        at_ns = monotonic_ns() + ahead_ns
        timer.call_at(at_ns)
        assert called.wait(5)
        assert len(calls_ns) == turn
        assert calls_ns[-1] >= at_ns - 500_000


@pytest.mark.parametrize("make", TICKERS)
def test_a_stopped_ticker_does_not_call(make: Callable[[], Timer]) -> None:
    """What was asked for before it was stopped is forgotten."""
    timer, called = make(), Event()
    timer.start(called.set)
    timer.call_at(monotonic_ns() + 2_000_000)
    timer.stop()
    assert not called.wait(0.02)


def hold_up(milliseconds: int) -> None:
    """Keeps the hub from its turn for so long."""
    end_ns = monotonic_ns() + milliseconds * 1_000_000
    while monotonic_ns() < end_ns:
        pass


@pytest.mark.parametrize("make", TICKERS)
def test_the_probe_sees_how_long_the_hub_was_held_up(make: Callable[[], Timer]) -> None:
    """What holds the hub up for 30 ms shows as a lateness of nearly that; each watch begins anew."""
    probe = LoopLagProbe(make())
    with probe.watching() as held_up:
        gevent.sleep(0.02)
        hold_up(30)
        gevent.sleep(0.02)
    assert held_up.histogram().get_max_value() >= 24_000
    began_ns = monotonic_ns()
    with probe.watching() as quiet:
        gevent.sleep(0.03)
    assert 1 <= quiet.histogram().total_count <= (monotonic_ns() - began_ns) // INTERVAL_NS


@pytest.mark.parametrize("then_s", [0.02, 0.0])
@pytest.mark.parametrize("make", TICKERS)
def test_every_look_that_a_stall_held_up_was_late(make: Callable[[], Timer], then_s: float) -> None:
    """A stall of 60 ms is in the lateness a dozen times, also where the watch ends with it: no p99 can lose it."""
    probe = LoopLagProbe(make())
    began_ns = monotonic_ns()
    with probe.watching() as stalled:
        began_watch_ns = monotonic_ns()
        gevent.sleep(0.02)
        hold_up(60)
        gevent.sleep(then_s)
        at_least = (monotonic_ns() - began_watch_ns) // INTERVAL_NS - 1
    seen = stalled.histogram()
    assert at_least <= seen.total_count <= (monotonic_ns() - began_ns) // INTERVAL_NS
    for late_ms in (20, 40):
        late = [step for step in seen.get_recorded_iterator() if step.value_iterated_to >= 1000 * late_ms]
        assert sum(step.count_added_in_this_iter_step for step in late) >= (60 - late_ms) // 5 - 1


# Recording


@unhurried
@given(st.lists(st.integers(0, 2 * MAX_LATENCY_US)))
def test_recorded_values_fall_into_the_bins_of_an_hdr_histogram(values_us: list[int]) -> None:
    """The bins are computed by hand for speed, and must be those of ``HdrHistogram.record_value``."""
    recorder, reference = Histogram(), HdrHistogram(1, MAX_LATENCY_US, SIGNIFICANT_DIGITS)
    for value_us in values_us:
        recorder.record(value_us)
        reference.record_value(min(value_us, MAX_LATENCY_US))
    recorded = recorder.histogram()
    assert recorded.get_total_count() == len(values_us)
    assert list(recorded.counts) == list(reference.counts)
    assert list(histogram(recorder.encoded()).counts)[: len(reference.counts)] == list(reference.counts)


# Reading answers

HEADER = st.tuples(
    st.text("abcdefghijk-", min_size=1).map(lambda name: f"X-{name}".encode()),
    st.text(st.characters(min_codepoint=33, max_codepoint=126)).map(str.encode),
)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draws a right answer with a date, and its body."""
    body = draw(st.binary(max_size=200))
    headers = [*draw(st.lists(HEADER, max_size=4)), (b"Date", DATE), (b"Content-Length", b"%d" % len(body))]
    lines = [b"%s: %s" % header for header in draw(st.permutations(headers))]
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", body]), body


def parse(*pieces: bytes) -> AnswerParser:
    parser = AnswerParser()
    for piece in pieces:
        parser.feed(piece)
    return parser


@unhurried
@given(answers(), st.data())
def test_a_known_answer_is_recognised_by_all_its_bytes_but_the_date(drawn: tuple[bytes, bytes], data: Any) -> None:
    """The fast path accepts what the parser accepted before, on another day, and nothing else."""
    whole, body = drawn
    known = known_answer(whole, len(body))
    assert known
    assert known.matches(whole.replace(DATE, b"Tue, 24 Nov 2026 00:00:00 GMT"))
    index = data.draw(st.integers(0, len(whole) - 1))
    is_date = whole.index(DATE) <= index < whole.index(DATE) + len(DATE)
    altered = whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :]
    assert known.matches(altered) == is_date
    assert not known.matches(whole + b"x")


@unhurried
@given(answers(), st.data())
def test_a_known_answer_is_recognised_by_its_beginning(drawn: tuple[bytes, bytes], data: Any) -> None:
    """A beginning of it means that the rest will come; an altered one may be the whole of another answer."""
    whole, body = drawn
    known = known_answer(whole, len(body))
    assert known
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert known.is_begun_by(part)
    assert not known.matches(part)
    assert not known.is_begun_by(whole)
    assert not known.is_begun_by(b"X" + part[1:]) or not part


@unhurried
@given(answers(), st.data())
def test_pieces_are_read_as_the_whole(drawn: tuple[bytes, bytes], data: Any) -> None:
    """Wherever the network cuts an answer, the slow path sees what the fast path compares."""
    whole, body = drawn
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=5)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
    assert all(not parse(*pieces[:count]).is_complete for count in range(1, len(pieces)))
    parser = parse(*pieces)
    assert (parser.is_complete, parser.keeps_alive, parser.status, parser.body) == (True, True, 200, body)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    """RFC 9112, 6.3: such an answer is whole when the server closes; any other is cut short."""
    parser = parse(UNFRAMED, b"")
    assert (parser.is_complete, parser.keeps_alive, parser.body) == (True, False, BODY)
    for cut_short in (answer()[:-1], CHUNKED[:-2], UNFRAMED[:10], INTERIM):
        with pytest.raises(RequestError, match="connection closed"):
            parse(cut_short, b"")


# The process


def test_the_driver_says_what_generates_its_load_and_ends_with_its_input(server: Server) -> None:
    """Ready names versions; the end of input is a clean end, and there is nothing on standard output but answers."""
    with running_driver() as driver:
        ready = driver.set_up(target(server, "right"))
        assert {"locust", "gevent"} <= set(ready.versions)
        driver.play("right")
        code, printed, log = driver.end()
        assert (code, printed, log) == (0, b"", b"")


def test_no_input_at_all_is_a_clean_end() -> None:
    """A runner may change its mind."""
    with running_driver() as driver:
        assert driver.end() == (0, b"", b"")


def test_an_interrupt_ends_the_driver_without_a_word(server: Server) -> None:
    """Ctrl-C reaches every process of a terminal; the runner says what there is to say."""
    with running_driver() as driver:
        driver.set_up(target(server, "never"))
        driver.send(SliceOrder(("never",), Closed(1), 0.05, 5))
        sleep(0.3)
        driver.process.send_signal(signal.SIGINT)
        assert driver.end() == (-signal.SIGINT, b"", b"")


def test_nothing_but_the_messages_configures_the_driver(server: Server, tmp_path: Path) -> None:
    """Locust's and gevent's own ways of being configured would let two machines differ in silence."""
    for name in ("locust.conf", "pyproject.toml"):
        (tmp_path / name).write_text("users = this is no configuration [")
    settings = {"LOCUST_SKIP_MONKEY_PATCH": "1", "LOCUST_USERS": "none", "GEVENT_LOOP": "none", "LIBEV_FLAGS": "1"}
    with running_driver(cwd=tmp_path, env=os.environ | settings) as driver:
        driver.set_up(target(server, "right"))
        assert driver.play("right").requests > 0
        assert driver.end() == (0, b"", b"")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system can't pin a process to a core")
def test_the_driver_keeps_to_its_cores(server: Server) -> None:
    """Otherwise it would take time from the servers."""
    core = min(os.sched_getaffinity(0))
    with running_driver() as driver:
        driver.set_up(target(server, "right"), cores=(core,))
        assert psutil.Process(driver.process.pid).cpu_affinity() == [core]


# Locust's own commands


def run_locust(port: int) -> tuple[int, dict[str, Any], str]:
    """Runs the locustfile for 3 s; returns the exit code, the only row of Locust's statistics, and the log."""
    host = f"http://{HOST}:{port}"
    options = ["--host", host, "--headless", "--users", "2", "--spawn-rate", "2", "--run-time", "3s", "--json"]
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    (row,) = json.loads(done.stdout)
    return done.returncode, row, done.stderr


def test_the_locustfile_gives_locust_every_request(server: Server) -> None:
    """Locust's statistics are fed by its request event: what the server was asked is in them, and the users stop."""
    code, row, log = run_locust(server.port)
    asked = len(server.targets["hello"])
    assert code == 0
    assert row["num_failures"] == 0
    assert asked - 2 <= row["num_requests"] <= asked  # a user may be stopped with a request under way
    assert "Traceback" not in log


def test_the_locustfile_gives_locust_every_failure() -> None:
    """A failed request is in Locust's statistics too, as a failure."""
    with Server({"hello": BEHAVIOURS["500"]}) as discarded:
        _, row, log = run_locust(discarded.port)
        assert row["num_requests"] == row["num_failures"] > 0
        assert "Traceback" not in log
