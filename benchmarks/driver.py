"""Compares the driver with Locust's FastHttpUser and with wrk, on one core: `make bench-driver`.

The server is this project's raw ASGI App, launched and pinned as in a run; ``--url`` names another one that is running.
The contenders take turns, so that whatever slows the machine slows them all; ratios are taken within a turn.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit
from urllib.request import urlopen

import msgspec
import psutil
from hdrh.histogram import HdrHistogram

from bench.model.config import select_lanes
from bench.model.load import Closed, Load, Open
from bench.model.protocol import Request, Setup, SliceOrder, SliceResult, SliceResults, Target
from bench.model.quotients import throughput_rps
from bench.run import session
from bench.servers.launch import HOST
from bench.servers.project import open_project

LANE = "raw_hello@gunicorn-uvicorn"
CONNECTIONS = 16
OPEN_RATE_RPS = 2000
SETTLE_S = 0.1
SPIN_UP_S = 0.5
"""How long FastHttpUser runs before it is counted."""


@dataclass(frozen=True)
class Speed:
    """What one contender did in one turn."""

    rps: float
    cpu_us_per_request: float


@dataclass(frozen=True)
class Lateness:
    """How late the driver sent an open load in one turn."""

    p50_ms: float
    p99_ms: float
    dropped: int


@dataclass(frozen=True)
class Comparison:
    """All turns: speeds by contender, the driver's first, and the lateness of its open load."""

    speeds: dict[str, list[Speed]]
    lateness: list[Lateness]


def main(arguments: Sequence[str] | None = None) -> None:
    """Compares and prints; or is the FastHttpUser of a comparison, in a process of its own."""
    options = _parser().parse_args(arguments)
    if options.as_fast_http_user:
        print(json.dumps(run_fast_http_user(options.url, options.seconds)))
    elif options.url:
        print(render(compare(options.url, options.seconds, options.pairs, tuple(options.cores))))
    else:
        with raw_server() as (url, cores):
            print(f"{LANE} at {url}, contenders on cores {cores or 'that the server uses too'}")
            print(render(compare(url, options.seconds, options.pairs, cores)))


@contextmanager
def raw_server() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Serves the raw ASGI App; yields a URL of it and the cores that are left for its clients."""
    project = open_project(Path("bench.toml"))
    experiment = select_lanes(project.experiment(next(iter(project.config.presets)), seed=1), [LANE])
    with session.open_testbed(project, experiment) as testbed, testbed.open_servers(0, experiment.lanes) as servers:
        target, _ = experiment.workload.load_requests()[0]
        yield f"http://{HOST}:{servers.running[LANE].launch.port}{target}", testbed.machine.driver_cores


def compare(url: str, seconds: float, pairs: int, cores: tuple[int, ...] = ()) -> Comparison:
    """Gives every contender ``pairs`` turns of ``seconds`` at ``url``, all on the same cores."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)  # what is started from here inherits it
    with Driver(url) as driver:
        contenders: dict[str, Callable[[], Speed]] = {
            "driver": lambda: driver.speed(seconds),
            "FastHttpUser": lambda: fast_http_user(url, seconds),
        }
        if shutil.which("wrk"):
            contenders["wrk"] = lambda: wrk(url, seconds)
        else:
            print("wrk is not installed: compared without it", file=sys.stderr)
        driver.speed(seconds)  # warms the server up
        comparison = Comparison({name: [] for name in contenders}, [])
        for _ in range(pairs):
            for name, measure in contenders.items():
                comparison.speeds[name].append(measure())
            comparison.lateness.append(driver.lateness(seconds))
    return comparison


class Driver:
    """``python -m bench.driver`` with one lane: every answer must have the body that the URL has now."""

    def __init__(self, url: str) -> None:
        self._setup = Setup((target_of(url),), users=CONNECTIONS, connections=CONNECTIONS)

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "bench.driver"]
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._cpu = psutil.Process(self._process.pid)
        self._ask(self._setup)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def speed(self, seconds: float) -> Speed:
        """Plays a closed slice."""
        cpu_before_s = self._cpu_s()
        result = self._play(Closed(CONNECTIONS), seconds)
        cpu_s = self._cpu_s() - cpu_before_s
        return Speed(throughput_rps(result) or 0.0, cpu_s / result.requests_in_slice * 1e6)

    def lateness(self, seconds: float) -> Lateness:
        """Plays an open slice."""
        result = self._play(Open(OPEN_RATE_RPS), seconds)
        assert result.send_lateness_us
        histogram = HdrHistogram.decode(result.send_lateness_us)
        p50_ms, p99_ms = (histogram.get_value_at_percentile(percentile) / 1000 for percentile in (50, 99))
        return Lateness(p50_ms, p99_ms, result.dropped)

    def _play(self, load: Load, seconds: float) -> SliceResult:
        (result,) = msgspec.json.decode(
            self._ask(SliceOrder(("",), load, SETTLE_S, seconds)), type=SliceResults
        ).results
        if result.errors:
            raise RuntimeError(f"The server does not answer rightly under {load}: {result.errors}")
        return result

    def _ask(self, message: Setup | SliceOrder) -> bytes:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(msgspec.json.encode(message) + b"\n")
        self._process.stdin.flush()
        line: bytes = self._process.stdout.readline()
        return line

    def _cpu_s(self) -> float:
        times = self._cpu.cpu_times()
        return times.user + times.system


def target_of(url: str) -> Target:
    """Returns a Target without a name, whose only right answer is the body that the URL has now."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    with urlopen(url) as response:  # noqa: S310 - the URL is the user's own
        body = response.read()
    return Target("", parts.hostname or "", parts.port or 80, (Request(path, body),))


def fast_http_user(url: str, seconds: float) -> Speed:
    """Has Locust's own fast client run in a process of its own, without checking any body."""
    command = [sys.executable, __file__, "--as-fast-http-user", "--url", url, "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, check=True)
    return Speed(**json.loads(done.stdout))


def run_fast_http_user(url: str, seconds: float) -> dict[str, float]:
    """Runs FastHttpUsers in this process, which importing Locust monkey-patches; returns the fields of a Speed."""
    import gevent  # noqa: PLC0415
    from locust import FastHttpUser, task  # noqa: PLC0415
    from locust.env import Environment  # noqa: PLC0415

    class StockUser(FastHttpUser):
        host = url

        @task
        def get(self) -> None:
            self.client.get(url)

    runner = Environment(user_classes=[StockUser]).create_local_runner()
    runner.start(CONNECTIONS, spawn_rate=CONNECTIONS)
    gevent.sleep(SPIN_UP_S)
    requests, started_s, cpu_s = runner.stats.total.num_requests, perf_counter(), process_time()
    gevent.sleep(seconds)
    requests = runner.stats.total.num_requests - requests
    return {
        "rps": requests / (perf_counter() - started_s),
        "cpu_us_per_request": (process_time() - cpu_s) / requests * 1e6,
    }


def wrk(url: str, seconds: float) -> Speed:
    """Runs wrk with one thread. It takes whole seconds only."""
    command = [
        "wrk",
        "--threads",
        "1",
        "--connections",
        str(CONNECTIONS),
        "--duration",
        f"{max(1, round(seconds))}s",
        url,
    ]
    before = os.times()
    printed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    rps = float(_found(r"Requests/sec:\s*([\d.]+)", printed))
    return Speed(rps, cpu_s / int(_found(r"(\d+) requests in", printed)) * 1e6)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise ValueError(f"{pattern} is not in what wrk printed:\n{text}")
    return match[1]


def render(comparison: Comparison) -> str:
    """Returns medians, each with the lowest and the highest turn."""
    first, *others = comparison.speeds
    lines = [f"{'':26}{'median':>10}   (lowest .. highest)"]
    for name, speeds in comparison.speeds.items():
        lines.append(_row(f"{name}, requests/s", [speed.rps for speed in speeds], ",.0f"))
    for name, speeds in comparison.speeds.items():
        lines.append(_row(f"{name}, CPU us/request", [speed.cpu_us_per_request for speed in speeds], ".1f"))
    for other in others:
        pairs = zip(comparison.speeds[first], comparison.speeds[other], strict=True)
        lines.append(_row(f"{first} : {other}", [ours.rps / theirs.rps for ours, theirs in pairs], ".2f"))
    lines.append(_row(f"open({OPEN_RATE_RPS}/s) late p50, ms", [late.p50_ms for late in comparison.lateness], ".3f"))
    lines.append(_row(f"open({OPEN_RATE_RPS}/s) late p99, ms", [late.p99_ms for late in comparison.lateness], ".3f"))
    lines.append(_row(f"open({OPEN_RATE_RPS}/s) dropped", [late.dropped for late in comparison.lateness], ".0f"))
    return "\n".join(lines)


def _row(label: str, values: Sequence[float], form: str) -> str:
    return f"{label:26}{median(values):>10{form}}   ({min(values):{form}} .. {max(values):{form}})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="what to get, such as http://127.0.0.1:8000/hello/user00")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a turn (default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=5, help="turns for each contender (default: %(default)s)")
    parser.add_argument("--cores", type=int, nargs="*", default=[], help="with --url: cores of the contenders")
    parser.add_argument("--as-fast-http-user", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
