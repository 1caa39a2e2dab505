"""Configuration: what is right becomes an Experiment, what is wrong is refused in one line that says what to mend."""

import re
import tomllib
from collections.abc import Callable
from copy import deepcopy
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from bench.model.config import Config, build_experiment, parse_app, parse_config, select_lanes, with_defaults
from bench.model.config_errors import RENAMED, ConfigError
from bench.model.config_schema import app_schema, published_schema, strict_schema
from bench.model.experiment import Interface
from bench.servers.project import open_project
from tests.builders.runs import ALPHA, BETA, GAMMA, RAW, RG, A, B, G, R, experiment

Document = dict[str, Any]
Change = Callable[[Document], object]
"""Spoils a document in place."""

ROOT = Path(__file__).parent.parent.parent

BENCH_TOML = """
[serving]
workers = 1
threads = 1
keep_alive_s = 75
backlog = 2048
worker_connections = 1000
ready_timeout_s = 30

[servers.gthread]
interface = "wsgi"
packages = ["gunicorn"]
command = ["gunicorn", "--bind", "{host}:{port}", "{application}"]

[servers.uvicorn]
interface = "asgi"
command = ["uvicorn", "--host", "{host}", "--port", "{port}", "{application}"]

[adapters.a2wsgi]
accepts = "asgi"
gives = "wsgi"
callable = "a2wsgi:ASGIMiddleware"

[groups.wsgi]
title = "on one server"
server = "gthread"

[groups.native]
title = "on the server of its own documentation"
server = "native"

[load]
users = 16
rate_share = 0.5
connections = 64

[presets.quick]
rounds = 3
saturated_slices = 1
fixed_slices = 1
settle_s = 0.03
window_s = 0.3
warm_up_s = 0.15

[workloads.hello]
path = "/hello/{name}"
body = "Hello, {name}!"
content_type = "text/plain"
names = ["world", "Zoë"]
longest_name = 1000
not_found = ["/"]
not_allowed = ["POST"]
load_names = 100
"""

APP_TOML = """
title = "Alpha"
package = "alpha"
native = "gthread"

[interfaces]
wsgi = "alpha:create_app()"

[environment]
ALPHA_MODE = "fast"
"""


def nothing(_: Document) -> None:
    """Leaves a document as it is."""


def document(change: Change = nothing) -> Document:
    table = tomllib.loads(BENCH_TOML)
    change(table)
    return table


def app_document(change: Change = nothing) -> Document:
    table = tomllib.loads(APP_TOML)
    change(table)
    return table


def config(change: Change = nothing) -> Config:
    return parse_config("bench.toml", document(change))


def at(path: str, value: object) -> Change:
    """Returns a change that puts a value at a dotted path."""
    *tables, key = path.split(".")

    def change(table: Document) -> None:
        for name in tables:
            table = table[name]
        table[key] = value

    return change


def without(path: str) -> Change:
    """Returns a change that removes what stands at a dotted path."""
    *tables, key = path.split(".")

    def change(table: Document) -> None:
        for name in tables:
            table = table[name]
        del table[key]

    return change


def refused(act: Callable[[], object]) -> str:
    """Returns the one line in which something was refused."""
    with pytest.raises(ConfigError) as refusal:
        act()
    message = str(refusal.value)
    assert len(message.splitlines()) == 1, message
    return message


def said(act: Callable[[], object]) -> str | None:
    """Returns in what words something was refused; None where it was accepted."""
    try:
        act()
    except ConfigError as refusal:
        return str(refusal)
    return None


def assert_says(message: str, file: str, key: str, found: str, expected: str) -> None:
    """Asserts that a message names the file, then the key, then what was found, and in what was expected some word."""
    begin = f"{file}: {key}: found {found}, expected "
    assert message.startswith(begin), message
    assert expected in message.removeprefix(begin), message


UNKNOWN = "an unknown key"
NOTHING = "nothing"


@pytest.mark.parametrize(
    ("change", "key", "found", "expected"),
    [
        pytest.param(at("sever", {}), "sever", UNKNOWN, "serving, load, servers", id="unknown table"),
        pytest.param(at("load.user", 3), "load.user", UNKNOWN, "one of users", id="unknown key"),
        pytest.param(
            at("servers.gthread.port", 80), "servers.gthread.port", UNKNOWN, "one of interface", id="unknown server key"
        ),
        pytest.param(
            at("adapters.a2wsgi.by", ""), "adapters.a2wsgi.by", UNKNOWN, "one of accepts", id="unknown adapter key"
        ),
        pytest.param(at("groups.wsgi.lanes", []), "groups.wsgi.lanes", UNKNOWN, "one of title", id="unknown group key"),
        pytest.param(
            at("presets.quick.seed", 1), "presets.quick.seed", UNKNOWN, "one of rounds", id="unknown preset key"
        ),
        pytest.param(without("load"), "load", NOTHING, "a table [load]", id="missing table"),
        pytest.param(without("workloads"), "workloads", NOTHING, "[workloads.NAME]", id="missing workloads"),
        pytest.param(without("servers"), "servers", NOTHING, "[servers.NAME]", id="no servers"),
        pytest.param(at("groups", {}), "groups", "{}", "[groups.NAME]", id="empty groups"),
        pytest.param(at("presets", []), "presets", "[]", "[presets.NAME]", id="presets no table"),
        pytest.param(at("adapters", 3), "adapters", "3", "[adapters.NAME]", id="adapters no table"),
        pytest.param(
            at("servers.gthread", "x"), "servers.gthread", "'x'", "a table [servers.gthread]", id="server no table"
        ),
        pytest.param(at("load", 16), "load", "16", "a table [load]", id="load no table"),
        pytest.param(without("load.users"), "load.users", NOTHING, "a value", id="missing key"),
        pytest.param(
            without("servers.uvicorn.command"), "servers.uvicorn.command", NOTHING, "a value", id="no command"
        ),
        pytest.param(without("presets.quick.rounds"), "presets.quick.rounds", NOTHING, "a value", id="no rounds"),
        pytest.param(at("serving.workers", "1"), "serving.workers", "'1'", "a whole number", id="text for a number"),
        pytest.param(at("serving.workers", True), "serving.workers", "true", "a whole number", id="bool for an int"),
        pytest.param(at("serving.threads", 1.5), "serving.threads", "1.5", "a whole number", id="float for an int"),
        pytest.param(at("workloads.hello.names", "x"), "workloads.hello.names", "'x'", "a list", id="text for a list"),
        pytest.param(
            at("workloads.hello.names", ["x", 3]),
            "workloads.hello.names[1]",
            "3",
            "a string",
            id="item of a list",
        ),
        pytest.param(at("workloads.hello.names", []), "workloads.hello.names", "[]", "at least 1", id="empty list"),
        pytest.param(
            at("servers.uvicorn.command", []),
            "servers.uvicorn.command",
            "[]",
            "at least 1",
            id="empty command",
        ),
        pytest.param(
            at("workloads.hello.path", "hi"), "workloads.hello.path", "'hi'", "a path of", id="path without a slash"
        ),
        pytest.param(
            at("adapters.a2wsgi.callable", "a2wsgi"),
            "adapters.a2wsgi.callable",
            "'a2wsgi'",
            "'module:app'",
            id="import",
        ),
        pytest.param(at("serving.workers", 0), "serving.workers", "0", "at least 1", id="no worker"),
        pytest.param(at("load.users", -1), "load.users", "-1", "at least 1", id="negative users"),
        pytest.param(at("load.rate_share", 1.0), "load.rate_share", "1.0", "a number below 1", id="whole share"),
        pytest.param(at("load.rate_share", 0.0), "load.rate_share", "0.0", "a number above 0", id="no share"),
        pytest.param(at("presets.quick.rounds", 0), "presets.quick.rounds", "0", "at least 1", id="no round"),
        pytest.param(
            at("presets.quick.window_s", 0.0), "presets.quick.window_s", "0.0", "a number above 0", id="no window"
        ),
        pytest.param(at("presets.quick.window_s", float("nan")), "presets.quick.window_s", "nan", "a number", id="nan"),
    ],
)
def test_a_wrong_bench_toml_is_refused(change: Change, key: str, found: str, expected: str) -> None:
    """Whatever is wrong in bench.toml is refused in one line: file, key, found, expected."""
    assert_says(refused(lambda: config(change)), "bench.toml", key, found, expected)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        *(("path", path, "printable ASCII from /") for path in ("", "/é", "/a b", "/a\r\nX: y", "/a\n", "/#")),
        *(("path", path, "printable ASCII from /") for path in ("/{nam}", "/{}", "/{name", "/name}", "/{{name}}")),
        *(("not_found[1]", path, "printable ASCII from /") for path in ("", "no slash", "/é", "/a b", "/\x7f", "/#")),
        *(("not_allowed[1]", method, "POST") for method in ("", "GET", "BÄD", "A B", "POST\r\nX: y", "POST\n")),
        *(("content_type", value, "printable ASCII") for value in ("", " ", "a\r\nb", "text/plain\n", " a", "a ", "é")),
        ("longest_name", -1, "at least 0"),
        ("longest_name", 10_001, "at most 10000"),
        ("longest_name", 10**12, "at most 10000"),
        ("longest_name", 10**30, "at most 10000"),
    ],
)
def test_what_no_request_can_carry_is_refused(key: str, value: object, expected: str) -> None:
    """It would be a server's refusal, or a traceback, that is taken for the App's failure."""
    name, item, _ = key.partition("[")
    listed = {"not_found": ["/", value], "not_allowed": ["POST", value]}
    message = refused(lambda: config(at(f"workloads.hello.{name}", listed[name] if item else value)))
    assert_says(message, "bench.toml", f"workloads.hello.{key}", " ".join(repr(value).split()), expected)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("path", path) for path in ("/", "/{name}", "/a/{name}/b?c=%7Bd%7D", "/%C3%A9", "/~|z")),
        ("not_found", ["/", "/a?b", "/a%20b", "//", "/{name}"]),
        ("not_allowed", ["POST", "get", "GETS", "M-SEARCH", "!#$%&'*+.^_`|~"]),
        *(("content_type", value) for value in ("a", "text/plain; charset=utf-8")),
        ("longest_name", 10_000),
    ],
)
def test_what_a_request_can_carry_is_accepted(key: str, value: object) -> None:
    """A project may ask for anything that HTTP can say."""
    accepted = getattr(config(at(f"workloads.hello.{key}", value)).workloads["hello"], key)
    assert accepted == (tuple(value) if isinstance(value, list) else value)


@given(junk=st.text(max_size=6), key=st.sampled_from(["path", "not_found", "not_allowed"]))
def test_whatever_is_accepted_can_be_sent(junk: str, key: str) -> None:
    """The standard library's client, which verifies the workload, takes it."""
    value = {"path": f"/{junk}", "not_found": [f"/{junk}"], "not_allowed": [junk]}[key]
    refusal = said(lambda: config(at(f"workloads.hello.{key}", value)))
    if junk.isascii() and junk.isalpha() and junk != "GET":
        assert refusal is None
    if refusal is None:
        workload = config(at(f"workloads.hello.{key}", value)).workloads["hello"]
        client = HTTPConnection("127.0.0.1")
        for method in ("GET", *workload.not_allowed):
            for target in (workload.request("é")[0], *workload.not_found):
                client.putrequest(method, target)
                client.close()


@pytest.mark.parametrize(
    ("change", "key", "found", "expected"),
    [
        pytest.param(at("colour", "red"), "colour", UNKNOWN, "one of title", id="unknown key"),
        pytest.param(at("name", "beta"), "name", UNKNOWN, "one of title", id="name of its folder"),
        pytest.param(without("title"), "title", NOTHING, "a value", id="missing title"),
        pytest.param(without("interfaces"), "interfaces", NOTHING, "a value", id="missing interfaces"),
        pytest.param(at("interfaces", {}), "interfaces", "{}", "wsgi, asgi", id="empty interfaces"),
        pytest.param(at("interfaces", "a:b"), "interfaces", "'a:b'", "a table", id="interfaces no table"),
        pytest.param(at("title", 3), "title", "3", "a string", id="title no text"),
        pytest.param(at("raw", "yes"), "raw", "'yes'", "true or false", id="raw no bool"),
    ],
)
def test_a_wrong_app_toml_is_refused(change: Change, key: str, found: str, expected: str) -> None:
    """Whatever is wrong in an app.toml is refused in one line: file, key, found, expected."""
    message = refused(lambda: parse_app("apps/alpha/app.toml", "alpha", app_document(change)))
    assert_says(message, "apps/alpha/app.toml", key, found, expected)


@pytest.mark.parametrize(
    ("change", "key", "found", "expected"),
    [
        (at("interfaces.wsgi", "no colon"), "interfaces.wsgi", "'no colon'", "'module:app'"),
        (at("interfaces.wsgi", 3), "interfaces.wsgi", "3", "a string"),
        (at("environment.A", 3), "environment.A", "3", "a string"),
    ],
)
def test_a_wrong_value_in_a_table_is_named_by_its_key(change: Change, key: str, found: str, expected: str) -> None:
    """A message names the key down to the last table."""
    message = refused(lambda: parse_app("apps/alpha/app.toml", "alpha", app_document(change)))
    assert_says(message, "apps/alpha/app.toml", key, found, expected)


@pytest.mark.parametrize("key", ["servers.gthread.interface", "adapters.a2wsgi.accepts", "adapters.a2wsgi.gives"])
def test_an_unknown_interface_is_refused_with_those_there_are(key: str) -> None:
    """The message names the interfaces that may stand there."""
    message = refused(lambda: config(at(key, "http")))
    assert message.startswith(f"bench.toml: {key}: found 'http', expected ")
    assert all(interface in message for interface in Interface)


def test_an_unknown_interface_of_an_app_is_refused_with_those_there_are() -> None:
    """The message names the key that is wrong, and the interfaces that may stand there."""
    message = refused(lambda: parse_app("app.toml", "alpha", app_document(at("interfaces", {"http": "alpha:app"}))))
    assert message.startswith("app.toml: interfaces.http: found ")
    assert ", expected " in message
    assert all(interface in message for interface in Interface)


@pytest.mark.parametrize(
    "key", ["servers.gthread.name", "adapters.a2wsgi.name", "groups.wsgi.name", "presets.quick.name"]
)
def test_a_name_is_an_unknown_key(key: str) -> None:
    """A name comes from the table, so a key of that name is refused like any other unknown one."""
    assert_says(refused(lambda: config(at(key, "other"))), "bench.toml", key, UNKNOWN, "one of ")


@pytest.mark.parametrize("value", [0, False, "", []])
def test_adapters_are_tables(value: object) -> None:
    """A value of the wrong type is refused, also when it is a false one."""
    assert refused(lambda: config(at("adapters", value))).startswith("bench.toml: adapters: found ")


@pytest.mark.parametrize("key", ["serving.ready_timeout_s", "presets.quick.window_s", "presets.quick.settle_s"])
def test_a_time_is_finite(key: str) -> None:
    """A run with an infinite window would never end."""
    assert refused(lambda: config(at(key, float("inf")))).startswith(f"bench.toml: {key}: found inf, expected ")


@pytest.mark.parametrize(
    "change",
    [
        at("lo\nad", {}),
        at("load.us\ners", 3),
    ],
)
def test_a_key_with_a_line_break_is_refused_in_one_line(change: Change) -> None:
    """A message is one line, whatever the keys are."""
    assert "found an unknown" in refused(lambda: config(change))


@pytest.mark.parametrize(
    "argument",
    [
        "{prot}",
        "{",
        "{0}",
        "{port",
        "--port={prot}",
        "{ready_timeout_s}",
        "{port.x}",
        "{port[x]}",
        "{port.upper}",
        "{port!r}",
        "{port:>9}",
    ],
)
def test_an_unknown_placeholder_is_refused(argument: str) -> None:
    """A command's placeholders are checked with the rest of the file; the message has the place in the command."""
    message = refused(lambda: config(at("servers.gthread.command", ["gunicorn", argument])))
    assert_says(message, "bench.toml", "servers.gthread.command[1]", repr(argument), "no braces")
    assert "{host}, {port}" in message


@pytest.mark.parametrize("essential", ["{host}", "{port}", "{application}"])
def test_a_command_without_what_is_essential_is_refused(essential: str) -> None:
    """A server that is not told where to listen may listen for everybody, or where another one does."""
    told = [part for part in ("{host}", "{port}", "{application}") if part != essential]
    message = refused(lambda: config(at("servers.gthread.command", ["gunicorn", *told])))
    assert_says(message, "bench.toml", "servers.gthread.command", f"no {essential}", "it in an argument")


def test_a_nul_is_refused() -> None:
    """TOML can write one, and no process can be started with it."""
    message = refused(lambda: config(at("servers.gthread.command", ["gunicorn", "a\0b"])))
    assert_says(message, "bench.toml", "servers.gthread.command[1]", "'a\\x00b'", "text without NUL")
    message = refused(lambda: parse_app("app.toml", "alpha", app_document(at("environment", {"A": "\0"}))))
    assert_says(message, "app.toml", "environment.A", "'\\x00'", "text without NUL")


@pytest.mark.parametrize("title", ["", " ", "a\nb", "\x1b[2J", "\x0c"])
def test_a_title_is_a_line_that_can_be_shown(title: str) -> None:
    """Titles go to terminals, tables and SVG, which have no place for control characters."""
    message = refused(lambda: parse_app("app.toml", "alpha", app_document(at("title", title))))
    assert_says(message, "app.toml", "title", repr(title), "printable text")
    message = refused(lambda: config(at("groups.wsgi.title", title)))
    assert_says(message, "bench.toml", "groups.wsgi.title", repr(title), "printable text")


@pytest.mark.parametrize("name", ["", "../up", "a b", "a@b", "a+b", "a#2", "-a", ".a", "naïve", "a\n"])
@pytest.mark.parametrize("key", ["servers", "adapters"])
def test_a_name_that_no_lane_can_carry_is_refused(key: str, name: str) -> None:
    """Names make those of Lanes and of log files: a path, or a separator of Lanes, would be mistaken for another."""
    entry = document()[key]
    message = refused(lambda: config(at(key, {name: next(iter(entry.values()))})))
    assert_says(message, "bench.toml", key, repr(name), "a name of letters")
    message = refused(lambda: parse_app("app.toml", name, app_document()))
    assert_says(message, "app.toml", "its name", repr(name), "a name of letters")


@pytest.mark.parametrize(
    ("changes", "least"),
    [
        pytest.param({"serving.worker_connections": 64}, 65, id="connections"),
        pytest.param({"load.users": 1000}, 1001, id="users"),
        pytest.param({"serving.threads": 937}, 1001, id="threads"),
    ],
)
def test_too_few_worker_connections_are_refused(changes: dict[str, int], least: int) -> None:
    """A worker holds all connections that the driver opens, beside its threads; as many as that are enough."""

    def change(table: Document) -> None:
        for path, value in changes.items():
            at(path, value)(table)

    found = document(change)["serving"]["worker_connections"]
    message = refused(lambda: config(change))
    assert_says(message, "bench.toml", "serving.worker_connections", str(found), f"at least {least}")
    changes["serving.worker_connections"] = least
    assert config(change).serving.worker_connections == least


@pytest.mark.parametrize(
    "variable",
    [
        "PYTHONHASHSEED",
        "PYTHONPATH",
        "GUNICORN_CMD_ARGS",
        "UVICORN_LOOP",
        "BENCH_ADAPTER",
        "OTEL_SDK_DISABLED",
        "LD_PRELOAD",
        "MALLOC_ARENA_MAX",
        "LC_ALL",
        "WEB_CONCURRENCY",
        "PORT",
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "FORWARDED_ALLOW_IPS",
    ],
)
def test_a_reserved_variable_is_refused(variable: str) -> None:
    """An App may not set a variable that changes the server or the interpreter."""
    change = at("environment", {"ALPHA_MODE": "fast", variable: "1"})
    message = refused(lambda: parse_app("apps/alpha/app.toml", "alpha", app_document(change)))
    assert_says(message, "apps/alpha/app.toml", f"environment.{variable}", "'1'", "a variable")


@pytest.mark.parametrize("variable", ["ALPHA_MODE", "DJANGO_SETTINGS_MODULE", "MY_PORT", "PORTAL", "PATHS"])
def test_a_variable_of_its_own_is_the_apps(variable: str) -> None:
    """Only whole names are reserved, and prefixes at the beginning."""
    app = parse_app("apps/alpha/app.toml", "alpha", app_document(at("environment", {variable: "1"})))
    assert app.environment == {variable: "1"}


@pytest.mark.parametrize("variable", ["", "A=B", "1ST", "A B", "A\n", "É"])
def test_a_variable_has_a_name_that_systems_take(variable: str) -> None:
    """A name with an equals sign would set another variable; an empty one cannot be set."""
    message = refused(
        lambda: parse_app("apps/alpha/app.toml", "alpha", app_document(at("environment", {variable: "1"})))
    )
    assert_says(message, "apps/alpha/app.toml", "environment", repr(variable), "a name of letters")


def test_groups_without_a_lane_are_refused() -> None:
    """Nothing could be measured: it is said before anything is started."""
    message = refused(lambda: build_experiment(config(), [], preset="quick", seed=1))
    assert_says(message, "bench.toml", "groups", "no Lane", "one or more")


def test_an_import_string_is_one_line() -> None:
    """A line break at its end would be taken into a command line."""
    message = refused(
        lambda: parse_app("apps/alpha/app.toml", "alpha", app_document(at("interfaces.wsgi", "alpha:app\n")))
    )
    assert_says(message, "apps/alpha/app.toml", "interfaces.wsgi", "'alpha:app\\n'", "an import string")


def test_an_unknown_preset_is_refused() -> None:
    """The presets that there are, are named."""
    message = refused(lambda: build_experiment(config(), [ALPHA], preset="swift", seed=1))
    assert_says(message, "bench.toml", "presets", "no 'swift'", "one of quick")


def test_an_unknown_server_of_a_group_is_refused() -> None:
    """A Group's server has to be one that the file defines."""
    wrong = config(at("groups.wsgi.server", "gthraed"))
    message = refused(lambda: build_experiment(wrong, [ALPHA], preset="quick", seed=1))
    assert_says(message, "bench.toml", "groups.wsgi.server", "'gthraed'", "gthread, uvicorn")


@pytest.mark.parametrize("native", ["gthraed", "native"])
def test_an_unknown_native_server_is_refused(native: str) -> None:
    """The App's own file is named, because the mistake is there."""
    app = replace(ALPHA, native=native)
    message = refused(lambda: build_experiment(config(), [app], preset="quick", seed=1))
    assert_says(message, "apps/alpha/app.toml", "native", repr(native), "gthread, uvicorn")


def test_an_app_without_a_way_onto_a_server_is_refused() -> None:
    """An App that speaks another interface needs an Adapter."""
    bare = config(without("adapters"))
    message = refused(lambda: build_experiment(bare, [GAMMA], preset="quick", seed=1))
    assert_says(message, "apps/gamma/app.toml", "interfaces", "asgi", "wsgi for the server gthread")


@pytest.mark.parametrize(("accepts", "gives"), [("wsgi", "asgi"), ("asgi", "asgi"), ("wsgi", "wsgi")])
def test_an_adapter_in_the_wrong_direction_is_none(accepts: str, gives: str) -> None:
    """An Adapter is used only from what the App speaks to what the Server speaks."""
    wrong = config(lambda table: table["adapters"]["a2wsgi"].update(accepts=accepts, gives=gives))
    message = refused(lambda: build_experiment(wrong, [GAMMA], preset="quick", seed=1))
    assert_says(message, "apps/gamma/app.toml", "interfaces", "asgi", "wsgi for the server gthread")


def test_every_app_plays_on_the_server_of_a_group() -> None:
    """A Group has each App once, through an Adapter where needed, then the raw in every place that they take."""
    built = build_experiment(config(), [RAW, GAMMA, BETA, ALPHA], preset="quick", seed=1)
    assert built.groups[0].lanes == (
        "alpha@gthread",
        "beta@gthread",
        "gamma@gthread+a2wsgi",
        "raw@gthread",
        "raw@gthread+a2wsgi",
    )


def test_a_raw_plays_only_where_it_can() -> None:
    """Every Lane of an Experiment has an application, also where the raw does not speak to an Adapter."""
    one_sided = replace(RAW, interfaces={Interface.WSGI: "raw:wsgi"})
    built = build_experiment(config(), [GAMMA, one_sided], preset="quick", seed=1)
    assert [lane.name for lane in built.lanes] == ["gamma@gthread+a2wsgi", "raw@gthread"]
    assert all(lane.application for lane in built.lanes)


def test_a_native_group_has_the_apps_that_name_a_server() -> None:
    """An App that names no native Server does not play there; the raw does, on all Servers that are played on."""
    apps = [replace(ALPHA, native="gthread"), BETA, replace(GAMMA, native="uvicorn"), RAW]
    built = build_experiment(config(), apps, preset="quick", seed=1)
    native = built.groups[1]
    assert native.lanes == ("alpha@gthread", "gamma@uvicorn", "raw@gthread", "raw@uvicorn")
    assert not native.same_server
    assert built.groups[0].same_server


def test_a_lane_in_two_groups_is_measured_once() -> None:
    """Lanes are unique within an Experiment, whatever Groups they play in."""
    built = build_experiment(config(), [replace(ALPHA, native="gthread"), RAW], preset="quick", seed=1)
    assert [lane.name for lane in built.lanes] == ["alpha@gthread", "raw@gthread"]
    assert built.groups_of("alpha@gthread") == ("wsgi", "native")


@given(st.dictionaries(st.sampled_from("abc"), st.integers() | st.dictionaries(st.sampled_from("abc"), st.integers())))
def test_what_a_document_says_stands_and_the_rest_is_as_by_default(said: dict[str, Any]) -> None:
    """Tables are joined key by key; a document with nothing in it changes nothing, and defaults are never changed."""
    defaults = {"a": 1, "b": {"a": 2, "c": 3}}
    joined = with_defaults(said, defaults)
    assert defaults == {"a": 1, "b": {"a": 2, "c": 3}}
    assert with_defaults({}, defaults) == defaults
    assert joined.keys() == defaults.keys() | said.keys()
    for key, value in said.items():
        if isinstance(value, dict) and key == "b":
            assert joined[key] == {"a": 2, "c": 3, **value}
        else:
            assert joined[key] == value


def test_a_twin_comes_last_and_plays_in_every_group_of_its_lane() -> None:
    """It is the same Lane under another label, in the Group that asks for it and where else that Lane plays."""
    asking = config(at("groups.wsgi.twin", "alpha"))
    built = build_experiment(asking, [replace(ALPHA, native="gthread"), BETA, RAW], preset="quick", seed=1)
    twin = built.lanes[-1]
    assert twin.name == "alpha@gthread#2"
    assert replace(twin, twin=False) == built.lane("alpha@gthread")
    assert built.groups_of(twin.name) == ("wsgi", "native")


@pytest.mark.parametrize("app", ["gamma", "nobody"])
def test_a_twin_that_could_not_play_is_refused(app: str) -> None:
    """An App behind an Adapter, or of no such name, has no twin: the message names who could have one."""
    asking = config(at("groups.wsgi.twin", app))
    message = refused(lambda: build_experiment(asking, [ALPHA, BETA, GAMMA], preset="quick", seed=1))
    assert_says(
        message,
        "bench.toml",
        "groups.wsgi.twin",
        repr(app),
        "an App",
    )
    assert re.search(r"\balpha\b.*\bbeta$", message)


@given(order=st.permutations([ALPHA, BETA, GAMMA, RAW]))
def test_the_order_of_apps_does_not_matter(order: list[Any]) -> None:
    """However the folders are listed, the Experiment is the same."""
    expected = build_experiment(config(), [ALPHA, BETA, GAMMA, RAW], preset="quick", seed=1)
    assert build_experiment(config(), order, preset="quick", seed=1) == expected


def test_lanes_are_selected_by_shell_patterns() -> None:
    """A Lane that matches any of the patterns is kept, in the Experiment's order; Groups left empty are dropped."""
    whole = experiment()
    assert [lane.name for lane in select_lanes(whole, ["beta@*", "alpha@gthread"]).lanes] == [A, B]
    assert [lane.name for lane in select_lanes(whole, ["*+a2wsgi", "raw@*"]).lanes] == [G, R, RG]
    assert select_lanes(whole, ["*"]) == whole
    assert select_lanes(replace(whole, groups=()), [A]).groups == ()


@pytest.mark.parametrize("patterns", [["delta@*"], ["alpha@*", "delta@*"], ["ALPHA@gthread"], [""]])
def test_a_pattern_that_matches_no_lane_is_refused(patterns: list[str]) -> None:
    """Each pattern has to match; the Lanes that there are, are named."""
    message = refused(lambda: select_lanes(experiment(), patterns))
    assert message.startswith(f"lane: found {patterns[-1]!r}, expected one of {A}, {B}, ")


def test_optional_keys_may_be_left_out() -> None:
    """Adapters, packages and an App's environment need not be there."""
    assert config(without("adapters")).adapters == {}
    assert config().servers["uvicorn"].packages == ()
    assert parse_app("app.toml", "alpha", app_document(without("environment"))).environment == {}


def test_the_projects_own_configuration_is_right() -> None:
    """bench.toml and apps/*/app.toml make an Experiment under each preset, in which every Lane can be launched."""
    own = open_project(ROOT / "bench.toml").config
    files = sorted(ROOT.glob("apps/*/app.toml"))
    apps = [parse_app(str(file), file.parent.name, tomllib.loads(file.read_text(encoding="utf-8"))) for file in files]
    assert {app.name for app in apps} >= {"django_hello", "fastapi_hello", "flask_hello", "raw_hello"}
    assert {"quick", "standard", "thorough"} <= own.presets.keys()
    for preset in own.presets:
        built = build_experiment(own, apps, preset=preset, seed=1)
        assert len(built.lanes) >= len(apps)
        assert all(lane.application for lane in built.lanes)


JUNK = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True), inner, max_size=3),
    ),
    max_leaves=4,
)
"""Anything that TOML can say, under keys that need no quotes."""


@given(data=st.data(), junk=JUNK)
def test_any_value_is_parsed_or_refused(data: st.DataObject, junk: object) -> None:
    """Whatever stands anywhere in bench.toml, it is accepted or refused in one line that begins with the file."""
    table = deepcopy(document())
    path = [data.draw(st.sampled_from(sorted(table)))]
    here = table[path[0]]
    while isinstance(here, dict) and data.draw(st.booleans()):
        path.append(data.draw(st.sampled_from(sorted(here))))
        here = here[path[-1]]
    at(".".join(path), junk)(table)
    message = said(lambda: parse_config("bench.toml", table))
    keys = {"load": r"(load|serving\.worker_connections)"}.get(path[0], path[0])  # many users need many connections
    assert message is None or re.fullmatch(rf"bench\.toml: {keys}.*: found .+", message)


@given(junk=JUNK, key=st.sampled_from(["title", "package", "native", "raw", "interfaces", "environment"]))
def test_any_value_of_an_app_is_parsed_or_refused(junk: object, key: str) -> None:
    """Whatever stands in an app.toml, it is accepted or refused in one line that begins with the file."""
    message = said(lambda: parse_app("app.toml", "alpha", app_document(at(key, junk))))
    assert message is None or re.fullmatch(r"app\.toml: .*: found .+", message)


def test_an_app_that_is_defined_twice_is_refused(tmp_path: Path) -> None:
    """Both places are named; a table that has another name may have the same folder."""
    folder, file = tmp_path / "apps" / "alpha", tmp_path / "bench.toml"
    folder.mkdir(parents=True)
    (folder / "app.toml").write_text(APP_TOML)
    table = '[apps.{}]\ntitle = "Other"\nfolder = "apps/alpha"\ninterfaces = {{ wsgi = "other:app" }}\n'
    file.write_text(BENCH_TOML + table.format("other"))
    assert [app.name for app in open_project(file).apps] == ["alpha", "other"]
    file.write_text(BENCH_TOML + table.format("alpha"))
    message = refused(lambda: open_project(file))
    assert re.search(r"bench\.toml: apps\.alpha: found .*\bapps/alpha/app\.toml, expected ", message)


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "{a=" * 5000, "workloads." + "a." * 3000 + "b = 1"])
def test_deeply_nested_toml_is_refused(tmp_path: Path, text: str) -> None:
    """What the parser cannot hold is a mistake in the file, whichever file it is."""
    file = tmp_path / "bench.toml"
    file.write_text(text)
    assert re.search(r"bench\.toml: found .*\bnested\b", refused(lambda: open_project(file)))


@pytest.mark.parametrize(
    "key", ["serving.backlog", "serving.workers", "presets.quick.repeats", "workloads.hello.load_names"]
)
@pytest.mark.parametrize("number", [65_536, 10**22])
def test_a_number_that_no_machine_has_room_for_is_refused(key: str, number: int) -> None:
    """It would be every App's failure."""
    assert_says(refused(lambda: config(at(key, number))), "bench.toml", key, str(number), "at most 65535")


@pytest.mark.parametrize(
    ("change", "key", "now"),
    [
        (at("leagues", {"wsgi": {}}), "leagues", "groups"),
        (at("contract", {}), "contract", "workloads.hello"),
        (at("presets.quick.guard_s", 0.03), "presets.quick.guard_s", "settle_s"),
        (at("apps", {"alpha": {"baseline": True}}), "apps.alpha.baseline", "raw"),
    ],
)
@pytest.mark.parametrize("instead", [False, True])
def test_an_old_key_is_told_its_new_name(change: Change, key: str, now: str, instead: bool) -> None:
    """It is that which is said, whether or not the new key is there too."""

    def both(table: Document) -> None:
        change(table)
        if instead and now in ("groups", "settle_s"):
            without({"groups": "groups", "settle_s": "presets.quick.settle_s"}[now])(table)

    assert_says(refused(lambda: config(both)), "bench.toml", key, UNKNOWN, f"{now},")


def test_an_old_key_of_an_app_is_told_its_new_name() -> None:
    """The same holds in an app.toml."""
    message = refused(lambda: parse_app("app.toml", "alpha", app_document(at("baseline", True))))
    assert_says(message, "app.toml", "baseline", UNKNOWN, "raw,")


def test_every_renamed_key_is_unknown_and_its_new_name_is_known() -> None:
    """The table of old keys can't fall behind the keys."""
    known = {
        *strict_schema()["properties"],
        *(key for kind in strict_schema()["$defs"].values() for key in kind.get("properties", {})),
    }
    assert RENAMED
    for old, new in RENAMED.items():
        assert old[-1] not in known
        assert new.partition(".")[0] in known


@pytest.mark.parametrize(("word", "meant"), [("wokers", "workers"), ("Threads", "threads"), ("colour", None)])
def test_a_key_that_is_nearly_right_is_proposed(word: str, meant: str | None) -> None:
    """Where one is like it."""
    message = refused(lambda: config(at(f"serving.{word}", 1)))
    assert (f"did you mean {meant}?" in message) == (meant is not None)


@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        (nothing, True),
        (at("presets", {"quick": {"rounds": 5}}), True),
        (without("serving"), True),
        (without("groups"), False),
        (at("groups.wsgi", {"title": "no server"}), False),
        (at("presets.quick.guard_s", 0.1), False),
        (at("load.users", "many"), False),
    ],
)
def test_the_published_schema_takes_what_a_project_may_write(change: Change, accepted: bool) -> None:
    """Keys that the defaults have may be left out; nothing else is accepted that bench refuses."""
    table = document(change)
    assert Draft202012Validator(published_schema()).is_valid(table) == accepted
    if accepted:
        parse_config("bench.toml", with_defaults(table, tomllib.loads(BENCH_TOML)))


def test_own_files_follow_the_published_schemas() -> None:
    """As editors see them."""
    Draft202012Validator.check_schema(published_schema())
    Draft202012Validator(published_schema()).validate(tomllib.loads((ROOT / "bench.toml").read_text()))
    apps = list((ROOT / "apps").glob("*/app.toml"))
    assert len(apps) >= 4
    for file in apps:
        Draft202012Validator(app_schema()).validate(tomllib.loads(file.read_text()))
