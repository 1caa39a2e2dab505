"""What a comparison has measured so far: each Round is folded once, and HEAD:BASE of each metric is over Rounds."""

from collections.abc import Iterable, Mapping, Sequence
from math import exp, fsum, log

from msgspec import Struct

from bench.analysis import folds, histograms, validity
from bench.analysis.folds import ByRound, Records
from bench.model.estimate import Estimate
from bench.model.experiment import Side
from bench.model.load import Phase
from bench.model.metrics import METRICS, Metric
from bench.model.records import Failure, Observation
from bench.model.regression import Evidence, Verdict
from bench.model.summary import Cell
from bench.regression import verdict


class Pair(Struct, frozen=True):
    """The two Lanes of one App, by name."""

    app: str
    base: str
    head: str

    def lane(self, side: Side) -> str:
        """Returns the Lane of a side."""
        return self.base if side is Side.BASE else self.head


class Allowed(Struct, frozen=True):
    """The largest regressions that are none, as shares: 0.03 for 3 %. ``instructions`` is of all that is counted."""

    time: float
    instructions: float

    def of(self, metric: str) -> float:
        """Returns the largest one of a metric."""
        return self.instructions if METRICS[metric].is_counted else self.time


class LaneRound(Struct, frozen=True):
    """What one Lane did in one Round in slices of its own: its metrics, and how many answers each percentile is of.

    A percentile is here whether or not it is of enough answers: that depends on the other Rounds as well.
    """

    values: Mapping[str, float]
    answers: Mapping[str, int]


class AppRound(Struct, frozen=True):
    """One Round of one App: HEAD:BASE of what Duets measure, by metric, and what each side did by itself."""

    index: int
    duets: Mapping[str, float]
    sides: Mapping[Side, LaneRound]


def compared() -> dict[str, Phase]:
    """Returns the metrics that are compared by Rounds, the most precise first, with the slices that they come from."""
    return {row.name: row.gate.phase for row in METRICS.gated() if row.gate and row.gate.phase}


def steering_metrics() -> tuple[str, ...]:
    """Returns those whose precision decides when there are enough Rounds; a p99 may need hours."""
    return tuple(row.name for row in METRICS.gated() if row.gate and row.gate.steers)


def fold(pair: Pair, index: int, records: Records) -> AppRound:
    """Folds the slices of one Round: of all Apps, or of this one alone."""
    counted = list(filter(folds.counts, records))
    duets = [record for record in counted if record.phase is Phase.DUET]
    return AppRound(
        index=index,
        duets={
            name: ratio
            for name, phase in compared().items()
            if phase is Phase.DUET and (ratio := _of_duets(pair, METRICS[name], duets))
        },
        sides={side: _lane_round([record for record in counted if record.lane == pair.lane(side)]) for side in Side},
    )


def ratios(rounds: Sequence[AppRound], *, apps: int) -> dict[str, Estimate]:
    """Returns HEAD:BASE of each metric that both Lanes of an App have, paired by Round.

    The intervals of a metric hold for all of so many ``apps`` at once.
    """
    found = {name: verdict.paired(*_by_round(METRICS[name], phase, rounds), apps) for name, phase in compared().items()}
    return {name: ratio for name, ratio in found.items() if ratio}


def steering(by_app: Sequence[Sequence[AppRound]]) -> list[Estimate]:
    """Returns the ratios of the steering metrics of all Apps; nothing as long as one of them has none."""
    known = [ratios(rounds, apps=len(by_app)) for rounds in by_app]
    found = [[of_app[metric] for metric in steering_metrics() if metric in of_app] for of_app in known]
    return [ratio for of_app in found for ratio in of_app] if all(found) else []


def cells(pair: Pair, records: Records, workers: int) -> dict[Side, tuple[Cell, ...]]:
    """Judges how far what both Lanes of an App did can be trusted, by all of their slices."""
    return {
        side: validity.judge_cells([record for record in records if record.lane == pair.lane(side)], None, workers)
        for side in Side
    }


def judge(known: Mapping[str, Estimate], found: Mapping[Side, Sequence[Cell]], allowed: float) -> tuple[Evidence, ...]:
    """Returns the evidence of an App's ratios, metric by metric. Nothing of it is valid where an answer was wrong."""
    return tuple(
        verdict.judge(
            name,
            known.get(name),
            allowed,
            [(side.upper(), validity.of_phase(of_side, phase)) for side, of_side in found.items()],
        )
        for name, phase in compared().items()
        if name in known or name in steering_metrics()
    )


def judge_counts(pair: Pair, counted: Iterable[Observation], allowed: float) -> tuple[Evidence, ...]:
    """Returns the evidence of what was counted of an App, such as instructions; nothing of what could not be."""
    return tuple(verdict.judge(metric, ratio, allowed, []) for metric, ratio in counts(pair, counted).items())


def counts(pair: Pair, counted: Iterable[Observation]) -> dict[str, Estimate]:
    """Returns HEAD:BASE by metric of what was counted of both sides; a comparison's notes say why one has no count."""
    values = {(each.metric, each.lane): each.value for each in counted}
    sides = {name: (values.get((name, pair.base)), values.get((name, pair.head))) for name in METRICS.counted()}
    return {name: verdict.exact(base, head) for name, (base, head) in sides.items() if base and head}


def failed(failure: Failure) -> tuple[Evidence, ...]:
    """Returns the evidence on an App that could not be measured any more: none, whatever was measured before."""
    why = validity.failed_with_log(failure)
    return tuple(Evidence(metric, None, Verdict.INVALID, None, (why,)) for metric in steering_metrics())


def _of_duets(pair: Pair, metric: Metric, duets: Records) -> float | None:
    """Returns HEAD:BASE of a metric, the mean over a Round's Duets.

    The two records of a Duet saw the same disturbances at the same time, so their ratio is taken first.
    """
    values: dict[int, dict[str, float]] = {}
    for record in duets:
        if (value := folds.folded(metric, [record])) is not None:
            values.setdefault(record.slice, {})[record.lane] = value
    whole = [by_lane for by_lane in values.values() if {pair.base, pair.head} <= by_lane.keys()]
    logs = [log(by_lane[pair.head] / by_lane[pair.base]) for by_lane in whole]
    return exp(fsum(logs) / len(logs)) if logs else None


def _lane_round(records: Records) -> LaneRound:
    values: dict[str, float] = {}
    answers: dict[str, int] = {}
    for metric in (METRICS[name] for name, phase in compared().items() if phase is not Phase.DUET):
        own = folds.of_phase(metric, records)
        if own and metric.percentile is not None and metric.histogram is not None:
            histogram = folds.merged_field(metric.histogram, own)
            answers[metric.name] = histogram.total_count
            values[metric.name] = histograms.percentile_ms(histogram, metric.percentile)
        elif own and (value := folds.folded(metric, own)) is not None:
            values[metric.name] = value
    return LaneRound(values, answers)


def _by_round(metric: Metric, phase: Phase, rounds: Sequence[AppRound]) -> tuple[ByRound, ByRound]:
    """Returns a metric of BASE and of HEAD by Round; of what Duets measure BASE is 1."""
    if phase is Phase.DUET:
        head = {each.index: each.duets[metric.name] for each in rounds if metric.name in each.duets}
        return dict.fromkeys(head, 1.0), head
    base, head = (_of_lane(metric, {each.index: each.sides[side] for each in rounds}) for side in Side)
    return base, head


def _of_lane(metric: Metric, rounds: Mapping[int, LaneRound]) -> dict[int, float]:
    """Returns a metric of one Lane by Round; nothing for a percentile of too few answers, in all or in one of them."""
    found = {index: each for index, each in rounds.items() if metric.name in each.values}
    answers = [each.answers[metric.name] for each in found.values() if metric.percentile is not None]
    if metric.percentile is not None and not folds.is_known(answers, metric.percentile):
        return {}
    return {index: each.values[metric.name] for index, each in found.items()}
