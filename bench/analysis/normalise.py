"""Lanes relative to raw in their own run: what made the whole machine slower that day made raw slower, too."""

from collections.abc import Collection, Mapping

import numpy as np

from bench.analysis import autocorrelation
from bench.analysis.folds import ByRound, RoundValues
from bench.model.experiment import Experiment, Lane


def contenders(experiment: Experiment) -> tuple[Lane, ...]:
    """Returns the Lanes that are something else than raw or a twin."""
    return tuple(lane for lane in experiment.lanes if not (lane.app.raw or lane.twin))


def to_raw(experiment: Experiment, values: RoundValues, metric: str) -> Mapping[str, ByRound]:
    """Returns a metric of each contender divided by raw's on the same Server and Adapter, in the Rounds of both.

    A Lane without a raw one, or without a Round that both have, is left out.
    """
    pairs = ((lane.name, raw.name) for lane in contenders(experiment) if (raw := experiment.raw(lane)))
    ratios = {lane: _divided(values.of(lane, metric), values.of(raw, metric)) for lane, raw in pairs}
    return {lane: ratio for lane, ratio in ratios.items() if ratio}


def resemblance(values: RoundValues, metric: str, lanes: Collection[str]) -> float:
    """Returns how much a round resembles the next in what Lanes do not share, by those of ``lanes`` with all rounds."""
    return autocorrelation.resemblance(np.log(values.array(metric, lanes))).of_ratios


def _divided(numerators: ByRound, denominators: ByRound) -> ByRound:
    return {index: value / denominators[index] for index, value in numerators.items() if index in denominators}
