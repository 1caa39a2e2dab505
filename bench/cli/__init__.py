"""The command line: every command, and what it does. Results go to standard output, all else to standard error.

A command is in the module of its name, and is imported when it is called: ``bench --help`` imports none. Exit codes
are those of ``bench.model.errors.ExitCode``.
"""

import os
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from bench import __version__
from bench.cli.errors import in_one_line, one_line

COMMANDS = {
    "check": "Say whether a stored run became slower than another one.",
    "compare": "Say whether a change made an App slower.",
    "doctor": "Say whether this machine can measure, and what it can tell apart.",
    "history": "Show the trend of every Lane over all runs, and where it changed.",
    "list": "List Apps, Servers, Groups, Lanes, presets and Workloads.",
    "load": "Load any http URL with the driver alone, as hey and wrk do.",
    "plan": "Show what a run would do, and how long it will take.",
    "report": "Make all reports of a stored run, or of a comparison, again.",
    "run": "Measure every Lane, and report: the main job.",
    "serve": "Serve one Lane in the foreground, as a run launches it.",
    "verify": "Check the workload and the parity of every Lane, without load.",
}
COMPLETION = "_BENCH_COMPLETE"
"""The variable by which a shell asks what a line could go on with."""


class Later(click.Command):
    """A command by its name and its short help: all that is known of it until it is called."""

    def load(self) -> click.Command:
        """Imports the command."""
        command: click.Command = import_module(f"{__name__}.{self.name}").command
        return command


class Commands(click.Group):
    """Imports a command when it is called, and ends what bench raises with one line and an exit code."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Returns a command by the first argument, and the other arguments."""
        name, command, others = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Later) else command, others

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Reads the options before the command."""
        try:
            return super().make_context(*args, **options)
        except click.UsageError as error:
            raise one_line(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        with in_one_line(ctx):
            return super().invoke(ctx)

    def main(self, *args: Any, **options: Any) -> Any:
        """Runs the program, or answers a shell that completes a line."""
        if COMPLETION in os.environ:
            from bench.cli import completion

            completion.register()
        return super().main(*args, **options)


@click.group(
    cls=Commands,
    commands={name: Later(name, short_help=what) for name, what in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__)
def main() -> None:
    """Python web frameworks side by side, on identical servers, under the same load."""
    from bench.cli.interrupts import interrupt_on_signals

    interrupt_on_signals()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # names and lines that a terminal's encoding lacks
