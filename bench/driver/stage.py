"""Locust set up once, with users that stay; then one slice after another is played on it."""

import gc
import os
from collections import Counter
from importlib.metadata import version

import msgspec
from locust.env import Environment

from bench.driver.calls import Destination
from bench.driver.loads import ClosedLoad, FirstCalls, Load, OpenLoad
from bench.driver.probe import HubProbe
from bench.driver.ticker import make_ticker
from bench.driver.users import SliceUser
from bench.messages import Closed, Open, Ready, Setup, SliceOrder, SliceResult

LOAD_GENERATORS = ("gevent", "greenlet", "httptools", "locust")
"""The distributions whose versions may change what is measured."""


class Stage:
    """Locust's runner and the users that it has started."""

    def __init__(self, setup: Setup) -> None:
        _pin(setup.cores)
        self._destinations = {target.lane: Destination.of(target) for target in setup.targets}
        self._connections = setup.connections
        self._ticker = make_ticker()
        self._probe = HubProbe(make_ticker())
        self._runner = Environment(user_classes=[SliceUser]).create_local_runner()
        self._users: list[SliceUser] = []
        self._first_users(max(setup.users, setup.connections))
        # What is there now stays: the collector need not look through it while there is load.
        gc.collect()
        gc.freeze()

    def ready(self) -> Ready:
        """Returns what the Setup is answered with."""
        return Ready({name: version(name) for name in LOAD_GENERATORS})

    def play(self, order: SliceOrder) -> SliceResult:
        """Plays one slice to its end; raises KeyError for a lane that was not set up."""
        destination = self._destinations[order.lane]
        users = self._first_users(order.load.users if isinstance(order.load, Closed) else self._connections)
        opening = FirstCalls(order, destination, users).run()
        with self._probe.watching() as hub_lateness:
            result = self._load(order, destination, users).run()
        return _with_opening(opening, msgspec.structs.replace(result, hub_lateness_us=hub_lateness.encoded()))

    def close(self) -> None:
        """Stops all users."""
        self._runner.quit()

    def _load(self, order: SliceOrder, destination: Destination, users: list[SliceUser]) -> Load:
        match order.load:
            case Closed():
                return ClosedLoad(order, destination, users)
            case Open(rate_rps):
                return OpenLoad(order, destination, users, rate_rps, self._ticker)

    def _first_users(self, count: int) -> list[SliceUser]:
        if count > len(self._users):
            self._runner.start(count, spawn_rate=count)
            assert self._runner.spawning_greenlet is not None
            self._runner.spawning_greenlet.join()
            started = {greenlet.args[0] for greenlet in self._runner.user_greenlets}
            self._users += started.difference(self._users)
        return self._users[:count]


def _with_opening(opening: SliceResult, result: SliceResult) -> SliceResult:
    """Returns a slice's result with the answers, and the errors, of its first calls."""
    return msgspec.structs.replace(
        result,
        requests_in_slice=opening.requests_in_slice + result.requests_in_slice,
        errors=dict(Counter(opening.errors) + Counter(result.errors)),
    )


def _pin(cores: tuple[int, ...]) -> None:
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
