"""Whether two stored runs may be compared: what they ran on, what with, and what they asked for."""

import hashlib
from collections.abc import Collection, Mapping

import msgspec
from msgspec.structs import asdict

from bench.analysis import parity
from bench.model.errors import BenchError
from bench.model.experiment import Lane, Sweep
from bench.model.records import LaneFacts, LatencyEnd, Manifest

Fields = Mapping[str, str]
LONGEST = 60
"""A value that is longer is cut in a message."""
NAMED_AT_MOST = 3
"""So many further fields are named."""
PRESET = ("settle_s", "window_s")
"""How long a Slice is changes what it shows; how many there are does not."""
FIRST_NAMES = {
    "workload": "contract",
    "load": "offer",
    "settle_s": "guard_s",
}
"""What parts and fields were called in the first digests: lines of the history are compared by them, and stay."""
DIGEST = 12
"""Hexadecimal digits of a digest."""


class NotComparable(BenchError):
    """Two runs differ in what must be equal; the message has the first field that does."""


def prove_comparable(run: Manifest, baseline: Manifest) -> None:
    """Compares what two runs ran on and with. Raises NotComparable: a line with the first field that differs."""
    if not common_lanes(run, baseline):
        raise NotComparable(
            f"lanes: found none that are in run {run.run_id} and in baseline {baseline.run_id}; expected one at least"
        )
    if names := differing(run, baseline):
        raise NotComparable(_refusal(run, baseline, names))


def differing(run: Manifest, baseline: Manifest) -> list[str]:
    """Returns the names of the fields that have to be the same and are not."""
    of_run, of_baseline = _fields_of_both(run, baseline)
    return [name for name in of_run | of_baseline if of_run.get(name) != of_baseline.get(name)]


def _refusal(run: Manifest, baseline: Manifest, names: list[str]) -> str:
    first, others = names[0], names[1:]
    ours, theirs = (_line(of_both.get(first)) for of_both in _fields_of_both(run, baseline))
    start = _first_difference(ours, theirs)
    more = (
        f" (and {len(others)} more: {', '.join(others[:NAMED_AT_MOST])}{', …' if others[NAMED_AT_MOST:] else ''})"
        if others
        else ""
    )
    return (
        f"{first}: found {_cut(ours, start)} in run {run.run_id}, {_cut(theirs, start)} in baseline "
        f"{baseline.run_id}{more}; expected the same, measure a new baseline"
    )


def _fields_of_both(run: Manifest, baseline: Manifest) -> tuple[dict[str, str], dict[str, str]]:
    lanes = common_lanes(run, baseline)
    return dict(fields(run, lanes)), dict(fields(baseline, lanes))


def common_lanes(run: Manifest, baseline: Manifest) -> tuple[str, ...]:
    """Returns the names of the Lanes that both runs had in their first Round, in the order of the run."""
    known = {facts.lane for facts in baseline.lanes}
    return tuple(facts.lane for facts in run.lanes if facts.lane in known)


def fields(manifest: Manifest, lanes: Collection[str]) -> Fields:
    """Returns all that has to be the same in two runs, by a name that says where it is: ``machine.cpu``."""
    experiment = manifest.experiment
    found = _conditions(manifest)
    found |= {f"driver_versions.{name}": version for name, version in manifest.driver_versions.items()}
    found["bench_version"] = manifest.bench_version
    found["latency_end"] = manifest.latency_end or "unknown"
    found["sweep"] = _swept(experiment.sweep)
    for facts in manifest.lanes:
        if facts.lane in lanes:
            found |= {
                f"{facts.lane} {name}": value for name, value in _of_lane(experiment.lane(facts.lane), facts).items()
            }
    return found


def _swept(sweep: Sweep | None) -> str:
    return f"{', '.join(load.label for load in sweep.loads)} within {sweep.slo_ms:g} ms" if sweep else "none"


def digest(manifest: Manifest) -> str:
    """Returns a short digest of the machine and of what was asked of every Lane, whatever is installed there."""
    asked = {
        ".".join(FIRST_NAMES.get(part, part) for part in name.split(".")): value
        for name, value in _conditions(manifest).items()
    }
    if manifest.latency_end is not LatencyEnd.RECEIVED:
        asked["latency_end"] = str(manifest.latency_end)
    return hashlib.sha256(msgspec.json.encode(asked, order="sorted")).hexdigest()[:DIGEST]


def _conditions(manifest: Manifest) -> dict[str, str]:
    experiment = manifest.experiment
    parts = {
        "machine": manifest.machine,
        "workload": experiment.workload,
        "serving": experiment.serving,
        "load": experiment.load,
    }
    found = {f"{part}.{name}": str(value) for part, struct in parts.items() for name, value in asdict(struct).items()}
    del found["workload.name"]  # it is asked the same, whatever it is called
    return found | {f"preset.{name}": str(getattr(experiment.preset, name)) for name in PRESET}


def _of_lane(lane: Lane, facts: LaneFacts) -> Fields:
    """Returns a Lane's effective configuration, without what differs between two launches of it."""
    varying = parity.VARYING_HEADERS
    headers = {name.lower(): value for name, value in facts.response_headers if name.lower() not in varying}
    return {
        "python": facts.python,
        "workers": str(facts.workers),
        "command": " ".join(parity.command_template(lane, facts)),
        **{f"versions.{name}": version for name, version in facts.versions.items()},
        **{f"environment.{name}": value for name, value in facts.environment.items()},
        "response_status": str(facts.response_status),
        **{f"response_headers.{name}": value for name, value in headers.items()},
        "response_body": facts.response_body,
    }


def _line(value: str | None) -> str:
    return "nothing" if value is None else " ".join(value.split())


def _first_difference(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def _cut(value: str, around: int) -> str:
    """Returns a short piece of a value, such that what is at an index is in it."""
    start = max(0, min(around - LONGEST // 2, len(value) - LONGEST))
    end = start + LONGEST
    return f"{'…' if start else ''}{value[start:end]}{'…' if value[end:] else ''}"
