"""Realistic Reports for the tests of the renderers: three Groups, and the odd cases of each."""

import math
import random
from collections.abc import Iterable, Sequence
from itertools import combinations

from msgspec.structs import replace

from bench.analysis import validity
from bench.model import footprint_plan
from bench.model.estimate import Estimate, Status, Validity
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
from bench.model.formats import FORMAT_VERSION
from bench.model.load import Phase
from bench.model.metrics import Better, Unit
from bench.model.reason import Code, reason
from bench.model.records import Failure, LaneFacts, LatencyEnd, Machine, Manifest, Stage
from bench.model.summary import (
    AdapterCost,
    Cell,
    CpuSplit,
    Curve,
    GroupSummary,
    LaneSummary,
    Ratio,
    Report,
    RunTotals,
    Standing,
    Summary,
    Trace,
)

ROUNDS = 7
RATE_RPS = 1100.0
WSGI, ASGI = Interface.WSGI, Interface.ASGI

SERVING = Serving(workers=1, threads=1, keep_alive_s=75, backlog=2048, worker_connections=1000, ready_timeout_s=30.0)
PRESET = Preset(
    rounds=ROUNDS, saturated_slices=4, fixed_slices=4, settle_s=0.03, window_s=0.35, warm_up_s=0.3, cold_starts=10
)
OFFER = LoadSettings(users=16, rate_share=0.5, connections=64)
WORKLOAD = Workload(
    name="hello",
    path="/hello/{name}",
    body="Hello, {name}!",
    content_type="text/plain; charset=utf-8",
    names=("world", "Zoë"),
    longest_name=1000,
    not_found=("/",),
    not_allowed=("POST",),
    load_names=100,
)
MACHINE = Machine(
    cpu="Example CPU @ 2.30GHz",
    cores=2,
    memory_gib=7.8,
    system="Linux 6.1.0-18-amd64 x86_64",
    python="3.11.2",
    server_cores=(0,),
    driver_cores=(1,),
)

APPS = {
    "django_hello": App(name="django_hello", title="Django", package="django", interfaces={WSGI: "d:w", ASGI: "d:a"}),
    "fastapi_hello": App(name="fastapi_hello", title="FastAPI", package="fastapi", interfaces={ASGI: "f:app"}),
    "flask_hello": App(name="flask_hello", title="Flask", package="flask", interfaces={WSGI: "f:create_app()"}),
    "raw_hello": App(name="raw_hello", title="raw", raw=True, interfaces={WSGI: "r:wsgi", ASGI: "r:asgi"}),
}
SERVERS = {
    "gunicorn-gthread": Server(
        name="gunicorn-gthread",
        interface=WSGI,
        packages=("gunicorn",),
        command=("gunicorn", "--bind", "{host}:{port}", "--worker-class", "gthread", "{application}"),
    ),
    "gunicorn-uvicorn": Server(
        name="gunicorn-uvicorn",
        interface=ASGI,
        packages=("gunicorn", "uvicorn", "uvicorn-worker", "uvloop", "httptools"),
        command=("gunicorn", "--bind", "{host}:{port}", "--worker-class", "uvicorn", "{application}"),
    ),
    "uvicorn": Server(
        name="uvicorn",
        interface=ASGI,
        packages=("uvicorn", "uvloop", "httptools"),
        command=("uvicorn", "--host", "{host}", "--port", "{port}", "--http", "httptools", "{application}"),
    ),
}
ADAPTERS = {
    "a2wsgi": Adapter(name="a2wsgi", accepts=ASGI, gives=WSGI, callable="a2wsgi:ASGIMiddleware", packages=("a2wsgi",)),
    "a2asgi": Adapter(name="a2asgi", accepts=WSGI, gives=ASGI, callable="a2wsgi:WSGIMiddleware", packages=("a2wsgi",)),
}
VERSIONS = {
    "a2wsgi": "1.10.10",
    "django": "5.2.19",
    "fastapi": "0.165.0",
    "flask": "3.1.3",
    "gunicorn": "27.0.1",
    "httptools": "0.9.0",
    "uvicorn": "0.54.0",
    "uvicorn-worker": "0.4.0",
    "uvloop": "0.23.0",
}
THROUGHPUT_RPS = {
    "django_hello@gunicorn-gthread": 2318.4,
    "fastapi_hello@gunicorn-gthread+a2wsgi": 1187.2,
    "flask_hello@gunicorn-gthread": 2871.9,
    "raw_hello@gunicorn-gthread": 4912.6,
    "raw_hello@gunicorn-gthread+a2wsgi": 1650.3,
    "django_hello@gunicorn-uvicorn": 2790.1,
    "fastapi_hello@gunicorn-uvicorn": 6512.3,
    "flask_hello@gunicorn-uvicorn+a2asgi": 2264.8,
    "raw_hello@gunicorn-uvicorn": 17934.0,
    "raw_hello@gunicorn-uvicorn+a2asgi": 3310.5,
    "fastapi_hello@uvicorn": 6604.7,
    "raw_hello@uvicorn": 18102.9,
}
GROUPS = (
    ("wsgi", "all on the same WSGI server", True, "gunicorn-gthread"),
    ("asgi", "all on the same ASGI server", True, "gunicorn-uvicorn"),
    ("native", "each on the server its own documentation recommends", False, ""),
)
NATIVE = (
    "django_hello@gunicorn-gthread",
    "fastapi_hello@uvicorn",
    "flask_hello@gunicorn-gthread",
    "raw_hello@gunicorn-gthread",
    "raw_hello@uvicorn",
)
UNSURE = reason(Code.NOTHING_FULL, server_share=0.71, driver_share=0.63, users=16)
"""What is against a Lane that was not saturated."""


def standard() -> Report:
    """Returns a run in which all went well."""
    groups = tuple(
        Group(
            name=name,
            title=title,
            same_server=same,
            lanes=tuple(lane for lane in THROUGHPUT_RPS if f"@{server}" in lane and "@uvicorn" not in lane)
            if same
            else NATIVE,
        )
        for name, title, same, server in GROUPS
    )
    return build(THROUGHPUT_RPS, groups)


def build(throughput_rps: dict[str, float], groups: Sequence[Group], apps: dict[str, App] = APPS) -> Report:
    """Returns a Report of Lanes by their throughput, from which everything else is made up."""
    lanes = tuple(_lane(name, apps) for name in throughput_rps)
    experiment = Experiment(
        lanes=lanes,
        groups=tuple(groups),
        serving=SERVING,
        load=OFFER,
        workload=WORKLOAD,
        preset_name="standard",
        preset=PRESET,
        seed=1,
    )
    summaries = tuple(_summary(lane, experiment, throughput_rps) for lane in lanes)
    return Report(
        manifest=_manifest(experiment),
        summary=Summary(
            format_version=FORMAT_VERSION,
            run_id="20260301T101500Z-3f9a",
            complete=True,
            pinned=True,
            totals=_totals(),
            lanes=summaries,
            groups=tuple(_group(group, summaries) for group in groups),
            cpu_splits=tuple(_splits(summaries)),
            adapter_costs=tuple(_adapter_costs(summaries)),
            failures=(),
        ),
        curves=tuple(_curve(name, rps) for name, rps in throughput_rps.items()),
        traces=tuple(_trace(name, rps) for name, rps in throughput_rps.items()),
    )


def unpinned() -> Report:
    """Returns the standard run on a machine where servers and driver shared cores."""
    report = standard()
    machine = replace(MACHINE, server_cores=(), driver_cores=())
    return replace(report, manifest=replace(report.manifest, machine=machine))


def without_intervals() -> Report:
    """Returns the standard run stopped after two of its rounds: no intervals, nothing told apart."""
    report = standard()
    summary = report.summary
    return replace(
        report,
        summary=replace(
            summary,
            complete=False,
            lacking=(
                reason(Code.SLICES_LACKING, missing=280, planned=392),
                reason(Code.FOOTPRINT_LACKING, metrics=("import_ms",)),
            ),
            totals=replace(summary.totals, rounds=2),
            lanes=tuple(replace(lane, metrics=_bare(lane.metrics)) for lane in summary.lanes),
            groups=tuple(_undecided(group) for group in summary.groups),
            cpu_splits=tuple(
                replace(
                    split,
                    raw=_few(split.raw),
                    framework=_few(split.framework),
                    adapter=split.adapter and _few(split.adapter),
                )
                for split in summary.cpu_splits
            ),
            adapter_costs=tuple(replace(of, cost=_few(of.cost)) for of in summary.adapter_costs),
        ),
    )


def tied() -> Report:
    """Returns the standard run with Django and Flask too close to each other on the WSGI server."""
    pair = ("flask_hello@gunicorn-gthread", "django_hello@gunicorn-gthread")
    report = build({**THROUGHPUT_RPS, pair[0]: 2329.5}, standard().manifest.experiment.groups)
    groups = tuple(_with_tie(group, *pair) for group in report.summary.groups)
    return replace(report, summary=replace(report.summary, groups=groups))


def noisy() -> Report:
    """Returns the tied run with intervals that reach to four times the point."""
    report = tied()
    lanes = tuple(
        replace(lane, metrics={name: _vague(whole) for name, whole in lane.metrics.items()})
        for lane in report.summary.lanes
    )
    return replace(report, summary=replace(report.summary, lanes=lanes))


def failed(log_tail: str = "") -> Report:
    """Returns the standard run in which one Lane never started and another was not saturated."""
    report = standard()
    lost, unsure = "flask_hello@gunicorn-gthread", "fastapi_hello@gunicorn-uvicorn"
    failure = Failure(
        lane=lost,
        round=0,
        stage=Stage.START,
        reason=reason(Code.ENDED_BEFORE_ANSWER, exit_code=3),
        log_tail=log_tail
        or "Traceback (most recent call last):\n  ...\nModuleNotFoundError: No module named 'flask'\n",
    )
    validities = {
        lost: Validity(Status.FAILED, (validity.failed(failure),)),
        unsure: Validity(Status.NOT_SATURATED, (UNSURE,)),
    }
    summary = report.summary
    return replace(
        report,
        summary=replace(
            summary,
            failures=(failure,),
            lanes=tuple(
                replace(
                    lane,
                    metrics={} if lane.lane == lost else lane.metrics,
                    cells=_cells(validities.get(lane.lane, lane.validity)),
                    validity=validities.get(lane.lane, lane.validity),
                )
                for lane in summary.lanes
            ),
            groups=tuple(_without(group, validities) for group in summary.groups),
            cpu_splits=tuple(split for split in summary.cpu_splits if split.lane != lost),
        ),
        curves=tuple(curve for curve in report.curves if curve.lane != lost),
        traces=tuple(trace for trace in report.traces if trace.lane != lost),
    )


def single() -> Report:
    """Returns a run of one Lane alone, without raw."""
    name = "flask_hello@gunicorn-gthread"
    return build(
        {name: 2871.9}, [Group(name="wsgi", title="all on the same WSGI server", lanes=(name,), same_server=True)]
    )


def crowded(title: str = "A Framework With A Rather Long Name, Release Candidate {}") -> Report:
    """Returns a Group of twelve Lanes with long titles, close to one another."""
    apps = {f"app{i:02}": replace(APPS["flask_hello"], name=f"app{i:02}", title=title.format(i)) for i in range(11)}
    names = [f"{name}@gunicorn-gthread" for name in (*apps, "raw_hello")]
    rps = {name: 2000.0 + 90 * i for i, name in enumerate(names)}
    group = Group(name="wsgi", title="a Group with a title that goes on " * 5, lanes=tuple(names), same_server=True)
    return build(rps, [group], {**apps, "raw_hello": APPS["raw_hello"]})


def empty() -> Report:
    """Returns a run in which nothing was measured: no metric, curve or trace, and no fixed rate."""
    report = standard()
    summary = report.summary
    failed = reason(Code.LANE_FAILED, round=0, stage=Stage.ENVIRONMENT, text="no lock")
    lost = Validity(Status.FAILED, (failed,))
    lanes = tuple(replace(lane, metrics={}, cells=_cells(lost), validity=lost) for lane in summary.lanes)
    groups = tuple(replace(group, standings=(), ratios=()) for group in summary.groups)
    totals = replace(
        summary.totals,
        rounds=0,
        wall_s=0.0,
        measured_s=0.0,
        requests=0,
        errors=0,
        dropped=0,
        fixed_rate_rps=None,
        driver_cpu_share=None,
    )
    return Report(
        manifest=replace(report.manifest, lanes=(), driver_versions={}),
        summary=replace(summary, complete=False, totals=totals, lanes=lanes, groups=groups, cpu_splits=()),
        curves=(),
        traces=(),
    )


VARIANTS = {
    "standard": standard,
    "unpinned": unpinned,
    "without_intervals": without_intervals,
    "tied": tied,
    "noisy": noisy,
    "failed": failed,
    "single": single,
    "crowded": crowded,
    "empty": empty,
}


def estimate(point: float, unit: Unit, better: Better, spread: float = 0.018, n: int = ROUNDS) -> Estimate:
    """Returns an Estimate whose interval reaches ``spread`` of the point to either side."""
    return Estimate(point, point / (1 + spread), point * (1 + spread), n, unit, better)


def _lane(name: str, apps: dict[str, App]) -> Lane:
    app, _, place = name.partition("@")
    server, _, adapter = place.partition("+")
    return Lane(app=apps[app], server=SERVERS[server], adapter=ADAPTERS.get(adapter))


def _manifest(experiment: Experiment) -> Manifest:
    return Manifest(
        format_version=FORMAT_VERSION,
        run_id="20260301T101500Z-3f9a",
        started_utc="2026-03-01T10:15:00Z",
        bench_version="0.1.0",
        bench_revision="fedcba987654",
        project_revision="0123456789ab",
        experiment=experiment,
        machine=MACHINE,
        driver_versions={"locust": "2.47.0", "gevent": "26.1.0"},
        latency_end=LatencyEnd.RECEIVED,
        lanes=tuple(_facts(lane) for lane in experiment.lanes),
        irremovable_differences=(
            reason(Code.HEADERS_OF_ANSWERS, headers=("Content-Type", "Server: gunicorn"), lanes=("flask@gthread",)),
            reason(Code.HEADERS_OF_ANSWERS, headers=("Server: uvicorn", "Content-Type"), lanes=("fastapi@uvicorn",)),
        ),
    )


def _facts(lane: Lane) -> LaneFacts:
    wanted = [lane.app.package or "", *lane.server.packages, *(lane.adapter.packages if lane.adapter else ())]
    command = tuple(
        part.format(host="127.0.0.1", port=41001, application=lane.application) for part in lane.server.command
    )
    return LaneFacts(
        lane=lane.name,
        port=41001,
        command=command,
        environment={"BENCH_ADAPTER": lane.adapter.callable} if lane.adapter else {},
        python="3.11.2",
        versions={package: VERSIONS[package] for package in sorted(wanted) if package in VERSIONS},
        workers=1,
        response_status=200,
        response_headers=(("content-type", "text/plain; charset=utf-8"), ("content-length", "13")),
        response_body="Hello, world!",
    )


def _totals() -> RunTotals:
    return RunTotals(
        rounds=ROUNDS,
        rounds_planned=ROUNDS,
        wall_s=412.6,
        measured_s=235.2,
        requests=1_284_310,
        errors=0,
        dropped=12,
        repeated=3,
        fixed_rate_rps=RATE_RPS,
        driver_cpu_share=0.43,
    )


def _summary(lane: Lane, experiment: Experiment, throughput_rps: dict[str, float]) -> LaneSummary:
    return LaneSummary(
        lane=lane.name,
        app=lane.app.name,
        title=lane.app.title,
        server=lane.server.name,
        adapter=lane.adapter.name if lane.adapter else None,
        raw=lane.app.raw,
        twin=lane.twin,
        groups=experiment.groups_of(lane.name),
        metrics={
            **_metrics(throughput_rps[lane.name]),
            **_overhead(lane, throughput_rps),
            **_footprint(lane, experiment, throughput_rps[lane.name]),
        },
        missing={},
        cells=_cells(Validity(Status.VALID)),
        validity=Validity(Status.VALID),
        code_lines_by_file={f"{lane.app.name}.py": 1042, "settings.py": 13} if _has_footprint(lane, experiment) else {},
    )


def _cells(found: Validity) -> tuple[Cell, ...]:
    return (Cell(Phase.SATURATED, found), Cell(Phase.FIXED, found))


def _has_footprint(lane: Lane, experiment: Experiment) -> bool:
    return lane in footprint_plan.footprint_lanes(experiment)


def _footprint(lane: Lane, experiment: Experiment, rps: float) -> dict[str, Estimate]:
    """Returns what fresh starts of a Lane cost, where its App is at home."""
    if not _has_footprint(lane, experiment):
        return {}
    costly, n = 1e4 / rps, experiment.preset.cold_starts
    return {
        "first_response_ms": estimate(220 + 150 * costly, Unit.MS, Better.LOWER, 0.08, n),
        "import_ms": estimate(20 + 130 * costly, Unit.MS, Better.LOWER, 0.05, n),
        "idle_pss_mib": estimate(18 + 5 * costly, Unit.MIB, Better.LOWER, 0.01, n),
        "pss_per_worker_mib": Estimate(4 + 5 * costly, None, None, 2, Unit.MIB, Better.LOWER),
        "code_lines": exact(1055, Unit.LINES),
        "packages": exact(12, Unit.PACKAGES),
        "installed_mib": exact(26.25, Unit.MIB),
        "response_bytes": exact(172, Unit.BYTES),
    }


def exact(value: float, unit: Unit) -> Estimate:
    """Returns the Estimate of a count."""
    return Estimate(float(value), float(value), float(value), 1, unit, Better.LOWER)


def _overhead(lane: Lane, throughput_rps: dict[str, float]) -> dict[str, Estimate]:
    """Returns what a Lane costs above raw on the same Server through the same Adapter."""
    raw = throughput_rps.get(lane.name.replace(lane.app.name, "raw_hello"))
    if lane.app.raw or raw is None:
        return {}
    return {
        "own_cost_us_per_request": estimate(
            _cpu_us(throughput_rps[lane.name]) - _cpu_us(raw), Unit.US, Better.LOWER, 0.02
        )
    }


def _cpu_us(rps: float) -> float:
    return 0.98e6 / rps


def _metrics(rps: float) -> dict[str, Estimate]:
    service_ms = 1.15e3 / rps
    percentiles = {"p50": 1.0, "p90": 1.4, "p99": 3.1, "p999": 9.7}
    return {
        "throughput_rps": estimate(rps, Unit.REQUESTS_PER_S, Better.HIGHER, 0.012 + 20 / rps),
        "cpu_us_per_request": estimate(_cpu_us(rps), Unit.US, Better.LOWER, 0.009),
        "pss_mib": estimate(26 + 4e4 / rps, Unit.MIB, Better.LOWER, 0.001),
        "rss_mib": estimate(31 + 4e4 / rps, Unit.MIB, Better.LOWER, 0.001),
        "error_ratio": Estimate(0.0, 0.0, 0.0, ROUNDS, Unit.RATIO, Better.LOWER),
        **{
            f"latency_fixed_{name}_ms": estimate(service_ms * factor, Unit.MS, Better.LOWER, 0.02 * factor)
            for name, factor in percentiles.items()
        },
        **{
            f"latency_saturated_{name}_ms": estimate(16e3 / rps * factor**0.5, Unit.MS, Better.LOWER, 0.02 * factor)
            for name, factor in percentiles.items()
        },
    }


def _group(group: Group, summaries: Iterable[LaneSummary]) -> GroupSummary:
    playing = [lane for lane in summaries if lane.lane in group.lanes and not lane.raw]
    best_first = sorted(playing, key=lambda lane: -lane.metrics["throughput_rps"].point)
    return GroupSummary(
        group=group.name,
        title=group.title,
        same_server=group.same_server,
        noise_floors=(),
        standings=tuple(
            Standing(lane=lane.lane, rank=rank, tied_with=()) for rank, lane in enumerate(best_first, start=1)
        ),
        ratios=tuple(
            Ratio(
                lane=a.lane,
                other=b.lane,
                metric="throughput_rps",
                ratio=estimate(
                    a.metrics["throughput_rps"].point / b.metrics["throughput_rps"].point,
                    Unit.RATIO,
                    Better.NEITHER,
                    0.02,
                ),
            )
            for a, b in combinations(best_first, 2)
        ),
    )


def _splits(summaries: Iterable[LaneSummary]) -> Iterable[CpuSplit]:
    costs = {lane.lane: lane.metrics["cpu_us_per_request"].point for lane in summaries}
    for lane in summaries:
        raw = costs.get(f"raw_hello@{lane.server}")
        through = costs.get(f"raw_hello@{lane.server}+{lane.adapter}", raw)
        if raw is not None and through is not None and not lane.raw:
            yield CpuSplit(
                lane=lane.lane,
                raw=estimate(raw, Unit.US, Better.LOWER),
                adapter=estimate(through - raw, Unit.US, Better.LOWER) if lane.adapter else None,
                framework=estimate(costs[lane.lane] - through, Unit.US, Better.LOWER),
            )


def _adapter_costs(summaries: Iterable[LaneSummary]) -> Iterable[AdapterCost]:
    costs = {lane.lane: lane.metrics["cpu_us_per_request"].point for lane in summaries}
    for lane in summaries:
        if lane.raw and lane.adapter:
            added = costs[lane.lane] - costs[f"raw_hello@{lane.server}"]
            yield AdapterCost(adapter=lane.adapter, server=lane.server, cost=estimate(added, Unit.US, Better.LOWER))


def _curve(name: str, rps: float) -> Curve:
    """Returns a curve that ends where 10 of the Lane's requests lie beyond."""
    requests = RATE_RPS * PRESET.window_s * PRESET.fixed_slices * ROUNDS
    steps = 40
    percentiles = [100 * (1 - (10 / requests) ** (i / steps)) for i in range(steps + 1)]
    rng = random.Random(name)  # noqa: S311 - made-up numbers
    bend = rng.uniform(0.5, 1.1)
    latencies = [1.1e3 / rps * (1 + bend * math.log10(100 / (100 - p)) ** 2) for p in percentiles]
    services = [0.9 * latency for latency in latencies]
    return Curve(lane=name, percentiles=tuple(percentiles), latencies_ms=tuple(latencies), services_ms=tuple(services))


def _trace(name: str, rps: float) -> Trace:
    rng = random.Random(name)  # noqa: S311 - made-up numbers
    at_s = [
        round_index * 58.0 + 6 + 4.7 * slice_index + rng.uniform(0, 4)
        for round_index in range(ROUNDS)
        for slice_index in range(PRESET.saturated_slices)
    ]
    dips = [0.8 if 120 < at < 150 else 1.0 for at in at_s]
    values = [rps * dip * rng.gauss(1, 0.05) for dip in dips]
    return Trace(lane=name, at_s=tuple(at_s), throughput_rps=tuple(values))


def _vague(whole: Estimate) -> Estimate:
    return replace(whole, low=whole.point / 4, high=whole.point * 4)


def _few(whole: Estimate) -> Estimate:
    return replace(whole, low=None, high=None, n=2)


def _bare(metrics: dict[str, Estimate]) -> dict[str, Estimate]:
    return {name: _few(whole) for name, whole in metrics.items()}


def _undecided(group: GroupSummary) -> GroupSummary:
    names = [standing.lane for standing in group.standings]
    return replace(
        group,
        standings=tuple(
            Standing(lane=name, rank=None, tied_with=tuple(other for other in names if other != name)) for name in names
        ),
        ratios=tuple(replace(ratio, ratio=_few(ratio.ratio)) for ratio in group.ratios),
    )


def _with_tie(group: GroupSummary, a: str, b: str) -> GroupSummary:
    partners = {a: (b,), b: (a,)}
    close = Estimate.ratio(1.005, 0.978, 1.033, ROUNDS)
    return replace(
        group,
        standings=tuple(
            replace(standing, rank=None, tied_with=partners[standing.lane]) if standing.lane in partners else standing
            for standing in group.standings
        ),
        ratios=tuple(
            replace(ratio, ratio=close) if {ratio.lane, ratio.other} == {a, b} else ratio for ratio in group.ratios
        ),
    )


def _without(group: GroupSummary, names: Iterable[str]) -> GroupSummary:
    gone = set(names)
    left = [standing for standing in group.standings if standing.lane not in gone]
    return replace(
        group,
        standings=tuple(replace(standing, rank=rank) for rank, standing in enumerate(left, start=1)),
        ratios=tuple(ratio for ratio in group.ratios if not {ratio.lane, ratio.other} & gone),
    )
