"""Latencies are right: what is reported is what a server of known delays did with the very same requests.

However busy the machine is, no answer can come before the server sent it: from below the tolerance is that of the
histogram. From above, answers may be late for as large a share of the time as server and driver were kept from running,
which the kernel counts; a turn in which that was short is looked for, a bounded number of times. The strict
figures are those of benchmarks/latency.py.
"""

import random
from collections.abc import Iterator

import numpy as np
import pytest
from delay_server import DELAYS_MS, NS_PER_MS, Served, Values, from_intended_ms, quantile, service_ms
from hypothesis import given
from hypothesis import strategies as st
from latency import FEW, Rig, Turn, rig

from bench.analysis import histograms
from bench.analysis.load_result import load_result
from bench.driver.histogram import Histogram
from bench.model.load import Closed, Load, Open
from bench.model.metrics import PERCENTILES
from bench.model.summary import LoadResult
from bench.report import plain
from bench.servers import machine

RATE_RPS = 500.0
SECONDS = 1.0
STALL_RATE_RPS = 1000.0
STALL_SECONDS = 3.5
TRIES = 2
USERS = 8
RELATIVE = 0.05
ABSOLUTE_MS = 0.2
"""On any machine; a quiet one is held to half of it."""
ROUNDED = 0.999
"""Three digits of a histogram, rounded down."""
TRUNCATED_MS = 0.002


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    here = machine.describe(workers=1)
    with rig(USERS, [*here.server_cores, *here.driver_cores]) as opened:
        yield opened


@pytest.fixture(scope="module")
def few() -> Iterator[Rig]:
    here = machine.describe(workers=1)
    with rig(FEW, [*here.server_cores, *here.driver_cores]) as opened:
        yield opened


def reported(turn: Turn) -> LoadResult:
    return load_result("http://127.0.0.1/", turn.load, turn.result, None)


def assert_near(reported_ms: dict[str, float] | None, truth_ms: Values, turn: Turn) -> None:
    """Every percentile that is given is what really was, but for the share of time in which others had the cores.

    So large a share of the answers may be late by as long as others had them.
    """
    assert reported_ms
    for name, said_ms in reported_ms.items():
        percentile = PERCENTILES[name]
        true_ms = quantile(truth_ms, percentile)
        assert said_ms >= ROUNDED * true_ms - TRUNCATED_MS, name
        shifted = percentile + 100 * turn.disturbed_share
        most_ms = quantile(truth_ms, shifted) if shifted < 100 else max(truth_ms) + turn.waited_ms
        assert said_ms <= most_ms + max(RELATIVE * most_ms, ABSOLUTE_MS), name


@pytest.mark.parametrize("load", [Closed(USERS), Open(RATE_RPS)], ids=str)
@pytest.mark.parametrize("path", ["constant", "bimodal", "lognormal"])
def test_percentiles_are_those_of_what_the_server_did(running: Rig, path: str, load: Load) -> None:
    """For the service time of both loads, and for the time from the intended start of an open one."""
    turn = running.undisturbed_turn(path, load, SECONDS, TRIES)
    outcome = reported(turn)
    assert {"p50", "p90"} <= outcome.latency_ms.keys()
    assert_near(outcome.latency_ms, service_ms(turn.served), turn)
    if isinstance(load, Open):
        truth_ms = from_intended_ms(turn.served, load.rate_rps)
        assert_near(outcome.latency_from_intended_ms, truth_ms, turn)


def test_a_stall_shows_in_the_time_from_the_intended_start_and_hardly_in_the_service_time(few: Rig) -> None:
    """A second's requests were due meanwhile, and four were under way: the terminal and the document say both."""
    turn = few.undisturbed_turn("stall", Open(STALL_RATE_RPS), STALL_SECONDS, TRIES)
    outcome = reported(turn)
    assert outcome.latency_from_intended_ms
    assert outcome.latency_from_intended_ms["p90"] > 250
    assert outcome.latency_ms["p99"] < 250
    assert_near(outcome.latency_ms, service_ms(turn.served), turn)
    said = plain.load_text(outcome)
    for what, values in (
        ("service time", outcome.latency_ms),
        ("from intended start", outcome.latency_from_intended_ms),
    ):
        assert f"{what:<20} p50 {values['p50']:.3f} ms" in said


def test_a_stall_holds_up_few_requests_of_a_closed_load(few: Rig) -> None:
    """Each user has one request in it, and sends no other meanwhile: that is what an open load is for."""
    turn = few.undisturbed_turn("stall", Closed(FEW), STALL_SECONDS, TRIES)
    outcome = reported(turn)
    assert outcome.latency_from_intended_ms is None
    assert outcome.latency_ms["p99"] < 250


@pytest.mark.parametrize("path", DELAYS_MS)
def test_recording_and_reporting_keep_three_digits(path: str) -> None:
    """Without a clock: the delays themselves, recorded as the driver does, and given as a report gives them."""
    rng = random.Random(2)  # noqa: S311 - a sequence that can be repeated
    delays_us = [round(1000 * DELAYS_MS[path](rng)) for _ in range(20_000)]
    recorder = Histogram()
    for delay_us in delays_us:
        recorder.record(delay_us)
    for percentile in PERCENTILES.values():
        found_ms = histograms.percentile_ms(histograms.merged([recorder.encoded()]), percentile)
        assert found_ms == pytest.approx(quantile(np.array(delays_us), percentile) / 1000, rel=0.001)


# The truth itself


@given(st.floats(10, 10_000), st.lists(st.floats(0, 500), min_size=2, max_size=50), st.integers(0, 10**15))
def test_without_a_wait_the_time_from_the_intended_start_is_the_delay(
    rate_rps: float, waits_ms: list[float], start_ns: int
) -> None:
    """Wherever the schedule begins."""
    due_ns = [start_ns + round(index * 1e9 / rate_rps) for index in range(len(waits_ms))]
    served = [
        Served(at_ns, at_ns + round(wait_ms * NS_PER_MS), 0) for at_ns, wait_ms in zip(due_ns, waits_ms, strict=True)
    ]
    found = from_intended_ms(sorted(served, key=lambda one: one.written_ns), rate_rps)
    assert found == pytest.approx(waits_ms, abs=1e-3)


def test_a_request_that_was_read_late_has_waited_before() -> None:
    """One connection, 100 requests a second, the second answer takes 35 ms: what was due meanwhile follows at once."""
    ms = NS_PER_MS
    served = [
        Served(0, 1 * ms, 0),
        Served(10 * ms, 45 * ms, 0),
        Served(45 * ms, 46 * ms, 0),
        Served(46 * ms, 47 * ms, 0),
    ]
    assert list(from_intended_ms(served, 100.0)) == [1, 35, 26, 17]
    assert list(service_ms(served)) == [1, 35, 1, 1]


def test_a_quantile_is_the_value_of_a_rank() -> None:
    """Of 1 to 1000 the 999th is that of 99.9 %, and of few values the highest is."""
    values = np.arange(1000.0, 0, -1)
    assert [quantile(values, percentile) for percentile in (0, 50, 99, 99.9, 100)] == [1, 500, 990, 999, 1000]
    assert quantile(np.array([3.0, 1.0]), 99.9) == 3
