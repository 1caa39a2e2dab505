"""What the runner and the driver say to each other: one JSON object a line. Frozen values, no I/O.

The runner sends a ``Setup`` and then one ``SliceOrder`` after another; the driver answers the Setup with ``Ready`` and
each order with ``SliceResults``. End of input ends the driver.
"""

from msgspec import Struct

from bench.model.load import Load

MAX_LATENCY_US = 60_000_000
"""Latencies are recorded from 1 us to 60 s (a longer one counts as 60 s) ..."""
SIGNIFICANT_DIGITS = 3
"""... to three digits: the HdrHistogram layout with 2,048 sub-buckets."""
SEND_LIMIT_S = 1.0
"""How long after its window an open load still sends what is overdue, where nothing else is said."""


class Request(Struct, frozen=True):
    """A GET of ``target``. ``body`` is the only right answer; None accepts any body under a status below 400."""

    target: str
    body: bytes | None = None


class Target(Struct, frozen=True):
    """Where a Lane listens, and the requests that are sent to it in turn."""

    lane: str
    host: str
    port: int
    requests: tuple[Request, ...]


class Setup(Struct, frozen=True):
    """The first message. ``connections`` bounds the requests that an open load may have under way at once.

    Users are started for as many Lanes as a slice has at once, which is ``at_once``.
    """

    targets: tuple[Target, ...]
    users: int
    connections: int
    cores: tuple[int, ...] = ()
    at_once: int = 1


class Ready(Struct, frozen=True):
    """The driver has started its users; ``versions`` are those of the distributions that generate the load."""

    versions: dict[str, str]


class SliceOrder(Struct, frozen=True):
    """Offers ``load`` to each Lane for ``settle_s``, which is not counted, and then for ``window_s``, which is.

    More than one Lane is a Duet: all are loaded at the same time, with a closed load, by users of their own. An open
    load sends what is overdue until ``send_limit_s`` after the window; what is unsent then is dropped.
    """

    lanes: tuple[str, ...]
    load: Load
    settle_s: float
    window_s: float
    send_limit_s: float = SEND_LIMIT_S


class SliceResult(Struct, frozen=True):
    """What one slice saw of one Lane. Only right answers are counted as requests and in the histograms.

    A closed load counts answers that arrive within the window; an open load those whose intended start lies within it.
    ``answers_in_window`` are right answers that arrived within the window, under either load: what was got through.
    They are None in records of formats that did not have them.
    ``requests_in_slice`` has all right answers, and ``errors`` all others by their reason: in the settle, after the
    window, and to the first calls on connections that had to be opened before the slice. Histograms are in us, as
    HdrHistogram V2 in base64; ``latency_from_intended_us`` and ``send_lateness_us`` exist for open loads only, and
    ``loop_lag_us`` is how late the driver's event loop came to a timer that is set every few milliseconds.
    """

    window_s: float
    requests: int
    errors: dict[str, int]
    dropped: int
    requests_in_slice: int
    bytes_received: int
    latency_us: str
    answers_in_window: int | None
    latency_from_intended_us: str | None = None
    send_lateness_us: str | None = None
    loop_lag_us: str | None = None


HISTOGRAMS = tuple(name for name in SliceResult.__struct_fields__ if name.endswith("_us"))
"""The fields of a SliceResult that are histograms: those in us."""


class SliceResults(Struct, frozen=True):
    """What one slice saw, in the order of its Lanes."""

    results: tuple[SliceResult, ...]
