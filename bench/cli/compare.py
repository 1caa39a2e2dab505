"""``bench compare BASE HEAD``: did this change make it slower, and how sure are we? The gate of a CI job."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from bench.cli.options import NOT_MEASURED, Percent, Requirement, finite, out_option
from bench.model.config import ConfigError
from bench.model.experiment import Side
from bench.model.formats import to_json
from bench.model.regression import Comparison, Judged, Verdict
from bench.regression.ab_runner import Terms
from bench.regression.checkouts import NothingDiffers, Wanted, open_sides
from bench.regression.compare import compare as compare_sides
from bench.regression.ratios import Allowed
from bench.regression.verdict import is_unusable
from bench.report import regression as words
from bench.report.exports import junit
from bench.report.exports.github import annotation, annotations
from bench.report.markdown import headline
from bench.run import store
from bench.run.driver_client import DriverFailed
from bench.run.git import RevisionFailed
from bench.run.runner import NothingToMeasure
from bench.servers.environments import Recipe
from bench.servers.project import open_project

REGRESSION = 1
MOST_S = 86_400.0
BUDGET_HELP = "Seconds to spend; four rounds are measured in any case, of most regressions eight. Default: 120."
PRECISION_HELP = "Half an interval's width to stop at. Default: a third of --max-regression."
PRECISION_SHARE = 1 / 3
"""Of what is allowed: an interval that narrow tells a regression of twice the allowed from none."""
FAILURES = (ConfigError, RevisionFailed, NothingToMeasure, DriverFailed, OSError)
"""What may end a comparison before there is anything to say of an App."""

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@click.command()
@click.argument("base")
@click.argument("head")
@click.option("--app", "apps", multiple=True, help="Only this App; may be repeated. Default: those that differ.")
@click.option("--base-with", type=Requirement(), multiple=True, help="In BASE, this instead of what is locked.")
@click.option("--head-with", type=Requirement(), multiple=True, help="In HEAD, this instead of what is locked.")
@click.option("--base-python", default=sys.executable, help="BASE's interpreter: a path, or a version such as 3.13.")
@click.option("--head-python", default=sys.executable, help="HEAD's interpreter: a path, or a version such as 3.13.")
@click.option("--max-regression", type=Percent(), default=0.03, help="Of time and throughput. Default: 3%.")
@click.option("--max-instructions", type=Percent(), default=0.005, help="Of instructions. Default: 0.5%.")
@click.option("--precision", type=Percent(), help=PRECISION_HELP)
@click.option("--budget", type=click.FloatRange(min=10, max=MOST_S), default=120.0, help=BUDGET_HELP, callback=finite)
@click.option("--instructions/--no-instructions", default=True, help="Count instructions, where there is valgrind.")
@click.option("--seed", type=int, default=1, help="Seed of the order of slices. Default: 1.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("bench.toml"), help="Default: bench.toml.")
@out_option
@click.option("--github", is_flag=True, help="Write annotations, and the summary of the job, for GitHub Actions.")
@click.option("--json", "as_json", is_flag=True, help="Give the result as one JSON document.")
def compare(  # noqa: PLR0913 - one for each option
    *,
    base: str,
    head: str,
    apps: tuple[str, ...],
    base_with: tuple[str, ...],
    head_with: tuple[str, ...],
    base_python: str,
    head_python: str,
    max_regression: float,
    max_instructions: float,
    precision: float | None,
    budget: float,
    instructions: bool,
    seed: int,
    config: Path,
    results: Path,
    github: bool,
    as_json: bool,
) -> None:
    """Compare two git revisions of Apps: BASE and HEAD, or WORKTREE for what is not committed."""
    terms = Terms(
        allowed=Allowed(max_regression, max_instructions),
        precision=precision or max_regression * PRECISION_SHARE,
        budget_s=budget,
    )
    wanted = {
        Side.BASE: Wanted(base, Recipe(base_python, base_with)),
        Side.HEAD: Wanted(head, Recipe(head_python, head_with)),
    }
    run_id = store.new_run_id()
    try:
        with open_sides(open_project(config), wanted, apps, seed) as sides, store.create(results, run_id) as sink:
            comparison = compare_sides(sides, terms, sink, Progress(), run_id=run_id, instructions_too=instructions)
    except NothingDiffers as nothing:
        click.echo(f"bench: {nothing}", err=True)
        if github:
            level = "warning" if nothing.elsewhere else "notice"
            tell_github(annotation(level, str(nothing)), f"{headline(str(nothing))}\n")
        return
    except FAILURES as failure:  # whoever called the command says it
        if github:
            tell_github_why(failure)
        raise
    publish(results / run_id, comparison, as_json=as_json)
    if github:
        tell_github(annotations(comparison.judged, words.RATIO), words.markdown(comparison))
    sys.exit(exit_code(comparison.judged))


def publish(folder: Path, comparison: Comparison, *, as_json: bool) -> None:
    """Writes what a comparison says into its folder, and shows it."""
    document = to_json(comparison)
    files = {
        store.COMPARISON: document,
        store.COMPARISON_MARKDOWN: words.markdown(comparison).encode(),
        store.COMPARISON_JUNIT: junit.render("bench compare", junit.verdict_cases(comparison.judged, words.RATIO)),
    }
    store.write_files(folder, files)
    if as_json:
        click.echo(document, nl=False)
    else:
        out.print(words.terminal(comparison))


def tell_github(commands: str, markdown: str) -> None:
    """Prints annotations, and adds the result to the job's summary where there is one."""
    click.echo(commands, nl=False, err=True)  # the runner reads both; standard output may be JSON
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary is None:
        click.echo(
            "bench: GITHUB_STEP_SUMMARY is not set, so no summary was written: is this GitHub Actions?", err=True
        )
        return
    with Path(summary).open("a", encoding="utf-8") as file:
        file.write(markdown)


def tell_github_why(failure: Exception) -> None:
    """Prints an annotation with the reason why there is nothing to say, and adds it to the job's summary."""
    tell_github(annotation("error", str(failure)), f"{headline(f'Could not be compared: {failure}')}\n")


def exit_code(judged: Sequence[Judged]) -> int:
    """Returns 3 where something could not be measured or answered wrongly, 1 for a confirmed regression, 0 else."""
    if any(is_unusable(each) for each in judged):
        return NOT_MEASURED
    return REGRESSION if any(found.verdict is Verdict.SLOWER for each in judged for found in each.evidence) else 0


class Progress:
    """Says a line a Round."""

    def round_started(self, index: int, *, again: bool) -> None:
        """Says which Round begins, where somebody waits for it."""
        if err.is_terminal:
            err.print(f"round {index + 1}{', measuring again' if again else ''} …", end="\r")

    def round_ended(self, spent_s: float, widest: float) -> None:
        """Says how much is spent, and how precise the answer is so far."""
        precise = "" if widest == float("inf") else f", intervals up to ±{100 * widest:.1f} %"
        err.print(f"{spent_s:.0f} s{precise}", soft_wrap=True)
