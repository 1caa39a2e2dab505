"""What is said of lines of a history."""

from collections.abc import Sequence

from bench.model.history import History, HistoryRecord
from bench.regression import trends


def told(records: Sequence[HistoryRecord]) -> tuple[History, list[trends.Series]]:
    """Returns what `bench history` says of these records, and the series that it draws."""
    chosen = trends.like_latest(records)
    series = trends.series(chosen.records)
    return trends.history(chosen, series), series
