"""What a sweep says of a Lane: a point for each Load, the knee, and the highest Load within the objective. No I/O."""

from msgspec import Struct

from bench.model.estimate import Estimate, Validity
from bench.model.load import Load
from bench.model.reason import Reason


class SweepPoint(Struct, frozen=True, kw_only=True):
    """One Lane under one Load of a sweep.

    ``latency_ms`` has p50, p90 and p99, from the intended start for an open load; a percentile that too few answers lie
    beyond is absent, and all are under overload and where a rate fills the server, as latency then grows for as long as
    the load lasts. CPU shares are of the server's cores and of the driver's one.
    """

    load: Load
    throughput_rps: Estimate | None
    latency_ms: dict[str, Estimate]
    server_cpu_share: float | None
    driver_cpu_share: float | None
    dropped: int
    validity: Validity


class Knee(Struct, frozen=True, kw_only=True):
    """The load from which on more load buys waiting and hardly any throughput: ``at`` in the unit of its Load.

    Where bounds cross ``low`` and ``high`` are a 95 % interval. By the last served they are the highest load that was
    served with time to spare and the next of the sweep that was not; ``at`` is the first of them. ``at`` is None where
    there is no knee to be seen, and ``reason`` says why.
    """

    at: float | None
    low: float | None
    high: float | None
    reason: Reason | None


class WithinSlo(Struct, frozen=True, kw_only=True):
    """The highest load of a sweep up to which p99 stays within the objective, and the throughput there.

    ``load`` is None where there is none. ``reasons`` say why it is no higher.
    """

    load: Load | None
    throughput_rps: Estimate | None
    reasons: tuple[Reason, ...]


class LaneSweep(Struct, frozen=True, kw_only=True):
    """A Lane's throughput and latency against load: a point for each Load, lowest first."""

    lane: str
    points: tuple[SweepPoint, ...]
    knee: Knee
    within_slo: WithinSlo
