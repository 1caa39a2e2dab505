"""`bench plan`: what a run would do, as text and as JSON."""

import json
import re

import pytest

from tests.builders.commands import CONFIG, assert_refused, call


def test_the_plan_names_every_lane_and_its_time() -> None:
    """`bench plan` runs nothing, and says what a run would do."""
    result = call("plan", "--config", CONFIG, "--preset", "quick")
    assert result.exit_code == 0
    assert "django_hello@gunicorn-gthread" in result.stdout
    assert "about" in result.stdout


def test_the_plan_as_json_is_one_document() -> None:
    """--json gives the same facts to a program."""
    result = call("plan", "--config", CONFIG, "--json", "--lane", "flask*", "--lane", "raw_hello@uvicorn")
    document = json.loads(result.stdout)
    assert document["lanes"] == [
        "flask_hello@gunicorn-gthread",
        "flask_hello@gunicorn-uvicorn+a2asgi",
        "raw_hello@uvicorn",
        "flask_hello@gunicorn-gthread#2",
    ]
    assert document["expected_s"] > document["measured_s"] > 0


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--sweep", "users=4..1"), "a range"),
        (("--sweep", "rate=fast"), "'fast'"),
        (("--sweep", "users=1..4", "--slo", "10"), "with its unit"),
        (("--sweep", "users=1..5000"), "serving.worker_connections"),
    ],
)
def test_a_wrong_sweep_is_refused_in_one_line(command: str, options: tuple[str, ...], said: str) -> None:
    """Before anything is started."""
    assert_refused(call(command, "--config", CONFIG, *options), said)


@pytest.mark.parametrize("command", ["run", "plan"])
def test_an_objective_needs_a_sweep(command: str) -> None:
    """--slo alone would do nothing."""
    result = call(command, "--config", CONFIG, "--slo", "10ms")
    assert result.exit_code == 2
    assert "--sweep" in result.stderr


def test_the_plan_of_a_sweep_says_its_loads_and_its_time() -> None:
    """As text and as JSON; twins are left out."""
    options = ("plan", "--config", CONFIG, "--sweep", "rate=500,2000", "--slo", "5ms")
    assert re.search(r"open\(500, 2,000/s\); p99 [^;]*\b5 ms", call(*options).stdout)
    document = json.loads(call(*options, "--json").stdout)
    assert [load["rate_rps"] for load in document["sweep"]["loads"]] == [500, 2000]
    assert not [lane for lane in document["lanes"] if lane.endswith("#2")]
    assert document["slices_per_round"] == 3 * len(document["lanes"])
