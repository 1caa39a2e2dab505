"""Two stored runs from one machine: whether they may be compared, and what became slower relative to raw."""

from collections.abc import Iterator, Mapping

import numpy as np
from msgspec.structs import replace

from bench.analysis import intervals, noise_floor, normalise, validity
from bench.analysis.autocorrelation import Floats
from bench.analysis.summary import Folded
from bench.model.estimate import Estimate, Status, Validity
from bench.model.experiment import Lane
from bench.model.formats import FORMAT_VERSION
from bench.model.load import Phase
from bench.model.metrics import METRICS
from bench.model.reason import Code, Reason, reason
from bench.model.regression import Check, Evidence, LaneCheck, Verdict
from bench.regression import verdict
from bench.regression.comparability import NotComparable, prove_comparable
from bench.regression.ratios import Allowed

RUN, BASELINE = "RUN", "BASELINE"
"""How the two runs are called where something is said of one."""


def validities(run: Folded, lane: str, metric: str) -> Iterator[Validity]:
    """Yields what was found of a Lane's metric, and of raw's, which it is divided by."""
    experiment = run.manifest.experiment
    cells = {found.lane: found.cells for found in run.summary.lanes}
    yield validity.of_metric(cells[lane], metric)
    if raw := experiment.raw(experiment.lane(lane)):
        yield validity.of_metric(cells[raw.name], metric)
    else:
        yield Validity(Status.NOT_MEASURED, (_no_raw(experiment.lane(lane)),))


def _no_raw(lane: Lane) -> Reason:
    return reason(Code.NO_RAW, server=lane.server.name, adapter=lane.adapter.name if lane.adapter else None)


def resemblance(run: Folded, metric: str) -> float:
    """Returns how much a round resembles the next in what Lanes do not share, as the valid ones show."""
    lanes = [
        found.lane for found in run.summary.lanes if validity.of_metric(found.cells, metric).status is Status.VALID
    ]
    return normalise.resemblance(run.values, metric, lanes)


def _noise_floor(run: Folded, metric: str) -> float:
    """Returns the largest difference between a Lane and its twin in a metric, as a share; 0 where no twin tells."""
    return noise_floor.largest((floor for group in run.summary.groups for floor in group.noise_floors), metric)


def check(run: Folded, baseline: Folded, allowed: Allowed) -> Check:
    """Judges every Lane that both runs have. Raises NotComparable, which names the first field that differs."""
    prove_comparable(run.manifest, baseline.manifest)
    lanes = _common_contenders(run, baseline)
    compared = _compared(run, baseline)
    ratios = {metric: _ratios(run, baseline, metric) for metric in compared}
    noise = {metric: max(_noise_floor(run, metric), _noise_floor(baseline, metric)) for metric in compared}
    return Check(
        format_version=FORMAT_VERSION,
        run_id=run.manifest.run_id,
        baseline_run_id=baseline.manifest.run_id,
        max_regression=allowed.time,
        max_instructions=allowed.instructions,
        noise_floors=noise,
        lanes=tuple(
            LaneCheck(
                lane=lane,
                evidence=tuple(
                    _above(noise.get(found.metric, 0.0), found)
                    for found in _judged(lane, ratios, run, baseline, allowed)
                ),
            )
            for lane in lanes
        ),
        notes=tuple(_notes(run, baseline)),
    )


def _common_contenders(run: Folded, baseline: Folded) -> list[str]:
    """Returns the Lanes to judge. Raises NotComparable where there is none, or no raw one to measure any of them by."""
    lanes, experiment = [name for name in _contenders(run) if name in _contenders(baseline)], run.manifest.experiment
    which = f"in run {run.manifest.run_id} and in baseline {baseline.manifest.run_id}"
    if not lanes:
        raise NotComparable(f"lanes: found none beside raw that are {which}; expected one at least")
    if not any(experiment.raw(experiment.lane(name)) for name in lanes):
        raise NotComparable(
            f"raw: found no App with raw = true on the servers of the Lanes {which}; expected one, as every Lane "
            "is compared relative to it"
        )
    return lanes


def _above(noise: float, found: Evidence) -> Evidence:
    """Returns the evidence, undecided where a difference lies below what a Lane differs from its own twin."""
    if found.ratio is None or found.verdict not in (Verdict.SLOWER, Verdict.FASTER):
        return found
    if verdict.exceeds(found.metric, found.ratio, noise):
        return found
    return replace(found, verdict=Verdict.UNDECIDED, reasons=(reason(Code.WITHIN_NOISE_FLOOR, noise_share=noise),))


def _contenders(run: Folded) -> list[str]:
    return [lane.name for lane in normalise.contenders(run.manifest.experiment)]


def _compared(run: Folded, baseline: Folded) -> tuple[str, ...]:
    """Returns the metrics relative to raw; a latency only where both runs measured it at the same rate."""
    rates = (run.summary.totals.fixed_rate_rps, baseline.summary.totals.fixed_rate_rps)
    same = rates[0] == rates[1]
    return tuple(metric for metric in METRICS.relative() if same or METRICS[metric].phase is not Phase.FIXED)


def _ratios(run: Folded, baseline: Folded, metric: str) -> dict[str, Estimate]:
    """Returns RUN:BASELINE of one metric, relative to raw, by Lane. All of the intervals hold at once."""
    new, old = (_logs(each, metric) for each in (run, baseline))
    common = sorted(new.keys() & old.keys())
    rhos = (resemblance(run, metric), resemblance(baseline, metric))
    return {
        lane: intervals.unpaired_ratio_estimate(new[lane], old[lane], rhos=rhos, comparisons=len(common))
        for lane in common
    }


def _logs(run: Folded, metric: str) -> dict[str, Floats]:
    found = normalise.to_raw(run.manifest.experiment, run.values, metric)
    return {lane: np.log(list(by_round.values())) for lane, by_round in found.items()}


def _judged(
    lane: str, ratios: Mapping[str, Mapping[str, Estimate]], run: Folded, baseline: Folded, allowed: Allowed
) -> tuple[Evidence, ...]:
    """Judges one Lane, metric by metric. A metric that a run could not measure of it is invalid, with its reason."""
    by_rounds = [
        verdict.judge(metric, of_lane.get(lane), allowed.time, _findings(lane, metric, run, baseline))
        for metric, of_lane in ratios.items()
    ]
    return (*_counts(lane, run, baseline, allowed), *by_rounds)


def _findings(lane: str, metric: str, run: Folded, baseline: Folded) -> list[tuple[str, Validity]]:
    """Returns what was found of a Lane's metric and of raw's in both runs, each with the run that it is of."""
    return [
        (name, found) for name, side in ((RUN, run), (BASELINE, baseline)) for found in validities(side, lane, metric)
    ]


def _counts(lane: str, run: Folded, baseline: Folded, allowed: Allowed) -> Iterator[Evidence]:
    """Judges what both runs counted, such as instructions; counts are exact, and need no raw."""
    for metric in METRICS.counted():
        new, old = (_metric(side, lane, metric) for side in (run, baseline))
        if new and old:
            yield verdict.judge(metric, verdict.exact(old.point, new.point), allowed.instructions, [])


def _metric(run: Folded, lane: str, metric: str) -> Estimate | None:
    return next((found.metrics.get(metric) for found in run.summary.lanes if found.lane == lane), None)


def _notes(run: Folded, baseline: Folded) -> Iterator[Reason]:
    """Yields what a reader has to know beside the verdicts."""
    for name, side in ((RUN, run), (BASELINE, baseline)):
        if not side.summary.complete:
            yield reason(Code.RUN_INCOMPLETE, *side.summary.lacking, rounds=side.summary.totals.rounds).found_of(name)
    of_run, of_baseline = (side.summary.totals.fixed_rate_rps for side in (run, baseline))
    if of_run != of_baseline:
        yield reason(Code.RATES_DIFFER, run_rps=of_run, baseline_rps=of_baseline)
    for name, one, other in ((RUN, run, baseline), (BASELINE, baseline, run)):
        yield from (
            reason(Code.ON_ONE_SIDE, side=name).found_of(lane)
            for lane in _contenders(one)
            if lane not in _contenders(other)
        )
