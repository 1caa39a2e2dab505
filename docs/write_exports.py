"""Writes the table of exports.md, beside this script, from the rows of ``bench/report/exports/folder.py``."""

import re
from pathlib import Path

from bench.report.exports.folder import FORMATS

PAGE = Path(__file__).with_name("exports.md")
HEAD = "| file | format | holds | read by |\n| --- | --- | --- | --- |\n"


def page() -> str:
    """Returns the page with its table as it should be."""
    rows = "".join(f"| `{each.file}` | {each.format} | {each.holds} | {each.read_by} |\n" for each in FORMATS)
    return re.sub(rf"{re.escape(HEAD)}(?:\|.*\n)*", lambda _: HEAD + rows, PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
