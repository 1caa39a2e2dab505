"""The quotients of slices: sums first, nothing where there is nothing to divide, and metrics are the same."""

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.folds import round_values
from bench.model import quotients
from tests.builders.runs import A, saturated

cpu_us_per_request = partial(quotients.per_request, "server_cpu_ns", 1000)

counts = st.integers(0, 5000)
windows_s = st.floats(0.05, 5.0).map(lambda value: round(value, 6))
slices = st.lists(
    st.builds(
        saturated,
        requests=counts,
        requests_in_slice=counts,
        answers_in_window=counts,
        window_s=windows_s,
        server_cpu_ns=st.none() | st.integers(0, 10**9),
    ),
    min_size=1,
    max_size=6,
)


@given(seen=slices)
def test_metrics_are_these_quotients(seen: list[Any]) -> None:
    """The same sums, divided in the same way, and nothing where there is nothing."""
    found = round_values(seen)
    assert found.of(A, "throughput_rps").get(0) == quotients.throughput_rps(*seen)
    assert found.of(A, "cpu_us_per_request").get(0) == cpu_us_per_request(*seen)
    assert found.of(A, "error_ratio").get(0) == quotients.error_ratio(*seen)


def test_slices_are_summed_before_they_are_divided() -> None:
    """A short slice has as much say as its time."""
    first = saturated(requests=90, answers_in_window=80, requests_in_slice=90, server_cpu_ns=900, window_s=0.9)
    second = saturated(requests=30, answers_in_window=40, requests_in_slice=30, server_cpu_ns=3000, window_s=0.1)
    assert quotients.throughput_rps(first, second) == 120
    assert quotients.served_rps(first, second) == 120
    assert quotients.throughput_rps(first) == pytest.approx(100)
    assert cpu_us_per_request(first, second) == 0.0325


@pytest.mark.parametrize(
    "changes",
    [
        {"requests": 0, "answers_in_window": 0, "requests_in_slice": 0},
        {"window_s": 0.0, "requests_in_slice": 0},
        {"requests": 0, "answers_in_window": None, "server_cpu_ns": None},
        {"requests": 0, "answers_in_window": 0, "server_cpu_ns": 0},
    ],
)
def test_without_anything_to_divide_there_is_no_quotient(changes: dict[str, Any]) -> None:
    """None, which is neither a number that could be averaged nor an error."""
    seen = saturated(**changes)
    assert quotients.throughput_rps(seen) is None
    assert quotients.served_rps(seen) is None
    assert cpu_us_per_request(seen) is None


def test_one_unknown_cpu_time_makes_that_of_the_sum_unknown() -> None:
    """The others would be divided by answers that are not theirs."""
    assert cpu_us_per_request(saturated(), saturated(server_cpu_ns=None)) is None
    assert cpu_us_per_request() is None


def test_a_share_of_a_core_is_that_of_the_slices_that_know() -> None:
    """A slice without a counter is left out with its time; without any the share is unknown."""
    records = [saturated(driver_cpu_ns=150_000_000, slice_s=0.3), saturated(driver_cpu_ns=None, slice_s=0.3)]
    assert quotients.share_of_core("driver_cpu_ns", *records) == pytest.approx(0.5)
    assert quotients.share_of_core("driver_cpu_ns", *records[1:]) is None
    assert quotients.share_of_core("driver_cpu_ns") is None


@given(times_ms=st.lists(st.integers(0, 300), min_size=1, max_size=9))
def test_a_share_of_a_core_is_over_all_slices(times_ms: list[int]) -> None:
    """One slice does not decide."""
    records = [saturated(server_cpu_ns=time_ms * 10**6, slice_s=0.3) for time_ms in times_ms]
    assert quotients.share_of_core("server_cpu_ns", *records) == pytest.approx(sum(times_ms) / 300 / len(times_ms))
