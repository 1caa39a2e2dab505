"""The rooms of the house, read from the imports, and the tests, which lie as the packages lie."""

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TypeGuard

import pytest

from bench.model.load import LOADS, Load

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "model": set[str](),
    "driver": {"model"},
    "servers": {"model"},
    "analysis": {"model"},
    "run": {"model", "servers", "analysis"},
    "regression": {"model", "servers", "analysis", "run"},
    "doctor": {"model", "servers", "analysis", "run"},
    "report": {"model", "analysis", "regression", "doctor"},
    "cli": {"model", "servers", "analysis", "run", "regression", "doctor", "report"},
}
"""The packages in reading order, and what each may import beside itself. docs/architecture.md has the same table."""
NEVER_LOADED_BY_REPORT = {"run", "servers", "driver"}
"""``report`` takes the result values of ``regression`` and ``doctor``: not even they may bring these along."""
PURE = ("model", "analysis", "report")
"""Packages of values in, values out."""
SERVER_SIDE = "bench.servers.serverside"
"""Runs in the processes of the servers, where there is no bench."""
ONLY_IN = {"matplotlib": "bench.report.charts", "locust": "bench.driver", "gevent": "bench.driver"}
"""Libraries that are slow to import or change the interpreter, and the package that may import each."""

INPUT_OUTPUT = {
    *("asyncio", "fcntl", "glob", "http", "logging", "mmap", "multiprocessing", "os", "pathlib", "psutil", "select"),
    *("selectors", "shutil", "signal", "socket", "ssl", "subprocess", "tempfile", "threading", "time"),
    "urllib.request",
}
"""What values in, values out has no use for: files, processes, sockets and clocks."""

Sources = Mapping[str, str]
"""Source texts by the names of their modules."""
Offences = Iterator[str]
"""Lines that name the offending module and import."""
Rule = Callable[[Sources], Offences]


@cache
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


def room(module: str) -> str:
    """Returns the package of bench that a module lies in; nothing for ``bench`` itself."""
    return module.removeprefix("bench").strip(".").partition(".")[0]


def all_imports(sources: Sources) -> Iterator[tuple[str, str]]:
    """Yields every module with each name that it imports."""
    return ((module, name) for module in sources for name in imports(module, sources))


def own_imports(sources: Sources) -> Iterator[tuple[str, str]]:
    """Yields every module with each module of bench that it imports."""
    return ((module, name) for module, name in all_imports(sources) if within(name, "bench"))


def in_no_room(sources: Sources) -> Offences:
    for module in sources:
        if module != "bench" and room(module) not in MAY_IMPORT:
            yield f"{module} is in no room: put it into a package of the table"


def across_rooms(sources: Sources) -> Offences:
    for module, name in own_imports(sources):
        here, there = room(module), room(name)
        if there not in ("", here, *MAY_IMPORT.get(here, ())):
            yield f"{module} imports {name}: {here} may not import {there}"


def in_circles(sources: Sources) -> Offences:
    for module in sources:
        if module in closure(module, sources):
            yield f"{module} imports itself, by way of others"


def of_report(sources: Sources) -> Offences:
    for module in sources:
        if room(module) == "report":
            loaded = sorted(name for name in closure(module, sources) if room(name) in NEVER_LOADED_BY_REPORT)
            yield from (f"{module} loads {name}" for name in loaded)


def closure(module: str, sources: Sources) -> set[str]:
    """Returns all modules of bench that are loaded with one, however far away; itself only where there is a circle."""
    waiting, found = [module], set[str]()
    while waiting:
        fresh = {name for name in imports(waiting.pop(), sources) if name in sources} - found
        found |= fresh
        waiting += fresh
    return found


def of_the_server_side(sources: Sources) -> Offences:
    for module, name in own_imports(sources):
        if within(module, SERVER_SIDE) or within(name, SERVER_SIDE):
            yield f"{module} imports {name}: the server side runs in the servers' processes, without bench"


def of_libraries(sources: Sources) -> Offences:
    for module, name in all_imports(sources):
        for library, package in ONLY_IN.items():
            if within(name, library) and not within(module, package):
                yield f"{module} imports {name}: only {package} may"


def of_input_and_output(sources: Sources) -> Offences:
    for module, name in all_imports(sources):
        if room(module) in PURE and any(within(name, forbidden) for forbidden in INPUT_OUTPUT):
            yield f"{module} imports {name}: {room(module)} neither reads nor writes"
    for module, source in sources.items():
        if room(module) in PURE:
            calls = (ast.unparse(node.func) for node in nodes(source) if isinstance(node, ast.Call))
            yield from (f"{module} calls {name}: it neither reads nor writes" for name in calls if name in IO_CALLS)


def of_loads(sources: Sources) -> Offences:
    """A Load says what others need of it: only the model and the driver know the kinds apart."""
    for module, source in sources.items():
        if room(module) not in ("model", "driver"):
            made = {id(node.func) for node in nodes(source) if isinstance(node, ast.Call)}
            for node in nodes(source):
                if _names_a_kind(node, made) or _asks_for_its_kind(node) or _asks_for_its_name(node):
                    yield f"{module} asks which kind a load is, in line {_line(node)}: let the load say it"


def _names_a_kind(node: ast.AST, made: Collection[int]) -> bool:
    """Returns whether a kind is named otherwise than to make a load of it; so no other name of it is seen either."""
    if isinstance(node, ast.alias):
        return node.name in KINDS and node.asname is not None
    return _last_name(node) in KINDS and id(node) not in made


def _asks_for_its_kind(node: ast.AST) -> bool:
    """Returns whether it is asked of what class a load is, or which fields it has."""
    match node:
        case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, kinds]):
            return any(_last_name(each) in UNIONS for each in ast.walk(kinds))
        case ast.Call(func=ast.Name(id="type"), args=[asked]):
            return _is_load(asked)
        case ast.Call(func=ast.Name(id="hasattr" | "getattr"), args=[asked, ast.Constant(), *_]):
            return _is_load(asked)
        case ast.Attribute(value=asked, attr="__class__" | "__struct_config__" | "__struct_fields__" | "kind"):
            return _is_load(asked)
    return False


def _asks_for_its_name(node: ast.AST) -> bool:
    """Returns whether what a load says of itself is compared with a text, or is a key of what is done then."""
    match node:
        case ast.Compare(left=left, comparators=others):
            sides = [left, *others]
            texts = {each.value for side in sides for each in ast.walk(side) if _is_text(each)}
            return bool(texts & KIND_NAMES) or (bool(texts) and any(map(_is_said_by_load, sides)))
        case ast.Match(subject=subject, cases=cases) if _is_load(subject) or _is_said_by_load(subject):
            return any(_is_text(each) for case in cases for each in ast.walk(case.pattern))
        case ast.Subscript(slice=key) | ast.Call(func=ast.Attribute(attr="get"), args=[key, *_]):
            return _is_said_by_load(key)
    return False


def _is_load(node: ast.AST) -> bool:
    """Returns whether an expression is a load by its name: ``load``, ``each.load``, ``loads[0]``."""
    found = node.value if isinstance(node, ast.Subscript) else node
    return bool(re.search(r"(?:^|_)loads?$", _last_name(found)))


def _is_said_by_load(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and _is_load(node.value)


def _is_text(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _last_name(node: ast.AST) -> str:
    """Returns the last part of a dotted name; nothing for any other expression."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))


def of_values(sources: Sources) -> Offences:
    """What report takes from doctor are values alone, which derive nothing."""
    for module, name in own_imports(sources):
        if room(module) == "report" and room(name) == "doctor":
            for derived in imports(name, sources):
                if within(derived, "bench") and room(derived) != "model":
                    yield f"{module} imports {name}, which imports {derived}: {name} is no module of values"


def of_sentences(sources: Sources) -> Offences:
    """What is found has a code; only errors that end a command have words of their own, and report has all others."""
    for module, source in sources.items():
        if room(module) in WORDLESS:
            for line, text in sentences(source):
                yield f"{module}:{line} has words of its own: {text!r}; give a Reason, which report words"


def of_reasons(sources: Sources) -> Offences:
    """What is stored is a Reason, and no function returns words in place of a value."""
    for module, source in sources.items():
        for node in nodes(source):
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) in ("reason", "reasons"):
                if "str" in re.findall(r"\w+", ast.unparse(node.annotation)):
                    yield f"{module}:{node.lineno} has a reason in words: let it be a Reason"
            elif isinstance(node, ast.FunctionDef) and node.returns is not None:
                members = set(ast.unparse(node.returns).split(" | "))
                if room(module) in WORDLESS and "str" in members and members - {"str", "None"}:
                    yield f"{module}.{node.name} returns {ast.unparse(node.returns)}: let it return an Unknown"


def sentences(source: str) -> Iterator[tuple[int, str]]:
    """Yields texts of three words and more, with their lines: neither docstrings nor errors nor patterns."""
    tree = ast.parse(source)
    apart = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise | ast.Assert) or (
            isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.")
        ):
            apart |= {id(part) for part in ast.walk(node)}
    for node in ast.walk(tree):
        text = _text(node)
        if id(node) not in apart and SENTENCE.search(text):
            yield getattr(node, "lineno", 0), text


def _text(node: ast.AST) -> str:
    """Returns the text of a string, with a placeholder for each value in it; nothing of anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "{}" for part in node.values)
    return ""


IO_CALLS = ("open", "print", "input")
KINDS = {kind.__name__ for kind in LOADS}
KIND_NAMES = KINDS | {str(kind.__struct_config__.tag) for kind in LOADS}
"""What the kinds of load are called in code, and in files."""
UNIONS = {"Load", "LOADS"}
WORDLESS = ("servers", "analysis", "run", "doctor")
"""Packages that find reasons, and have no words for them."""
SENTENCE = re.compile(r"([A-Za-z]{2,}[,;:]? ){2}[A-Za-z]{2,}")
"""Three words, one after the other; fewer are a name."""

RULES = (
    in_no_room,
    across_rooms,
    in_circles,
    of_report,
    of_the_server_side,
    of_libraries,
    of_input_and_output,
    of_loads,
    of_values,
    of_sentences,
    of_reasons,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_holds(rule: Rule) -> None:
    """Each rule holds for all modules; a breach is named by its module and import."""
    breaches = list(rule(read_sources()))
    assert not breaches, "\n" + "\n".join(breaches)


def test_every_room_is_built() -> None:
    """Each package of the table exists and has modules, so that no rule holds by being empty."""
    assert {room(module) for module in read_sources()} - {""} == MAY_IMPORT.keys()


def test_the_documented_table_is_this_one() -> None:
    """docs/architecture.md has the same packages, with the same imports."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `bench/(\w+)/` \|[^|]*\| ([^|]*) \|$", page, re.MULTILINE)
    documented = {name: set(re.findall(r"\w+", allowed)) for name, allowed in rows}
    assert documented == MAY_IMPORT
    assert list(documented) == list(MAY_IMPORT)


@pytest.mark.parametrize(
    ("rule", "module", "source", "said"),
    [
        (in_no_room, "bench.extras", "", "bench.extras is in no room"),
        (across_rooms, "bench.model.config", "import bench.analysis", "model may not import analysis"),
        (across_rooms, "bench.analysis.sweep", "from bench.run import store", "bench.run.store"),
        (across_rooms, "bench.report.html", "def f():\n    from bench.run.store import read", "may not import run"),
        (across_rooms, "bench.driver.engine", "import bench.servers.machine", "driver may not import servers"),
        (across_rooms, "bench.run.session", "from bench.driver import engine", "run may not import driver"),
        (across_rooms, "bench.regression.verdict", "import bench.report.html", "may not import report"),
        (in_circles, "bench.model.config", "import bench.model.config", "bench.model.config imports itself"),
        (of_report, "bench.report.html", "import bench.doctor.examine", "bench.report.html loads bench.run.session"),
        (of_the_server_side, f"{SERVER_SIDE}.shim", "import bench.model", "without bench"),
        (of_the_server_side, "bench.servers.launch", f"import {SERVER_SIDE}.bench_import", "without bench"),
        (of_libraries, "bench.report.html", "import matplotlib.figure", "only bench.report.charts may"),
        (of_libraries, "bench.run.session", "from locust.env import Environment", "only bench.driver may"),
        (of_libraries, "bench.run.session", "import gevent", "only bench.driver may"),
        (of_input_and_output, "bench.report.html", "from pathlib import Path", "report neither reads nor writes"),
        (of_input_and_output, "bench.analysis.sweep", "text = open('x')", "calls open"),
        (of_values, "bench.report.html", "import bench.doctor.checks", "is no module of values"),
        (of_sentences, "bench.analysis.sweep", "why = f'the server ended with {code}'", "the server ended with {}"),
        (of_sentences, "bench.run.round", "def f():\n    return 'it has ended'", "it has ended"),
        (of_reasons, "bench.model.records", "class Failure:\n    reason: str | None = None", "let it be a Reason"),
        (of_reasons, "bench.analysis.sweep", "def knee() -> float | str: ...", "let it return an Unknown"),
    ],
)
def test_a_breach_is_found(rule: Rule, module: str, source: str, said: str) -> None:
    """A rule that is broken names the module, so that none holds because it sees nothing."""
    breaches = list(rule({**read_sources(), module: source}))
    assert any(module in breach and said in breach for breach in breaches), breaches


@pytest.mark.parametrize(
    "source",
    [
        *("isinstance(load, KIND)", "isinstance(each, (int, KIND))", "isinstance(each, int | load.KIND)"),
        *("isinstance(each, Load)", "issubclass(kind, LOADS)", "match load:\n    case KIND(rate): pass"),
        *("match each:\n    case Slice(load=KIND()): pass", "type(each) is KIND", "type(each) in (KIND, int)"),
        *("PARTS = {KIND: 1}", "def f(load: KIND) -> int: ...", "from bench.model.load import KIND as Kind"),
        *("kind = type(load)", "each.load.__class__", "loads[0].__struct_config__.tag", "load.kind == name"),
        *("row['load']['kind'] == 'TAG'", "kind in ('TAG', 'other')", "type(each).__name__ == 'KIND'"),
        *("sweep.loads[0].name == 'users'", "load.unit != 'requests/s'", "match load.name:\n    case 'users': pass"),
        *(
            "WORDS[each.load.name]",
            "WORDS.get(load.name, '')",
            "hasattr(load, 'users')",
            "getattr(load, 'users', None)",
        ),
    ],
)
@pytest.mark.parametrize("kind", LOADS)
def test_a_load_that_is_asked_for_its_kind_is_found(source: str, kind: type[Load]) -> None:
    """In every form, and for every kind that there is."""
    planted = source.replace("KIND", kind.__name__).replace("TAG", str(kind.__struct_config__.tag))
    assert list(of_loads({"bench.report.html": planted}))
    assert not list(of_loads({"bench.model.schedule": planted}))


@pytest.mark.parametrize(
    "source",
    [
        *("from bench.model.load import Closed", "load = Closed(16)", "load.rate_rps is None", "by_load[each.load]"),
        *("match load.knee_method:\n    case KneeMethod.CROSSING: pass", "def f(load: Load) -> str: return load.label"),
        *(
            "isinstance(found, Unknown)",
            "batch[0].kind is start.kind",
            "type(error).__name__",
            "BY_NAME[name].of(value)",
        ),
    ],
)
def test_what_a_load_is_asked_instead_is_not_found(source: str) -> None:
    """To make one, and to ask what it says, is what the rule is for."""
    assert not list(of_loads({"bench.report.html": source}))


def test_libraries_are_where_the_rules_say() -> None:
    """The packages that may import a library do, so that the rule is about something."""
    sources = read_sources()
    for library, package in ONLY_IN.items():
        assert any(within(name, library) and within(module, package) for module, name in all_imports(sources)), library


# ---------------------------------------------------------------- the tests


@cache
def read_tests() -> Sources:
    """Returns every module below tests/, by its path from there."""
    folder = ROOT / "tests"
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py"))
    }


def homes(name: str) -> set[str]:
    """Returns the folders of bench, as paths from there, with a module of that name."""
    found = (PurePosixPath(*module.split(".")[1:]) for module in read_sources())
    return {path.parent.as_posix() for path in found if path.name == name}


def in_another_folder(tests: Sources) -> Offences:
    """A folder is a package of bench; a file that is named as a module lies in the folder of its package."""
    for path in map(PurePosixPath, tests):
        folder, name = path.parent.as_posix(), path.stem.removeprefix("test_")
        if folder not in (".", "builders", *MAY_IMPORT):
            yield f"tests/{path} lies in the folder of no package"
        if path.stem.startswith("test_") and name != folder and homes(name) and not _below(folder, homes(name)):
            yield f"tests/{path} is named as a module of bench/{', bench/'.join(sorted(homes(name)))}"


def _below(folder: str, others: set[str]) -> bool:
    return any(within(other.replace("/", "."), folder) for other in others)


def borrowed(tests: Sources) -> Offences:
    """What tests share is in tests/builders, and nothing of tests/ is imported from elsewhere."""
    for path, source in tests.items():
        for node in nodes(source):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            base = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for name in (f"{base}{name}" for name in names):
                if name.split(".")[0] in ("tests", "conftest") and not within(name, "tests.builders"):
                    yield f"tests/{path} imports {name}: what tests share is in tests/builders"


def helpers_elsewhere(tests: Sources) -> Offences:
    """A module is a test, a builder, the one conftest, or an empty __init__."""
    for path, source in tests.items():
        name = path.rpartition("/")[2]
        if name == "__init__.py":
            if len(ast.parse(source).body) > 1:
                yield f"tests/{path} has more than a docstring"
        elif not name.startswith("test_") and not path.startswith("builders/") and path != "conftest.py":
            yield f"tests/{path} is no test: builders lie in tests/builders"


def made_twice(tests: Sources) -> Offences:
    """A builder of more than a line is written once."""
    seen = defaultdict[str, list[str]](list)
    for path, source in tests.items():
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("test_"):
                body = node.body[ast.get_docstring(node) is not None :]
                if len(body) > 1:
                    seen["\n".join(map(ast.unparse, body))].append(f"tests/{path}: {node.name}")
    yield from (f"{', '.join(places)} do the same" for places in seen.values() if len(places) > 1)


TEST_RULES = (in_another_folder, borrowed, helpers_elsewhere, made_twice)


@pytest.mark.parametrize("rule", TEST_RULES, ids=lambda rule: rule.__name__)
def test_the_tests_lie_as_the_packages_lie(rule: Rule) -> None:
    """And share builders in one place."""
    breaches = list(rule(read_tests()))
    assert not breaches, "\n" + "\n".join(breaches)


def test_every_package_has_tests() -> None:
    """A folder for each, with tests in it."""
    tested = {path.partition("/")[0] for path in read_tests() if "/test_" in path}
    assert tested == MAY_IMPORT.keys()


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (in_another_folder, "extras/test_extras.py", ""),
        (in_another_folder, "model/test_ranking.py", ""),
        (in_another_folder, "test_ranking.py", ""),
        (borrowed, "model/test_x.py", "from tests.analysis.test_ranking import LANES"),
        (borrowed, "model/test_x.py", "from tests.analysis import test_ranking"),
        (borrowed, "builders/x.py", "import tests.conftest"),
        (borrowed, "model/test_x.py", "def f():\n    import conftest"),
        (helpers_elsewhere, "model/lanes.py", ""),
        (helpers_elsewhere, "model/conftest.py", ""),
        (helpers_elsewhere, "model/__init__.py", '"""Tests."""\nLANES = ()'),
        (made_twice, "model/test_x.py", "def commits(top):\n    git(top, 'add', '.')\n    git(top, 'commit')"),
    ],
)
def test_a_breach_of_the_tests_is_found(rule: Rule, path: str, source: str) -> None:
    """One that nothing else breaks, and that is named by its file."""
    other = {"regression/test_y.py": source.replace("commits", "committed")} if rule is made_twice else {}
    breaches = list(rule({**read_tests(), **other, path: source}))
    assert [path in breach for breach in breaches] == [True]
