"""What stands beside every result: intervals, load, servers, versions, machine, and proof of the configuration."""

import shlex
from collections.abc import Iterable, Sequence
from typing import TypeVar

from msgspec import Struct

from bench.analysis import validity
from bench.model.estimate import Status
from bench.model.experiment import Lane, Server
from bench.model.load import Closed, Open, Phase
from bench.model.load import listed as listed_loads
from bench.model.metrics import CPU, METRICS, THROUGHPUT, Place
from bench.model.records import Failure, LaneFacts, LatencyEnd, Machine
from bench.model.summary import LaneSummary, Report
from bench.report import missing
from bench.report.footprint_table import at_starts, described
from bench.report.format import NO_INTERVAL, interval, listed, number, one_line
from bench.report.wording import said

UNPINNED = "NOT PINNED: servers and load driver shared cores and slowed each other; take every number as a hint."
RAW = "raw: the same server with no framework; it is not ranked."
GROUP_READING = ("A Group holds the Lanes that may be ranked together: compare within a Group, not across Groups.",)
RANK_READING = (
    "Throughput is what a closed load got out of a Lane once it was saturated. Latencies are at one rate, the same for "
    "every Lane, and count from the moment at which a request was due, so that waiting is not hidden. p99 is the time "
    "within which 99 % of the requests were answered.",
    "The service time, from sending to the answer, is the thin line in the latency chart, and stands below the latency "
    "in the tables of every metric. Where the two lie apart, requests had to wait: for a connection, or for a stall.",
    "± is the wider half of a 95 % interval over rounds, each with fresh processes. Lanes marked = are tied: they "
    "do not differ by more than the noise of this run. More rounds may show a difference.",
)
COMMON_READING = (
    "raw is the same server with no framework. What a framework costs is its CPU time per request above raw's, "
    "through the same adapter where there is one.",
    "The app only says hello. The more an app does itself, the less its framework matters: a ratio of 2 here is seldom "
    "2 elsewhere.",
    "The numbers hold for this machine, these versions and this load. Ratios travel better than absolute values.",
)
"""How to read a report, in a few sentences: all of it, ranks, and again all of it."""
SWEEP_READING = (
    "The knee of users is where the asymptotic bounds cross: the response time of the smallest load times the highest "
    "throughput; beyond it more users mostly wait. That of rates lies between the highest rate that was served "
    "(95 % of it got through, nothing left unsent, the server below 90 % of its cores) and the next that was not.",
    "The objective holds up to a load if the upper end of p99's interval is within it there and at every lower load. "
    "A closed load sends no request while its users wait, so its p99 hides what an open load's shows: decide by rates.",
    "Overloaded: less was served than came due. Its latency grows for as long as the load lasts, and is left out.",
)
"""How to read a sweep."""
LATENCY_ENDS = {
    LatencyEnd.RECEIVED: "",
    LatencyEnd.READ: "Latencies end when the driver read an answer, 0.05 to 0.15 ms later than in runs of today.",
    None: "Latencies may end when the driver read an answer, 0.05 to 0.15 ms later than in runs of today.",
}
"""What a reader has to know of an old run."""
DASHES = (
    "Dashes without a reason above: the footprint is measured of each App on its native server alone, and raw has no "
    "cost above raw."
)

_Value = TypeVar("_Value")


class Proof(Struct, frozen=True, kw_only=True):
    """What one Lane effectively ran with, in printable words."""

    lane: str
    python: str
    workers: int
    command: str
    environment: str
    main_versions: str
    all_versions: str
    answer: str


def title(report: Report) -> str:
    """Returns the report's title: the frameworks that it compares."""
    titles = _each(lane.app.title for lane in report.manifest.experiment.lanes if not lane.app.raw)
    return one_line(f"{listed(titles) if len(titles) <= 5 else f'{len(titles)} frameworks'}, side by side")


def notices(report: Report) -> tuple[str, ...]:
    """Returns what a reader must know before any number: not pinned, incomplete, too few rounds."""
    totals = report.summary.totals
    made = f"{totals.rounds} of {totals.rounds_planned} rounds"
    missing = listed([said(reason) for reason in report.summary.lacking]) or "some of what was planned"
    found = (
        (not report.manifest.machine.pinned, UNPINNED),
        (not report.summary.complete, f"INCOMPLETE: {made} have measured slices; missing: {missing}."),
        (bool(report.summary.failures), f"FAILED: {_failed_lanes(report)} could not be measured to the end."),
        (totals.rounds < 3, f"n = {totals.rounds} rounds; {NO_INTERVAL}, so nothing is ranked."),
    )
    return tuple(sentence for applies, sentence in found if applies)


def reading(report: Report) -> tuple[str, ...]:
    """Returns how to read this report."""
    return (*GROUP_READING, *(SWEEP_READING if report.summary.sweeps else RANK_READING), *COMMON_READING)


def caption(report: Report, chart: str) -> tuple[str, ...]:
    """Returns the sentences under a chart: what its points are and n, load, servers, versions, machine, bench."""
    points, phase = _CHARTS[chart]
    return (
        f"{points(report)} {RAW}",
        f"Load: {load(report, phase)}",
        servers(report),
        versions(report),
        machine(report.manifest.machine),
        provenance(report),
    )


def what_was_measured(report: Report) -> tuple[str, ...]:
    """Returns all that was measured, with what and on what, a sentence a fact."""
    of_sweep = (f"Throughput and latency: {load(report, Phase.SWEEP)}",)
    of_others = (f"{_measured_in(phase)}: {load(report, phase)}" for phase in (Phase.SATURATED, Phase.FIXED))
    return (
        intervals(report),
        *(of_sweep if report.summary.sweeps else of_others),
        *adapter_costs(report),
        totals(report),
        *absent(report, tuple(METRICS)),
        DASHES,
        servers(report),
        versions(report),
        driver(report),
        machine(report.manifest.machine),
    )


def _measured_in(phase: Phase) -> str:
    """Names the figures of the Groups' tables that come from a phase, as a sentence begins."""
    rows = [METRICS[name] for name in METRICS.shown_in(Place.GROUP_TABLE)]
    named = listed([row.short for row in rows if row.phase is phase])
    return named[:1].upper() + named[1:]


def adapter_costs(report: Report) -> tuple[str, ...]:
    """Says what each Adapter costs a request, with its interval: measured on raw, and no framework's."""
    unit = METRICS[CPU].unit.behind
    return tuple(
        f"The adapter {of.adapter} on {of.server} costs {number(of.cost.point)}{unit} of CPU a request "
        f"({interval(of.cost)}), measured on raw, beside what the framework costs."
        for of in report.summary.adapter_costs
    )


def intervals(report: Report) -> str:
    """Says what the intervals are, and n."""
    n = report.summary.totals.rounds
    if n < 3:
        return f"Points over n = {n} rounds ({NO_INTERVAL})."
    return f"95 % intervals over n = {n} rounds, each with fresh processes."


def _of_totals(report: Report) -> str:
    totals = intervals(report).replace("intervals", "intervals of the totals, below the bars,", 1)
    return f"{totals} Totals are geometric means and parts mean differences, so the parts add up only nearly."


def _merged(report: Report) -> str:
    n = report.summary.totals.rounds
    return f"All answers of n = {n} rounds together, no intervals; a curve ends where too few lie beyond."


def _against_load(report: Report) -> str:
    return f"{intervals(report)} Bars: the intervals. Star: the knee. Hollow: can't be trusted."


def _p50_and_p99(report: Report) -> str:
    n = report.summary.totals.rounds
    latest = "A triangle at the top: overloaded from here on, and latency without bound."
    return (
        f"Thick: p99. Thin: p50. Means over n = {n} rounds. {latest} Beside a name: the highest load within the line."
    )


def _single(report: Report) -> str:
    return f"One point a slice, n = {report.summary.totals.rounds} rounds; a line joins the slices of a round."


def load(report: Report, phase: Phase) -> str:
    """Says which load a phase had, and for how long."""
    experiment = report.manifest.experiment
    preset = experiment.preset
    if phase is Phase.SWEEP and experiment.sweep:
        longer = " (longer for low rates)" if experiment.sweep.loads[0].rate_rps else ""
        return (
            f"{listed_loads(experiment.sweep.loads)}; a slice of {preset.window_s:g} s{longer} a Lane, load and round."
        )
    slices = preset.fixed_slices if phase is Phase.FIXED else preset.saturated_slices
    said = _open(report) if phase is Phase.FIXED else f"{Closed(experiment.load.users)}, saturating"
    return f"{said}; {_plural(slices, 'slice')} of {preset.window_s:g} s a Lane and round."


def servers(report: Report) -> str:
    """Says which servers ran, with versions, and the settings that they had in common."""
    found = {lane.server.name: lane.server for lane in report.manifest.experiment.lanes}
    named = ", ".join(_server(report, server) for server in found.values())
    serving = report.manifest.experiment.serving
    settings = f"workers {serving.workers}, threads {serving.threads}, keep-alive {serving.keep_alive_s} s"
    return f"Servers: {named}; all with {settings}."


def versions(report: Report) -> str:
    """Says the versions of the frameworks, the adapters and Python."""
    lanes = report.manifest.experiment.lanes
    frameworks = [(lane.app.title, lane.app.package) for lane in lanes if lane.app.package]
    adapters = [(package, package) for lane in lanes if lane.adapter for package in lane.adapter.packages]
    if not report.manifest.lanes:
        return "Versions: unknown, as no Lane came up."
    said = [_versioned(report, title, package) for title, package in _each(frameworks + adapters)]
    python = " / ".join(_each(facts.python for facts in report.manifest.lanes))
    return one_line(f"Versions: {', '.join([*said, f'Python {python}'])}.")


def driver(report: Report) -> str:
    """Says what generated the load, and when latencies end where it is not as in the runs of today."""
    named = [f"{name} {version}" for name, version in sorted(report.manifest.driver_versions.items())]
    return one_line(
        f"Load driver: {', '.join(named) or 'versions unknown'}. {LATENCY_ENDS[report.manifest.latency_end]}"
    )


def failed(failure: Failure) -> str:
    """Says which Lane failed, where and why."""
    return one_line(f"{failure.lane} failed at {failure.stage} in round {failure.round + 1}: {said(failure.reason)}")


def machine(described: Machine) -> str:
    """Describes the machine, and which cores were whose."""
    cores = (
        f"servers on core {_cores(described.server_cores)}, driver on core {_cores(described.driver_cores)}"
        if described.pinned
        else "cores NOT PINNED"
    )
    memory = "an unknown memory" if described.memory_gib is None else f"{described.memory_gib:g} GiB"
    return one_line(
        f"Machine: {described.cpu}, {_plural(described.cores, 'core')}, {memory}, {described.system}; {cores}."
    )


def provenance(report: Report) -> str:
    """Says which bench made the run, of which project, when, and how to do it again."""
    manifest = report.manifest
    bench = f" at commit {manifest.bench_revision}" if manifest.bench_revision else ""
    project = f"project at commit {manifest.project_revision}, " if manifest.project_revision else ""
    experiment = manifest.experiment
    return one_line(
        f"bench {manifest.bench_version}{bench}, {project}run {manifest.run_id}, {manifest.started_utc}, "
        f"preset {experiment.preset_name}, seed {experiment.seed}."
    )


def totals(report: Report) -> str:
    """Says how much was measured, and how busy the driver was."""
    whole = report.summary.totals
    busy = whole.driver_cpu_share
    driver_said = "" if busy is None else f" The driver was busy for {100 * busy:.0f} % of it."
    if whole.repeated:
        slices = f"{_plural(whole.repeated, 'slice')} {_were(whole.repeated)}"
        driver_said += f" {slices} discarded because of other work on this machine, and measured again."
    if whole.not_repeated:
        slices = _plural(whole.not_repeated, "disturbed slice")
        driver_said += f" No repeats were left for {slices}, counted all the same."
    return (
        f"{whole.requests:,} right answers, {_plural(whole.errors, 'error')} and {whole.dropped:,} dropped requests "
        f"in {number(whole.measured_s)} s of measured windows ({number(whole.wall_s)} s of rounds).{driver_said}"
    )


def absent(report: Report, metrics: Sequence[str]) -> tuple[str, ...]:
    """Says why some of these metrics are absent, or of fewer rounds; those of a footprint stand below its table."""
    lanes = {lane.lane: lane for lane in report.summary.lanes if not lane.twin}
    return missing.sentences(lanes, [metric for metric in metrics if metric not in at_starts()])


def proofs(report: Report) -> tuple[Proof, ...]:
    """Returns the proof of every Lane that came up."""
    lanes = {lane.name: lane for lane in report.manifest.experiment.lanes}
    return tuple(_proof(facts, lanes[facts.lane]) for facts in report.manifest.lanes)


def _proof(facts: LaneFacts, lane: Lane) -> Proof:
    packages = [lane.app.package, *lane.server.packages, *(lane.adapter.packages if lane.adapter else ())]
    main = [f"{package} {facts.versions[package]}" for package in packages if package in facts.versions]
    headers = [f"{name}: {value}" for name, value in facts.response_headers]
    return Proof(
        lane=facts.lane,
        python=facts.python,
        workers=facts.workers,
        command=one_line(shlex.join(facts.command)),
        environment=one_line(shlex.join(f"{name}={value}" for name, value in sorted(facts.environment.items()))),
        main_versions=", ".join(main),
        all_versions=", ".join(f"{name} {version}" for name, version in sorted(facts.versions.items())),
        answer=one_line("; ".join([str(facts.response_status), *headers, f"body {facts.response_body!r}"])),
    )


def _open(report: Report) -> str:
    rate = report.summary.totals.fixed_rate_rps
    if rate is None:
        return "open, but no rate was found"
    return f"{Open(rate)} for every Lane, {_of_slowest(report, rate)}"


def _of_slowest(report: Report, rate_rps: float) -> str:
    """Says how high the rate is: a share of what the run measured, as the warm-up that set it was short."""
    served_rps = [lane.metrics[THROUGHPUT].point for lane in report.summary.lanes if _served_at_rate(lane)]
    if lowest_rps := min(served_rps, default=0.0):
        return f"{100 * rate_rps / lowest_rps:.0f} % of the lowest valid throughput of this run"
    return f"{100 * report.manifest.experiment.load.rate_share:g} % of what the slowest served in its warm-up"


def _served_at_rate(lane: LaneSummary) -> bool:
    """Returns whether the rate was offered to a Lane whose saturated throughput can be trusted."""
    trusted = THROUGHPUT in lane.metrics and validity.of_metric(lane.cells, THROUGHPUT).status is Status.VALID
    return trusted and any(cell.phase is Phase.FIXED for cell in lane.cells)


def _server(report: Report, server: Server) -> str:
    packages = [_versioned(report, package, package) for package in server.packages]
    return f"{server.name} ({', '.join(packages)})" if packages else server.name


def _versioned(report: Report, title: str, package: str) -> str:
    """Returns a title with its package's version; all of them where Lanes differ, none where it is unknown."""
    found = (facts.versions.get(package.lower()) for facts in report.manifest.lanes)
    return f"{title} {' / '.join(_each(version for version in found if version))}".strip()


def _failed_lanes(report: Report) -> str:
    return listed(_each(failure.lane for failure in report.summary.failures))


def _each(values: Iterable[_Value]) -> list[_Value]:
    """Returns every value once, in order."""
    return list(dict.fromkeys(values))


def _cores(cores: Iterable[int]) -> str:
    return listed([str(core) for core in cores])


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _footprint(report: Report) -> str:
    return " ".join((*described(report), f"Under load: {intervals(report)}"))


_CHARTS = {
    "throughput": (intervals, Phase.SATURATED),
    "latency": (_merged, Phase.FIXED),
    "cpu": (_of_totals, Phase.SATURATED),
    "throughput_over_time": (_single, Phase.SATURATED),
    "footprint": (_footprint, Phase.SATURATED),
    "sweep_throughput": (_against_load, Phase.SWEEP),
    "sweep_latency": (_p50_and_p99, Phase.SWEEP),
}
"""What a chart's points are, and the phase that they come from."""
