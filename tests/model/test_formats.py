"""Files of every version become values of today: what they said is kept, and what they did not say is unknown."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from bench.model import formats
from bench.model.formats import FORMAT_VERSION, HISTORY_VERSION
from bench.model.history import HistoryRecord
from bench.model.load import Closed
from bench.model.reason import Code, reason
from bench.model.records import Failure, LatencyEnd, Manifest, Observation, SliceRecord, Stage
from bench.model.regression import Comparison, Difference, DifferenceKind, Verdict
from tests.builders.runs import A, failure, fixed, history_record, manifest, saturated

DATA = Path(__file__).parent.parent / "data"
FILES: Mapping[str, type[Struct]] = {
    "manifest.json": Manifest,
    "slices.jsonl": SliceRecord,
    "failures.jsonl": Failure,
    "observations.jsonl": Observation,
    "comparison.json": Comparison,
}
NEWEST: dict[type[Struct], int] = {**dict.fromkeys(FILES.values(), FORMAT_VERSION), HistoryRecord: HISTORY_VERSION}
OLD_KEYS = {
    *("leagues", "offer", "contract", "baseline", "guard_s", "git_revision"),
    *("missed", "spoilt", "hub_lateness_us", "step"),
}
"""What versions 1 to 3 called things that have another name today."""

Stored = tuple[type[Struct], int, dict[str, Any]]
"""A document of a stored run, what it holds, and its version."""


def documents(path: Path) -> list[dict[str, Any]]:
    """Returns the documents of a file: one, or one a line."""
    if path.suffix == ".jsonl":
        return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    return [msgspec.json.decode(path.read_bytes())]


def stored() -> Iterator[Stored]:
    """Yields every document of every stored run, and every line of the stored history."""
    for folder in sorted((DATA / "runs").glob("v*/*")):
        for name, kind in FILES.items():
            if (folder / name).exists():
                yield from ((kind, int(folder.parent.name[1:]), document) for document in documents(folder / name))
    yield from ((HistoryRecord, 1, document) for document in documents(DATA / "history-v1.jsonl"))


STORED = list(stored())
ONE_OF_EACH = list(
    {(kind, version, frozenset(document)): (kind, version, document) for kind, version, document in STORED}.values()
)
"""One of each shape, so that each example of hypothesis is another."""


def of(path: str, number: int = 0) -> Any:
    """Returns a document of a stored run as a value of today."""
    folder, name = (DATA / "runs" / path).parent, Path(path).name
    return formats.decoded(FILES[name], documents(folder / name)[number], int(folder.parent.name[1:]))


def rows(path: str) -> list[SliceRecord]:
    folder = DATA / "runs" / path
    decode = formats.decoder(SliceRecord, int(folder.parent.name[1:]))
    return [decode(line) for line in (folder / "slices.jsonl").read_bytes().splitlines()]


def keys(document: Any) -> set[str]:
    """Returns all keys of a document, at any depth."""
    match document:
        case dict():
            return set(document).union(*map(keys, document.values()))
        case list():
            return set[str]().union(*map(keys, document))
    return set()


# ---------------------------------------------------------------- every document


def test_there_is_a_stored_run_of_every_version() -> None:
    """And of each kind of file that it had; whoever makes a version stores runs of the one before."""
    found = {(kind, version) for kind, version, _ in STORED}
    assert {version for kind, version in found if kind is Manifest} == set(range(1, FORMAT_VERSION))
    assert {version for kind, version in found if kind is HistoryRecord} == set(range(1, HISTORY_VERSION))
    assert {(Comparison, 2), (Comparison, 3), (Observation, 2), (Observation, 3)} <= found
    assert {(Failure, version) for version in range(1, FORMAT_VERSION)} <= found


def test_every_stored_document_is_read() -> None:
    """It has no key of its own version left, and holds what the types of today ask for; the old one is not touched."""
    assert {kind for kind, _, _ in STORED} == NEWEST.keys()
    for kind, version, document in STORED:
        before = deepcopy(document)
        found = formats.upgraded(kind, document, version)
        assert document == before
        assert not keys(found) & OLD_KEYS
        assert found.get("format_version", NEWEST[kind]) == NEWEST[kind]
        assert isinstance(msgspec.convert(found, kind), kind)


def test_a_document_of_today_stays_as_it_is() -> None:
    """Nothing of it is changed or added."""
    for value in (
        manifest(),
        saturated(A),
        fixed(A),
        failure(A),
        Observation(lane=A, metric="packages", value=None),
        history_record(),
    ):
        document = msgspec.json.decode(msgspec.json.encode(value))
        kind = type(value)
        assert formats.upgraded(kind, document, NEWEST[kind]) is document
        assert formats.decoded(kind, document, NEWEST[kind]) == value
        assert formats.decoder(kind, NEWEST[kind])(formats.to_row(value)) == value


@given(st.data())
def test_a_document_that_lacks_keys_is_upgraded_all_the_same(data: st.DataObject) -> None:
    """Whatever is missing, at whatever depth: what has to be there is asked for by the types of today, not here."""
    kind, version, document = data.draw(st.sampled_from(ONE_OF_EACH))
    left = thinned(document, data)
    assert isinstance(formats.upgraded(kind, left, version), dict)


def thinned(document: Any, data: st.DataObject) -> Any:
    """Returns a document without some of its keys."""
    match document:
        case dict():
            gone = data.draw(st.sets(st.sampled_from(sorted(document)), max_size=4)) if document else set()
            return {key: thinned(value, data) for key, value in document.items() if key not in gone}
        case list():
            return [thinned(each, data) for each in document[:2]]
    return document


NAMES = sorted(
    OLD_KEYS | set(SliceRecord.__struct_fields__) | set(Manifest.__struct_fields__) | {"lanes", "app", "reasons"}
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(NAMES), values, max_size=4),
    max_leaves=12,
)


@given(kind=st.sampled_from(sorted(NEWEST, key=str)), document=JUNK, version=st.integers(1, FORMAT_VERSION))
def test_what_is_no_such_document_is_left_to_the_types(kind: type[Struct], document: Any, version: int) -> None:
    """An upgrade raises nothing, whatever it is given."""
    formats.upgraded(kind, document, min(version, NEWEST[kind]))


# ---------------------------------------------------------------- which version it is


@pytest.mark.parametrize(("kind", "newest"), NEWEST.items())
def test_every_version_so_far_is_known(kind: type[Struct], newest: int) -> None:
    """From the first one to today's, and no other."""
    assert [formats.version_of(kind, {"format_version": each}) for each in range(1, newest + 1)] == [
        *range(1, newest + 1)
    ]
    with pytest.raises(formats.FutureFormat, match=f"found {newest + 1}, expected 1 to {newest}"):
        formats.version_of(kind, {"format_version": newest + 1})


@given(wrote=st.none() | st.text() | st.integers(), version=st.integers(FORMAT_VERSION + 1))
def test_a_future_version_says_which_bench_reads_it(wrote: Any, version: int) -> None:
    """That which wrote it, in one line, whatever stands there."""
    with pytest.raises(formats.FutureFormat) as refusal:
        formats.version_of(Manifest, {"format_version": version, "bench_version": wrote})
    said = str(refusal.value)
    assert len(said.splitlines()) == 1
    assert str(version) in said
    with pytest.raises(formats.FutureFormat, match=r"use bench 7\.1 or newer"):
        formats.version_of(Manifest, {"format_version": version, "bench_version": "7.1"})


@pytest.mark.parametrize(
    "document",
    [
        *(
            {"format_version": found}
            for found in (0, -1, True, False, None, 1.0, 2.5, "1", "", [1], {"a\nb": 1}, "x" * 999)
        ),
        *({}, [], None, 3, "manifest"),
    ],
)
def test_a_version_that_is_none_is_named(document: Any) -> None:
    """Anything but a whole number from 1 on, in one line that is short."""
    with pytest.raises(
        formats.NoFormat, match=f"format_version: found .*, expected .* 1 to {FORMAT_VERSION}"
    ) as refusal:
        formats.version_of(Manifest, document)
    assert len(str(refusal.value).splitlines()) == 1
    assert len(str(refusal.value)) < 160


# ---------------------------------------------------------------- what each version said


def test_a_slice_of_format_1_is_what_it_was() -> None:
    """Its figures, under the names of today; what it did not say is unknown, for that reason."""
    row = rows("v1/plain")[-1]
    assert (row.round, row.slice, row.lane, row.requests, row.dropped) == (2, 5, "raw_hello@gunicorn-gthread", 200, 0)
    assert (row.server_cpu_ns, row.server_rss_bytes, row.steal_s) == (56_542_029, 46_374_912, 0.0)
    assert (row.discarded, row.repeat_of, row.not_repeated) == (None, None, None)
    unsaid = {"loop_lag_us", "server_pss_bytes", "answers_in_window", "clock_step_s"}
    assert {name for name in unsaid if getattr(row, name) is None} == unsaid
    assert row.unknown == dict.fromkeys(unsaid, reason(Code.OLD_FORMAT, version=1))


def test_the_answers_of_a_closed_load_are_its_requests() -> None:
    """The driver counts the same for both, so that they are known where a version did not write them."""
    for run in ("v1/plain", "v2/early", "v2/compare-early"):
        closed = [row for row in rows(run) if isinstance(row.load, Closed)]
        assert closed
        assert all(row.answers_in_window == row.requests for row in closed)


def test_a_counter_without_a_reason_gets_one() -> None:
    """Version 1 could not say why a process that had ended told nothing; version 2 did."""
    one, two = (
        next(row for row in rows(run) if row.lane.startswith("dying") and row.server_cpu_ns is None)
        for run in ("v1/failing", "v2/failing")
    )
    assert one.unknown["server_cpu_ns"] == reason(Code.OLD_FORMAT, version=1)
    told = next(
        row for row in documents(DATA / "runs" / "v2" / "failing" / "slices.jsonl") if row["slice"] == two.slice
    )
    assert two.unknown["server_cpu_ns"] == reason(Code.SAID, text=told["unknown"]["server_cpu_ns"])


def test_the_first_slices_of_format_2_lack_what_came_later() -> None:
    """The loop lag was not measured yet, and a step of the clock not noted; what is there has no reason."""
    row = rows("v2/early")[-1]
    assert (row.requests, row.server_pss_bytes, row.loop_lag_us, row.clock_step_s) == (
        240,
        row.server_pss_bytes,
        None,
        None,
    )
    assert row.server_pss_bytes
    assert {row.unknown[name].values["version"] for name in ("loop_lag_us", "clock_step_s")} == {2}
    assert "server_pss_bytes" not in row.unknown


def test_memory_of_0_is_unknown() -> None:
    """It was written where no process was found; no process has none."""
    row = documents(DATA / "runs" / "v1" / "plain" / "slices.jsonl")[0] | {"server_rss_bytes": 0}
    found = formats.decoded(SliceRecord, row, 1)
    assert (found.server_rss_bytes, found.unknown["server_rss_bytes"]) == (None, reason(Code.UNREADABLE))


def test_what_discarded_a_slice_is_kept_in_its_words() -> None:
    """Reasons were texts before version 4; the slice that measured it again is still told."""
    discarded, repeat = (next(row for row in rows("v2/spoilt") if row.slice == index) for index in (5, 9))
    assert discarded.discarded == reason(Code.SAID, text="steal 0.10 s in 0.15 s")
    assert (repeat.repeat_of, repeat.discarded) == (5, None)
    again = next(row for row in rows("v3/spoilt") if row.not_repeated and row.repeat_of is not None)
    assert again.not_repeated
    assert again.not_repeated.code is Code.SAID
    assert str(again.not_repeated.values["text"]).startswith("steal 0.10 s in ")


def test_why_there_was_no_answer_is_kept_in_its_words() -> None:
    """Under the field that it is of."""
    silent = [row for row in rows("v3/quiet-1") if not row.requests]
    assert {row.unknown["requests"].code for row in silent} == {Code.SAID}
    assert any("83 right answers outside" in str(row.unknown["requests"].values["text"]) for row in silent)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_failure_has_its_stage(version: int) -> None:
    """What was the contract's step is the stage of the verification; why is kept in its words."""
    path = DATA / "runs" / f"v{version}" / "failing" / "failures.jsonl"
    found = [formats.decoded(Failure, document, version) for document in documents(path)]
    assert [each.stage for each in found] == [Stage.ENVIRONMENT, Stage.VERIFICATION, Stage.START, Stage.LOAD]
    assert found[2].log_tail == "no settings: GREETING is not set"
    assert [each.reason for each in found] == [reason(Code.SAID, text=old["reason"]) for old in documents(path)]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_what_no_setting_removes_is_kept_in_its_words(version: int) -> None:
    """As a reason each."""
    path = f"v{version}/failing/manifest.json"
    (old,) = documents(DATA / "runs" / path)
    found: Manifest = of(path)
    assert found.irremovable_differences
    assert [why.values["text"] for why in found.irremovable_differences] == old["irremovable_differences"]


def test_what_differs_between_two_versions_is_kept_in_its_words() -> None:
    """Nobody takes it apart."""
    (old,) = documents(DATA / "runs" / "v3" / "compare-slower" / "comparison.json")
    old["apps"][0]["differences"] = ["uvicorn: 0.54 -> 0.50"]
    found = formats.decoded(Comparison, old, 3).apps[0].differences
    assert found == (Difference(kind=DifferenceKind.SAID, name="uvicorn: 0.54 -> 0.50", base=None, head=None),)


def test_a_manifest_has_its_experiment_in_the_words_of_today() -> None:
    """Groups, load, workload, settle time and raw; the revision is the project's, and bench's own is not known."""
    old = documents(DATA / "runs" / "v3" / "quiet-2" / "manifest.json")[0]
    found: Manifest = of("v3/quiet-2/manifest.json")
    whole = found.experiment
    assert (found.format_version, found.run_id) == (FORMAT_VERSION, old["run_id"])
    assert (found.project_revision, found.bench_revision) == (old["git_revision"], None)
    assert [group.name for group in whole.groups] == ["wsgi", "native"]
    assert (whole.load.users, whole.load.rate_share, whole.preset.settle_s) == (
        16,
        0.5,
        old["experiment"]["preset"]["guard_s"],
    )
    assert (whole.workload.name, whole.workload.path, whole.workload.longest_name) == ("hello", "/hello/{name}", 1000)
    assert {lane.app.name for lane in whole.lanes if lane.app.raw} == {"raw_hello"}
    assert [lane.twin for lane in whole.lanes] == [False, False, True]


def test_a_sweep_keeps_its_loads() -> None:
    """And its objective."""
    sweep = of("v3/sweep-users/manifest.json").experiment.sweep
    assert ([load.users for load in sweep.loads], sweep.slo_ms) == ([1, 8, 32], 10.0)


@pytest.mark.parametrize(
    ("run", "end"), [("v1/plain", LatencyEnd.READ), ("v2/early", None), ("v3/quiet-2", LatencyEnd.RECEIVED)]
)
def test_a_manifest_says_when_latencies_end(run: str, end: LatencyEnd | None) -> None:
    """Version 3 says it by its number, and so does 1; within 2 it changed, so there it is not known."""
    assert of(f"{run}/manifest.json").latency_end is end


def test_an_observation_keeps_its_value_or_its_reason() -> None:
    """The first ones had no part."""
    lane = "flask_hello@gunicorn-gthread"
    found = [of("v2/footprint/observations.jsonl", number) for number in range(4)]
    assert found[0] == Observation(lane=lane, metric="code_lines", value=10.0)
    assert found[1].part == "flask_hello.py"
    lost = {"lane": lane, "metric": "import_ms", "value": None, "reason": "no module"}
    assert formats.decoded(Observation, lost, 2).reason == reason(Code.SAID, text="no module")


def test_a_comparison_keeps_its_evidence() -> None:
    """Ratios and verdicts as they were, reasons in their words."""
    found: Comparison = of("v3/compare-slower/comparison.json")
    instructions, _cpu, throughput, *_ = found.apps[0].evidence
    assert (found.format_version, instructions.verdict, throughput.verdict) == (4, Verdict.SLOWER, Verdict.INVALID)
    assert instructions.ratio
    assert (instructions.ratio.point, instructions.visible) == (3.0694710012842656, 0.006005503002876944)
    assert throughput.reasons[0].code is Code.SAID
    assert re.match(r"starved: BASE: .*\b89%", str(throughput.reasons[0].values["text"]))


def test_what_a_comparison_would_have_seen_came_within_format_3() -> None:
    """Without it there is None, and no guess."""
    found: Comparison = of("v2/compare-early/comparison.json")
    assert [each.visible for each in found.apps[0].evidence] == [None] * 4
    assert found.rounds == documents(DATA / "runs" / "v2" / "compare-early" / "comparison.json")[0]["rounds"]


def test_a_line_of_the_history_keeps_its_figures() -> None:
    """Its conditions too, by which runs are compared; the first lines had none."""
    lines = [formats.decoded(HistoryRecord, each, 1) for each in documents(DATA / "history-v1.jsonl")]
    assert {line.format_version for line in lines} == {HISTORY_VERSION}
    assert (lines[1].project_revision, lines[1].conditions, lines[1].fixed_rate_rps) == (
        "17c329c3a673+",
        "0a9a2b7cf7e5",
        2600.0,
    )
    reading = lines[1].lanes["flask_hello@gunicorn-gthread"]["cpu_us_per_request"]
    assert (reading.point, reading.low, reading.high) == (1.671, 1.4837, 1.8818)
    assert (lines[-1].conditions, lines[-1].fixed_rate_rps) == (None, None)
