"""What a footprint takes, as data: fresh starts of each App on the server that it is native to. No clock, no I/O."""

import random
from collections.abc import Iterable, Iterator
from itertools import groupby

from msgspec import Struct

from bench.model.experiment import Experiment, Lane, Preset
from bench.model.metrics import Source

WORKER_STARTS = 1
"""How often the memory of an added worker is measured: it takes five starts of a worker, and hardly differs."""


EXPECTED_S = {Source.COLD_START: 0.25, Source.IMPORT: 0.18, Source.ADDED_WORKER: 1.0}
"""Expected cost of a start, two at a time; used for the expected time only."""


class Start(Struct, frozen=True):
    """One fresh start of one Lane."""

    kind: Source
    lane: str


def footprint_lanes(experiment: Experiment) -> tuple[Lane, ...]:
    """Returns each App's Lanes on its native Server: one, and for raw one on each of those Servers.

    An App that has none plays with its first Lane that needs no Adapter.
    """
    by_app = groupby(sorted(experiment.lanes, key=lambda lane: lane.app.name), key=lambda lane: lane.app.name)
    chosen = {lane.name for _, lanes in by_app for lane in _of_app(experiment, list(lanes))}
    return tuple(lane for lane in experiment.lanes if lane.name in chosen)


def planned(experiment: Experiment) -> tuple[Start, ...]:
    """Returns all starts, one kind after the other, each in shuffled blocks that have every Lane once."""
    blocks = counts(experiment.preset)
    return tuple(Start(kind, lane) for kind, count in blocks.items() for lane in _blocks(experiment, kind, count))


def counts(preset: Preset) -> dict[Source, int]:
    """Returns how often each Lane is started for what."""
    starts = preset.cold_starts
    return {Source.COLD_START: starts, Source.IMPORT: starts, Source.ADDED_WORKER: WORKER_STARTS if starts else 0}


def batches(planned: Iterable[Start], most: int) -> Iterator[list[Start]]:
    """Yields starts of one kind, of different Lanes and ``most`` at a time, in their order."""
    batch: list[Start] = []
    for start in planned:
        if batch and (len(batch) == most or start.kind is not batch[0].kind or start in batch):
            yield batch
            batch = []
        batch.append(start)
    if batch:
        yield batch


def expected_s(experiment: Experiment) -> float:
    """Returns how long the starts will take."""
    return sum(EXPECTED_S[start.kind] for start in planned(experiment))


def _of_app(experiment: Experiment, lanes: list[Lane]) -> list[Lane]:
    plain = [lane for lane in lanes if not (lane.adapter or lane.twin)]
    native = {name for group in experiment.groups if not group.same_server for name in group.lanes}
    return [lane for lane in plain if lane.name in native] or plain[:1]


def _blocks(experiment: Experiment, kind: Source, count: int) -> Iterator[str]:
    rng = random.Random(f"{experiment.seed}/{kind}")  # noqa: S311 - a shuffle that can be repeated
    names = [lane.name for lane in footprint_lanes(experiment)]
    for _ in range(count):
        rng.shuffle(names)
        yield from names
