"""How late the event loop comes to what is due: the driver's own share in the latencies that it records."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic_ns

from bench.driver.histogram import Histogram
from bench.driver.timer import Timer

INTERVAL_NS = 5_000_000
"""Between two looks: 200 a second cost the driver a thousandth of its core."""


class LoopLagProbe:
    """Looks at the clock on an absolute schedule, and records how late each look comes.

    What holds the loop up is late for every look that falls due meanwhile, as it is for every request. A schedule that
    waited for the last look would see a stall once, however long, and percentiles would lose it.
    """

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._due_ns = 0
        self._lateness = Histogram()

    @contextmanager
    def watching(self) -> Iterator[Histogram]:
        """Yields the lateness in us while it is recorded."""
        self._lateness = Histogram()
        self._due_ns = monotonic_ns() + INTERVAL_NS
        self._timer.start(self._look)
        self._timer.call_at(self._due_ns)
        try:
            yield self._lateness
        finally:
            self._timer.stop()
            self._record_due()

    def _look(self) -> None:
        self._record_due()
        self._timer.call_at(self._due_ns)

    def _record_due(self) -> None:
        now_ns = monotonic_ns()
        while self._due_ns <= now_ns:
            self._lateness.record((now_ns - self._due_ns) // 1000)
            self._due_ns += INTERVAL_NS
