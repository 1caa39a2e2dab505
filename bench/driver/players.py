"""What plays a load for one slice: closed, as fast as the answers come, or open, on an absolute schedule."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from time import monotonic_ns

from gevent.event import Event
from gevent.hub import get_hub
from greenlet import getcurrent, greenlet

from bench.driver.arrival_schedule import NS_PER_S, Schedule
from bench.driver.connection import Connection
from bench.driver.counts import Counts
from bench.driver.histogram import Histogram
from bench.driver.prepared_request import Destination
from bench.driver.response import RequestError
from bench.driver.timer import Timer
from bench.driver.users import SliceUser
from bench.model.load import Closed, Open
from bench.model.protocol import SliceOrder

ANSWER_LIMIT_S = 5
"""How long the last answers are waited for; what is missing then is an error."""


class Player(ABC):
    """Plays a load on one destination for one slice, with users that are there already."""

    needs_timer = False
    """Whether it takes the driver's one timer, so that it plays alone."""

    def __init__(self, order: SliceOrder, destination: Destination, users: Sequence[SliceUser]) -> None:
        self._start_ns = monotonic_ns()
        self._window_start_ns = self._start_ns + round(order.settle_s * NS_PER_S)
        self._window_end_ns = self._window_start_ns + round(order.window_s * NS_PER_S)
        self._destination = destination
        self._users = users
        self._present = set(users)
        self._finished = Event()
        self._counts = Counts()

    def run(self) -> Counts:
        """Plays the load, and returns what came of it."""
        received_before = self._bytes_received()
        for user in self._users:
            user.join(self._attend)
        self._finish()
        self._counts.bytes_received = self._bytes_received() - received_before
        return self._counts

    @property
    def _last_send_ns(self) -> int:
        return self._window_end_ns

    @abstractmethod
    def _take_part(self, user: SliceUser, connection: Connection) -> None:
        """What each user does, in its own greenlet."""

    def _bytes_received(self) -> int:
        return sum(user.connection_to(self._destination).bytes_received for user in self._users)

    def _attend(self, user: SliceUser) -> None:
        connection = user.connection_to(self._destination)
        try:
            self._take_part(user, connection)
        except RequestError as failure:
            self._counts.count_failure(failure)  # abandoned while it waited for a connection
        except Exception as mistake:
            # A user lost to a mistake in here must not look like a slow server. Locust logs it.
            self._counts.count_failure(RequestError(f"driver failed: {mistake!r}"))
            raise
        finally:
            self._present.discard(user)
            if not self._present:
                self._finished.set()

    def _finish(self) -> None:
        # No request has a timeout of its own: a timer for each would cost more than it is worth.
        limit_s = (self._last_send_ns - monotonic_ns()) / NS_PER_S + ANSWER_LIMIT_S
        if not self._finished.wait(limit_s):
            for user in self._users:
                get_hub().loop.run_callback(self._abandon, user)
            self._finished.wait()

    def _abandon(self, user: SliceUser) -> None:
        # A user that was answered in the meantime is waiting for its next slice, and must be left alone.
        if user in self._present:
            user.greenlet.throw(RequestError(f"no answer in {ANSWER_LIMIT_S} s"))


class FirstCalls(Player):
    """Each user whose connection is not open makes one call, so that in the slice itself none is new.

    A new connection without a request can hold up all others: gunicorn's ``gthread`` gives it to a thread, which waits.
    """

    @property
    def _last_send_ns(self) -> int:
        return self._start_ns

    def _take_part(self, user: SliceUser, connection: Connection) -> None:
        if connection.is_open():
            return
        failure = user.ask(connection)
        if failure is not None:
            self._counts.count_failure(failure)
        else:
            self._counts.requests_in_slice += 1


class ClosedPlayer(Player):
    """Each user sends its next request when the last one is answered."""

    def _take_part(self, user: SliceUser, connection: Connection) -> None:
        counts = self._counts
        while True:
            failure = user.ask(connection)
            answered_ns = connection.answered_ns
            if failure is not None:
                counts.count_failure(failure)
            else:
                counts.requests_in_slice += 1
                if self._window_start_ns <= answered_ns < self._window_end_ns:
                    counts.requests += 1
                    counts.latency.record((answered_ns - connection.sent_ns) // 1000)
            if answered_ns >= self._window_end_ns:
                return


class OpenPlayer(Player):
    """Requests are due on an absolute schedule, and each is handed to the user that has been idle longest.

    While all users are busy, requests wait in order; the wait is part of their time from the intended start.
    """

    needs_timer = True

    def __init__(
        self, order: SliceOrder, destination: Destination, users: Sequence[SliceUser], rate_rps: float, timer: Timer
    ) -> None:
        super().__init__(order, destination, users)
        self._schedule = Schedule(self._start_ns, self._window_end_ns, rate_rps)
        self._timer = timer
        self._idle: deque[greenlet] = deque()
        self._is_over = False
        self._send_limit_ns = round(order.send_limit_s * NS_PER_S)
        self._counts.from_intended = self._from_intended = Histogram()
        self._counts.lateness = self._lateness = Histogram()

    @property
    def _last_send_ns(self) -> int:
        return self._window_end_ns + self._send_limit_ns

    def run(self) -> Counts:
        """Plays the load, and returns what came of it."""
        self._timer.start(self._tick)
        self._timer.call_at(self._start_ns)
        return super().run()

    def _take_part(self, user: SliceUser, connection: Connection) -> None:
        while (intended_ns := self._next_request()) is not None:
            failure = user.ask(connection)
            if failure is not None:
                self._counts.count_failure(failure)
            else:
                self._counts.requests_in_slice += 1
                self._counts.answers_in_window += self._window_start_ns <= connection.answered_ns < self._window_end_ns
                if intended_ns >= self._window_start_ns:
                    self._record(connection, intended_ns)

    def _record(self, connection: Connection, intended_ns: int) -> None:
        self._counts.requests += 1
        self._counts.latency.record((connection.answered_ns - connection.sent_ns) // 1000)
        self._from_intended.record((connection.answered_ns - intended_ns) // 1000)
        self._lateness.record((connection.sent_ns - intended_ns) // 1000)

    def _next_request(self) -> int | None:
        """Returns when the caller's next request was intended, as soon as it is due; None at the end."""
        if self._schedule.waiting and not self._is_over:
            return self._schedule.take()
        if self._schedule.is_exhausted:
            self._end()
        if self._is_over:
            return None
        self._idle.append(getcurrent())
        intended_ns: int | None = get_hub().switch()
        return intended_ns

    def _tick(self) -> None:
        """Hands what is due to idle users. Runs on the hub, and gets its turn back when they wait for their answers."""
        now_ns = self._awaited_ns()
        self._schedule.advance(now_ns)
        while self._idle and self._schedule.waiting:
            self._idle.popleft().switch(self._schedule.take())
        if self._schedule.wake_ns is not None:
            self._timer.call_at(self._schedule.wake_ns)
        elif self._schedule.waiting and now_ns < self._last_send_ns:
            self._timer.call_at(self._last_send_ns)
        else:
            self._end()

    def _awaited_ns(self) -> int:
        """Returns the time; if the next request is nearly due, waits until it is.

        That makes no answer late: the kernel notes when each one comes in.
        """
        wake_ns, next_ns = self._schedule.wake_ns, self._schedule.next_ns
        now_ns = monotonic_ns()
        while wake_ns is not None and next_ns is not None and wake_ns <= now_ns < next_ns:
            now_ns = monotonic_ns()
        return now_ns

    def _end(self) -> None:
        self._is_over = True
        self._counts.dropped = self._schedule.waiting
        self._timer.stop()
        for user in self._idle:
            get_hub().loop.run_callback(user.switch, None)
        self._idle.clear()


def make_player(order: SliceOrder, destination: Destination, users: Sequence[SliceUser], timer: Timer) -> Player:
    """Returns what plays an order's load on one destination."""
    match order.load:
        case Closed():
            return ClosedPlayer(order, destination, users)
        case Open(rate_rps):
            return OpenPlayer(order, destination, users, rate_rps, timer)
