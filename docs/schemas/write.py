"""Writes the JSON Schemas of a run's files, and of what commands give as JSON, beside this script, from the types."""

import inspect
from pathlib import Path
from typing import Any

import msgspec

from bench.doctor.checks import Diagnosis
from bench.model.history import History, HistoryRecord
from bench.model.records import Failure, Manifest, Observation, SliceRecord, Summary
from bench.model.regression import Check, Comparison

FILES = {
    "manifest.json": Manifest,
    "slices.jsonl": SliceRecord,
    "failures.jsonl": Failure,
    "observations.jsonl": Observation,
    "comparison.json": Comparison,
    "check.json": Check,
    "summary.json": Summary,
    "doctor.json": Diagnosis,
    "history.jsonl": HistoryRecord,
    "history.json": History,
}


def schema(kind: type) -> Any:
    """Returns the JSON Schema of a type. Descriptions are docstrings, which Python 3.13 indents less than 3.11."""
    return _dedented(msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(kind))))


def _dedented(node: Any) -> Any:
    match node:
        case dict():
            return {
                key: inspect.cleandoc(value) if key == "description" and isinstance(value, str) else _dedented(value)
                for key, value in node.items()
            }
        case list():
            return [_dedented(value) for value in node]
    return node


def main() -> None:
    """Writes them."""
    for name, kind in FILES.items():
        text = msgspec.json.format(msgspec.json.encode(schema(kind), order="sorted"), indent=2)
        Path(__file__).with_name(f"{name}.schema.json").write_bytes(text + b"\n")


if __name__ == "__main__":
    main()
