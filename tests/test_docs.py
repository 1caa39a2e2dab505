"""The documentation tells the truth: its commands, options, links and keys exist."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from runpy import run_path

import pytest
from jsonschema import Draft202012Validator

from bench.cli import COMMANDS as NAMES
from bench.cli import Later
from bench.model.config_schema import NAMED_TABLES, TABLES
from bench.model.experiment import App
from tests.builders.repositories import git

COMMANDS = {name: Later(name).load() for name in NAMES}
PROJECT = Path(__file__).parent.parent
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md")])
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (PROJECT / "Makefile").read_text(), re.MULTILINE))
CALL = re.compile(r"(?:- |run: )?(?:\.venv/bin/)?bench ([a-z].*)")
"""A call of bench, in a step of a CI job too."""
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def code(page: Path) -> list[str]:
    """Returns the lines of a page's fenced blocks, and its code spans."""
    text = page.read_text()
    fenced = re.findall(r"^ *```[a-z]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [line.strip() for block in fenced for line in block.splitlines()] + spans


def test_the_pages_name_what_is_looked_for() -> None:
    """Commands, options, targets, files and links: the tests below are not about nothing."""
    named = "\n".join(line for page in PAGES for line in code(page))
    for kind in (r"^bench \w+ .*--\w", r"^make \w", r"(?<![\w./-])bench/\w+/"):
        assert len(re.findall(kind, named, re.MULTILINE)) > 3, kind
    assert len([found for page in PAGES for found in LINK.findall(page.read_text()) if "://" not in found]) > 10


@pages
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    """`make X` in code is a target of the Makefile."""
    named = {found[1] for line in code(page) if (found := re.match(r"make ([a-z-]+)", line))}
    assert named <= TARGETS, f"{page.name} names {named - TARGETS}"


@pages
def test_every_command_and_option_that_is_named_exists(page: Path) -> None:
    """`bench X --option` in code is a command with that option."""
    for line in code(page):
        called = CALL.match(line)
        name, *words = called[1].split() if called else ("run",)
        command = COMMANDS.get(name)
        assert command, f"{page.name}: bench {name}"
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert options <= known | {"--help"}, f"{page.name}: bench {line}"


@pages
def test_every_file_that_is_named_exists(page: Path) -> None:
    """A path in code that begins in a folder of the repository is there; the log of changes may name what was."""
    if page.name == "CHANGELOG.md":
        return
    folders = r"(?:bench|tests|docs|apps|benchmarks|requirements)/[\w./*-]*"
    for line in code(page):
        for named in re.findall(rf"(?<![\w./-]){folders}", line):
            assert "NAME" in named or any(PROJECT.glob(named.rstrip("./"))), f"{page.name}: {named}"


@pages
def test_every_link_leads_somewhere(page: Path) -> None:
    """Relative links, pictures too, name files of the repository."""
    for target in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def blocks(page: str, language: str) -> list[str]:
    """Returns the fenced blocks of a page that are in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (PROJECT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)


def test_the_workflow_of_ones_own_project_is_right(tmp_path: Path) -> None:
    """The steps that docs/ci.md gives, in place of those that need this repository: actionlint finds nothing."""
    ours = (PROJECT / ".github" / "workflows" / "bench.yml").read_text()
    (steps,) = (block for block in blocks("ci.md", "yaml") if "github.sha" in block)
    theirs = re.sub(r"^      - name: Set up\n.*?(?=^      - uses: )", lambda _: steps, ours, flags=re.M | re.S)
    assert "make setup" not in theirs
    assert ".venv" not in theirs
    workflow = tmp_path / "bench.yml"
    workflow.write_text(theirs)
    done = run([str(Path(sys.executable).parent / "actionlint"), str(workflow)], tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_shell_script_for_ci_finds_the_base(tmp_path: Path) -> None:
    """In a clone of one commit, of a branch that its target has left behind; the exit code is that of bench."""
    (script,) = blocks("ci.md", "sh")
    (tmp_path / "compare.sh").write_text(script)
    origin, clone, programs = (tmp_path / name for name in ("origin", "clone", "programs"))
    programs.mkdir()
    (programs / "bench").write_text('#!/bin/sh\necho "$@"\nexit 3\n')
    (programs / "bench").chmod(0o755)
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", str(origin))
    base = commit(origin, "base")
    git(origin, "checkout", "--quiet", "-b", "change")
    commit(origin, "one")
    commit(origin, "two")
    git(origin, "checkout", "--quiet", "main")
    commit(origin, "later")
    git(tmp_path, "clone", "--quiet", "--depth", "1", "--branch", "change", origin.as_uri(), str(clone))
    done = run(["sh", "../compare.sh", "main", "../kept"], clone, PATH=f"{programs}:{os.environ['PATH']}")
    assert (done.returncode, done.stdout) == (3, f"compare {base} HEAD --out ../kept\n"), done.stderr


def run(command: list[str], folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **environment}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def commit(folder: Path, message: str) -> str:
    """Makes a commit without a file, and returns which."""
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def test_every_key_of_the_configuration_is_described() -> None:
    """docs/configuration.md has a row for each key of bench.toml and app.toml under its table, and for no other key."""
    sections = re.split(r"^##+ ", (PROJECT / "docs" / "configuration.md").read_text(), flags=re.MULTILINE)
    rows = {section.splitlines()[0]: re.findall(r"^\| `\[?(\w+)\]?` \|", section, re.M) for section in sections}
    tables = {f"`[{name}]`": kind for name, kind in TABLES.items()}
    named = {f"`[{name}.NAME]`": kind for name, kind in NAMED_TABLES.items() if kind is not App}
    for title, kind in {**tables, **named, "app.toml": App}.items():
        described = rows[title]
        assert len(described) == len(set(described)), title
        assert set(described) == set(kind.__struct_fields__) - {"name"}, title  # type: ignore[attr-defined]


def test_nothing_names_a_registry_or_a_place_on_somebodys_machine() -> None:
    """Locks have no host in them, and stored runs no absolute path."""
    locks = [*PROJECT.glob("requirements/*.txt"), *PROJECT.glob("apps/*/requirements.txt")]
    assert len(locks) >= 7
    for lock in locks:
        assert "://" not in lock.read_text(), lock
    runs = [*(PROJECT / "results" / "example").rglob("*.json*"), *(PROJECT / "tests" / "data").rglob("*.json*")]
    assert {"summary.json", "slices.jsonl", "history-v1.jsonl"} <= {stored.name for stored in runs}
    for stored in runs:
        assert not re.search(r'"/(home|root|work|Users|tmp)/', stored.read_text()), stored


def test_server_packages_have_one_version_in_all_locks() -> None:
    """Every App's lock pins what the servers' lock pins."""
    pin = re.compile(r"^([a-z0-9_-]+==[^ \\]+)(.*?) ?\\?$", re.MULTILINE)
    servers = {found[0] for found in pin.findall((PROJECT / "requirements" / "servers.txt").read_text())}
    locks = list(PROJECT.glob("apps/*/requirements.txt"))
    assert servers
    assert len(locks) >= 4
    for lock in locks:
        assert servers <= {found[0] for found in pin.findall(lock.read_text())}, lock


def test_every_reason_is_in_the_table() -> None:
    """docs/reasons.md is what the docstrings of the codes say; `make fix` writes it again."""
    written = run_path(str(PROJECT / "docs" / "write_reasons.py"))["page"]()
    assert (PROJECT / "docs" / "reasons.md").read_text(encoding="utf-8") == written


def test_every_export_is_in_the_table() -> None:
    """docs/exports.md has the rows of the code; `make fix` writes them again."""
    written = run_path(str(PROJECT / "docs" / "write_exports.py"))["page"]()
    assert (PROJECT / "docs" / "exports.md").read_text(encoding="utf-8") == written


def test_the_published_schemas_are_those_of_the_types() -> None:
    """docs/schemas is what bench writes; `make fix` writes it again."""
    schemas = PROJECT / "docs" / "schemas"
    written = run_path(str(schemas / "write.py"))["documents"]()
    assert {path.name: path.read_bytes() for path in schemas.glob("*.json")} == written
    for content in written.values():
        Draft202012Validator.check_schema(json.loads(content))
