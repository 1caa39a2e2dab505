"""Writes reasons.md, beside this script, from the docstrings of the codes."""

import ast
import inspect
import re
from enum import Enum
from pathlib import Path

from bench.doctor.diagnosis import What
from bench.model.reason import Code

PAGE = Path(__file__).with_name("reasons.md")
HEAD = """# Reasons

Why a value is not known, or a figure can't be trusted, is a code with numbers in every JSON file: in `validity`,
`missing`, `partial` and `lacking` of `summary.json`, in `unknown`, `discarded` and `not_repeated` of `slices.jsonl`, in
`failures.jsonl` and `observations.jsonl`, in `irremovable_differences` of `manifest.json`, and in what `bench compare`,
`bench check` and `bench doctor` give with `--json`. Reports say the same in words. Programs read the code:

```json
{"code": "driver-full", "values": {"server_share": 0.41, "driver_share": 0.97}}
```

`values` are what the tables below name, with their units: a name that ends in `_share` is a share (0.41 for 41 %), in
`_ms` milliseconds, in `_s` seconds, in `_rps` requests a second. A value that is not known is null. Rounds are numbered
from 0, and a `load` is written, as in `slices.jsonl`; reports number Rounds from 1. `of` is whom it was found of, where
the place does not say so, and `because` has its causes, which are reasons too. What is empty is left out.

`make fix` writes this page from `bench/model/reason.py` and `bench/doctor/diagnosis.py`.
"""
DOCTOR = """
## What bench doctor looks at

A finding has `what` was looked at, a `severity`, and these `values`; what it was expected to be is described in
[doctor.md](doctor.md). `because` has reasons, as above.
"""

Documented = list[tuple[str, list[tuple[str, str]]]]
"""Sections, each with its heading and its members: name and docstring."""


def documented(kind: type[Enum]) -> Documented:
    """Returns the docstrings of an enum's members, under the comments that stand before them."""
    source = inspect.getsource(kind)
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    headings = [
        (at, found[1]) for at, line in enumerate(source.splitlines(), 1) if (found := re.match(r" +# (.*)", line))
    ]
    sections: Documented = [("", [])]
    for member, text in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(member, ast.Assign):
            assert isinstance(text, ast.Expr)
            while headings and headings[0][0] < member.lineno:
                sections.append((headings.pop(0)[1], []))
            sections[-1][1].append((ast.unparse(member.targets[0]), inspect.cleandoc(ast.literal_eval(text.value))))
    return [section for section in sections if section[1]]


def page() -> str:
    """Returns the page."""
    codes = [f"\n## {heading}\n\n{_table(Code, members)}" for heading, members in documented(Code)]
    ((_, looked_at),) = documented(What)
    return "".join((HEAD, *codes, DOCTOR, "\n", _table(What, looked_at)))


def _table(kind: type[Enum], members: list[tuple[str, str]]) -> str:
    rows = [f"| `{kind[name].value}` | {' '.join(text.replace('``', '`').split())} |" for name, text in members]
    return "\n".join(("| code | what was found |", "| --- | --- |", *rows, ""))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
