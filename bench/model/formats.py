"""How values become files, and how files of every version become values.

``FORMAT_VERSION`` is that of every file in a run's folder, ``HISTORY_VERSION`` that of a line of ``history.jsonl`` and
of ``bench history --json``. What a version changed stands with the functions that bring a document of the version
before up to it, oldest first. They are pure: decoded JSON in, decoded JSON out. What has another shape than their
version had is left as it is, for the types of today to refuse. A value that a version did not have is None, and its
reason says so.

A new version is a number here, a section with its functions, a row in ``_RUN`` or ``_HISTORY``, and a stored run in
``tests/data/``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from bench import __version__
from bench.model import footprint_plan
from bench.model.errors import BenchError, WrongUsage
from bench.model.history import HistoryRecord
from bench.model.metrics import METRICS, Source
from bench.model.reason import Code, Reason
from bench.model.records import Failure, LatencyEnd, Manifest, Observation, SliceRecord, Stage
from bench.model.regression import Comparison, DifferenceKind

FORMAT_VERSION = 4
HISTORY_VERSION = 2

Document = dict[str, Any]
"""A decoded JSON object."""
Upgrade = Callable[[Document], Document]
Upgrades = Mapping[type[Struct], Upgrade]
"""What brings the documents of one version up to the next, by what they hold; all others stay as they are."""

_Kind = TypeVar("_Kind", bound=Struct)
_VERSION = "format_version"
_MAY_LACK_FOOTPRINT = 2
_LONGEST = 40


class FutureFormat(BenchError):
    """A document is of a version that is not known yet; the message has no file in it."""


class NoFormat(WrongUsage):
    """A document does not say which version it is of; the message has no file in it."""


def to_json(value: Any) -> bytes:
    """Returns a value as one indented JSON document that ends in a line break."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def to_row(value: Any) -> bytes:
    """Returns a value as one line of JSON that ends in a line break."""
    return msgspec.json.encode(value) + b"\n"


def version_of(kind: type[Struct], document: Any) -> int:
    """Returns the version that a document is of, from 1 to today's. Raises FutureFormat or NoFormat."""
    newest = len(_upgrades(kind)) + 1
    found = document.get(_VERSION) if isinstance(document, dict) else None
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        said = _short(msgspec.json.encode(found).decode()) if found is not None else "none"
        raise NoFormat(f"{_VERSION}: found {said}, expected a whole number from 1 to {newest}")
    if found > newest:
        raise FutureFormat(f"{_VERSION}: found {found}, expected 1 to {newest}; {_newer(document)}")
    return found


def upgraded(kind: type[Struct], document: Any, version: int) -> Any:
    """Returns a document of an older version as one of today's; one of today's as it is."""
    steps = _upgrades(kind)[version - 1 :]
    if not isinstance(document, dict) or not steps:
        return document
    for step in steps:
        document = step[kind](document) if kind in step else document
    return document | {_VERSION: len(_upgrades(kind)) + 1} if _VERSION in document else document


def decoded(kind: type[_Kind], document: Any, version: int) -> _Kind:
    """Returns what a document of a version holds. Raises msgspec.ValidationError."""
    return msgspec.convert(upgraded(kind, document, version), kind)


def decoder(kind: type[_Kind], version: int) -> Callable[[bytes], _Kind]:
    """Returns what decodes rows of a version. It raises msgspec.DecodeError."""
    if version > len(_upgrades(kind)):
        return msgspec.json.Decoder(kind).decode
    plain = msgspec.json.Decoder()
    return lambda line: decoded(kind, plain.decode(line), version)


def unobserved(manifest: Manifest, observations: Sequence[Observation], version: int) -> tuple[Observation, ...]:
    """Returns what a run of an early version can't lack, as it was never asked for: what Apps are at rest, unknown.

    Runs measure it since a commit within version 2. Before that nothing was observed at all.
    """
    asked = manifest.experiment.preset.cold_starts or manifest.experiment.preset.instructions
    if version > _MAY_LACK_FOOTPRINT or observations or asked:
        return ()
    why = Reason(Code.OLD_FORMAT, {"version": version})
    return tuple(
        Observation(lane=lane.name, metric=metric.name, value=None, reason=why)
        for lane in footprint_plan.footprint_lanes(manifest.experiment)
        for metric in METRICS.from_sources(Source.AT_REST)
    )


def _upgrades(kind: type[Struct]) -> tuple[Upgrades, ...]:
    return _HISTORY if kind is HistoryRecord else _RUN


def _newer(document: Document) -> str:
    wrote = document.get("bench_version")
    if isinstance(wrote, str) and wrote != __version__:
        return f"use bench {_short(wrote)} or newer"
    return "use a newer bench"


def _short(text: str) -> str:
    """Returns what fits into a message of one line."""
    return f"{text[:_LONGEST]}…" if len(text) > _LONGEST else "".join(text.split())


# ---------------------------------------------------------------- what upgrades are made of


def _renamed(document: Document, **names: str) -> Document:
    """Returns a document with other keys, in the same order."""
    return {names.get(key, key): value for key, value in document.items()}


def _changed(document: Document, **changes: Callable[[Any], Any]) -> Document:
    """Returns a document with the values of some keys changed, where it has them."""
    return document | {key: change(document[key]) for key, change in changes.items() if key in document}


def _within(upgrade: Upgrade) -> Callable[[Any], Any]:
    """Returns what upgrades an object, or each object of a list; anything else stays as it is."""

    def change(value: Any) -> Any:
        if isinstance(value, list):
            return [change(each) for each in value]
        return upgrade(value) if isinstance(value, dict) else value

    return change


def _said(text: Any) -> Any:
    """Returns a reason in words as a reason of today."""
    return _reason(Code.SAID, text=text) if isinstance(text, str) else text


def _all_said(texts: Any) -> Any:
    """Returns reasons in words, in a list or by name, as reasons of today."""
    if isinstance(texts, list):
        return [_said(text) for text in texts]
    return {name: _said(text) for name, text in texts.items()} if isinstance(texts, dict) else texts


def _reason(code: Code, **values: Any) -> Document:
    return {"code": str(code), "values": values}


# ---------------------------------------------------------------- runs, 1 to 2
# slices.jsonl: loop lag, PSS, slices that were discarded and repeated, steps of the clock, answers in the window, why a
# value is unknown. observations.jsonl: what is measured of a Lane outside slices. manifest.json: twins, sides, a sweep;
# summary.json: validity of cells, noise floors, why a metric is missing, sweeps, costs of adapters.

_MEASURED = (
    "answers_in_window",
    "hub_lateness_us",
    "server_cpu_ns",
    "server_run_queue_ns",
    "server_rss_bytes",
    "server_pss_bytes",
    "driver_cpu_ns",
    "driver_run_queue_ns",
    "steal_s",
    "clock_step_s",
)
"""What a slice is measured by, and may be unknown, in the words of versions 1 to 3."""


def _manifest_2(manifest: Document) -> Document:
    return {"latency_end": str(LatencyEnd.READ)} | manifest


def _slice_2(row: Document) -> Document:
    return _lacking(row, 1)


def _lacking(row: Document, version: int) -> Document:
    """Returns a row with everything that is measured; what its version does not say is None, with that for a reason.

    A closed load counts the answers that arrive within the window, so that they are its requests.
    """
    load, unknown = row.get("load"), row.get("unknown", {})
    if isinstance(load, dict) and load.get("kind") == "closed" and "requests" in row:
        row = {"answers_in_window": row["requests"]} | row
    measured = {name: row.get(name) for name in _MEASURED}
    if not isinstance(unknown, dict):
        return row | measured
    why = _reason(Code.OLD_FORMAT, version=version)
    reasons = {name: why for name, value in measured.items() if value is None}
    return row | measured | {"unknown": reasons | unknown}


# ---------------------------------------------------------------- runs, 2 to 3
# Latencies end when the kernel took an answer in, no longer when the driver read it: they are shorter by 0.05 to 0.15
# ms. (The last commits of version 2 did so already, and a file does not tell.) manifest.json: the machine's memory may
# be unknown. The first runs of version 2 lack what came to it later.


def _manifest_3(manifest: Document) -> Document:
    return {"latency_end": None} | manifest


def _slice_3(row: Document) -> Document:
    return _lacking(row, 2)


# ---------------------------------------------------------------- runs, 3 to 4
# One word for one thing. In the experiment: leagues are groups, the contract is a workload (with a name), the offer is
# the load, a baseline is raw, a guard is the settle time. Of a slice: spoilt is discarded, missed is dropped, hub
# lateness is loop lag. Of a failure: the step is the stage, and that of the contract is the verification. In
# summary.json: a framework's overhead is its own cost.
# Reasons, and what differs between Lanes or versions, are codes with numbers and names. manifest.json: bench_revision
# and project_revision in place of git_revision; when latencies end. The loop lag is of the load alone: the driver
# writes down what it saw afterwards, which had made the p99 longer by 0.5 ms. Memory that could not be read was 0 until
# a commit within version 3.

_WORKLOAD = "hello"
"""What the one workload of earlier versions is called; it had no name."""


def _manifest_4(manifest: Document) -> Document:
    known = {"bench_revision": None, "latency_end": str(LatencyEnd.RECEIVED)}
    return known | _changed(
        _renamed(manifest, git_revision="project_revision"),
        experiment=_within(_experiment_4),
        irremovable_differences=_all_said,
    )


def _experiment_4(experiment: Document) -> Document:
    return _changed(
        _renamed(experiment, leagues="groups", offer="load", contract="workload"),
        lanes=_within(_lane_4),
        workload=_within(lambda workload: {"name": _WORKLOAD} | workload),
        preset=_within(lambda preset: _renamed(preset, guard_s="settle_s")),
    )


def _lane_4(lane: Document) -> Document:
    return _changed(lane, app=_within(lambda app: _renamed(app, baseline="raw")))


def _slice_4(row: Document) -> Document:
    names = {"hub_lateness_us": "loop_lag_us"}
    return _changed(
        _renamed(_without_zeros(row), missed="dropped", spoilt="discarded", **names),
        unknown=_within(lambda reasons: _renamed(_all_said(reasons), **names)),
        discarded=_said,
        not_repeated=_said,
    )


def _without_zeros(row: Document) -> Document:
    """Returns a row in which memory of 0 is unknown: no process has none."""
    zeros = [name for name in ("server_rss_bytes", "server_pss_bytes") if name in row and row[name] == 0]
    unknown = row.get("unknown")
    if not zeros or not isinstance(unknown, dict):
        return row
    return row | dict.fromkeys(zeros) | {"unknown": dict.fromkeys(zeros, _reason(Code.UNREADABLE)) | unknown}


def _failure_4(failure: Document) -> Document:
    return _changed(
        _renamed(failure, step="stage"),
        stage=lambda stage: str(Stage.VERIFICATION) if stage == "contract" else stage,
        reason=_said,
    )


def _observation_4(observation: Document) -> Document:
    return _changed(observation, reason=_said)


def _comparison_4(comparison: Document) -> Document:
    evidence = _within(lambda evidence: _changed(evidence, reasons=_all_said))
    app_4 = _within(lambda app: _changed(app, evidence=evidence, differences=_differences_4))
    return _changed(comparison, apps=app_4, notes=_all_said)


def _differences_4(texts: Any) -> Any:
    """Returns differences in words as differences of today."""
    if not isinstance(texts, list):
        return texts
    unknown = {"kind": str(DifferenceKind.SAID), "base": None, "head": None}
    return [unknown | {"name": text} if isinstance(text, str) else text for text in texts]


_RUN: tuple[Upgrades, ...] = (
    {SliceRecord: _slice_2, Manifest: _manifest_2},
    {SliceRecord: _slice_3, Manifest: _manifest_3},
    {
        SliceRecord: _slice_4,
        Manifest: _manifest_4,
        Failure: _failure_4,
        Observation: _observation_4,
        Comparison: _comparison_4,
    },
)


# ---------------------------------------------------------------- lines of the history, 1 to 2
# The revision is that of the project: project_revision in place of git_revision. The first lines of version 1 do not
# say under which conditions and at which rate they were measured.


def _history_2(line: Document) -> Document:
    return {"conditions": None, "fixed_rate_rps": None} | _renamed(line, git_revision="project_revision")


_HISTORY: tuple[Upgrades, ...] = ({HistoryRecord: _history_2},)
