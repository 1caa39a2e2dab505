"""Footprints of real Apps on real servers, and what is said where one can't be measured."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import psutil
import pytest
from msgspec.structs import replace

from bench.analysis import observations
from bench.model.config import select_lanes
from bench.model.estimate import Estimate
from bench.model.metrics import METRICS, STARTS, Source
from bench.model.reason import Code, Value, reason
from bench.model.records import Observation
from bench.model.schedule import OutsideSlices
from bench.run import code_lines, footprint, session
from bench.servers import counters
from bench.servers.project import Project, open_project, source_files
from bench.servers.testbed import Testbed
from tests.builders.commands import with_environments

FLASK, UVICORN = "flask_hello@gunicorn-gthread", "raw_hello@uvicorn"
ALONE = """
[servers.uvicorn]
command = ["uvicorn", "--host", "{host}", "--port", "{port}", "--log-level", "warning", "{application}"]
"""
STARTED = {metric.name for metric in METRICS.from_sources(*STARTS)}
AT_REST = {"code_lines", "packages", "installed_mib"}


class Seen:
    """Keeps what was observed, and how much of it was done when."""

    def __init__(self) -> None:
        self.rows: list[Observation] = []
        self.shares: list[float] = []

    def observe(self, observation: Observation) -> None:
        self.rows.append(observation)

    def sync(self) -> None:
        pass

    def observing(self, what: OutsideSlices, share: float) -> None:
        self.shares.append(share)

    def of(self, lane: str) -> list[Observation]:
        return [row for row in self.rows if row.lane == lane]

    def estimates(self, lane: str) -> dict[str, Estimate]:
        return observations.estimates(self.of(lane))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Returns a copy of the project, with the environments that are made already."""
    return with_environments(tmp_path)


@contextmanager
def prepared(root: Path, lanes: Sequence[str], *, cold_starts: int) -> Iterator[Testbed]:
    project: Project = open_project(root / "bench.toml")
    whole = select_lanes(project.experiment("standard", seed=1), lanes)
    whole = replace(whole, preset=replace(whole.preset, cold_starts=cold_starts))
    with session.open_testbed(project, whole) as testbed:
        yield testbed


def measured(root: Path, lanes: Sequence[str], *, cold_starts: int) -> Seen:
    seen = Seen()
    with prepared(root, lanes, cold_starts=cold_starts) as testbed:
        before = set(psutil.Process().children(recursive=True))
        footprint.measure(testbed, seen, seen.observing)
        assert set(psutil.Process().children(recursive=True)) <= before
    return seen


def test_a_framework_and_raw_are_measured_whole(project: Path) -> None:
    """Every metric of both, what a framework adds is seen, and each is a value that can be."""
    seen = measured(project, [FLASK, UVICORN], cold_starts=2)
    flask, raw = seen.estimates(FLASK), seen.estimates(UVICORN)
    assert set(flask) == set(raw) == STARTED | AT_REST
    for metric in ("import_ms", "idle_pss_mib", "packages", "installed_mib"):
        assert flask[metric].point > raw[metric].point, metric
    assert {flask[metric.name].n for metric in METRICS.from_sources(Source.COLD_START)} == {2}
    for lane in (flask, raw):
        assert lane["first_response_ms"].point > 0
        assert 1 < lane["pss_per_worker_mib"].point < 200
        assert lane["response_bytes"].low == lane["response_bytes"].high
        assert 100 < lane["response_bytes"].point < 400
    assert observations.code_lines_by_file(seen.of(FLASK)) == {"flask_hello.py": flask["code_lines"].point}
    assert seen.shares[0] == 0
    assert seen.shares == sorted(seen.shares)


def test_a_preset_without_starts_shows_what_lies_there(project: Path) -> None:
    """Code, packages and size need no process; the lines by file are those in all."""
    seen = measured(project, ["django_hello@gunicorn-gthread"], cold_starts=0)
    found = seen.estimates("django_hello@gunicorn-gthread")
    assert set(found) == AT_REST
    by_file = observations.code_lines_by_file(seen.of("django_hello@gunicorn-gthread"))
    assert sum(by_file.values()) == found["code_lines"].point
    assert {"manage.py", "django_hello/settings.py", "django_hello/urls.py", "django_hello/wsgi.py"} <= set(by_file)
    assert not {"app.toml", "requirements.txt"} & set(by_file)


@pytest.mark.parametrize(
    ("broken", "timeout_s", "code", "values"),
    [
        ("raise ImportError('this app is broken')", 60.0, Code.ENDED_BEFORE_ANSWER, {"exit_code": 3}),
        ("import time; time.sleep(100)", 2.0, Code.NO_RIGHT_ANSWER_IN_TIME, {"timeout_s": 2.0, "found": None}),
        (
            "def create_app(): return lambda e, s: s('503 Busy', []) and [] or []",
            5.0,
            Code.NO_RIGHT_ANSWER_IN_TIME,
            {"timeout_s": 5.0, "found": "HTTP/1.1 503 Busy"},
        ),
        ("def create_app(:", 60.0, Code.ENDED_BEFORE_ANSWER, {"exit_code": 3}),
    ],
)
def test_an_app_that_does_not_start_has_a_reason(
    project: Path, broken: str, timeout_s: float, code: Code, values: dict[str, Value]
) -> None:
    """It is tried once, every metric that takes a start says why it is missing, and the others are measured."""
    (project / "apps" / "flask_hello" / "flask_hello.py").write_text(broken)
    config = project / "bench.toml"
    config.write_text(config.read_text() + f"[serving]\nready_timeout_s = {timeout_s}\n")
    seen = Seen()
    with prepared(project, [FLASK], cold_starts=3) as testbed:
        footprint.measure(testbed, seen, seen.observing)
    missing = observations.missing(seen.of(FLASK))
    assert set(missing) >= STARTED
    assert all(missing[metric] == reason(code, **values) for metric in STARTED)
    assert len(seen.of(FLASK)) <= len(STARTED) + len(AT_REST) + 1
    assert ("code_lines" in missing) == broken.endswith("(:")


def test_a_missing_program_has_a_reason(project: Path) -> None:
    """An environment that lacks the server is no traceback."""
    config = project / "bench.toml"
    config.write_text(
        config.read_text()
        + '[servers.uvicorn]\ncommand = ["no-such-server", "{host}:{port}", "{workers}", "{application}"]\n'
    )
    seen = measured(project, [UVICORN], cold_starts=2)
    why = observations.missing(seen.of(UVICORN))["first_response_ms"]
    assert why.code is Code.SERVER_REFUSED
    assert Path(str(why.values["program"])).name == "no-such-server"
    assert why.values["text"] == "No such file or directory"


def test_a_factory_that_fails_on_import_has_a_reason(project: Path) -> None:
    """What Python said last; the time to the first response stays."""
    app = project / "apps" / "raw_hello" / "raw_hello.py"
    app.write_text(app.read_text() + "\nimport sys\nif 'uvicorn' not in sys.modules: raise ImportError('no server')\n")
    seen = measured(project, [UVICORN], cold_starts=1)
    missing = observations.missing(seen.of(UVICORN))
    said = "ImportError: no server"
    assert missing["import_ms"] == reason(Code.IMPORT_FAILED, application="raw_hello:asgi", text=said)
    assert "first_response_ms" in seen.estimates(UVICORN)


def test_memory_that_the_system_does_not_tell_has_a_reason(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS; times are measured all the same."""
    monkeypatch.setattr(counters, "pss_bytes", lambda _: counters.UNREADABLE)
    seen = measured(project, [UVICORN], cold_starts=1)
    missing = observations.missing(seen.of(UVICORN))
    assert missing == dict.fromkeys(("idle_pss_mib", "pss_per_worker_mib"), counters.UNREADABLE.reason)
    assert seen.estimates(UVICORN)["first_response_ms"].n == 1


def test_a_system_that_does_not_tell_when_it_booted_ends_no_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one without memory in pages: servers come up with all their processes, and what can be is measured."""

    def not_told(_: psutil.Process) -> NoReturn:
        raise FileNotFoundError("/proc/stat")

    monkeypatch.setattr(psutil.Process, "create_time", not_told)
    monkeypatch.setattr(psutil.Process, "memory_info", not_told)
    seen = Seen()
    with prepared(project, [UVICORN], cold_starts=1) as testbed:
        with testbed.open_servers(0, testbed.experiment.lanes) as servers:
            assert [facts.workers for facts in servers.facts] == [1]
            assert servers.pids[UVICORN][0] == servers.running[UVICORN].process.pid
            assert counters.rss_bytes(servers.pids[UVICORN]) == counters.UNREADABLE
        footprint.measure(testbed, seen, seen.observing)
    assert set(seen.estimates(UVICORN)) == STARTED | AT_REST


def test_a_server_without_a_number_of_workers_has_a_reason(project: Path) -> None:
    """Its command names none, so that no worker could be added."""
    config = project / "bench.toml"
    config.write_text(config.read_text() + ALONE)
    seen = measured(project, [UVICORN], cold_starts=1)
    assert observations.missing(seen.of(UVICORN)) == {"pss_per_worker_mib": reason(Code.NO_WORKERS)}


def test_only_an_apps_own_source_is_counted(tmp_path: Path) -> None:
    """No bytecode, no hidden or installed files, no locks."""
    for name in ("a.py", "t/page.html", "t/x.txt", ".git/b.py", "env/pyvenv.cfg", "env/lib/c.py", "__pycache__/d.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    found = source_files(tmp_path, code_lines.SUFFIXES)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a.py", "t/page.html"]
