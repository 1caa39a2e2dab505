"""What ``--sweep`` and ``--slo`` accept, and in one line what they don't."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.cli.sweep_option import parse_slo_ms, parse_sweep, with_sweep
from bench.model.config_errors import ConfigError
from bench.model.experiment import Sweep
from bench.model.load import MAX_RATE_RPS, Closed, Load, Open
from tests.builders.runs import experiment, twinned

RATES = st.integers(80, 2000).map(lambda number: number / 8)


def users(*numbers: int) -> tuple[Load, ...]:
    return tuple(Closed(number) for number in numbers)


def rates(*numbers: float) -> tuple[Load, ...]:
    return tuple(Open(number) for number in numbers)


@pytest.mark.parametrize(
    ("text", "loads"),
    [
        ("users=1..256", users(1, 2, 4, 8, 16, 32, 64, 128, 256)),
        ("users=3..20", users(3, 4, 8, 16, 20)),
        ("users=16,1,4,4", users(1, 4, 16)),
        ("users=7", users(7)),
        ("rate=100..20000", rates(100, 200, 500, 1000, 2000, 5000, 10000, 20000)),
        ("rate=150..1500", rates(150, 200, 500, 1000, 1500)),
        ("rate=12.5..60", rates(12.5, 20, 50, 60)),
        ("rate=1000,500", rates(500, 1000)),
    ],
)
def test_a_sweep_is_a_range_or_a_list(text: str, loads: tuple[Load, ...]) -> None:
    """A range doubles the users, or goes 1-2-5 with the rate, and has both its ends; a list is put in order."""
    assert parse_sweep(text) == loads


@given(low=RATES, more=RATES)
def test_a_range_of_rates_rises_in_steps_of_two_and_a_half_at_most(low: float, more: float) -> None:
    """From one end to the other, without a gap."""
    numbers = [load.rate_rps for load in parse_sweep(f"rate={low}..{low + more}") if isinstance(load, Open)]
    assert (numbers[0], numbers[-1]) == (low, low + more)
    assert all(a < b <= 2.5 * a * (1 + 1e-9) for a, b in pairwise(numbers))


@given(low=st.integers(1, 300), more=st.integers(1, 1000))
def test_a_range_of_users_doubles_at_most(low: int, more: int) -> None:
    """From one end to the other, without a gap."""
    numbers = [load.users for load in parse_sweep(f"users={low}..{low + more}") if isinstance(load, Closed)]
    assert (numbers[0], numbers[-1]) == (low, low + more)
    assert all(a < b <= 2 * a for a, b in pairwise(numbers))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "users=1..256"),
        ("workers=1..4", "users=1..256"),
        ("users=", "whole number of users"),
        ("users=0..4", "found '0'"),
        ("users=1.5", "whole number of users"),
        ("users=4..1", "a range"),
        ("users=4..4", "a range"),
        ("users=1..2..4", "found '2..4'"),
        ("users=1,,4", "found ''"),
        ("users=²", "whole number of users"),
        ("rate=0", "10 to 100,000 requests a second"),
        ("rate=-5", "10 to 100,000 requests a second"),
        ("rate=nan", "10 to 100,000 requests a second"),
        ("rate=1e3", "10 to 100,000 requests a second"),
        (f"rate=10..{MAX_RATE_RPS + 1:.0f}", "100,000"),
        ("rate=9.99..20", "found '9.99'"),
        ("rate=" + "9" * 400, "10 to 100,000"),
        ("users=1.." + "9" * 40, "at most 64"),
        ("users=" + ",".join(map(str, range(1, 70))), "at most 64"),
    ],
)
def test_anything_else_is_refused_in_one_line(text: str, said: str) -> None:
    """It names the option, what was found and what was expected."""
    with pytest.raises(ConfigError, match=r"^--sweep: found .*expected[^\n]*\Z") as refusal:
        parse_sweep(text)
    assert said in str(refusal.value)


@pytest.mark.parametrize(("text", "slo_ms"), [("10ms", 10), ("500us", 0.5), ("0.5s", 500), ("2.5ms", 2.5)])
def test_an_objective_has_a_unit(text: str, slo_ms: float) -> None:
    """Microseconds, milliseconds or seconds."""
    assert parse_slo_ms(text) == pytest.approx(slo_ms)


@pytest.mark.parametrize("text", ["10", "10 ms", "ms", "0ms", "-1ms", "1m", "nanms", "9" * 400 + "s", "10ms\n"])
def test_an_objective_without_a_unit_or_a_length_is_refused(text: str) -> None:
    """Nobody has to guess what 10 means."""
    with pytest.raises(ConfigError, match=r"^--slo: found .*expected[^\n]*\Z"):
        parse_slo_ms(text)


def test_a_sweep_leaves_twins_out() -> None:
    """They show the noise of what a sweep does not measure; everything else stays as it was."""
    sweep = Sweep(loads=users(1, 2), slo_ms=10)
    whole = with_sweep("bench.toml", twinned(), sweep)
    assert whole == replace(experiment(), sweep=sweep)
    twin = replace(twinned(), lanes=twinned().lanes[-1:])
    with pytest.raises(ConfigError, match="twins"):
        with_sweep("bench.toml", twin, sweep)


@pytest.mark.parametrize(("most", "fits"), [(999, True), (1000, False)])
def test_a_worker_must_hold_the_connections_of_the_sweep(most: int, *, fits: bool) -> None:
    """Users and the thread of the worker: one too many names the file and the key."""
    sweep = Sweep(loads=users(1, most), slo_ms=10)
    if fits:
        assert with_sweep("bench.toml", experiment(), sweep).most_users == most
        return
    with pytest.raises(ConfigError, match=r"^bench.toml: serving.worker_connections: .*\b1000\b.*\b1001\b"):
        with_sweep("bench.toml", experiment(), sweep)


def test_the_warm_up_needs_its_users_too() -> None:
    """A sweep of few users, or of rates, leaves the users that warm up."""
    for loads in (users(1), rates(100)):
        assert replace(experiment(), sweep=Sweep(loads=loads, slo_ms=10)).most_users == experiment().load.users
