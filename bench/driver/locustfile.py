"""The driver's users in Locust's own web UI or command line, against a server of the hello workload.

``locust -f bench/driver/locustfile.py --host http://127.0.0.1:8000``
"""

from functools import cache
from urllib.parse import urlsplit

from locust import task
from locust.env import Environment
from locust.exception import StopTest

from bench.driver.prepared_request import Destination
from bench.driver.users import RawUser
from bench.model.protocol import Request

NAMES = tuple(f"user{number:02}" for number in range(100))
HTTP_PORT = 80


class HelloUser(RawUser):
    """Asks for one greeting a task, and checks the whole of it."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._connection = self.connection_to(hello_at(self.host or ""))

    @task
    def hello(self) -> None:
        """Sends one request on this user's own connection."""
        self.ask(self._connection)


@cache
def hello_at(host: str) -> Destination:
    """Returns the hello workload of the server at a base URL; raises StopTest where that is none."""
    url = urlsplit(host)
    if url.scheme != "http" or not url.hostname:
        raise StopTest(f"Give a --host such as http://127.0.0.1:8000, not {host!r}")
    requests = (Request(f"/hello/{name}", f"Hello, {name}!".encode()) for name in NAMES)
    return Destination("/hello/<name>", url.hostname, url.port or HTTP_PORT, requests)
