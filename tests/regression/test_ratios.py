"""What a comparison has measured: whose intervals hold at once, what is left out, and that Rounds are folded once."""

from collections.abc import Mapping, Sequence
from math import exp, fsum, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from scipy.stats import t

from bench.analysis.folds import round_values
from bench.model import quotients, schedule
from bench.model.estimate import CONFIDENCE, Estimate
from bench.model.experiment import Side
from bench.model.load import Phase
from bench.model.metrics import CPU
from bench.model.reason import Code, reason
from bench.model.records import SliceRecord
from bench.model.regression import Verdict
from bench.model.schedule import RoundPlan
from bench.regression import ratios, verdict
from bench.regression.ratios import Pair, compared, steering_metrics
from tests.builders.comparisons import folded
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
    rounds = folded(PAIRS[0], RECORDS)
    alone = ratios.ratios(rounds, apps=1)[metric]
    found = ratios.ratios(rounds, apps=apps)[metric]
    wider = t.ppf(1 - (1 - CONFIDENCE) / 2 / apps, FREEDOM) / t.ppf(1 - (1 - CONFIDENCE) / 2, FREEDOM)
    assert found.point == alone.point
    assert half(found) == pytest.approx(half(alone) * wider)
    assert half(alone) > 0


def test_an_app_is_judged_by_the_intervals_that_steer() -> None:
    """Of two Apps as of one, the steering ratios are those of the evidence."""
    for pairs in (PAIRS[:1], PAIRS[:2]):
        by_app = [folded(pair, RECORDS) for pair in pairs]
        judged = [
            found.ratio
            for pair, rounds in zip(pairs, by_app, strict=True)
            for found in ratios.judge(ratios.ratios(rounds, apps=len(pairs)), ratios.cells(pair, RECORDS, 1), 0.03)
            if found.metric in steering_metrics()
        ]
        assert len(judged) == len(pairs) * len(steering_metrics())
        assert ratios.steering(by_app) == judged


def test_nothing_steers_as_long_as_an_app_has_no_ratio() -> None:
    """The others' precision says nothing of it."""
    first, second = (folded(pair, RECORDS) for pair in PAIRS[:2])
    assert ratios.steering([first, second])
    assert ratios.steering([first, []]) == []


def test_a_steering_metric_without_a_ratio_is_invalid_and_not_absent() -> None:
    """What was to decide is no pass where nothing is known of it; a percentile of too few answers may be absent."""
    known = ratios.ratios(folded(PAIRS[0], RECORDS), apps=1)
    lost = steering_metrics()[0]
    left = {metric: ratio for metric, ratio in known.items() if metric in steering_metrics() and metric != lost}
    found = {each.metric: each for each in ratios.judge(left, ratios.cells(PAIRS[0], RECORDS, 1), 0.03)}
    assert found.keys() == set(steering_metrics())
    assert (found[lost].verdict, found[lost].reasons) == (Verdict.INVALID, (reason(Code.NOT_MEASURED),))


@pytest.mark.parametrize("phase", [Phase.DUET, Phase.SATURATED, Phase.FIXED])
def test_a_discarded_slice_is_in_no_ratio(phase: Phase) -> None:
    """Whatever was seen in it, the ratios of all metrics are those of the other slices."""
    last = [seen.slice for seen in RECORDS if seen.phase is phase][-1]
    chosen = [seen for seen in RECORDS if seen.slice == last]
    others = [seen for seen in RECORDS if seen.slice != last]
    slow = {"requests": 1, "server_cpu_ns": 10**9, "latency_from_intended_us": spread(250, 90_000)}
    disturbed = [replace(seen, **slow, discarded=reason(Code.STEAL)) for seen in chosen]
    found = ratios.ratios(folded(PAIRS[0], [*others, *disturbed]), apps=1)
    assert found == ratios.ratios(folded(PAIRS[0], others), apps=1)
    assert found.keys() == compared().keys()


def random_records(seed: int, rounds: int = 4) -> list[SliceRecord]:
    """Returns the records of one App: slices are discarded, silent or of unknown CPU time, and Rounds are poor."""
    rng = Random(seed)  # noqa: S311 - the same records each time
    pair, rows = PAIRS[0], list[SliceRecord]()
    for index in range(rounds):
        answers = rng.choice([0, 5, 24, 25, 26, 125, 250, 500])
        for planned in schedule.comparison_slices((pair.base, pair.head), BOUT, index, 200.0, first_index=0):
            discarded = reason(Code.STEAL) if rng.random() < 0.1 else None
            for lane in planned.lanes:
                latencies = spread(answers, rng.randrange(500, 900, 100))
                requests = rng.choice([0, rng.randint(1, 600)])
                seen = record(
                    planned,
                    round=index,
                    lane=lane,
                    requests=requests,
                    requests_in_slice=requests + rng.randint(0, 50),
                    server_cpu_ns=rng.choice([None, *[rng.randint(1, 10**9)] * 9]),
                    latency_us=latencies,
                    latency_from_intended_us=latencies if planned.phase is Phase.FIXED else None,
                    discarded=discarded,
                )
                rows.append(seen)
    missing = rng.choice([Phase.FIXED, Phase.SATURATED, Phase.DUET])
    return [row for row in rows if (row.round, row.phase) != (1, missing)]


def of_duets(records: Sequence[SliceRecord]) -> dict[int, float]:
    """Returns HEAD:BASE of CPU time by Round, from all records at once: the geometric mean over the Round's Duets."""
    costs = {
        (seen.round, seen.slice, seen.lane): quotients.per_request("server_cpu_ns", 1000, seen)
        for seen in records
        if seen.phase is Phase.DUET and not seen.discarded
    }
    logs: dict[int, list[float]] = {}
    for (index, at, lane), base in costs.items():
        head = costs.get((index, at, PAIRS[0].head))
        if lane == PAIRS[0].base and base and head:
            logs.setdefault(index, []).append(log(head / base))
    return {index: exp(fsum(of_round) / len(of_round)) for index, of_round in logs.items()}


def from_all_records(records: Sequence[SliceRecord]) -> Mapping[str, Estimate]:
    """Returns the ratios from the fold over whole runs, of all Rounds at once."""
    values, duets = round_values(records), of_duets(records)
    found = {
        metric: verdict.paired(values.of(PAIRS[0].base, metric), values.of(PAIRS[0].head, metric))
        for metric in compared()
        if metric != CPU
    }
    found[CPU] = verdict.paired(dict.fromkeys(duets, 1.0), duets)
    return {metric: ratio for metric, ratio in found.items() if ratio}


@given(seed=st.integers(0, 10**6), cut=st.integers(0, 4))
def test_rounds_that_are_folded_one_by_one_give_what_a_run_gives(seed: int, cut: int) -> None:
    """To the last digit, of all Rounds and of those before and after any of them, as if these were all there are."""
    records = random_records(seed)
    rounds = folded(PAIRS[0], records)
    before, after = ([seen for seen in records if (seen.round < cut) is first] for first in (True, False))
    assert ratios.ratios(rounds, apps=1) == from_all_records(records)
    assert ratios.ratios(rounds[:cut], apps=1) == from_all_records(before)
    assert ratios.ratios(rounds[cut:], apps=1) == from_all_records(after)


def test_a_percentile_needs_enough_answers_in_each_round_and_in_all() -> None:
    """All Rounds have one, or none has; a half that has too few has none, though the whole has."""

    def of(answers: int, rounds: int) -> list[SliceRecord]:
        fixed = [seen for seen in RECORDS if seen.phase is Phase.FIXED and seen.round < rounds]
        latencies = spread(answers, 1000)
        return [replace(seen, latency_from_intended_us=latencies, latency_us=latencies) for seen in fixed]

    per_round = len([seen for seen in of(1, 1) if seen.lane == PAIRS[0].base])
    enough = folded(PAIRS[0], of(100 // per_round, 5))
    assert "latency_fixed_p99_ms" in ratios.ratios(enough, apps=1)
    assert "latency_fixed_p99_ms" not in ratios.ratios(enough[:4], apps=1)
    poor = folded(PAIRS[0], of(100 // per_round - 1, 1))
    assert "latency_fixed_p99_ms" not in ratios.ratios([*enough, replace(poor[0], index=5)], apps=1)
    assert "latency_fixed_p50_ms" in ratios.ratios([*enough, replace(poor[0], index=5)], apps=1)
