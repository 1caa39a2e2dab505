"""A sitting at this machine: the adapters put together for a run, a verification, one server, or a load on a URL."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from bench import __version__
from bench.analysis import parity
from bench.model.experiment import Experiment, Lane, without
from bench.model.formats import FORMAT_VERSION
from bench.model.load import Load
from bench.model.protocol import Setup, SliceOrder, SliceResult, Target
from bench.model.reason import Code, Reason, known, reason
from bench.model.records import Failure, LaneFacts, LatencyEnd, Manifest, Observation
from bench.model.schedule import OutsideSlices
from bench.run import git, instructions
from bench.run.driver_client import open_driver
from bench.run.round import open_round
from bench.run.runner import Heard, NothingToMeasure, ObservationSink, Round, Runner, Sink, Watcher
from bench.servers import counters, machine
from bench.servers.launch import HOST, server_environment
from bench.servers.processes import open_process_group, stop
from bench.servers.project import Project
from bench.servers.readiness import NotReady, wait_until_ready
from bench.servers.testbed import Testbed, prepare_environments

LOAD_SETTLE_S = 0.2
"""How long `bench load` lets the connections open before it counts."""
BENCH = Path(__file__).parent.parent.parent
"""The folder that the package lies in: the top of a checkout, or site-packages."""
COMMIT_FILE = BENCH / "bench" / "commit.txt"
"""What an installed bench was built from. ``hatch_build.py`` writes it; no checkout has it."""


class Verified(Struct, frozen=True):
    """What `bench verify` found: facts of the Lanes that hold the workload, and failures of the others."""

    lanes: tuple[LaneFacts, ...]
    failures: tuple[Failure, ...]
    irremovable_differences: tuple[Reason, ...]


@contextmanager
def open_testbed(project: Project, experiment: Experiment) -> Iterator[Testbed]:
    """Makes the Apps' environments, and yields a Testbed whose processes and logs are gone at the end."""
    environments, failures = prepare_environments(project, experiment)
    here = machine.describe(experiment.serving.workers)
    with open_process_group() as process_group, tempfile.TemporaryDirectory(prefix="bench-") as logs:
        folders = {name: project.app_folder(name) for name in environments}
        yield Testbed(project, experiment, here, environments, folders, failures, process_group, Path(logs))


def draft(testbed: Testbed, run_id: str) -> Manifest:
    """Returns the manifest of a run that is about to begin; what only its servers can tell is still missing."""
    return Manifest(
        format_version=FORMAT_VERSION,
        run_id=run_id,
        started_utc=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        bench_version=__version__,
        bench_revision=own_revision(),
        project_revision=git.current(testbed.project.root),
        experiment=testbed.experiment,
        machine=testbed.machine,
        driver_versions={},
        latency_end=LatencyEnd.RECEIVED,
        lanes=(),
        irremovable_differences=(),
    )


def own_revision() -> str | None:
    """Returns the commit of bench: the one it was built from, or that of its own checkout. None where it is unknown.

    An installed bench never asks git: it may lie at the top of the user's own repository.
    """
    if COMMIT_FILE.exists():
        return COMMIT_FILE.read_text(encoding="ascii") or None
    return git.of_checkout(BENCH)


def measure(testbed: Testbed, manifest: Manifest, sink: Sink, watcher: Watcher) -> None:
    """Measures a run into the sink. Raises NothingToMeasure, LanesDiffer or DriverFailed."""
    began = time.monotonic()

    def live_round(index: int, lanes: tuple[Lane, ...]) -> AbstractContextManager[Round]:
        return open_round(testbed, index, lanes, began)

    Runner(manifest, live_round, sink, watcher).run(testbed.failures)


def count_instructions(testbed: Testbed, sink: ObservationSink, heard: Heard) -> None:
    """Counts the instructions per request of every Lane into the sink; ``heard`` is told what share of it is done."""
    heard(OutsideSlices.INSTRUCTIONS, 0)
    for done, observation in enumerate(instructions_per_request(testbed), start=1):
        sink.observe(observation)
        heard(OutsideSlices.INSTRUCTIONS, done / len(testbed.experiment.lanes))
    sink.sync()


def instructions_per_request(testbed: Testbed) -> Iterator[Observation]:
    """Yields each Lane's as they are known: not a twin's, which is the same, nor that of an App without environment."""
    lanes = [lane for lane in testbed.experiment.lanes if lane.home in testbed.environments and not lane.twin]
    subjects = {lane.name: _subject(testbed, lane) for lane in lanes}
    yield from instructions.count(subjects, testbed.process_group, testbed.logs)


def _subject(testbed: Testbed, lane: Lane) -> instructions.Subject:
    folder = testbed.folders[lane.home]
    return instructions.subject(
        lane,
        testbed.experiment.workload,
        programs=testbed.environments[lane.home].programs,
        app_folder=folder,
        environment=server_environment(lane, folder),
    )


def verify(testbed: Testbed) -> Verified:
    """Starts every Lane, verifies its workload, and proves parity. Raises LanesDiffer."""
    ready = without(testbed.experiment, (failure.lane for failure in testbed.failures))
    with testbed.open_servers(0, ready.lanes) as servers:
        parity.prove(ready, servers.facts)
        failures = (*testbed.failures, *servers.failures)
        return Verified(servers.facts, failures, parity.irremovable_differences(servers.facts))


def load_url(target: Target, load: Load, connections: int, window_s: float) -> tuple[SliceResult, float | None]:
    """Offers one load to any target with a fresh driver; returns the share of a core that it used, too.

    Nothing is pinned: bench does not know where the target runs. Raises DriverFailed.
    """
    with (
        open_process_group() as process_group,
        tempfile.TemporaryDirectory(prefix="bench-") as logs,
        open_driver(process_group, Path(logs) / "driver.log") as driver,
    ):
        driver.setup(Setup((target,), connections, connections, ()))
        began, before = time.monotonic(), counters.read([driver.pid])
        (result,) = driver.play(SliceOrder((target.lane,), load, LOAD_SETTLE_S, window_s))
        cpu_ns = known(counters.read([driver.pid]).since(before).cpu_ns)
        return result, None if cpu_ns is None else cpu_ns / 1e9 / (time.monotonic() - began)


def serve(testbed: Testbed, lane: Lane, announce: Callable[[str], None]) -> None:
    """Serves one Lane, its log on standard error, until it is interrupted; announces its URL when it answers.

    Raises NothingToMeasure where it does not answer, or ends by itself.
    """
    (launch,) = testbed.launches([lane])
    workload = testbed.experiment.workload
    path, _ = workload.request(workload.names[0])
    process = testbed.process_group.start(launch.command, env=launch.environment, cwd=launch.folder)
    try:
        machine.pin([process.pid], testbed.machine.server_cores)
        wait_until_ready(process, launch.port, path, testbed.experiment.serving.ready_timeout_s)
        announce(f"http://{HOST}:{launch.port}{path}")
        ended = reason(Code.SERVER_ENDED, exit_code=process.wait())
        raise NothingToMeasure(ended.found_of(lane.name))
    except NotReady as error:
        raise NothingToMeasure(reason(Code.NOT_SERVED, error.reason).found_of(lane.name)) from error
    except KeyboardInterrupt:
        pass
    finally:
        stop([process])
