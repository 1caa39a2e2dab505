"""A small valid Experiment, and what a run of it leaves behind."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from hdrh.histogram import HdrHistogram
from msgspec.structs import replace

from bench.model import footprint_plan, schedule
from bench.model.experiment import (
    Adapter,
    App,
    Experiment,
    Group,
    Interface,
    Lane,
    LoadSettings,
    Preset,
    Server,
    Serving,
    Workload,
)
from bench.model.formats import FORMAT_VERSION, HISTORY_VERSION
from bench.model.history import HistoryRecord, MachineIdentity, Reading
from bench.model.load import Closed, Open, Phase
from bench.model.metrics import INSTRUCTIONS, METRICS, Source
from bench.model.protocol import MAX_LATENCY_US, SIGNIFICANT_DIGITS
from bench.model.reason import Code, reason
from bench.model.records import Failure, LaneFacts, LatencyEnd, Machine, Manifest, Observation, SliceRecord, Stage
from bench.model.schedule import Slice

WSGI, ASGI = Interface.WSGI, Interface.ASGI

GTHREAD = Server(
    name="gthread",
    interface=WSGI,
    packages=("gunicorn",),
    command=("gunicorn", "--bind", "{host}:{port}", "--backlog", "{backlog}", "{application}"),
)
UVICORN = Server(name="uvicorn", interface=ASGI, packages=("uvicorn",), command=("uvicorn", "{application}"))
ADAPTER = Adapter(name="a2wsgi", accepts=ASGI, gives=WSGI, callable="a2wsgi:ASGIMiddleware", packages=("a2wsgi",))

ALPHA = App(name="alpha", title="Alpha", interfaces={WSGI: "alpha:app"}, package="alpha")
BETA = App(name="beta", title="Beta", interfaces={WSGI: "beta:app"}, environment={"BETA_MODE": "fast"})
GAMMA = App(name="gamma", title="Gamma", interfaces={ASGI: "gamma:app"})
RAW = App(name="raw", title="raw", raw=True, interfaces={WSGI: "raw:wsgi", ASGI: "raw:asgi"})

LANES = (
    Lane(app=ALPHA, server=GTHREAD),
    Lane(app=BETA, server=GTHREAD),
    Lane(app=GAMMA, server=GTHREAD, adapter=ADAPTER),
    Lane(app=RAW, server=GTHREAD),
    Lane(app=RAW, server=GTHREAD, adapter=ADAPTER),
)
A, B, G, R, RG = (lane.name for lane in LANES)
"""The names of the Lanes: Alpha, Beta, Gamma through an Adapter, raw, raw through the same Adapter."""

USERS = 4
RPS = {A: 1000.0, B: 800.0, G: 400.0, R: 2000.0, RG: 1200.0}
CPU_US = {A: 950.0, B: 1200.0, G: 2400.0, R: 480.0, RG: 800.0}
"""What a synthetic run measures, where nothing else is said."""


def experiment(**changes: Any) -> Experiment:
    """Returns three Apps and raw on one Server, in one Group; 3 Rounds of 2 saturated and 1 fixed Slice a Lane."""
    small = Experiment(
        lanes=LANES,
        groups=(Group(name="wsgi", title="on one server", lanes=(A, B, G, R, RG), same_server=True),),
        serving=Serving(
            workers=1, threads=1, keep_alive_s=75, backlog=2048, worker_connections=1000, ready_timeout_s=30.0
        ),
        load=LoadSettings(users=USERS, rate_share=0.5, connections=8),
        workload=Workload(
            name="hello",
            path="/hello/{name}",
            body="Hello, {name}!",
            content_type="text/plain",
            names=("world",),
            longest_name=10,
            not_found=("/",),
            not_allowed=("POST",),
            load_names=10,
        ),
        preset_name="small",
        preset=Preset(rounds=3, saturated_slices=2, fixed_slices=1, settle_s=0.05, window_s=0.25, warm_up_s=0.25),
        seed=1,
    )
    return replace(small, **changes)


def twinned() -> Experiment:
    """Returns the same, with a twin of Alpha's Lane in the Group."""
    whole = experiment()
    twin = replace(whole.lane(A), twin=True)
    (group,) = whole.groups
    return replace(whole, lanes=(*whole.lanes, twin), groups=(replace(group, lanes=(*group.lanes, twin.name)),))


def manifest(whole: Experiment | None = None, **changes: Any) -> Manifest:
    """Returns the manifest of a run of an Experiment."""
    whole = whole or experiment()
    described = Manifest(
        format_version=FORMAT_VERSION,
        run_id="20260301T101500Z-3f9a1c",
        started_utc="2026-03-01T10:15:00Z",
        bench_version="0.1.0",
        bench_revision=None,
        project_revision=None,
        experiment=whole,
        machine=Machine(
            cpu="Example",
            cores=2,
            memory_gib=8.0,
            system="Linux",
            python="3.11.2",
            server_cores=(0,),
            driver_cores=(1,),
        ),
        driver_versions={"locust": "2.47.0"},
        latency_end=LatencyEnd.RECEIVED,
        lanes=tuple(facts(lane) for lane in whole.lanes),
        irremovable_differences=(),
    )
    return replace(described, **changes)


def facts(lane: Lane, *, port: int = 20001, **changes: Any) -> LaneFacts:
    """Returns what a Lane ran with, in order with its Server's command."""
    values = {
        "host": "127.0.0.1",
        "port": port,
        "backlog": 2048,
        "application": "bench_adapter:application" if lane.adapter else lane.application,
    }
    program, *arguments = (part.format_map(values) for part in lane.server.command)
    adapted = {"BENCH_ADAPTER": lane.adapter.callable, "BENCH_APPLICATION": lane.application} if lane.adapter else {}
    ran = LaneFacts(
        lane=lane.name,
        port=port,
        command=(f".bench/environments/{lane.app.name}/bin/{program}", *arguments),
        environment={"PYTHONPATH": f"apps/{lane.app.name}", "PYTHONUNBUFFERED": "1", **adapted, **lane.app.environment},
        python="3.11.2",
        versions={"gunicorn": "27.0.1", "uvicorn": "0.54.0", "a2wsgi": "1.10.0"},
        workers=1,
        response_status=200,
        response_headers=(("Content-Type", "text/plain"), ("Content-Length", "13"), ("Server", "gunicorn")),
        response_body="Hello, world!",
    )
    return replace(ran, **changes)


def failure(lane: str, **changes: Any) -> Failure:
    """Returns the Failure of a Lane that ended under load in the first Round."""
    return replace(
        Failure(lane=lane, round=0, stage=Stage.LOAD, reason=reason(Code.SERVER_ENDED, exit_code=3), log_tail="bye"),
        **changes,
    )


def histogram(*latencies_us: int) -> str:
    """Returns an encoded histogram of these latencies."""
    recorded = HdrHistogram(1, MAX_LATENCY_US, SIGNIFICANT_DIGITS)
    for latency_us in latencies_us:
        recorded.record_value(latency_us)
    return bytes(recorded.encode()).decode()


@cache
def spread(count: int, median_us: int) -> str:
    """Returns an encoded histogram of so many latencies, from half to one and a half of the median."""
    return histogram(*(median_us // 2 + median_us * i // max(1, count) for i in range(count)))


def record(planned: Slice, **changes: Any) -> SliceRecord:
    """Returns what one Slice of the first Round saw: 250 right answers in its window, 300 in all, nothing amiss.

    The users of a closed load wait for an answer all the time; the driver is never late. Counters that nothing is said
    of here are known, too.
    """
    fixed = planned.load.is_scheduled
    latencies = spread(250, 1000 if fixed else USERS * 1000)
    punctual = spread(250, 50)
    seen = SliceRecord(
        round=0,
        slice=planned.index,
        lane=planned.lanes[0],
        phase=planned.phase,
        load=planned.load,
        at_s=float(planned.index),
        window_s=planned.window_s,
        slice_s=planned.settle_s + planned.window_s,
        requests=250,
        errors={},
        dropped=0,
        requests_in_slice=300,
        answers_in_window=250,
        bytes_received=40_000,
        latency_us=latencies,
        latency_from_intended_us=latencies if fixed else None,
        send_lateness_us=punctual if fixed else None,
        loop_lag_us=punctual,
        server_cpu_ns=100_000_000 if fixed else 290_000_000,
        server_run_queue_ns=1_000_000,
        server_rss_bytes=32 * 2**20,
        server_pss_bytes=24 * 2**20,
        driver_cpu_ns=100_000_000,
        driver_run_queue_ns=1_000_000,
        steal_s=0.0,
        clock_step_s=0.0,
        repeat_of=planned.repeat_of,
    )
    counters = {row.counter for row in METRICS.values()} & {*SliceRecord.__struct_fields__}
    unsaid = {name: 1_000_000 for name in counters if name and getattr(seen, name) is None}
    return replace(seen, **{**unsaid, **changes})


def saturated(lane: str = A, **changes: Any) -> SliceRecord:
    """Returns a record of one saturated Slice."""
    return record(Slice(0, Phase.SATURATED, (lane,), Closed(USERS), 0.05, 0.25), **changes)


def fixed(lane: str = A, **changes: Any) -> SliceRecord:
    """Returns a record of one Slice at a fixed rate."""
    return record(Slice(0, Phase.FIXED, (lane,), Open(200.0), 0.05, 0.25), **changes)


def run_records(
    whole: Experiment, rps: Mapping[str, float] = RPS, cpu_us: Mapping[str, float] = CPU_US
) -> list[SliceRecord]:
    """Returns the records of a run as planned: all Lanes share each Round's luck, and have a little of their own.

    CPU time per request is ``cpu_us`` times the luck of its Round, without noise.
    """
    rows: list[SliceRecord] = []
    for index in range(whole.preset.rounds):
        warm = schedule.warm_up_slices(whole, index)
        for planned in [*warm, *schedule.measured_slices(whole, index, 200.0, first_index=len(warm))]:
            (lane,) = planned.lanes
            luck = 1 + 0.2 * (index % 3)
            own = 1 + 0.01 * ((index + len(lane)) % 3 - 1)
            rate = planned.load.rate_rps or rps[lane] / luck * own
            latency_us = 1e5 / rps[lane] if planned.load.rate_rps else 1e6 * USERS / rate
            latencies = spread(round(rate * planned.window_s), round(latency_us))
            in_slice = round(rate * (planned.settle_s + planned.window_s))
            rows.append(
                record(
                    planned,
                    round=index,
                    at_s=100.0 * index + planned.index,
                    requests=round(rate * planned.window_s),
                    requests_in_slice=in_slice,
                    latency_us=latencies,
                    latency_from_intended_us=latencies if planned.load.is_scheduled else None,
                    server_cpu_ns=round(in_slice * cpu_us[lane] * luck * 1000),
                )
            )
    return rows


def run_observations(whole: Experiment) -> list[Observation]:
    """Returns what a run that came to its end observed outside slices."""
    starts = {Source.AT_REST: 1, **footprint_plan.counts(whole.preset)}
    counts = {metric.name: starts[metric.source] for metric in METRICS.values() if metric.source in starts}
    footprint = [
        Observation(lane=lane.name, metric=metric, value=7.0)
        for lane in footprint_plan.footprint_lanes(whole)
        for metric, count in counts.items()
        for _ in range(count)
    ]
    counted = [lane.name for lane in whole.lanes if whole.preset.instructions and not lane.twin]
    return [*footprint, *(Observation(lane=lane, metric=INSTRUCTIONS, value=9.0) for lane in counted)]


def sweep_records(whole: Experiment, rps: Mapping[str, float] = RPS, idle_ms: float = 3.0) -> list[SliceRecord]:
    """Returns the records of a sweep without noise: throughput and CPU time follow the asymptotic bounds.

    A Lane answers after ``idle_ms`` when there is one user, and gets at most ``rps`` through. What an open load
    can't send is dropped.
    """
    assert whole.sweep
    rows: list[SliceRecord] = []
    for index in range(whole.preset.rounds):
        warm = schedule.warm_up_slices(whole, index)
        for planned in [
            *warm,
            *schedule.sweep_slices(whole, whole.sweep, index, min(rps.values()), first_index=len(warm)),
        ]:
            most = rps[planned.lanes[0]]
            bound = planned.load.rate_rps or 1000 * (planned.load.under_way or 0) / idle_ms
            got, due = min(bound, most) * planned.window_s, bound * planned.window_s
            wait_ms = idle_ms if bound <= most else idle_ms * bound / most
            latencies = spread(round(got), round(1000 * wait_ms))
            rows.append(
                record(
                    planned,
                    round=index,
                    at_s=100.0 * index + planned.index,
                    requests=round(got),
                    answers_in_window=round(got),
                    requests_in_slice=round(got),
                    dropped=round(due - got) if planned.load.is_scheduled else 0,
                    latency_us=latencies,
                    latency_from_intended_us=latencies if planned.load.is_scheduled else None,
                    server_cpu_ns=round(0.97e9 * min(1.0, bound / most) * (planned.settle_s + planned.window_s)),
                )
            )
    return rows


IDENTITY = MachineIdentity(cpu="Example", cores=2, system="Linux", python="3.11.2", server_cores=(0,))


def history_record(**changes: Any) -> HistoryRecord:
    """Returns a line of the history: one Lane with one figure."""
    line = HistoryRecord(
        format_version=HISTORY_VERSION,
        run_id="20260301T101500Z-3f9a1c",
        started_utc="2026-03-01T10:15:00Z",
        project_revision="0123456789ab",
        bench_version="0.1.0",
        preset="standard",
        conditions="0123456789ab",
        fixed_rate_rps=500.0,
        machine=IDENTITY,
        lanes={A: {"cpu_us_per_request": Reading(1.5, 1.4, 1.6)}},
    )
    return replace(line, **changes)


def history_records(*cpu: float, lane: str = A, **changes: Any) -> list[HistoryRecord]:
    """Returns a run an hour with these figures, each 3 % sure, and a commit each."""
    return [
        history_record(
            run_id=f"run-{index:04}",
            started_utc=f"2026-03-{1 + index // 24:02}T{index % 24:02}:00:00Z",
            project_revision=f"{index:07}00000",
            lanes={lane: {"cpu_us_per_request": Reading(value, value / 1.03, value * 1.03)}},
            **changes,
        )
        for index, value in enumerate(cpu)
    ]
