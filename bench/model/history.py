"""What the history holds, a HistoryRecord a run, and the trends that are made from it. No I/O."""

from typing import Annotated

from msgspec import Meta, Struct

from bench.model.errors import BenchError, ExitCode, WrongUsage
from bench.model.estimate import Estimate
from bench.model.metrics import METRICS

PositiveNumber = Annotated[float, Meta(gt=0)]
Time = Annotated[str, Meta(pattern=r"^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z$")]
"""In UTC and to the second, so that the order of the texts is that of the times: ``2026-03-01T10:15:00Z``."""


class NoHistory(BenchError):
    """There is nothing to show, or a run cannot be in the history; the message says why, and what to do."""


class DamagedHistory(WrongUsage):
    """A line is not what it should be; the message names the file, the line, what was found and what to do."""


class OtherHistory(DamagedHistory):
    """A line was written by a newer bench, in a format that this one does not know."""

    exit_code = ExitCode.NOT_MEASURED


class MachineIdentity(Struct, frozen=True, kw_only=True):
    """What has to be the same for two runs to be in one trend."""

    cpu: str
    cores: int
    system: str
    python: str
    server_cores: tuple[int, ...]


class Reading(Struct, frozen=True, array_like=True, gc=False):
    """A figure of one run with its 95 % interval, ``[point, low, high]``; null where there were too few rounds."""

    point: PositiveNumber
    low: PositiveNumber | None
    high: PositiveNumber | None


class HistoryRecord(Struct, frozen=True, kw_only=True):
    """One line of ``history.jsonl``: what a complete run found of each Lane that can be trusted, by metric.

    Readings are the Lane's divided by raw's, on the same Server and Adapter in the same run. What is counted, such as
    instructions per request, stands as it is. ``project_revision`` is the commit of the Apps' repository.
    ``conditions`` is the digest of the machine and of what was asked of all Lanes: Workload, serving, loads, length of
    a Slice. ``fixed_rate_rps`` is the rate at which latencies were measured, None if there was none. The first lines
    say neither of the two.
    """

    format_version: int
    run_id: str
    started_utc: Time
    project_revision: str | None
    bench_version: str
    preset: str
    conditions: str | None
    fixed_rate_rps: float | None
    machine: MachineIdentity
    lanes: dict[str, dict[str, Reading]]

    def __post_init__(self) -> None:
        """Refuses a metric without a row, or that has no trend; of a stored line msgspec says where it stands."""
        for metric in {metric for of_lane in self.lanes.values() for metric in of_lane}:
            if METRICS.require(metric).gate is None:
                gated = [row.name for row in METRICS.gated()]
                raise ValueError(f"found the metric {metric!r}, expected one that has a trend: {', '.join(gated)}")


class LevelStep(Struct, frozen=True, kw_only=True):
    """A change of a metric's level that stayed. ``ratio`` is after:before.

    It most likely came between the runs ``before`` and ``after``. With 95 % it lies between the two runs of
    ``between``, so in the ``commits``: a range for git, or one commit if both have the same; None if one is not known.
    ``uncommitted`` says whether one of the two runs had changes that are in no commit.
    """

    ratio: Estimate
    before: str
    after: str
    between: tuple[str, str]
    commits: str | None
    uncommitted: bool


class Trend(Struct, frozen=True, kw_only=True):
    """A metric of a Lane over ``runs`` runs: the latest reading, the run that it is of, and the steps, oldest first."""

    lane: str
    metric: str
    runs: int
    latest: Reading
    latest_run: str
    steps: tuple[LevelStep, ...]


class History(Struct, frozen=True, kw_only=True):
    """``bench history --json``: the trends of the ``runs`` that are like the latest one.

    Runs on ``other_machines`` and under ``other_conditions`` are left out. Runs at ``other_rates`` than
    ``fixed_rate_rps``, the latest run's, are left out of latencies only.
    """

    format_version: int
    machine: MachineIdentity
    preset: str
    conditions: str | None
    fixed_rate_rps: float | None
    runs: int
    other_machines: int
    other_conditions: int
    other_rates: int
    first_utc: str
    latest_utc: str
    latest_run: str
    trends: tuple[Trend, ...]
