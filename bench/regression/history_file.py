"""The history of all runs: ``history.jsonl``, a HistoryRecord a line, which is appended to and never written anew."""

import os
from pathlib import Path

import msgspec

from bench.model.history import HISTORY_VERSION, DamagedHistory, HistoryRecord

HISTORY = "history.jsonl"


class _Version(msgspec.Struct):
    format_version: int


class _Run(msgspec.Struct):
    run_id: str


def read(results: Path) -> list[HistoryRecord]:
    """Returns the records in the order of their lines, the first of each run; none without a file.

    Raises DamagedHistory.
    """
    path = results / HISTORY
    lines = path.read_bytes().splitlines() if path.exists() else []
    decoder = msgspec.json.Decoder(HistoryRecord)
    records: dict[str, HistoryRecord] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        record = _record(f"{path}: line {number}", line, decoder)
        records.setdefault(record.run_id, record)
    return list(records.values())


def append(results: Path, record: HistoryRecord) -> bool:
    """Appends a run's line, and returns whether it did: a run that is there already is not added again.

    What was there stays as it is, damaged or not. A last line that was cut short is ended first, so that the new one
    does not become part of it.
    """
    results.mkdir(parents=True, exist_ok=True)
    with (results / HISTORY).open("a+b") as file:
        file.seek(0)
        content = file.read()
        if any(_is_of(record.run_id, line) for line in content.splitlines()):
            return False
        cut_short = bool(content) and not content.endswith(b"\n")
        file.write((b"\n" if cut_short else b"") + msgspec.json.encode(record) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return True


def _record(where: str, line: bytes, decoder: msgspec.json.Decoder[HistoryRecord]) -> HistoryRecord:
    try:
        record = decoder.decode(line)
        version: int | None = record.format_version
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        version = _version(line)
        if version in (None, HISTORY_VERSION):
            raise DamagedHistory(
                f"{where}: {error}; remove the line, and add its run again with `bench history --add RUN`"
            ) from None
    if version != HISTORY_VERSION:
        raise DamagedHistory(
            f"{where}: format_version: found {version}, expected {HISTORY_VERSION}; use the bench that wrote it"
        )
    return record


def _version(line: bytes) -> int | None:
    """Returns the format of a line that is not of this one; None where it does not say."""
    try:
        return msgspec.json.decode(line, type=_Version).format_version
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _is_of(run_id: str, line: bytes) -> bool:
    """Returns whether a line is of a run, in whatever format; one that was cut short is of none."""
    if run_id.encode() not in line:
        return False
    try:
        return msgspec.json.decode(line, type=_Run).run_id == run_id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
