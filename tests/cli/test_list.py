"""`bench list`: what it lists, as text and as JSON."""

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from bench.cli.list import KINDS
from bench.model.experiment import TWIN_SUFFIX
from bench.model.inventory import Inventory, Kind
from tests.builders.commands import CONFIG, PROJECT, assert_refused, call, copied_project

SCHEMA = json.loads((PROJECT / "docs" / "schemas" / "list.json.schema.json").read_text())
SOME = {
    "apps": "flask_hello",
    "servers": "gunicorn-uvicorn",
    "groups": "native",
    "lanes": "flask_hello@gunicorn-uvicorn+a2asgi",
    "presets": "standard",
    "workloads": "hello",
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def listed(*arguments: str | Path) -> str:
    result = call("list", "--config", CONFIG, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_all_kinds_are_listed() -> None:
    """Each under its head, with its names, at 80 columns."""
    said = listed()
    heads = [block.splitlines()[0] for block in said.split("\n\n")]
    assert heads == [kind.capitalize() for kind in KINDS]
    assert max(map(len, said.splitlines())) <= 80
    for name in SOME.values():
        assert f"\n  {name} " in said


@every_kind
def test_one_kind_is_a_name_a_line(kind: str) -> None:
    """Nothing else: the first word of each line is a name, in the order of the document."""
    names = [line.split()[0] for line in listed(kind).splitlines()]
    assert SOME[kind] in names
    assert names == [one["name"] for one in json.loads(listed(kind, "--json"))[kind]]


def test_the_document_is_as_its_schema_says() -> None:
    """All kinds; and the schema refuses what is none."""
    document = json.loads(listed("--json"))
    jsonschema.validate(document, SCHEMA)
    assert tuple(document) == KINDS == tuple(Kind)
    found = msgspec.convert(document, Inventory)
    assert {lane.app for lane in found.lanes} == {app.name for app in found.apps}
    assert {group for lane in found.lanes for group in lane.groups} == {group.name for group in found.groups}
    with pytest.raises(jsonschema.ValidationError) as refusal:
        jsonschema.validate({"lanes": [{"name": "alone"}]}, SCHEMA)
    assert (refusal.value.validator, list(refusal.value.path)) == ("required", ["lanes", 0])


@every_kind
def test_a_document_of_one_kind_has_its_key_alone(kind: str) -> None:
    """And what it has is what the whole one has there."""
    document = json.loads(listed(kind, "--json"))
    jsonschema.validate(document, SCHEMA)
    assert document == {kind: json.loads(listed("--json"))[kind]}


def test_lanes_say_where_they_play() -> None:
    """With their Groups, and whether they are a twin."""
    lanes = {lane["name"]: lane for lane in json.loads(listed("lanes", "--json"))["lanes"]}
    assert lanes["django_hello@gunicorn-gthread"]["groups"] == ["wsgi", "native"]
    assert lanes["flask_hello@gunicorn-uvicorn+a2asgi"]["adapter"] == "a2asgi"
    assert {name for name, lane in lanes.items() if lane["twin"]} == {
        name for name in lanes if name.endswith(TWIN_SUFFIX)
    }


def test_a_thorough_run_takes_longer() -> None:
    """Presets say how long a run of all Lanes takes."""
    expected_s = {one["name"]: one["expected_s"] for one in json.loads(listed("presets", "--json"))["presets"]}
    assert 0 < expected_s["quick"] < expected_s["standard"] < expected_s["thorough"]


def test_long_names_are_not_cut(tmp_path: Path) -> None:
    """What is said of them goes on in the lines below."""
    project, name = copied_project(tmp_path), "a_framework_" * 5
    (project / "apps" / "flask_hello").rename(project / "apps" / name)
    config = project / "bench.toml"
    config.write_text(config.read_text().replace("flask_hello", name))
    lines = call("list", "lanes", "--config", config).stdout.splitlines()
    (first,) = (at for at, line in enumerate(lines) if line.startswith(f"{name}@gunicorn-gthread#2 "))
    of_twin = [lines[first].split(maxsplit=1)[1], *(line.strip() for line in lines[first + 1 :] if line[0] == " ")]
    assert " ".join(of_twin).startswith("wsgi, native, twin")


def test_what_is_no_kind_is_refused() -> None:
    """Those there are are shown."""
    result = call("list", "lans")
    assert result.exit_code == 2
    assert all(kind in result.stderr for kind in KINDS)


def test_a_wrong_configuration_is_one_line(tmp_path: Path) -> None:
    """As for all commands."""
    assert_refused(call("list", "--config", tmp_path / "bench.toml"), "bench.toml", "No such file")
