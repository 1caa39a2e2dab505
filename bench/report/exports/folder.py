"""A run's ``exports/``: every file of it, by name. A gate needs some of the formats and not all of this."""

import pandas as pd
from msgspec import Struct

from bench.model.metrics import METRICS
from bench.model.summary import Report
from bench.report import EXPORTS
from bench.report.exports import bencher, github_action_benchmark, hgrm, hlog, junit, pyperf, slices
from bench.report.exports.histograms import file_name
from bench.report.exports.trends import trusted

PARQUET = "slices.parquet"
NO_PYARROW = (
    f"{EXPORTS}/{PARQUET} is left out: found no pyarrow, expected it beside bench; "
    "install it (pip install 'framework-bench[parquet]') and make the reports again"
)


class Exports(Struct, frozen=True):
    """Contents of files by their names below the run's ``exports/``, and a line for each that can't be made here."""

    files: dict[str, bytes]
    left_out: tuple[str, ...]


def render(report: Report, table: pd.DataFrame) -> Exports:
    """Returns every export of a run, complete or not."""
    frame = slices.slices(report, table)
    files = {
        **_for_trackers(report),
        **_of_latencies(report, table),
        "junit.xml": junit.render(report.manifest.run_id, junit.cell_cases(report, table)),
        "slices.csv": slices.csv(frame),
    }
    try:
        return Exports({**files, PARQUET: slices.parquet(frame)}, ())
    except ImportError:
        return Exports(files, (NO_PYARROW,))


def _for_trackers(report: Report) -> dict[str, bytes]:
    points = trusted(report.summary)
    return {
        "bencher.json": bencher.render(points),
        "custom-smaller-is-better.json": github_action_benchmark.render(points, "lower"),
        "custom-bigger-is-better.json": github_action_benchmark.render(points, "higher"),
        "pyperf.json": pyperf.render(report, points),
    }


def _of_latencies(report: Report, table: pd.DataFrame) -> dict[str, bytes]:
    logs = {f"{kind}.hlog": hlog.render(report.manifest, table, kind) for kind in METRICS.histograms()}
    distributions = {
        f"hgrm/{file_name(lane)}.{kind}.hgrm": content
        for kind in METRICS.histograms()
        for lane, content in hgrm.render(table, kind).items()
    }
    return logs | distributions
