"""What a comparison has measured: whose intervals hold at once, and what is left out."""

from math import log
from random import Random

import pytest
from msgspec.structs import replace
from scipy.stats import t

from bench.model import schedule
from bench.model.estimate import CONFIDENCE
from bench.model.experiment import Side
from bench.model.load import Phase
from bench.model.reason import Code, reason
from bench.model.records import Estimate, SliceRecord
from bench.model.schedule import RoundPlan
from bench.regression import ratios
from bench.regression.ratios import CPU, PHASES, STEERING, Allowed, Pair
from tests.builders.runs import LANES, record, spread

PAIRS = [Pair(lane.app.name, *(replace(lane, side=side).name for side in Side)) for lane in LANES[:3]]
BOUT = RoundPlan(users=4, seed=1)
ROUNDS = 5
FREEDOM = ROUNDS - 1


def noisy() -> list[SliceRecord]:
    """Returns the records of all Apps' slices, with some noise in each."""
    rng = Random(1)  # noqa: S311 - the same noise each time
    return [
        record(
            planned,
            round=index,
            lane=lane,
            requests=rng.randint(240, 260),
            server_cpu_ns=rng.randint(280_000_000, 300_000_000),
        )
        for index in range(ROUNDS)
        for pair in PAIRS
        for planned in schedule.comparison_slices((pair.base, pair.head), BOUT, index, 200.0, first_index=0)
        for lane in planned.lanes
    ]


RECORDS = noisy()


def half(ratio: Estimate) -> float:
    assert ratio.low is not None
    assert ratio.high is not None
    return (log(ratio.high) - log(ratio.low)) / 2


@pytest.mark.parametrize("apps", [1, 2, 3])
@pytest.mark.parametrize("metric", [CPU, "throughput_rps"])
def test_the_intervals_of_several_apps_hold_at_once(apps: int, metric: str) -> None:
    """Each has its share of the 5 % (Bonferroni), so it is wider by the quantiles; with one App nothing changes."""
    alone = ratios.ratios(PAIRS[0], RECORDS, apps=1)[metric]
    found = ratios.ratios(PAIRS[0], RECORDS, apps=apps)[metric]
    wider = t.ppf(1 - (1 - CONFIDENCE) / 2 / apps, FREEDOM) / t.ppf(1 - (1 - CONFIDENCE) / 2, FREEDOM)
    assert found.point == alone.point
    assert half(found) == pytest.approx(half(alone) * wider)
    assert half(alone) > 0


def test_an_app_is_judged_by_the_intervals_that_steer() -> None:
    """Of two Apps as of one, the steering ratios are those of the evidence."""
    for pairs in (PAIRS[:1], PAIRS[:2]):
        judged = [
            found.ratio
            for pair in pairs
            for found in ratios.judge(pair, RECORDS, (), Allowed(0.03, 0.005), workers=1, apps=len(pairs))
            if found.metric in STEERING
        ]
        assert ratios.steering(pairs, RECORDS) == judged


@pytest.mark.parametrize("phase", [Phase.DUET, Phase.SATURATED, Phase.FIXED])
def test_a_discarded_slice_is_in_no_ratio(phase: Phase) -> None:
    """Whatever was seen in it, the ratios of all metrics are those of the other slices."""
    last = [seen.slice for seen in RECORDS if seen.phase is phase][-1]
    chosen = [seen for seen in RECORDS if seen.slice == last]
    others = [seen for seen in RECORDS if seen.slice != last]
    slow = {"requests": 1, "server_cpu_ns": 10**9, "latency_from_intended_us": spread(250, 90_000)}
    disturbed = [replace(seen, **slow, discarded=reason(Code.STEAL)) for seen in chosen]
    found = ratios.ratios(PAIRS[0], [*others, *disturbed], apps=1)
    assert found == ratios.ratios(PAIRS[0], others, apps=1)
    assert found.keys() == PHASES.keys()
