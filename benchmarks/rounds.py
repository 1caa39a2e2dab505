"""How many rounds, and how many slices in each: what a stored run's own variance says, for the same wall time.

``python benchmarks/rounds.py results/example`` takes the saturated slices of every Lane and takes off ln(throughput)
what all Lanes of a block had in common, as their ratios do. What is left has a variance within rounds, w² a slice, and
one between rounds beyond that, b² (balanced one-way random model; Searle, Casella and McCulloch, Variance Components,
chapter 3). The most that b² may be is the upper end of its one-sided 95 % interval, by the F distribution. The ratio of
two Lanes then has the variance 2 (b² + w² / slices) / rounds, and Student's t with rounds - 1 degrees of freedom makes
the interval's half width of that, here for one pair.
"""

import argparse
from collections.abc import Sequence
from math import expm1, sqrt
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from scipy.stats import f, t

from bench.analysis.autocorrelation import Floats, own
from bench.model import quotients, schedule
from bench.model.experiment import Experiment
from bench.model.load import Phase
from bench.model.records import SliceRecord
from bench.run import store

LAYOUTS = ((18, 1), (10, 1), (7, 2), (6, 3), (5, 4), (4, 5), (3, 8))
"""Rounds, and slices a Lane and load in each."""


def main() -> None:
    """Prints the variance components of a run, and a Markdown table of what layouts would give."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("run", type=Path)
    run = store.read(asked.parse_args().run)
    logs = own_logs(run.records)
    lanes, rounds, slices = logs.shape
    within, between, most = components(logs)
    each = [components(lane[np.newaxis])[1] for lane in logs]
    print(
        f"{lanes} Lanes, {rounds} rounds of {slices} slices: {sqrt(within):.1%} between slices of a round, "
        f"{sqrt(between):.1%} between rounds beyond that (at most {sqrt(most):.1%}; 0 for {each.count(0.0)} Lanes)\n"
    )
    print("| rounds x slices | run | t | half width | per minute | per minute, rounds differing at most |")
    print("| --- | --- | --- | --- | --- | --- |")
    for count, of_each in LAYOUTS:
        minutes = round_s(run.manifest.experiment, of_each) * count / 60
        found, worst = (width(within, b, count, of_each) for b in (between, most))
        per_minute = " | ".join(f"{expm1(each * sqrt(minutes)):.1%}" for each in (found, worst))
        quantile = t.ppf(0.975, count - 1)
        print(f"| {count} x {of_each} | {minutes:.1f} min | {quantile:.2f} | ±{expm1(found):.1%} | {per_minute} |")


def own_logs(records: Sequence[SliceRecord]) -> Floats:
    """Returns ln(throughput) by Lane, round and block of slices, without what all Lanes of a block have in common."""
    rates: dict[str, dict[int, list[float]]] = {}
    for record in sorted(records, key=lambda record: (record.round, record.repeat_of or record.slice)):
        rps = quotients.throughput_rps(record)
        if record.phase is Phase.SATURATED and not record.discarded and rps:
            rates.setdefault(record.lane, {}).setdefault(record.round, []).append(rps)
    least = min(len(slices) for of_lane in rates.values() for slices in of_lane.values())
    common = sorted(set.intersection(*(set(of_lane) for of_lane in rates.values())))
    logs = np.log([[of_lane[index][:least] for index in common] for of_lane in rates.values()])
    return np.asarray(own(logs.transpose(1, 2, 0)[..., np.newaxis])[..., 0].transpose(2, 0, 1))


def components(logs: Floats) -> tuple[float, float, float]:
    """Returns the variance within rounds, that between rounds beyond it, and the most that this may be."""
    lanes, rounds, slices = logs.shape
    within = float(logs.var(axis=2, ddof=1).mean())
    means = slices * float(logs.mean(axis=2).var(axis=1, ddof=1).mean())
    low = float(f.ppf(0.05, lanes * (rounds - 1), lanes * rounds * (slices - 1)))
    return within, max(0.0, (means - within) / slices), max(0.0, (means / low - within) / slices)


def width(within: float, between: float, rounds: int, slices: int) -> float:
    """Returns half the 95 % interval of the logarithm of a ratio of two Lanes."""
    return float(t.ppf(0.975, rounds - 1)) * sqrt(2 * (between + within / slices) / rounds)


def round_s(experiment: Experiment, slices: int) -> float:
    """Returns how long a round takes with so many slices a Lane under either load."""
    whole = [
        replace(
            experiment, preset=replace(experiment.preset, rounds=rounds, saturated_slices=slices, fixed_slices=slices)
        )
        for rounds in (1, 2)
    ]
    one, two = (schedule.outline(each).expected_s for each in whole)
    return two - one


if __name__ == "__main__":
    main()
