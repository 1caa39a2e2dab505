"""A run's folder: what was appended comes back, and what is damaged is named."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.analysis import missing
from bench.analysis.summary import fold
from bench.model import formats
from bench.model.errors import ExitCode
from bench.model.experiment import Side
from bench.model.formats import FORMAT_VERSION, to_json, to_row
from bench.model.reason import Code, reason
from bench.model.records import Failure, Observation, SliceRecord
from bench.report.publish import publish
from bench.run import store
from tests.builders.runs import LANES, A, B, experiment, failure, fixed, manifest, run_records, saturated
from tests.builders.stored import stored

RUN_ID = "20260301T101500Z-3f9a1c"


def written(results: Path, *rows: SliceRecord | Failure, run_id: str = RUN_ID) -> Path:
    """Returns the folder of a run with a manifest and these rows."""
    records = [row for row in rows if isinstance(row, SliceRecord)]
    return stored(results, manifest(run_id=run_id), records, [row for row in rows if isinstance(row, Failure)])


def hidden(folder: Path) -> list[str]:
    """Returns the names of files below a folder that a reader is not to see."""
    return [path.name for path in folder.rglob(".*")]


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    """Manifest, records and failures are the same, in the same order."""
    records = run_records(experiment())
    failures = (failure(A, log_tail="Zoë\n\u2028\r\x00"), failure(B))
    run = store.read(written(tmp_path, *records, *failures))
    assert run.manifest == manifest()
    assert run.records == tuple(records)
    assert run.failures == failures
    assert run.folder == tmp_path / RUN_ID


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    errors=st.dictionaries(TEXT, st.integers(0, 2**53)),
    at_s=st.floats(0, 1e9),
    cpu_ns=st.none() | st.integers(0, 2**63 - 1),
    text=TEXT,
)
def test_any_value_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, errors: dict[str, int], at_s: float, cpu_ns: int | None, text: str
) -> None:
    """Whatever a server's log or an error's name has in it, a row stays on its line."""
    record = saturated(errors=errors, at_s=at_s, server_cpu_ns=cpu_ns)
    noted = failure(A, reason=reason(Code.SAID, text=text), log_tail=text)
    run = store.read(written(tmp_path_factory.mktemp("results"), record, noted, fixed()))
    assert run.records == (record, fixed())
    assert run.failures == (noted,)


def test_a_record_can_be_read_as_soon_as_it_is_appended(tmp_path: Path) -> None:
    """A run that is killed later has lost nothing that was appended before."""
    with store.create(tmp_path, RUN_ID) as run:
        run.describe(manifest())
        run.append(saturated())
        run.fail(failure(B))
        assert store.read(run.folder).records == (saturated(),)
        assert store.read(run.folder).failures == (failure(B),)
        run.sync()


def test_what_was_appended_stays_when_a_run_breaks_off(tmp_path: Path) -> None:
    """Whatever ends a run."""

    def break_off() -> None:
        with store.create(tmp_path, RUN_ID) as run:
            run.describe(manifest())
            run.append(saturated())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert store.read(tmp_path / RUN_ID).records == (saturated(),)


def test_a_run_without_rows_can_be_read(tmp_path: Path) -> None:
    """It may have been interrupted before its first slice ended."""
    folder = written(tmp_path)
    (folder / store.FAILURES).unlink()
    assert store.read(folder) == store.StoredRun(folder, manifest(), (), (), ())


def test_a_run_is_never_written_over(tmp_path: Path) -> None:
    """A folder that is there belongs to another run."""
    written(tmp_path)
    with pytest.raises(FileExistsError), store.create(tmp_path, RUN_ID):
        pytest.fail("a folder was opened again")


def test_an_unfinished_last_line_is_ignored(tmp_path: Path) -> None:
    """However much of the last line had reached the disk, the rows before it count."""
    folder = written(tmp_path, saturated(A), saturated(B))
    slices = folder / store.SLICES
    whole = slices.read_bytes()
    first = whole.index(b"\n") + 1
    for end in (first, first + 1, len(whole) // 2 + 9, len(whole) - 2, len(whole) - 1):
        slices.write_bytes(whole[:end])
        assert store.read(folder).records == (saturated(A),)


@pytest.mark.parametrize("damage", [b"{}", b"", b"nonsense", b"\0" * 64, b'{"round": 0', b"[1, 2]"])
@pytest.mark.parametrize("name", [store.SLICES, store.FAILURES])
def test_a_damaged_line_is_named(tmp_path: Path, damage: bytes, name: str) -> None:
    """A line that is no row is refused in one line with the file and its number, counted from 1."""
    folder = written(tmp_path, saturated(), saturated(), saturated(), failure(A), failure(A), failure(A))
    lines = (folder / name).read_bytes().splitlines(keepends=True)
    (folder / name).write_bytes(lines[0] + damage + b"\n" + lines[2])
    with pytest.raises(store.Unreadable, match=re.escape(f"{folder / name}: line 2: ")) as refusal:
        store.read(folder)
    assert len(str(refusal.value).splitlines()) == 1


def test_a_metric_without_a_row_is_named(tmp_path: Path) -> None:
    """With its file and line, and the metric that it may be; one with a row is read."""
    folder = written(tmp_path, saturated())
    rows = [Observation(lane=A, metric=metric, value=2.0) for metric in ("packages", "import_ms")]
    observations = folder / store.OBSERVATIONS
    observations.write_bytes(b"".join(map(to_row, rows)))
    assert [row.metric for row in store.read(folder).observations] == ["packages", "import_ms"]
    observations.write_bytes(observations.read_bytes().replace(b"import_ms", b"inport_ms"))
    with pytest.raises(store.Unreadable, match=re.escape(f"{observations}: line 2: ")) as refusal:
        store.read(folder)
    assert re.findall("'([a-z_]+)'", str(refusal.value)) == ["inport_ms", "import_ms"]
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("metric", "value"), [("throughput_rps", 4698.0), ("own_cost_us_per_request", 2.0), ("import_ms", -1.0)]
)
def test_an_observation_that_nothing_observes_is_named(tmp_path: Path, metric: str, value: float) -> None:
    """It would stand in for what slices say; neither is anything below 0."""
    folder = written(tmp_path, saturated())
    row = Observation(lane=A, metric="import_ms", value=2.0)
    found = msgspec.json.decode(to_row(row)) | {"metric": metric, "value": value}
    (folder / store.OBSERVATIONS).write_bytes(to_row(row) + to_row(found))
    with pytest.raises(store.Unreadable, match=rf"{store.OBSERVATIONS}: line 2: .*{metric}"):
        store.read(folder)


@pytest.mark.parametrize("name", [store.SLICES, store.FAILURES, store.OBSERVATIONS])
def test_a_row_of_a_lane_that_the_run_has_not_is_named(tmp_path: Path, name: str) -> None:
    """With the file, the line and the Lane that it may be."""
    folder = written(tmp_path, saturated(A), saturated(A), failure(A), failure(A))
    (folder / store.OBSERVATIONS).write_bytes(to_row(Observation(lane=A, metric="import_ms", value=2.0)) * 2)
    first, second = (folder / name).read_bytes().splitlines(keepends=True)
    (folder / name).write_bytes(first + second.replace(A.encode(), A.replace("a", "o", 1).encode()))
    with pytest.raises(store.Unreadable, match=re.escape(f"{folder / name}: line 2: lane: found")) as refusal:
        store.read(folder)
    assert repr(A) in str(refusal.value)


def test_a_manifest_that_contradicts_itself_is_named(tmp_path: Path) -> None:
    """Groups have Lanes of the run, and it has one."""
    whole = experiment()
    stranger = replace(whole.groups[0], lanes=("bottle@gthread",))
    for lanes, groups, said in ((whole.lanes, (stranger,), "'bottle@gthread'"), ((), (), "lanes: found none")):
        folder = written(tmp_path / said.strip("'"))
        damaged = manifest(replace(whole, lanes=lanes, groups=groups))
        (folder / store.MANIFEST).write_bytes(to_json(replace(damaged, lanes=())))
        with pytest.raises(store.Unreadable, match=rf"{store.MANIFEST}: .*{said}"):
            store.read(folder)


def test_a_carriage_return_in_the_middle_is_damage(tmp_path: Path) -> None:
    """Only the last line may be unfinished; a damaged one in the middle is named, and never hides the others."""
    folder = written(tmp_path, saturated(), saturated(), saturated())
    lines = (folder / store.SLICES).read_bytes().splitlines(keepends=True)
    (folder / store.SLICES).write_bytes(lines[0] + b"non\rsense\n" + lines[2])
    with pytest.raises(store.Unreadable, match="line 2: "):
        store.read(folder)


@pytest.mark.parametrize("name", [store.SLICES, store.MANIFEST])
def test_bytes_that_are_no_text_are_damage(tmp_path: Path, name: str) -> None:
    """A flipped bit within a text is refused like any other damage."""
    folder = written(tmp_path, replace(saturated(), errors={"timeout": 1}))
    path = folder / name
    path.write_bytes(path.read_bytes().replace(b"timeout", b"time\xffut").replace(b"gunicorn", b"guni\xfforn"))
    with pytest.raises(store.Unreadable, match=re.escape(str(path))):
        store.read(folder)


def described(folder: Path, **changes: Any) -> Path:
    """Returns the manifest of a run after changes to its JSON."""
    path = folder / store.MANIFEST
    path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | changes))
    return path


def test_a_future_format_is_refused(tmp_path: Path) -> None:
    """It is not guessed at: one line with the file, what was found and expected, and which bench to use."""
    path = described(written(tmp_path), format_version=FORMAT_VERSION + 1, bench_version="7.1")
    with pytest.raises(store.OtherFormat) as refusal:
        store.read(path.parent)
    assert str(refusal.value).startswith(f"{path}: format_version: found {FORMAT_VERSION + 1}, ")
    assert re.search(rf"\b1 to {FORMAT_VERSION}\b.*\bbench 7\.1\b", str(refusal.value))
    assert refusal.value.exit_code is ExitCode.NOT_MEASURED


@pytest.mark.parametrize("version", [0, -1, True, None, 1.5, "1", [4]])
def test_a_format_that_is_no_number_is_refused(tmp_path: Path, version: Any) -> None:
    """It is damage, and no future: one line with the file."""
    path = described(written(tmp_path), format_version=version)
    with pytest.raises(store.Unreadable, match=rf"\b1 to {FORMAT_VERSION}\b") as refusal:
        store.read(path.parent)
    assert str(refusal.value).startswith(f"{path}: format_version: found ")
    assert refusal.value.exit_code is ExitCode.WRONG_USAGE
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("version", range(1, FORMAT_VERSION + 1))
def test_a_manifest_without_an_experiment_is_refused(tmp_path: Path, version: int) -> None:
    """Whatever version it says that it is of."""
    path = described(written(tmp_path), format_version=version, experiment={})
    with pytest.raises(store.Unreadable, match="expected a run's manifest") as refusal:
        store.read(path.parent)
    assert str(refusal.value).startswith(f"{path}: ")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"null", b"\0\0"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever stands in its place."""
    folder = written(tmp_path)
    (folder / store.MANIFEST).write_bytes(content)
    with pytest.raises(store.Unreadable, match=r"manifest\.json: "):
        store.read(folder)


def test_a_run_without_a_manifest_is_refused(tmp_path: Path) -> None:
    """It was interrupted before anything was measured, or it is no run."""
    with store.create(tmp_path, RUN_ID):
        pass
    with pytest.raises(store.Unreadable, match=r"manifest\.json: No such file"):
        store.read(tmp_path / RUN_ID)


def test_an_interrupted_comparison_is_no_run(tmp_path: Path) -> None:
    """Its Lanes have sides, and its rounds no number to come to: nothing that is made from runs takes it for one."""
    sides = replace(experiment(), lanes=tuple(replace(LANES[0], side=side) for side in Side))
    with store.create(tmp_path, RUN_ID) as run:
        run.describe(manifest(sides))
    assert store.read_comparison(tmp_path / RUN_ID) is None
    with pytest.raises(store.Unreadable, match="found a comparison,"):
        store.read(tmp_path / RUN_ID)


def test_a_damaged_comparison_is_named(tmp_path: Path) -> None:
    """Another format, or no JSON: one line with the file."""
    future = r"found 99, .*\b1 to 4\b"
    for content, said in (("{", "comparison.json: "), ('{"format_version": 99}', future)):
        (tmp_path / store.COMPARISON).write_text(content)
        with pytest.raises(store.Unreadable, match=said):
            store.read_comparison(tmp_path)


def test_a_run_is_found_by_path_id_or_latest(tmp_path: Path) -> None:
    """All three name the same folder."""
    folder = written(tmp_path)
    store.mark_latest(tmp_path, folder)
    for name in (str(folder), RUN_ID, "latest"):
        assert store.find(tmp_path, name) == folder.resolve()


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The message names what was asked for, and where it was looked for."""
    (tmp_path / "empty").mkdir()
    for name in ("latest", "nobody", "empty"):
        with pytest.raises(store.Unreadable, match=rf"^{name}: .*\bmanifest\.json\b.*{tmp_path}"):
            store.find(tmp_path, name)


def test_latest_points_only_where_it_is_told(tmp_path: Path) -> None:
    """Runs come and go; latest stays until it is moved, and moves in one step."""
    first = written(tmp_path, run_id="20260301T000000Z-aaaaaa")
    assert not (tmp_path / store.LATEST).exists()
    store.mark_latest(tmp_path, first)
    second = written(tmp_path, run_id="20260302T000000Z-bbbbbb")
    assert (tmp_path / store.LATEST).resolve() == first
    store.mark_latest(tmp_path, second)
    store.mark_latest(tmp_path, second)
    assert (tmp_path / store.LATEST).resolve() == second
    assert hidden(tmp_path) == []


def test_latest_moves_with_its_results(tmp_path: Path) -> None:
    """The link is relative: a folder of results can be copied elsewhere."""
    folder = written(tmp_path / "here")
    store.mark_latest(tmp_path / "here", folder)
    (tmp_path / "here").rename(tmp_path / "there")
    assert store.find(tmp_path / "there", "latest") == tmp_path / "there" / RUN_ID


def test_ids_sort_by_time_and_differ() -> None:
    """``<UTC time>-<id>``, in which nothing has to be quoted."""
    ids = {store.new_run_id() for _ in range(50)}
    assert len(ids) == 50
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{6}", run_id) for run_id in ids)


def test_derived_files_are_written_whole(tmp_path: Path) -> None:
    """Folders are made where needed, older files are replaced, and nothing partial is left."""
    store.write_files(tmp_path, {"summary.md": b"old", "charts/cpu.svg": b"<svg/>"})
    store.write_files(tmp_path, {"summary.md": b"new"})
    assert (tmp_path / "summary.md").read_bytes() == b"new"
    assert (tmp_path / "charts" / "cpu.svg").read_bytes() == b"<svg/>"
    assert hidden(tmp_path) == []


def fail_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fills the disk: only half of what is written arrives."""
    whole_write = Path.write_bytes

    def half_write(path: Path, content: bytes) -> int:
        whole_write(path, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half_write)


def test_a_reader_never_sees_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where writing fails, the older file is still there, whole."""
    store.write_files(tmp_path, {"summary.json": b"the older one"})
    fail_to_write(monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        store.write_files(tmp_path, {"summary.json": b"the newer one", "other.json": b"{}"})
    assert (tmp_path / "summary.json").read_bytes() == b"the older one"
    assert not (tmp_path / "other.json").exists()


def test_a_failed_write_leaves_nothing_partial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is not filled up further with files that nobody sees."""
    fail_to_write(monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        store.write_files(tmp_path, {"summary.json": b"the newer one"})
    assert hidden(tmp_path) == []


def test_a_summary_is_json_with_an_end_of_line() -> None:
    """One document, indented, which a person can read and a diff can compare."""
    summary = fold(manifest(), [], ()).report.summary
    content = to_json(summary)
    assert content.startswith(f'{{\n  "format_version": {FORMAT_VERSION},\n'.encode())
    assert content.endswith(b"}\n")
    assert [lane["lane"] for lane in msgspec.json.decode(content)["lanes"]] == [lane.name for lane in LANES]


def test_rows_reach_the_disk_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Syncing is of the very files that rows are appended to."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    with store.create(tmp_path, RUN_ID) as run:
        run.append(saturated())
        assert synced == []
        run.sync()
    assert {(run.folder / name).stat().st_ino for name in (store.SLICES, store.FAILURES)} <= set(synced)


# ---------------------------------------------------------------- runs of earlier versions


STORED = sorted((Path(__file__).parent.parent / "data" / "runs").glob("v*/*"))
"""Runs that were written by the code of then; those with many slices have lost most of them."""
RUNS = [folder for folder in STORED if not (folder / store.COMPARISON).exists()]
COMPARISONS = [folder for folder in STORED if (folder / store.COMPARISON).exists()]


def named(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("folder", RUNS, ids=named)
def test_a_run_of_an_earlier_version_opens_folds_and_reports(folder: Path) -> None:
    """All that a run of today gives, and its folder is as it was."""
    before = contents(folder)
    run = store.read(folder)
    assert len(run.records) == len((folder / store.SLICES).read_bytes().splitlines())
    folded = fold(run.manifest, run.records, run.failures, run.observations)
    assert len(folded.summary.lanes) == len(run.manifest.experiment.lanes)
    assert {failure.lane for failure in run.failures} == {failure.lane for failure in folded.summary.failures}
    published = publish(folded, run.records)
    assert published.left_out == ()
    assert msgspec.json.decode(published.files["summary.json"])["format_version"] == FORMAT_VERSION
    assert contents(folder) == before


@pytest.mark.parametrize("folder", COMPARISONS, ids=named)
def test_a_comparison_of_an_earlier_version_opens(folder: Path) -> None:
    """With a verdict on each metric; it is still no run."""
    found = store.read_comparison(folder)
    assert found
    assert [len(app.evidence) for app in found.apps] == [4 if folder.name == "compare-early" else 5]
    with pytest.raises(store.Unreadable, match="found a comparison,"):
        store.read(folder)


def test_a_run_from_before_the_footprint_lacks_none_of_it() -> None:
    """What its version never measured is unknown, and keeps no run from being complete; what was asked for does."""
    run = store.read(STORED[0].parent.parent / "v1" / "plain")
    assert {(seen.metric, seen.value) for seen in run.observations} == {
        (metric, None) for metric in ("code_lines", "packages", "installed_mib")
    }
    assert all(seen.reason == reason(Code.OLD_FORMAT, version=1) for seen in run.observations)
    assert missing.lacking(run.manifest.experiment, run.records, run.failures, run.observations) == ()
    asked = replace(run.manifest.experiment, preset=replace(run.manifest.experiment.preset, cold_starts=3))
    assert formats.unobserved(replace(run.manifest, experiment=asked), (), 2) == ()
    assert formats.unobserved(run.manifest, (), 3) == ()


def test_a_run_of_version_3_has_the_figures_that_version_3_gave_it() -> None:
    """Every number of its summary, under the names of today; the last digit may depend on the machine."""
    folder = STORED[0].parent.parent / "v3" / "quiet-2"
    run = store.read(folder)
    today = msgspec.json.decode(to_json(fold(run.manifest, run.records, run.failures, run.observations).summary))
    then = msgspec.json.decode((folder / "summary-v3.json").read_bytes())
    for group in then["leagues"]:
        of_throughput, (of_cpu, *others) = group["noise_floors"], group.pop("other_noise_floors")
        group["noise_floors"] = [of_cpu, *of_throughput, *others]
    expected = dict(numbers(then)) | {("format_version",): FORMAT_VERSION}
    assert len(expected) == 238
    assert dict(numbers(today)) == pytest.approx(expected, rel=1e-12)


NEW_NAMES = {"leagues": "groups", "missed": "dropped", "overhead_us_per_request": "own_cost_us_per_request"}


def numbers(document: Any, *path: str | int) -> Iterator[tuple[tuple[str | int, ...], float]]:
    """Yields the numbers of a document by where they stand."""
    match document:
        case dict():
            for key, value in document.items():
                if key not in ("reasons", "missing"):
                    yield from numbers(value, *path, NEW_NAMES.get(str(key), str(key)))
        case list():
            for index, value in enumerate(document):
                yield from numbers(value, *path, index)
        case bool():
            pass
        case int() | float():
            yield path, document
