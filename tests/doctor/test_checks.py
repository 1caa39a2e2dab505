"""Findings from what a machine says of itself: good, bad, and silent."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.analysis.discard import why_discarded
from bench.doctor import checks
from bench.doctor.checks import Finding, Severity
from bench.model.reason import known
from bench.model.records import Estimate, Machine, Status, Validity
from bench.servers import machine
from tests.builders.machines import HERE, HOST, TRIAL
from tests.builders.runs import experiment, saturated

OK, UNKNOWN, ADVICE, PROBLEM = Severity


def finding(what: str, here: Machine = HERE, **changes: Any) -> Finding:
    found = checks.findings(replace(HOST, **changes), here, experiment())
    return next(finding for finding in found if finding.what == what)


def test_a_good_machine_has_nothing_to_be_mended() -> None:
    """Every finding is ok, and none of them has advice."""
    found = (
        *checks.findings(HOST, HERE, experiment()),
        checks.of_steal(0.0),
        *checks.of_trial(TRIAL),
    )
    assert {finding.severity for finding in found} == {OK}
    assert {finding.advice for finding in found} == {None}


@pytest.mark.parametrize(
    ("what", "changes", "severity", "said"),
    [
        ("cores", {"cores": (0,)}, ADVICE, "1 (0)"),
        ("pinned", {"pinnable": False}, ADVICE, "cannot be pinned"),
        ("SMT", {"siblings": {0: "0-1", 1: "0-1"}}, ADVICE, "0-1 are siblings"),
        ("SMT", {"siblings": {0: "0,2", 1: "1,3"}}, OK, "not shared"),
        ("CPU quota", {"quotas": ("max 100000", "150000 100000")}, PROBLEM, "1.5 cores"),
        ("CPU quota", {"quotas": ("200000 100000",)}, OK, "2 cores"),
        ("CPU quota", {"quotas": ("-1 100000",)}, OK, "no limit"),
        ("frequency governor", {"governors": {0: "performance", 1: "powersave"}}, ADVICE, "performance, powersave"),
        ("turbo", {"no_turbo": "0"}, ADVICE, "on"),
        ("turbo", {"no_turbo": None, "boost": "1"}, ADVICE, "on"),
        ("turbo", {"no_turbo": None, "boost": "0"}, OK, "off"),
        ("load average", {"load_average": 1.5}, ADVICE, "1.50"),
        ("memory", {"available_mib": 100.0}, PROBLEM, "100 MiB"),
        ("open files", {"open_files": 64}, PROBLEM, "64 for the driver, 1,024 for a server"),
        ("clock source", {"clock_source": "hpet"}, ADVICE, "hpet"),
        ("address randomisation", {"address_randomisation": "0"}, ADVICE, "off"),
        ("valgrind", {"versions": {"valgrind": None}}, ADVICE, "not installed"),
    ],
)
def test_each_thing_is_judged(what: str, changes: dict[str, Any], severity: Severity, said: str) -> None:
    """What was found is said, and what is not right has advice."""
    found = finding(what, **changes)
    assert found.severity is severity
    assert said in found.found
    assert (found.advice is not None) == (severity is not OK)


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("SMT", {"siblings": {}}),
        ("CPU quota", {"quotas": None}),
        ("frequency governor", {"governors": {}}),
        ("turbo", {"no_turbo": None, "boost": None}),
        ("turbo", {"no_turbo": "maybe", "boost": ""}),
        ("load average", {"load_average": None}),
        ("memory", {"available_mib": None}),
        ("clock source", {"clock_source": None}),
        ("address randomisation", {"address_randomisation": "?"}),
    ],
)
def test_what_cannot_be_read_is_said_to_be_so(what: str, changes: dict[str, Any]) -> None:
    """Neither good nor bad: not readable, and what was expected."""
    found = finding(what, **changes)
    assert (found.severity, found.found, found.advice) == (UNKNOWN, "not readable", None)
    assert found.expected


def test_open_files_are_those_of_all_connections() -> None:
    """The driver holds a connection of every user to every Lane, and a server those to itself."""
    assert "at least 104 and 72: 5 lanes with 8 connections" in finding("open files").expected
    assert finding("open files", open_files=103).severity is PROBLEM
    assert finding("open files", open_files_of_server=71).severity is PROBLEM
    assert finding("open files", open_files=104, open_files_of_server=72).severity is OK


def test_a_machine_that_pins_nothing_says_so() -> None:
    """One core is advice: it can measure, with servers and driver on one core."""
    nothing = replace(HERE, server_cores=(), driver_cores=())
    assert finding("pinned", nothing).severity is ADVICE
    assert finding("SMT", nothing).severity is UNKNOWN


@pytest.mark.parametrize(("share", "severity"), [(None, UNKNOWN), (0.0, OK), (0.05, ADVICE), (0.3, PROBLEM)])
def test_steal_is_judged_by_its_share(share: float | None, severity: Severity) -> None:
    """Much of it discards slices; some makes intervals wide."""
    assert checks.of_steal(share).severity is severity


@pytest.mark.parametrize("of_each", [0.0, 0.05, 0.09, 0.11, 0.15, 0.5])
def test_steal_is_a_problem_where_a_run_would_find_its_slices_discarded(of_each: float) -> None:
    """On one scale: what was taken from the cores of servers and driver, added up."""
    seen = saturated(slice_s=0.5, steal_s=2 * of_each * 0.5)
    share = checks.steal_share(2 * of_each * 20, 20)
    assert (checks.of_steal(share).severity is PROBLEM) == (why_discarded(seen) is not None)


@pytest.mark.parametrize(("before_s", "after_s"), [(None, 1.0), (1.0, None), (2.0, 1.0)])
def test_steal_that_was_not_counted_is_unknown(before_s: float | None, after_s: float | None) -> None:
    """Nor is it known of a counter that went backwards."""
    assert checks.steal_share(known(machine.difference(before_s, after_s)), 20.0) is None


def test_an_a_a_that_differs_is_told() -> None:
    """Two equal Lanes whose interval excludes 1, or that are not valid, are findings."""
    apart = replace(TRIAL, ratio=Estimate(1.1, 1.05, 1.15, 3, "ratio", ""))
    bound = replace(TRIAL, validity=Validity(Status.DRIVER_BOUND, ("driver at 99 %",)))
    assert [finding.severity for finding in checks.of_trial(apart)] == [OK, ADVICE]
    assert [finding.severity for finding in checks.of_trial(bound)] == [PROBLEM, OK]
    assert "driver at 99 %" in checks.of_trial(bound)[0].found


@given(text=st.none() | st.text(max_size=20))
def test_no_text_of_a_kernel_is_a_traceback(text: str | None) -> None:
    """Whatever a file holds, every thing is found to be something."""
    known = {} if text is None else {0: text, 1: text}
    host = replace(
        HOST,
        siblings=known,
        governors=known,
        quotas=None if text is None else (text,),
        no_turbo=text,
        boost=text,
        clock_source=text,
        address_randomisation=text,
    )
    found = checks.findings(host, HERE, experiment())
    assert len(found) == len(checks.findings(HOST, HERE, experiment()))
