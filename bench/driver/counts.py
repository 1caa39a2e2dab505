"""What one slice saw, as it is counted."""

from collections import Counter

from bench.driver.histogram import Histogram
from bench.driver.response import RequestError
from bench.model.protocol import SliceResult


class Counts:
    """Requests are right answers within the window; all else is counted from the slice's start to its end.

    ``from_intended`` and ``lateness`` are of open loads; without them the answers in the window are the requests.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.requests_in_slice = 0
        self.answers_in_window = 0
        self.dropped = 0
        self.bytes_received = 0
        self.latency = Histogram()
        self.from_intended: Histogram | None = None
        self.lateness: Histogram | None = None
        self.errors: Counter[str] = Counter()

    def count_failure(self, failure: RequestError) -> None:
        """Counts an error under its reason."""
        self.errors[str(failure)] += 1

    def result(self, window_s: float, opening: "Counts", loop_lag_us: str) -> SliceResult:
        """Returns all that was counted, with the answers, their bytes, and the errors, of the slice's first calls."""
        return SliceResult(
            window_s=window_s,
            requests=self.requests,
            errors=dict(opening.errors + self.errors),
            dropped=self.dropped,
            requests_in_slice=opening.requests_in_slice + self.requests_in_slice,
            bytes_received=opening.bytes_received + self.bytes_received,
            latency_us=self.latency.encoded(),
            answers_in_window=self.answers_in_window if self.from_intended else self.requests,
            latency_from_intended_us=self.from_intended.encoded() if self.from_intended else None,
            send_lateness_us=self.lateness.encoded() if self.lateness else None,
            loop_lag_us=loop_lag_us,
        )
