"""Which libraries that are slow to import a command loads: those that it uses, and help none."""

from pathlib import Path

import pytest

from bench.cli import COMMANDS
from tests.builders.commands import PROJECT, modules_loaded
from tests.builders.repositories import git
from tests.builders.runs import experiment, manifest, run_records
from tests.builders.stored import stored

SLOW = {"matplotlib", "pandas", "scipy", "numpy", "locust", "gevent", "rich", "jinja2", "jsonschema", "psutil"}
GATE = {"numpy", "rich"}
"""What the gates load: statistics, and a table on the terminal."""
CONFIGURATION = {"jsonschema"}
"""What reads a bench.toml loads."""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Returns a folder with two runs of made-up figures."""
    for name in ("base", "head"):
        stored(tmp_path / "results", manifest(experiment(), run_id=name), run_records(experiment()))
    return tmp_path / "results"


def slow_ones(tmp_path: Path, *arguments: str | Path, code: int = 0, folder: Path = PROJECT) -> set[str]:
    """Returns the slow libraries that a command loads."""
    ended, loaded = modules_loaded(*arguments, folder=folder, scratch=tmp_path)
    assert ended == code
    assert "bench" in loaded
    return loaded & SLOW


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), *((name, "--help") for name in COMMANDS)], ids=" ".join
)
def test_help_loads_no_slow_library(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Nor does it load those that are for configuration and records."""
    _, loaded = modules_loaded(*arguments, folder=PROJECT, scratch=tmp_path)
    assert "click" in loaded
    assert not loaded & (SLOW | {"msgspec", "hdrh"})


@pytest.mark.parametrize("arguments", [("list",), ("list", "lanes", "--json"), ("plan",), ("plan", "--json")], ids=str)
def test_what_only_reads_the_configuration_loads_what_checks_it(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """A plan and a list are there at once."""
    assert slow_ones(tmp_path, *arguments) == CONFIGURATION


def test_a_check_loads_what_it_computes_with(results: Path, tmp_path: Path) -> None:
    """Of two stored runs: no chart is drawn, no page made and no load offered."""
    assert slow_ones(tmp_path, "check", "head", "--baseline", "base", "--out", results) == GATE


def test_a_comparison_loads_what_it_measures_with(tmp_path: Path) -> None:
    """As far as the two sides, which do not differ here; the driver is a process of its own."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "bench.toml").write_text((PROJECT / "bench.toml").read_text())
    for app in (PROJECT / "apps").glob("*/app.toml"):
        (project / "apps" / app.parent.name).mkdir(parents=True)
        (project / "apps" / app.parent.name / app.name).write_text(app.read_text())
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "one")
    assert slow_ones(tmp_path, "compare", "HEAD", "WORKTREE", folder=project) == GATE | CONFIGURATION | {"psutil"}
