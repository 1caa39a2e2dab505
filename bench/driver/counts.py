"""What one slice saw, as it is counted."""

from collections import Counter

from bench.driver.histogram import Histogram
from bench.driver.response import RequestError
from bench.model.protocol import SliceResult


class Counts:
    """Requests are right answers within the window; all else is counted from the slice's start to its end."""

    def __init__(self) -> None:
        self.requests = 0
        self.requests_in_slice = 0
        self.dropped = 0
        self.latency = Histogram()
        self._errors: Counter[str] = Counter()

    def count_failure(self, failure: RequestError) -> None:
        """Counts an error under its reason."""
        self._errors[str(failure)] += 1

    def result(self, window_s: float, bytes_received: int) -> SliceResult:
        """Returns the counts so far; a closed load has no more to say."""
        return SliceResult(
            window_s=window_s,
            requests=self.requests,
            errors=dict(self._errors),
            dropped=self.dropped,
            requests_in_slice=self.requests_in_slice,
            bytes_received=bytes_received,
            latency_us=self.latency.encoded(),
            answers_in_window=self.requests,
        )
