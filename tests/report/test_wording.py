"""Every reason has its words, and they name what belongs to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.model.reason import Code, Reason, Value, reason
from bench.report.wording import WORDS, said

VALUES = st.none() | st.integers() | st.floats() | st.text() | st.dictionaries(st.text(), st.integers())
NAMED = [
    (reason(Code.SAID, text="KeyError: 'name'"), ["KeyError: 'name'"]),
    (reason(Code.OLD_FORMAT, version=2), ["format 2"]),
    (reason(Code.COUNTER_WENT_BACKWARDS, before=9, after=5), ["9", "5"]),
    (reason(Code.NO_RIGHT_ANSWER, errors={"timeout": 3}, dropped=7, outside=2), ["3 x timeout", "7", "2"]),
    (reason(Code.STEAL, steal_s=0.25, slice_s=0.5), ["0.25 s", "0.50 s"]),
    (reason(Code.CLOCK_STEPPED, step_s=-1.5), ["-1.50 s"]),
    (reason(Code.WORKERS_BUSY, workers=3, timeout_s=30.0), ["3 workers", "30 s"]),
    (reason(Code.IMPORT_TIMED_OUT, application="app:app", timeout_s=2.5), ["app:app", "2.5 s"]),
    (reason(Code.IMPORT_FAILED, application="app:app", text="no module"), ["app:app", "no module"]),
    (reason(Code.CODE_UNREADABLE, file="app.py", text="no UTF-8"), ["app.py", "no UTF-8"]),
    (reason(Code.VALGRIND_FAILED, exit_code=-9), ["-9"]),
    (reason(Code.COUNT_TIMED_OUT, timeout_s=300.0), ["300 s"]),
    (reason(Code.PROFILE_INCOMPLETE, found=1, expected=3, requests=100), ["1 part", "3", "100"]),
]


def test_every_code_has_words() -> None:
    """And there are no words for a code that is gone."""
    assert set(WORDS) == set(Code)


@pytest.mark.parametrize(("found", "names"), NAMED, ids=lambda given: given.code if isinstance(given, Reason) else "")
def test_words_name_the_numbers(found: Reason, names: list[str]) -> None:
    """With their units."""
    assert [name for name in names if name not in said(found)] == []


@pytest.mark.parametrize("code", Code)
def test_what_a_reason_lacks_is_unknown(code: Code) -> None:
    """It is no error, and no number is made up."""
    assert said(reason(code))
    assert not any(character.isdigit() for character in said(reason(code)).replace("expected 0", ""))


@given(st.sampled_from(Code), st.dictionaries(st.sampled_from(["text", "steal_s", "errors", "found"]), VALUES))
def test_any_values_can_be_said(code: Code, values: dict[str, Value]) -> None:
    """A file holds what its writer left in it."""
    assert isinstance(said(Reason(code, values)), str)
