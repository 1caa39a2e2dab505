"""What a choice costs beside speed: code, packages and disk as they lie there, and fresh starts of each App's server.

Fresh processes run as many at a time as a run has cores, each on a core of its own. The disk's cache is warm.
"""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from bench.model import footprint_plan
from bench.model.experiment import Lane
from bench.model.metrics import CODE_LINES, METRICS, MIB, STARTS, Source
from bench.model.reason import Code, Reason, Unknown, known, reason
from bench.model.records import Observation
from bench.model.schedule import OutsideSlices
from bench.run import code_lines
from bench.run.runner import Heard, ObservationSink
from bench.servers import counters, machine
from bench.servers.launch import SERVERSIDE, Running, refusal, server_environment, start
from bench.servers.processes import kill, tree
from bench.servers.project import source_files
from bench.servers.readiness import first_answers
from bench.servers.testbed import Testbed

FEW, MORE = 2, 3
"""Workers between which one is added. One alone may be served without the process that supervises several."""
QUIET_S, QUIET_SHARE = 0.15, 0.5
"""A server has started once its processes ran, or waited for a core, for less than this share of this time."""

Measured = float | Unknown
"""A value, or why there is none."""


def measure(testbed: Testbed, sink: ObservationSink, heard: Heard) -> None:
    """Measures the footprint of each App, and writes every value at once; what has none is written with its reason."""
    lanes = [lane for lane in footprint_plan.footprint_lanes(testbed.experiment) if lane.home in testbed.environments]
    for lane in lanes:
        for observation in at_rest(testbed, lane):
            sink.observe(observation)
    Starts(testbed, sink, heard).run([lane.name for lane in lanes])
    sink.sync()


def at_rest(testbed: Testbed, lane: Lane) -> Iterator[Observation]:
    """Yields what needs no process: lines of code, in all and by file, packages, and their size."""
    environment = testbed.environments[lane.home]
    by_file = _lines_by_file(testbed.folders[lane.home])
    broken = next((found for found in by_file.values() if isinstance(found, Unknown)), None)
    whole = broken or sum(found for found in by_file.values() if not isinstance(found, Unknown))
    yield _observation(lane.name, CODE_LINES, whole)
    for path, lines in by_file.items():
        yield _observation(lane.name, CODE_LINES, lines, part=path)
    yield _observation(lane.name, "packages", len(environment.versions))
    yield _observation(lane.name, "installed_mib", environment.installed_bytes() / MIB)


class Starts:
    """Fresh starts of Lanes, so many at a time as there are cores. A Lane that fails once has no further start."""

    def __init__(self, testbed: Testbed, sink: ObservationSink, heard: Heard) -> None:
        self._testbed = testbed
        self._sink = sink
        self._heard = heard
        pinned = [(core,) for core in (*testbed.machine.server_cores, *testbed.machine.driver_cores)]
        self._cores: Sequence[tuple[int, ...]] = pinned or [()]
        self._timeout_s = testbed.experiment.serving.ready_timeout_s
        self._failed: set[str] = set()

    def run(self, lane_names: Sequence[str]) -> None:
        """Plays all starts of these Lanes."""
        plays = {
            Source.COLD_START: self._start,
            Source.IMPORT: self._import,
            Source.ADDED_WORKER: self._add_worker,
        }
        planned = [each for each in footprint_plan.planned(self._testbed.experiment) if each.lane in lane_names]
        done = 0
        for batch in footprint_plan.batches(planned, len(self._cores)):
            self._heard(OutsideSlices.FOOTPRINT, done / len(planned))
            lanes = [each.lane for each in batch if each.lane not in self._failed]
            plays[batch[0].kind]([self._testbed.experiment.lane(name) for name in lanes])
            done += len(batch)

    def _start(self, lanes: Sequence[Lane]) -> None:
        """Starts servers with one worker until each has given its first right answer, and looks at their memory."""
        workload = self._testbed.experiment.workload
        with self._fresh(Source.COLD_START, lanes, workers=1) as servers:
            answers = first_answers(servers, workload.request(workload.names[0]), self._timeout_s)
            for server, answer in zip(servers, answers, strict=True):
                if isinstance(answer, Unknown):
                    self._give_up(Source.COLD_START, server.launch.lane, answer.reason)
                else:
                    self._found(
                        server.launch.lane,
                        first_response_ms=1000 * answer.after_s,
                        response_bytes=answer.size_bytes,
                        idle_pss_mib=_pss_mib(server),
                    )

    def _import(self, lanes: Sequence[Lane]) -> None:
        """Imports Apps in fresh interpreters of their environments."""
        running: list[subprocess.Popen[bytes]] = []
        try:
            for lane, cores in zip(lanes, self._cores, strict=False):
                running.append(self._importing(lane))
                machine.pin([running[-1].pid], cores)
            for lane, process in zip(lanes, running, strict=True):
                self._imported(lane, process)
        finally:
            kill(running)

    def _importing(self, lane: Lane) -> "subprocess.Popen[bytes]":
        python = str(self._testbed.environments[lane.home].programs / "python")
        folder = self._testbed.folders[lane.home]
        return self._testbed.process_group.start(
            (python, str(SERVERSIDE / "bench_import.py"), lane.application),
            env=server_environment(lane, folder),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def _imported(self, lane: Lane, process: "subprocess.Popen[bytes]") -> None:
        try:
            said, complained = process.communicate(timeout=self._timeout_s)
            self._found(lane.name, import_ms=float(said.split()[-1]))
        except subprocess.TimeoutExpired:
            late = reason(Code.IMPORT_TIMED_OUT, application=lane.application, timeout_s=self._timeout_s)
            self._give_up(Source.IMPORT, lane.name, late)
        except (IndexError, ValueError):
            last = next(reversed(complained.decode(errors="replace").splitlines()), None)
            self._give_up(Source.IMPORT, lane.name, reason(Code.IMPORT_FAILED, application=lane.application, text=last))

    def _add_worker(self, lanes: Sequence[Lane]) -> None:
        """Starts servers with a few workers, and again with one more; the difference is what that one takes."""
        able = [lane for lane in lanes if any("{workers}" in part for part in lane.server.command)]
        for lane in lanes:
            if lane not in able:
                self._give_up(Source.ADDED_WORKER, lane.name, reason(Code.NO_WORKERS))
        few, more = (self._pss_with(workers, able) for workers in (FEW, MORE))
        for name in few.keys() & more.keys():
            self._found(name, pss_per_worker_mib=_difference(few[name], more[name]))

    def _pss_with(self, workers: int, lanes: Sequence[Lane]) -> dict[str, Measured]:
        """Returns the memory of idle servers, by Lane, once all of their workers have started."""
        found: dict[str, Measured] = {}
        with self._fresh(Source.ADDED_WORKER, lanes, workers=workers) as servers:
            while len(found) < len(servers):
                before = {server.launch.lane: _looked_at(server) for server in servers}
                time.sleep(QUIET_S)
                for server in servers:
                    if _is_quiet(before[server.launch.lane], _looked_at(server), workers):
                        found[server.launch.lane] = _pss_mib(server)
                    elif time.monotonic() - server.started_s > self._timeout_s:
                        busy = reason(Code.WORKERS_BUSY, workers=workers, timeout_s=self._timeout_s)
                        found[server.launch.lane] = Unknown(busy)
        return found

    @contextmanager
    def _fresh(self, kind: Source, lanes: Sequence[Lane], *, workers: int) -> Iterator[list[Running]]:
        """Starts the Lanes' servers, each on a core of its own, and kills them at the end."""
        running: list[Running] = []
        launches = self._with_workers(workers).launches(lanes)
        try:
            for launch, cores in zip(launches, self._cores, strict=False):
                try:
                    running.append(start(launch, self._testbed.process_group, self._testbed.logs))
                    machine.pin([running[-1].process.pid], cores)
                except OSError as error:
                    self._give_up(kind, launch.lane, refusal(launch, error))
            yield running
        finally:
            kill(server.process for server in running)

    def _with_workers(self, workers: int) -> Testbed:
        experiment = self._testbed.experiment
        return replace(
            self._testbed, experiment=replace(experiment, serving=replace(experiment.serving, workers=workers))
        )

    def _found(self, lane: str, **values: Measured) -> None:
        """Writes values by the names of their metrics."""
        for metric, measured in values.items():
            self._sink.observe(_observation(lane, metric, measured))

    def _give_up(self, kind: Source, lane: str, why: Reason) -> None:
        """Writes why a Lane has no value of this kind or of those still to come."""
        self._failed.add(lane)
        for metric in METRICS.from_sources(*STARTS[STARTS.index(kind) :]):
            self._found(lane, **{metric.name: Unknown(why)})


def _observation(lane: str, metric: str, measured: Measured, part: str | None = None) -> Observation:
    value, why = (None, measured.reason) if isinstance(measured, Unknown) else (float(measured), None)
    return Observation(lane=lane, metric=metric, value=value, reason=why, part=part)


def _lines_by_file(folder: Path) -> dict[str, Measured]:
    return {path.relative_to(folder).as_posix(): _lines(path) for path in source_files(folder, code_lines.SUFFIXES)}


def _lines(path: Path) -> Measured:
    try:
        return code_lines.count(path.read_text(encoding="utf-8"), path.suffix)
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        return Unknown(reason(Code.CODE_UNREADABLE, file=path.name, text=str(error)))


def _pss_mib(server: Running) -> Measured:
    pss_bytes = counters.pss_bytes(_pids(server))
    return pss_bytes if isinstance(pss_bytes, Unknown) else pss_bytes / MIB


def _difference(few: Measured, more: Measured) -> Measured:
    if isinstance(few, Unknown):
        return few
    return more if isinstance(more, Unknown) else more - few


def _looked_at(server: Running) -> tuple[list[int], counters.Counters]:
    pids = _pids(server)
    return pids, counters.read(pids)


def _is_quiet(
    before: tuple[list[int], counters.Counters], after: tuple[list[int], counters.Counters], workers: int
) -> bool:
    """Returns whether all workers are there and none of them is still starting."""
    (pids, first), (same_pids, last) = before, after
    used = last.since(first)
    waited_ns = known(used.run_queue_ns) or 0
    idle = not isinstance(used.cpu_ns, Unknown) and used.cpu_ns + waited_ns < QUIET_SHARE * QUIET_S * 1e9
    return idle and pids == same_pids and len(pids) > workers


def _pids(server: Running) -> list[int]:
    return [process.pid for process in tree(server.process.pid)]
