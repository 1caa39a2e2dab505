"""Which lines of an App count as its code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.run.code_lines import count

PYTHON = '''"""What it is.

In two paragraphs.
"""

# why
import x  # code with a comment


class View:
    """Docstring."""

    query = """
    select 1

    from t
    """

    async def get(self): "on one line"

    def put(self):
        """Only a docstring."""
'''


def test_docstrings_comments_and_blank_lines_are_no_code() -> None:
    """A string that is a value is code, without the blank lines in it; a docstring is not, wherever it stands."""
    assert count(PYTHON, ".py") == 8


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("<p>{{ name }}</p>\n", 1),
        ("<!-- a\nb -->\n<p>\n\n</p>\n{# note #}\n", 2),
        ("{% comment %}\nx\n{% endcomment %}\n", 0),
    ],
)
def test_templates_count_without_their_comments(text: str, lines: int) -> None:
    """Those of HTML, Jinja and Django."""
    assert count(text, ".html") == lines


@given(st.lists(st.sampled_from(["x = 1", "f(", ")", "", "  ", "# note", "'''a", "b'''"])))
def test_a_file_never_has_more_code_than_filled_lines(lines: list[str]) -> None:
    """Whatever the lines are; broken Python is said to be that."""
    text = "\n".join(lines)
    try:
        found = count(text, ".py")
    except SyntaxError:
        return
    assert found <= sum(bool(line.strip()) for line in lines)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_only_code_adds_to_the_count(code: int, comments: int, blank: int) -> None:
    """Comments and blank lines change nothing."""
    assert count("\n".join(["x = 1"] * code + ["# c"] * comments + [""] * blank), ".py") == code


def test_a_form_feed_ends_no_line() -> None:
    """It stands between sections of old sources."""
    assert count("x = 1\n\x0c\ny = 2\n\n\nz = 3\nw = 4\n", ".py") == 4


@pytest.mark.parametrize("odd", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_only_newlines_end_lines(odd: str) -> None:
    """In comments, strings and templates, whatever else may be taken for the end of a line."""
    assert count(f"x = 1  # a{odd}b\n\n\n'c{odd}d'\ny = 2\n", ".py") == 3
    assert count(f"<p>\n\na{odd}b\n", ".html") == 2


def test_an_empty_file_has_no_lines() -> None:
    """Such as most ``__init__.py``."""
    assert count("", ".py") == 0
