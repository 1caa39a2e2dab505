"""`bench compare` as a CI job calls it: a real repository, real servers, real load."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import msgspec
import psutil
import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.cli.errors import words
from bench.cli.gate import exit_code
from bench.model.config_errors import ConfigError
from bench.model.errors import ExitCode
from bench.model.reason import Code, reason
from bench.model.regression import Comparison
from bench.regression.selection import NothingDiffers
from bench.run.git import RevisionFailed
from bench.run.runner import NothingToMeasure
from tests.builders.commands import PROJECT, copied_project
from tests.builders.repositories import commit, git, state

BENCH = str(Path(sys.executable).parent / "bench")
HANG_S = 300
APP = Path("apps/raw_hello/raw_hello.py")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Returns a repository with this project's Apps in it, committed."""
    folder = tmp_path / "shop"
    folder.mkdir()
    copied_project(folder)
    (folder / ".gitignore").write_text("results/\n.bench/\n")
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def compare(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [BENCH, "compare", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=HANG_S)


def test_an_app_is_compared_with_itself(repository: Path, tmp_path: Path) -> None:
    """Every metric has a verdict, the files are as their schema says, GitHub is told, and nothing is left behind.

    The gate loads none of the libraries that only reports, exports and the doctor need.
    """
    before = state(repository)
    options = ("--app", "raw_hello", "--budget", "10", "--no-instructions", "--json", "--github")
    summary = tmp_path / "summary.md"
    done = subprocess.run(
        [BENCH, "compare", "HEAD", "WORKTREE", *options],
        cwd=repository,
        env={**os.environ, "GITHUB_STEP_SUMMARY": str(summary), "PYTHONPROFILEIMPORTTIME": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_S,
    )
    assert done.stdout, done.stderr
    document = json.loads(done.stdout)
    comparison = msgspec.json.decode(done.stdout, type=Comparison)
    assert done.returncode == exit_code(comparison.judged)  # a machine too busy to measure on says so
    assert done.returncode != ExitCode.REGRESSION
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "numpy" in loaded
    assert not loaded & {"pandas", "scipy", "matplotlib"}
    schema = json.loads((PROJECT / "docs" / "schemas" / "comparison.json.schema.json").read_text())
    jsonschema.validate(document, schema)
    (app,) = document["apps"]
    assert {"cpu_us_per_request", "throughput_rps", "latency_fixed_p50_ms"} <= {
        found["metric"] for found in app["evidence"]
    }
    assert document["rounds"] >= 4
    assert summary.read_text().startswith("### bench: ")
    (folder,) = (repository / "results").iterdir()
    assert json.loads((folder / "comparison.json").read_text()) == document
    assert (folder / "comparison.junit.xml").read_text().count("<testcase") == len(app["evidence"])
    again = subprocess.run(
        [BENCH, "report", folder.name, "--json"], cwd=repository, capture_output=True, text=True, check=False
    )
    assert json.loads(again.stdout) == document
    assert state(repository) == before


def test_ctrl_c_leaves_nothing_behind(repository: Path, tmp_path: Path) -> None:
    """In the midst of a round: a line says so, exit code 3, repository and temporary folder are as before."""
    app = repository / APP
    app.write_text(app.read_text() + "\n# changed\n")
    git(repository, "add", ".")
    before, temporary = state(repository), tmp_path / "temporary"
    temporary.mkdir()
    command = [BENCH, "compare", "HEAD", "WORKTREE", "--budget", "10", "--no-instructions"]
    process = subprocess.Popen(
        command,
        cwd=repository,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        wait_for_a_slice(repository)
        family = psutil.Process(process.pid).children(recursive=True)
        assert any("bench.driver" in member.cmdline() for member in family)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        said, told = process.communicate(timeout=HANG_S)
    assert (process.returncode, said) == (3, "")
    assert told.splitlines()[-1] == "bench: interrupted"
    assert "Traceback" not in told
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    assert list(temporary.iterdir()) == []
    assert state(repository) == before


def wait_for_a_slice(folder: Path) -> None:
    """Returns once a round is under way: servers and driver are up, and the first of its slices has ended."""
    deadline = time.monotonic() + HANG_S
    while time.monotonic() < deadline:
        if any(file.stat().st_size for file in folder.glob("results/*/slices.jsonl")):
            return
        time.sleep(0.05)
    pytest.fail(f"no slice in {HANG_S} s")


def test_a_side_that_answers_wrongly_is_exit_code_3(repository: Path) -> None:
    """One line names the side, the step, what was found and what was expected; nothing is left behind."""
    app = repository / APP
    app.write_text(app.read_text().replace("Hello", "Goodbye"))
    commit(repository)
    before = state(repository)
    done = compare(repository, "HEAD~1", "HEAD", "--no-instructions")
    assert done.returncode == 3
    assert re.match(r"bench: raw_hello@\S+#head: .*\bverification\b", done.stderr)
    assert "Goodbye" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    (folder,) = (repository / "results").iterdir()
    why = json.loads((folder / "failures.jsonl").read_text())["reason"]
    assert why["code"] == Code.ANSWER_DIFFERS
    assert "Goodbye" in why["values"]["found"]
    assert state(repository) == before


def test_what_cannot_be_compared_is_one_line(repository: Path) -> None:
    """An unknown revision, uncommitted changes, an App of one side, and a lock that can't be met."""
    unknown = compare(repository, "nonsense", "HEAD")
    assert unknown.returncode == 2
    assert unknown.stderr.startswith("bench: nonsense: ")

    app = repository / APP
    app.write_text(app.read_text() + "\n# changed\n")
    dirty = compare(repository, "HEAD", "HEAD", "--app", "raw_hello")
    assert dirty.returncode == 3
    assert re.match(rf"bench: {APP}: .*\b1\b", dirty.stderr)

    shutil.copytree(repository / "apps" / "raw_hello", repository / "apps" / "new_hello")
    one_sided = compare(repository, "HEAD", "WORKTREE", "--app", "new_hello")
    assert one_sided.returncode == 2
    assert re.match(r"bench: new_hello: .*\bWORKTREE\b", one_sided.stderr)

    (repository / "apps" / "raw_hello" / "requirements.txt").write_text("no-such-package-at-all==1\n")
    unmet = compare(repository, "HEAD", "WORKTREE", "--app", "raw_hello")
    assert unmet.returncode == 3
    assert re.match(r"bench: WORKTREE: raw_hello .*\bno-such-package-at-all\b", unmet.stderr)
    for done in (unknown, dirty, one_sided, unmet):
        assert len(done.stderr.splitlines()) == 1
        assert done.stdout == ""


def test_without_a_difference_there_is_nothing_to_compare(repository: Path) -> None:
    """Nor where bench can't know whether there is: that passes too, in a line that says so."""
    done = compare(repository, "HEAD", "WORKTREE")
    assert done.returncode == 0
    assert re.search(r"\bHEAD and WORKTREE\b", done.stderr)
    assert "README.md" not in done.stderr
    (repository / "README.md").write_text("new")
    done = compare(repository, "HEAD", "WORKTREE")
    assert done.returncode == 0
    assert re.search(r"\bHEAD and WORKTREE\b.* README\.md\b", done.stderr)
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("ends_with", "code", "level"),
    [
        (NothingToMeasure(reason(Code.SAID, text="shop@gthread#head: 100%")), 3, "error"),
        (RevisionFailed("main: shop"), 3, "error"),
        (ConfigError("shop: main only"), 2, "error"),
        (NothingDiffers("main and HEAD"), 0, "notice"),
        (NothingDiffers("README.md differs", ["README.md"]), 0, "warning"),
    ],
)
def test_github_is_told_why_there_is_no_comparison(
    ends_with: Exception, code: int, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one annotation and one line of the summary; standard output has nothing, though JSON was asked for."""

    def refuse(*_: object) -> None:
        raise ends_with

    monkeypatch.setattr("bench.regression.ab_testbed.open_ab_testbed", refuse)
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    options = ["--config", str(PROJECT / "bench.toml"), "--out", str(tmp_path), "--github", "--json"]
    done = CliRunner().invoke(main, ["compare", "main", "HEAD", *options])
    assert done.exit_code == code
    assert done.stdout == ""
    said = words(ends_with)
    (annotation,) = [line for line in done.stderr.splitlines() if line.startswith("::")]
    assert annotation.startswith(f"::{level} title=bench::{said.replace('%', '%25')}")
    assert f"bench: {said}" in done.stderr
    (line,) = summary.read_text().splitlines()
    assert line.startswith("### bench: ")
    assert said in line.replace("\\", "")
