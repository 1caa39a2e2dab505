"""A Round under way: servers up side by side, a fresh driver, and the kernel's counters around each Slice."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import Struct, structs

from bench.model.experiment import Lane
from bench.model.protocol import Request, Setup, SliceOrder, SliceResult, Target
from bench.model.reason import Code, Reason, Unknown, known, reason
from bench.model.records import Failure, SliceRecord, Stage
from bench.model.schedule import Slice
from bench.run.driver_client import Driver, open_driver
from bench.servers import counters
from bench.servers.launch import HOST
from bench.servers.processes import ended
from bench.servers.testbed import Servers, Testbed, failure


class Readings(Struct, frozen=True):
    """The counters at one moment."""

    at_s: float
    wall_s: float
    server: counters.Counters
    driver: counters.Counters
    steal_s: float | None


class LiveRound:
    """Measures one Slice after another."""

    def __init__(self, testbed: Testbed, index: int, servers: Servers, driver: Driver, began: float) -> None:
        self._testbed = testbed
        self._index = index
        self._servers = servers
        self._driver = driver
        self._began = began
        self.facts = servers.facts
        self.failures = servers.failures
        self.driver_versions: Mapping[str, str] = driver.setup(self._setup()).versions

    def measure(self, planned: Slice) -> tuple[SliceRecord, ...]:
        """Offers a Slice's load to all its Lanes at once, and returns a record of each. Raises DriverFailed."""
        pids = [self._servers.pids[lane] for lane in planned.lanes]
        before = [self._read(of_lane) for of_lane in pids]
        results = self._driver.play(order(planned))
        after = [self._read(of_lane) for of_lane in pids]
        seen = zip(planned.lanes, results, before, after, pids, strict=True)
        return tuple(
            _record(self._index, lane, planned, result, (first, last), of_lane)
            for lane, result, first, last, of_lane in seen
        )

    def failure(self, lane: str) -> Failure | None:
        """Returns why a Lane that was ready is gone, or None while all of its processes run.

        A server may replace a worker that ends; the new one is not warm, not pinned and not counted.
        """
        server = self._servers.running[lane]
        code = server.process.poll()
        if code is not None:
            return failure(self._index, server, Stage.LOAD, reason(Code.SERVER_ENDED, exit_code=code))
        if ended(self._servers.pids[lane]):
            return failure(self._index, server, Stage.LOAD, reason(Code.PROCESS_ENDED))
        return None

    def _setup(self) -> Setup:
        whole, workload = self._testbed.experiment, self._testbed.experiment.workload
        requests = tuple(Request(target, body) for target, body in workload.load_requests())
        targets = (Target(lane, HOST, server.launch.port, requests) for lane, server in self._servers.running.items())
        at_once = 2 if any(lane.side for lane in whole.lanes) else 1
        cores = self._testbed.machine.driver_cores
        return Setup(tuple(targets), whole.most_users, whole.load.connections, cores, at_once)

    def _read(self, pids: Sequence[int]) -> Readings:
        here = self._testbed.machine
        return Readings(
            time.monotonic() - self._began,
            time.time(),
            counters.read(pids),
            counters.read([self._driver.pid]),
            counters.steal_s((*here.server_cores, *here.driver_cores)),
        )


def order(planned: Slice) -> SliceOrder:
    """Returns what the driver is told of a Slice."""
    return SliceOrder(planned.lanes, planned.load, planned.settle_s, planned.window_s, planned.send_limit_s)


@contextmanager
def open_round(testbed: Testbed, index: int, lanes: Sequence[Lane], began: float) -> Iterator[LiveRound]:
    """Opens servers and a fresh driver; while they last, the calling thread keeps off the server cores.

    bench has no other thread that runs while it measures.
    """
    with (
        open_driver(testbed.process_group, testbed.logs / "driver.log") as driver,
        testbed.open_servers(index, lanes) as servers,
        _kept_on(testbed.machine.driver_cores),
    ):
        yield LiveRound(testbed, index, servers, driver, began)


@contextmanager
def _kept_on(cores: Sequence[int]) -> Iterator[None]:
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _record(
    round_index: int,
    lane: str,
    planned: Slice,
    result: SliceResult,
    readings: tuple[Readings, Readings],
    pids: Sequence[int],
) -> SliceRecord:
    before, after = readings
    slice_s = after.at_s - before.at_s
    measured = _measured(before, after, pids)
    values: dict[str, Any] = {name: known(value) for name, value in measured.items()}
    unknown = {name: value.reason for name, value in measured.items() if isinstance(value, Unknown)}
    return SliceRecord(
        **structs.asdict(result),
        **values,
        round=round_index,
        slice=planned.index,
        lane=lane,
        phase=planned.phase,
        load=planned.load,
        at_s=round(before.at_s, 4),
        slice_s=round(slice_s, 6),
        clock_step_s=round(after.wall_s - before.wall_s - slice_s, 3),
        unknown={**unknown, **_why_silent(result)},
        repeat_of=planned.repeat_of,
    )


def _measured(before: Readings, after: Readings, pids: Sequence[int]) -> dict[str, float | Unknown]:
    """Returns what the kernel says, by the field of a record."""
    stolen_s = counters.difference(before.steal_s, after.steal_s)
    return {
        **_fields("server", after.server.since(before.server)),
        **_fields("server", counters.memory(pids)),
        **_fields("driver", after.driver.since(before.driver)),
        "steal_s": stolen_s if isinstance(stolen_s, Unknown) else round(stolen_s, 2),
    }


def _fields(whose: str, found: counters.Used | counters.ProcessMemory) -> dict[str, float | Unknown]:
    """Returns what was found of the server or the driver, by those of their fields that a record has."""
    named = {f"{whose}_{name}": value for name, value in structs.asdict(found).items()}
    return {name: value for name, value in named.items() if name in SliceRecord.__struct_fields__}


def _why_silent(result: SliceResult) -> dict[str, Reason]:
    """Returns why there is no right answer in the window, where there is none."""
    if result.requests:
        return {}
    why = reason(Code.NO_RIGHT_ANSWER, errors=result.errors, dropped=result.dropped, outside=result.requests_in_slice)
    return {"requests": why}
