"""The driver's users in Locust's own web UI, against a Lane that `bench serve` serves."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.servers.launch import free_ports

PROJECT = Path(__file__).parent.parent.parent
PROGRAMS = Path(sys.executable).parent
DEADLINE_S = 60.0


@contextmanager
def served(lane: str) -> Iterator[str]:
    """Yields the address of a Lane, as `bench serve` says it to Locust; it answers by then."""
    command = [str(PROGRAMS / "bench"), "serve", lane]
    with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "--host" in line)  # the server may have logged something before
        try:
            yield said.split("--host ")[1].split()[0]
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 0


@contextmanager
def web_ui(host: str, folder: Path) -> Iterator[str]:
    """Yields the address of Locust's web UI with the users of bench, not started yet."""
    (port,) = free_ports(1)
    locustfile = PROJECT / "bench" / "driver" / "locustfile.py"
    options = ["-f", str(locustfile), "--host", host, "--web-host", "127.0.0.1", "--web-port", str(port)]
    with (folder / "locust.log").open("wb") as log:
        process = subprocess.Popen([str(PROGRAMS / "locust"), *options], cwd=folder, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def ask(url: str, form: dict[str, Any] | None = None) -> Any:
    """Returns a JSON answer; asks again while nothing listens yet."""
    body = urllib.parse.urlencode(form).encode() if form else None
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            with urllib.request.urlopen(url, body) as answer:  # noqa: S310 - on loopback
                return json.load(answer)
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize("lane", ["flask_hello@gunicorn-gthread", "raw_hello@uvicorn"])
def test_the_web_ui_shows_the_users_of_bench_at_work(lane: str, tmp_path: Path) -> None:
    """Started from the web UI, the users get right answers, and Locust's own statistics count them."""
    with served(lane) as host, web_ui(host, tmp_path) as ui:
        assert ask(f"{ui}/swarm", {"user_count": 4, "spawn_rate": 4})["success"]
        deadline = time.monotonic() + DEADLINE_S
        while (counted := ask(f"{ui}/stats/requests"))["user_count"] < 4 or not counted["stats"][0]["num_requests"]:
            assert time.monotonic() < deadline, counted
            time.sleep(0.2)
    assert [row["name"] for row in counted["stats"]] == ["/hello/<name>", "Aggregated"]
    assert counted["errors"] == []
    assert counted["fail_ratio"] == 0
    assert counted["stats"][0]["avg_content_length"] == len("Hello, user00!")


def test_a_wrong_answer_is_a_failure_in_the_web_ui(tmp_path: Path) -> None:
    """A server of something else: every request fails, under bench's own reason."""
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]
    (port,) = free_ports(1)
    server = subprocess.Popen([*command, str(port)], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        with web_ui(f"http://127.0.0.1:{port}", tmp_path) as ui:
            assert ask(f"{ui}/swarm", {"user_count": 1, "spawn_rate": 1})["success"]
            deadline = time.monotonic() + DEADLINE_S
            while not (counted := ask(f"{ui}/stats/requests"))["errors"]:
                assert time.monotonic() < deadline, counted
                time.sleep(0.2)
    finally:
        server.terminate()
        server.wait(timeout=30)
    assert "status 404" in counted["errors"][0]["error"]
