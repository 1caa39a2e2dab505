"""What stands beside every result: intervals, load, servers, versions, machine, and proof of the configuration."""

import shlex
from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct

from bench.messages import Closed, Open
from bench.plan import Phase
from bench.records import LaneFacts, Machine, Report
from bench.report.words import NO_INTERVAL, listed, number, one_line
from bench.spec import Lane, Server

UNPINNED = (
    "NOT PINNED: servers and load driver shared the same cores and took time from each other; "
    "read every number here as a hint."
)
UNKNOWN = "of unknown version"
BASELINE = "raw: the same server with no framework, a ceiling that is not ranked."

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


def notices(report: Report) -> tuple[str, ...]:
    """Returns what a reader must know before any number: not pinned, incomplete, too few rounds."""
    totals = report.summary.totals
    made = f"{totals.rounds} of {totals.rounds_planned} rounds"
    found = (
        (not report.manifest.machine.pinned, UNPINNED),
        (not report.summary.complete, f"INCOMPLETE: {made} were begun, and some of the planned slices are missing."),
        (bool(report.summary.failures), f"FAILED: {_failed_lanes(report)} could not be measured to the end."),
        (totals.rounds < 3, f"n = {totals.rounds} rounds; {NO_INTERVAL}, so nothing is ranked."),
    )
    return tuple(sentence for applies, sentence in found if applies)


def caption(report: Report, *phases: Phase) -> tuple[str, ...]:
    """Returns the sentences under a chart of these phases: intervals and n, load, servers, versions, machine, bench."""
    return (
        f"{intervals(report)} {BASELINE}",
        *(load(report, phase) for phase in phases),
        servers(report),
        versions(report),
        machine(report.manifest.machine),
        provenance(report),
    )


def intervals(report: Report) -> str:
    """Says what the intervals are, and n."""
    n = report.summary.totals.rounds
    if n < 3:
        return f"Points over n = {n} rounds ({NO_INTERVAL})."
    return f"95 % intervals over n = {n} rounds, each with fresh processes."


def load(report: Report, phase: Phase) -> str:
    """Says what load a phase offered, and for how long."""
    experiment = report.manifest.experiment
    preset = experiment.preset
    slices = preset.fixed_slices if phase is Phase.FIXED else preset.saturated_slices
    offered = _open(report) if phase is Phase.FIXED else f"{Closed(experiment.offer.users)}, saturating"
    return f"Load: {offered}; {slices} x {preset.window_s:g} s a lane and round."


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
    said = [f"{title} {_version(report, package)}" for title, package in _each(frameworks + adapters)]
    python = " / ".join(_each(facts.python for facts in report.manifest.lanes)) or UNKNOWN
    return one_line(f"Versions: {', '.join([*said, f'Python {python}'])}.")


def machine(described: Machine) -> str:
    """Describes the machine, and which cores were whose."""
    cores = (
        f"servers on core {_cores(described.server_cores)}, driver on core {_cores(described.driver_cores)}"
        if described.pinned
        else "cores NOT PINNED"
    )
    memory = f"{described.memory_gib:g} GiB"
    return one_line(
        f"Machine: {described.cpu}, {_plural(described.cores, 'core')}, {memory}, {described.system}; {cores}."
    )


def provenance(report: Report) -> str:
    """Says which bench made the run, when, and how to do it again."""
    manifest = report.manifest
    revision = f" ({manifest.git_revision[:12]})" if manifest.git_revision else ""
    experiment = manifest.experiment
    return one_line(
        f"bench {manifest.bench_version}{revision}, run {manifest.run_id}, {manifest.started_utc}, "
        f"preset {experiment.preset_name}, seed {experiment.seed}."
    )


def totals(report: Report) -> str:
    """Says how much was measured, and how busy the driver was."""
    whole = report.summary.totals
    driver = (
        "" if whole.driver_cpu_share is None else f" The driver was busy for {whole.driver_cpu_share:.0%} of it."
    )
    return (
        f"{whole.requests:,} right answers, {_plural(whole.errors, 'error')} and {whole.missed:,} missed sends "
        f"in {number(whole.measured_s)} s of measured windows ({number(whole.wall_s)} s in all).{driver}"
    )


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
    of_slowest = 100 * report.manifest.experiment.offer.rate_share
    return f"{Open(rate)} for every lane, {of_slowest:g} % of what the slowest served"


def _server(report: Report, server: Server) -> str:
    packages = [f"{package} {_version(report, package)}" for package in server.packages]
    return f"{server.name} ({', '.join(packages)})" if packages else server.name


def _version(report: Report, package: str) -> str:
    """Returns a package's version; all of them where Lanes differ."""
    found = (facts.versions.get(package.lower()) for facts in report.manifest.lanes)
    return " / ".join(_each(version for version in found if version)) or UNKNOWN


def _failed_lanes(report: Report) -> str:
    return listed(_each(failure.lane for failure in report.summary.failures))


def _each(values: Iterable[_Value]) -> list[_Value]:
    """Returns every value once, in order."""
    return list(dict.fromkeys(values))


def _cores(cores: Iterable[int]) -> str:
    return listed([str(core) for core in cores])


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
