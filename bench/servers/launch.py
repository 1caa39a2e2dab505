"""Launches a Lane: its command line and environment are functions of values; a running server is a context manager."""

import random
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from bench.model.experiment import Lane, Serving
from bench.servers.processes import ProcessGroup, clean_environment, stop

HOST = "127.0.0.1"
SERVERSIDE = Path(__file__).parent / "serverside"
ADAPTED = "bench_adapter:application"
PORTS = range(10_000, 32_000)
"""Below the ephemeral range of Linux and macOS, so that no outgoing connection takes a port before its server does."""
LOG_TAIL_LINES = 20


class Launch(Struct, frozen=True):
    """All that it takes to start a Lane: a command, its environment, and the folder to start it in."""

    lane: str
    command: tuple[str, ...]
    environment: dict[str, str]
    folder: Path
    port: int


class Running(Struct, frozen=True):
    """A server process that was started, ready or not yet; ``started_s`` is just before, of ``time.monotonic``."""

    launch: Launch
    process: "subprocess.Popen[bytes]"
    log: Path
    started_s: float

    def log_tail(self) -> str:
        """Returns the last lines that the server wrote."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])


def prepare_launch(lane: Lane, serving: Serving, *, programs: Path, app_folder: Path, port: int) -> Launch:
    """Returns how to start a Lane whose environment has its executables in ``programs``."""
    values = {
        "host": HOST,
        "port": port,
        "application": ADAPTED if lane.adapter else lane.application,
        "serverside": SERVERSIDE,
        "workers": serving.workers,
        "threads": serving.threads,
        "keep_alive_s": serving.keep_alive_s,
        "backlog": serving.backlog,
        "worker_connections": serving.worker_connections,
    }
    program, *arguments = (part.format_map(values) for part in lane.server.command)
    return Launch(
        lane.name, (str(programs / program), *arguments), server_environment(lane, app_folder), app_folder, port
    )


def server_environment(lane: Lane, app_folder: Path) -> dict[str, str]:
    """Returns a Lane's whole environment: the necessary minimum, the App's own, and the adapter's."""
    adapted = {"BENCH_ADAPTER": lane.adapter.callable, "BENCH_APPLICATION": lane.application} if lane.adapter else {}
    path = f"{app_folder}:{SERVERSIDE}"
    return clean_environment(
        PYTHONPATH=path, PYTHONUNBUFFERED="1", PYTHONDONTWRITEBYTECODE="1", **adapted, **lane.app.environment
    )


class Started(Struct, frozen=True):
    """Servers that were told to start, and by Lane why the system refused to start others."""

    running: list[Running]
    refused: dict[str, str]


@contextmanager
def started(launches: Iterable[Launch], process_group: ProcessGroup, logs: Path) -> Iterator[Started]:
    """Starts all servers side by side, and ends them all. They may not be ready yet; one may even have failed."""
    servers = Started([], {})
    try:
        for launch in launches:
            try:
                servers.running.append(start(launch, process_group, logs))
            except OSError as error:
                servers.refused[launch.lane] = refusal(launch, error)
        yield servers
    finally:
        stop(server.process for server in servers.running)


def start(launch: Launch, process_group: ProcessGroup, logs: Path) -> Running:
    """Starts a server, and does not wait for it. Raises OSError where the system refuses."""
    log = logs / f"{launch.lane}.log"
    with log.open("wb") as output:
        started_s = time.monotonic()
        process = process_group.start(
            launch.command, env=launch.environment, cwd=launch.folder, stdout=output, stderr=output
        )
    return Running(launch, process, log, started_s)


def refusal(launch: Launch, error: OSError) -> str:
    """Says why the system refused to start a server."""
    return f"{launch.command[0]}: {error.strerror}, expected the server's program"


def free_ports(count: int) -> list[int]:
    """Returns different ports that nothing listens on. Raises OSError where there are too few."""
    found: list[int] = []
    for port in random.sample(PORTS, k=len(PORTS)):
        if len(found) == count:
            return found
        if _is_free(port):
            found.append(port)
    raise OSError(f"found {len(found)} free ports between {PORTS.start} and {PORTS.stop}, expected {count}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
