"""The registry: its rows do not contradict each other, nothing is forgotten, and what can't be served is refused."""

from typing import Any

import pytest
from msgspec.structs import replace

from bench.analysis.folds import FOLDS
from bench.analysis.tidy_table import PLACE
from bench.model.estimate import Estimate
from bench.model.load import Phase
from bench.model.metrics import (
    BYTE,
    COUNT,
    CPU,
    INSTRUCTIONS,
    METRICS,
    OWN_COST,
    SECOND,
    SWEPT,
    THROUGHPUT,
    Average,
    Gate,
    Metric,
    Registry,
    Source,
    Unit,
    latency_at_rate,
)
from bench.model.protocol import HISTOGRAMS
from bench.model.records import SliceRecord
from bench.report.format import cell, full

ROWS = tuple(METRICS.values())
NAMED_BY = {
    Unit.REQUESTS_PER_S: "_rps",
    Unit.US: "_us",
    Unit.MS: "_ms",
    Unit.MIB: "_mib",
    Unit.BYTES: "_bytes",
    Unit.ERROR_RATIO: "_ratio",
}
"""What a name ends in; a unit that is a word is that word."""

NO_METRIC = {
    "slice_s": "how long the slice took, which CPU shares and steal are divided by",
    "dropped": "judges the cell of an open load; a run's total is in every report",
    "bytes_received": "the driver's: says how large answers were, which response_bytes measures",
    "answers_in_window": "what was got through: the throughput of a sweep's point",
    "send_lateness_us": "the driver's: judges whether latencies are the server's",
    "loop_lag_us": "the driver's: how late its event loop came to a timer",
    "server_run_queue_ns": "judges whether others used the server's cores",
    "driver_cpu_ns": "the driver's: judges whether it was the limit",
    "driver_run_queue_ns": "the driver's: judges whether others used its core",
    "steal_s": "the hypervisor's: discards slices",
    "clock_step_s": "the machine's: how far its clock was set",
    "unknown": "why other columns have no value",
    "discarded": "why the slice does not count",
    "repeat_of": "which slice this one repeats",
    "not_repeated": "what would have discarded the slice",
}
"""The columns of the tidy table that measure no Lane, with what they are for instead."""

OWN = METRICS[OWN_COST]
COUNTED = METRICS[INSTRUCTIONS]
FROM_SLICES = METRICS[THROUGHPUT]


def test_every_column_of_the_tidy_table_is_a_metrics_or_says_what_else_it_is() -> None:
    """A field of a slice says where it was, is named by a row, or stands in the list of what is no metric; once."""
    of_rows = {name for row in ROWS for name in row.recorded}
    assert {*SliceRecord.__struct_fields__} == {*PLACE} | of_rows | NO_METRIC.keys()
    assert not of_rows & NO_METRIC.keys()
    assert not {*PLACE} & (of_rows | NO_METRIC.keys())


def test_histograms_are_what_percentiles_are_of() -> None:
    """Every percentile's is a field that is exported as one; the others are the driver's."""
    of_rows = {row.histogram for row in ROWS if row.histogram}
    assert of_rows <= {*HISTOGRAMS}
    assert {*HISTOGRAMS} - of_rows <= NO_METRIC.keys()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_metric_from_slices_is_folded_in_one_way(row: Metric) -> None:
    """By its percentile, by its counter, or by a fold of its own; a metric from elsewhere has none."""
    ways = [row.percentile is not None, row.folding is not None, row.name in FOLDS]
    assert sum(ways) == (row.source is Source.SLICES)
    assert (row.percentile is None) == (row.histogram is None) == (row.family is None)


def test_every_fold_has_a_row() -> None:
    """A fold without one would be made for nothing."""
    assert FOLDS.keys() <= METRICS.keys()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_name_ends_in_its_unit(row: Metric) -> None:
    """As all names of values do, before what it is divided by."""
    assert row.name.removesuffix("_per_request").endswith(NAMED_BY.get(row.unit, str(row.unit)))


def test_titles_and_columns_tell_metrics_apart() -> None:
    """No two metrics have the same title, nor do two in one table have the same column."""
    assert len({row.title for row in ROWS}) == len(ROWS)
    for place in {place for row in ROWS for place in row.places}:
        columns = [METRICS[name].column for name in METRICS.shown_in(place)]
        assert len({*columns}) == len(columns)


def test_gates_are_ordered_and_served() -> None:
    """Each has a rank of its own, and is judged by Rounds or by a count."""
    gates = [row.gate for row in METRICS.gated() if row.gate]
    ranks = [gate.rank for gate in gates]
    assert ranks == sorted({*ranks})
    by_rounds = [row.name for row in METRICS.gated() if row.gate and row.gate.phase]
    assert {*by_rounds, *METRICS.counted()} == {row.name for row in METRICS.gated()}
    assert {*METRICS.relative()} <= {*by_rounds}


def test_a_noise_floor_belongs_to_a_gate() -> None:
    """It says which differences a gate can't tell from chance."""
    assert all(row.gate for row in ROWS if row.noise_floor)


@pytest.mark.parametrize("unit", Unit)
def test_every_unit_is_known_wherever_units_are(unit: Unit) -> None:
    """It can be shown, and is a multiple of a second, a byte or a count, or says that it is a quotient."""
    assert unit.shown
    assert unit.base is None or (unit.base[0] in (SECOND, BYTE, COUNT) and unit.base[1] > 0)
    assert unit.behind in ("", f" {unit.shown}")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_metric_can_be_written_in_a_table(row: Metric) -> None:
    """Its value, however it is averaged, and beside it how sure that is, unless it is exact."""
    seen = Estimate(12.5, 12.0, 13.0, 6, row.unit, row.better)
    for point, beside in (cell(row.name, seen), full(row.name, seen)):
        assert point
        assert beside or row.unit is Unit.ERROR_RATIO


def test_the_percentiles_of_a_sweep_have_rows() -> None:
    """Its heads and its unit are those of the latency at a fixed rate."""
    assert all(METRICS[latency_at_rate(name)].percentile is not None for name in SWEPT)


@pytest.mark.parametrize(("misspelt", "nearest"), [("trougput_rps", THROUGHPUT), ("latency_fixed_p5_ms", "p50")])
def test_a_name_without_a_row_is_refused_with_the_nearest(misspelt: str, nearest: str) -> None:
    """As a file may name it."""
    with pytest.raises(ValueError, match=misspelt) as refused:
        METRICS.require(misspelt)
    assert nearest in str(refused.value)


@pytest.mark.parametrize(
    ("row", "changes"),
    [
        pytest.param(OWN, {"difference_of": None}, id="difference of nothing"),
        pytest.param(OWN, {"difference_of": "speed"}, id="difference of what has no row"),
        pytest.param(FROM_SLICES, {"difference_of": CPU}, id="difference that is none"),
        pytest.param(METRICS[CPU], {"counter": None}, id="folding without a counter"),
        pytest.param(FROM_SLICES, {"gate": None}, id="noise floor without a gate"),
        pytest.param(FROM_SLICES, {"phase": None}, id="unsteadiness in no phase"),
        pytest.param(FROM_SLICES, {"gate": Gate(rank=1, phase=Phase.SATURATED)}, id="rank of another"),
        pytest.param(FROM_SLICES, {"gate": Gate(rank=9, phase=None)}, id="no count"),
        pytest.param(FROM_SLICES, {"gate": Gate(rank=9, phase=Phase.FIXED)}, id="phase of another"),
        pytest.param(FROM_SLICES, {"average": Average.ARITHMETIC}, id="no logarithm"),
        pytest.param(OWN, {"gate": Gate(rank=9, phase=Phase.SATURATED)}, id="difference in a gate"),
        pytest.param(COUNTED, {"gate": Gate(rank=9, phase=Phase.DUET)}, id="count by Rounds"),
        pytest.param(COUNTED, {"gate": Gate(rank=9, phase=None, steers=True)}, id="count that steers"),
        pytest.param(COUNTED, {"gate": Gate(rank=9, phase=None, relative=True)}, id="count relative to raw"),
        pytest.param(COUNTED, {"average": Average.MEDIAN}, id="count that has noise"),
        pytest.param(
            METRICS[latency_at_rate("p50")], {"gate": Gate(rank=9, phase=Phase.DUET)}, id="percentile of Duets"
        ),
    ],
)
def test_a_row_that_nothing_would_serve_is_refused(row: Metric, changes: dict[str, Any]) -> None:
    """In place of a metric that is absent from verdicts without a word."""
    Registry(METRICS[CPU], replace(row, name="other", gate=None, noise_floor=False))
    with pytest.raises(ValueError, match="other: found"):
        Registry(METRICS[CPU], replace(row, **{"name": "other", **changes}))


def test_one_metric_says_how_steady_a_phase_is() -> None:
    """A second one would be judged in place of the first."""
    second = replace(FROM_SLICES, name="other", gate=None, noise_floor=False)
    with pytest.raises(ValueError, match="other: found"):
        Registry(FROM_SLICES, second)


def test_two_rows_of_one_name_are_refused() -> None:
    """The second would hide the first."""
    with pytest.raises(ValueError, match=THROUGHPUT):
        Registry(FROM_SLICES, FROM_SLICES)


def test_a_temporary_row_is_there_as_long_as_its_context() -> None:
    """It is the last, also where the context ends in an error; what the Registry refuses is not there at all."""
    row, before = replace(METRICS["rss_mib"], name="other_mib"), list(METRICS)
    with METRICS.with_row(row):
        assert list(METRICS) == [*before, "other_mib"]
    assert list(METRICS) == before
    with pytest.raises(ZeroDivisionError), METRICS.with_row(row):
        _ = 1 / 0
    with pytest.raises(ValueError, match="other_mib"), METRICS.with_row(replace(row, noise_floor=True)):
        pass
    assert list(METRICS) == before
