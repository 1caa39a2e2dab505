"""A comparison at this machine: sides, rounds and counts of instructions put together."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from bench.analysis.parity import VARYING_HEADERS
from bench.model.experiment import Lane, Side
from bench.model.formats import FORMAT_VERSION
from bench.model.reason import Code, Reason, reason
from bench.model.records import LaneFacts, Observation
from bench.model.regression import AppComparison, Comparison, Difference, DifferenceKind
from bench.regression.ab_runner import AbPlan, AbRunner, AbWatcher, Terms
from bench.regression.ab_testbed import AbTestbed
from bench.regression.ratios import Pair
from bench.run.round import open_round
from bench.run.runner import Round, Sink
from bench.run.session import draft, instructions_per_request


def compare(
    sides: AbTestbed, terms: Terms, sink: Sink, watcher: AbWatcher, *, run_id: str, instructions_too: bool
) -> Comparison:
    """Compares two sides into the sink. Raises NothingToMeasure or DriverFailed."""
    began = time.monotonic()
    sink.describe(draft(sides.testbed, run_id))

    def live_round(index: int, lanes: tuple[Lane, ...]) -> AbstractContextManager[Round]:
        return open_round(sides.testbed, index, lanes, began)

    def count() -> Sequence[Observation]:
        return list(instructions_per_request(sides.testbed)) if instructions_too else []

    plan = AbPlan(sides.testbed.experiment, sides.pairs, terms)
    found = AbRunner(plan, live_round, count, sink, watcher, time.monotonic).run()
    return Comparison(
        format_version=FORMAT_VERSION,
        run_id=run_id,
        base=sides.facts[Side.BASE],
        head=sides.facts[Side.HEAD],
        max_regression=terms.allowed.time,
        max_instructions=terms.allowed.instructions,
        budget_s=terms.budget_s,
        spent_s=round(found.spent_s, 1),
        rounds=found.rounds,
        measured_again=found.measured_again,
        apps=tuple(
            AppComparison(
                app=pair.app,
                lane=sides.testbed.experiment.lane(pair.head).original,
                evidence=found.evidence[pair.app],
                differences=differences(pair, found.facts),
            )
            for pair in sides.pairs
        ),
        notes=(*sides.notes, *_uncounted(found.counted), *found.notes),
    )


def _uncounted(counted: Sequence[Observation]) -> Iterable[Reason]:
    """Returns why the instructions of Lanes could not be counted, each reason once."""
    found = (reason(Code.NOT_COUNTED, each.reason).found_of(each.lane) for each in counted if each.reason)
    return dict.fromkeys(found)


def differences(pair: Pair, facts: Sequence[LaneFacts]) -> tuple[Difference, ...]:
    """Returns what differs between the two versions of an App beside its code: what it runs on, what it answers."""
    by_lane = {fact.lane: fact for fact in facts}
    base, head = by_lane.get(pair.base), by_lane.get(pair.head)
    if not (base and head):
        return ()
    return (
        *_differing(DifferenceKind.PYTHON, {"Python": base.python}, {"Python": head.python}),
        *_differing(DifferenceKind.PACKAGE, base.versions, head.versions),
        *_differing(DifferenceKind.HEADER, _headers(base), _headers(head)),
    )


def _differing(kind: DifferenceKind, base: Mapping[str, str], head: Mapping[str, str]) -> Iterator[Difference]:
    for name in sorted(base.keys() | head.keys()):
        if base.get(name) != head.get(name):
            yield Difference(kind=kind, name=name, base=base.get(name), head=head.get(name))


def _headers(fact: LaneFacts) -> dict[str, str]:
    """Returns the headers of an answer that do not differ from one answer of a Lane to the next."""
    lower = {name.lower(): value for name, value in fact.response_headers}
    return {name: value for name, value in lower.items() if name not in VARYING_HEADERS}
