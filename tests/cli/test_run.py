"""`bench run`: what becomes of a run that was measured."""

from contextlib import nullcontext
from pathlib import Path
from unittest.mock import Mock

import pytest
from click.testing import Result

from bench.model.experiment import Experiment, only
from bench.model.records import Manifest
from bench.regression import history_file
from bench.run import store
from tests.builders.commands import call
from tests.builders.runs import A, B, experiment, manifest, run_observations, run_records

WHOLE = experiment()


def run(results: Path, whole: Experiment, monkeypatch: pytest.MonkeyPatch) -> Result:
    """Runs `bench run`; what is measured is made up."""

    def measure(testbed: None, described: Manifest, sink: store.Run) -> bool:
        names = {lane.name for lane in whole.lanes}
        sink.describe(described)
        for row in run_records(WHOLE):
            if row.lane in names:
                sink.append(row)
        for observation in run_observations(WHOLE):
            if observation.lane in names:
                sink.observe(observation)
        return True

    monkeypatch.setattr("bench.cli.run.chosen", lambda **_: (None, whole))
    monkeypatch.setattr("bench.run.session.open_testbed", lambda *_: nullcontext())
    monkeypatch.setattr("bench.run.session.draft", lambda _, run_id: manifest(whole, run_id=run_id))
    monkeypatch.setattr("bench.cli.run._measured", measure)
    return call("run", "--out", results)


def test_a_run_is_read_once_for_its_reports_and_the_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its line is the one that its folder gives when it is added later."""
    read = Mock(wraps=store.read)
    monkeypatch.setattr("bench.run.store.read", read)
    result = run(tmp_path / "one", WHOLE, monkeypatch)
    assert result.exit_code == 0, result.output
    read.assert_called_once()
    assert call("history", "--out", tmp_path / "other", "--add", tmp_path / "one" / "latest").exit_code == 0
    lines = [(tmp_path / name / history_file.HISTORY).read_bytes() for name in ("one", "other")]
    assert lines[0] == lines[1] != b""


def test_a_run_without_raw_is_said_and_does_not_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`bench run` measured what it was asked for: exit code 0, one line that says so, and none in the history."""
    result = run(tmp_path, only(WHOLE, [A, B]), monkeypatch)
    assert result.exit_code == 0, result.output
    (line,) = (line for line in result.stderr.splitlines() if "raw = true" in line)
    assert line.startswith(f"bench: {(tmp_path / 'latest').resolve().name}: ")
    assert not (tmp_path / "history.jsonl").exists()
