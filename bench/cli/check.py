"""``bench check RUN --baseline RUN``: did a stored run become slower than another one?"""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console

from bench.analysis.parity import NotComparable
from bench.analysis.summary import Folded, fold
from bench.cli.compare import exit_code, tell_github, tell_github_why
from bench.cli.options import Percent, out_option
from bench.regression.ratios import Allowed
from bench.regression.stored_runs import check
from bench.report import stored_runs as words
from bench.report.exports import junit
from bench.report.exports.github import annotations
from bench.run import store

REFUSALS = (NotComparable, store.Unreadable)
"""What may end a check before there is anything to say of a Lane."""

SUITE = "bench check"
"""The name of the suite of tests in JUnit XML."""

out = Console(highlight=False)


@click.command("check")
@click.argument("run")
@click.option("--baseline", required=True, help="The run to compare with: its folder, its id, or latest.")
@click.option("--max-regression", type=Percent(), default=0.03, help="Of time and throughput. Default: 3%.")
@click.option("--max-instructions", type=Percent(), default=0.005, help="Of instructions. Default: 0.5%.")
@out_option
@click.option("--junit", "junit_file", type=click.Path(path_type=Path), help="Write the verdicts there, as JUnit XML.")
@click.option("--github", is_flag=True, help="Write annotations, and the summary of the job, for GitHub Actions.")
@click.option("--json", "as_json", is_flag=True, help="Give the result as one JSON document.")
def check_command(  # noqa: PLR0913 - one for each option
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
    """Compare two stored runs from one machine: RUN with a baseline, each Lane relative to raw in its own run."""
    try:
        found = check(_read(results, run), _read(results, baseline), Allowed(max_regression, max_instructions))
    except REFUSALS as refusal:  # whoever called the command says it
        if junit_file:
            _write(junit_file, [_refused(refusal)])
        if github:
            tell_github_why(refusal)
        raise
    if junit_file:
        _write(junit_file, junit.verdict_cases(found.judged, words.RATIO))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        out.print(words.terminal(found))
    if github:
        tell_github(annotations(found.judged, words.RATIO), words.markdown(found))
    sys.exit(exit_code(found.judged))


def _read(results: Path, run: str) -> Folded:
    stored = store.read(store.find(results, run))
    return fold(stored.manifest, stored.records, stored.failures, stored.observations)


def _refused(refusal: Exception) -> junit.Case:
    """Returns the one test of a check that judges nothing; no file, or an older one, would be taken for a pass."""
    return junit.Case(classname=SUITE, name="comparable", status=junit.CaseStatus.ERROR, message=str(refusal))


def _write(file: Path, cases: Sequence[junit.Case]) -> None:
    store.write_files(file.parent, {file.name: junit.render(SUITE, cases)})
