"""A new metric is its source, its fold and its row: everything else is derived, from table to gate."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
from msgspec.structs import replace

from bench.analysis.folds import FOLDS
from bench.analysis.summary import Folded, fold
from bench.analysis.tidy_table import tidy
from bench.model.load import Phase
from bench.model.metrics import METRICS, Average, Better, Gate, Metric, Place, Source, Unit
from bench.model.records import SliceRecord
from bench.model.regression import Verdict
from bench.model.summary import Summary
from bench.regression.check import check
from bench.regression.history_line import record as history_line
from bench.regression.ratios import Allowed
from bench.report import charts, html, markdown, terminal
from bench.report.exports import folder
from tests.builders.forms import printed
from tests.builders.runs import A, B, experiment, manifest, run_observations, run_records

WRITE_SCHEMAS = Path(__file__).parent.parent / "docs" / "schemas" / "write.py"
NAME = "bytes_per_answer"
ROW = Metric(
    name=NAME,
    title="bytes received for an answer",
    short="bytes per answer",
    column="B/answer",
    unit=Unit.BYTES,
    better=Better.LOWER,
    source=Source.SLICES,
    average=Average.GEOMETRIC,
    phase=Phase.SATURATED,
    noise_floor=True,
    places=frozenset(Place),
    gate=Gate(rank=9, phase=Phase.SATURATED, relative=True),
)


def bytes_per_answer(records: Any) -> float | None:
    answers = sum(record.requests_in_slice for record in records)
    return sum(record.bytes_received for record in records) / answers if answers else None


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adds the fold and the row; the source, a field of every slice, is there."""
    monkeypatch.setitem(METRICS._rows, NAME, ROW)
    monkeypatch.setitem(FOLDS, NAME, bytes_per_answer)


def folded(size: Callable[[SliceRecord], int], seed: int = 1) -> Folded:
    """Returns a run in which a slice received so many bytes for each answer, nearly."""
    whole = experiment()
    rows = [
        replace(record, bytes_received=record.requests_in_slice * size(record) + record.round + seed)
        for record in run_records(whole)
    ]
    return fold(manifest(whole), rows, (), run_observations(whole))


def size(record: SliceRecord) -> int:
    """Returns the bytes of an answer: the Lane under test has twice those of the others."""
    return 300 if record.lane == A else 150


def test_it_is_summarised_with_its_unit() -> None:
    """Its point is the mean over rounds, in the unit of its row."""
    found = next(lane for lane in folded(size).summary.lanes if lane.lane == A).metrics[NAME]
    assert found.point == pytest.approx(300, rel=0.01)
    assert (found.unit, found.better, found.n) == ("bytes", "lower", 3)


def test_it_is_in_every_table() -> None:
    """By its column and its title, in all three forms of the report."""
    report = folded(size).report
    written = (
        markdown.render(report),
        printed(terminal.render(report, "results")),
        html.render(report, {}),
    )
    for text in written:
        assert ROW.column in text
        assert "300" in text
    assert ROW.title in written[0]
    assert ROW.title in written[2]


def test_it_has_a_panel_in_the_chart_of_the_footprint() -> None:
    """Its title and unit are the panel's."""
    figure = charts.draw(folded(size).report)["footprint"]
    assert f"{ROW.title}, bytes" in [axes.get_title(loc="left") for axes in figure.axes]


def test_it_is_exported() -> None:
    """Trackers get its value under its name; pyperf knows its unit."""
    run = folded(size)
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
    assert {"bytes", "lower"} <= set(re.findall(r"\w+", row["description"]))


def test_it_is_gated_and_has_a_trend() -> None:
    """A run in which one Lane receives twice as much is slower there, and nowhere else."""
    run = folded(lambda record: 600 if record.lane == A else 150, seed=2)
    found = check(run, folded(size), Allowed(0.03, 0.005))
    verdicts = {lane.lane: {each.metric: each.verdict for each in lane.evidence} for lane in found.lanes}
    assert verdicts[A][NAME] is Verdict.SLOWER
    assert verdicts[B][NAME] is Verdict.NO_DIFFERENCE
    assert history_line(run).lanes[A][NAME].point == pytest.approx(600 / 150, rel=0.01)
