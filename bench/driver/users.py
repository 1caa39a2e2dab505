"""Locust users that ask over raw connections. Importing this module imports Locust, which monkey-patches."""

from collections.abc import Callable
from time import time

from gevent.queue import SimpleQueue
from locust import User, task
from locust.env import Environment

from bench.driver.connection import Connection
from bench.driver.prepared_request import Destination
from bench.driver.response import RequestError

Part = Callable[["SliceUser"], None]
"""What a user does in one slice."""


class RawUser(User):
    """A user that has one connection to each destination, and fires Locust's ``request`` event for every request."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._connections: dict[str, Connection] = {}

    def connection_to(self, destination: Destination) -> Connection:
        """Returns this user's connection to a destination, which may not be open yet."""
        if destination.name not in self._connections:
            self._connections[destination.name] = Connection(destination)
        return self._connections[destination.name]

    def ask(self, connection: Connection) -> RequestError | None:
        """Makes the connection's next call, and returns what went wrong with it, or None."""
        call = next(connection.calls)
        started_s = time()
        failure, length = None, 0
        try:
            length = connection.ask(call)
        except RequestError as error:
            failure = error
        self.environment.events.request.fire(
            request_type="GET",
            name=connection.destination.name,
            response_time=(connection.answered_ns - connection.sent_ns) / 1e6,
            response_length=length,
            response=None,
            context=self.context(),
            exception=failure,
            start_time=started_s,
            url=call.url,
        )
        return failure

    def on_stop(self) -> None:
        """Closes all connections."""
        for connection in self._connections.values():
            connection.close()


class SliceUser(RawUser):
    """A user that takes part in one slice after another."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._parts: SimpleQueue[Part] = SimpleQueue()

    def join(self, part: Part) -> None:
        """Has this user play a part, as soon as it is free."""
        self._parts.put(part)

    @task
    def attend(self) -> None:
        """Plays one part after another, for ever: a task for each would cost Locust's own work between slices."""
        while True:
            self._parts.get()(self)
