"""The whole of it: real frameworks, real servers, the real driver, a real folder, short."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import psutil
import pytest

from bench.model.estimate import Status
from bench.model.load import Phase
from bench.model.reason import Code, Reason
from bench.report.wording import said
from bench.run import store
from tests.builders.commands import PROJECT, with_environments

HANG_S = 300
"""What takes longer than this will never end; a busy machine takes its time."""
SCHEMAS = PROJECT / "docs" / "schemas"
BENCH = str(Path(sys.executable).parent / "bench")
SHORT = """
[presets.test]
rounds = 3
saturated_slices = 1
fixed_slices = 1
settle_s = 0.02
window_s = 0.1
warm_up_s = 0.1
"""
BRIEF = SHORT.replace("presets.test", "presets.brief").replace("rounds = 3", "rounds = 1")
WHOLE = BRIEF.replace("presets.brief", "presets.whole") + "cold_starts = 1\n"
LANES = 14  # of bench.toml, two of them twins
DYING = """
_right, _answered = asgi, iter(range(300))

async def asgi(scope, receive, send):
    if next(_answered, None) is None:
        __import__("os")._exit(9)
    await _right(scope, receive, send)
"""
ABSENT = """
[serving]
ready_timeout_s = 5.0
[servers.absent]
interface = "wsgi"
packages = []
command = ["no-such-server", "{host}:{port}", "{application}"]
[groups.absent]
title = "on a server that is not there"
server = "absent"
"""
LONG = SHORT.replace("presets.test", "presets.long").replace("rounds = 3", "rounds = 1000")

STARTING = BRIEF.replace("presets.brief", "presets.starting") + "cold_starts = 1000\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Returns a copy of the project with presets for tests, and the environments that are made already."""
    with_environments(tmp_path)
    (tmp_path / "bench.toml").open("a").write(SHORT + WHOLE + BRIEF + LONG + STARTING)
    return tmp_path


def bench(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([BENCH, *arguments], cwd=project, capture_output=True, text=True, check=False, timeout=HANG_S)


def run(
    project: Path, *arguments: str, preset: str = "test"
) -> tuple["subprocess.CompletedProcess[str]", dict[str, Any]]:
    done = bench(project, "run", "--preset", preset, "--json", *arguments)
    return done, json.loads(done.stdout)


def processes_in(folder: Path) -> list[psutil.Process]:
    """Returns the processes that were started in a folder, or below it, or that log to it."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def test_every_lane_is_measured_and_reported(project: Path) -> None:
    """`bench run` over all Lanes: no wrong answer, every file there, and each as its schema says."""
    done, summary = run(project, preset="whole")
    assert done.returncode == 0, done.stderr
    assert len(summary["lanes"]) == LANES
    at_home = [lane for lane in summary["lanes"] if "first_response_ms" in lane["metrics"]]
    assert len(at_home) == 5  # each App on its native Server, and raw on both of these
    assert all({"import_ms", "idle_pss_mib", "code_lines", "packages"} <= lane["metrics"].keys() for lane in at_home)
    assert {group["group"] for group in summary["groups"]} == {"wsgi", "asgi", "native"}
    assert summary["totals"]["errors"] == 0
    assert summary["totals"]["dropped"] == 0
    assert summary["complete"]
    for lane in summary["lanes"]:
        assert lane["metrics"]["throughput_rps"]["point"] > 0
        assert lane["metrics"]["latency_fixed_p50_ms"]["point"] > 0
        assert lane["metrics"]["error_ratio"]["point"] == 0

    folder = (project / "results" / "latest").resolve()
    stored = store.read(folder)
    assert len(stored.records) == LANES * 3  # a slice of each phase
    assert len({record.load for record in stored.records if record.phase is Phase.FIXED}) == 1  # one rate for all
    assert json.loads((folder / "summary.json").read_text()) == summary
    for name in ("manifest.json", "summary.json"):
        jsonschema.validate(json.loads((folder / name).read_text()), schema(name))
    for line in (folder / "slices.jsonl").read_text().splitlines():
        jsonschema.validate(json.loads(line), schema("slices.jsonl"))
    for chart in ("throughput", "latency", "cpu", "throughput_over_time"):
        assert (folder / "charts" / f"{chart}.svg").read_bytes().startswith(b"<?xml")
        assert (folder / "charts" / f"{chart}.png").read_bytes().startswith(b"\x89PNG")
    for report in ("report.html", "summary.md"):
        assert "Flask" in (folder / report).read_text()
    assert {path.name for path in (folder / "exports").iterdir()} > {"junit.xml", "pyperf.json", "slices.parquet"}
    assert str(project) not in (folder / "manifest.json").read_text()
    history = project / "results" / "history.jsonl"
    remembered = history.read_text().splitlines() if history.exists() else []
    refused = [line for line in done.stderr.splitlines() if line.startswith(f"bench: {folder.name}: ")]
    assert len(remembered) + len(refused) == 1, done.stderr  # on a machine that is too busy no Lane is valid
    for line in remembered:
        assert json.loads(line)["run_id"] == folder.name
        jsonschema.validate(json.loads(line), schema("history.jsonl"))

    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = bench(project, "report", "latest", "--json")
    assert again.returncode == 0, again.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("loads", ["users=1..4", "rate=200,100000"])
def test_a_sweep_is_measured_and_reported(project: Path, loads: str) -> None:
    """Every load of every Lane, also one far beyond what it can serve; charts and tables of its own."""
    lanes = ("flask_hello@gunicorn-gthread", "raw_hello@gunicorn-gthread")
    options = (option for lane in lanes for option in ("--lane", lane))
    done, summary = run(project, "--sweep", loads, "--slo", "1s", *options, preset="brief")
    assert done.returncode == 0, done.stderr
    assert summary["complete"]
    assert summary["totals"]["errors"] == 0
    assert [each["lane"] for each in summary["sweeps"]] == list(lanes)
    for each in summary["sweeps"]:
        assert all(point["throughput_rps"]["point"] > 0 for point in each["points"])
        assert (each["knee"]["at"] is None) == (each["knee"]["reason"] is not None)
        assert each["within_slo"]["reasons"]
        if loads.startswith("rate"):
            first, last = each["points"]
            assert first["dropped"] == 0
            assert last["dropped"] > 0
            # which of server and driver is the limit at 100,000/s depends on the machine
            assert last["validity"]["status"] in {Status.OVERLOADED, Status.DRIVER_BOUND}
            assert last["latency_ms"] == {}
    folder = (project / "results" / "latest").resolve()
    jsonschema.validate(json.loads((folder / "summary.json").read_text()), schema("summary.json"))
    for line in (folder / "slices.jsonl").read_text().splitlines():
        jsonschema.validate(json.loads(line), schema("slices.jsonl"))
    assert sorted(path.name for path in (folder / "charts").glob("*.svg")) == [
        "sweep_latency.svg",
        "sweep_throughput.svg",
    ]


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


def test_instructions_are_counted_or_have_a_reason(project: Path) -> None:
    """`--instructions` adds the metric to any preset; without valgrind it is absent, with its reason."""
    _, summary = run(project, "--instructions", "--lane", "raw_hello@gunicorn-gthread", preset="brief")
    (lane,) = summary["lanes"]
    if shutil.which("valgrind"):
        assert lane["metrics"]["instructions_per_request"]["point"] > 1000
    else:
        assert "valgrind" in lane["missing"]["instructions_per_request"]


def test_broken_lanes_fail_alone(project: Path) -> None:
    """Each is reported with the tail of its own log and exit code 3; the other Lane's results stand.

    A server that outlives its worker would go on with one that is neither warm nor counted: its Lane has failed too.
    """
    broken = {
        "flask_hello/flask_hello.py": "raise ImportError('this app is broken')",
        "django_hello/django_hello/wsgi.py": "import time; time.sleep(100)",
        "fastapi_hello/fastapi_hello.py": "from fastapi import FastAPI\napp = FastAPI()",
    }
    for file, code in broken.items():
        (project / "apps" / file).write_text(code)
    (project / "apps" / "raw_hello" / "raw_hello.py").open("a").write(DYING)
    (project / "bench.toml").open("a").write(ABSENT)
    expected: dict[str, tuple[str, Code, dict[str, object]]] = {
        "flask_hello@gunicorn-gthread": ("start", Code.ENDED_BEFORE_ANSWER, {"exit_code": 3}),
        "django_hello@gunicorn-gthread": ("start", Code.NO_ANSWER_IN_TIME, {"timeout_s": 5.0}),
        "django_hello@absent": ("start", Code.SERVER_REFUSED, {"text": "No such file or directory"}),
        "fastapi_hello@uvicorn": ("verification", Code.ANSWER_DIFFERS, {"part": "status", "found": "404"}),
        "raw_hello@uvicorn": ("load", Code.SERVER_ENDED, {"exit_code": 9}),
        "raw_hello@gunicorn-uvicorn": ("load", Code.PROCESS_ENDED, {}),
    }
    options = (option for lane in (*expected, "raw_hello@gunicorn-gthread") for option in ("--lane", lane))
    done, summary = run(project, *options)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    found = {each["lane"]: each for each in summary["failures"]}
    assert found.keys() == expected.keys()
    for lane, (stage, code, values) in expected.items():
        why = found[lane]["reason"]
        assert (found[lane]["stage"], why["code"]) == (stage, code)
        assert why.get("values", {}).items() >= values.items()
    assert "this app is broken" in found["flask_hello@gunicorn-gthread"]["log_tail"]
    by_lane = {lane["lane"]: lane for lane in summary["lanes"]}
    assert {by_lane[lane]["validity"]["status"] for lane in expected} == {"failed"}
    assert by_lane["raw_hello@gunicorn-gthread"]["validity"]["status"] != "failed"
    throughput = by_lane["raw_hello@gunicorn-gthread"]["metrics"]["throughput_rps"]
    assert throughput["n"] == 3
    assert throughput["low"] < throughput["high"]
    (folder,) = (path for path in (project / "results").iterdir() if not path.is_symlink())
    lines = (folder / "failures.jsonl").read_text().splitlines()
    assert len(lines) == len(expected)
    for line in lines:
        jsonschema.validate(json.loads(line), schema("failures.jsonl"))


def test_verify_checks_every_lane_without_load(project: Path) -> None:
    """`bench verify` names each Lane as ok, and what no setting makes equal; a broken workload is exit code 3."""
    done = bench(project, "verify")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ok      ") == LANES
    assert "\nnote    " in done.stdout
    app = project / "apps" / "flask_hello" / "flask_hello.py"
    app.write_text(app.read_text().replace("Hello, ", "Good day, "))
    done = bench(project, "verify", "--lane", "flask_hello@gunicorn-gthread", "--json")
    assert done.returncode == 3
    (failure,) = json.loads(done.stdout)["failures"]
    assert failure["stage"] == "verification"
    assert failure["reason"]["code"] == Code.ANSWER_DIFFERS
    assert "Good day, world!" in failure["reason"]["values"]["found"]


def test_lanes_that_differ_are_not_compared(project: Path) -> None:
    """One header more in one App is an error with the diff, before any load."""
    app = project / "apps" / "flask_hello" / "flask_hello.py"
    app.write_text(app.read_text().replace('mimetype="text/plain")', 'mimetype="text/plain", headers={"X-More": "1"})'))
    done = bench(project, "run", "--preset", "test", "--lane", "*@gunicorn-gthread")
    assert done.returncode == 3
    assert "+header x-more: 1" in done.stderr
    assert "Traceback" not in done.stderr


def measured(project: Path, file: str = "slices.jsonl", word: bytes = b'"fixed"') -> list[bytes]:
    return [
        line
        for path in (project / "results").glob(f"*/{file}")
        for line in path.read_bytes().splitlines()
        if word in line
    ]


def observed(project: Path) -> list[bytes]:
    return measured(project, "observations.jsonl", b"first_response_ms")


def started(
    project: Path, preset: str = "long", measured: Callable[[Path], list[bytes]] = measured
) -> "subprocess.Popen[bytes]":
    """Starts a run that would take hours, and returns once it has measured something."""
    command = [BENCH, "run", "--preset", preset, "--lane", "raw_hello@*gthread", "--lane", "raw_hello@*uvicorn"]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + HANG_S
    while time.monotonic() < deadline and not measured(project):
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_and_reports_what_it_had(project: Path, by: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end a run with exit code 3, its records on disk, a report of them, and no process left."""
    process = started(project)
    family = psutil.Process(process.pid).children(recursive=True)
    assert any("bench.driver" in member.cmdline() for member in family)
    process.send_signal(by)
    assert process.wait(timeout=HANG_S) == 3
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    (folder,) = (project / "results").iterdir()
    assert measured(project)
    assert not json.loads((folder / "summary.json").read_text())["complete"]
    assert not (project / "results" / "latest").exists()
    assert processes_in(project) == []


def test_a_run_that_was_interrupted_during_its_footprint_is_not_complete(project: Path) -> None:
    """It says what it lacks, what its rounds found is reported, and it does not become the latest."""
    process = started(project, "starting", observed)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=HANG_S) == 3
    (folder,) = (project / "results").iterdir()
    summary = json.loads((folder / "summary.json").read_text())
    assert not summary["complete"]
    lacking = msgspec.convert(summary["lacking"], tuple[Reason, ...])
    assert [part.code for part in lacking] == [Code.FOOTPRINT_LACKING]
    assert "first_response_ms" in str(lacking[0].values["metrics"])
    assert len(summary["lanes"]) > 0
    assert all("throughput_rps" in lane["metrics"] for lane in summary["lanes"])
    assert said(lacking[0]) in (folder / "report.html").read_text()
    assert not (project / "results" / "latest").exists()


def test_a_killed_run_leaves_its_records_and_no_process(project: Path) -> None:
    """SIGKILL: servers and driver are gone in moments, and `bench report` works on what was stored."""
    process = started(project)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) > 5
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    assert processes_in(project) == []
    (folder,) = (project / "results").iterdir()
    done = bench(project, "report", folder.name, "--json")
    assert done.returncode == 0, done.stderr
    assert not json.loads(done.stdout)["complete"]


def test_ctrl_c_before_anything_is_measured_is_one_line(project: Path) -> None:
    """While servers start there is nothing to report yet: exit code 3, no traceback, no process left."""
    command = [BENCH, "verify", "--lane", "raw_hello@*"]
    (project / "apps" / "raw_hello" / "raw_hello.py").write_text("import time; time.sleep(100)")
    with subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + HANG_S
        while time.monotonic() < deadline and len(psutil.Process(process.pid).children(recursive=True)) < 4:
            time.sleep(0.05)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=HANG_S) == 3
        assert process.stderr is not None
        assert process.stderr.read() == "bench: interrupted\n"
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_serve_launches_a_lane_for_a_person_to_look_at(project: Path) -> None:
    """`bench serve` says where it listens, answers there, and ends with Ctrl-C."""
    command = [BENCH, "serve", "flask_hello@gunicorn-uvicorn+a2asgi"]
    with subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if line.startswith("serving "))
        url = said.split()[1]
        done = bench(project, "load", url, "--users", "4", "--seconds", "0.5", "--json")
        assert done.returncode == 0, done.stderr
        outcome = json.loads(done.stdout)
        assert outcome["requests"] > 10
        assert outcome["errors"] == {}
        assert 0 < outcome["driver_cpu_share"] <= 1.1
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=HANG_S) == 0
    assert processes_in(project) == []


def test_an_app_that_cannot_be_served_is_exit_code_3(project: Path) -> None:
    """Its own log is on standard error, and the last line names the Lane."""
    (project / "apps" / "raw_hello" / "raw_hello.py").write_text("raise ImportError('broken')")
    done = bench(project, "serve", "raw_hello@uvicorn")
    assert done.returncode == 3
    assert "ImportError: broken" in done.stderr
    assert "serving" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert re.match(r"bench: raw_hello@uvicorn: .*\bexit code 1\b", last)


def test_load_says_what_happened_to_a_dead_url() -> None:
    """Nothing listens there: errors are counted by kind, and the exit code is 3."""
    done = bench(PROJECT, "load", "http://127.0.0.1:9/", "--rate", "50", "--seconds", "0.3", "--json")
    assert done.returncode == 3
    assert sum(json.loads(done.stdout)["errors"].values()) > 0
