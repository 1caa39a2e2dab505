"""pyperf's JSON, format version 1.0: what ``python -m pyperf compare_to`` takes.

A Round is a pyperf run of one value: pyperf's t-test takes values as independent, which slices of one Round are not.
pyperf knows seconds, bytes and counts, and takes less of each for better, so throughput has no place in it.
Source: pyperf's documentation, API, and ``_bench.py``, where the versions of the format are listed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bench.model.metrics import METRICS, Unit
from bench.model.records import Manifest
from bench.model.summary import Report
from bench.report.exports.trends import Point
from bench.report.format import one_line

PYPERF_VERSION = "1.0"
UNITS: dict[Unit, tuple[str, float]] = {
    Unit.US: ("second", 1e-6),
    Unit.MS: ("second", 1e-3),
    Unit.MIB: ("byte", 2.0**20),
    Unit.BYTES: ("byte", 1.0),
    Unit.INSTRUCTIONS: ("integer", 1.0),
    Unit.LINES: ("integer", 1.0),
    Unit.PACKAGES: ("integer", 1.0),
}
"""pyperf's unit for each of bench's, and what a value is multiplied by."""


def render(report: Report, points: Sequence[Point]) -> bytes:
    """Returns a suite with a benchmark for each point whose unit pyperf knows; pyperf itself refuses an empty one."""
    suite = {
        "version": PYPERF_VERSION,
        "metadata": _metadata(report.manifest),
        "benchmarks": list(_benchmarks(points, report.samples)),
    }
    return msgspec.json.encode(suite) + b"\n"


def _benchmarks(
    points: Sequence[Point], samples: Mapping[str, Mapping[str, Sequence[float]]]
) -> Iterator[dict[str, Any]]:
    for point in points:
        values = samples.get(point.lane, {}).get(point.metric, ())
        if values and min(values) > 0 and METRICS[point.metric].unit in UNITS:
            unit, scale = UNITS[METRICS[point.metric].unit]
            runs = [{"values": [value * scale]} for value in values]
            yield {"metadata": {"name": point.name, "unit": unit}, "runs": runs}


def _metadata(manifest: Manifest) -> dict[str, str | int]:
    """Returns what holds for the whole run; pyperf takes no empty value and no line break."""
    machine = manifest.machine
    known = {
        "bench_run_id": manifest.run_id,
        "bench_version": manifest.bench_version,
        "bench_revision": manifest.bench_revision or "",
        "project_revision": manifest.project_revision or "",
        "cpu_model_name": machine.cpu,
        "platform": machine.system,
        "date": manifest.started_utc.replace("T", " ").removesuffix("Z"),
    }
    said = {name: one_line(value) for name, value in known.items()}
    return {"cpu_count": machine.cores, **{name: value for name, value in said.items() if value}}
