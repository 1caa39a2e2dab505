"""What shells are told when a line is completed: as functions, through click, and in a real bash."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.commands import copied_project
from tests.builders.repositories import git

BENCH = str(Path(sys.executable).parent / "bench")
LANE = "flask_hello@gunicorn-gthread"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Returns a project in a repository, with two runs and something in results/ that is none."""
    copied_project(tmp_path)
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "one")
    git(tmp_path, "branch", "change")
    git(tmp_path, "tag", "v1")
    for run in ("20260301T101500Z-aaaaaa", "20260302T101500Z-bbbbbb"):
        (tmp_path / "results" / run).mkdir(parents=True)
        (tmp_path / "results" / run / "manifest.json").touch()
    (tmp_path / "results" / "latest").symlink_to("20260302T101500Z-bbbbbb")
    (tmp_path / "results" / "notes").mkdir()
    return tmp_path


def asked(folder: Path, instruction: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [BENCH],
        cwd=folder,
        env={**os.environ, "_BENCH_COMPLETE": instruction, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def proposed(folder: Path, line: str) -> list[str]:
    """Returns what is proposed for the last word of a line, as zsh is told it."""
    words = line.split(" ")
    done = asked(folder, "zsh_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert done.stderr == ""
    return done.stdout.splitlines()[1::3]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("bench se", ["serve"]),
        ("bench serve flask_hello@gunicorn-g", [LANE, f"{LANE}#2"]),
        ("bench run --lane raw_hello@uv", ["raw_hello@uvicorn"]),
        ("bench run --preset ", ["quick", "standard", "thorough"]),
        ("bench plan --preset th", ["thorough"]),
        ("bench compare main HEAD --app f", ["fastapi_hello", "flask_hello"]),
        ("bench compare ", ["WORKTREE", "HEAD", "change", "main", "v1"]),
        ("bench compare main ch", ["change"]),
        ("bench report ", ["latest", "20260302T101500Z-bbbbbb", "20260301T101500Z-aaaaaa"]),
        ("bench check latest --baseline 20260301", ["20260301T101500Z-aaaaaa"]),
        ("bench history --add l", ["latest"]),
        ("bench list g", ["groups"]),
    ],
)
def test_names_are_proposed(line: str, names: list[str], project: Path) -> None:
    """Of commands, Lanes, Apps, presets, runs, revisions and kinds: those that begin so."""
    assert proposed(project, line) == names


def test_the_options_before_are_heeded(project: Path, tmp_path: Path) -> None:
    """--config names another project, --out another folder of runs."""
    other = tmp_path / "other"
    other.mkdir()
    copied_project(other)
    shutil.rmtree(other / "apps" / "django_hello")
    assert proposed(project, "bench run --config other/bench.toml --lane django") == []
    assert proposed(project, "bench run --lane django") != []
    assert proposed(project, "bench report --out other ") == []


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("bench serve ", []),
        ("bench run --preset ", []),
        ("bench compare ", ["WORKTREE", "HEAD"]),
        ("bench compare a b --app ", []),
        ("bench report ", []),
    ],
)
@pytest.mark.parametrize("content", [None, "[serving\n", "[groups]\nx = 1\n"])
def test_where_names_are_not_known_nothing_is_said(
    line: str, names: list[str], content: str | None, tmp_path: Path
) -> None:
    """No configuration, a broken or wrong one, no git, no runs: an error would stand in the midst of the line."""
    if content:
        (tmp_path / "bench.toml").write_text(content)
    assert proposed(tmp_path, line) == names


def in_bash(folder: Path, line: str, replaced: str) -> list[str]:
    """Returns what bash would put in place of ``replaced``, which is what it takes for the word at the cursor."""
    bash = shutil.which("bash")
    assert bash
    source = asked(folder, "bash_source").stdout
    script = (
        f"{source}\nCOMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}\n"
        f"_bench_completion {shlex.quote(BENCH)} {shlex.quote(replaced)} ''\n"
        "printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    )
    done = subprocess.run([bash, "--norc", "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "replaced", "put"),
    [
        ("bench se", "se", ["serve"]),
        ("bench serve flask_hello@gunicorn-gth", "@gunicorn-gth", ["@gunicorn-gthread", "@gunicorn-gthread#2"]),
        ("bench run --lane=raw_hello@uv", "@uv", ["@uvicorn"]),
        ('bench run --lane "raw_hello@uv', "raw_hello@uv", ["raw_hello@uvicorn"]),
        ("bench run --preset=", "", ["quick", "standard", "thorough"]),
        ("bench run --preset=q", "q", ["quick"]),
        ("bench run --preset q", "q", ["quick"]),
        ("bench run --pre", "--pre", ["--preset"]),
        ("bench report nothing", "nothing", []),
    ],
)
def test_bash_completes_names_at_which_it_ends_words(line: str, replaced: str, put: list[str], project: Path) -> None:
    """A Lane has an @, an option a =: what bash leaves standing is not put there again."""
    assert in_bash(project, line, replaced) == put


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_script(shell: str, tmp_path: Path) -> None:
    """It asks bench by the variable that the documentation names."""
    done = asked(tmp_path, f"{shell}_source")
    assert done.returncode == 0
    assert f"_BENCH_COMPLETE={shell}_complete" in done.stdout
