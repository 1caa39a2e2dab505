"""The tidy table of a run as a data frame of pandas: what the exports are made from."""

from collections.abc import Sequence

import msgspec
import pandas as pd

from bench.analysis.folds import counts
from bench.model.records import SliceRecord

PLACE = ("round", "slice", "lane", "phase", "load", "at_s")
"""Columns that say which slice a row is of; they come first."""
COLUMNS = (*PLACE, *(name for name in SliceRecord.__struct_fields__ if name not in PLACE))


def tidy(records: Sequence[SliceRecord]) -> pd.DataFrame:
    """Returns one row a (round, slice, lane) of the records that count; ``errors`` is their number."""
    rows = [
        {**msgspec.structs.asdict(record), "errors": sum(record.errors.values())}
        for record in records
        if counts(record)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
