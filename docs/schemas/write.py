"""Writes the JSON Schemas of configurations, of a run's files, and of what commands give as JSON."""

import inspect
from pathlib import Path
from typing import Any

import msgspec

from bench.doctor.checks import Diagnosis
from bench.model.config_schema import DIALECT, app_schema, published_schema
from bench.model.estimate import Estimate
from bench.model.history import History, HistoryRecord
from bench.model.inventory import Inventory
from bench.model.metrics import METRICS
from bench.model.records import Failure, Manifest, Observation, SliceRecord
from bench.model.regression import Check, Comparison
from bench.model.summary import LaneSummary, Summary

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
    "list.json": Inventory,
}


def schema(kind: type) -> dict[str, Any]:
    """Returns the JSON Schema of a type. Descriptions are docstrings, which Python 3.13 indents less than 3.11."""
    found: dict[str, Any] = _dedented(msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(kind))))
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


def documents() -> dict[str, bytes]:
    """Returns the schemas by the names of their files."""
    found = {"bench.toml": published_schema(), "app.toml": app_schema()}
    found |= {name: schema(kind) for name, kind in FILES.items()}
    return {f"{name}.schema.json": _document(name, content) for name, content in found.items()}


def _document(name: str, content: dict[str, Any]) -> bytes:
    """Returns a schema with what a tool knows it by: its dialect, its own name, and that of the file that it is of."""
    whole = {**content, "$schema": DIALECT, "$id": f"{name}.schema.json", "title": name}
    return msgspec.json.format(msgspec.json.encode(whole, order="sorted"), indent=2) + b"\n"


def main() -> None:
    """Writes them."""
    for name, content in documents().items():
        Path(__file__).with_name(name).write_bytes(content)


if __name__ == "__main__":
    main()
