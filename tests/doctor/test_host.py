"""Reading /proc and /sys: trees that are whole, that are empty, and this machine's."""

import os
import resource
import sys
from pathlib import Path

import pytest

from bench.doctor import checks, host
from bench.doctor.diagnosis import Severity
from bench.servers import machine
from tests.builders.runs import experiment

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and /sys")


@pytest.fixture
def roots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Returns a folder with an empty proc and sys in it, which are read instead of the machine's."""
    for name in ("proc", "sys"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(host, name.upper(), tmp_path / name)
    return tmp_path


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")


@linux
def test_everything_is_read_from_its_file(roots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are as the kernel writes them, without the end of the line; cores are those that bench may use."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {2, 3})
    monkeypatch.setattr(os, "sched_setaffinity", lambda _pid, _cores: None)
    cpu = "sys/devices/system/cpu"
    write(
        roots,
        {
            f"{cpu}/cpu2/topology/thread_siblings_list": "2-3",
            f"{cpu}/cpu3/topology/thread_siblings_list": "2-3",
            f"{cpu}/cpu2/cpufreq/scaling_governor": "powersave",
            f"{cpu}/intel_pstate/no_turbo": "0",
            f"{cpu}/cpufreq/boost": "1",
            "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
            "proc/sys/kernel/randomize_va_space": "2",
        },
    )
    seen = host.read()
    assert seen.cores == (2, 3)
    assert seen.pinnable
    assert seen.siblings == {2: "2-3", 3: "2-3"}
    assert seen.governors == {2: "powersave"}
    assert (seen.no_turbo, seen.boost) == ("0", "1")
    assert (seen.clock_source, seen.address_randomisation) == ("tsc", "2")


def test_a_machine_that_tells_nothing_is_unknown(roots: Path) -> None:
    """Without any file there is no traceback, and what is unknown is said to be so."""
    seen = host.read()
    assert seen.siblings == seen.governors == {}
    assert [seen.quotas, seen.no_turbo, seen.boost, seen.clock_source, seen.address_randomisation] == [None] * 5
    found = checks.findings(seen, machine.describe(1), experiment())
    assert sum(finding.severity is Severity.UNKNOWN for finding in found) >= 5


def test_a_file_that_may_not_be_read_is_unknown(roots: Path) -> None:
    """A folder in its place, and bytes that are no text, are as good as nothing."""
    (roots / "proc/sys/kernel/randomize_va_space").mkdir(parents=True)
    boost = roots / "sys/devices/system/cpu/cpufreq/boost"
    boost.parent.mkdir(parents=True)
    boost.write_bytes(b"\xff\xfe")
    seen = host.read()
    assert seen.address_randomisation is None
    assert seen.boost is None


@pytest.mark.parametrize(
    ("cgroup", "files", "quotas"),
    [
        ("0::/", {}, ()),
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, ("max 100000", "50000 100000")),
        ("0::/not/mounted/here", {"cpu.max": "150000 100000"}, ("150000 100000",)),
        (
            "2:cpuset:/x\n1:cpu,cpuacct:/x",
            {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000", "cpu/cpu.cfs_quota_us": "5"},
            ("-1 100000",),
        ),
        ("what is this", {}, ()),
    ],
)
def test_quotas_are_those_of_all_groups_around(
    roots: Path, cgroup: str, files: dict[str, str], quotas: tuple[str, ...]
) -> None:
    """Both versions of control groups, innermost first; a group that is not mounted has no say."""
    write(roots, {"proc/self/cgroup": cgroup})
    write(roots / "sys/fs/cgroup", files)
    assert host.read().quotas == quotas


@linux
def test_a_process_that_may_not_be_pinned_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some sandboxes refuse it."""

    def refuse(_pid: int, _cores: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert not host.read().pinnable


@linux
def test_this_machine_is_left_as_it_was() -> None:
    """Looking changes nothing: the cores that this process may use are the same after it."""
    before = os.sched_getaffinity(0)
    seen = host.read()
    assert os.sched_getaffinity(0) == before == set(seen.cores)
    assert seen.available_mib is not None
    assert seen.available_mib > 0


@pytest.mark.parametrize(
    ("soft", "hard", "driver", "server"),
    [
        (256, 4096, 4096, 256),
        (256, resource.RLIM_INFINITY, 256, 256),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, sys.maxsize, sys.maxsize),
    ],
)
def test_open_files_are_those_that_driver_and_servers_may_have(
    soft: int, hard: int, driver: int, server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver raises its limit to the hard one, unless that is unlimited, which not every system grants."""
    monkeypatch.setattr(resource, "getrlimit", lambda _limit: (soft, hard))
    seen = host.read()
    assert (seen.open_files, seen.open_files_of_server) == (driver, server)


def test_versions_are_those_that_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Programs are asked; one that is missing, fails or says nothing has no version."""
    for name, script in {"valgrind": "echo valgrind-3.99.1", "wrk": "echo"}.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    versions = host.read().versions
    assert versions["valgrind"] == "3.99.1"
    assert versions["wrk"] is None
    assert versions["python"] == sys.version.split()[0]
    assert versions["locust"]
    monkeypatch.setenv("PATH", "")
    assert host.read().versions["valgrind"] is None
