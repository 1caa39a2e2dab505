"""`bench report`: which run."""

from pathlib import Path

from tests.builders.commands import assert_refused, call


def test_a_run_that_is_not_there_says_where_it_looked(tmp_path: Path) -> None:
    """`bench report` of nothing is wrong usage."""
    assert_refused(call("report", "--out", tmp_path, "yesterday"), "yesterday", "manifest.json", str(tmp_path))
