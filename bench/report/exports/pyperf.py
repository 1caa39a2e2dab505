"""pyperf's JSON, format version 1.0: what ``python -m pyperf compare_to`` takes.

A Round is a pyperf run of one value: pyperf's t-test takes values as independent, which slices of one Round are not.
pyperf knows seconds, bytes and counts, and takes less of each for better, so throughput has no place in it.
Source: pyperf's documentation, API, and ``_bench.py``, where the versions of the format are listed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bench.model.metrics import METRICS
from bench.model.records import Manifest
from bench.model.summary import Report
from bench.report.exports.trends import Point
from bench.report.format import one_line

PYPERF_VERSION = "1.0"


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
        base = METRICS[point.metric].unit.base
        if base and values and min(values) > 0:
            unit, scale = base
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
