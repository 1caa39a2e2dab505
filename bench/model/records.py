"""What a run leaves behind: manifest, slice records, failures, and the summary that is made from them. No I/O."""

from enum import StrEnum

from msgspec import Struct, field

from bench.model.estimate import Estimate as Estimate  # noqa: PLC0414 - found here with all else that is recorded
from bench.model.estimate import Status as Status  # noqa: PLC0414 - found here with all else that is recorded
from bench.model.estimate import Validity as Validity  # noqa: PLC0414 - found here with all else that is recorded
from bench.model.experiment import Experiment
from bench.model.load import Load, Phase
from bench.model.metrics import THROUGHPUT
from bench.model.protocol import SliceResult
from bench.model.reason import Reason
from bench.model.sweep import LaneSweep


class SliceRecord(SliceResult, frozen=True, kw_only=True):
    """One row of the tidy table: one Lane in one Slice of one Round, with what the driver and the kernel saw of it.

    ``requests_in_slice`` and the CPU and run-queue times cover the whole slice with its settle (``slice_s``), so that
    one divides by the other without an error at the edges. None means that a value is not known, and ``unknown`` says
    why, by field; under ``requests`` it says why there is no right answer in the window. ``clock_step_s`` is how far
    the wall clock moved against the monotonic one, which all times are of. ``discarded`` is why a slice does not count
    and was measured again, by the one whose ``repeat_of`` is its index. ``not_repeated`` is what would have discarded a
    slice that counts as it is: a warm-up is not repeated, and any other is not where its Round's repeats are used up.
    """

    round: int
    slice: int
    lane: str
    phase: Phase
    load: Load
    at_s: float
    slice_s: float
    server_cpu_ns: int | None
    server_run_queue_ns: int | None
    server_rss_bytes: int | None
    server_pss_bytes: int | None
    driver_cpu_ns: int | None
    driver_run_queue_ns: int | None
    steal_s: float | None
    clock_step_s: float | None
    unknown: dict[str, Reason] = field(default_factory=dict)
    discarded: Reason | None = None
    repeat_of: int | None = None
    not_repeated: Reason | None = None


class Observation(Struct, frozen=True, kw_only=True):
    """One value that was measured of a Lane outside slices: of its footprint, or its instructions per request.

    ``value`` is in the metric's unit, or None with its ``reason``; that of a ``part`` stands beside that of the whole.
    """

    lane: str
    metric: str
    value: float | None
    reason: Reason | None = None
    part: str | None = None


class Stage(StrEnum):
    """Where a Lane failed."""

    ENVIRONMENT = "environment"
    START = "start"
    VERIFICATION = "verification"
    LOAD = "load"


class Failure(Struct, frozen=True, kw_only=True):
    """A Lane that could not be measured: left out from this Round on, with what its own log said last."""

    lane: str
    round: int
    stage: Stage
    reason: str
    log_tail: str


class Machine(Struct, frozen=True, kw_only=True):
    """The machine of a run. ``pinned`` is False where servers and driver share cores: every result then says so."""

    cpu: str
    cores: int
    memory_gib: float | None
    system: str
    python: str
    server_cores: tuple[int, ...]
    driver_cores: tuple[int, ...]

    @property
    def pinned(self) -> bool:
        """Returns whether servers and driver had cores of their own."""
        return bool(self.server_cores)


class LaneFacts(Struct, frozen=True, kw_only=True):
    """What a Lane effectively ran with in the first round, read from its processes, its environment and its answer.

    Paths are relative to the project's folder; bench's own are written ``{serverside}``.
    """

    lane: str
    port: int
    command: tuple[str, ...]
    environment: dict[str, str]
    python: str
    versions: dict[str, str]
    workers: int
    response_status: int
    response_headers: tuple[tuple[str, str], ...]
    response_body: str


class LatencyEnd(StrEnum):
    """When an answer is there, by the definition of the format that its latency was measured in."""

    RECEIVED = "received"
    """When the kernel took it in, as far as it tells."""
    READ = "read"
    """When the driver read it, which is 0.05 to 0.15 ms later."""


class Manifest(Struct, frozen=True, kw_only=True):
    """What a run was made from: enough to judge it, and to do it again.

    Revisions are commits, with ``+`` where something was not committed. ``bench_revision`` is that of bench's own
    checkout, or the one that an installed bench was built from; ``project_revision`` is that of the project. Each is
    None where it is unknown, as outside of git. ``latency_end`` is when latencies end, None where the format does not
    tell: those of two runs can be compared where it is the same.
    """

    format_version: int
    run_id: str
    started_utc: str
    bench_version: str
    bench_revision: str | None
    project_revision: str | None
    experiment: Experiment
    machine: Machine
    driver_versions: dict[str, str]
    latency_end: LatencyEnd | None
    lanes: tuple[LaneFacts, ...]
    irremovable_differences: tuple[str, ...]


class Cell(Struct, frozen=True):
    """One Lane under one phase's Load: what can be trusted or not as a whole."""

    phase: Phase
    validity: Validity


class LaneSummary(Struct, frozen=True, kw_only=True):
    """All that a run says of one Lane.

    ``validity`` is the worst of its ``cells``. A metric that could not be measured is absent from ``metrics``, and
    ``missing`` says why where there is more to say than that the run had no such slices. ``partial`` says of metrics
    which Rounds are not in their mean, or of how many values they are, and why.
    """

    lane: str
    app: str
    title: str
    server: str
    adapter: str | None
    raw: bool
    twin: bool
    groups: tuple[str, ...]
    metrics: dict[str, Estimate]
    missing: dict[str, Reason]
    cells: tuple[Cell, ...]
    validity: Validity
    code_lines_by_file: dict[str, int] = {}
    partial: dict[str, tuple[Reason, ...]] = {}


class Standing(Struct, frozen=True, kw_only=True):
    """A Lane's place in a Group. ``rank`` is None where the Lane can't be told apart from those in ``tied_with``."""

    lane: str
    rank: int | None
    tied_with: tuple[str, ...]


class Ratio(Struct, frozen=True, kw_only=True):
    """``lane`` divided by ``other``, paired by round."""

    lane: str
    other: str
    metric: str
    ratio: Estimate


class NoiseFloor(Struct, frozen=True, kw_only=True):
    """How far a Lane differed from its twin, which is the same Lane.

    ``ratio`` is the twin's throughput, or what the ``metric`` is, divided by the Lane's.
    Differences below ``difference`` (0.02 for 2 %) are indistinguishable: it is the end of the ratio's interval that is
    further from 1. None where there is no interval.
    """

    lane: str
    twin: str
    ratio: Estimate
    difference: float | None
    metric: str = THROUGHPUT


class GroupSummary(Struct, frozen=True, kw_only=True):
    """A Group's standings by saturated throughput, best first, and the pairwise ratios behind them.

    The ratios' intervals hold for all of the Group at once, with 95 %. ``noise_floors`` are of the throughput, which
    decides about ranks, ``other_noise_floors`` of CPU time per request and the median latency.
    """

    group: str
    title: str
    same_server: bool
    standings: tuple[Standing, ...]
    ratios: tuple[Ratio, ...]
    noise_floors: tuple[NoiseFloor, ...]
    other_noise_floors: tuple[NoiseFloor, ...] = ()


class CpuSplit(Struct, frozen=True, kw_only=True):
    """A Lane's CPU time per request, in us, as raw + adapter + framework. ``adapter`` is None where there is none."""

    lane: str
    raw: Estimate
    adapter: Estimate | None
    framework: Estimate


class AdapterCost(Struct, frozen=True, kw_only=True):
    """What an Adapter adds to the CPU time of a request on a Server, in us: raw behind it minus raw, by Round."""

    adapter: str
    server: str
    cost: Estimate


class RunTotals(Struct, frozen=True, kw_only=True):
    """The run as a whole: ``requests`` and ``dropped`` of the measured slices, ``errors`` of the warm-up too.

    ``repeated`` slices were discarded and measured again; ``not_repeated`` ones would have been, but their Round had no
    repeats left, so they count.
    """

    rounds: int
    rounds_planned: int
    wall_s: float
    measured_s: float
    requests: int
    errors: int
    dropped: int
    repeated: int
    fixed_rate_rps: float | None
    driver_cpu_share: float | None
    not_repeated: int = 0


class Summary(Struct, frozen=True, kw_only=True):
    """``summary.json``: everything that is derived from a run's records.

    ``pinned`` is False where servers and driver shared cores. ``lacking`` says what a run that is not ``complete``
    lacks.
    """

    format_version: int
    run_id: str
    complete: bool
    pinned: bool
    totals: RunTotals
    lanes: tuple[LaneSummary, ...]
    groups: tuple[GroupSummary, ...]
    cpu_splits: tuple[CpuSplit, ...]
    failures: tuple[Failure, ...]
    sweeps: tuple[LaneSweep, ...] = ()
    lacking: tuple[Reason, ...] = ()
    adapter_costs: tuple[AdapterCost, ...] = ()


class LoadResult(Struct, frozen=True, kw_only=True):
    """What `bench load` found: one load against one URL.

    Latencies are in ms; a percentile that too few answers lie beyond is absent. ``latency_ms`` is from sending to the
    whole answer; for an open load ``latency_from_intended_ms`` counts from when the request was due, and
    ``send_lateness_ms`` is how late the driver sent it. ``driver_cpu_share`` is of one core: the driver has one thread,
    so near 1 it was the limit. It is never pinned.
    """

    url: str
    load: Load
    window_s: float
    requests: int
    throughput_rps: float
    errors: dict[str, int]
    dropped: int
    bytes_received: int
    driver_cpu_share: float | None
    latency_ms: dict[str, float]
    latency_from_intended_ms: dict[str, float] | None
    send_lateness_ms: dict[str, float] | None


class Curve(Struct, frozen=True, kw_only=True):
    """At ``percentiles[i]`` (0 to 100) of all rounds: the latency from the intended start, and the service time."""

    lane: str
    percentiles: tuple[float, ...]
    latencies_ms: tuple[float, ...]
    services_ms: tuple[float, ...]


class Trace(Struct, frozen=True, kw_only=True):
    """Throughput over the run: ``throughput_rps[i]`` in the slice that began ``at_s[i]`` after the run did."""

    lane: str
    at_s: tuple[float, ...]
    throughput_rps: tuple[float, ...]


class Report(Struct, frozen=True, kw_only=True):
    """All that a renderer needs: the manifest, the summary, and what is too long for it.

    ``samples`` has the values behind the Estimates by Lane and metric: one a Round, or one an Observation.
    """

    manifest: Manifest
    summary: Summary
    curves: tuple[Curve, ...]
    traces: tuple[Trace, ...]
    samples: dict[str, dict[str, tuple[float, ...]]] = {}
