"""``bench check RUN --baseline RUN``: did a stored run become slower than another one?"""

import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console

from bench import store
from bench.check import Measured, check, measured
from bench.compare_command import exit_code, tell_github
from bench.evidence import Allowed
from bench.options import Percent, out_option
from bench.report import check as words
from bench.report.exports import junit, verdicts
from bench.report.github import annotations

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
    found = check(_read(results, run), _read(results, baseline), Allowed(max_regression, max_instructions))
    if junit_file:
        cases = verdicts.cases(found.judged, words.RATIO)
        store.write_files(junit_file.parent, {junit_file.name: junit.render("bench check", cases)})
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        out.print(words.terminal(found))
    if github:
        tell_github(annotations(found.judged, words.RATIO), words.markdown(found))
    sys.exit(exit_code(found.judged))


def _read(results: Path, run: str) -> Measured:
    stored = store.read(store.find(results, run))
    return measured(stored.manifest, stored.records, stored.failures, stored.observations)
