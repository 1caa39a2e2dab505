"""`bench history`: what it shows, what it adds, and what it says of a history that it cannot read."""

import json
import re
from pathlib import Path

import jsonschema
import msgspec
import pytest
from click.testing import Result

from bench.model.history import History
from bench.regression import history_file
from tests.builders.commands import PROJECT, call
from tests.builders.runs import experiment, history_records, manifest, run_observations, run_records
from tests.builders.stored import stored

SCHEMAS = PROJECT / "docs" / "schemas"
WHOLE = experiment()
STEP = [1.5] * 12 + [1.6] * 8


def history(results: Path, *arguments: str) -> Result:
    return call("history", "--out", results, *arguments)


def remembered(results: Path, *cpu: float) -> Path:
    for record in history_records(*cpu):
        history_file.append(results, record)
    return results / history_file.HISTORY


def test_it_shows_trends_and_writes_the_chart(tmp_path: Path) -> None:
    """Text on standard output, 80 columns at most, and the chart beside the history."""
    remembered(tmp_path, *STEP)
    result = history(tmp_path)
    assert result.exit_code == 0
    assert "1.07x" in result.stdout
    assert max(map(len, result.stdout.replace(str(tmp_path), "results").splitlines())) <= 80
    assert (tmp_path / "history.svg").read_bytes().startswith(b"<?xml")
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")


def test_json_is_one_document(tmp_path: Path) -> None:
    """It is as its schema says, and reads back; so are the lines of the history."""
    path = remembered(tmp_path, *STEP)
    document = history(tmp_path, "--json").stdout
    found = msgspec.json.decode(document, type=History)
    assert (found.runs, len(found.trends), len(found.trends[0].steps)) == (20, 1, 1)
    jsonschema.validate(json.loads(document), json.loads((SCHEMAS / "history.json.schema.json").read_text()))
    of_line = json.loads((SCHEMAS / "history.jsonl.schema.json").read_text())
    for line in path.read_text().splitlines():
        jsonschema.validate(json.loads(line), of_line)


def test_a_stored_run_is_added_once(tmp_path: Path) -> None:
    """--add says whether it was new, and shows the history with it."""
    described = manifest(WHOLE, run_id="20260301T101500Z-000001")
    stored(tmp_path, described, run_records(WHOLE), observations=run_observations(WHOLE))
    first, second = (history(tmp_path, "--add", "20260301T101500Z-000001") for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "added to the history" in first.stderr
    assert "in the history already" in second.stderr
    assert len(history_file.read(tmp_path)) == 1


@pytest.mark.parametrize("make", [False, True], ids=["absent", "empty"])
def test_without_a_history_there_is_one_line(tmp_path: Path, make: bool) -> None:
    """Exit code 3: nothing was measured."""
    if make:
        (tmp_path / "history.jsonl").touch()
    result = history(tmp_path)
    assert (result.exit_code, result.stdout) == (3, "")
    assert re.match(r"bench: .*`bench run`", result.stderr)
    assert len(result.stderr.splitlines()) == 1


def test_a_damaged_line_is_one_line_and_nothing_changes(tmp_path: Path) -> None:
    """Exit code 2, with the file and the line; no chart is written."""
    path = remembered(tmp_path, *STEP)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4][:50] + b"\n"
    path.write_bytes(b"".join(lines))
    result = history(tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "history.jsonl: line 5: " in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert path.read_bytes() == b"".join(lines)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["history.jsonl"]


def test_an_interrupted_run_is_not_added(tmp_path: Path) -> None:
    """Exit code 3, with its id and the reason; there is still no history."""
    stored(tmp_path, manifest(WHOLE, run_id="20260301T101500Z-000001"))
    result = history(tmp_path, "--add", "20260301T101500Z-000001")
    assert result.exit_code == 3
    assert "20260301T101500Z-000001: found an interrupted run" in result.stderr
    assert not (tmp_path / "history.jsonl").exists()


def test_an_unknown_run_is_named(tmp_path: Path) -> None:
    """Exit code 2, as for every command that takes a run."""
    result = history(tmp_path, "--add", "no-such-run")
    assert result.exit_code == 2
    assert "no-such-run: found no manifest.json" in result.stderr
