"""The registry of metrics: a row for each, with all that is known of it.

Units, titles, tables, exports, validity, gates and the JSON Schema are derived from these rows.

A new metric is its source (what records it), its fold (``analysis/folds.py``, for what its row does not fold whole) and
its row here. Nothing has a default that could be wrong: a name without a row is a KeyError, and the Registry refuses a
row that contradicts itself.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

from msgspec import Struct

from bench.model import suggest
from bench.model.load import Phase


class Source(StrEnum):
    """Where the values of a metric come from."""

    SLICES = "slices"
    """A fold over a Lane's slices of one Round."""
    DIFFERENCE = "difference"
    """A Lane's metric minus raw's, by Round: that of the row's ``difference_of``."""
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
    """The unit of a value, as it is stored."""

    REQUESTS_PER_S = "requests/s"
    US = "us"
    MS = "ms"
    MIB = "MiB"
    BYTES = "bytes"
    LINES = "lines"
    PACKAGES = "packages"
    INSTRUCTIONS = "instructions"
    ERROR_RATIO = "errors/answers"
    RATIO = "ratio"
    LOG_RATIO = "log ratio"
    RATIO_BEYOND_1 = "ratio - 1"

    @property
    def shown(self) -> str:
        """Returns it as a reader sees it."""
        return {Unit.US: "µs", Unit.ERROR_RATIO: "% of requests"}.get(self, str(self))

    @property
    def behind(self) -> str:
        """Returns what stands behind a number: a symbol. A unit in words stands in the head or beside the axis."""
        return f" {self.shown}" if self in (Unit.US, Unit.MS, Unit.MIB) else ""

    @property
    def base(self) -> tuple[str, float] | None:
        """Returns the unit that it is a multiple of, and how many of these it is; None for a quotient."""
        return _BASES[self]

    @property
    def is_whole(self) -> bool:
        """Returns whether it counts things, of which there are no parts."""
        return self.base in ((BYTE, 1), (COUNT, 1))


SECOND, BYTE, COUNT = "second", "byte", "integer"
"""What units are multiples of, as other tools name them, too."""
_BASES: dict[Unit, tuple[str, float] | None] = {
    Unit.REQUESTS_PER_S: None,
    Unit.US: (SECOND, 1e-6),
    Unit.MS: (SECOND, 1e-3),
    Unit.MIB: (BYTE, 2.0**20),
    Unit.BYTES: (BYTE, 1),
    Unit.LINES: (COUNT, 1),
    Unit.PACKAGES: (COUNT, 1),
    Unit.INSTRUCTIONS: (COUNT, 1),
    Unit.ERROR_RATIO: None,
    Unit.RATIO: None,
    Unit.LOG_RATIO: None,
    Unit.RATIO_BEYOND_1: None,
}


class Better(StrEnum):
    """Which way is better."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = ""
    """Of a ratio, it depends on what is divided."""

    @property
    def amount(self) -> str:
        """Returns it as a chart says it: ``less``, ``more``."""
        return {Better.LOWER: "less", Better.HIGHER: "more", Better.NEITHER: ""}[self]


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


class Folding(StrEnum):
    """How a counter of slices becomes a metric, where its row says all of it."""

    PER_REQUEST = "per request"
    """What was counted over all slices, divided by their right answers."""
    MOST = "most"
    """The highest value of any slice."""


class Place(StrEnum):
    """A part of the report that has a metric; the table of every metric has them all."""

    GROUP_TABLE = "group table"
    FOOTPRINT = "footprint"


class Gate(Struct, frozen=True, kw_only=True):
    """How a metric is judged when versions or runs are compared. ``rank`` orders metrics, the most precise first.

    ``phase`` is that of its slices in `bench compare`. It is None for what is counted outside slices, which is the same
    each time: stored runs are compared by the counts as they are, and `bench compare` counts what is of
    ``Source.INSTRUCTIONS``. One that ``steers`` has to be precise before a comparison ends. One that is ``relative`` is
    compared between stored runs divided by raw's in the same run.
    """

    rank: int
    phase: Phase | None
    steers: bool = False
    relative: bool = False


class Metric(Struct, frozen=True, kw_only=True):
    """All that is known of one metric.

    - ``title`` says it in full, ``short`` where there is little room, ``column`` in the head of a table, and ``trend``
      in a table of 80 columns that has a row a metric: None where that is ``short``.
    - ``phase`` is the one whose cell it stands under; None for what comes from all slices, or from none.
    - ``counter`` is the field of a slice without which it is unknown, and ``fields`` are others that its fold uses.
      ``needs_answers`` is False for what needs no right answer, such as memory.
    - ``folding`` says how its counter is folded, and ``divisor`` how many of the counter's unit are one of its own.
      Without them its fold stands in ``analysis/folds.py``.
    - ``difference_of`` is the metric that a difference is of.
    - A percentile has its ``percentile`` (0 to 100), its ``histogram`` (a field of a slice), and its ``family``: what
      all percentiles of that histogram are called.
    - ``noise_floor``: a Lane's twin tells how far it differs by chance.
    - ``unsteady_from``: Lanes whose Rounds differ by more (standard deviation of logarithms) are unstable in its phase.
    - ``places`` are where it is shown, beside the table of every metric.
    - ``note`` is what a reader of the footprint has to know of it, and may be that of others, too. ``{n}`` in it is how
      many fresh starts the medians are of.
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
    fields: tuple[str, ...] = ()
    needs_answers: bool = True
    folding: Folding | None = None
    divisor: int = 1
    difference_of: str | None = None
    family: str | None = None
    histogram: str | None = None
    percentile: float | None = None
    noise_floor: bool = False
    unsteady_from: float | None = None
    places: frozenset[Place] = frozenset()
    gate: Gate | None = None
    trend: str | None = None
    note: str | None = None

    @property
    def is_observed(self) -> bool:
        """Returns whether it is measured outside slices."""
        return self.source in OBSERVED

    @property
    def is_counted(self) -> bool:
        """Returns whether versions are compared by a count of it, and not by Rounds."""
        return self.gate is not None and self.gate.phase is None

    @property
    def recorded(self) -> frozenset[str]:
        """Returns the fields of a slice that it is made of."""
        divided_by = "requests_in_slice" if self.folding is Folding.PER_REQUEST else None
        return frozenset(name for name in (self.counter, divided_by, self.histogram, *self.fields) if name)


class Registry(Mapping[str, Metric]):
    """The rows by their names, in the order in which reports have them.

    It refuses with ValueError a row that contradicts itself, or a gate that nothing would serve.
    """

    def __init__(self, *rows: Metric) -> None:
        self._rows: dict[str, Metric] = {}
        for row in rows:
            self._add(row)

    def __getitem__(self, name: str) -> Metric:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @contextmanager
    def with_row(self, row: Metric) -> Iterator[None]:
        """Has one more row, the last, as long as the context lasts: to try out a metric, as tests do."""
        self._add(row)
        try:
            yield
        finally:
            del self._rows[row.name]

    def _add(self, row: Metric) -> None:
        if row.name in self:
            raise ValueError(f"{row.name}: found two rows of this name, expected one")
        if why := next(_against(row, self), None):
            raise ValueError(f"{row.name}: found {why}")
        self._rows[row.name] = row

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

    def counted(self) -> tuple[str, ...]:
        """Returns the names of those that versions are compared by a count of, the most precise first."""
        return tuple(row.name for row in self.gated() if row.is_counted)

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


def _against(row: Metric, known: Mapping[str, Metric]) -> Iterator[str]:
    """Yields what a row has against itself: what nothing would serve, and would be absent without a word."""
    if (row.source is Source.DIFFERENCE) != (row.difference_of in known):
        yield f"a difference of {row.difference_of!r}, expected of a metric of the rows above it"
    if row.folding and row.counter is None:
        yield f"the folding {row.folding} without a counter, expected the field of a slice"
    if row.unsteady_from is not None and (row.phase is None or row.phase in _steadied(known)):
        yield f"a limit of unsteadiness in the phase {row.phase}, expected one metric a phase that has one"
    if row.noise_floor and not row.gate:
        yield "a noise floor without a gate, which it is for"
    if row.gate:
        yield from _against_gate(row, row.gate, known)


def _steadied(known: Mapping[str, Metric]) -> set[Phase | None]:
    return {row.phase for row in known.values() if row.unsteady_from is not None}


def _against_gate(row: Metric, gate: Gate, known: Mapping[str, Metric]) -> Iterator[str]:
    """Yields why a gate would not be served as it says: no Round, no count or no ratio is there to judge by."""
    if any(other.gate and other.gate.rank == gate.rank for other in known.values()):
        yield f"the rank {gate.rank} of another gate, expected one of its own"
    if gate.phase is None:
        if not (row.is_observed and row.average is Average.COUNT):
            yield "a gate without a phase, expected a count that is observed outside slices"
        if gate.steers or gate.relative:
            yield "a gate without a phase that steers or is relative, expected one by Rounds"
    elif row.source is not Source.SLICES or row.average is not Average.GEOMETRIC:
        yield f"a gate in {gate.phase}, expected a metric of slices whose average is the {Average.GEOMETRIC}"
    elif gate.phase is Phase.DUET and row.histogram:
        yield "a percentile in Duets, which have too few answers each"
    elif gate.phase not in (Phase.DUET, row.phase):
        yield f"a gate in {gate.phase}, expected in the phase of the metric, or in Duets"


PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}
"""Of 100, by their names; "p999" is written p99.9."""

SWEPT = ("p50", "p90", "p99")
"""Those of every point of a sweep: the first and the last of them are drawn ..."""
OBJECTIVE = SWEPT[-1]
"""... and the last one is what an objective is of."""

THROUGHPUT = "throughput_rps"
CPU = "cpu_us_per_request"
OWN_COST = "own_cost_us_per_request"
INSTRUCTIONS = "instructions_per_request"


def latency_at_rate(percentile: str) -> str:
    """Returns the name of a percentile of the latency at the fixed rate, from the intended start."""
    return f"latency_fixed_{percentile}_ms"


MEDIAN_LATENCY = latency_at_rate("p50")
CODE_LINES = "code_lines"

NS_PER_US = 1000
MIB = 2**20

LARGE_SPREAD = 0.25
"""Standard deviation between rounds, of logarithms. Above it, six rounds leave ±30 % of doubt about a mean ..."""
LARGE_LATENCY_SPREAD = 0.5
"""... and twice that about a latency, as a queue multiplies what disturbs a throughput."""


_MEMORY = (
    "Memory is the PSS of all of a server's processes: with one worker after its first response, what a third "
    "worker adds to two, and with one worker under load, beside the other servers, which share some of its "
    "pages, the most that was seen."
)
_INSTALLED = (
    "Code is the App's lines that are neither blank nor comment. Packages and their size are all that its lock "
    "installs. Servers and adapters are among every App's; raw has nothing else."
)


def _percentiles(family: str, title: str, short: str, phase: Phase, histogram: str) -> list[Metric]:
    return [_percentile(family, title, short, phase, histogram, name) for name in PERCENTILES]


def _percentile(family: str, title: str, short: str, phase: Phase, histogram: str, percentile: str) -> Metric:
    written = "p99.9" if percentile == "p999" else percentile
    name = f"{family}_{percentile}_ms"
    gates = {
        MEDIAN_LATENCY: Gate(rank=3, phase=Phase.FIXED, steers=True, relative=True),
        latency_at_rate("p99"): Gate(rank=4, phase=Phase.FIXED),
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


def _observed(
    name: str, title: str, column: str, unit: Unit, source: Source, *, average: Average, note: str | None = None
) -> Metric:
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
        note=note,
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
        fields=("requests", "window_s"),
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
        folding=Folding.PER_REQUEST,
        divisor=NS_PER_US,
        noise_floor=True,
        places=frozenset({Place.GROUP_TABLE}),
        gate=Gate(rank=1, phase=Phase.DUET, steers=True, relative=True),
        trend="CPU time",
    ),
    Metric(
        name=OWN_COST,
        title="own cost: CPU time per request above raw's, same server and adapter",
        short="own cost",
        column="own cost µs",
        unit=Unit.US,
        better=Better.LOWER,
        source=Source.DIFFERENCE,
        difference_of=CPU,
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
        folding=Folding.MOST,
        divisor=MIB,
    ),
    _observed(
        "first_response_ms",
        "time to the first response",
        "first ms",
        Unit.MS,
        Source.COLD_START,
        average=Average.MEDIAN,
        note=(
            "First response, import and idle memory: medians of n = {n} fresh starts, with files in the disk's cache; "
            "± is the wider half of a 95 % interval."
        ),
    ),
    _observed("import_ms", "import time", "import ms", Unit.MS, Source.IMPORT, average=Average.MEDIAN),
    _observed(
        "idle_pss_mib",
        "idle memory",
        "idle MiB",
        Unit.MIB,
        Source.COLD_START,
        average=Average.MEDIAN,
        note=_MEMORY,
    ),
    _observed(
        "pss_per_worker_mib",
        "memory of an added worker",
        "+worker MiB",
        Unit.MIB,
        Source.ADDED_WORKER,
        average=Average.MEDIAN,
        note=_MEMORY,
    ),
    Metric(
        name="pss_mib",
        title="memory under load",
        short="memory under load",
        column="load MiB",
        unit=Unit.MIB,
        better=Better.LOWER,
        source=Source.SLICES,
        average=Average.GEOMETRIC,
        counter="server_pss_bytes",
        needs_answers=False,
        folding=Folding.MOST,
        divisor=MIB,
        places=frozenset({Place.FOOTPRINT}),
    ),
    _observed(CODE_LINES, "code", "code lines", Unit.LINES, Source.AT_REST, average=Average.COUNT, note=_INSTALLED),
    _observed(
        "packages",
        "installed packages",
        "pkgs",
        Unit.PACKAGES,
        Source.AT_REST,
        average=Average.COUNT,
        note=_INSTALLED,
    ),
    _observed(
        "installed_mib",
        "installed size",
        "disk MiB",
        Unit.MIB,
        Source.AT_REST,
        average=Average.COUNT,
        note=_INSTALLED,
    ),
    _observed(
        "response_bytes",
        "response, head and body",
        "wire bytes",
        Unit.BYTES,
        Source.COLD_START,
        average=Average.COUNT,
        note="Bytes are those of one response, head and body.",
    ),
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
        trend="instructions",
    ),
    Metric(
        name="error_ratio",
        title="wrong or missing answers",
        short="errors",
        column="errors",
        unit=Unit.ERROR_RATIO,
        better=Better.LOWER,
        source=Source.SLICES,
        fields=("errors", "requests_in_slice"),
        average=Average.ARITHMETIC,
    ),
)
"""Every metric, in the order of its appearance in reports."""
