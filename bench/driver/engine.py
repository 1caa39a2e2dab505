"""Locust set up once, with users that stay; then one slice after another is played on it."""

import gc
import os
import resource
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version

import gevent
from locust.env import Environment

from bench.driver.counts import Counts
from bench.driver.loop_lag import LoopLagProbe
from bench.driver.players import FirstCalls, Player, make_player
from bench.driver.prepared_request import Destination
from bench.driver.timer import make_timer
from bench.driver.users import SliceUser
from bench.model.protocol import Ready, Setup, SliceOrder, SliceResults

LOAD_GENERATORS = ("gevent", "greenlet", "httptools", "locust")
"""The distributions whose versions may change what is measured."""


class Engine:
    """Locust's runner and the users that it has started."""

    def __init__(self, setup: Setup) -> None:
        _pin(setup.cores)
        _allow_connections()
        self._destinations = {target.lane: Destination.of(target) for target in setup.targets}
        self._connections = setup.connections
        self._timer = make_timer()
        self._probe = LoopLagProbe(make_timer())
        self._runner = Environment(user_classes=[SliceUser]).create_local_runner()
        self._users: list[SliceUser] = []
        self._first_users(max(setup.at_once * setup.users, setup.connections))
        # What is there now stays: the collector need not look through it while there is load.
        gc.collect()
        gc.freeze()

    def ready(self) -> Ready:
        """Returns what the Setup is answered with."""
        return Ready({name: version(name) for name in LOAD_GENERATORS})

    def play(self, order: SliceOrder) -> SliceResults:
        """Plays one slice to its end; raises KeyError for a lane that was not set up."""
        casts = self._casts(order)
        openings = [FirstCalls(order, destination, users).run() for destination, users in casts]
        with self._probe.watching() as loop_lag:
            counts = _at_once([make_player(order, destination, users, self._timer) for destination, users in casts])
        lag_us = loop_lag.encoded()
        return SliceResults(
            tuple(
                of_lane.result(order.window_s, opening, lag_us)
                for opening, of_lane in zip(openings, counts, strict=True)
            )
        )

    def close(self) -> None:
        """Stops all users."""
        self._runner.quit()

    def _casts(self, order: SliceOrder) -> list[tuple[Destination, list[SliceUser]]]:
        """Returns where the slice goes to, and the users that go there: the same ones each time."""
        count = order.load.connections(self._connections)
        users = self._first_users(count * len(order.lanes))
        return [
            (self._destinations[lane], users[number * count : (number + 1) * count])
            for number, lane in enumerate(order.lanes)
        ]

    def _first_users(self, count: int) -> list[SliceUser]:
        if count > len(self._users):
            self._runner.start(count, spawn_rate=count)
            assert self._runner.spawning_greenlet is not None
            self._runner.spawning_greenlet.join()
            started = {greenlet.args[0] for greenlet in self._runner.user_greenlets}
            self._users += started.difference(self._users)
        return self._users[:count]


def _at_once(players: Sequence[Player]) -> list[Counts]:
    """Runs players side by side. One alone runs right here, and has the timer."""
    if len(players) == 1:
        return [players[0].run()]
    assert not any(player.needs_timer for player in players)
    return [running.get() for running in [gevent.spawn(player.run) for player in players]]


def _pin(cores: tuple[int, ...]) -> None:
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def _allow_connections() -> None:
    """Raises the limit of open files as far as it goes: each user has a connection to each Lane."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS refuses what it calls unlimited
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
