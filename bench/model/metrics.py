"""The registry of metrics: a row for each, with all that is known of it.

Units, titles, tables, exports, validity, gates and the JSON Schema are derived from these rows.

A new metric is its source (what records it), its fold (``analysis/folds.py``, for what its row does not fold whole) and
its row here. Nothing has a default that could be wrong: a name without a row is a KeyError, and the Registry refuses a
row that contradicts itself.
"""

from bench.model.load import Phase
from bench.model.metric import Average, Better, Folding, Gate, Metric, Place, Registry, Source, Unit

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
