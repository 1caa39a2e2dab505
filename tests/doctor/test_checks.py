"""Findings from what a machine says of itself: good, bad, and silent."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.analysis.discard import why_discarded
from bench.doctor import checks
from bench.doctor.diagnosis import Finding, Severity, What
from bench.model.estimate import Estimate, Status, Validity
from bench.model.reason import Code, known, reason
from bench.model.records import Machine
from bench.servers import counters
from tests.builders.machines import AA_TEST, HERE, HOST
from tests.builders.runs import experiment, saturated

OK, UNKNOWN, ADVICE, PROBLEM = Severity


def finding(what: What, here: Machine = HERE, **changes: Any) -> Finding:
    found = checks.findings(replace(HOST, **changes), here, experiment())
    return next(finding for finding in found if finding.what == what)


def test_a_good_machine_has_nothing_to_be_mended() -> None:
    """Every finding is ok."""
    found = (
        *checks.findings(HOST, HERE, experiment()),
        checks.of_steal(0.0),
        *checks.of_aa_test(AA_TEST),
    )
    assert {finding.severity for finding in found} == {OK}


@pytest.mark.parametrize(
    ("what", "changes", "severity", "values"),
    [
        (What.CORES, {"cores": (0,)}, ADVICE, {"cores": (0,), "needed": 2, "workers": 1}),
        (What.PINNING, {"pinnable": False}, ADVICE, {"state": "unpinnable"}),
        (What.SMT, {"siblings": {0: "0-1", 1: "0-1"}}, ADVICE, {"state": "shared", "shared": ("0-1",)}),
        (What.SMT, {"siblings": {0: "0,2", 1: "1,3"}}, OK, {"state": "unshared", "shared": ()}),
        (What.CPU_QUOTA, {"quotas": ("max 100000", "150000 100000")}, PROBLEM, {"cores": 1.5, "needed": 2}),
        (What.CPU_QUOTA, {"quotas": ("200000 100000",)}, OK, {"cores": 2}),
        (What.CPU_QUOTA, {"quotas": ("-1 100000",)}, OK, {"cores": None}),
        (
            What.GOVERNOR,
            {"governors": {0: "performance", 1: "powersave"}},
            ADVICE,
            {"governors": ("performance", "powersave")},
        ),
        (What.TURBO, {"no_turbo": "0"}, ADVICE, {"state": "on", "file": "intel_pstate/no_turbo", "value": 1}),
        (
            What.TURBO,
            {"no_turbo": None, "boost": "1"},
            ADVICE,
            {"state": "on", "file": "cpufreq/boost", "value": 0},
        ),
        (What.TURBO, {"no_turbo": None, "boost": "0"}, OK, {"state": "off"}),
        (What.LOAD_AVERAGE, {"load_average": 1.5}, ADVICE, {"load_average": 1.5, "most": 0.5}),
        (What.MEMORY, {"available_mib": 100.0}, PROBLEM, {"available_mib": 100.0, "needed_mib": 832, "lanes": 5}),
        (What.OPEN_FILES, {"open_files": 64}, PROBLEM, {"of_driver": 64, "of_server": 1024}),
        (What.CLOCK_SOURCE, {"clock_source": "hpet"}, ADVICE, {"clock_source": "hpet"}),
        (What.ADDRESS_RANDOMISATION, {"address_randomisation": "0"}, ADVICE, {"state": "off"}),
        (What.ADDRESS_RANDOMISATION, {"address_randomisation": "1"}, ADVICE, {"state": "partial"}),
        (What.VALGRIND, {"versions": {"valgrind": None}}, ADVICE, {"version": None}),
    ],
)
def test_each_thing_is_judged(what: What, changes: dict[str, Any], severity: Severity, values: dict[str, Any]) -> None:
    """By what was found, which is in its values."""
    found = finding(what, **changes)
    assert found.severity is severity
    assert found.values.items() >= values.items()


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        (What.SMT, {"siblings": {}}),
        (What.CPU_QUOTA, {"quotas": None}),
        (What.GOVERNOR, {"governors": {}}),
        (What.TURBO, {"no_turbo": None, "boost": None}),
        (What.TURBO, {"no_turbo": "maybe", "boost": ""}),
        (What.LOAD_AVERAGE, {"load_average": None}),
        (What.MEMORY, {"available_mib": None}),
        (What.CLOCK_SOURCE, {"clock_source": None}),
        (What.ADDRESS_RANDOMISATION, {"address_randomisation": "?"}),
    ],
)
def test_what_cannot_be_read_is_unknown(what: What, changes: dict[str, Any]) -> None:
    """Neither good nor bad: what was not read is None, and what was expected is known."""
    found, good = finding(what, **changes), finding(what)
    assert found.severity is UNKNOWN
    assert None in found.values.values()
    assert found.values.keys() == good.values.keys()


def test_open_files_are_those_of_all_connections() -> None:
    """The driver holds a connection of every user to every Lane, and a server those to itself."""
    needed = {"needed_of_driver": 104, "needed_of_server": 72, "lanes": 5, "connections": 8}
    assert finding(What.OPEN_FILES).values.items() >= needed.items()
    assert finding(What.OPEN_FILES, open_files=103).severity is PROBLEM
    assert finding(What.OPEN_FILES, open_files_of_server=71).severity is PROBLEM
    assert finding(What.OPEN_FILES, open_files=104, open_files_of_server=72).severity is OK


def test_a_machine_that_pins_nothing_says_so() -> None:
    """One core is advice: it can measure, with servers and driver on one core."""
    nothing = replace(HERE, server_cores=(), driver_cores=())
    assert finding(What.PINNING, nothing).severity is ADVICE
    assert finding(What.SMT, nothing).severity is UNKNOWN


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
    assert checks.steal_share(known(counters.difference(before_s, after_s)), 20.0) is None


def test_an_a_a_that_differs_is_told() -> None:
    """Two equal Lanes whose interval excludes 1, or that are not valid, are findings."""
    apart = replace(AA_TEST, ratio=Estimate.ratio(1.1, 1.05, 1.15, 3))
    full = reason(Code.DRIVER_FULL, server_share=0.5, driver_share=0.99)
    bound = replace(AA_TEST, validity=Validity(Status.DRIVER_BOUND, (full,)))
    assert [finding.severity for finding in checks.of_aa_test(apart)] == [OK, ADVICE]
    assert [finding.severity for finding in checks.of_aa_test(bound)] == [PROBLEM, OK]
    assert checks.of_aa_test(bound)[0].values == {"status": Status.DRIVER_BOUND}
    assert checks.of_aa_test(bound)[0].because == (full,)


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
