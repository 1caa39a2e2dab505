"""Which Lanes did not keep still while a run lasted: their throughput drifted, or no two rounds agree.

What slows the whole machine cancels in the ratios, and what one Lane does shifts the others' ratios to it. So a Lane is
unstable where its own throughput shows it *and* its throughput relative to the median of the other Lanes does.
"""

from collections.abc import Mapping
from math import exp, log
from statistics import median

import numpy as np
from scipy.special import stdtr

from bench.analysis import autocorrelation
from bench.analysis.autocorrelation import Floats
from bench.analysis.folds import ByRound
from bench.model.metrics import LARGE_SPREAD
from bench.model.reason import Code, Reason, reason

LARGE_DRIFT = log(1.1)
"""A trend that takes a Lane by less than 10 % from the first round to the last is within what runs differ by anyway."""
DRIFT_ALARMS = 0.01
"""How many of the runs in which no Lane drifts may call one of them drifting."""


def unstable(lanes: Mapping[str, ByRound], large_spread: float = LARGE_SPREAD) -> dict[str, Reason]:
    """Returns why Lanes are unstable, by Lane, given a positive metric of each Lane by round."""
    logs = {lane: {index: log(value) for index, value in rounds.items()} for lane, rounds in lanes.items()}
    found = {lane: _found(lane, logs, large_spread) for lane in logs}
    return {lane: why for lane, why in found.items() if why}


def _found(lane: str, logs: Mapping[str, ByRound], large_spread: float) -> Reason | None:
    own, others = logs[lane], [rounds for other, rounds in logs.items() if other != lane]
    rounds = [index for index in sorted(own) if not others or any(index in other for other in others)]
    if len(rounds) < 3:
        return None
    at = np.array(rounds, dtype=float)
    itself = np.array([own[index] for index in rounds])
    relative = itself - [median([other[index] for other in others if index in other] or [0.0]) for index in rounds]
    whole = np.array([[other[index] for index in rounds] for other in others if other.keys() >= set(rounds)])
    rho = autocorrelation.resemblance(whole).of_ratios
    return _drifting(at, itself, relative, rho, DRIFT_ALARMS / len(logs)) or _scattered(itself, relative, large_spread)


def _drifting(at: Floats, itself: Floats, relative: Floats, rho: float, alarms: float) -> Reason | None:
    change, p_value = _trend(at, relative, rho)
    alone, _ = _trend(at, itself, rho)
    if p_value >= alarms or min(abs(change), abs(alone)) <= LARGE_DRIFT or change * alone < 0:
        return None
    return reason(Code.DRIFTED, change_share=exp(change) - 1, p_value=p_value)


def _trend(at: Floats, logs: Floats, rho: float) -> tuple[float, float]:
    """Returns the change from the first round to the last on the line of least squares, and its p-value.

    The test is Student's t with n - 2 degrees of freedom (Draper and Smith, Applied Regression Analysis, 3rd edition,
    section 1.4). Where the other Lanes' rounds resemble each other, its variance grows by (1 + rho) / (1 - rho).
    """
    centred = at - at.mean()
    slope = float(centred @ logs / (centred @ centred))
    rest = logs - logs.mean() - slope * centred
    error = float(np.sqrt(rest @ rest / (len(at) - 2) / (centred @ centred) * (1 + rho) / (1 - rho)))
    t = abs(slope) / error if error > 0 else float("inf") if slope else 0.0
    return slope * float(at[-1] - at[0]), float(2 * stdtr(len(at) - 2, -t))


def _scattered(itself: Floats, relative: Floats, large_spread: float) -> Reason | None:
    spread = min(float(logs.std(ddof=1)) for logs in (itself, relative))
    if spread <= large_spread:
        return None
    return reason(Code.SCATTERED, spread_share=exp(spread) - 1)
