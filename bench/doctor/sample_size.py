"""How far the ratios of Lanes spread from round to round, and what difference a number of rounds then tells apart."""

from collections.abc import Mapping, Sequence
from math import log

import msgspec
import numpy as np
from scipy.special import chdtri

from bench.analysis import summary
from bench.analysis.intervals import MIN_ROUNDS
from bench.doctor import power
from bench.doctor.diagnosis import GroupProposal, Proposal, Resolution
from bench.doctor.power import Rule
from bench.model import quotients, schedule
from bench.model.estimate import CONFIDENCE, Estimate
from bench.model.experiment import Experiment, Group
from bench.model.load import Phase
from bench.model.metrics import Better, Unit
from bench.model.reason import Code, reason
from bench.model.records import Failure, Manifest, SliceRecord
from bench.model.summary import Ratio


def rule_of(experiment: Experiment, group: Group) -> Rule:
    """Returns how a Group tells its contenders apart; raw and twins are none."""
    lanes = [experiment.lane(name) for name in group.lanes]
    contenders = sum(not (lane.app.raw or lane.twin) for lane in lanes)
    return Rule(max(1, contenders * (contenders - 1) // 2), any(lane.twin for lane in lanes))


def at_rounds(experiment: Experiment, rounds: int, spread: float) -> Resolution:
    """Returns what so many rounds tell apart in every Group."""
    rules = (rule_of(experiment, group) for group in experiment.groups)
    difference = max(power.detectable(rounds, spread, rule) for rule in rules)
    return _resolution(experiment, difference, rounds)


def at_difference(experiment: Experiment, difference: float, spread: float) -> Resolution:
    """Returns how many rounds tell a difference apart in every Group."""
    needed = [power.rounds_needed(difference, spread, rule_of(experiment, group)) for group in experiment.groups]
    return _resolution(experiment, difference, _most(needed))


def propose(
    manifest: Manifest, records: Sequence[SliceRecord], failures: Sequence[Failure], difference: float
) -> Proposal:
    """Returns the rounds that a run needs to tell a difference apart, judged by one that is stored.

    Its rounds are to be made as those of the stored run were: the same Lanes and slices, on the same machine.
    """
    ranked = summary.fold(manifest, records, failures).report.summary.groups
    experiment = manifest.experiment
    proposals = tuple(
        _of_group(experiment, group, _spreads(records, found.ratios), difference)
        for group, found in zip(experiment.groups, ranked, strict=True)
    )
    judged = [proposal.resolution.rounds for proposal in proposals if proposal.resolution]
    return Proposal(
        run_id=manifest.run_id,
        preset=experiment.preset_name,
        rounds_of_run=experiment.preset.rounds,
        difference=difference,
        rounds=_most(judged) if judged else None,
        groups=proposals,
    )


def spread(log_ratios: Sequence[float]) -> Estimate:
    """Returns the standard deviation of the log ratios of two different Lanes, one a round, of at least two rounds."""
    freedom = len(log_ratios) - 1
    return _deviation(float(np.var(log_ratios, ddof=1)), freedom, len(log_ratios))


def spread_of_twins(log_ratios: Sequence[Sequence[float]]) -> Estimate:
    """Returns the standard deviation of the log ratio of a Lane and its twin from round to round.

    ``log_ratios`` has those of each Round, a value a slice. That the true ratio is 1 is known, so no mean is taken off.
    Few rounds say little of their own spread; their slices say more, if rounds differ by nothing but their slices. So
    it is taken from all slices, or from the rounds where those spread more than their slices explain: the maximum
    likelihood of the balanced one-way random model, whose variances are not negative (Searle, Casella and McCulloch,
    Variance Components, chapter 3).
    """
    rounds, slices = len(log_ratios), [value for of_round in log_ratios for value in of_round]
    of_rounds = float(np.mean([np.mean(of_round) ** 2 for of_round in log_ratios]))
    of_slices = float(np.mean(np.square(slices))) * rounds / len(slices)
    if of_rounds > of_slices:
        return _deviation(of_rounds, rounds, rounds)
    return _deviation(of_slices, len(slices), rounds)


def log_ratios(records: Sequence[SliceRecord], numerator: str, denominator: str) -> list[list[float]]:
    """Returns the log ratios of two Lanes' throughputs: for each Round that both have, one a pair of slices."""
    above, below = _rates(records, numerator), _rates(records, denominator)
    return [
        [log(a / b) for a, b in zip(above[index], below[index], strict=False)] for index in sorted(above.keys() & below)
    ]


def _rates(records: Sequence[SliceRecord], lane: str) -> dict[int, list[float]]:
    """Returns the throughputs of a Lane's saturated slices by Round; those that are discarded or empty are left out."""
    rates: dict[int, list[float]] = {}
    for record in records:
        rps = quotients.throughput_rps(record)
        if record.lane == lane and record.phase is Phase.SATURATED and rps and not record.discarded:
            rates.setdefault(record.round, []).append(rps)
    return rates


def _of_group(
    experiment: Experiment, group: Group, spreads: Mapping[tuple[str, str], Estimate], difference: float
) -> GroupProposal:
    rule = rule_of(experiment, group)
    if not spreads:
        return GroupProposal(
            group=group.name,
            comparisons=rule.comparisons,
            lanes=(),
            spread=None,
            resolution=None,
            reason=reason(Code.NO_VALID_PAIR, rounds=MIN_ROUNDS),
        )
    lanes, widest = max(spreads.items(), key=lambda item: item[1].point)
    return GroupProposal(
        group=group.name,
        comparisons=rule.comparisons,
        lanes=lanes,
        spread=widest,
        resolution=_resolution(experiment, difference, power.rounds_needed(difference, widest.point, rule)),
        reason=None,
    )


def _spreads(records: Sequence[SliceRecord], pairs: Sequence[Ratio]) -> dict[tuple[str, str], Estimate]:
    """Returns how far the ratio of each pair spread, where they have enough rounds in common to tell."""
    by_pair = {(pair.lane, pair.other): log_ratios(records, pair.lane, pair.other) for pair in pairs}
    return {
        pair: spread([float(np.mean(of_round)) for of_round in rounds])
        for pair, rounds in by_pair.items()
        if len(rounds) >= MIN_ROUNDS
    }


def _resolution(experiment: Experiment, difference: float, rounds: int | None) -> Resolution:
    if rounds is None:
        return Resolution(difference=difference, rounds=None, expected_s=None)
    longer = msgspec.structs.replace(experiment, preset=msgspec.structs.replace(experiment.preset, rounds=rounds))
    return Resolution(difference=difference, rounds=rounds, expected_s=schedule.outline(longer).expected_s)


def _most(rounds: Sequence[int | None]) -> int | None:
    """Returns the largest of these numbers of rounds; None where one of them is more than can be proposed."""
    known = [number for number in rounds if number is not None]
    return max(known) if known and len(known) == len(rounds) else None


def _deviation(variance: float, freedom: int, rounds: int) -> Estimate:
    """Returns a standard deviation with its interval (NIST/SEMATECH e-Handbook, section 1.3.5.8: chi-squared)."""
    tail = (1 - CONFIDENCE) / 2
    low, high = (float(np.sqrt(variance * freedom / chdtri(freedom, share))) for share in (tail, 1 - tail))
    return Estimate(float(np.sqrt(variance)), low, high, rounds, Unit.LOG_RATIO, Better.LOWER)
