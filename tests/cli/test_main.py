"""The command line as a whole: its commands, their help, and how they end."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from bench import __version__
from bench.cli import COMMANDS, Later, main
from bench.model.config_errors import ConfigError
from bench.model.errors import BenchError, ExitCode
from bench.model.reason import Code, ReasonedError, reason
from bench.regression.selection import NothingDiffers
from bench.report.wording import all_said
from bench.run.store import OtherFormat
from tests.builders.commands import CONFIG, PROJECT, assert_refused, call, copied_project

BENCH = str(Path(sys.executable).parent / "bench")
LOST, OTHER = reason(Code.SERVER_ENDED, exit_code=3).found_of("alpha@gthread"), reason(Code.NOTHING_LEFT)
every_command = pytest.mark.parametrize("name", COMMANDS)


def loaded(name: str) -> click.Command:
    return Later(name).load()


def test_there_is_a_command_for_each_module_that_defines_one() -> None:
    """And none besides: what is in the table can be called, and what can be called is in the table."""
    folder = PROJECT / "bench" / "cli"
    defined = {file.stem for file in folder.glob("*.py") if "@click.command(" in file.read_text(encoding="utf-8")}
    assert defined == COMMANDS.keys()
    assert main.commands.keys() == COMMANDS.keys()


@every_command
def test_the_table_says_what_the_command_says(name: str) -> None:
    """Its short help is the first line of its own, and its name is the command's."""
    command = loaded(name)
    assert command.name == name
    assert command.help is not None
    assert command.help.splitlines()[0] == COMMANDS[name]


def test_help_fits_the_terminal() -> None:
    """Each command has one line of at most 80 columns."""
    said = call("--help").stdout.splitlines()
    assert max(map(len, said)) <= 80
    for name, what in COMMANDS.items():
        assert any(line.split() == [name, *what.split()] for line in said)


@every_command
def test_every_command_has_help(name: str) -> None:
    """A newcomer finds every option described."""
    result = call(name, "--help")
    assert result.exit_code == 0
    options = [each for each in loaded(name).params if isinstance(each, click.Option)]
    assert options
    assert all(option.help for option in options)


def test_the_version_is_told() -> None:
    """On standard output."""
    assert __version__ in call("--version").stdout


@pytest.mark.parametrize(("word", "meant"), [("rum", "'run'"), ("lists", "'list'"), ("doctr", "'doctor'")])
def test_an_unknown_command_names_the_one_that_was_meant(word: str, meant: str) -> None:
    """Exit code 2, and nothing on standard output."""
    result = call(word)
    assert (result.exit_code, result.stdout) == (2, "")
    assert meant in result.stderr


def test_an_unknown_option_names_the_one_that_was_meant() -> None:
    """Of the command that was called."""
    result = call("plan", "--prest", "quick")
    assert result.exit_code == 2
    assert "'--preset'" in result.stderr


def ended(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> tuple[int, str]:
    """Returns how a command ends that raises, and what it says."""

    def broken(_path: Path) -> None:
        raise error

    monkeypatch.setattr("bench.servers.project.open_project", broken)
    result = call("plan")
    assert result.stdout == ""
    return result.exit_code, result.stderr


def test_an_error_of_bench_itself_is_not_a_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would end with 1; a CI job would read that something became slower."""
    code, said = ended(monkeypatch, RuntimeError("a mistake"))
    assert code == 3
    assert "RuntimeError: a mistake" in said
    assert said.splitlines()[-1].startswith("bench: ")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("bench.toml: wrong"), 2, "bench: bench.toml: wrong\n"),
        (BenchError("two\nlines"), 3, "bench: two lines\n"),
        (ReasonedError(LOST, OTHER), 3, f"bench: {all_said((LOST, OTHER))}\n"),
        (KeyboardInterrupt(), 3, "bench: interrupted\n"),
        (FileNotFoundError(2, "No such file", "here"), 3, "bench: here: No such file\n"),
        (OSError("out of order"), 3, "bench: out of order\n"),
    ],
)
def test_what_is_raised_ends_in_one_line(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the exit code that its class has; what the system refuses could not be measured."""
    assert ended(monkeypatch, error) == (code, said)


def test_an_exit_code_is_said_once() -> None:
    """An exception that ends a command is wrong usage, nothing measured or nothing to do; a regression is none."""
    waiting: list[type[BenchError]] = [BenchError, NothingDiffers, OtherFormat]  # the latter, so that they are loaded
    found = set[ExitCode]()
    while waiting:
        kind = waiting.pop()
        found.add(kind.exit_code)
        waiting += kind.__subclasses__()
    assert found == set(ExitCode) - {ExitCode.REGRESSION}


def test_nobody_reads_what_is_printed() -> None:
    """A closed pipe is no regression, and nothing is said of it: not by Python either, as it ends."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as output:
        command = [BENCH, "plan", "--config", str(CONFIG)]
        done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (3, b"")


def test_a_missing_configuration_names_the_file(tmp_path: Path) -> None:
    """No traceback where bench is started in the wrong folder, and nothing about the Apps that it lacks too."""
    assert_refused(call("plan", "--config", tmp_path / "bench.toml"), "bench.toml", "No such file", "--config")


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    """A syntax error is the reader's own words, with the file before them."""
    project = copied_project(tmp_path)
    (project / "bench.toml").write_text("[serving\n")
    assert_refused(call("plan", "--config", project / "bench.toml"), "bench.toml", "line 1")


def test_a_wrong_value_names_the_key(tmp_path: Path) -> None:
    """File, key, what was found and what was expected."""
    project = copied_project(tmp_path)
    with (project / "bench.toml").open("a") as file:
        file.write('[serving]\nworkers = "one"\n')
    refused = call("run", "--config", project / "bench.toml")
    assert_refused(refused, "bench.toml: serving.workers: found 'one'", "expected ")


def test_a_wrong_app_names_its_file(tmp_path: Path) -> None:
    """An app.toml is held to the same."""
    project = copied_project(tmp_path)
    (project / "apps" / "flask_hello" / "app.toml").write_text('title = "Flask"\n[interfaces]\nwsgi = "no colon"\n')
    assert_refused(call("verify", "--config", project / "bench.toml"), "app.toml: interfaces", "'no colon'")


def test_a_project_without_apps_says_where_it_looked(tmp_path: Path) -> None:
    """The folder is named."""
    project = copied_project(tmp_path)
    for app in (project / "apps").iterdir():
        (app / "app.toml").unlink()
    assert_refused(call("plan", "--config", project / "bench.toml"), "apps", "app.toml")


@pytest.mark.parametrize("command", ["run", "plan", "verify", "doctor"])
def test_an_unknown_preset_names_those_there_are(command: str) -> None:
    """Every command that takes a preset refuses it the same way, and names the one that was meant."""
    refused = call(command, "--config", CONFIG, "--preset", "standrad")
    assert_refused(refused, "'standrad'", "quick, standard, thorough", "did you mean 'standard'?")


@pytest.mark.parametrize("command", ["run", "plan", "verify", "doctor"])
def test_an_unknown_lane_names_those_there_are(command: str) -> None:
    """A misspelt Lane measures nothing, rather than everything; a pattern may be meant."""
    assert_refused(call(command, "--config", CONFIG, "--lane", "bottle*"), "'bottle*'", "django_hello@", "`bench list`")
    refused = call(command, "--config", CONFIG, "--lane", "flsk_hello@*")
    assert_refused(refused, "did you mean 'flask_hello@*'?")
