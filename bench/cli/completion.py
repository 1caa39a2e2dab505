"""What a shell proposes when a line is completed: names of the project, of its runs and of its revisions.

Whatever is wrong, nothing is proposed and nothing is said: an error would stand in the midst of the line.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

if TYPE_CHECKING:
    from bench.servers.project import Project

Names = Callable[[click.Context], Iterable[str]]
Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _silent(names: Names) -> Complete:
    """Makes a completion of what gives the names."""

    def complete(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        try:
            return [name for name in names(ctx) if name.startswith(incomplete)]
        except Exception:
            return []

    return complete


def _project(ctx: click.Context) -> "Project":
    from bench.servers.project import open_project

    return open_project(ctx.params.get("config") or Path("bench.toml"))


@_silent
def presets(ctx: click.Context) -> Iterable[str]:
    """Returns the presets that begin so."""
    return _project(ctx).config.presets


@_silent
def apps(ctx: click.Context) -> Iterable[str]:
    """Returns the Apps that begin so."""
    return sorted(app.name for app in _project(ctx).apps)


@_silent
def lanes(ctx: click.Context) -> Iterable[str]:
    """Returns the Lanes that begin so."""
    project = _project(ctx)
    any_preset = next(iter(project.config.presets))
    return [lane.name for lane in project.experiment(any_preset, seed=1).lanes]


@_silent
def runs(ctx: click.Context) -> Iterable[str]:
    """Returns the stored runs that begin so: ``latest``, then the newest first."""
    from bench.run.store import LATEST, MANIFEST

    results = ctx.params.get("results") or Path("results")
    newest_first = sorted((path.parent.name for path in results.glob(f"*/{MANIFEST}")), reverse=True)
    return sorted(newest_first, key=lambda name: name != LATEST)


@_silent
def revisions(ctx: click.Context) -> Iterable[str]:
    """Returns the revisions that begin so: what is not committed, the last commit, branches and tags."""
    from bench.run import git

    config = ctx.params.get("config") or Path("bench.toml")
    return [git.WORKTREE, "HEAD", *git.names(config.resolve().parent)]


class Bash(BashComplete):
    """Completes names with ``@`` and ``=`` in them, at which bash ends a word.

    Hence words are taken from the line itself, and what bash leaves standing of the last one is cut from proposals.
    """

    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n' found type value
    found=$(COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_REPLACED="$2" %(complete_var)s=bash_complete "$1" 2>/dev/null)
    COMPREPLY=()
    for found in $found; do
        IFS=',' read -r type value <<< "$found"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Returns the whole words before the cursor, and the one that it stands in."""
        line = os.environ["COMP_LINE"]
        _, *words = split_arg_string(line)
        incomplete = words.pop() if words and not line[-1].isspace() else ""
        return words, incomplete

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        """Returns what is proposed, without what bash leaves standing before it."""
        value = incomplete.partition("=")[2] if incomplete.startswith("--") and "=" in incomplete else incomplete
        standing = max(0, len(value) - len(os.environ["COMP_REPLACED"]))
        return [
            CompletionItem(item.value[standing:], item.type) if item.type == "plain" else item
            for item in super().get_completions(args, incomplete)
        ]


def register() -> None:
    """Makes click use what is here."""
    add_completion_class(Bash)
