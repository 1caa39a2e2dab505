"""JUnit XML, as Jenkins and Maven Surefire define it: what nearly every CI shows as tests.

Source: ``surefire-test-report.xsd`` of Maven Surefire and ``junit-10.xsd`` of Jenkins' xUnit plugin; it holds for both.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from msgspec import Struct

from bench.model.estimate import Status
from bench.model.metrics import METRICS
from bench.model.regression import Evidence, Judged, Verdict
from bench.model.summary import Cell, LaneSummary, Report
from bench.report import wording
from bench.report.format import printable, times
from bench.report.verdict import said

if TYPE_CHECKING:
    import pandas as pd


class CaseStatus(StrEnum):
    """What became of a test; the values are the elements that say so."""

    PASSED = "passed"
    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"


class Case(Struct, frozen=True, kw_only=True):
    """One test: ``classname`` is what CI sorts it under, ``message`` is one line, ``details`` as many as there are."""

    classname: str
    name: str
    status: CaseStatus
    message: str = ""
    details: str = ""
    time_s: float = 0.0


OF_CELLS = {Status.VALID: CaseStatus.PASSED, Status.FAILING: CaseStatus.FAILURE, Status.FAILED: CaseStatus.ERROR}
"""A wrong answer fails, a Lane that did not run is an error; what the machine or the load discarded is skipped."""


TYPE = "bench"
"""The type of every failure, where other test runners name an exception."""


def render(suite: str, tests: Sequence[Case]) -> bytes:
    """Returns one test suite."""
    root = ET.Element("testsuite", {"name": printable(suite), **_totals(tests)})
    for test in tests:
        root.append(_element(test))
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def cell_cases(report: Report, table: "pd.DataFrame") -> tuple[Case, ...]:
    """Returns a test for each cell of a run: that what was measured there can be trusted."""
    measured_s = table.groupby(["lane", "phase"])["window_s"].sum()
    return tuple(
        _cell_case(report, lane, cell, float(measured_s.get((lane.lane, cell.phase), 0.0)))
        for lane in report.summary.lanes
        for cell in lane.cells
    )


def _cell_case(report: Report, lane: LaneSummary, cell: Cell, time_s: float) -> Case:
    status, reasons = cell.validity.status, cell.validity.reasons
    valid = status is Status.VALID
    return Case(
        classname=lane.lane,
        name=cell.phase,
        status=OF_CELLS.get(status, CaseStatus.SKIPPED),
        message="" if valid else f"{status}, so it is in no export for trackers: {wording.all_said(reasons)}",
        details="\n".join(failure.log_tail for failure in report.summary.failures if failure.lane == lane.lane),
        time_s=time_s,
    )


def _totals(tests: Sequence[Case]) -> dict[str, str]:
    elements = {"errors": CaseStatus.ERROR, "failures": CaseStatus.FAILURE, "skipped": CaseStatus.SKIPPED}
    counts = {name: sum(test.status is status for test in tests) for name, status in elements.items()}
    time_s = sum(test.time_s for test in tests)
    return {"tests": str(len(tests)), **{name: str(count) for name, count in counts.items()}, "time": f"{time_s:.3f}"}


def _element(test: Case) -> ET.Element:
    named = {"classname": printable(test.classname), "name": printable(test.name), "time": f"{test.time_s:.3f}"}
    element = ET.Element("testcase", named)
    if test.status is not CaseStatus.PASSED:
        element.append(_outcome_of(test))
    return element


def _outcome_of(test: Case) -> ET.Element:
    """Returns what became of a test that did not pass; only a failure and an error have a type."""
    said = ET.Element(test.status.value, {"message": printable(test.message)})
    if test.status is not CaseStatus.SKIPPED:
        said.set("type", TYPE)
    said.text = printable(test.details)
    return said


OF_VERDICTS = {
    Verdict.SLOWER: CaseStatus.FAILURE,
    Verdict.INVALID: CaseStatus.ERROR,
    Verdict.UNDECIDED: CaseStatus.SKIPPED,
}
"""A regression fails, and what could not be measured is an error; undecided is shown, and is neither."""


def verdict_cases(judged: Sequence[Judged], ratio_title: str) -> tuple[Case, ...]:
    """Returns a test for each piece of evidence: that nothing became slower."""
    return tuple(_verdict_case(each.name, found, ratio_title) for each in judged for found in each.evidence)


def _verdict_case(name: str, found: Evidence, ratio_title: str) -> Case:
    status = OF_VERDICTS.get(found.verdict, CaseStatus.PASSED)
    ratio = "" if found.ratio is None else f"{ratio_title} {times(found.ratio)}"
    return Case(
        classname=name,
        name=METRICS[found.metric].short,
        status=status,
        message="" if status is CaseStatus.PASSED else "; ".join(filter(None, (said(found), ratio))),
        details="\n".join(map(wording.said, found.reasons)),
    )
