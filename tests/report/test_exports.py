"""Exports: the real reader of each format finds in it what was measured, and trackers find only what can be trusted."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import jsonschema
import pandas as pd
import pyperf
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import JUnitXml, TestSuite
from msgspec.structs import replace

from bench.analysis import histograms, tidy_table
from bench.analysis.folds import round_values
from bench.analysis.summary import fold
from bench.analysis.tidy_table import tidy
from bench.model.estimate import Status
from bench.model.load import Phase
from bench.model.metrics import METRICS
from bench.model.protocol import MAX_LATENCY_US, SIGNIFICANT_DIGITS
from bench.model.reason import Code, reason
from bench.model.records import Observation, SliceRecord
from bench.model.summary import Report
from bench.report import wording
from bench.report.exports import folder, hgrm, junit
from bench.report.format import one_line
from tests.builders.runs import RG, A, B, G, R, experiment, failure, histogram, manifest, run_records

WHOLE = experiment()
RECORDS = run_records(WHOLE)
OBSERVATIONS = [
    *(Observation(lane=lane, metric="first_response_ms", value=100.0 + i) for lane in (A, B) for i in range(3)),
    *(Observation(lane=lane, metric="instructions_per_request", value=352_752.0) for lane in (A, B)),
    Observation(lane=B, metric="import_ms", value=None, reason=reason(Code.SAID, text="no reader")),
]
TRACKERS = ("bencher.json", "custom-smaller-is-better.json", "custom-bigger-is-better.json", "pyperf.json")
BMF = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "propertyNames": {"maxLength": 64},
        "additionalProperties": {
            "type": "object",
            "required": ["value"],
            "properties": {name: {"type": "number"} for name in ("value", "lower_value", "upper_value")},
            "additionalProperties": False,
        },
    },
}
"""What bencher.dev's reference asks for, and the longest name of a measure that it gives."""
CUSTOM = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name", "unit", "value"],
        "properties": {
            "value": {"type": "number"},
            **{name: {"type": "string"} for name in ("name", "unit", "range", "extra")},
        },
        "additionalProperties": False,
    },
}
"""What github-action-benchmark's README asks for."""


def report_of(records: list[SliceRecord], **changes: Any) -> Report:
    return fold(manifest(WHOLE), records, changes.get("failures", ()), changes.get("observations", OBSERVATIONS)).report


REPORT = report_of(RECORDS)
FILES = folder.render(REPORT, tidy(RECORDS)).files


def limited_by_the_driver(*lanes: str) -> list[SliceRecord]:
    """Returns the run with these Lanes' servers idle, and the driver busy, while they were to be saturated."""
    return [
        replace(record, server_cpu_ns=record.server_cpu_ns // 2, driver_cpu_ns=int(record.slice_s * 1e9))
        if record.lane in lanes and record.phase is Phase.SATURATED and record.server_cpu_ns
        else record
        for record in RECORDS
    ]


def trends(files: Mapping[str, bytes]) -> dict[str, set[str]]:
    """Returns the metrics of each Lane in any file for trackers."""
    found: dict[str, set[str]] = {}
    for lane, measures in json.loads(files["bencher.json"]).items():
        found.setdefault(lane, set()).update(measures)
    names = [entry["name"] for name in TRACKERS[1:3] for entry in json.loads(files[name])]
    names += [benchmark["metadata"]["name"] for benchmark in json.loads(files["pyperf.json"])["benchmarks"]]
    for name in names:
        lane, _, metric = name.rpartition(" ")
        found.setdefault(lane, set()).add(metric)
    return found


def suite(files: Mapping[str, bytes]) -> TestSuite:
    (read,) = JUnitXml.fromstring(files["junit.xml"])
    assert isinstance(read, TestSuite)
    return read


# ---------------------------------------------------------------- what trackers may see


def test_all_estimates_of_a_valid_run_are_trends() -> None:
    """Nothing is lost where all is valid."""
    assert trends(FILES) == {lane.lane: set(lane.metrics) for lane in REPORT.summary.lanes}


def test_a_cell_that_is_not_valid_is_no_data_point() -> None:
    """Its metrics are in no tracker's file, those of its Lane's other cells are, and JUnit says why."""
    records = limited_by_the_driver(A)
    files = folder.render(report_of(records), tidy(records)).files
    lost = trends(FILES)[A] - trends(files)[A]
    assert {"throughput_rps", "cpu_us_per_request", "own_cost_us_per_request", "rss_mib", "error_ratio"} <= lost
    assert {METRICS[metric].phase for metric in lost} == {Phase.SATURATED, None}
    assert {"latency_fixed_p50_ms", "first_response_ms", "instructions_per_request"} <= trends(files)[A]
    assert trends(files)[B] == trends(FILES)[B]
    (skipped,) = [case for case in suite(files) if case.is_skipped]
    assert (skipped.classname, skipped.name) == (A, Phase.SATURATED)
    (why,) = (wording.said(each) for each in report_of(records).summary.lanes[0].cells[0].validity.reasons)
    assert "driver-bound" in skipped.result[0].message
    assert why in skipped.result[0].message


def test_what_a_framework_costs_needs_a_valid_raw() -> None:
    """The own_cost is a difference to raw: where raw's cell can't be trusted, it can't be."""
    records = limited_by_the_driver(R)
    found = trends(folder.render(report_of(records), tidy(records)).files)
    assert "own_cost_us_per_request" not in found[A] | found[B]
    assert "cpu_us_per_request" in found[A] & found[B]
    assert "own_cost_us_per_request" in found[G]  # its raw is the one behind the same Adapter


@pytest.mark.parametrize("how", ["failed", "failing"])
def test_a_lane_that_fails_has_no_trend_at_all(how: str) -> None:
    """Neither what was measured under load nor what was measured without it."""
    gone = (failure(A),) if how == "failed" else ()
    records = [replace(record, errors={"status 500": 1}) if record.lane == A else record for record in RECORDS]
    report = report_of(RECORDS if gone else records, failures=gone)
    files = folder.render(report, tidy(RECORDS)).files
    assert A not in trends(files)
    found = [case for case in suite(files) if case.classname == A]
    assert len(found) == 2
    for case in found:
        (said,) = case.result
        assert type(said).__name__ == ("Error" if gone else "Failure")
        assert how in said.message
        assert said.text == ("bye" if gone else None)


def test_a_twin_has_no_trend() -> None:
    """It is there to show the noise; its rows are in the tables all the same."""
    twins = tuple(replace(lane, twin=lane.lane == B) for lane in REPORT.summary.lanes)
    report = replace(REPORT, summary=replace(REPORT.summary, lanes=twins))
    files = folder.render(report, tidy(RECORDS)).files
    assert set(trends(files)) == {A, G, R, RG}
    assert B in set(pd.read_csv(BytesIO(files["slices.csv"]))["lane"])


# ---------------------------------------------------------------- each format, read by its reader


def test_bencher_metric_format() -> None:
    """Value and interval are the Estimate's; a run of two rounds has no interval, and says none."""
    found = json.loads(FILES["bencher.json"])
    jsonschema.validate(found, BMF)
    estimate = REPORT.summary.lanes[0].metrics["throughput_rps"]
    ends = {"value": estimate.point, "lower_value": estimate.low, "upper_value": estimate.high}
    assert found[A]["throughput_rps"] == ends
    short = [record for record in RECORDS if record.round < 2]
    found = json.loads(folder.render(report_of(short), tidy(short)).files["bencher.json"])
    jsonschema.validate(found, BMF)
    assert set(found[A]["throughput_rps"]) == {"value"}


def test_github_action_benchmark() -> None:
    """Each metric is in the file of the side on which it is better, once."""
    smaller, bigger = (json.loads(FILES[f"custom-{side}-is-better.json"]) for side in ("smaller", "bigger"))
    for entries in (smaller, bigger):
        jsonschema.validate(entries, CUSTOM)
    assert {entry["name"].rpartition(" ")[2] for entry in bigger} == {"throughput_rps"}
    names = [entry["name"] for entry in smaller + bigger]
    assert sorted(names) == sorted({f"{lane.lane} {name}" for lane in REPORT.summary.lanes for name in lane.metrics})
    estimate = REPORT.summary.lanes[0].metrics["throughput_rps"]
    assert estimate.low is not None
    assert estimate.high is not None
    assert (bigger[0]["unit"], bigger[0]["value"]) == ("requests/s", estimate.point)
    half = float(bigger[0]["range"].removeprefix("± "))
    assert half == pytest.approx(max(estimate.high - estimate.point, estimate.point - estimate.low), rel=1e-3)


def test_pyperf_reads_a_run_of_one_value_for_each_round() -> None:
    """In seconds, bytes or counts; throughput, of which pyperf would take more for worse, is not there."""
    loaded = pyperf.BenchmarkSuite.loads(FILES["pyperf.json"].decode())
    cpu_us = round_values(RECORDS).of(A, "cpu_us_per_request")
    cpu = loaded.get_benchmark(f"{A} cpu_us_per_request")
    assert [run.values for run in cpu.get_runs()] == [(pytest.approx(value / 1e6),) for value in cpu_us.values()]
    assert (cpu.get_unit(), cpu.get_metadata()["cpu_model_name"]) == ("second", "Example")
    assert loaded.get_benchmark(f"{A} rss_mib").get_values() == (32 * 2**20,) * 3
    assert loaded.get_benchmark(f"{A} rss_mib").get_unit() == "byte"
    assert loaded.get_benchmark(f"{A} first_response_ms").get_values() == pytest.approx((0.1, 0.101, 0.102))
    assert loaded.get_benchmark(f"{A} instructions_per_request").get_unit() == "integer"
    assert not [name for name in loaded.get_benchmark_names() if "throughput" in name]


def test_pyperf_compares_two_runs(tmp_path: Path) -> None:
    """`python -m pyperf compare_to` finds the one Lane that became slower, and says how much."""
    slower = run_records(WHOLE, cpu_us={A: 950.0, B: 2400.0, G: 2400.0, R: 480.0, RG: 800.0})
    (tmp_path / "base.json").write_bytes(FILES["pyperf.json"])
    (tmp_path / "head.json").write_bytes(folder.render(report_of(slower), tidy(slower)).files["pyperf.json"])
    command = [sys.executable, "-m", "pyperf", "compare_to", "base.json", "head.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    slow = [line for line in done.stdout.splitlines() if "slower" in line and not line.startswith("Geometric mean")]
    assert len(slow) == 1
    assert re.fullmatch(rf"{B} cpu_us_per_request: Mean .* ms .*: 2\.00x slower", slow[0]), slow


def logged(content: bytes, folder: Path) -> list[HdrHistogram]:
    path = folder / "x.hlog"
    path.write_bytes(content)
    reader = HistogramLogReader(str(path), HdrHistogram(1, MAX_LATENCY_US, SIGNIFICANT_DIGITS))
    found = list(iter(reader.get_next_interval_histogram, None))
    reader.close()
    return found


@pytest.mark.parametrize("kind", METRICS.histograms())
def test_the_hlog_has_every_slice(kind: str, tmp_path: Path) -> None:
    """HistogramLogReader finds each with its Lane as tag, its window in time since the epoch, and all its answers."""
    phase, column = METRICS.histograms()[kind]
    expected = [record for record in RECORDS if record.phase is phase]
    found = logged(FILES[f"{kind}.hlog"], tmp_path)
    assert expected
    assert [interval.get_tag() for interval in found] == [record.lane for record in expected]
    for interval, record in zip(found, expected, strict=True):
        assert interval.equals(HdrHistogram.decode(getattr(record, column)))
        started_ms = 1000 * (pd.Timestamp(REPORT.manifest.started_utc).timestamp() + record.at_s + 0.05)
        assert interval.get_start_time_stamp() == pytest.approx(started_ms, abs=1)
        assert interval.get_end_time_stamp() == pytest.approx(started_ms + 250, abs=1)


def test_the_hlog_gives_maxima_in_ms() -> None:
    """The third column is the highest value of the interval."""
    *_, last = FILES["latency_fixed.hlog"].decode().splitlines()
    tag, _, _, most_ms, encoded = last.split(",")
    assert tag.startswith("Tag=")
    assert float(most_ms) == HdrHistogram.decode(encoded).get_max_value() / 1000


LATENCIES_US = st.lists(st.integers(1, 2 * MAX_LATENCY_US), min_size=1, max_size=60)


def decoded(latencies_us: list[int]) -> HdrHistogram:
    return HdrHistogram.decode(histogram(*(min(latency_us, MAX_LATENCY_US) for latency_us in latencies_us)))


def distribution(content: bytes) -> tuple[list[list[float]], list[str]]:
    """Returns the rows and the comments of a ``.hgrm``, taken apart as HdrHistogram's plotters do."""
    head, blank, *lines = content.decode().splitlines()
    assert head.split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    assert not blank
    comments = [line for line in lines if line.startswith("#")]
    return [[float(word) for word in line.split()] for line in lines if not line.startswith("#")], comments


@settings(max_examples=15)  # the library takes its time for a mean
@given(latencies_us=LATENCIES_US)
def test_a_distribution_is_the_histograms_own(latencies_us: list[int]) -> None:
    """Each row's value is that of the percentile, its count what is not above it; the footer is the library's."""
    whole = decoded(latencies_us)
    rows, comments = distribution(hgrm.distribution(whole))
    assert rows[-1] == [whole.get_max_value() / 1000, 1.0, len(latencies_us)]
    for value_ms, share, count, *inverse in rows:
        below = sum(
            whole.get_count_at_value(value)
            for value in {whole.get_lowest_equivalent_value(min(us, MAX_LATENCY_US)) for us in latencies_us}
            if value <= value_ms * 1000 + 0.5
        )
        assert count == below
        assert count >= share * len(latencies_us) - 1e-6
        assert not inverse or inverse[0] == pytest.approx(1 / (1 - share), abs=0.006, rel=1e-6)
    levels = [row[1] for row in rows]
    assert levels == sorted(levels)
    assert levels[0] == 0
    mean, deviation, most, total = (float(found) for line in comments[:2] for found in re.findall(r"[\d.]+", line))
    assert mean == pytest.approx(whole.get_mean_value() / 1000, abs=0.001)
    assert deviation == pytest.approx(whole.get_stddev() / 1000, abs=0.001)
    assert (most, total) == (whole.get_max_value() / 1000, len(latencies_us))
    assert re.findall(r"\d+", comments[2]) == [str(whole.bucket_count), str(whole.sub_bucket_count)]


def test_a_distribution_has_the_steps_of_hdrhistogram() -> None:
    """Five ticks to each half of what is left: 0, 10, … 50, 55, … 75, 77.5 %, as HdrHistogram for Java has them."""
    rows, _ = distribution(hgrm.distribution(decoded(list(range(1, 1001)))))
    wanted = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.775, 0.8, 0.825, 0.85, 0.875, 0.8875]
    assert [row[1] for row in rows[: len(wanted)]] == pytest.approx(wanted)
    assert [row[0] for row in rows[1:4]] == [0.1, 0.2, 0.3]


def test_every_lane_has_its_distributions() -> None:
    """One for each kind of latency, of all Rounds together."""
    names = {f"hgrm/{lane}.{kind}.hgrm" for lane in (A, B, G, R, RG) for kind in METRICS.histograms()}
    assert {name for name in FILES if name.startswith("hgrm/")} == names
    rows, _ = distribution(FILES[f"hgrm/{A}.latency_saturated.hgrm"])
    saturated = [record for record in RECORDS if record.lane == A and record.phase is Phase.SATURATED]
    assert rows[-1][2] == sum(HdrHistogram.decode(record.latency_us).total_count for record in saturated)


def test_csv_and_parquet_are_the_tidy_table() -> None:
    """A row a measured slice, the same in both, with its Lane, its Load, its percentiles and its validity."""
    table = tidy_table.tidy(RECORDS)
    from_parquet = pd.read_parquet(BytesIO(FILES["slices.parquet"]))
    from_csv = pd.read_csv(BytesIO(FILES["slices.csv"])).astype(from_parquet.dtypes)
    pd.testing.assert_frame_equal(from_csv, from_parquet)
    assert len(from_parquet) == len(table)
    for column in ("lane", "phase", "round", "requests", "errors", "server_cpu_ns", "at_s"):
        assert list(from_parquet[column]) == list(table[column])
    assert set(from_parquet["validity"]) == {Status.VALID}
    assert set(from_parquet["adapter"].dropna()) == {"a2wsgi"}
    fixed = from_parquet[from_parquet["phase"] == Phase.FIXED]
    assert set(fixed["rate_rps"]) == {200.0}
    assert fixed["users"].isna().all()
    first = table.iloc[0]
    p50_ms = histograms.percentile_ms(HdrHistogram.decode(first["latency_us"]), 50)
    assert from_parquet["latency_p50_ms"].iloc[0] == p50_ms
    assert from_parquet["latency_p999_ms"].isna().all()  # of some hundred answers, none is expected beyond it


def test_validity_is_that_of_the_rows_own_cell() -> None:
    """Rows that can't be trusted are in the tables, marked; those of the Lane's other cells are not."""
    records = limited_by_the_driver(A)
    found = pd.read_csv(BytesIO(folder.render(report_of(records), tidy(records)).files["slices.csv"]))
    marked = found[found["validity"] != Status.VALID]
    assert set(marked["validity"]) == {Status.DRIVER_BOUND}
    assert len(marked) == len(found[(found["lane"] == A) & (found["phase"] == Phase.SATURATED)]) == 6
    assert set(marked["lane"]) == {A}


def test_columns_have_the_same_types_in_every_run() -> None:
    """Also where nothing is known, or nothing was measured: files of several runs are one table."""
    unknown = [
        replace(record, server_cpu_ns=None, steal_s=None, loop_lag_us=None, repeat_of=None) for record in RECORDS
    ]
    wanted = pd.read_parquet(BytesIO(FILES["slices.parquet"])).dtypes
    for records in (unknown, []):
        content = folder.render(report_of(records), tidy(records)).files["slices.parquet"]
        pd.testing.assert_series_equal(pd.read_parquet(BytesIO(content)).dtypes, wanted)


def test_a_discarded_slice_is_in_no_table() -> None:
    """It does not count, as in every figure."""
    records = [replace(record, discarded=reason(Code.UNREADABLE) if record.slice == 7 else None) for record in RECORDS]
    found = pd.read_csv(BytesIO(folder.render(report_of(records), tidy(records)).files["slices.csv"]))
    assert len(found) == len(tidy_table.tidy(RECORDS)) - 3
    assert 7 not in set(found["slice"])


# ---------------------------------------------------------------- JUnit


def test_a_runs_cells_are_test_cases() -> None:
    """One for each Lane and phase, with the time for which it was measured."""
    found = suite(FILES)
    assert (found.name, found.tests, found.errors, found.failures, found.skipped) == (
        REPORT.manifest.run_id,
        *(10, 0, 0, 0),
    )
    assert {(case.classname, case.name) for case in found} == {
        (lane, phase) for lane in (A, B, G, R, RG) for phase in (Phase.SATURATED, Phase.FIXED)
    }
    assert {case.time for case in found if case.name == Phase.SATURATED} == {1.5}


PRINTABLE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=20)
CASES = st.builds(
    junit.Case,
    classname=PRINTABLE,
    name=PRINTABLE,
    status=st.sampled_from(junit.CaseStatus),
    message=PRINTABLE,
    details=st.text(max_size=20),
    time_s=st.floats(0, 1e5),
)


@given(tests=st.lists(CASES, max_size=5))
def test_junit_holds_to_surefires_schema(tests: list[junit.Case]) -> None:
    """Attributes that it requires are there and none that it does not know, whatever the texts are; counts add up."""
    root = ET.fromstring(junit.render("verdicts", tests))  # noqa: S314 - our own
    assert set(root.attrib) == {"name", "tests", "errors", "failures", "skipped", "time"}
    assert [element.tag for element in root] == ["testcase"] * len(tests)
    for element, test in zip(root, tests, strict=True):
        assert set(element.attrib) == {"name", "classname", "time"}
        assert re.fullmatch(r"\d+\.\d{3}", element.attrib["time"])
        assert (element.attrib["classname"], element.attrib["name"]) == (test.classname, test.name)
        assert [said.tag for said in element] == [test.status] * (test.status is not junit.CaseStatus.PASSED)
        for said in element:
            assert set(said.attrib) == {"message"} | (
                {"type"} if test.status is not junit.CaseStatus.SKIPPED else set()
            )
            assert said.attrib["message"] == test.message
    for attribute, tag in (("errors", "error"), ("failures", "failure"), ("skipped", "skipped")):
        assert int(root.attrib[attribute]) == len(root.findall(f"*/{tag}"))


# ---------------------------------------------------------------- whatever the run


def renamed(name: str) -> tuple[Report, list[SliceRecord]]:
    """Returns the run with another name for one of its Lanes."""
    lanes = tuple(replace(lane, lane=name if lane.lane == A else lane.lane) for lane in REPORT.summary.lanes)
    samples = {name if lane == A else lane: values for lane, values in REPORT.samples.items()}
    report = replace(REPORT, summary=replace(REPORT.summary, lanes=lanes), samples=samples)
    return report, [replace(record, lane=name if record.lane == A else record.lane) for record in RECORDS]


@settings(max_examples=20)
@given(text=PRINTABLE)
def test_names_of_odd_characters_survive(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each reader gives back the name of the Lane: commas, quotes, markup, slashes, spaces, any script."""
    name = f"{one_line(text)}@gthread"
    report, records = renamed(name)
    files = folder.render(report, tidy(records)).files
    assert name in json.loads(files["bencher.json"])
    assert f"{name} rss_mib".strip() in pyperf.BenchmarkSuite.loads(files["pyperf.json"].decode()).get_benchmark_names()
    assert f"{name} rss_mib" in {entry["name"] for entry in json.loads(files["custom-smaller-is-better.json"])}
    assert name in {case.classname for case in suite(files)}
    assert name in set(pd.read_csv(BytesIO(files["slices.csv"]))["lane"])
    assert name in {row["lane"] for row in csv.DictReader(StringIO(files["slices.csv"].decode()))}
    assert name in set(pd.read_parquet(BytesIO(files["slices.parquet"]))["lane"])
    tags = {interval.get_tag() for interval in logged(files["latency_fixed.hlog"], tmp_path_factory.mktemp("log"))}
    assert name in {unquote(tag) for tag in tags}
    assert not [tag for tag in tags if re.search(r"[\s,]", tag)]  # as HdrHistogram for Java asks for
    of_lane = [file for file in files if unquote(file.removeprefix("hgrm/")) == f"{name}.latency_fixed.hgrm"]
    assert len(of_lane) == 1
    assert of_lane[0].count("/") == 1


def test_a_run_of_nothing_is_exported(tmp_path: Path) -> None:
    """Every file can be read and is empty; pyperf alone refuses a suite without benchmarks."""
    files = folder.render(report_of([], observations=()), tidy([])).files
    assert json.loads(files["bencher.json"]) == {}
    assert json.loads(files["custom-smaller-is-better.json"]) == json.loads(files["custom-bigger-is-better.json"]) == []
    assert logged(files["latency_fixed.hlog"], tmp_path) == []
    assert [case.is_skipped for case in suite(files)] == [True] * 5
    assert len(pd.read_csv(BytesIO(files["slices.csv"]))) == 0
    with pytest.raises(ValueError, match="non-empty"):
        pyperf.BenchmarkSuite.loads(files["pyperf.json"].decode())


def test_parquet_is_left_out_where_pyarrow_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what is missing and how to have it; all other files are there."""

    def without_pyarrow(name: str, **_: object) -> None:
        raise ImportError(name)

    monkeypatch.setattr("pandas.io.parquet.import_optional_dependency", without_pyarrow)
    found = folder.render(REPORT, tidy(RECORDS))
    assert set(FILES) - set(found.files) == {"slices.parquet"}
    (line,) = found.left_out
    assert "slices.parquet" in line
    assert "framework-bench[parquet]" in line


def test_the_documentation_reads_them(tmp_path: Path) -> None:
    """docs/exports.md names every file, and its Python runs on them as it stands there."""
    page = (Path(__file__).parent.parent.parent / "docs" / "exports.md").read_text()
    for name, content in FILES.items():
        file = tmp_path / "results" / "latest" / "exports" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        kind = f"KIND{file.suffix}" if file.suffix in (".hlog", ".hgrm") else name
        assert kind in page, name
    examples = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        command = [sys.executable, "-c", example]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert A in done.stdout


def test_the_same_run_gives_the_same_bytes() -> None:
    """So that reports can be made again, and compared."""
    assert folder.render(report_of(RECORDS), tidy(RECORDS)).files == FILES
