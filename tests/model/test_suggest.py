"""What is proposed in place of a name that does not exist."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.model.suggest import MOST_SHOWN, closest, one_of

LANES = ["django_hello@gunicorn-gthread", "flask_hello@gunicorn-gthread", "flask_hello@uvicorn+a2asgi"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("flsk@gunicorn-gthread", "flask_hello@gunicorn-gthread"),
        ("Flask_Hello@Gunicorn-gthread", "flask_hello@gunicorn-gthread"),
        ("flask_hello@uvicorn", "flask_hello@uvicorn+a2asgi"),
        ("bottle", None),
        ("", None),
    ],
)
def test_the_name_most_like_the_word_is_meant(word: str, meant: str | None) -> None:
    """Whatever its case; and none where none is like it."""
    assert closest(word, LANES) == meant


def test_a_case_does_not_hide_a_name() -> None:
    """Of two names that differ by case alone the first is proposed, as it is written."""
    assert closest("QUICK", ["Quick", "quick"]) == "Quick"


@given(st.text(max_size=9), st.lists(st.text(max_size=9), max_size=9))
def test_what_is_proposed_exists(word: str, known: list[str]) -> None:
    """A proposal is one of the names, and a name itself proposes what reads the same."""
    found = closest(word, known)
    assert found is None or found in known
    if word and word in known:
        assert found is not None
        assert found.casefold() == word.casefold()


def test_few_names_are_all_shown() -> None:
    """With the proposal at the end."""
    said = one_of("flsk@gunicorn-gthread", LANES)
    assert all(name in said for name in LANES)
    assert said.endswith("did you mean 'flask_hello@gunicorn-gthread'?")
    assert "bench list" not in said


def test_many_names_are_cut() -> None:
    """The others are counted, and the command that shows them is named; a proposal may be among them."""
    names = [f"app{number:02}" for number in range(MOST_SHOWN + 12)]
    said = one_of("appp17", names)
    assert "and 12 more" in said
    assert "`bench list`" in said
    assert names[MOST_SHOWN - 1] in said
    assert names[MOST_SHOWN] not in said
    assert said.endswith("'app17'?")


def test_one_name_too_many_is_shown() -> None:
    """Saying that there is one more is longer than the name."""
    assert "more" not in one_of("x", [f"app{number}" for number in range(MOST_SHOWN + 1)])


def test_a_pattern_may_be_meant() -> None:
    """It is proposed, and not shown among the names."""
    said = one_of("flsk_hello@*", LANES, patterns=["flask_hello@*"])
    assert said.count("flask_hello@*") == 1
    assert said.endswith("did you mean 'flask_hello@*'?")
