"""The command line: what a wrong call or a wrong configuration says, and with which exit code."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from bench.cli import main

PROJECT = Path(__file__).parent.parent.parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Returns a copy of this project's configuration and Apps, to be broken."""
    shutil.copy(PROJECT / "bench.toml", tmp_path)
    shutil.copytree(PROJECT / "apps", tmp_path / "apps")
    return tmp_path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(result: Result, *said: str, exit_code: int = 2) -> None:
    """Expects one line on standard error with these words in it, and nothing else."""
    assert result.exit_code == exit_code, result.output
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    for words in said:
        assert words in result.stderr


def test_the_plan_names_every_lane_and_its_time() -> None:
    """`bench plan` runs nothing, and says what a run would do."""
    result = call("plan", "--config", PROJECT / "bench.toml", "--preset", "quick")
    assert result.exit_code == 0
    assert "django_hello@gunicorn-gthread" in result.stdout
    assert "about" in result.stdout


def test_an_error_of_bench_itself_is_not_a_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would end with 1; a CI job would read that something became slower."""

    def broken(path: Path) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr("bench.cli.open_project", broken)
    result = call("plan")
    assert result.exit_code == 3
    assert "RuntimeError: a mistake" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("bench: an error of bench itself")


def test_the_plan_as_json_is_one_document() -> None:
    """--json gives the same facts to a program."""
    result = call(
        "plan", "--config", PROJECT / "bench.toml", "--json", "--lane", "flask*", "--lane", "raw_hello@uvicorn"
    )
    document = json.loads(result.stdout)
    assert document["lanes"] == [
        "flask_hello@gunicorn-gthread",
        "flask_hello@gunicorn-uvicorn+a2asgi",
        "raw_hello@uvicorn",
        "flask_hello@gunicorn-gthread#2",
    ]
    assert document["expected_s"] > document["measured_s"] > 0


def test_a_missing_configuration_names_the_file(tmp_path: Path) -> None:
    """No traceback where bench is started in the wrong folder, and nothing about the Apps that it lacks too."""
    refused(call("plan", "--config", tmp_path / "bench.toml"), "bench.toml", "No such file", "--config")


def test_broken_toml_names_the_line(project: Path) -> None:
    """A syntax error is the reader's own words, with the file before them."""
    (project / "bench.toml").write_text("[serving\n")
    refused(call("plan", "--config", project / "bench.toml"), "bench.toml", "line 1")


def test_a_wrong_value_names_the_key(project: Path) -> None:
    """File, key, what was found and what was expected."""
    with (project / "bench.toml").open("a") as file:
        file.write('[serving]\nworkers = "one"\n')
    refused(
        call("run", "--config", project / "bench.toml"), "bench.toml: serving.workers: found 'one'", "expected `int`"
    )


def test_a_wrong_app_names_its_file(project: Path) -> None:
    """An app.toml is held to the same."""
    (project / "apps" / "flask_hello" / "app.toml").write_text('title = "Flask"\n[interfaces]\nwsgi = "no colon"\n')
    refused(call("verify", "--config", project / "bench.toml"), "app.toml: interfaces", "'no colon'")


def test_a_project_without_apps_says_where_it_looked(project: Path) -> None:
    """The folder is named."""
    shutil.rmtree(project / "apps")
    refused(call("plan", "--config", project / "bench.toml"), "apps", "app.toml")


@pytest.mark.parametrize("command", ["run", "plan", "verify"])
def test_an_unknown_preset_names_those_there_are(command: str) -> None:
    """Every command that takes a preset refuses it the same way."""
    refused(
        call(command, "--config", PROJECT / "bench.toml", "--preset", "slow"), "'slow'", "quick, standard, thorough"
    )


@pytest.mark.parametrize("command", ["run", "plan", "verify"])
def test_an_unknown_lane_names_those_there_are(command: str) -> None:
    """A misspelt Lane measures nothing, rather than everything."""
    refused(call(command, "--config", PROJECT / "bench.toml", "--lane", "bottle*"), "'bottle*'", "flask_hello@")


def test_serving_an_unknown_lane_names_those_there_are() -> None:
    """`bench serve` takes exactly one Lane."""
    refused(call("serve", "--config", PROJECT / "bench.toml", "nothing@nowhere"), "'nothing@nowhere'", "flask_hello@")
    refused(call("serve", "--config", PROJECT / "bench.toml", "flask_hello@*"), "3 lanes", "one")


def test_a_run_that_is_not_there_says_where_it_looked(tmp_path: Path) -> None:
    """`bench report` of nothing is wrong usage."""
    refused(call("report", "--out", tmp_path, "yesterday"), "yesterday", "manifest.json", str(tmp_path))


@pytest.mark.parametrize(
    "url",
    [
        *(
            "localhost:80",
            "https://127.0.0.1/",
            "http://:80/",
            "http://127.0.0.1:99999/",
            "http://127.0.0.1:0/",
            "http://[::1/",
        ),
        *("http://127.0.0.1/a b", "http://127.0.0.1/é", "http://127.0.0.1/a\nb"),
    ],
)
def test_a_load_needs_a_plain_http_url(url: str) -> None:
    """What is no http URL is refused before a driver is started."""
    result = call("load", url)
    assert result.exit_code == 2
    assert "found " in result.stderr
    assert "expected " in result.stderr


@pytest.mark.parametrize("option", ["--seconds", "--rate"])
@pytest.mark.parametrize("value", ["nan", "inf", "0", "-1"])
def test_a_load_needs_numbers_that_can_be_counted(option: str, value: str) -> None:
    """What float() reads but no clock counts is wrong usage, and starts no driver."""
    result = call("load", "http://127.0.0.1:1/", option, value)
    assert result.exit_code == 2
    assert option in result.stderr


def test_a_load_on_an_unknown_host_names_it() -> None:
    """The reserved name that never exists (RFC 2606): one line, exit code 3."""
    refused(call("load", "http://nowhere.invalid/"), "nowhere.invalid", "expected the name", exit_code=3)


def test_a_load_is_closed_or_open() -> None:
    """--users and --rate exclude each other."""
    result = call("load", "http://127.0.0.1:1/", "--users", "1", "--rate", "1")
    assert result.exit_code == 2
    assert "closed or open" in result.stderr


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--sweep", "users=4..1"), "from a lower to a higher"),
        (("--sweep", "rate=fast"), "'fast'"),
        (("--sweep", "users=1..4", "--slo", "10"), "with its unit"),
        (("--sweep", "users=1..5000"), "serving.worker_connections"),
    ],
)
def test_a_wrong_sweep_is_refused_in_one_line(command: str, options: tuple[str, ...], said: str) -> None:
    """Before anything is started."""
    refused(call(command, "--config", PROJECT / "bench.toml", *options), said)


def test_an_objective_needs_a_sweep() -> None:
    """--slo alone would do nothing."""
    result = call("run", "--config", PROJECT / "bench.toml", "--slo", "10ms")
    assert result.exit_code == 2
    assert "--sweep" in result.stderr


def test_the_plan_of_a_sweep_says_its_loads_and_its_time() -> None:
    """As text and as JSON; twins are left out."""
    options = ("plan", "--config", PROJECT / "bench.toml", "--sweep", "rate=500,2000", "--slo", "5ms")
    assert "open(500, 2,000/s); p99 is to be within 5 ms" in call(*options).stdout
    document = json.loads(call(*options, "--json").stdout)
    assert [load["rate_rps"] for load in document["sweep"]["loads"]] == [500, 2000]
    assert not [lane for lane in document["lanes"] if lane.endswith("#2")]
    assert document["slices_per_round"] == 3 * len(document["lanes"])


def test_every_command_has_help() -> None:
    """A newcomer finds every option described."""
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command
        result = call(name, "--help")
        assert result.exit_code == 0
        assert all(
            getattr(option, "help", "") is not None for option in command.params if option.param_type_name == "option"
        )


def test_the_command_line_is_there_at_once() -> None:
    """Whoever asks for help does not wait for libraries that take seconds to import."""
    heavy = ("pandas", "scipy", "matplotlib", "locust")
    code = f"import sys, bench.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
