"""A project at its revisions: what is measured, and that nothing of the user's repository is touched."""

import shutil
import subprocess
from pathlib import Path

import pytest

from bench import revisions
from bench.revisions import WORKTREE, RevisionFailed, changed_files, checked_out, fingerprint, resolved


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)  # noqa: S607
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Returns a project in a subfolder of its repository, with two commits, a change, a new file and an ignored one."""
    top = tmp_path / "repository"
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


def state(project: Path) -> tuple[str, ...]:
    """Returns all of a repository that a comparison must leave as it is."""
    asked = (
        ("status", "--porcelain"),
        ("branch", "-a"),
        ("worktree", "list"),
        ("rev-parse", "HEAD"),
        ("stash", "list"),
    )
    return tuple(git(project, *command) for command in asked)


@pytest.mark.parametrize(("revision", "content"), [("one", "first"), ("HEAD", "second"), (WORKTREE, "third")])
def test_a_revision_is_what_it_was(project: Path, tmp_path: Path, revision: str, content: str) -> None:
    """The files are as committed, or for the worktree as they lie there; afterwards everything is as before."""
    before = state(project)
    with checked_out(project, revision, tmp_path / "out") as folder:
        assert (folder / "bench.toml").is_file()
        assert (folder / "apps" / "hello" / "app.py").read_text() == content
        assert (folder / "apps" / "hello" / "new.py").exists() == (revision == WORKTREE)
        assert not (folder / "apps" / "hello" / "ignored").exists()
    assert state(project) == before
    assert revision == WORKTREE or not (tmp_path / "out").exists()


def test_two_revisions_may_be_out_at_once_and_an_error_leaves_nothing(project: Path, tmp_path: Path) -> None:
    """Whatever happens in between, Ctrl-C too, both worktrees are gone."""
    before = state(project)

    def interrupted() -> None:
        with checked_out(project, "one", tmp_path / "a"), checked_out(project, "HEAD", tmp_path / "b"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert state(project) == before
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_a_worktree_that_a_kill_left_behind_is_forgotten(project: Path, tmp_path: Path) -> None:
    """Its folder was in a temporary place that is gone; the next comparison mends the repository."""
    before = state(project)
    killed = tmp_path / f"{revisions.PREFIX}x1y2" / "base"
    git(project, "worktree", "add", "--quiet", "--lock", "--detach", str(killed), "one")
    shutil.rmtree(killed.parent)
    with checked_out(project, "one", tmp_path / "out"):
        pass
    assert state(project) == before


def test_a_worktree_of_the_users_stays_though_its_disk_is_away(project: Path, tmp_path: Path) -> None:
    """It is nobody's to forget: when its folder is back, it is the worktree that it was."""
    mine, away = tmp_path / "mine", tmp_path / "away"
    git(project, "worktree", "add", "--quiet", "-b", "mine", str(mine))
    mine.rename(away)
    with checked_out(project, "one", tmp_path / "out"):
        pass
    away.rename(mine)
    assert git(mine, "branch", "--show-current") == "mine"


def test_a_project_that_was_not_there_yet_is_named(project: Path, tmp_path: Path) -> None:
    """One line has the revision and the folder, and no temporary place; nothing is left."""
    (project.parent / "shop").mkdir()
    before = state(project)
    with (
        pytest.raises(RevisionFailed, match="one: found no folder shop in it"),
        checked_out(project.parent / "shop", "one", tmp_path / "out"),
    ):
        pass
    assert state(project) == before


def test_what_bench_writes_is_no_change(project: Path, tmp_path: Path) -> None:
    """Results and environments in a project without a .gitignore neither forbid a comparison nor go into a side."""
    git(project.parent, "add", ".")
    git(project.parent, "commit", "--quiet", "-m", "third")
    for own in revisions.OWN:
        (project / own).mkdir()
        (project / own / "file").write_text("made by bench")
    assert changed_files(project) == []
    with checked_out(project, WORKTREE, tmp_path / "out") as folder:
        assert {path.name for path in folder.iterdir()} == {"apps", "bench.toml"}


def test_two_worktrees_of_one_commit_are_the_same(project: Path, tmp_path: Path) -> None:
    """Also where the App is the whole repository, in which git has a file that names the worktree."""
    top = project.parent
    with checked_out(top, "one", tmp_path / "a") as one, checked_out(top, "one", tmp_path / "b") as other:
        assert fingerprint(one) == fingerprint(other)


def test_hooks_and_variables_of_git_have_no_say(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison may itself be started by a hook, and must not start others."""
    hook = project.parent / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    hook.chmod(0o700)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    with checked_out(project, "one", tmp_path / "out") as folder:
        assert (folder / "apps" / "hello" / "app.py").read_text() == "first"
    assert not (tmp_path / "hooked").exists()


@pytest.mark.parametrize("revision", ["nonsense", "", "--all", "one:web/bench.toml"])
def test_an_unknown_revision_is_one_line_that_names_it(project: Path, revision: str) -> None:
    """A blob, an option or nothing at all is no revision either."""
    with pytest.raises(RevisionFailed, match="found no such revision") as caught:
        resolved(project, revision)
    assert "\n" not in str(caught.value)


def test_where_there_is_no_checkout_the_message_says_what_there_is(project: Path, tmp_path: Path) -> None:
    """A bare repository is told from none, and a machine without git from both."""
    bare = tmp_path / "bare"
    git(tmp_path, "clone", "--quiet", "--bare", str(project.parent), str(bare))
    for revision in ("HEAD", WORKTREE):
        with pytest.raises(RevisionFailed, match="found a bare repository"):
            asked(bare, revision, tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    for revision in ("HEAD", WORKTREE):
        with pytest.raises(RevisionFailed, match="found no git work tree"):
            asked(outside, revision, tmp_path)


def asked(project: Path, revision: str, tmp_path: Path) -> None:
    with checked_out(project, revision, tmp_path / "out"):
        raise AssertionError("there was nothing to check out")


def test_without_git_the_message_says_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not on the PATH of every container."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RevisionFailed, match="expected the git command"):
        resolved(project, "HEAD")


def test_changes_are_those_that_a_comparison_of_commits_would_miss(project: Path) -> None:
    """Changed and new files of the project count, ignored ones do not."""
    assert changed_files(project) == ["web/apps/hello/app.py", "web/apps/hello/new.py"]
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "third")
    assert changed_files(project) == []


def test_a_fingerprint_is_of_names_modes_and_content(tmp_path: Path) -> None:
    """Caches do not count; a file that moved, changed or became executable does."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text("same")
    cache = tmp_path / "b" / "__pycache__"
    cache.mkdir()
    (cache / "app.pyc").write_text("cache")
    a, b = tmp_path / "a", tmp_path / "b"
    assert fingerprint(a) == fingerprint(b)
    (b / "app.py").chmod(0o755)
    assert fingerprint(a) != fingerprint(b)
    (b / "app.py").rename(b / "other.py")
    (b / "other.py").chmod(0o644)
    assert fingerprint(a) != fingerprint(b)
    assert revisions.fingerprint(tmp_path / "nothing") == revisions.fingerprint(tmp_path / "no more")
