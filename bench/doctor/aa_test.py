"""A short A/A: one Lane and its twin, which are the same, in rounds like a run's. What differs is noise."""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from bench.analysis import intervals, validity
from bench.analysis.intervals import MIN_ROUNDS
from bench.analysis.judged_rounds import judged
from bench.doctor import sample_size
from bench.doctor.diagnosis import AaTest, Resolution
from bench.model import schedule
from bench.model.estimate import Estimate, Status, Validity
from bench.model.experiment import Experiment, Lane
from bench.model.load import Phase
from bench.model.metrics import Better, Unit
from bench.model.reason import Code, Reason, Unknown, reason
from bench.model.records import Failure, Manifest, SliceRecord

AA_TEST_S = 20.0
"""About how long an A/A takes."""
DIFFERENCES = (0.01, 0.03, 0.05)
"""Of these it is said how long a run has to be."""


def short_experiment(whole: Experiment) -> Experiment:
    """Returns the A/A of an Experiment: its first twin with its Lane, or else the first contender as both.

    Its rounds have as many saturated slices as those of a run, so that they spread as a run's do, and there are as many
    as fit in about 20 s, but at least 3.
    """
    lane = replace(_first(whole), twin=False)
    twin = replace(lane, twin=True)
    group = next(group for group in whole.groups if {lane.name, twin.name} & {*group.lanes})
    preset = replace(whole.preset, rounds=1, fixed_slices=1, cold_starts=0, instructions=False)
    one = replace(whole, lanes=(lane, twin), groups=(replace(group, lanes=(lane.name, twin.name)),), preset=preset)
    round_s = schedule.outline(one).expected_s - schedule.REPORT_S
    return replace(one, preset=replace(preset, rounds=max(MIN_ROUNDS, int(AA_TEST_S // round_s))))


def judge(
    whole: Experiment, manifest: Manifest, records: Sequence[SliceRecord], failures: Sequence[Failure]
) -> AaTest | Unknown:
    """Returns what an A/A of the Experiment ``whole`` found, or why it found nothing."""
    lane, twin = (lane.name for lane in manifest.experiment.lanes)
    log_ratios = sample_size.log_ratios(records, twin, lane)
    if len(log_ratios) < MIN_ROUNDS:
        causes = [failed(failure) for failure in failures] or _silences(records)
        return Unknown(reason(Code.AA_SHORT, *causes[:1], rounds=len(log_ratios), expected=MIN_ROUNDS))
    spread = sample_size.spread_of_twins(log_ratios)
    cells = [cell for of_lane in judged(manifest.experiment, records, failures).cells.values() for cell in of_lane]
    against = _untold(validity.worst([cell for cell in cells if cell.phase is Phase.SATURATED]))
    return AaTest(
        lane=lane,
        rounds=len(log_ratios),
        wall_s=max(record.at_s + record.slice_s for record in records),
        validity=validity.worst(cells),
        ratio=intervals.ratio_of([float(np.exp(np.mean(of_round))) for of_round in log_ratios]),
        spread=spread,
        difference=None if against else _difference(whole, spread),
        resolution=None if against else _at_preset(whole, spread.point),
        others=()
        if against
        else tuple(sample_size.at_difference(whole, difference, spread.point) for difference in DIFFERENCES),
        reason=against,
    )


def failed(failure: Failure) -> Reason:
    """Returns how a Lane of an A/A failed, with its name."""
    return validity.failed(failure).found_of(failure.lane)


def _silences(records: Sequence[SliceRecord]) -> list[Reason]:
    """Returns what the records of slices without a right answer say, each with its Lane."""
    return [why.found_of(record.lane) for record in records if (why := record.unknown.get("requests"))]


def _untold(found: Validity) -> Reason | None:
    """Returns why an A/A with this finding says nothing of differences; None if nothing is against it."""
    return None if found.status is Status.VALID else reason(Code.AA_NOT_VALID, *found.reasons, status=found.status)


def _difference(whole: Experiment, spread: Estimate) -> Estimate:
    """Returns what a run of the preset tells apart, with the interval that the spread's gives."""
    point, low, high = (
        None if end is None else _at_preset(whole, end).difference for end in (spread.point, spread.low, spread.high)
    )
    return Estimate(point or 0.0, low, high, spread.n, Unit.RATIO_BEYOND_1, Better.LOWER)


def _at_preset(whole: Experiment, spread: float) -> Resolution:
    """Returns what a run tells apart; one of fewer than 3 rounds tells nothing, so it is taken to have 3."""
    return sample_size.at_rounds(whole, max(MIN_ROUNDS, whole.preset.rounds), spread)


def _first(whole: Experiment) -> Lane:
    twin = next((lane for lane in whole.lanes if lane.twin), None)
    return twin or next((lane for lane in whole.lanes if not lane.app.raw), whole.lanes[0])
