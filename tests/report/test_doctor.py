"""What `bench doctor` says: every finding in words, the verdict in one sentence, at 80 columns."""

import re
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
from msgspec.structs import replace

from bench.doctor import checks
from bench.doctor.diagnosis import AaTest, Diagnosis, Finding, Severity, What
from bench.model.estimate import Status
from bench.model.reason import Code, Reason, reason
from bench.report import findings
from bench.report.doctor import diagnosis_text, verdict
from bench.report.wording import said
from tests.builders.machines import AA_TEST, HERE, HOST
from tests.builders.runs import experiment

DOCS = Path(__file__).parent.parent.parent / "docs"
FULL = reason(Code.DRIVER_FULL, server_share=0.5, driver_share=0.97)
NOT_VALID = reason(Code.AA_NOT_VALID, FULL, status=Status.DRIVER_BOUND)
FOUND: dict[What, tuple[dict[str, Any], tuple[str, ...]]] = {
    What.CORES: ({"cores": (0, 3), "needed": 5, "workers": 4}, ("2", "0, 3", "5", "4")),
    What.PINNING: ({"state": "pinned", "server_cores": (2,), "driver_cores": (7,)}, ("2", "7")),
    What.SMT: ({"state": "shared", "shared": ("0-1", "4-5")}, ("0-1", "4-5")),
    What.CPU_QUOTA: ({"cores": 1.5, "needed": 2}, ("1.5", "2")),
    What.GOVERNOR: ({"governors": ("ondemand", "powersave")}, ("ondemand, powersave",)),
    What.TURBO: ({"state": "on", "file": "cpufreq/boost", "value": 0}, ("on", "echo 0", "cpufreq/boost")),
    What.LOAD_AVERAGE: ({"load_average": 1.25, "most": 0.5}, ("1.25", "0.5")),
    What.MEMORY: ({"available_mib": 1100.0, "needed_mib": 1632, "lanes": 17}, ("1,100 MiB", "1,632 MiB", "17")),
    What.OPEN_FILES: (
        {
            "of_driver": 256,
            "of_server": 128,
            "needed_of_driver": 1104,
            "needed_of_server": 172,
            "lanes": 13,
            "connections": 80,
        },
        ("256", "128", "1,104", "172", "13", "80"),
    ),
    What.CLOCK_SOURCE: ({"clock_source": "hpet"}, ("hpet",)),
    What.ADDRESS_RANDOMISATION: ({"state": "off"}, ("off",)),
    What.VALGRIND: ({"version": "3.19.0"}, ("3.19.0",)),
    What.STEAL: (
        {"steal_share": 0.053, "noticeable_share": 0.01, "discard_share": 0.2},
        ("5.30 %", "1.00 %", "20.0 %"),
    ),
    What.AA_VALIDITY: ({"status": Status.STARVED}, ("starved",)),
    What.AA_RATIO: ({"ratio": 1.1, "low": 1.05, "high": 1.15}, ("1.100", "1.050", "1.150")),
}
"""What may be found, and what has to be named of it."""


def diagnosed(found: AaTest | None = AA_TEST, why: Reason | None = None) -> Diagnosis:
    poor = replace(HOST, governors={0: "powersave"}, boost=None, no_turbo=None, open_files=10)
    return Diagnosis(
        preset="standard",
        machine=HERE,
        versions={"python": "3.11.2", "locust": "2.47.0", "wrk": None, **{f"package{n}": "1.0" for n in range(9)}},
        findings=(*checks.findings(poor, HERE, experiment()), *(checks.of_aa_test(found) if found else ())),
        aa_test=found,
        reason=why,
    )


# ---------------------------------------------------------------- findings


def test_a_docstring_names_the_values() -> None:
    """All of them, and nothing else is written like one."""
    ((_, members),) = run_path(str(DOCS / "write_reasons.py"))["documented"](What)
    named = {What[name]: set(re.findall(r"``(\w+)``", text)) for name, text in members}
    assert named == {what: set(values) for what, (values, _) in FOUND.items()}


def test_everything_that_is_looked_at_has_words() -> None:
    """And a sample here, with the values that it has when it is found."""
    assert set(findings.FINDING_WORDS) == set(FOUND) == set(What)
    everything = (
        *checks.findings(HOST, HERE, experiment()),
        checks.of_steal(0.0),
        *checks.of_aa_test(AA_TEST),
    )
    assert {finding.what: finding.values.keys() for finding in everything} == {
        what: values.keys() for what, (values, _) in FOUND.items()
    }


@pytest.mark.parametrize("what", What)
def test_a_finding_names_its_values(what: What) -> None:
    """In what was found, what was expected, and what to do."""
    values, named = FOUND[what]
    finding = Finding(what=what, severity=Severity.PROBLEM, values=values)
    told = " | ".join((findings.found(finding), findings.expected(finding), findings.advice(finding)))
    assert [name for name in named if name not in told] == []
    assert "unknown" not in told


@pytest.mark.parametrize("what", What)
def test_what_is_not_known_is_not_readable(what: What) -> None:
    """Whatever it was to be."""
    finding = Finding(what=what, severity=Severity.UNKNOWN, values=dict.fromkeys(FOUND[what][0]))
    assert findings.found(finding) == findings.NOT_READABLE


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        (What.PINNING, {"state": "unpinned"}),
        (What.PINNING, {"state": "unpinnable"}),
        (What.SMT, {"state": "unshared"}),
        (What.SMT, {"state": "none"}),
        (What.CPU_QUOTA, {"cores": None}),
        (What.ADDRESS_RANDOMISATION, {"state": "partial"}),
        (What.VALGRIND, {"version": None}),
        (What.AA_RATIO, {"low": None, "high": None}),
    ],
)
def test_every_state_has_words(what: What, changes: dict[str, Any]) -> None:
    """No state is said by its code, and nothing is called unknown that is known."""
    told = findings.found(Finding(what=what, severity=Severity.OK, values={**FOUND[what][0], **changes}))
    assert told
    assert not re.search("unknown|None|unpinn|unshared|partial", told)


def test_the_validity_of_an_a_a_has_its_reasons() -> None:
    """Beside the status."""
    finding = Finding(
        what=What.AA_VALIDITY, severity=Severity.PROBLEM, values={"status": Status.DRIVER_BOUND}, because=(FULL,)
    )
    assert findings.found(finding) == f"driver-bound; {said(FULL)}"


# ---------------------------------------------------------------- the whole


def test_the_verdict_is_one_sentence() -> None:
    """What differs by how much is told apart in how long, and what is not known of that."""
    told = verdict(AA_TEST, None, "standard")
    named = ("3.10 %", "5.5 min", "standard", "6 rounds", "1.60 % to 8.10 %")
    assert [name for name in named if name not in told] == []
    assert told.count(".") == len(re.findall(r"\d\.\d", told)) + 1
    assert verdict(None, reason(Code.SAID, text="no Lane\nis left"), "standard").endswith(": no Lane is left")


def test_an_a_a_that_is_not_valid_has_no_verdict() -> None:
    """The sentence says why, no difference is claimed beside it, and the spread is marked."""
    bound = replace(AA_TEST, difference=None, resolution=None, others=(), reason=NOT_VALID)
    text = diagnosis_text(diagnosed(bound, NOT_VALID)).plain
    assert " ".join(text.split()).endswith(f": {said(NOT_VALID)}")
    assert "to tell apart" not in text
    assert "2.00 % (1.00 % to 5.00 %)?" in text


def test_findings_read_well_at_80_columns() -> None:
    """Each has its mark, and what to do below it; no line is longer, and the verdict ends it."""
    text = diagnosis_text(diagnosed()).plain
    assert max(len(line) for line in text.splitlines()) <= 80
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert any(line.startswith("problem open files 10 ") for line in lines)
    assert any(line.startswith("-> ulimit -n 104") for line in lines)
    assert f"unknown turbo {findings.NOT_READABLE}" in lines
    for what in ("1 % 50 rounds, 45.8 min", "5,000 rounds", "wrk none"):
        assert what in " ".join(text.split())
    assert text.endswith("1.60 % to 8.10 %.")


def test_what_is_well_has_no_advice() -> None:
    """Nor does what is not known."""
    text = diagnosis_text(diagnosed()).plain
    advised = sum(finding.severity in (Severity.ADVICE, Severity.PROBLEM) for finding in diagnosed().findings)
    assert text.count("-> ") == advised


def test_without_an_a_a_the_findings_stand() -> None:
    """What is known of the machine is told, and why the rest is not."""
    text = diagnosis_text(diagnosed(None, reason(Code.SAID, text="no Lane [/here]"))).plain
    assert "open files" in text
    assert "to tell apart 1 %" not in text
    assert " ".join(text.split()).endswith(": no Lane [/here]")
