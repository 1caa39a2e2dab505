"""The layering, read from the imports: a module imports only from its own floor or from a lower one."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FLOORS = (
    (
        "spec",
        "config",
        "messages",
        "plan",
        "starts",
        "estimates",
        "history_records",
        "sweep_records",
        "sweep_loads",
        "records",
        "gate",
    ),
    (
        "autocorrelation",
        "stats",
        "compare",
        "parity",
        "comparable",
        "relative",
        "check",
        "drift",
        "spoilt",
        "validity",
        "changepoints",
        "history",
        "history_entry",
        "verdict",
        "evidence",
        "metrics",
        "absent",
        "completeness",
        "observed",
        "summary",
        "outcome",
        "power",
        "resolution",
        "trial",
        "diagnosis",
        "code_lines",
        "sweep",
    ),
    ("report/",),
    (
        "environments",
        "revisions",
        "server",
        "contract",
        "machine",
        "instructions",
        "store",
        "history_file",
        "project",
        "driver_process",
        "processes",
        "host",
        "driver/",
    ),
    ("site", "sides", "rounds", "runner", "footprint", "comparison", "session", "comparing", "publish", "doctor"),
    ("cli", "options", "compare_command", "check_command", "history_command", "progress"),
)
"""Nouns, reasoning, rendering, adapters, the run, the command line. A name with a slash is a package with all in it."""

PURE_FLOORS = (0, 1, 2)
ADAPTERS = 3
SHARED_ADAPTER = "bench.processes"
DRIVER, DRIVER_MAY_IMPORT = "bench.driver", "bench.messages"
RUNNER = "bench.runner"
CHARTS = "bench.report.charts"
SERVER_SIDE = "bench.serverside"
"""Runs in the processes of the servers, where there is no bench: it stands beside the floors."""

INPUT_OUTPUT = {
    "asyncio",
    "fcntl",
    "glob",
    "http",
    "logging",
    "mmap",
    "multiprocessing",
    "os",
    "pathlib",
    "psutil",
    "select",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
}
"""What values in, values out has no use for: files, processes, sockets and clocks."""

MAX_LINES = 400

Sources = Mapping[str, str]
"""Source texts by the names of their modules."""


def read_sources() -> Sources:
    """Returns every module below bench/."""
    return {_module_name(path): path.read_text(encoding="utf-8") for path in sorted((ROOT / "bench").rglob("*.py"))}


def _module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def nodes(source: str) -> tuple[ast.AST, ...]:
    """Returns everything in a source text, at any depth."""
    return tuple(ast.walk(ast.parse(source)))


def imports(module: str, sources: Sources) -> list[str]:
    """Returns the full names of what a module imports anywhere in its source: modules where they are modules."""
    found: list[str] = []
    for node in nodes(sources[module]):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively: {ast.unparse(node)}"
            base = node.module or ""
            members = [f"{base}.{alias.name}" for alias in node.names]
            found += [member if member in sources else base for member in members]
    return sorted(set(found))


def within(name: str, package: str) -> bool:
    """Returns whether a module is a package or lies in it."""
    return name == package or name.startswith(f"{package}.")


def floor(module: str) -> int | None:
    """Returns a module's floor; None where it has none."""
    if module == "bench":
        return 0
    for number, names in enumerate(FLOORS):
        for name in names:
            package = f"bench.{name.removesuffix('/')}"
            if module == package or (name.endswith("/") and within(module, package)):
                return number
    return None


def adapter(module: str) -> str:
    """Returns which adapter a module belongs to: all of the driver is one."""
    return DRIVER if within(module, DRIVER) else module


Offences = Iterator[str]
"""Lines that name the offending module and import."""
Rule = Callable[[Sources], Offences]


def without_a_floor(sources: Sources) -> Offences:
    for module in sources:
        if floor(module) is None and not within(module, SERVER_SIDE):
            yield f"{module} is on no floor; add it to one, here and in docs/architecture.md"


def upward(sources: Sources) -> Offences:
    for module, name in _own_imports(sources):
        here, there = floor(module), floor(name)
        if here is not None and there is not None and there > here:
            yield f"{module} (floor {here}) imports {name} (floor {there})"


def between_adapters(sources: Sources) -> Offences:
    for module, name in _own_imports(sources):
        both = floor(module) == floor(name) == ADAPTERS
        if both and adapter(module) != adapter(name) and name != SHARED_ADAPTER:
            yield f"{module} imports {name}: adapters share {SHARED_ADAPTER} only"


def of_the_driver(sources: Sources) -> Offences:
    for module, name in _own_imports(sources):
        if within(name, DRIVER) and not within(module, DRIVER):
            yield f"{module} imports {name}: the driver has a process of its own, and nothing imports it"
        if within(module, DRIVER) and not within(name, DRIVER) and name != DRIVER_MAY_IMPORT:
            yield f"{module} imports {name}: the driver imports {DRIVER_MAY_IMPORT} only"


def of_the_server_side(sources: Sources) -> Offences:
    for module, name in _own_imports(sources):
        if within(module, SERVER_SIDE) or within(name, SERVER_SIDE):
            yield f"{module} imports {name}: the server side runs in the servers' processes, without bench"


def of_the_runner(sources: Sources) -> Offences:
    for module, name in _own_imports(sources):
        if module == RUNNER and floor(name) == ADAPTERS:
            yield f"{module} imports {name}: the runner is handed its adapters"


def of_matplotlib(sources: Sources) -> Offences:
    drawing = [(module, name) for module, name in _all_imports(sources) if within(name, "matplotlib")]
    for module, name in drawing:
        if not within(module, CHARTS):
            yield f"{module} imports {name}: charts alone import matplotlib"


def of_locust(sources: Sources) -> Offences:
    for module, name in _all_imports(sources):
        if (within(name, "locust") or within(name, "gevent")) and not within(module, DRIVER):
            yield f"{module} imports {name}: it belongs to {DRIVER}"


def of_input_and_output(sources: Sources) -> Offences:
    for module, name in _all_imports(sources):
        if floor(module) in PURE_FLOORS and any(within(name, forbidden) for forbidden in INPUT_OUTPUT):
            yield f"{module} (floor {floor(module)}) imports {name}: floors {PURE_FLOORS} neither read nor write"
    for module, source in sources.items():
        for node in nodes(source):
            if (
                floor(module) in PURE_FLOORS
                and isinstance(node, ast.Call)
                and ast.unparse(node.func) in ("open", "print")
            ):
                yield f"{module} (floor {floor(module)}) calls {ast.unparse(node)}: it neither reads nor writes"


def too_long(sources: Sources) -> Offences:
    for module, source in sources.items():
        if (count := len(source.splitlines())) > MAX_LINES:
            yield f"{module} has {count} lines, more than {MAX_LINES}"


def _all_imports(sources: Sources) -> Iterator[tuple[str, str]]:
    return ((module, name) for module in sources for name in imports(module, sources))


def _own_imports(sources: Sources) -> Iterable[tuple[str, str]]:
    return ((module, name) for module, name in _all_imports(sources) if within(name, "bench"))


RULES = (
    without_a_floor,
    upward,
    between_adapters,
    of_the_driver,
    of_the_server_side,
    of_the_runner,
    of_matplotlib,
    of_locust,
    of_input_and_output,
    too_long,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_floors_hold(rule: Rule) -> None:
    """Each rule holds for all modules; a breach is named by its module and import."""
    breaches = list(rule(read_sources()))
    assert not breaches, "\n" + "\n".join(breaches)


def test_every_floor_is_built() -> None:
    """Each name on a floor is a module or a package that exists, so that no floor holds by being empty."""
    sources = read_sources()
    names = [f"bench.{name.removesuffix('/')}" for names in FLOORS for name in names]
    assert [name for name in names if name not in sources] == []
    assert len(names) == len(set(names))


def test_the_documented_floors_are_these() -> None:
    """docs/architecture.md has the same modules on the same floors."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) [^|]*\| ([^|]*) \|", page, re.MULTILINE)
    documented = {int(number): set(re.findall(r"`([^`]+)`", names)) for number, names in rows}
    assert documented == {number: set(names) for number, names in enumerate(FLOORS)}


@pytest.mark.parametrize(
    ("rule", "module", "source", "said"),
    [
        (without_a_floor, "bench.extras", "", "bench.extras is on no floor"),
        (without_a_floor, "bench.plan.extra", "", "bench.plan.extra is on no floor"),
        (upward, "bench.spec", "import bench.stats", "bench.spec (floor 0) imports bench.stats (floor 1)"),
        (upward, "bench.stats", "from bench import cli", "bench.stats (floor 1) imports bench.cli (floor 5)"),
        (
            upward,
            "bench.store",
            "from bench.runner import Runner",
            "bench.store (floor 3) imports bench.runner (floor 4)",
        ),
        (
            upward,
            "bench.plan",
            "def f():\n    from bench.store import read",
            "bench.plan (floor 0) imports bench.store",
        ),
        (upward, "bench.summary", "from bench.report import text", "bench.summary (floor 1) imports bench.report.text"),
        (between_adapters, "bench.server", "from bench import machine", "bench.server imports bench.machine"),
        (between_adapters, "bench.store", "import bench.driver.wire", "bench.store imports bench.driver.wire"),
        (of_the_driver, "bench.session", "from bench.driver import stage", "bench.session imports bench.driver.stage"),
        (of_the_driver, "bench.driver.stage", "import bench.stats", "bench.driver.stage imports bench.stats"),
        (of_the_driver, "bench.driver.wire", "from bench import __version__", "bench.driver.wire imports bench:"),
        (of_the_server_side, "bench.serverside.shim", "import bench.spec", "bench.serverside.shim imports bench.spec"),
        (of_the_runner, "bench.runner", "from bench import store", "bench.runner imports bench.store"),
        (of_matplotlib, "bench.report.html", "import matplotlib.pyplot", "bench.report.html imports matplotlib.pyplot"),
        (of_locust, "bench.rounds", "from locust import User", "bench.rounds imports locust"),
        (of_locust, "bench.outcome", "import gevent.hub", "bench.outcome imports gevent.hub"),
        (of_input_and_output, "bench.plan", "import os.path", "bench.plan (floor 0) imports os.path"),
        (
            of_input_and_output,
            "bench.report.text",
            "from pathlib import Path",
            "bench.report.text (floor 2) imports pathlib",
        ),
        (of_input_and_output, "bench.metrics", "text = open('x')", "bench.metrics (floor 1) calls open('x')"),
        (too_long, "bench.cli", "\n" * 401, "bench.cli has 401 lines"),
    ],
)
def test_a_breach_is_named(rule: Rule, module: str, source: str, said: str) -> None:
    """Each rule finds what breaks it, and says which module imports what."""
    sound = dict.fromkeys(read_sources(), "")
    skeleton = sound | {"bench.report.charts": "import matplotlib", module: source}
    assert any(line.startswith(said) for line in rule(skeleton))
    assert not list(rule(sound))
