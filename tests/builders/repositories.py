"""Real git repositories with a project in them."""

import subprocess
from pathlib import Path

WORKLOAD = 'workloads.hello = { path = "/price/{name}", body = "{name}: 10", content_type = "text/plain" }\n'
GROUP = '[groups.native]\ntitle = "as it is served"\nserver = "native"\n'


def git(folder: Path, *arguments: str) -> str:
    """Runs git as somebody, and returns what it said, without the last line's end."""
    somebody = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *somebody, *arguments], cwd=folder, capture_output=True, text=True, check=True)  # noqa: S607
    return done.stdout.removesuffix("\n")


def commit(folder: Path) -> None:
    """Commits all that is in a folder."""
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "change")


def state(folder: Path) -> tuple[str, ...]:
    """Returns all of a repository that a comparison must leave as it is."""
    asked = (
        ("status", "--porcelain"),
        ("branch", "--all"),
        ("worktree", "list"),
        ("rev-parse", "HEAD"),
        ("stash", "list"),
    )
    return tuple(git(folder, *command) for command in asked)


def app_table(name: str, *more: str) -> str:
    """Returns the definition of an App in a folder of its name."""
    first = (f"[apps.{name}]", f'title = "{name}"', f'folder = "{name}"', 'interfaces = { wsgi = "app:app" }')
    return "\n".join((*first, *(more or ('native = "gunicorn-gthread"',)))) + "\n"


def write_config(folder: Path, *tables: str) -> None:
    """Writes a project's bench.toml."""
    (folder / "bench.toml").write_text("".join((WORKLOAD, *tables, GROUP)))


def shop_and_till(folder: Path) -> Path:
    """Makes a project with two Apps in a folder, committed, and returns the folder."""
    for name in ("shop", "till"):
        (folder / name).mkdir(parents=True)
        (folder / name / "app.py").write_text("app = None\n")
        (folder / name / "requirements.txt").write_text("gunicorn\n")
    write_config(folder, app_table("shop"), app_table("till"))
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def with_uncommitted_changes(top: Path) -> Path:
    """Makes a repository with a project in a subfolder, and returns that.

    It has two commits, of which the first is tagged ``one``, a change, a new file and an ignored one.
    """
    app = top / "web" / "apps" / "hello"
    app.mkdir(parents=True)
    git(top, "init", "--quiet")
    (top / "web" / "bench.toml").write_text("")
    (top / ".gitignore").write_text("ignored\n")
    (app / "app.py").write_text("first")
    git(top, "add", ".")
    git(top, "commit", "--quiet", "-m", "first")
    git(top, "tag", "one")
    (app / "app.py").write_text("second")
    git(top, "commit", "--quiet", "-am", "second")
    (app / "app.py").write_text("third")
    (app / "new.py").write_text("new")
    (app / "ignored").write_text("ignored")
    return top / "web"
