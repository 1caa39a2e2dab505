"""What a comparison of two versions says: a Verdict on each metric of each App, and what it rests on. No I/O."""

from enum import StrEnum

from msgspec import Struct

from bench.model.estimate import Estimate
from bench.model.metrics import METRICS
from bench.model.reason import Reason


class Verdict(StrEnum):
    """What a comparison says of one metric of one App."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_DIFFERENCE = "no difference"
    UNDECIDED = "undecided"
    INVALID = "invalid"


class Evidence(Struct, frozen=True):
    """HEAD:BASE of one metric, and what follows from it.

    ``bound`` is the largest difference, either way, that the interval leaves open (0.02 for 2 %). ``visible`` is the
    regression that an interval of this width finds more often than not: what is allowed, and half of the width. Both
    are None without an interval.
    """

    metric: str
    ratio: Estimate | None
    verdict: Verdict
    bound: float | None
    reasons: tuple[Reason, ...]
    visible: float | None = None

    def __post_init__(self) -> None:
        """Refuses a metric without a row; of a stored one msgspec says where it stands."""
        METRICS.require(self.metric)


class Judged(Struct, frozen=True):
    """What was compared, by the name that a reader knows it by, and the evidence on it."""

    name: str
    evidence: tuple[Evidence, ...]


class DifferenceKind(StrEnum):
    """What differs between the two versions of an App, beside its code."""

    PYTHON = "python"
    PACKAGE = "package"
    HEADER = "header"
    SAID = "said"
    """The words of a file of an older format; they are the name."""


class Difference(Struct, frozen=True, kw_only=True):
    """One thing that an App runs on or answers with, on both sides: a version, or a header's value. None: not there."""

    kind: DifferenceKind
    name: str
    base: str | None
    head: str | None


class SideFacts(Struct, frozen=True, kw_only=True):
    """One side of a comparison: what was asked for, and the commit that it named; None for what is not committed."""

    revision: str
    commit: str | None
    python: str
    requirements: tuple[str, ...]


class AppComparison(Struct, frozen=True, kw_only=True):
    """All that a comparison says of one App, and what differs between its two environments and answers."""

    app: str
    lane: str
    evidence: tuple[Evidence, ...]
    differences: tuple[Difference, ...]


class Comparison(Struct, frozen=True, kw_only=True):
    """``comparison.json``: two versions of Apps, compared in one run. ``max_*`` are shares: 0.03 for 3 %."""

    format_version: int
    run_id: str
    base: SideFacts
    head: SideFacts
    max_regression: float
    max_instructions: float
    budget_s: float
    spent_s: float
    rounds: int
    measured_again: bool
    apps: tuple[AppComparison, ...]
    notes: tuple[Reason, ...]

    @property
    def judged(self) -> tuple[Judged, ...]:
        """Returns the evidence App by App."""
        return tuple(Judged(app.app, app.evidence) for app in self.apps)


class LaneCheck(Struct, frozen=True, kw_only=True):
    """All that a check says of one Lane: RUN:BASELINE, each relative to raw in its own run."""

    lane: str
    evidence: tuple[Evidence, ...]


class Check(Struct, frozen=True, kw_only=True):
    """``bench check --json``: two stored runs from one machine, Lane by Lane. ``max_*`` are shares: 0.03 for 3 %.

    ``noise_floors`` are shares by metric, of the two runs the larger one. Below it nothing is slower or faster.
    """

    format_version: int
    run_id: str
    baseline_run_id: str
    max_regression: float
    max_instructions: float
    noise_floors: dict[str, float]
    lanes: tuple[LaneCheck, ...]
    notes: tuple[Reason, ...]

    @property
    def judged(self) -> tuple[Judged, ...]:
        """Returns the evidence Lane by Lane."""
        return tuple(Judged(lane.lane, lane.evidence) for lane in self.lanes)
