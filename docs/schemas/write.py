"""Writes the JSON Schemas of a run's files beside this script, from the types that bench writes them with."""

from pathlib import Path

import msgspec

from bench.records import Failure, Manifest, SliceRecord, Summary

FILES = {"manifest.json": Manifest, "slices.jsonl": SliceRecord, "failures.jsonl": Failure, "summary.json": Summary}

for name, kind in FILES.items():
    schema = msgspec.json.format(msgspec.json.encode(msgspec.json.schema(kind), order="sorted"), indent=2)
    Path(__file__).with_name(f"{name}.schema.json").write_bytes(schema + b"\n")
