"""Runs in a folder of results, written as bench writes them."""

from collections.abc import Iterable
from pathlib import Path

from bench.model.records import Failure, Manifest, Observation, SliceRecord
from bench.run import store


def stored(
    results: Path,
    described: Manifest,
    records: Iterable[SliceRecord] = (),
    failures: Iterable[Failure] = (),
    observations: Iterable[Observation] = (),
) -> Path:
    """Stores a run under the id that its manifest has, and returns its folder."""
    with store.create(results, described.run_id) as run:
        run.describe(described)
        for record in records:
            run.append(record)
        for failure in failures:
            run.fail(failure)
        for observation in observations:
            run.observe(observation)
    return run.folder
