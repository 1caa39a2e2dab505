"""A run's ``exports/``: every file of it, by name. A gate needs some of the formats and not all of this."""

from collections.abc import Callable, Mapping

import pandas as pd
from msgspec import Struct

from bench.model.metrics import METRICS, Better
from bench.model.summary import Report
from bench.report import EXPORTS
from bench.report.exports import bencher, github_action_benchmark, hgrm, hlog, junit, pyperf, slices
from bench.report.exports.histograms import file_name
from bench.report.exports.trends import Point, trusted

PARQUET = "slices.parquet"
NO_PYARROW = (
    f"{EXPORTS}/{PARQUET} is left out: found no pyarrow, expected it beside bench; "
    "install it (pip install 'framework-bench[parquet]') and make the reports again"
)


class Exports(Struct, frozen=True):
    """Contents of files by their names below the run's ``exports/``, and a line for each that can't be made here."""

    files: dict[str, bytes]
    left_out: tuple[str, ...]


class Exported(Struct, frozen=True):
    """What there is to export: the report, its slices by row, both as one table, and the trends that can be trusted."""

    report: Report
    table: pd.DataFrame
    slices: pd.DataFrame
    points: tuple[Point, ...]


class Export(Struct, frozen=True, kw_only=True):
    """A file of ``exports/``, or one for each histogram or Lane: what docs/exports.md says of it, and what makes it."""

    file: str
    format: str
    holds: str
    read_by: str
    render: Callable[[Exported], bytes | Mapping[str, bytes]]
    """Returns the file's content, or contents by name where there are several."""
    if_not_installed: str = ""
    """What is said where a package that it takes is not installed; nothing for those that need bench's alone."""


def _logs(run: Exported) -> dict[str, bytes]:
    return {f"{kind}.hlog": hlog.render(run.report.manifest, run.table, kind) for kind in METRICS.histograms()}


def _distributions(run: Exported) -> dict[str, bytes]:
    return {
        f"hgrm/{file_name(lane)}.{kind}.hgrm": content
        for kind in METRICS.histograms()
        for lane, content in hgrm.render(run.table, kind).items()
    }


FORMATS = (
    Export(
        file="bencher.json",
        format="Bencher Metric Format",
        holds="trends",
        read_by="`bencher run --adapter json --file results/latest/exports/bencher.json`",
        render=lambda run: bencher.render(run.points),
    ),
    Export(
        file="custom-smaller-is-better.json",
        format="github-action-benchmark, `customSmallerIsBetter`",
        holds="trends",
        read_by="the action, as `output-file-path`",
        render=lambda run: github_action_benchmark.render(run.points, Better.LOWER),
    ),
    Export(
        file="custom-bigger-is-better.json",
        format="github-action-benchmark, `customBiggerIsBetter`",
        holds="trends",
        read_by="the action, as `output-file-path`",
        render=lambda run: github_action_benchmark.render(run.points, Better.HIGHER),
    ),
    Export(
        file="pyperf.json",
        format="pyperf JSON 1.0",
        holds="trends, a value a round",
        read_by="`python -m pyperf compare_to BASE.json HEAD.json`",
        render=lambda run: pyperf.render(run.report, run.points),
    ),
    Export(
        file="junit.xml",
        format="JUnit XML",
        holds="what can be trusted",
        read_by="every CI that shows tests",
        render=lambda run: junit.render(run.report.manifest.run_id, junit.cell_cases(run.report, run.table)),
    ),
    Export(
        file="slices.csv",
        format="CSV",
        holds="the tidy table",
        read_by="spreadsheets, pandas",
        render=lambda run: slices.csv(run.slices),
    ),
    Export(
        file=PARQUET,
        format="Parquet",
        holds="the same",
        read_by="pandas, DuckDB, Polars",
        render=lambda run: slices.parquet(run.slices),
        if_not_installed=NO_PYARROW,
    ),
    Export(
        file="KIND.hlog",
        format="HdrHistogram log 1.3, V2 histograms",
        holds="a histogram a slice",
        read_by="`HistogramLogReader`, HistogramLogAnalyzer",
        render=_logs,
    ),
    Export(
        file="hgrm/LANE.KIND.hgrm",
        format="HdrHistogram percentile distribution",
        holds="all rounds merged",
        read_by="HdrHistogram's plotters",
        render=_distributions,
    ),
)
"""Every export, in the order in which docs/exports.md has them; `make fix` writes its table."""


def render(report: Report, table: pd.DataFrame) -> Exports:
    """Returns every export of a run, complete or not."""
    run = Exported(report, table, slices.slices(report, table), trusted(report.summary))
    files: dict[str, bytes] = {}
    left_out: list[str] = []
    for export in FORMATS:
        try:
            content = export.render(run)
        except ImportError:
            if not export.if_not_installed:
                raise
            left_out.append(export.if_not_installed)
        else:
            files |= {export.file: content} if isinstance(content, bytes) else content
    return Exports(files, tuple(left_out))
