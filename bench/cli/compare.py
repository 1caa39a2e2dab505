"""``bench compare BASE HEAD``: did this change make it slower, and how sure are we? The gate of a CI job."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import completion
from bench.cli.options import (
    Percent,
    Requirement,
    config_option,
    finite,
    github_option,
    json_option,
    max_instructions_option,
    max_regression_option,
    out_option,
    seed_option,
)

if TYPE_CHECKING:
    from rich.console import Console

MOST_S = 86_400.0
BUDGET_HELP = "Seconds to spend. At least four rounds are measured, eight for most regressions. Default: 120."
PRECISION_HELP = "Stop when half of each interval is so narrow. Default: a third of --max-regression."
PRECISION_SHARE = 1 / 3
"""Of what is allowed: an interval that narrow tells a regression of twice the allowed from none."""


@click.command("compare")
@click.argument("base", shell_complete=completion.revisions)
@click.argument("head", shell_complete=completion.revisions)
@click.option(
    "--app",
    "apps",
    multiple=True,
    metavar="APP",
    help="Only this App; may be repeated. Default: those that differ.",
    shell_complete=completion.apps,
)
@click.option(
    "--base-with",
    type=Requirement(),
    multiple=True,
    help="Install this in BASE, instead of what is locked; may be repeated.",
)
@click.option(
    "--head-with",
    type=Requirement(),
    multiple=True,
    help="Install this in HEAD, instead of what is locked; may be repeated.",
)
@click.option("--base-python", default=sys.executable, help="BASE's interpreter: a path, or a version such as 3.13.")
@click.option("--head-python", default=sys.executable, help="HEAD's interpreter: a path, or a version such as 3.13.")
@max_regression_option
@max_instructions_option
@click.option("--precision", type=Percent(), help=PRECISION_HELP)
@click.option("--budget", type=click.FloatRange(min=10, max=MOST_S), default=120.0, help=BUDGET_HELP, callback=finite)
@click.option(
    "--instructions/--no-instructions",
    default=True,
    help="Count instructions per request, too, if there is valgrind. Default: yes.",
)
@seed_option
@config_option
@out_option
@github_option
@json_option
def command(  # noqa: PLR0913 - one for each option
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
    """Say whether a change made an App slower.

    BASE and HEAD are git revisions, or WORKTREE for what is not committed.
    """
    from bench.cli.gate import exit_code, tell_github, tell_github_why
    from bench.cli.output import progress_console
    from bench.cli.publishing import publish_comparison
    from bench.model.errors import BenchError
    from bench.model.experiment import Side
    from bench.regression.ab_runner import Terms
    from bench.regression.ab_testbed import open_ab_testbed
    from bench.regression.checkouts import SideRequest
    from bench.regression.compare import compare
    from bench.regression.ratios import Allowed
    from bench.regression.selection import NothingDiffers
    from bench.report import comparison as words
    from bench.report.exports.github import annotations
    from bench.run import store
    from bench.servers.environments import Recipe
    from bench.servers.project import open_project

    terms = Terms(
        allowed=Allowed(max_regression, max_instructions),
        precision=precision or max_regression * PRECISION_SHARE,
        budget_s=budget,
    )
    requests = {
        Side.BASE: SideRequest(base, Recipe(base_python, base_with)),
        Side.HEAD: SideRequest(head, Recipe(head_python, head_with)),
    }
    run_id, progress = store.new_run_id(), Progress(progress_console())
    try:
        with (
            open_ab_testbed(open_project(config), requests, apps, seed) as sides,
            store.create(results, run_id) as sink,
        ):
            comparison = compare(sides, terms, sink, progress, run_id=run_id, instructions_too=instructions)
    except NothingDiffers as nothing:
        if github:
            tell_github_why(nothing, level="warning" if nothing.elsewhere else "notice", title="")
        raise
    except (BenchError, OSError) as failure:  # there is nothing to say of an App
        if github:
            tell_github_why(failure)
        raise
    publish_comparison(results / run_id, comparison, as_json=as_json)
    if github:
        tell_github(annotations(comparison.judged, words.RATIO), words.markdown(comparison))
    sys.exit(exit_code(comparison.judged))


class Progress:
    """Says a line a Round."""

    def __init__(self, console: "Console") -> None:
        self._console = console

    def round_started(self, index: int, *, again: bool) -> None:
        """Says which Round begins, where somebody waits for it."""
        if self._console.is_terminal:
            self._console.print(f"round {index + 1}{', measuring again' if again else ''} …", end="\r")

    def round_ended(self, spent_s: float, widest: float) -> None:
        """Says how much is spent, and how precise the answer is so far."""
        precise = "" if widest == float("inf") else f", intervals up to ±{100 * widest:.1f} %"
        self._console.print(f"{spent_s:.0f} s{precise}", soft_wrap=True)
