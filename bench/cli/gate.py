"""What ``compare`` and ``check`` have in common as gates of a CI job: their exit code, and what GitHub is told."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.errors import words
from bench.cli.output import tell
from bench.model.errors import ExitCode

if TYPE_CHECKING:
    from bench.model.regression import Judged


def exit_code(judged: "Sequence[Judged]") -> ExitCode:
    """Returns how a gate ends: not measured comes before a regression, as a wrong answer makes nothing fast."""
    from bench.model.regression import Verdict
    from bench.regression.verdict import is_unusable

    if any(is_unusable(each) for each in judged):
        return ExitCode.NOT_MEASURED
    slower = any(found.verdict is Verdict.SLOWER for each in judged for found in each.evidence)
    return ExitCode.REGRESSION if slower else ExitCode.FINE


def tell_github(commands: str, markdown: str) -> None:
    """Prints annotations, and adds the result to the job's summary where there is one."""
    click.echo(commands, nl=False, err=True)  # the runner reads both; standard output may be JSON
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary is None:
        tell("GITHUB_STEP_SUMMARY is not set, so no summary was written: is this GitHub Actions?")
        return
    with Path(summary).open("a", encoding="utf-8") as file:
        file.write(markdown)


def tell_github_why(reason: Exception, *, level: str = "error", title: str = "Could not be compared: ") -> None:
    """Prints an annotation with the reason why there is nothing to say, and adds it to the job's summary."""
    from bench.report.exports.github import annotation
    from bench.report.markdown import headline

    tell_github(annotation(level, words(reason)), f"{headline(f'{title}{words(reason)}')}\n")
