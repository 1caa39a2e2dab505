"""A comparison at this machine: sides, rounds and counts of instructions put together."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

from bench.model.experiment import Lane, Side
from bench.model.formats import FORMAT_VERSION
from bench.model.reason import Code, Reason, reason
from bench.model.records import Observation
from bench.model.regression import AppComparison, Comparison
from bench.regression import ab_runner
from bench.regression.ab_runner import Terms
from bench.regression.checkouts import Sides, differences
from bench.run.round import open_round
from bench.run.runner import Sink
from bench.run.session import draft, instructions_per_request


def compare(
    sides: Sides, terms: Terms, sink: Sink, watcher: ab_runner.Watcher, *, run_id: str, instructions_too: bool
) -> Comparison:
    """Compares two sides into the sink. Raises NothingToMeasure or DriverFailed."""
    began = time.monotonic()
    sink.describe(draft(sides.testbed, run_id))

    def live_round(index: int, lanes: tuple[Lane, ...]) -> AbstractContextManager[ab_runner.Round]:
        return open_round(sides.testbed, index, lanes, began)

    uncounted: dict[Reason, None] = {}

    def count() -> Sequence[Observation]:
        counted = list(instructions_per_request(sides.testbed)) if instructions_too else []
        reasons = (reason(Code.NOT_COUNTED, each.reason).found_of(each.lane) for each in counted if each.reason)
        uncounted.update(dict.fromkeys(reasons))
        return counted

    job = ab_runner.Comparison(sides.testbed.experiment, sides.pairs, terms, live_round, count, sink)
    outcome = job.run(watcher, time.monotonic)
    return Comparison(
        format_version=FORMAT_VERSION,
        run_id=run_id,
        base=sides.facts[Side.BASE],
        head=sides.facts[Side.HEAD],
        max_regression=terms.allowed.time,
        max_instructions=terms.allowed.instructions,
        budget_s=terms.budget_s,
        spent_s=round(outcome.spent_s, 1),
        rounds=outcome.rounds,
        measured_again=outcome.measured_again,
        apps=tuple(
            AppComparison(
                app=pair.app,
                lane=sides.testbed.experiment.lane(pair.head).original,
                evidence=outcome.evidence[pair.app],
                differences=differences(pair, outcome.facts),
            )
            for pair in sides.pairs
        ),
        notes=(*sides.notes, *uncounted, *outcome.notes),
    )
