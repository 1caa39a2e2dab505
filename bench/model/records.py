"""What a run leaves behind: manifest, slice records, failures, and the summary that is made from them. No I/O."""

from enum import StrEnum

from msgspec import Struct, field

from bench.model.experiment import Experiment
from bench.model.load import Load, Phase
from bench.model.metrics import METRICS
from bench.model.protocol import SliceResult
from bench.model.reason import Reason


class SliceRecord(SliceResult, frozen=True, kw_only=True):
    """One row of the tidy table: one Lane in one Slice of one Round, with what the driver and the kernel saw of it.

    ``requests_in_slice`` and the CPU and run-queue times cover the whole slice with its settle (``slice_s``), so that
    one divides by the other without an error at the edges. A value of None is not known, and ``unknown`` says why, by
    field; under ``requests`` it says why there is no right answer in the window. All times are of the monotonic clock;
    ``clock_step_s`` is how far the wall clock moved against it.

    ``discarded`` is why a slice does not count; the slice whose ``repeat_of`` is its index replaces it.
    ``not_repeated`` is why a slice should have been discarded that counts as it is: it is a warm-up, or its Round had
    no repeats left.
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

    ``value`` is in the metric's unit, or None with its ``reason``. A value of a ``part``, such as the lines of
    one file, stands beside that of the whole.
    """

    lane: str
    metric: str
    value: float | None
    reason: Reason | None = None
    part: str | None = None

    def __post_init__(self) -> None:
        """Refuses a metric without a row; of a stored one msgspec says where it stands."""
        if not METRICS.require(self.metric).is_observed:
            raise ValueError(f"found the metric {self.metric!r}, expected one that is measured outside slices")
        if self.value is not None and self.value < 0:
            raise ValueError(f"found {self.value:g} of {self.metric}, expected 0 or more")


class Stage(StrEnum):
    """Where a Lane failed."""

    ENVIRONMENT = "environment"
    START = "start"
    VERIFICATION = "verification"
    LOAD = "load"


class Failure(Struct, frozen=True, kw_only=True):
    """A Lane that could not be measured: left out from this Round on; ``log_tail`` is what its own log said last."""

    lane: str
    round: int
    stage: Stage
    reason: Reason
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
    tell: those of two runs can be compared where it is the same. ``irremovable_differences`` are those between the
    answers of Lanes that no setting removes.
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
    irremovable_differences: tuple[Reason, ...]
