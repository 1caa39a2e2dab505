"""history.jsonl: what was appended comes back in its order, once; what is damaged is named and left alone."""

import re
import shutil
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.model.errors import ExitCode
from bench.model.formats import HISTORY_VERSION
from bench.model.history import DamagedHistory, HistoryRecord, OtherHistory
from bench.regression import history_file, trends
from bench.regression.history_file import HISTORY
from tests.builders.runs import history_record

STORED = Path(__file__).parent.parent / "data" / "history-v1.jsonl"
IDS = st.lists(st.integers(0, 30).map(lambda number: f"20260301T1015{number:02}Z-3f9a1c"), max_size=20)


def appended(results: Path, *records: HistoryRecord) -> Path:
    for record in records:
        history_file.append(results, record)
    return results / HISTORY


@given(run_ids=IDS)
def test_lines_keep_their_order_and_twice_is_once(tmp_path_factory: pytest.TempPathFactory, run_ids: list[str]) -> None:
    """Records come back in the order in which their runs were first appended, and a second time changes nothing."""
    results = tmp_path_factory.mktemp("results")
    added = [history_file.append(results, history_record(run_id=run_id)) for run_id in run_ids]
    assert sum(added) == len(set(run_ids))
    assert [record.run_id for record in history_file.read(results)] == list(dict.fromkeys(run_ids))


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    """Every field, also an interval that there is not, and text of any kind."""
    record = history_record(project_revision=None, preset="Zoë\n\u2028")
    appended(tmp_path, record)
    assert history_file.read(tmp_path) == [record]


def test_lines_with_nothing_in_them_are_no_damage(tmp_path: Path) -> None:
    """A merge by hand may leave some."""
    path = appended(tmp_path, history_record(run_id="a"), history_record(run_id="b"))
    path.write_bytes(path.read_bytes().replace(b"\n", b"\n \n\n"))
    assert [record.run_id for record in history_file.read(tmp_path)] == ["a", "b"]


def test_without_a_file_there_are_no_records(tmp_path: Path) -> None:
    """Neither the file nor its folder has to exist, and reading makes neither."""
    assert history_file.read(tmp_path / "results") == []
    assert not (tmp_path / "results").exists()


@given(damage=st.binary(max_size=30).filter(lambda damage: len(damage.splitlines()) == 1 and bool(damage.strip())))
def test_a_damaged_line_is_named_and_the_file_stays(tmp_path_factory: pytest.TempPathFactory, damage: bytes) -> None:
    """The message has the file, the line and what to do; the other lines are still there afterwards."""
    results = tmp_path_factory.mktemp("results")
    path = appended(results, history_record(run_id="a"), history_record(run_id="b"))
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + damage + b"\n" + second)
    with pytest.raises(DamagedHistory, match=r"history\.jsonl: line 2: "):
        history_file.read(results)
    assert path.read_bytes() == first + damage + b"\n" + second


@pytest.mark.parametrize("time", ["zzz", "", "2026-03-01", "2026-03-01T10:15:00+01:00", "2026-23-01T10:15:00Z"])
def test_a_time_that_is_none_is_damage(tmp_path: Path, time: str) -> None:
    """It would stand anywhere in the order of the runs, as the latest too."""
    appended(tmp_path, history_record(), history_record(run_id="other", started_utc=time))
    with pytest.raises(DamagedHistory, match=r"line 2: .*started_utc"):
        history_file.read(tmp_path)


def test_a_future_format_is_named(tmp_path: Path) -> None:
    """Also where its fields have changed their meaning."""
    path, future = appended(tmp_path, history_record()), HISTORY_VERSION + 1
    for line in (
        msgspec.json.encode(replace(history_record(), format_version=future)),
        msgspec.json.encode({"format_version": future, "lanes": 3}),
    ):
        path.write_bytes(line + b"\n")
        with pytest.raises(OtherHistory, match=rf"line 1: format_version: found {future}, .*\b1 to {future - 1}\b"):
            history_file.read(tmp_path)
    assert (OtherHistory.exit_code, DamagedHistory.exit_code) == (ExitCode.NOT_MEASURED, ExitCode.WRONG_USAGE)


@pytest.mark.parametrize("value", [b"0", b"-1.5", b'"1"', b"null"])
def test_a_figure_that_is_not_above_zero_is_damage(tmp_path: Path, value: bytes) -> None:
    """It has no logarithm, and no run has written it."""
    path = appended(tmp_path, history_record())
    path.write_bytes(path.read_bytes().replace(b"[1.5,", b"[" + value + b","))
    with pytest.raises(DamagedHistory, match="line 1"):
        history_file.read(tmp_path)


@given(kept=st.integers(1, 200))
def test_a_line_that_was_cut_short_is_not_made_worse(tmp_path_factory: pytest.TempPathFactory, kept: int) -> None:
    """The next line is a line of its own, the rest of the broken one stays, and its run can be added again."""
    results = tmp_path_factory.mktemp("results")
    path = appended(results, history_record(run_id="a"))
    whole = path.read_bytes()
    cut = whole[:kept]
    path.write_bytes(cut)
    assert history_file.append(results, history_record(run_id="b"))
    assert history_file.append(results, history_record(run_id="a"))
    lines = path.read_bytes().split(b"\n")
    assert lines[0] == cut
    assert [msgspec.json.decode(line)["run_id"] for line in lines[1:-1]] == ["b", "a"]


def test_a_line_that_only_lacks_its_end_is_whole(tmp_path: Path) -> None:
    """As an editor may leave it: it is read, and stays when another one follows."""
    path = appended(tmp_path, history_record(run_id="a"))
    path.write_bytes(path.read_bytes().rstrip())
    assert not history_file.append(tmp_path, history_record(run_id="a"))
    assert history_file.append(tmp_path, history_record(run_id="b"))
    assert [record.run_id for record in history_file.read(tmp_path)] == ["a", "b"]


def test_lines_differ_only_where_runs_do(tmp_path: Path) -> None:
    """Keys have a fixed order and a line has no spaces, so that a diff shows what a run added."""
    path = appended(tmp_path, history_record(run_id="a"), history_record(run_id="b"))
    first, second = path.read_text().splitlines()
    assert first.replace('"a"', '"b"') == second
    assert first.startswith(f'{{"format_version":{HISTORY_VERSION},"run_id":"a","started_utc":')


@pytest.mark.parametrize("metric", ["cpu_us_per_requets", "rss_mib"])
def test_a_metric_without_a_row_or_a_trend_is_named(tmp_path: Path, metric: str) -> None:
    """With its file and line; the lines before it are none the worse."""
    path = appended(tmp_path, history_record(run_id="a"), history_record(run_id="b"))
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second.replace(b"cpu_us_per_request", metric.encode()))
    with pytest.raises(DamagedHistory, match=re.escape(f"{path}: line 2: ")) as refusal:
        history_file.read(tmp_path)
    assert repr(metric) in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def test_lines_of_the_first_version_are_read_among_those_of_today(tmp_path: Path) -> None:
    """They were written by the code of then, and stay as they are when another one follows."""
    shutil.copy(STORED, tmp_path / HISTORY)
    before = STORED.read_bytes()
    assert history_file.append(tmp_path, history_record(run_id="new"))
    assert not history_file.append(tmp_path, history_record(run_id="20261130T224748Z-d9598c"))
    found = history_file.read(tmp_path)
    assert [record.run_id for record in found[:1] + found[-1:]] == ["20261130T224748Z-d9598c", "new"]
    assert {record.format_version for record in found} == {HISTORY_VERSION}
    assert (tmp_path / HISTORY).read_bytes().startswith(before)
    chosen = trends.like_latest(found[:-1])
    assert [len(chosen.records), chosen.other_conditions] == [5, 6]


@pytest.mark.parametrize("version", [0, True, "1", None, 1.5])
def test_a_version_that_is_none_is_damage(tmp_path: Path, version: object) -> None:
    """The line is named, with what to do."""
    line = msgspec.json.decode(msgspec.json.encode(history_record())) | {"format_version": version}
    (tmp_path / HISTORY).write_bytes(msgspec.json.encode(line) + b"\n")
    with pytest.raises(DamagedHistory, match=r"line 1: format_version: found "):
        history_file.read(tmp_path)
