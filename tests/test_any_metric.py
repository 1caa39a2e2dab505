"""What holds of any metric, and not only of those that bench has: every count can be gated, every difference shown."""

import pytest
from msgspec.structs import replace

from bench.analysis.summary import fold
from bench.model.load import Phase
from bench.model.metrics import METRICS, Average, Better, Gate, Metric, Source, Unit, latency_at_rate
from bench.model.reason import Code
from bench.model.regression import Verdict
from bench.regression.check import check
from bench.regression.history_line import record as history_line
from bench.regression.ratios import Allowed, Pair, counts
from bench.report.exports.trends import trusted
from tests.builders.runs import A, B, R, experiment, manifest, run_observations, run_records

ALLOWED = Allowed(0.03, 0.005)
COUNTED = Metric(
    name="image_bytes",
    title="size of its image",
    short="image",
    column="image",
    unit=Unit.BYTES,
    better=Better.LOWER,
    source=Source.AT_REST,
    average=Average.COUNT,
    gate=Gate(rank=10, phase=None),
)


def test_whatever_is_counted_can_be_gated() -> None:
    """It is judged by the counts as they are, by the limit of counts, in runs and in comparisons; and has a trend."""
    whole = experiment()
    with METRICS.with_row(COUNTED):
        observed = run_observations(whole)
        larger = [
            replace(each, value=7.1) if (each.metric, each.lane) == (COUNTED.name, A) else each for each in observed
        ]
        run, baseline = (fold(manifest(whole), run_records(whole), (), each) for each in (larger, observed))
        checked = check(run, baseline, ALLOWED).lanes
        found = {lane.lane: {each.metric: each.verdict for each in lane.evidence} for lane in checked}
        assert (found[A][COUNTED.name], found[B][COUNTED.name]) == (Verdict.SLOWER, Verdict.NO_DIFFERENCE)
        assert ALLOWED.of(COUNTED.name) == ALLOWED.instructions
        assert history_line(run).lanes[A][COUNTED.name].point == 7.1
        assert counts(Pair("alpha", B, A), larger)[COUNTED.name].point == pytest.approx(7.1 / 7)


def test_any_difference_to_raw_can_be_shown_and_tracked() -> None:
    """A second one is made, missing and tracked as the own cost is."""
    row = replace(
        METRICS["own_cost_us_per_request"],
        name="own_latency_ms",
        unit=Unit.MS,
        phase=Phase.FIXED,
        difference_of=latency_at_rate("p50"),
    )
    whole = experiment()
    with METRICS.with_row(row):
        summary = fold(manifest(whole), run_records(whole), ()).summary
        tracked = {point.lane for point in trusted(summary) if point.metric == row.name}
        lanes = {lane.lane: lane for lane in summary.lanes}
        alone = replace(whole, lanes=whole.lanes[:2], groups=(replace(whole.groups[0], lanes=(A, B)),))
        without = fold(manifest(alone), [each for each in run_records(whole) if each.lane in (A, B)], ()).summary
    of_both = (lanes[name].metrics[row.difference_of or ""].point for name in (A, R))
    assert lanes[A].metrics[row.name].point == pytest.approx(next(of_both) - next(of_both), rel=0.02)
    assert lanes[A].metrics[row.name].unit == row.unit
    assert row.name not in lanes[R].metrics
    assert {A, B} <= tracked
    assert without.lanes[0].missing[row.name].code is Code.NO_RAW
