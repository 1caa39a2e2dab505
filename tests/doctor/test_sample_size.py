"""How far ratios spread, and the rounds that are proposed from it."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.doctor import power, sample_size
from bench.doctor.power import Rule
from bench.model.reason import Code, reason
from tests.builders.runs import A, B, G, experiment, manifest, run_records, saturated, twinned

logs = st.floats(-0.5, 0.5).map(lambda value: round(value, 6))


def test_a_group_compares_its_contenders() -> None:
    """Three contenders are three pairs; raw and twins are none, but a twin makes a noise floor."""
    whole = experiment()
    assert sample_size.rule_of(whole, whole.groups[0]) == Rule(3, noise_floor=False)
    with_twin = twinned()
    assert sample_size.rule_of(with_twin, with_twin.groups[0]) == Rule(3, noise_floor=True)


def test_a_group_of_one_is_compared_with_its_twin() -> None:
    """There is one comparison at least."""
    whole = experiment()
    alone = replace(whole, groups=(replace(whole.groups[0], lanes=(A,)),))
    assert sample_size.rule_of(alone, alone.groups[0]) == Rule(1, noise_floor=False)


@given(st.lists(logs, min_size=2, max_size=30))
def test_the_spread_is_the_standard_deviation(values: list[float]) -> None:
    """With an interval around it, whatever the mean is."""
    found = sample_size.spread(values)
    assert found.point == pytest.approx(np.std(values, ddof=1))
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.point <= found.high
    assert sample_size.spread([value + 1 for value in values]).point == pytest.approx(found.point, abs=1e-9)


@given(st.lists(st.lists(logs, min_size=4, max_size=4), min_size=3, max_size=9))
def test_twins_spread_at_least_as_their_rounds_and_as_their_slices(values: list[list[float]]) -> None:
    """Neither rounds that agree by chance nor slices that agree make the noise small."""
    found = sample_size.spread_of_twins(values).point ** 2
    assert found == pytest.approx(
        max(np.mean([np.mean(of_round) ** 2 for of_round in values]), np.mean(np.square(values)) / 4), abs=1e-12
    )


@pytest.mark.parametrize("between", [0.0, 0.5, 4.0])
def test_the_interval_of_a_short_a_a_holds(between: float) -> None:
    """Over simulated A/As of 3 rounds of 4 slices, it has the true spread in it 85 times in 100 or more."""
    rng, held, runs = np.random.default_rng(1), 0, 2000
    for _ in range(runs):
        values = rng.normal(0, between**0.5, (3, 1)) + rng.normal(0, 2, (3, 4))  # slices of 4 make a variance of 1
        found = sample_size.spread_of_twins(values.tolist())
        assert found.low is not None
        assert found.high is not None
        held += found.low <= (between + 1) ** 0.5 <= found.high
    assert held / runs > 0.85


def test_log_ratios_are_of_the_rounds_that_both_have() -> None:
    """Slices are paired in their order; discarded and empty ones, and rounds of one Lane alone, are left out."""
    records = [
        saturated(A, round=0, requests=300),
        saturated(B, round=0, requests=100),
        saturated(B, round=0, requests=999, discarded=reason(Code.STEAL)),
        saturated(A, round=1, requests=200),
        saturated(A, round=1, requests=400),
        saturated(B, round=1, requests=200),
        saturated(B, round=1, requests=200),
        saturated(A, round=2),
        saturated(B, round=2, requests=0),
    ]
    assert sample_size.log_ratios(records, A, B) == [[log(3)], [0.0, log(2)]]


def test_a_proposal_is_judged_by_the_pair_that_spread_most() -> None:
    """The Group gets what its worst pair needs, and the run what its worst Group needs."""
    whole = experiment()
    records = run_records(whole)
    found = sample_size.propose(manifest(whole), records, (), 0.05)
    (group,) = found.groups
    spreads = {
        pair: sample_size.spread([float(np.mean(each)) for each in sample_size.log_ratios(records, *pair)]).point
        for pair in ((A, B), (A, G), (B, G))
    }
    assert group.spread is not None
    assert group.spread.point == pytest.approx(max(spreads.values()))
    assert spreads[tuple(group.lanes)] == pytest.approx(group.spread.point)  # type: ignore[index]
    assert group.resolution is not None
    assert found.rounds == group.resolution.rounds == power.rounds_needed(0.05, group.spread.point, Rule(3))
    assert group.resolution.expected_s is not None


def test_smaller_differences_need_more_rounds_and_time() -> None:
    """The proposal is the fewest rounds, and time goes with them."""
    coarse, fine = (sample_size.propose(manifest(), run_records(experiment()), (), d).groups[0] for d in (0.1, 0.01))
    assert coarse.resolution is not None
    assert fine.resolution is not None
    assert (coarse.resolution.rounds or 0) < (fine.resolution.rounds or 0)
    assert (coarse.resolution.expected_s or 0) < (fine.resolution.expected_s or 0)


def test_a_run_of_few_rounds_proposes_nothing_and_says_why() -> None:
    """Two rounds have no spread worth the name."""
    whole = experiment(preset=replace(experiment().preset, rounds=2))
    found = sample_size.propose(manifest(whole), run_records(whole), (), 0.03)
    assert found.rounds is None
    assert found.groups[0].resolution is None
    assert found.groups[0].reason == reason(Code.NO_VALID_PAIR, rounds=3)


def test_every_group_is_heeded() -> None:
    """What a machine tells apart is what the strictest Group lets it; rounds too many are no number."""
    whole = twinned()
    single = replace(whole.groups[0], name="alone", lanes=(A,))
    both = replace(whole, groups=(single, *whole.groups))
    assert sample_size.at_rounds(both, 6, 0.02).difference == power.detectable(6, 0.02, Rule(3, noise_floor=True))
    assert sample_size.at_difference(both, 0.03, 0.02).rounds == power.rounds_needed(0.03, 0.02, Rule(3, True))
    assert sample_size.at_difference(both, 0.0001, 0.3).rounds is None
