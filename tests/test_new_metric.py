"""A new metric is its source, its fold and its row: everything else is derived, from table to gate."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from runpy import run_path

import pytest
from msgspec.structs import asdict, replace

from bench.analysis.folds import FOLDS
from bench.analysis.summary import Folded, fold
from bench.analysis.tidy_table import tidy
from bench.model.load import Closed, Phase
from bench.model.metrics import METRICS, Average, Better, Folding, Gate, Metric, Place, Source, Unit
from bench.model.protocol import SliceResult
from bench.model.reason import Code, Unknown
from bench.model.records import SliceRecord
from bench.model.regression import Verdict
from bench.model.schedule import Slice
from bench.model.summary import Summary
from bench.regression.check import check
from bench.regression.history_line import record as history_line
from bench.regression.ratios import Allowed
from bench.report import charts, html, markdown, terminal
from bench.report.exports import folder
from bench.run import round as live
from bench.servers import counters
from tests.builders.forms import printed
from tests.builders.runs import A, B, experiment, manifest, run_observations, run_records

WRITE_SCHEMAS = Path(__file__).parent.parent / "docs" / "schemas" / "write.py"
NAME = "faults_per_request"
ROW = Metric(
    name=NAME,
    title="page faults per request",
    short="page faults",
    column="faults/req",
    unit=Unit.INSTRUCTIONS,
    better=Better.LOWER,
    source=Source.SLICES,
    average=Average.GEOMETRIC,
    phase=Phase.SATURATED,
    counter="server_fault_count",
    folding=Folding.PER_REQUEST,
    noise_floor=True,
    places=frozenset(Place),
    gate=Gate(rank=9, phase=Phase.SATURATED, relative=True),
    note="Faults are those of all threads.",
)


class MoreCounters(counters.Counters, frozen=True):
    """Counters of processes, with one more."""

    fault_count: int | None = None


class MoreUsed(counters.Used, frozen=True):
    """What was used, with one more."""

    fault_count: int | Unknown = counters.UNREADABLE


class MoreRecord(SliceRecord, frozen=True, kw_only=True):
    """A record of a slice, with a field for it."""

    server_fault_count: int | None = None


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """Adds the row."""
    with METRICS.with_row(ROW):
        yield


def folded(faults: Callable[[SliceRecord], int], seed: int = 1) -> Folded:
    """Returns a run in which a server had so many page faults for each answer, nearly."""
    whole = experiment()
    rows = [
        MoreRecord(**asdict(record), server_fault_count=record.requests_in_slice * faults(record) + record.round + seed)
        for record in run_records(whole)
    ]
    return fold(manifest(whole), rows, (), run_observations(whole))


def faults(record: SliceRecord) -> int:
    """Returns the faults for an answer: the Lane under test has twice those of the others."""
    return 300 if record.lane == A else 150


@pytest.mark.parametrize(("before", "after", "known"), [(70, 100, 30), (None, 100, None), (100, 70, None)])
def test_its_source_is_read_around_every_slice(
    monkeypatch: pytest.MonkeyPatch, before: int | None, after: int, known: int | None
) -> None:
    """A counter that is read, and a field for it, are all that its source is: a Round writes it down, or why not."""
    monkeypatch.setattr(counters, "Used", MoreUsed)
    monkeypatch.setattr(live, "SliceRecord", MoreRecord)
    driver = MoreCounters(**dict.fromkeys(MoreCounters.__struct_fields__, 0))
    first, last = (
        live.Readings(at, at, replace(driver, fault_count=count), driver, 0.0)
        for at, count in ((1.0, before), (1.3, after))
    )
    planned, result = Slice(3, Phase.SATURATED, (A,), Closed(4), 0.05, 0.25), SliceResult(0.25, 7, {}, 0, 7, 0, "", 7)
    found = live._record(0, A, planned, result, (first, last), pids=[])
    assert isinstance(found, MoreRecord)
    assert found.server_fault_count == known
    assert ("server_fault_count" in found.unknown) == (known is None)


def test_it_is_summarised_with_its_unit() -> None:
    """Its point is the mean over rounds, in the unit of its row."""
    found = next(lane for lane in folded(faults).summary.lanes if lane.lane == A).metrics[NAME]
    assert found.point == pytest.approx(300, rel=0.01)
    assert (found.unit, found.better, found.n) == (ROW.unit, ROW.better, 3)


def test_it_is_missing_with_the_reason_of_its_counter() -> None:
    """Of a run that did not have it, the field says nothing."""
    whole = experiment()
    run = fold(manifest(whole), [MoreRecord(**asdict(record)) for record in run_records(whole)], ())
    lane = next(lane for lane in run.summary.lanes if lane.lane == A)
    assert NAME not in lane.metrics
    assert lane.missing[NAME].code is Code.NO_REASON


def test_it_is_in_every_table() -> None:
    """By its column, its title and its note, in all three forms of the report."""
    report = folded(faults).report
    written = (
        markdown.render(report),
        printed(terminal.render(report, "results"), width=120),
        html.render(report, {}),
    )
    for text in written:
        assert ROW.column in text
        assert "300" in text
        assert ROW.note
        assert ROW.note in text
    assert ROW.title in written[0]
    assert ROW.title in written[2]


def test_it_has_a_panel_in_the_chart_of_the_footprint() -> None:
    """Its title and unit are the panel's."""
    figure = charts.draw(folded(faults).report)["footprint"]
    assert f"{ROW.title}, {ROW.unit.shown}" in [axes.get_title(loc="left") for axes in figure.axes]


def test_it_is_exported() -> None:
    """Trackers get its value under its name; pyperf knows its unit."""
    run = folded(faults)
    files = folder.render(run.report, tidy(run_records(experiment()))).files
    assert json.loads(files["bencher.json"])[A][NAME]["value"] == pytest.approx(300, rel=0.01)
    names = [entry["name"] for entry in json.loads(files["custom-smaller-is-better.json"])]
    assert f"{B} {NAME}" in names
    assert f"{A} {NAME}" in files["pyperf.json"].decode()


def test_it_is_in_the_schema() -> None:
    """With its title, its unit and which way is better."""
    written = run_path(str(WRITE_SCHEMAS))["schema"](Summary)
    row = written["$defs"]["LaneSummary"]["properties"]["metrics"]["properties"][NAME]
    assert row["title"] == ROW.title
    assert {ROW.unit, ROW.better} <= set(re.findall(r"\w+", row["description"]))


def test_it_is_gated_and_has_a_trend() -> None:
    """A run in which one Lane faults twice as often is slower there, and nowhere else."""
    run = folded(lambda record: 600 if record.lane == A else 150, seed=2)
    checked = check(run, folded(faults), Allowed(0.03, 0.005)).lanes
    found = {lane.lane: {each.metric: each.verdict for each in lane.evidence} for lane in checked}
    assert found[A][NAME] is Verdict.SLOWER
    assert found[B][NAME] is Verdict.NO_DIFFERENCE
    assert history_line(run).lanes[A][NAME].point == pytest.approx(600 / 150, rel=0.01)


def test_a_metric_with_a_fold_of_its_own_needs_no_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no counter and no percentile says is a function of a Round's slices."""
    row = replace(ROW, name="slices", counter=None, folding=None, gate=None, noise_floor=False)
    monkeypatch.setitem(FOLDS, row.name, lambda records: float(len(records)))
    with METRICS.with_row(row):
        lane = next(lane for lane in folded(faults).summary.lanes if lane.lane == A)
    assert lane.metrics["slices"].point == experiment().preset.saturated_slices
