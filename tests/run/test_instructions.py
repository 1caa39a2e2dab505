"""Instructions are counted to the digit, a wrong answer has no count, and every missing count has its reason."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.model.experiment import Lane
from bench.model.reason import Code, Unknown, reason
from bench.model.records import Observation
from bench.run import instructions
from bench.run.instructions import (
    COUNTS,
    Subject,
    command,
    distinct,
    per_request,
    subject,
    why,
)
from bench.servers.processes import ProcessGroup, clean_environment, open_process_group
from tests.builders.runs import ADAPTER, ALPHA, GAMMA, GTHREAD, RAW, UVICORN, experiment

WORKLOAD = experiment().workload
PROFILE = "part: 1\nsummary: 9000\n\npart: 2\nsummary: {counted}\ntotals: {counted}\n\npart: 3\nsummary: 77\n"
RAW_APP = (Path(__file__).parent.parent.parent / "apps" / "raw_hello" / "raw_hello.py").read_text()
ADAPTER_MODULE = """
def wsgi_of(app):
    import asyncio
    def wsgi(environ, start_response):
        sent = []
        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}
        async def send(message):
            sent.append(message)
        asyncio.run(app({"type": "http", "method": "GET", "path": environ["PATH_INFO"]}, receive, send))
        start_response(f"{sent[0]['status']} OK", [])
        return [sent[1]["body"]]
    return wsgi
"""

needs_valgrind = pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")


@pytest.fixture
def process_group() -> Iterator[ProcessGroup]:
    with open_process_group() as joined:
        yield joined


def of(folder: Path, source: str, *, lane: Lane | None = None) -> Subject:
    """Returns the subject of a Lane of the raw App, whose module has this source; this interpreter serves it."""
    folder.mkdir(exist_ok=True)
    (folder / "raw.py").write_text(source)
    lane = lane or Lane(app=RAW, server=GTHREAD)
    environment = clean_environment(PYTHONPATH=str(folder), PYTHONDONTWRITEBYTECODE="1")
    return subject(lane, WORKLOAD, programs=Path(sys.executable).parent, app_folder=folder, environment=environment)


def counted(found: Iterator[Observation]) -> dict[str, float]:
    """Returns the values by Lane; all have one."""
    observations = list(found)
    assert [observation.reason for observation in observations if observation.reason] == []
    return {observation.lane: observation.value for observation in observations if observation.value is not None}


def test_the_counted_part_is_divided_by_its_requests() -> None:
    """Start-up and the first requests are in the first part, and the end is in the last one."""
    assert per_request(PROFILE.format(counted=4200)) == 4200 / (COUNTS[1] - COUNTS[0])


@pytest.mark.parametrize("profile", ["", "summary: 5\n", "summary: 1\n" * 4])
def test_a_profile_without_its_marks_is_no_count(profile: str) -> None:
    """A profile that was cut off, or where callgrind did not know the mark, is never divided."""
    found = reason(Code.PROFILE_INCOMPLETE, found=profile.count("summary"), expected=3, requests=COUNTS[1] - COUNTS[0])
    assert per_request(profile) == Unknown(found)


def test_the_command_reads_nobodys_settings() -> None:
    """Valgrind takes its options from the command line only, and the program the core from its own."""
    line = command(Path("/env/bin/python"), Path("/tmp/profile"), 3)  # noqa: S108 - nothing is written
    assert line[0] == "valgrind"
    assert "--command-line-only=yes" in line
    assert "--callgrind-out-file=/tmp/profile" in line
    assert line[-3:] == ("/env/bin/python", str(instructions.PROGRAM), "3")
    assert command(Path("/env/bin/python"), Path("/p"), None)[-1] == str(instructions.PROGRAM)


def test_lanes_that_serve_the_same_callable_are_counted_once() -> None:
    """The Server makes no difference, but for its interface; the Adapter does."""
    lanes = (
        Lane(app=GAMMA, server=UVICORN),
        Lane(app=GAMMA, server=UVICORN, twin=True),
        Lane(app=GAMMA, server=GTHREAD, adapter=ADAPTER),
        Lane(app=ALPHA, server=GTHREAD),
    )
    subjects = [subject(lane, WORKLOAD, programs=Path(), app_folder=Path(), environment={}) for lane in lanes]
    assert distinct(subjects) == [subjects[0], subjects[2], subjects[3]]
    assert {found.environment["PYTHONHASHSEED"] for found in subjects} == {"0"}


def test_the_last_line_is_the_reason() -> None:
    """Of a traceback it is the exception; valgrind's marks are left out; silence is told by the exit code."""
    assert why("Traceback:\n  File \"x\"\nKeyError: 'name'\n", 1) == reason(Code.SAID, text="KeyError: 'name'")
    assert why("==12== Unrecognised instruction\n==12== \n", 132) == reason(Code.SAID, text="Unrecognised instruction")
    assert why("", -9) == reason(Code.VALGRIND_FAILED, exit_code=-9)


@pytest.mark.skipif(platform.system() != "Linux", reason="only Linux pins, and has these turns")
def test_threads_of_a_count_interrupt_each_other_rarely() -> None:
    """They run under SCHED_BATCH, as nice as before, in turns of 100 ms where the kernel gives them (Linux 6.12)."""
    program = (
        "import os, sys, bench_requests as counting\n"
        "counting.be_repeatable([min(os.sched_getaffinity(0))])\n"
        "found = bytearray(counting.SCHED_ATTR.size)\n"
        "number = {'x86_64': 315, 'aarch64': 275}.get(os.uname().machine)\n"
        "kept = (counting.ctypes.c_char * len(found)).from_buffer(found)\n"
        "if number: counting.ctypes.CDLL(None).syscall(number, 0, kept, len(found), 0)\n"
        "print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0), counting.SCHED_ATTR.unpack(found)[5])\n"
    )
    search = clean_environment(PYTHONPATH=str(instructions.PROGRAM.parent), PYTHONDONTWRITEBYTECODE="1")
    said = subprocess.run((sys.executable, "-c", program), env=search, capture_output=True, text=True, check=True)
    policy, nice, turn_ns = map(int, said.stdout.split())
    assert (policy, nice) == (os.SCHED_BATCH, os.getpriority(os.PRIO_PROCESS, 0))
    new = tuple(map(int, platform.release().split(".")[:2])) >= (6, 12)
    assert turn_ns == 100_000_000 or not new or platform.machine() not in {"x86_64", "aarch64"}


def test_without_valgrind_every_lane_has_the_reason(
    process_group: ProcessGroup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is optional: nothing is started, and nothing raised."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (observation,) = instructions.count({"raw": of(tmp_path / "raw", RAW_APP)}, process_group, tmp_path)
    assert observation.value is None
    assert observation.reason == reason(Code.NO_VALGRIND)


@needs_valgrind
def test_a_count_is_the_same_each_time_and_shows_a_loop(process_group: ProcessGroup, tmp_path: Path) -> None:
    """Two counts differ by less than 0.1 %, whatever the machine does; fifty turns of a loop are seen.

    A folder whose name has another length moves what lies in memory, and CPython's tables of addresses with it: that
    was seen to be 45 instructions, 0.16 % of so small an App.
    """
    slower = RAW_APP.replace("    name = path", "    for _ in range(50): pass\n    name = path")
    assert slower != RAW_APP
    found = counted(
        instructions.count(
            {
                "first": of(tmp_path / "a", RAW_APP),
                "second": of(tmp_path / "b", RAW_APP),
                "elsewhere": of(tmp_path / "another", RAW_APP),
                "slower": of(tmp_path / "c", slower),
            },
            process_group,
            tmp_path,
        )
    )
    assert found["second"] == pytest.approx(found["first"], rel=0.001)
    assert found["elsewhere"] == pytest.approx(found["first"], rel=0.004)
    assert found["slower"] > 1.01 * found["first"]


@needs_valgrind
def test_an_app_is_asked_through_its_interface_and_its_adapter(process_group: ProcessGroup, tmp_path: Path) -> None:
    """ASGI without a lifespan, and ASGI behind a WSGI adapter, which costs more."""
    adapter = ADAPTER.__class__(name="own", accepts=ADAPTER.accepts, gives=ADAPTER.gives, callable="raw:wsgi_of")
    source = RAW_APP + ADAPTER_MODULE
    lanes = (Lane(app=RAW, server=UVICORN), Lane(app=RAW, server=GTHREAD, adapter=adapter))
    plain, adapted = (of(tmp_path / f"{i}", source, lane=lane) for i, lane in enumerate(lanes))
    found = counted(instructions.count({"plain": plain, "adapted": adapted}, process_group, tmp_path))
    assert found["adapted"] > 2 * found["plain"]


@needs_valgrind
def test_a_wrong_answer_has_no_count(process_group: ProcessGroup, tmp_path: Path) -> None:
    """Its reason says what was found and what was expected; an App that raises is told by its exception."""
    wrong = of(tmp_path / "wrong", RAW_APP.replace('f"Hello, {name}!"', '"Bye!"'))
    broken = of(tmp_path / "broken", "raise RuntimeError('no database')")
    found = {
        seen.lane: seen for seen in instructions.count({"wrong": wrong, "broken": broken}, process_group, tmp_path)
    }
    assert found["wrong"].value is None
    assert found["wrong"].reason
    assert found["wrong"].reason.code is Code.SAID
    assert re.match(r"GET /hello/user0: .*b'Bye!'.*b'Hello, user0!'", str(found["wrong"].reason.values["text"]))
    assert found["broken"].reason == reason(Code.SAID, text="RuntimeError: no database")


@needs_valgrind
def test_a_count_that_does_not_end_is_ended(
    process_group: ProcessGroup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its time it has no value but a reason, and no process is left."""
    monkeypatch.setattr(instructions, "TIMEOUT_S", 0.5)
    hanging = of(tmp_path / "hanging", "import time\nwhile True: time.sleep(1)")
    (observation,) = instructions.count({"hanging": hanging}, process_group, tmp_path)
    assert observation.value is None
    assert observation.reason == reason(Code.COUNT_TIMED_OUT, timeout_s=0.5)
