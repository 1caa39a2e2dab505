"""Writes the JSON Schemas of a run's files, and of what commands give as JSON, beside this script, from the types."""

import inspect
from pathlib import Path
from typing import Any

import msgspec

from bench.doctor.checks import Diagnosis
from bench.model.history import History, HistoryRecord
from bench.model.metrics import METRICS
from bench.model.records import Estimate, Failure, LaneSummary, Manifest, Observation, SliceRecord, Summary
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
    found = _dedented(msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(kind))))
    if lane := found["$defs"].get(LaneSummary.__name__):
        lane["properties"]["metrics"] |= {"properties": _metrics(), "additionalProperties": False}
    return found


def _metrics() -> dict[str, Any]:
    """Returns what the registry says of each metric that a Lane may have."""
    return {
        metric.name: {
            "$ref": f"#/$defs/{Estimate.__name__}",
            "title": metric.title,
            "description": f"in {metric.unit}, {metric.better} is better; the {metric.average}",
        }
        for metric in METRICS.values()
    }


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
