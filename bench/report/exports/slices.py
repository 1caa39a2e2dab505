"""The tidy table as CSV and Parquet, a row a (round, slice, lane), for spreadsheets and data frames.

Histograms are given as percentiles in ms; whole, they are in the ``.hlog`` files and in ``slices.jsonl``.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, get_args, get_type_hints

import pandas as pd
from hdrh.histogram import HdrHistogram

from bench.analysis import histograms, validity
from bench.model.load import LOADS, Phase
from bench.model.metrics import PERCENTILES
from bench.model.protocol import HISTOGRAMS
from bench.model.reason import Reason
from bench.model.records import SliceRecord
from bench.model.summary import Report
from bench.report.wording import said

MAX = 100.0
SLICE_PERCENTILES = {**PERCENTILES, "max": MAX}
UNFOLDED = ("load", *HISTOGRAMS)
"""Columns that others stand for."""
NOT_TABULAR = ("lane", "unknown", "discarded")
"""Columns that stand elsewhere, or that say why a value or a slice is not in the table."""
TYPES = {int: "Int64", float: "Float64"}
"""Types with a place for what is not known; all else is text."""


def slices(report: Report, table: pd.DataFrame) -> pd.DataFrame:
    """Returns the tidy table without nested values, types the same in every run; what is not known is NA."""
    rows = table.to_dict("records")
    types = {name: _type(hint) for name, hint in get_type_hints(SliceRecord).items()}
    kept = [name for name in table.columns if name not in (*UNFOLDED, *NOT_TABULAR)]
    plain = (
        table[kept].assign(not_repeated=table["not_repeated"].map(_said)).astype({name: types[name] for name in kept})
    )
    histograms = (_percentiles(rows, name) for name in HISTOGRAMS)
    return pd.concat([_lanes(report, rows), plain, _loads(rows), *histograms], axis=1)


def csv(frame: pd.DataFrame) -> bytes:
    """Returns a table as CSV in UTF-8, with a line of names, quoted as in RFC 4180; NA is empty."""
    return frame.to_csv(index=False, lineterminator="\n").encode()


def parquet(frame: pd.DataFrame) -> bytes:
    """Returns a table as Parquet. Raises ImportError where pyarrow is not installed."""
    buffer = BytesIO()
    frame.to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()


def _said(reason: Reason | None) -> str | None:
    return said(reason) if isinstance(reason, Reason) else None


def _type(hint: Any) -> str:
    """Returns the type of a column: of a number, of a number or None, of errors that were counted, or of text."""
    return next((TYPES[kind] for kind in (hint, *get_args(hint)) if kind in TYPES), "string")


def _lanes(report: Report, rows: Sequence[Mapping[Any, Any]]) -> pd.DataFrame:
    """Returns what is to be known of each row's Lane, and whether its cell can be trusted."""
    lanes = {lane.lane: lane for lane in report.summary.lanes}
    columns = {
        "lane": [row["lane"] for row in rows],
        **{name: [getattr(lanes[row["lane"]], name) for row in rows] for name in ("app", "server", "adapter")},
        "validity": [validity.of_phase(lanes[row["lane"]].cells, Phase(row["phase"])).status for row in rows],
    }
    return pd.DataFrame(columns, dtype="string")


def _loads(rows: Sequence[Mapping[Any, Any]]) -> pd.DataFrame:
    """Returns the Load of each row, in the column of its kind: users of a closed one, or the rate of an open one."""
    loads = [row["load"] for row in rows]
    columns = {name: _type(get_type_hints(kind)[name]) for kind in LOADS for name in kind.__struct_fields__}
    found = {name: [getattr(load, name, None) for load in loads] for name in columns}
    return pd.DataFrame({name: pd.Series(found[name], dtype=kind) for name, kind in columns.items()})


def _percentiles(rows: Sequence[Mapping[Any, Any]], column: str) -> pd.DataFrame:
    """Returns percentiles of each row's histogram, where enough answers lie beyond them, and its maximum."""
    names = [f"{column.removesuffix('us')}{name}_ms" for name in SLICE_PERCENTILES]
    return pd.DataFrame([_of_slice(row[column]) for row in rows], columns=names, dtype="Float64")


def _of_slice(encoded: str | None) -> list[float | None]:
    histogram = HdrHistogram.decode(encoded) if isinstance(encoded, str) else None
    if not histogram or not histogram.total_count:
        return [None] * len(SLICE_PERCENTILES)
    return [
        histograms.percentile_ms(histogram, percentile) if _known(histogram.total_count, percentile) else None
        for percentile in SLICE_PERCENTILES.values()
    ]


def _known(count: int, percentile: float) -> bool:
    return percentile == MAX or histograms.beyond(count, percentile) >= histograms.MIN_BEYOND
