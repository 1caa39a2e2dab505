"""One thing has one name: words that were given up stay away, and no public name means two things.

docs/architecture.md has the words. A word is looked for in names (of files, fields, options, keys) and in sentences.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from msgspec import Struct

ROOT = Path(__file__).parent.parent
SEARCHED = (
    *("bench", "apps", "benchmarks", "docs", "requirements"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "bench.toml", "pyproject.toml"),
    "results/example/summary.md",
)
"""Folders and files that speak the words. Tests name old words to show that they are refused or upgraded."""
SUFFIXES = {".py", ".md", ".toml", ".json", ".j2", ".css", ".in", ""}


class Word(Struct, frozen=True):
    """A word that was given up: how it looks, what is said now, and files that have a reason to say it."""

    old: str
    new: str
    pattern: str
    allowed: tuple[str, ...] = ()


def _any_part(*forms: str) -> str:
    """Matches a part of a name, and a word of a sentence: ``guard_s``, ``GuardTime``, ``a guard``."""
    capitalised = "|".join(form.capitalize() for form in forms)
    return (
        rf"(?<![a-z])(?:{'|'.join(forms)})(?![a-z])|(?:{capitalised})(?![a-z])|\b(?:{'|'.join(forms).upper()})(?![A-Z])"
    )


def _name(form: str) -> str:
    """Matches a name, by what stands around it; not a word of a sentence, and not a call."""
    quoted = rf"[_`\"'\[.]{form}s?(?=[_`\"'\].=:,)])"
    assigned = rf"\b{form}s?(?=_|`|\"|'| \+?= |=|: (?:int|float|str|bool|[A-Z]))"
    return rf"{quoted}|{assigned}|\b{form.capitalize()}[A-Z]\w+"


UPGRADES = "bench/model/formats.py"
"""Reads files of older versions, so it names what they hold."""
RENAMED = "bench/model/config_errors.py"
"""Names the new key to whoever writes the old one."""
DIGESTS = "bench/regression/comparability.py"
"""Lines of the history hold digests of these names, and never change."""
FOR_RAW = r"\bbaselines\b|\bbaseline (?:app|lane|callable)|app that is (?:not )?a baseline"
"""A baseline is the older of two stored runs, so the word stays; it does not mean raw, in sentences ..."""
FLAG_FOR_RAW = r"is_baseline|\.baseline\b|\bbaseline(?:: bool| ?= ?(?:[Tt]rue|[Ff]alse))"
"""... or in code."""

WORDS = (
    Word("league", "Group", _any_part("league", "leagues"), (UPGRADES, RENAMED)),
    Word("guard", "settle", _any_part("guard", "guards"), (UPGRADES, RENAMED, DIGESTS)),
    Word("spoilt", "discarded", _any_part("spoil", "spoils", "spoilt", "spoiled"), (UPGRADES,)),
    Word("contract", "Workload", _any_part("contract", "contracts"), (UPGRADES, RENAMED, DIGESTS)),
    Word("ceiling", "raw", _any_part("ceiling", "ceilings")),
    Word("overhead", "own cost", _any_part("overhead", "overheads"), (UPGRADES,)),
    Word("git_revision", "bench_revision, project_revision", r"\bgit_revision\b", (UPGRADES,)),
    Word("hub lateness", "loop lag", r"(?i)\bhub[ _]late", (UPGRADES,)),
    Word("missed", "dropped", rf"{_name('missed')}|(?i:missed (?:request|send)|requests? \w* ?missed\b)", (UPGRADES,)),
    Word("offer", "load", rf"{_name('offer')}|\b(?i:the|an|its|each|this) offers?\b", (UPGRADES, DIGESTS)),
    Word("baseline", "raw", f"(?i:{FOR_RAW})|{FLAG_FOR_RAW}"),
)


def searched() -> dict[str, str]:
    """Returns the texts that speak the words, by their paths."""
    paths = [path for name in SEARCHED for path in ([ROOT / name] if (ROOT / name).is_file() else files(ROOT / name))]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths if path.exists()}


def files(folder: Path) -> list[Path]:
    """Returns what a folder has, without what was made of it."""
    every = (path for path in folder.rglob("*") if path.is_file() and path.suffix in SUFFIXES)
    return sorted(path for path in every if not {"__pycache__", ".bench", "data"} & set(path.parts))


def given_up(texts: Mapping[str, str]) -> Iterator[str]:
    """Yields where a word stands that was given up, in a path or in a line, and what to say instead."""
    for word in WORDS:
        pattern = re.compile(word.pattern)
        for path, text in texts.items():
            if path not in word.allowed:
                lines = [path, *_without_old_keys(path, text).splitlines()]
                yield from (
                    f"{path}:{number}: {word.old} is {word.new} now: {line.strip()[:80]}"
                    for number, line in enumerate(lines)
                    if pattern.search(line)
                )


def _without_old_keys(path: str, text: str) -> str:
    """Leaves out what the log of changes names in code: keys, as they were called."""
    return re.sub(r"`[^`\n]+`", "", text) if path == "CHANGELOG.md" else text


def test_words_that_were_given_up_stay_away() -> None:
    """Code, options, files, schemas, messages and docs say what the table of words says."""
    found = list(given_up(searched()))
    assert not found, "\n" + "\n".join(found)


def test_every_exception_is_needed() -> None:
    """A file that is allowed to say an old word exists and does, so that the list of exceptions stays short."""
    texts = searched()
    for word in WORDS:
        for path in word.allowed:
            assert re.search(word.pattern, texts.get(path, "")), f"{path} does not say {word.old}"


@pytest.mark.parametrize(
    ("path", "text", "new"),
    [
        ("bench/league.py", "", "Group"),
        ("bench/x.py", "class LeagueTable:", "Group"),
        ("docs/x.md", "Leagues are not compared.", "Group"),
        ("bench/defaults.toml", "guard_s = 0.03", "settle"),
        ("docs/x.md", "It begins with a guard.", "settle"),
        ("docs/schemas/x.json", '"spoilt": {', "discarded"),
        ("bench/x.py", '"slices that were spoilt"', "discarded"),
        ("bench/x.py", "class ContractBroken(Exception):", "Workload"),
        ("bench.toml", "[contract]", "Workload"),
        ("docs/x.md", "raw is the ceiling.", "raw"),
        ("bench/x.py", 'OVERHEAD = "overhead_us_per_request"', "own cost"),
        ("bench/x.py", "record.missed += 1", "dropped"),
        ("bench/x.py", "missed: int", "dropped"),
        ("docs/x.md", "`missed` in `slices.jsonl`", "dropped"),
        ("docs/x.md", "3 missed requests", "dropped"),
        ("bench/x.py", "offer = experiment.offer", "load"),
        ("bench/x.py", "class OfferSettings:", "load"),
        ("bench.toml", "[offer]", "load"),
        ("docs/x.md", "The offer is closed or open.", "load"),
        ("bench/model/x.py", "baseline: bool", "raw"),
        ("docs/ci.md", "All baselines are left out.", "raw"),
        ("docs/ci.md", "the baseline App", "raw"),
        ("bench/model/x.py", '"add an App that is not a baseline"', "raw"),
        ("bench/model/x.py", "if lane.app.baseline:", "raw"),
        ("CHANGELOG.md", "A League is `leagues`.", "Group"),
    ],
)
def test_an_old_word_is_found(path: str, text: str, new: str) -> None:
    """In a path, a name, a key, an option or a sentence; the message says the new word."""
    found = list(given_up({path: text}))
    assert found
    assert all(f" is {new}" in line and path in line for line in found), found


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docs/x.md", "It missed three changes of five; a true regression is missed in one of five."),
        ("docs/x.md", "Requests are offered at a rate, which k6 can offer, too."),
        ("bench/x.py", "answers = driver.offer(order)"),
        ("docs/x.md", "Colleagues read safeguards to contractors."),
        ("docs/ci.md", "bench check latest --baseline RUN"),
        ("CHANGELOG.md", "`leagues` is `groups` now."),
    ],
)
def test_plain_english_is_not_found(path: str, text: str) -> None:
    """A word that means something else, or that is part of another one, may stay."""
    assert not list(given_up({path: text}))


def named_twice(sources: Mapping[str, str]) -> Iterator[str]:
    """Yields public names that mean two things: classes and types defined twice, constants that another imports."""
    defined, imported = defaultdict[str, list[str]](list), set[tuple[str, str]]()
    for module, source in sources.items():
        tree = ast.parse(source)
        for name in _definitions(tree):
            defined[name].append(module)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                imported |= {(alias.name, node.module or "") for alias in node.names}
    for name, modules in sorted(defined.items()):
        is_shared = not name.isupper() or any((name, module) in imported for module in modules)
        if is_shared and len(modules) > 1:
            yield f"{name} is defined in {' and '.join(modules)}"


def _definitions(tree: ast.Module) -> Iterator[str]:
    """Yields a module's public classes, types and constants."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name):
                names = [name]
            case ast.Assign(targets=targets):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case _:
                names = []
        yield from (name for name in names if name[0].isupper())


def test_one_name_means_one_thing() -> None:
    """No public class or type of bench is defined in two modules, and no constant that others import."""
    paths = sorted((ROOT / "bench").rglob("*.py"))
    sources = {".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text() for path in paths}
    found = list(named_twice(sources))
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("class Row: ...", "Row = tuple[str, ...]", True),
        ("LIMIT = 3", "LIMIT = 4\n", False),
        ("LIMIT = 3", "from a import LIMIT\nLIMIT = {LIMIT}", True),
        ("class _Row: ...", "class _Row: ...", False),
    ],
)
def test_a_name_for_two_things_is_found(one: str, other: str, found: bool) -> None:
    """Types wherever they are; constants only where a module imports them by name."""
    assert bool(list(named_twice({"a": one, "b": other}))) == found
