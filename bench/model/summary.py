"""What is derived from a run's records: ``summary.json``, and what reports are made of. No I/O."""

from msgspec import Struct

from bench.model.estimate import Estimate, Validity
from bench.model.load import Load, Phase
from bench.model.reason import Reason
from bench.model.records import Failure, Manifest
from bench.model.sweep import LaneSweep


class Cell(Struct, frozen=True):
    """One Lane under one phase's Load: what can be trusted or not as a whole."""

    phase: Phase
    validity: Validity


class LaneSummary(Struct, frozen=True, kw_only=True):
    """All that a run says of one Lane.

    ``validity`` is the worst of its ``cells``. A metric that could not be measured is absent from ``metrics``, and
    ``missing`` says why, unless the run had no such slices at all. ``partial`` says which Rounds are not in a metric's
    mean, or how few values it has, and why.
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
    metric: str
    ratio: Estimate
    difference: float | None


class GroupSummary(Struct, frozen=True, kw_only=True):
    """A Group's standings by saturated throughput, best first, and the pairwise ratios behind them.

    The ratios' intervals hold for all of the Group at once, with 95 %. Of the ``noise_floors``, those of the throughput
    decide about ranks.
    """

    group: str
    title: str
    same_server: bool
    standings: tuple[Standing, ...]
    ratios: tuple[Ratio, ...]
    noise_floors: tuple[NoiseFloor, ...]


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

    ``repeated`` slices were discarded and measured again. ``not_repeated`` ones should have been, but their Round had
    no repeats left: they count.
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

    Latencies are in ms; a percentile is absent if too few answers lie beyond it. ``latency_ms`` is from sending to the
    whole answer. For an open load ``latency_from_intended_ms`` counts from when the request was due, and
    ``send_lateness_ms`` is how late the driver sent it. ``driver_cpu_share`` is of one core: the driver has one thread,
    so near 1 it was the limit. It is not pinned here.
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
