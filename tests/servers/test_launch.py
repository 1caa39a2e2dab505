"""How a Lane is launched, and how a server that never becomes ready is told apart from one that does."""

import re
import socket
import sys
from pathlib import Path

import pytest

from bench.model.experiment import Adapter, App, Interface, Lane, Server, Serving
from bench.servers.launch import HOST, PORTS, SERVERSIDE, Launch, Running, free_ports, prepare_launch, started
from bench.servers.processes import open_process_group
from bench.servers.readiness import Answered, NotReady, first_answers, wait_until_ready

SERVING = Serving(workers=2, threads=3, keep_alive_s=75, backlog=99, worker_connections=500, ready_timeout_s=5)
SERVER = Server(
    name="s", interface=Interface.WSGI, command=("serve", "--bind", "{host}:{port}", "-w{workers}", "{application}")
)
FLASK = App(
    name="flask_hello",
    title="Flask",
    interfaces={Interface.WSGI: "flask_hello:create_app()"},
    environment={"MODE": "x"},
)
FASTAPI = App(name="fastapi_hello", title="FastAPI", interfaces={Interface.ASGI: "fastapi_hello:app"})
TO_WSGI = Adapter(name="a", accepts=Interface.ASGI, gives=Interface.WSGI, callable="a2wsgi:ASGIMiddleware")


def launch_of(lane: Lane) -> Launch:
    return prepare_launch(lane, SERVING, programs=Path("/env/bin"), app_folder=Path("/apps/one"), port=12345)


def test_a_command_line_is_the_servers_template_filled_in() -> None:
    """Only the port and the App differ between two Lanes of a Server."""
    launch = launch_of(Lane(app=FLASK, server=SERVER))
    assert launch.command == ("/env/bin/serve", "--bind", "127.0.0.1:12345", "-w2", "flask_hello:create_app()")
    assert launch.environment["MODE"] == "x"
    assert launch.environment["PYTHONPATH"] == f"/apps/one:{SERVERSIDE}"
    assert "BENCH_ADAPTER" not in launch.environment


def test_an_adapted_lane_serves_the_shim() -> None:
    """The server imports the shim, and the shim is told which App to wrap with what."""
    launch = launch_of(Lane(app=FASTAPI, server=SERVER, adapter=TO_WSGI))
    assert launch.command[-1] == "bench_adapter:application"
    assert launch.environment["BENCH_ADAPTER"] == "a2wsgi:ASGIMiddleware"
    assert launch.environment["BENCH_APPLICATION"] == "fastapi_hello:app"


def test_free_ports_are_different_free_and_out_of_the_way() -> None:
    """Ports are below the ephemeral range, and one that is taken is not given out."""
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert all(port in PORTS for port in ports)
    with socket.socket() as taken:
        taken.bind((HOST, ports[0]))
        taken.listen()
        assert ports[0] not in free_ports(len(PORTS) - 2000)


def test_too_few_free_ports_is_an_error() -> None:
    """Nobody gets fewer ports than asked for in silence."""
    with pytest.raises(OSError, match="expected 100000"):
        free_ports(100_000)


def wait_for(script: str, tmp_path: Path, timeout_s: float) -> float:
    (port,) = free_ports(1)
    launch = Launch("x@y", (sys.executable, "-c", script.format(port=port)), {}, tmp_path, port)
    with open_process_group() as process_group, started([launch], process_group, tmp_path) as servers:
        (server,) = servers.running
        try:
            return wait_until_ready(server.process, server.launch.port, "/", timeout_s)
        except NotReady:
            assert isinstance(server, Running)
            assert "its own words" in server.log_tail()
            raise


def test_a_program_that_is_missing_is_refused_and_the_others_start(tmp_path: Path) -> None:
    """The reason names the program; what could be started is, and is ended."""
    launches = [
        Launch("gone@y", (str(tmp_path / "gunicorn"),), {}, tmp_path, 1),
        Launch("here@y", ("/bin/sleep", "300"), {}, tmp_path, 2),
    ]
    with open_process_group() as process_group, started(launches, process_group, tmp_path) as servers:
        assert list(servers.refused) == ["gone@y"]
        assert servers.refused["gone@y"].startswith(f"{tmp_path}/gunicorn: No such file")
        (sleeper,) = servers.running
        assert sleeper.process.poll() is None
    assert sleeper.process.poll() is not None


def test_a_server_that_ends_is_not_ready(tmp_path: Path) -> None:
    """The exit code is named at once, and the log holds the reason."""
    with pytest.raises(NotReady, match="exit code 7"):
        wait_for("import sys; print('its own words', flush=True); sys.exit(7)", tmp_path, 30)


def test_a_server_that_listens_but_never_answers_is_not_ready(tmp_path: Path) -> None:
    """An open port is no answer."""
    script = (
        "import socket, time; print('its own words', flush=True); "
        "s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
    )
    with pytest.raises(NotReady, match=r"no answer in 1\.5 s"):
        wait_for(script, tmp_path, 1.5)


def test_a_server_that_answers_is_ready(tmp_path: Path) -> None:
    """Any answer counts: what it says is the workload's business."""
    script = "import http.server as h; h.HTTPServer(('127.0.0.1', {port}), h.BaseHTTPRequestHandler).serve_forever()"
    assert 0 < wait_for(script, tmp_path, 30) < 30


def test_of_the_log_the_last_lines_are_shown(tmp_path: Path) -> None:
    """A long log is cut at its beginning."""
    log = tmp_path / "log"
    log.write_text("\n".join(str(number) for number in range(1000)))
    tail = Running(Launch("x@y", ("x",), {}, tmp_path, 1), None, log, 0.0).log_tail()  # type: ignore[arg-type]
    assert tail.splitlines()[-1] == "999"
    assert len(tail.splitlines()) <= 20


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello"
ANSWERING = """
import socket, sys, time
time.sleep(0.3)
listener = socket.create_server(("127.0.0.1", {port}))
for pieces in {answers!r}:
    connection, _ = listener.accept()
    connection.recv(9999)
    for piece in pieces:
        connection.sendall(piece)
        time.sleep(0.05)
    if not pieces:
        connection.close()
time.sleep(100)
"""


def first_answer(answers: list[list[bytes]], folder: Path, timeout_s: float = 20.0) -> Answered | NotReady:
    """Returns what comes of a server that answers each connection in these pieces, or closes it."""
    (port,) = free_ports(1)
    script = ANSWERING.format(port=port, answers=answers)
    launch = Launch("x@y", (sys.executable, "-c", script), {}, folder, port)
    with open_process_group() as process_group, started([launch], process_group, folder) as servers:
        (outcome,) = first_answers(servers.running, ("/hello", b"Hello"), timeout_s)
    return outcome


@pytest.mark.parametrize("pieces", [[ANSWER], [ANSWER[:9], ANSWER[9:-2], ANSWER[-2:]]])
def test_a_first_answer_is_whole_and_timed_from_the_start(pieces: list[bytes], tmp_path: Path) -> None:
    """In however many pieces it comes; the time before anybody listens is in it, and its size is head and body."""
    found = first_answer([pieces], tmp_path)
    assert isinstance(found, Answered)
    assert found.size_bytes == len(ANSWER)
    assert found.after_s > 0.3


def test_a_connection_that_is_closed_is_no_answer(tmp_path: Path) -> None:
    """The server is asked again."""
    found = first_answer([[], [ANSWER]], tmp_path)
    assert isinstance(found, Answered)


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ([ANSWER.replace(b"200 OK", b"503 Busy")], "found HTTP/1.1 503 Busy"),
        ([ANSWER.replace(b"Hello", b"Holla")], "found HTTP/1.1 200 OK"),
        ([ANSWER[:-1]], "found HTTP/1.1 200 OK"),
    ],
)
def test_a_wrong_answer_is_no_first_answer(pieces: list[bytes], said: str, tmp_path: Path) -> None:
    """Nor is half of one: when the time is over it is said what came."""
    found = first_answer([pieces], tmp_path, timeout_s=1.5)
    assert isinstance(found, NotReady)
    assert said in str(found)


def test_a_server_that_ends_gives_no_first_answer(tmp_path: Path) -> None:
    """It is not waited for."""
    launch = Launch("x@y", (sys.executable, "-c", "raise SystemExit(7)"), {}, tmp_path, free_ports(1)[0])
    with open_process_group() as process_group, started([launch], process_group, tmp_path) as servers:
        (found,) = first_answers(servers.running, ("/", b""), 20)
    assert re.search(r"\bexit code 7\b", str(found))
