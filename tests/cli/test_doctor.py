"""`bench doctor` and `bench plan --detect`: what they print, their exit codes, and a real A/A, short."""

import json
import re
import shutil
from pathlib import Path

import jsonschema
import msgspec
import pytest
from msgspec.structs import replace

from bench.doctor import aa_test
from bench.doctor.diagnosis import MAX_ROUNDS, Diagnosis, What
from bench.model.experiment import Experiment, Sweep
from bench.model.load import Closed
from bench.model.reason import Code, reason
from bench.model.records import SliceRecord
from bench.report.wording import said
from bench.run import store
from tests.builders.commands import PROJECT, call
from tests.builders.runs import experiment, manifest, run_records, sweep_records
from tests.builders.stored import stored

ONE_LANE = ("--preset", "quick", "--lane", "raw_hello@uvicorn")


def latest(results: Path, whole: Experiment, records: list[SliceRecord]) -> None:
    """Stores a run as the latest one."""
    store.mark_latest(results, stored(results, manifest(whole), records))


def test_rounds_are_proposed_from_the_latest_run(tmp_path: Path) -> None:
    """`bench plan --detect 3%`: rounds and time for each Group, by the pair that spread most."""
    latest(tmp_path, experiment(), run_records(experiment()))
    result = call("plan", "--detect", "3%", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    proposal = json.loads(call("plan", "--detect", "3%", "--out", tmp_path, "--json").stdout)
    named = (f"rounds = {proposal['rounds']}", "[presets.small]", "3 %", "95 %", "80 %")
    assert [name for name in named if name not in result.stdout] == []
    assert " and ".join(proposal["groups"][0]["lanes"]) in " ".join(result.stdout.split())
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    assert proposal["groups"][0]["comparisons"] == 3
    assert proposal["rounds"] >= 3


def test_a_run_that_tells_nothing_is_said_to(tmp_path: Path) -> None:
    """Two rounds, or a difference too small: exit code 3, and why."""
    short = experiment(preset=replace(experiment().preset, rounds=2))
    latest(tmp_path / "short", short, run_records(short))
    result = call("plan", "--detect", "3%", "--out", tmp_path / "short")
    assert result.exit_code == 3
    assert said(reason(Code.NO_VALID_PAIR, rounds=3)) in " ".join(result.stdout.split())
    assert "rounds = " not in result.stdout
    latest(tmp_path / "fine", experiment(), run_records(experiment()))
    result = call("plan", "--detect", "0.001%", "--out", tmp_path / "fine")
    assert result.exit_code == 3
    assert f"{MAX_ROUNDS:,} rounds" in result.stdout
    assert "rounds = " not in result.stdout


def test_without_a_run_nothing_is_proposed(tmp_path: Path) -> None:
    """One line, and what to do."""
    result = call("plan", "--detect", "3%", "--out", tmp_path)
    assert result.exit_code == 2
    assert re.fullmatch(rf"bench: {tmp_path}/latest: .*`bench run`.*\n", result.stderr)


def test_a_sweep_is_nothing_to_go_by(tmp_path: Path) -> None:
    """It is not the Lanes' fault that nothing can be proposed: one line, and what to do."""
    whole = replace(experiment(), sweep=Sweep(loads=(Closed(1), Closed(2)), slo_ms=10.0))
    latest(tmp_path, whole, sweep_records(whole))
    result = call("plan", "--detect", "3%", "--out", tmp_path)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "/latest: found a sweep" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("wrong", ["3", "0.03", "0%", "-3%", "100%", "three%", "%", "nan%"])
def test_a_difference_is_a_percentage(wrong: str, tmp_path: Path) -> None:
    """0.03 could be 3 % or 0.03 %: the sign is asked for."""
    result = call("plan", f"--detect={wrong}", "--out", tmp_path)
    assert result.exit_code == 2
    assert f"found {wrong!r}, expected a percentage" in " ".join(result.stderr.split())


def test_a_short_a_a_says_what_this_machine_tells_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real servers, the real driver: one document as its schema says, with a difference or why there is none."""
    monkeypatch.setattr(aa_test, "AA_TEST_S", 1.0)
    result = call("doctor", "--config", PROJECT / "bench.toml", *ONE_LANE, "--json")
    document = json.loads(result.stdout)
    schema = PROJECT / "docs" / "schemas" / "doctor.json.schema.json"
    jsonschema.validate(document, json.loads(schema.read_text()))
    found = msgspec.convert(document, Diagnosis)
    assert found.aa_test is not None
    assert found.aa_test.lane == "raw_hello@uvicorn"
    assert found.aa_test.rounds == 3
    if found.aa_test.difference is None or found.aa_test.resolution is None:  # a busy machine may spoil an A/A
        assert result.exit_code == 3, result.output
        assert found.reason == found.aa_test.reason
        assert found.reason is not None
        assert found.reason.code is Code.AA_NOT_VALID
    else:
        assert result.exit_code == 0, result.output
        assert found.aa_test.difference.point > 0
        assert found.aa_test.resolution.rounds == 3
        assert found.reason is None
    assert {finding.what for finding in found.findings} == set(What)


def test_an_a_a_that_cannot_run_is_exit_code_3(tmp_path: Path) -> None:
    """A broken App is named with its reason; the findings are told nevertheless."""
    shutil.copy(PROJECT / "bench.toml", tmp_path)
    shutil.copytree(PROJECT / "apps", tmp_path / "apps")
    (PROJECT / ".bench").mkdir(exist_ok=True)
    (tmp_path / ".bench").symlink_to(PROJECT / ".bench")
    (tmp_path / "apps" / "raw_hello" / "raw_hello.py").write_text("raise ImportError('broken')")
    result = call("doctor", "--config", tmp_path / "bench.toml", *ONE_LANE)
    assert result.exit_code == 3, result.output
    assert "open files" in result.stdout
    assert ": raw_hello@uvicorn: round 1, start: " in " ".join(result.stdout.split())
