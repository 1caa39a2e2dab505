"""Every reason has its words, they name all that belongs to it, and code and table tell of the same."""

import ast
import re
from functools import cache
from pathlib import Path
from runpy import run_path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.model import reason as reasons
from bench.model.estimate import Status
from bench.model.reason import Code, Reason, Value, reason
from bench.report.wording import WORDS, all_said, in_rounds, said, sentences
from tests.builders.reasons import CAUSE, SAMPLES

BENCH = Path(reasons.__file__).parent.parent
VALUES = (
    st.none()
    | st.integers()
    | st.floats()
    | st.text()
    | st.dictionaries(st.text(), st.integers())
    | st.tuples(st.text())
)
NAMES = sorted({name for sample in SAMPLES for name in sample.values})

samples = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.code)


@cache
def documented() -> dict[str, str]:
    """Returns the docstring of every code by its name."""
    sections = run_path(str(BENCH.parent / "docs" / "write_reasons.py"))["documented"](Code)
    return {name: text for _, members in sections for name, text in members}


def test_every_code_has_words_and_a_sample() -> None:
    """And there are no words for a code that is gone."""
    assert set(WORDS) == set(Code)
    assert [sample.code for sample in SAMPLES] == list(Code)


@samples
def test_a_docstring_names_the_values(sample: Reason) -> None:
    """All of them, and nothing else is written like one; shares and times say so in their names."""
    named = set(re.findall(r"``(\w+)``", documented()[sample.code.name]))
    assert named == sample.values.keys()


@samples
def test_words_name_every_value(sample: Reason) -> None:
    """They change with each of them, and with the causes; they are one line without a full stop."""
    words = said(sample)
    assert re.fullmatch(r"[^\n]*[^\n.]", words)
    for name, value in sample.values.items():
        assert said(Reason(sample.code, {**sample.values, name: another(value)}, because=sample.because)) != words, name
    if sample.because:
        assert said(CAUSE) in words
        assert said(CAUSE) not in said(Reason(sample.code, sample.values))


def another(value: Value) -> Value:
    """Returns a value of the same type that is written in another way."""
    match value:
        case Status():
            return Status.FAILING
        case str():
            return f"{value}!"
        case int() | float():
            return value * 3 + 1
        case tuple():
            return value[:1]
        case dict():
            return {name: count + 1 for name, count in value.items()}
    raise AssertionError


@samples
def test_whom_it_is_found_of_comes_first(sample: Reason) -> None:
    """With the same words after it."""
    assert said(sample.found_of("RUN")) == f"RUN: {said(sample)}"


def test_numbers_are_written_with_their_units() -> None:
    """Shares as percentages, times in ms or s, Rounds from 1 on."""
    words = {sample.code: said(sample) for sample in SAMPLES}
    named = {
        Code.NOTHING_FULL: ("41 %", "52 %", "16 users"),
        Code.SERVER_WAITED: ("1.10 ms", "0.90 ms", "2.30 ms"),
        Code.STEAL: ("0.25 s", "0.50 s"),
        Code.DRIFTED: ("-40 %", "0.001"),
        Code.NOT_CERTAIN: ("1.052", "1.013", "3.50 %"),
        Code.SILENT_ROUNDS: ("rounds 2, 5", "3 slices"),
        Code.LANE_FAILED: ("round 3", "start"),
        Code.NO_RIGHT_ANSWER: ("3 x timeout", "7 requests", "2 right answers"),
        Code.RATES_DIFFER: ("870/s", "910.5/s"),
        Code.TOO_FEW_ANSWERS: ("p99.9", "5,000", "1,000"),
    }
    lost = [(code, name) for code, names in named.items() for name in names if name not in words[code]]
    assert lost == []


@pytest.mark.parametrize("code", Code)
def test_what_a_reason_lacks_is_unknown(code: Code) -> None:
    """It is no error, and no number is made up."""
    words = re.sub("p99|n < 3|expected 0", "", said(reason(code)))
    assert words
    assert not re.search(r"\d", words)


@given(st.sampled_from(Code), st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_any_values_can_be_said(code: Code, values: dict[str, Value]) -> None:
    """A file holds what its writer left in it."""
    assert isinstance(said(Reason(code, values)), str)


def test_an_unknown_share_is_no_zero() -> None:
    """It is called unknown, beside those that are known."""
    found = reason(Code.SERVER_KEPT_OFF, server_share=0.6, driver_share=None, waited_share=None, steal_share=0.17)
    assert said(found).count("an unknown share") == 2
    assert "17 %" in said(found)


def test_several_reasons_stand_beside_each_other() -> None:
    """As clauses, or as sentences of their own; a sentence that begins with a name leaves it as it is."""
    one, other = reason(Code.NO_SLICES), reason(Code.ON_ONE_SIDE, side="v1").found_of("flask_hello")
    assert all_said([one, other]) == f"{said(one)}; {said(other)}"
    first, second = sentences([one, other])
    assert first[0].isupper()
    assert first.endswith(".")
    assert second.startswith("flask_hello: ")


@pytest.mark.parametrize(("rounds", "words"), [((1,), "round 2"), ((4, 1), "rounds 2, 5")])
def test_rounds_are_counted_from_one(rounds: tuple[int, ...], words: str) -> None:
    """As everywhere that people read."""
    assert in_rounds(rounds) == words


# ---------------------------------------------------------------- what the code gives


def made() -> list[tuple[str, str, set[str]]]:
    """Returns where a reason is made in bench, of which code, and with which values."""
    found = []
    for path in sorted(BENCH.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "reason":
                code = ast.unparse(node.args[0])
                found.append((f"{path.name}:{node.lineno}", code, {key.arg or "**" for key in node.keywords}))
    return found


def test_every_code_is_given_somewhere() -> None:
    """One that nothing gives is dead."""
    sources = {path: path.read_text(encoding="utf-8") for path in BENCH.rglob("*.py")}
    apart = ("reason.py", "wording.py")
    given = {
        name for path, text in sources.items() if path.name not in apart for name in re.findall(r"\bCode\.(\w+)", text)
    }
    assert given == set(Code.__members__)


def test_reasons_are_made_with_the_values_that_are_documented() -> None:
    """No more and no fewer, wherever one is made."""
    values = {sample.code.name: set(sample.values) for sample in SAMPLES}
    wrong = [
        (where, code, names)
        for where, code, names in made()
        if code.startswith("Code.") and " " not in code and names != values[code.removeprefix("Code.")]
    ]
    assert wrong == []
