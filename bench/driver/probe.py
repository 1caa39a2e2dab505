"""How late the hub comes to what is due: the driver's own share in the latencies that it records."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic_ns

from bench.driver.recorder import Recorder
from bench.driver.ticker import Ticker

INTERVAL_NS = 5_000_000
"""Between two looks: 200 a second cost the driver a thousandth of its core."""


class HubProbe:
    """Sets a timer again and again, and records how late its call comes."""

    def __init__(self, ticker: Ticker) -> None:
        self._ticker = ticker
        self._due_ns = 0
        self._lateness = Recorder()

    @contextmanager
    def watching(self) -> Iterator[Recorder]:
        """Yields the lateness in us while it is recorded."""
        self._lateness = Recorder()
        self._ticker.start(self._look)
        self._set_next(monotonic_ns())
        try:
            yield self._lateness
        finally:
            self._ticker.stop()

    def _look(self) -> None:
        now_ns = monotonic_ns()
        self._lateness.record((now_ns - self._due_ns) // 1000)
        self._set_next(now_ns)

    def _set_next(self, now_ns: int) -> None:
        self._due_ns = now_ns + INTERVAL_NS
        self._ticker.call_at(self._due_ns)
