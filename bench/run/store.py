"""A run's folder: append-only while it is measured, and complete once its summary is written."""

import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from bench.model import formats
from bench.model.errors import ExitCode, WrongUsage
from bench.model.records import Failure, Manifest, Observation, SliceRecord
from bench.model.regression import Comparison
from bench.model.suggest import one_of

MANIFEST = "manifest.json"
SLICES = "slices.jsonl"
FAILURES = "failures.jsonl"
OBSERVATIONS = "observations.jsonl"
COMPARISON = "comparison.json"
COMPARISON_MARKDOWN = "comparison.md"
COMPARISON_JUNIT = "comparison.junit.xml"
LATEST = "latest"

EXPECTED = {MANIFEST: "a run's manifest", COMPARISON: "a comparison's result"}

_Document = TypeVar("_Document", Manifest, Comparison)
_Row = TypeVar("_Row", SliceRecord, Failure, Observation)


class Unreadable(WrongUsage):
    """A run's folder is not what it should be; the message names the file, what was found and what was expected."""


class OtherFormat(Unreadable):
    """A run was written by a newer bench, in a format that this one does not know."""

    exit_code = ExitCode.NOT_MEASURED


class Run:
    """An open run: rows are on their way to the disk as soon as they are appended."""

    def __init__(self, folder: Path, slices: IO[bytes], failures: IO[bytes], observations: IO[bytes]) -> None:
        self.folder = folder
        self._slices = slices
        self._failures = failures
        self._observations = observations

    def describe(self, manifest: Manifest) -> None:
        """Writes the manifest."""
        _write(self.folder / MANIFEST, formats.to_json(manifest))

    def append(self, record: SliceRecord) -> None:
        """Appends one row of the tidy table."""
        self._slices.write(formats.to_row(record))
        self._slices.flush()

    def fail(self, failure: Failure) -> None:
        """Notes that a Lane is left out."""
        self._failures.write(formats.to_row(failure))
        self._failures.flush()

    def observe(self, observation: Observation) -> None:
        """Appends one value that was measured outside slices."""
        self._observations.write(formats.to_row(observation))
        self._observations.flush()

    def sync(self) -> None:
        """Waits until what was appended is on the disk; between rounds, where it disturbs nothing."""
        for file in (self._slices, self._failures, self._observations):
            os.fsync(file.fileno())


class StoredRun(msgspec.Struct, frozen=True):
    """What was read back from a run's folder."""

    folder: Path
    manifest: Manifest
    records: tuple[SliceRecord, ...]
    failures: tuple[Failure, ...]
    observations: tuple[Observation, ...]


def new_run_id() -> str:
    """Returns ``<UTC time>-<id>``: sorts by time, and is unique."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


@contextmanager
def create(results: Path, run_id: str) -> Iterator[Run]:
    """Creates a run's folder, and opens it for appending."""
    folder = results / run_id
    folder.mkdir(parents=True)
    with (
        (folder / SLICES).open("ab") as slices,
        (folder / FAILURES).open("ab") as failures,
        (folder / OBSERVATIONS).open("ab") as observations,
    ):
        yield Run(folder, slices, failures, observations)


def read(folder: Path) -> StoredRun:
    """Reads a run of any version, complete or interrupted. Nothing is written.

    Raises Unreadable, also for a comparison: its rounds have no end.
    """
    manifest, version = _document(folder / MANIFEST, Manifest)
    if any(lane.side for lane in manifest.experiment.lanes):
        raise Unreadable(f"{folder}: found a comparison, expected a run; `bench report` shows one that came to its end")
    known = _lanes(folder / MANIFEST, manifest)
    observations = tuple(_rows(folder / OBSERVATIONS, Observation, version, known))
    return StoredRun(
        folder,
        manifest,
        tuple(_rows(folder / SLICES, SliceRecord, version, known)),
        tuple(_rows(folder / FAILURES, Failure, version, known)),
        (*observations, *formats.unobserved(manifest, observations, version)),
    )


def read_comparison(folder: Path) -> Comparison | None:
    """Reads what a comparison of any version said; None where the folder is that of a run. Raises Unreadable."""
    path = folder / COMPARISON
    if not path.exists():
        return None
    comparison, _version = _document(path, Comparison)
    return comparison


def find(results: Path, run: str) -> Path:
    """Returns the folder of a run given by path, by id, or as ``latest``. Raises Unreadable."""
    for folder in (Path(run), results / run):
        if (folder / MANIFEST).is_file():
            return folder.resolve()
    raise Unreadable(f"{run}: found no {MANIFEST} there or in {results}, expected a run; `ls {results}` shows them")


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Writes derived files, by their path below the folder."""
    for name, content in files.items():
        _write(folder / name, content)


def mark_latest(results: Path, folder: Path) -> None:
    """Points ``results/latest`` at a complete run, in one step."""
    fresh = results / f".{LATEST}-{folder.name}"
    fresh.symlink_to(folder.name)
    fresh.replace(results / LATEST)


def _write(path: Path, content: bytes) -> None:
    """Writes a file in one step, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _document(path: Path, kind: type[_Document]) -> tuple[_Document, int]:
    """Reads a JSON document of any version; returns it as one of today's, and its version. Raises Unreadable."""
    try:
        document = msgspec.json.decode(path.read_bytes())
        version = formats.version_of(kind, document)
        return formats.decoded(kind, document, version), version
    except formats.FutureFormat as error:
        raise OtherFormat(f"{path}: {error}") from None
    except formats.NoFormat as error:
        raise Unreadable(f"{path}: {error}") from None
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}, expected {EXPECTED[path.name]}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path}: {error}, expected {EXPECTED[path.name]}; restore it, or measure again") from None


def _lanes(path: Path, manifest: Manifest) -> list[str]:
    """Returns the names of a run's Lanes. Raises Unreadable where the manifest names others, or has none."""
    experiment = manifest.experiment
    known = [lane.name for lane in experiment.lanes]
    if not known:
        raise Unreadable(f"{path}: lanes: found none, expected one or more; restore it, or measure again")
    named = [facts.lane for facts in manifest.lanes] + [lane for group in experiment.groups for lane in group.lanes]
    for lane in named:
        if lane not in known:
            raise Unreadable(f"{path}: lane: found {lane!r}, expected {one_of(lane, known)}; restore it")
    return known


def _rows(path: Path, kind: type[_Row], version: int, lanes: Collection[str]) -> Iterator[_Row]:
    """Yields the rows of a file; one without its end of line was being written when the run was interrupted."""
    decode = formats.decoder(kind, version)
    *lines, _unfinished = path.read_bytes().split(b"\n") if path.exists() else [b""]
    for number, line in enumerate(lines, start=1):
        try:
            row = decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable(f"{path}: line {number}: {error}; remove the line") from None
        if row.lane not in lanes:
            raise Unreadable(
                f"{path}: line {number}: lane: found {row.lane!r}, expected {one_of(row.lane, lanes)}; remove the line"
            )
        yield row
