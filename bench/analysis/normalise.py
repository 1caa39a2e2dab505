"""Lanes relative to raw in their own run: what made the whole machine slower that day made raw slower, too."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from bench.analysis import autocorrelation
from bench.analysis.ranking import ByRound
from bench.model.experiment import Experiment, Lane

METRICS = ("cpu_us_per_request", "throughput_rps", "latency_fixed_p50_ms")
"""The metrics that raw has, too, most precise first."""


def contenders(experiment: Experiment) -> tuple[Lane, ...]:
    """Returns the Lanes that are something else than raw or a twin."""
    return tuple(lane for lane in experiment.lanes if not (lane.app.raw or lane.twin))


def to_raw(experiment: Experiment, by_round: pd.DataFrame, metric: str) -> Mapping[str, ByRound]:
    """Returns a metric of each contender divided by raw's on the same Server and Adapter, in the Rounds of both.

    ``by_round`` is that of ``metrics``. A Lane without a raw one, or without a Round that both have, is left out.
    """
    columns = by_round[metric].unstack("lane")
    pairs = ((lane.name, raw.name) for lane in contenders(experiment) if (raw := experiment.raw(lane)))
    ratios = {
        lane: (columns[lane] / columns[raw]).dropna() for lane, raw in pairs if {lane, raw} <= set(columns.columns)
    }
    return {lane: dict(ratio) for lane, ratio in ratios.items() if len(ratio)}


def resemblance(by_round: pd.DataFrame, metric: str, lanes: Collection[str]) -> float:
    """Returns how much a round resembles the next in what Lanes do not share, by those of ``lanes`` with all rounds."""
    columns = by_round[metric].unstack("lane")
    values = columns[[lane for lane in columns if lane in lanes]].dropna(axis=1).to_numpy(dtype=float)
    return autocorrelation.resemblance(np.log(values.T)).of_ratios
