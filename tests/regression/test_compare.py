"""What differs between two versions of an App, beside its code."""

from typing import Any

import pytest

from bench.model.regression import Difference, DifferenceKind
from bench.regression.compare import differences
from bench.regression.ratios import Pair
from tests.builders.runs import LANES, facts

BASE, HEAD = facts(LANES[0]), facts(LANES[1])
PAIR = Pair("alpha", BASE.lane, HEAD.lane)
HEADERS = HEAD.response_headers


@pytest.mark.parametrize(
    ("changes", "kind", "name", "base", "head"),
    [
        ({"python": "3.13.0"}, DifferenceKind.PYTHON, "Python", BASE.python, "3.13.0"),
        ({"versions": {**BASE.versions, "uvicorn": "0.50"}}, DifferenceKind.PACKAGE, "uvicorn", "0.54.0", "0.50"),
        ({"versions": {**BASE.versions, "flask": "3.1"}}, DifferenceKind.PACKAGE, "flask", None, "3.1"),
        ({"response_headers": HEADERS[:-1]}, DifferenceKind.HEADER, "server", "gunicorn", None),
        ({"response_headers": (*HEADERS, ("X-A", "1"))}, DifferenceKind.HEADER, "x-a", None, "1"),
    ],
    ids=["python", "package", "new package", "header", "new header"],
)
def test_a_difference_has_both_sides(
    changes: dict[str, Any], kind: DifferenceKind, name: str, base: str | None, head: str | None
) -> None:
    """What is not there is None."""
    found = differences(PAIR, [BASE, facts(LANES[1], **changes)])
    assert found == (Difference(kind=kind, name=name, base=base, head=head),)


def test_the_date_of_an_answer_and_the_case_of_a_header_are_no_differences() -> None:
    """Nor is anything where a side never came up."""
    dated = (*((name.upper(), value) for name, value in HEADERS), ("Date", "today"))
    assert differences(PAIR, [BASE, facts(LANES[1], response_headers=dated)]) == ()
    assert differences(PAIR, [BASE]) == ()
