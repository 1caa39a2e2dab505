"""``bench check RUN --baseline RUN``: did a stored run become slower than another one?"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import completion
from bench.cli.options import (
    FOLDER,
    github_option,
    json_option,
    max_instructions_option,
    max_regression_option,
    out_option,
)

if TYPE_CHECKING:
    from bench.report.exports.junit import Case

SUITE = "bench check"
"""The name of the suite of tests in JUnit XML."""


@click.command("check")
@click.argument("run", shell_complete=completion.runs)
@click.option(
    "--baseline",
    required=True,
    metavar="RUN",
    help="The run to compare with: its folder, its id, or latest.",
    shell_complete=completion.runs,
)
@max_regression_option
@max_instructions_option
@out_option
@click.option("--junit", "junit_file", type=FOLDER, help="Write the verdicts there, as JUnit XML.")
@github_option
@json_option
def command(  # noqa: PLR0913 - one for each option
    *,
    run: str,
    baseline: str,
    max_regression: float,
    max_instructions: float,
    results: Path,
    junit_file: Path | None,
    github: bool,
    as_json: bool,
) -> None:
    """Say whether a stored run became slower than another one.

    RUN is its folder, its id, or latest; it is from the same machine as the baseline. Lanes are relative to raw in
    their own run.
    """
    from bench.cli.gate import exit_code, tell_github, tell_github_why
    from bench.cli.output import show
    from bench.cli.publishing import folded
    from bench.model.errors import BenchError
    from bench.model.formats import to_json
    from bench.regression.check import check
    from bench.regression.ratios import Allowed
    from bench.report import check as words
    from bench.report.exports import junit
    from bench.report.exports.github import annotations
    from bench.run import store

    try:
        one, other = (folded(store.find(results, each)) for each in (run, baseline))
        found = check(one, other, Allowed(max_regression, max_instructions))
    except BenchError as refusal:  # there is nothing to say of a Lane
        if junit_file:
            _write(junit_file, [_refused(refusal)])
        if github:
            tell_github_why(refusal)
        raise
    if junit_file:
        _write(junit_file, junit.verdict_cases(found.judged, words.RATIO))
    show(words.terminal(found), to_json(found), as_json=as_json)
    if github:
        tell_github(annotations(found.judged, words.RATIO), words.markdown(found))
    sys.exit(exit_code(found.judged))


def _refused(refusal: Exception) -> "Case":
    """Returns the one test of a check that judges nothing; no file, or an older one, would be taken for a pass."""
    from bench.report.exports.junit import Case, CaseStatus

    return Case(classname=SUITE, name="comparable", status=CaseStatus.ERROR, message=str(refusal))


def _write(file: Path, cases: "Sequence[Case]") -> None:
    from bench.report.exports import junit
    from bench.run import store

    store.write_files(file.parent, {file.name: junit.render(SUITE, cases)})
