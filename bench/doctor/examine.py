"""Looks at the machine, runs a short A/A on it, and says what it can tell apart; proposes rounds by a stored run."""

import time
from pathlib import Path

from bench.analysis.parity import LanesDiffer
from bench.doctor import aa_test, checks, host, sample_size
from bench.doctor.diagnosis import AaTest, Diagnosis, Proposal
from bench.model.experiment import Experiment
from bench.model.reason import Unknown, known
from bench.model.records import Failure, Manifest, Observation, SliceRecord
from bench.run import session, store
from bench.run.driver_client import DriverFailed
from bench.run.runner import NothingToMeasure, Watcher
from bench.servers import counters
from bench.servers.testbed import Testbed

RUN_ID = "doctor"


class Memory:
    """A Sink that keeps what it is given: an A/A leaves no folder behind."""

    def __init__(self) -> None:
        self.records: list[SliceRecord] = []
        self.failures: list[Failure] = []

    def describe(self, manifest: Manifest) -> None:
        """Forgets it: the draft is known."""

    def append(self, record: SliceRecord) -> None:
        """Keeps one row."""
        self.records.append(record)

    def fail(self, failure: Failure) -> None:
        """Keeps why a Lane is left out."""
        self.failures.append(failure)

    def observe(self, observation: Observation) -> None:
        """Forgets it: nothing is measured outside slices."""

    def sync(self) -> None:
        """Does nothing: there is no disk."""


def examine(testbed: Testbed, whole: Experiment, watcher: Watcher) -> Diagnosis:
    """Returns what there is to say of this machine; ``testbed`` is that of the A/A of ``whole``."""
    seen = host.read()  # before the A/A, which is load too
    cores, began = (*testbed.machine.server_cores, *testbed.machine.driver_cores), time.monotonic()
    before = counters.steal_s(cores)
    found = _aa_test(testbed, whole, watcher)
    steal_s = known(counters.difference(before, counters.steal_s(cores)))
    stolen = checks.steal_share(steal_s, time.monotonic() - began)
    return Diagnosis(
        preset=whole.preset_name,
        machine=testbed.machine,
        versions=seen.versions,
        findings=(
            *checks.findings(seen, testbed.machine, whole),
            checks.of_steal(stolen),
            *(() if isinstance(found, Unknown) else checks.of_aa_test(found)),
        ),
        aa_test=None if isinstance(found, Unknown) else found,
        reason=found.reason,
    )


def propose(results: Path, difference: float) -> Proposal:
    """Returns the rounds that tell a difference apart, judged by the latest run. Raises Unreadable."""
    latest = results / store.LATEST
    if not (latest / store.MANIFEST).is_file():
        raise store.Unreadable(
            f"{latest}: found no run, expected one that shows how far rounds spread; measure one with `bench run`"
        )
    run = store.read(latest)
    if run.manifest.experiment.sweep:
        raise store.Unreadable(
            f"{latest}: found a sweep, expected a run that shows how far rounds spread; measure one with `bench run`"
        )
    return sample_size.propose(run.manifest, run.records, run.failures, difference)


def _aa_test(testbed: Testbed, whole: Experiment, watcher: Watcher) -> AaTest | Unknown:
    """Runs the A/A, and returns what it found, or why it found nothing."""
    manifest, memory = session.draft(testbed, RUN_ID), Memory()
    try:
        session.measure(testbed, manifest, memory, watcher)
    except (NothingToMeasure, LanesDiffer, DriverFailed) as problem:
        causes = (*map(aa_test.failed, memory.failures), *problem.reasons)
        return Unknown(causes[0])
    return aa_test.judge(whole, manifest, memory.records, memory.failures)
