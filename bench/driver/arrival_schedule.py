"""When the requests of an open load are due. No clock, no I/O."""

NS_PER_S = 1_000_000_000
AHEAD_NS = 200_000
"""A sender wakes up so long before its request is due, because timers wake an idle core later than they are set to."""
AHEAD_SHARE = 0.2
"""Of an interval, at most: what is spent on waiting is not there for answers."""


class Schedule:
    """Requests at equal intervals from ``start_ns`` on, up to but not including ``end_ns``; each is taken once.

    Every time is computed from the start, so that neither rounding nor lateness adds up.
    """

    def __init__(self, start_ns: int, end_ns: int, rate_rps: float) -> None:
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._interval_ns = NS_PER_S / rate_rps
        self._ahead_ns = min(AHEAD_NS, int(AHEAD_SHARE * self._interval_ns))
        self._due = 0
        self._taken = 0

    @property
    def next_ns(self) -> int | None:
        """Returns when the next request that is not due yet will be; None when all are due."""
        next_ns = self._intended_ns(self._due)
        return next_ns if next_ns < self._end_ns else None

    @property
    def wake_ns(self) -> int | None:
        """Returns from when on to wait for the next request, without sleeping; None when all are due."""
        return None if self.next_ns is None else self.next_ns - self._ahead_ns

    @property
    def waiting(self) -> int:
        """Returns how many requests are due and have not been taken."""
        return self._due - self._taken

    @property
    def is_exhausted(self) -> bool:
        """Returns whether all requests have been taken."""
        return not self.waiting and self.next_ns is None

    def advance(self, now_ns: int) -> None:
        """Makes all requests due whose time has come."""
        while (next_ns := self.next_ns) is not None and next_ns <= now_ns:
            self._due += 1

    def take(self) -> int:
        """Takes the request that has waited longest, and returns when it was intended to be sent."""
        assert self.waiting
        self._taken += 1
        return self._intended_ns(self._taken - 1)

    def _intended_ns(self, index: int) -> int:
        return self._start_ns + round(index * self._interval_ns)
