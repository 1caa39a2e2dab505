"""What the smaller commands print: a plan, a verification, a server's address, what a load found. Plain text."""

from collections.abc import Mapping

from bench.model.estimate import is_busy
from bench.model.experiment import Sweep
from bench.model.load import listed as listed_loads
from bench.model.reason import Reason
from bench.model.records import Failure, LaneFacts
from bench.model.schedule import Outline
from bench.model.summary import LoadResult
from bench.report.wording import said


def plan_text(outline: Outline) -> str:
    """Returns what a run would do, and how long it will take."""
    lanes = "\n".join(f"  {lane}" for lane in outline.lanes)
    return (
        f"{len(outline.lanes)} Lanes:\n{lanes}\n"
        f"{_sweep(outline.sweep) if outline.sweep else ''}"
        f"{outline.rounds} rounds of {outline.slices_per_round} slices (preset {outline.preset}, seed {outline.seed}), "
        f"about {duration(outline.expected_s)}, {duration(outline.measured_s)} of it measured"
    )


def _sweep(sweep: Sweep) -> str:
    """Returns the line on a sweep: its loads, and the objective."""
    return f"sweep: {listed_loads(sweep.loads)}; p99 is to be within {sweep.slo_ms:g} ms\n"


def verified_text(facts: tuple[LaneFacts, ...], failures: tuple[Failure, ...], differences: tuple[Reason, ...]) -> str:
    """Returns which Lanes hold the workload, why the others do not, and what no setting makes equal."""
    return "\n".join(
        [
            *(f"ok      {fact.lane} (Python {fact.python}, workers: {fact.workers})" for fact in facts),
            *map(_failed, failures),
            *(f"note    {said(difference)}" for difference in differences),
        ]
    )


def _failed(failure: Failure) -> str:
    return f"FAILED  {failure.lane}: {failure.stage}: {said(failure.reason)}{_log(failure)}"


def serving_text(url: str, locust: str, locustfile: str) -> str:
    """Returns where a Lane answers, and how to look at it with Locust's own web UI."""
    host = "/".join(url.split("/")[:3])
    web_ui = f"{locust} -f {locustfile} --host {host} --web-host 127.0.0.1"  # its default is every network
    return f"serving {url} until Ctrl-C; Locust's web UI:\n  {web_ui}"


def load_text(result: LoadResult) -> str:
    """Returns the result of a load, a line a figure."""
    lines = [
        f"{result.load} for {result.window_s:g} s on {result.url}",
        f"throughput           {result.throughput_rps:,.0f} requests/s ({result.requests:,} right answers)",
        f"errors               {sum(result.errors.values()):,}{_kinds(result.errors)}",
        _percentiles("latency" if result.latency_from_intended_ms is None else "service time", result.latency_ms),
        *_driver(result.driver_cpu_share),
    ]
    if result.latency_from_intended_ms is not None:
        lines.append(_percentiles("from intended start", result.latency_from_intended_ms))
    if result.send_lateness_ms is not None:
        lines += [_percentiles("send lateness", result.send_lateness_ms), f"dropped              {result.dropped:,}"]
    return "\n".join(lines)


def _driver(cpu_share: float | None) -> list[str]:
    """Returns how busy the driver was, and what that means where it had no time left."""
    if cpu_share is None:
        return []
    limit = ": it was the limit, the server can do more" if is_busy(cpu_share) else ""
    return [f"driver, not pinned   {100 * cpu_share:.0f} % of a core{limit}"]


def _percentiles(what: str, values_ms: Mapping[str, float]) -> str:
    return f"{what:<20} " + ("  ".join(f"{name} {ms:.3f} ms" for name, ms in values_ms.items()) or "too few answers")


def _kinds(errors: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{count} x {kind}' for kind, count in errors.items())})" if errors else ""


def _log(failure: Failure) -> str:
    return "".join(f"\n        | {line}" for line in failure.log_tail.splitlines())


def duration(seconds: float) -> str:
    """Writes a time in seconds or minutes, as people would say it."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
