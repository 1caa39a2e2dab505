"""The registry of metrics: a row for each, with all that is known of it.

Units, titles, tables, exports, validity, gates and the JSON Schema are derived from these rows.

A new metric is its source (what records it), its fold (``analysis/folds.py``, for what comes from slices) and its row
here. Nothing has a default that could be wrong: a name without a row is a KeyError.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from bench.model import suggest
from bench.model.load import Phase


class Source(StrEnum):
    """Where the values of a metric come from."""

    SLICES = "slices"
    """A fold over a Lane's slices of one Round."""
    DIFFERENCE = "difference"
    """A Lane's metric minus raw's, by Round."""
    COLD_START = "cold start"
    """A fresh start of the Lane's server, up to its first right answer."""
    IMPORT = "import"
    """An import of the App in a fresh interpreter."""
    ADDED_WORKER = "added worker"
    """Servers with a few workers, and with one more."""
    AT_REST = "at rest"
    """Files as they lie there."""
    INSTRUCTIONS = "instructions"
    """A count under callgrind."""


STARTS = (Source.COLD_START, Source.IMPORT, Source.ADDED_WORKER)
"""What takes fresh processes."""
OBSERVED = (*STARTS, Source.AT_REST, Source.INSTRUCTIONS)
"""What is measured outside slices."""


class Unit(StrEnum):
    """The unit of a metric, as it is stored."""

    REQUESTS_PER_S = "requests/s"
    US = "us"
    MS = "ms"
    MIB = "MiB"
    BYTES = "bytes"
    LINES = "lines"
    PACKAGES = "packages"
    INSTRUCTIONS = "instructions"
    ERROR_RATIO = "errors/answers"

    @property
    def shown(self) -> str:
        """Returns it as a reader sees it."""
        return {Unit.US: "µs", Unit.ERROR_RATIO: "% of requests"}.get(self, str(self))


class Better(StrEnum):
    """Which way is better."""

    LOWER = "lower"
    HIGHER = "higher"


class Average(StrEnum):
    """What the point of a metric's Estimate is."""

    GEOMETRIC = "geometric mean"
    """Over Rounds, of positive values."""
    ARITHMETIC = "arithmetic mean"
    """Over Rounds, of values that may be 0 or negative."""
    MEDIAN = "median"
    """Of independent values, such as fresh starts."""
    COUNT = "count"
    """A number that is the same each time: the median, between the lowest and the highest."""


class Place(StrEnum):
    """A part of the report that has a metric; the table of every metric has them all."""

    GROUP_TABLE = "group table"
    FOOTPRINT = "footprint"


class Gate(Struct, frozen=True, kw_only=True):
    """How a metric is judged when versions or runs are compared. ``rank`` orders metrics, the most precise first.

    ``phase`` is that of its slices in `bench compare`, None for what is counted. One that ``steers`` has to be precise
    before a comparison ends. One that is ``relative`` is compared between stored runs divided by raw's in the same run.
    """

    rank: int
    phase: Phase | None
    steers: bool = False
    relative: bool = False


class Metric(Struct, frozen=True, kw_only=True):
    """All that is known of one metric.

    - ``title`` says it in full, ``short`` where there is little room, ``column`` in the head of a table.
    - ``phase`` is the one whose cell it stands under; None for what comes from all slices, or from none.
    - ``counter`` is the field of a slice without which it is unknown; ``needs_answers`` is False for what needs no
      right answer, such as memory.
    - A percentile has its ``percentile`` (0 to 100), its ``histogram`` (a field of a slice), and its ``family``: what
      all percentiles of that histogram are called.
    - ``noise_floor``: a Lane's twin tells how far it differs by chance.
    - ``unsteady_from``: Lanes whose Rounds differ by more (standard deviation of logarithms) are unstable in its phase.
    - ``places`` are where it is shown, beside the table of every metric.
    """

    name: str
    title: str
    short: str
    column: str
    unit: Unit
    better: Better
    source: Source
    average: Average
    phase: Phase | None = None
    counter: str | None = None
    needs_answers: bool = True
    family: str | None = None
    histogram: str | None = None
    percentile: float | None = None
    noise_floor: bool = False
    unsteady_from: float | None = None
    places: frozenset[Place] = frozenset()
    gate: Gate | None = None

    @property
    def is_observed(self) -> bool:
        """Returns whether it is measured outside slices."""
        return self.source in OBSERVED


class Registry(Mapping[str, Metric]):
    """The rows by their names, in the order in which reports have them."""

    def __init__(self, *rows: Metric) -> None:
        self._rows = {row.name: row for row in rows}
        assert len(self._rows) == len(rows), "two metrics have one name"

    def __getitem__(self, name: str) -> Metric:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def require(self, name: str) -> Metric:
        """Returns the row of a metric that a file names. Raises ValueError, which has no file in it, without one."""
        if name not in self:
            meant = suggest.closest(name, self)
            such_as = f", such as {meant!r}" if meant else ""
            raise ValueError(f"found the metric {name!r}, expected one that this bench has{such_as}")
        return self[name]

    def from_sources(self, *sources: Source) -> tuple[Metric, ...]:
        """Returns the metrics that come from these."""
        return tuple(row for row in self.values() if row.source in sources)

    def shown_in(self, place: Place) -> tuple[str, ...]:
        """Returns the names of the metrics that a part of the report has."""
        return tuple(row.name for row in self.values() if place in row.places)

    def gated(self) -> tuple[Metric, ...]:
        """Returns the metrics that versions are compared by, the most precise first."""
        gates = [(row.gate.rank, row) for row in self.values() if row.gate]
        return tuple(row for _, row in sorted(gates, key=lambda gate: gate[0]))

    def relative(self) -> tuple[str, ...]:
        """Returns the names of those that stored runs are compared by, relative to raw; the most precise first."""
        return tuple(row.name for row in self.gated() if row.gate and row.gate.relative)

    def histograms(self) -> dict[str, tuple[Phase, str]]:
        """Returns by family the phase and the field of a slice that its percentiles come from."""
        return {
            row.family: (row.phase, row.histogram)
            for row in self.values()
            if row.family and row.phase and row.histogram
        }


PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}
"""Of 100, by their names; "p999" is written p99.9."""

THROUGHPUT = "throughput_rps"
CPU = "cpu_us_per_request"
OWN_COST = "own_cost_us_per_request"
INSTRUCTIONS = "instructions_per_request"
MEDIAN_LATENCY = "latency_fixed_p50_ms"
CODE_LINES = "code_lines"
PSS = "pss_mib"

LARGE_SPREAD = 0.25
"""Standard deviation between rounds, of logarithms. Above it, six rounds leave ±30 % of doubt about a mean ..."""
LARGE_LATENCY_SPREAD = 0.5
"""... and twice that about a latency, as a queue multiplies what disturbs a throughput."""


def _percentiles(family: str, title: str, short: str, phase: Phase, histogram: str) -> list[Metric]:
    return [_percentile(family, title, short, phase, histogram, name) for name in PERCENTILES]


def _percentile(family: str, title: str, short: str, phase: Phase, histogram: str, percentile: str) -> Metric:
    written = "p99.9" if percentile == "p999" else percentile
    name = f"{family}_{percentile}_ms"
    gates = {
        MEDIAN_LATENCY: Gate(rank=3, phase=Phase.FIXED, steers=True, relative=True),
        "latency_fixed_p99_ms": Gate(rank=4, phase=Phase.FIXED),
    }
    return Metric(
        name=name,
        title=f"{title}, {written}",
        short=f"{short} {written}",
        column=f"{written} ms",
        unit=Unit.MS,
        better=Better.LOWER,
        source=Source.SLICES,
        average=Average.GEOMETRIC,
        phase=phase,
        family=family,
        histogram=histogram,
        percentile=PERCENTILES[percentile],
        noise_floor=name == MEDIAN_LATENCY,
        unsteady_from=LARGE_LATENCY_SPREAD if name == MEDIAN_LATENCY else None,
        places=frozenset({Place.GROUP_TABLE}) if name in gates else frozenset(),
        gate=gates.get(name),
    )


def _footprint(name: str, title: str, column: str, unit: Unit, source: Source, average: Average) -> Metric:
    return Metric(
        name=name,
        title=title,
        short=title,
        column=column,
        unit=unit,
        better=Better.LOWER,
        source=source,
        average=average,
        places=frozenset({Place.FOOTPRINT}),
    )


METRICS = Registry(
    Metric(
        name=THROUGHPUT,
        title="throughput, saturated",
        short="throughput",
        column="req/s",
        unit=Unit.REQUESTS_PER_S,
        better=Better.HIGHER,
        source=Source.SLICES,
        average=Average.GEOMETRIC,
        phase=Phase.SATURATED,
        noise_floor=True,
        unsteady_from=LARGE_SPREAD,
        places=frozenset({Place.GROUP_TABLE}),
        gate=Gate(rank=2, phase=Phase.SATURATED, steers=True, relative=True),
    ),
    *_percentiles(
        "latency_fixed",
        "latency at the fixed rate, from the intended start",
        "latency",
        Phase.FIXED,
        "latency_from_intended_us",
    ),
    *_percentiles(
        "service_fixed", "service time at the fixed rate, from sending", "service time", Phase.FIXED, "latency_us"
    ),
    *_percentiles("latency_saturated", "latency under saturation", "saturated latency", Phase.SATURATED, "latency_us"),
    Metric(
        name=CPU,
        title="server CPU time per request",
        short="CPU time per request",
        column="CPU µs/req",
        unit=Unit.US,
        better=Better.LOWER,
        source=Source.SLICES,
        average=Average.GEOMETRIC,
        phase=Phase.SATURATED,
        counter="server_cpu_ns",
        noise_floor=True,
        places=frozenset({Place.GROUP_TABLE}),
        gate=Gate(rank=1, phase=Phase.DUET, steers=True, relative=True),
    ),
    Metric(
        name=OWN_COST,
        title="own cost: CPU time per request above raw's, same server and adapter",
        short="own cost",
        column="own cost µs",
        unit=Unit.US,
        better=Better.LOWER,
        source=Source.DIFFERENCE,
        average=Average.ARITHMETIC,
        phase=Phase.SATURATED,
        places=frozenset({Place.GROUP_TABLE}),
    ),
    Metric(
        name="rss_mib",
        title="resident memory",
        short="resident memory",
        column="RSS MiB",
        unit=Unit.MIB,
        better=Better.LOWER,
        source=Source.SLICES,
        average=Average.GEOMETRIC,
        counter="server_rss_bytes",
        needs_answers=False,
    ),
    _footprint(
        "first_response_ms", "time to the first response", "first ms", Unit.MS, Source.COLD_START, Average.MEDIAN
    ),
    _footprint("import_ms", "import time", "import ms", Unit.MS, Source.IMPORT, Average.MEDIAN),
    _footprint("idle_pss_mib", "idle memory", "idle MiB", Unit.MIB, Source.COLD_START, Average.MEDIAN),
    _footprint(
        "pss_per_worker_mib",
        "memory of an added worker",
        "+worker MiB",
        Unit.MIB,
        Source.ADDED_WORKER,
        Average.MEDIAN,
    ),
    Metric(
        name=PSS,
        title="memory under load",
        short="memory under load",
        column="load MiB",
        unit=Unit.MIB,
        better=Better.LOWER,
        source=Source.SLICES,
        average=Average.GEOMETRIC,
        counter="server_pss_bytes",
        needs_answers=False,
        places=frozenset({Place.FOOTPRINT}),
    ),
    _footprint(CODE_LINES, "code", "code lines", Unit.LINES, Source.AT_REST, Average.COUNT),
    _footprint("packages", "installed packages", "pkgs", Unit.PACKAGES, Source.AT_REST, Average.COUNT),
    _footprint("installed_mib", "installed size", "disk MiB", Unit.MIB, Source.AT_REST, Average.COUNT),
    _footprint("response_bytes", "response, head and body", "wire bytes", Unit.BYTES, Source.COLD_START, Average.COUNT),
    Metric(
        name=INSTRUCTIONS,
        title="instructions per request",
        short="instructions per request",
        column="instr/req",
        unit=Unit.INSTRUCTIONS,
        better=Better.LOWER,
        source=Source.INSTRUCTIONS,
        average=Average.COUNT,
        gate=Gate(rank=0, phase=None),
    ),
    Metric(
        name="error_ratio",
        title="wrong or missing answers",
        short="errors",
        column="errors",
        unit=Unit.ERROR_RATIO,
        better=Better.LOWER,
        source=Source.SLICES,
        average=Average.ARITHMETIC,
    ),
)
"""Every metric, in the order of its appearance in reports."""
