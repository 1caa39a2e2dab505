"""The history of all runs: ``history.jsonl``, a HistoryRecord a line, which is appended to and never written anew."""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from bench.model import formats
from bench.model.formats import HISTORY_VERSION
from bench.model.history import DamagedHistory, HistoryRecord, OtherHistory

HISTORY = "history.jsonl"


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
    """Returns a line of any version as a record of today. Raises DamagedHistory."""
    try:
        with suppress(msgspec.ValidationError):  # most lines are of today
            record = decoder.decode(line)
            if record.format_version == HISTORY_VERSION:
                return record
        document = msgspec.json.decode(line)
        return formats.decoded(HistoryRecord, document, formats.version_of(HistoryRecord, document))
    except formats.FutureFormat as error:
        raise OtherHistory(f"{where}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, formats.NoFormat) as error:
        raise DamagedHistory(
            f"{where}: {error}; remove the line, and add its run again with `bench history --add RUN`"
        ) from None


def _is_of(run_id: str, line: bytes) -> bool:
    """Returns whether a line is of a run, in whatever format; one that was cut short is of none."""
    if run_id.encode() not in line:
        return False
    try:
        return msgspec.json.decode(line, type=_Run).run_id == run_id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
