"""Holds reported latencies against known delays, and medians against those of wrk and k6: ``make bench-latency``.

A server of known delays (``delay_server.py``) and the driver have a core each. The truth is what the server did with
the very same requests, by its own clock: from a request's arrival to writing its answer for the service time, from when
the request was due to writing its answer for the time from the intended start. The delay that it was told to impose
stands beside it. A turn in which server or driver had to wait for its core is disturbed: it says more of the machine
than of the driver, and is taken again. Whether it is disturbed does not depend on what was measured in it.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import msgspec
import numpy as np
from delay_server import (
    BODY,
    DELAYS_MS,
    HOST,
    DelayServer,
    Served,
    delay_server,
    delays_ms,
    from_intended_ms,
    quantile,
    service_ms,
)
from driver import raw_server, target_of
from msgspec import Struct

from bench.analysis import histograms
from bench.model.load import Closed, Load, Open
from bench.model.metrics import PERCENTILES
from bench.model.protocol import Request, Setup, SliceOrder, SliceResult, Target
from bench.run.driver_client import Driver, open_driver
from bench.servers import counters, machine
from bench.servers.processes import open_process_group

RELATIVE, ABSOLUTE_MS = 0.05, 0.1
"""A reported percentile is right within the larger of the two."""
DISTURBED_SHARE = 0.001
"""A turn is disturbed where server and driver waited for their cores for more of it than this: what p99.9 leaves."""
CONNECTIONS, USERS, RATE_RPS = 64, 8, 1000.0
AGREEMENT = 0.1
"""The driver's medians are within that share of those of wrk and k6."""
FEW = 4
"""Users, and connections, that meet the stall: so few requests have it in their service time."""
USERS_SIDE_BY_SIDE = 16
OPENING_S = 0.3
"""How long connections are opened and used before anything is counted."""
NAMES = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9"}


class Turn(Struct, frozen=True):
    """What the driver reported of one slice, and what the server knows of the same requests."""

    load: Load
    result: SliceResult
    served: Sequence[Served]
    waited_ms: float
    seconds: float

    @property
    def disturbed_share(self) -> float:
        """Returns the share of the turn in which others on the machine kept server or driver from running."""
        return self.waited_ms / 1000 / self.seconds

    @property
    def is_disturbed(self) -> bool:
        """Returns whether that was long enough to be seen in p99.9."""
        return self.disturbed_share > DISTURBED_SHARE or self.result.dropped > 0


class Figure(Struct, frozen=True):
    """One line of the table, of all turns together: the percentile of what was imposed, what was, and what is reported.

    ``imposed_ms`` is None for times from the intended start, which depend on what else was under way.
    """

    path: str
    load: str
    time: str
    percentile: str
    imposed_ms: float | None
    truth_ms: float
    reported_ms: float

    @property
    def is_right(self) -> bool:
        """Returns whether what was reported is as near to the truth as it has to be."""
        return abs(self.reported_ms - self.truth_ms) <= max(RELATIVE * self.truth_ms, ABSOLUTE_MS)


class Rig:
    """A driver with its targets, and the server of known delays where there is one."""

    def __init__(self, process: Driver, server: DelayServer | None = None) -> None:
        self._process = process
        self._server = server

    def turn(self, path: str, load: Load, seconds: float) -> Turn:
        """Plays one slice without a settle time, so that driver and server speak of the same requests."""
        self._process.play(SliceOrder((path,), load, 0.0, OPENING_S))
        pids = [self._process.pid]
        if self._server:
            self._server.served()
            pids.append(self._server.pid)
        before = self._kept_waiting_ms(pids)
        (result,) = self._process.play(SliceOrder((path,), load, 0.0, seconds))
        waited_ms = self._kept_waiting_ms(pids) - before
        if result.errors:
            raise RuntimeError(f"{path} under {load}: found errors {result.errors}, expected none")
        served = self._server.served()[path] if self._server else []
        # A closed load counts what is answered within the window: not the last answer of each user.
        return Turn(load, result, served[: result.requests], waited_ms, seconds)

    @staticmethod
    def _kept_waiting_ms(pids: Sequence[int]) -> float:
        """Returns how long others on the machine, or on its host, have kept these processes from running."""
        run_queue_ns, steal_s = counters.read(pids).run_queue_ns, counters.steal_s(())
        if run_queue_ns is None or steal_s is None:
            raise SystemExit(
                "latency: /proc does not tell how long processes waited, so no turn is known to be undisturbed"
            )
        return run_queue_ns / 1e6 + steal_s * 1000

    def undisturbed_turn(self, path: str, load: Load, seconds: float, tries: int) -> Turn:
        """Plays until a turn is not disturbed; returns the least disturbed one where none is."""
        turns: list[Turn] = []
        while len(turns) < tries and (not turns or turns[-1].is_disturbed):
            turns.append(self.turn(path, load, seconds))
        return min(turns, key=lambda turn: turn.disturbed_share)


@contextmanager
def rig(connections: int, cores: Sequence[int], targets: Sequence[Target] = ()) -> Iterator[Rig]:
    """Starts a driver for other targets, or for a fresh server of known delays on the first core."""
    server_cores, driver_cores = cores[:1], tuple(cores[1:2])
    with (
        open_process_group() as process_group,
        tempfile.TemporaryDirectory() as logs,
        open_driver(process_group, Path(logs, "log")) as process,
    ):
        if targets:
            process.setup(Setup(tuple(targets), connections, connections, driver_cores))
            yield Rig(process)
            return
        with delay_server(server_cores) as server:
            delayed = tuple(Target(path, HOST, server.port, (Request(f"/{path}", BODY),)) for path in DELAYS_MS)
            process.setup(Setup(delayed, connections, connections, driver_cores))
            yield Rig(process, server)


# The truth and what is reported


def figures(path: str, turns: Sequence[Turn]) -> Iterator[Figure]:
    """Yields the percentiles of turns with the same load: service times, and times from the intended start."""
    load = turns[0].load
    imposed = np.concatenate([delays_ms(turn.served) for turn in turns])
    truth = np.concatenate([service_ms(turn.served) for turn in turns])
    reported = histograms.merged([turn.result.latency_us for turn in turns])
    for name, percentile in percentiles(len(truth)):
        found = [
            quantile(imposed, percentile),
            quantile(truth, percentile),
            histograms.percentile_ms(reported, percentile),
        ]
        yield Figure(path, str(load), "service", name, *found)
    if (rate_rps := load.rate_rps) is not None:
        truth = np.concatenate([from_intended_ms(turn.served, rate_rps) for turn in turns])
        reported = histograms.merged([turn.result.latency_from_intended_us or "" for turn in turns])
        for name, percentile in percentiles(len(truth)):
            found = [quantile(truth, percentile), histograms.percentile_ms(reported, percentile)]
            yield Figure(path, str(load), "from intended start", name, None, *found)


def percentiles(count: int) -> list[tuple[str, float]]:
    """Returns the percentiles that so many answers are enough for."""
    enough = {name: at for name, at in PERCENTILES.items() if histograms.beyond(count, at) >= histograms.MIN_BEYOND}
    return [(NAMES[name], percentile) for name, percentile in enough.items()]


def compare_with_truth(cores: Sequence[int], turns: int, seconds: float, tries: int) -> tuple[list[Figure], list[Turn]]:
    """Takes the turns of every path and load, and returns what they say."""
    found: list[Figure] = []
    taken: list[Turn] = []
    for connections, users, paths in (
        (CONNECTIONS, USERS, [path for path in DELAYS_MS if path != "stall"]),
        (FEW, FEW, ["stall"]),
    ):
        with rig(connections, cores) as running:
            for path in paths:
                for load in (Closed(users), Open(RATE_RPS)):
                    print(f"{path}, {load}", file=sys.stderr)
                    of_load = [running.undisturbed_turn(path, load, seconds, tries) for _ in range(turns)]
                    found += figures(path, of_load)
                    taken += of_load
    return found, taken


def render_truth(found: Sequence[Figure], taken: Sequence[Turn]) -> str:
    """Returns the table, and how many of its lines are right."""
    form = "{:10} {:15} {:19} {:6} {:>10} {:>9} {:>9} {:>8} {:>7} {}"
    lines = [form.format("delays", "load", "time", "", "imposed ms", "truth", "reported", "off by", "", "").rstrip()]
    for one in found:
        off_ms = one.reported_ms - one.truth_ms
        imposed = "" if one.imposed_ms is None else f"{one.imposed_ms:.3f}"
        off = [f"{off_ms:+.3f}", f"{off_ms / one.truth_ms:+.1%}", "" if one.is_right else "WRONG"]
        cells = [imposed, f"{one.truth_ms:.3f}", f"{one.reported_ms:.3f}", *off]
        lines.append(form.format(one.path, one.load, one.time, one.percentile, *cells).rstrip())
    disturbed = [turn.disturbed_share for turn in taken if turn.is_disturbed]
    worst = f", the worst for {max(disturbed):.1%} of its time" if disturbed else ""
    lines.append(f"{sum(one.is_right for one in found)} of {len(found)} are within 5 % or 0.1 ms of the truth")
    lines.append(f"{len(disturbed)} of {len(taken)} turns were disturbed however often they were repeated{worst}")
    return "\n".join(lines)


# Next to wrk and k6


def compare_with_others(cores: Sequence[int], turns: int, seconds: float) -> dict[str, dict[str, list[float]]]:
    """Returns the medians in ms of every turn, by what was loaded and by tool; the tools take turns."""
    found: dict[str, dict[str, list[float]]] = {}
    with raw_server() as (raw_url, _), delay_server(cores[:1]) as server:
        urls = {"constant": f"http://{HOST}:{server.port}/constant", "raw App": raw_url}
        targets = [msgspec.structs.replace(target_of(url), lane=name) for name, url in urls.items()]
        with rig(CONNECTIONS, cores, targets) as running:
            for name, url in urls.items():
                for load in (Closed(USERS_SIDE_BY_SIDE), Closed(1), Open(RATE_RPS)):
                    print(f"{name}, {load}, in turns", file=sys.stderr)
                    found[f"{name}, {load}"] = in_turns(contenders(running, name, url, load, seconds), turns)
    return found


Contenders = dict[str, Callable[[], float]]


def contenders(running: Rig, name: str, url: str, load: Load, seconds: float) -> Contenders:
    """Returns who can offer this load, the driver first."""
    able: Contenders = {"driver": lambda: _median_ms(running.turn(name, load, seconds))}
    users = load.under_way
    if users and shutil.which("wrk"):
        able["wrk"] = lambda: wrk_median_ms(url, users, seconds)
    k6 = find_k6()
    if k6:
        able["k6"] = lambda: k6_median_ms(k6, url, load, seconds)
    return able


def in_turns(able: Contenders, turns: int) -> dict[str, list[float]]:
    """Gives everybody so many turns, one after the other."""
    medians: dict[str, list[float]] = {tool: [] for tool in able}
    for _ in range(turns):
        for tool, measure in able.items():
            medians[tool].append(measure())
    return medians


def _median_ms(turn: Turn) -> float:
    return histograms.percentile_ms(histograms.merged([turn.result.latency_us]), 50)


def wrk_median_ms(url: str, users: int, seconds: float) -> float:
    """Runs wrk with one thread. It takes whole seconds only, and prints two decimals of us, ms or s."""
    command = ["wrk", "--threads", "1", "--connections", str(users), "--duration", f"{max(1, round(seconds))}s"]
    printed = subprocess.run([*command, "--latency", url], capture_output=True, check=True, text=True).stdout
    match = re.search(r"50%\s+([\d.]+)(us|ms|s)\n", printed)
    if match is None:
        raise ValueError(f"found no median in what wrk printed:\n{printed}")
    return float(match[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[match[2]]


K6_SCRIPT = """
import http from "k6/http";
export const options = JSON.parse(__ENV.OPTIONS);
export default function () { http.get(__ENV.URL); }
"""


def find_k6() -> str | None:
    """Returns where k6 is: beside this interpreter, or on the path."""
    return shutil.which("k6", path=Path(sys.executable).parent) or shutil.which("k6")


def k6_median_ms(k6: str, url: str, load: Load, seconds: float) -> float:
    """Runs k6, which is to tell nobody and to listen nowhere; returns the median of ``http_req_duration``."""
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder, "summary.json")
        quietly = ("--no-usage-report", "--quiet", "--no-color", "--address", "", "--summary-export", str(summary))
        settings = ("--env", f"URL={url}", "--env", f"OPTIONS={json.dumps(k6_options(load, seconds))}")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("K6_")}
        subprocess.run(
            [k6, "run", *quietly, *settings, "-"],
            input=K6_SCRIPT.encode(),
            env={**environment, "HOME": folder},  # so that no configuration of the user's changes the load
            capture_output=True,
            check=True,
        )
        return float(json.loads(summary.read_text())["metrics"]["http_req_duration"]["med"])


def k6_options(load: Load, seconds: float) -> dict[str, object]:
    """Returns k6's options for a load. It keeps connections alive, one for each of its users, as the driver does."""
    duration = f"{round(1000 * seconds)}ms"
    scenario: dict[str, object] = {"executor": "constant-vus", "duration": duration}
    if load.rate_rps:
        rate = {"executor": "constant-arrival-rate", "rate": round(load.rate_rps), "preAllocatedVUs": CONNECTIONS}
        scenario |= rate
    else:
        scenario["vus"] = load.under_way
    return {"scenarios": {"load": scenario}, "discardResponseBodies": True}


def render_others(found: dict[str, dict[str, list[float]]]) -> str:
    """Returns the medians with the lowest and the highest turn, and the driver's divided by them."""
    lines = [f"{'':30} {'':8} {'median ms':>10}  {'lowest to highest':>18}  {'driver : it':>12}"]
    for loaded, by_tool in found.items():
        for tool, medians in by_tool.items():
            ratio = "" if tool == "driver" else f"{ratio_of(by_tool['driver'], medians):12.2f}"
            spread = f"{min(medians):.3f} to {max(medians):.3f}"
            lines.append(f"{loaded:30} {tool:8} {median(medians):10.3f}  {spread:>18}  {ratio}".rstrip())
    return "\n".join(lines)


def disagreeing(found: dict[str, dict[str, list[float]]]) -> list[str]:
    """Returns where the driver's median is not within 10 % of another tool's, against a server that takes its time.

    Against the raw App, which answers at once, what differs is what the tools themselves need.
    """
    return [
        f"{loaded}: driver : {tool} is {ratio:.2f}, expected {1 - AGREEMENT:g} to {1 + AGREEMENT:g}"
        for loaded, by_tool in found.items()
        for tool, medians in by_tool.items()
        if loaded.startswith("constant") and abs((ratio := ratio_of(by_tool["driver"], medians)) - 1) > AGREEMENT
    ]


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Returns the median of the ratios within a turn."""
    return median(our / their for our, their in zip(ours, theirs, strict=True))


def missing_tools() -> Iterable[str]:
    """Yields a message for each tool that is not here."""
    if not shutil.which("wrk"):
        yield "wrk is not installed: compared without it (Debian and Ubuntu: apt install wrk)"
    if not find_k6():
        yield "k6 is not installed: compared without it (docs/performance.md says how to install it)"


def main() -> None:
    """Compares and prints; exits with 1 where a percentile is wrong, or a median does not agree with another tool's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3, help="for every load (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of a turn (default: %(default)s)")
    parser.add_argument(
        "--tries", type=int, default=4, help="how often a disturbed turn is taken (default: %(default)s)"
    )
    parser.add_argument("--part", choices=("truth", "others"), help="only this part")
    options = parser.parse_args()
    here = machine.describe(workers=1)
    cores = [*here.server_cores, *here.driver_cores]
    if len(cores) > 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores[1:])  # what is started from here inherits it
    for message in missing_tools():
        print(message, file=sys.stderr)
    wrong: list[str] = []
    if options.part != "others":
        found, taken = compare_with_truth(cores, options.turns, options.seconds, options.tries)
        print(render_truth(found, taken))
        wrong += [f"{one.path}, {one.load}, {one.time}, {one.percentile}: wrong" for one in found if not one.is_right]
    if options.part != "truth":
        others = compare_with_others(cores, options.turns, min(options.seconds, 3.0))
        print(render_others(others))
        wrong += disagreeing(others)
    for line in wrong:
        print(line, file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
