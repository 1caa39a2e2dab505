"""A project at its revisions: what is measured, and that nothing of the user's repository is touched."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bench.regression.worktrees import PREFIX, checked_out, fingerprints, temporary_place
from bench.run.git import OWN, WORKTREE, RevisionFailed, changed_files, current
from tests.builders.repositories import git, state, with_uncommitted_changes


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Returns a project in a subfolder of its repository, with changes that are not committed."""
    return with_uncommitted_changes(tmp_path / "repository")


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
    killed = tmp_path / f"{PREFIX}x1y2" / "base"
    git(project, "worktree", "add", "--quiet", "--lock", "--detach", str(killed), "one")
    shutil.rmtree(killed.parent)
    with checked_out(project, "one", tmp_path / "out"):
        pass
    assert state(project) == before


def test_what_a_kill_leaves_is_removed_by_the_next_comparison_and_what_lives_stays(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worktree, folder and git's entry; a comparison that is under way keeps its own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    before = state(project)
    program = (
        "import pathlib, sys, time\n"
        "from bench.regression.worktrees import checked_out, temporary_place\n"
        "with temporary_place() as place, checked_out(pathlib.Path(sys.argv[1]), 'one', place / 'base') as folder:\n"
        "    print(place, flush=True)\n"
        "    time.sleep(600)\n"
    )
    with (
        subprocess.Popen((sys.executable, "-c", program, project), stdout=subprocess.PIPE, text=True) as killed,
        subprocess.Popen((sys.executable, "-c", program, project), stdout=subprocess.PIPE, text=True) as living,
    ):
        try:
            left_over, in_use = (Path(next(iter(process.stdout or ())).strip()) for process in (killed, living))
            killed.kill()
            killed.wait()
            with temporary_place() as place, checked_out(project, "one", place / "base"):
                assert not left_over.exists()
                assert (in_use / "base" / "web" / "bench.toml").is_file()
                listed = git(project, "worktree", "list")
                assert str(left_over) not in listed
                assert str(in_use) in listed
        finally:
            killed.kill()
            living.kill()
    with temporary_place() as place, checked_out(project, "one", place / "base"):
        pass
    assert state(project) == before
    assert not list(tmp_path.glob(f"{PREFIX}*"))


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
        pytest.raises(RevisionFailed, match=r"^one: .* shop "),
        checked_out(project.parent / "shop", "one", tmp_path / "out"),
    ):
        pass
    assert state(project) == before


def test_what_bench_writes_is_no_change(project: Path, tmp_path: Path) -> None:
    """Results and environments in a project without a .gitignore neither forbid a comparison nor go into a side."""
    git(project.parent, "add", ".")
    git(project.parent, "commit", "--quiet", "-m", "third")
    commit = git(project, "rev-parse", "--short=12", "HEAD")
    for own in OWN:
        (project / own).mkdir()
        (project / own / "file").write_text("made by bench")
    assert changed_files(project) == []
    assert current(project) == commit
    with checked_out(project, WORKTREE, tmp_path / "out") as folder:
        assert {path.name for path in folder.iterdir()} == {"apps", "bench.toml"}


def test_two_worktrees_of_one_commit_are_the_same(project: Path, tmp_path: Path) -> None:
    """Also where the App is the whole repository, in which git has a file that names the worktree."""
    top = project.parent
    with checked_out(top, "one", tmp_path / "a") as one, checked_out(top, "one", tmp_path / "b") as other:
        assert fingerprints(one, one) == fingerprints(other, other)


def test_hooks_and_variables_of_git_have_no_say(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison may itself be started by a hook, and must not start others."""
    hook = project.parent / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    hook.chmod(0o700)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    assert changed_files(project) == ["web/apps/hello/app.py", "web/apps/hello/new.py"]
    with checked_out(project, "one", tmp_path / "out") as folder:
        assert (folder / "apps" / "hello" / "app.py").read_text() == "first"
    assert not (tmp_path / "hooked").exists()


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
        with pytest.raises(RevisionFailed, match="no git work tree"):
            asked(outside, revision, tmp_path)


def asked(project: Path, revision: str, tmp_path: Path) -> None:
    with checked_out(project, revision, tmp_path / "out"):
        raise AssertionError("there was nothing to check out")


def test_a_change_beside_the_project_is_one_and_is_in_the_side(project: Path, tmp_path: Path) -> None:
    """A project in a subfolder may use it, by a link for one."""
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "third")
    shared = project.parent / "shared.py"
    shared.write_text("new")
    assert changed_files(project) == ["shared.py"]
    with checked_out(project, WORKTREE, tmp_path / "out") as folder:
        assert (folder.parent / "shared.py").read_text() == "new"


def test_a_name_that_is_no_utf_8_is_written_as_an_escape(project: Path, tmp_path: Path) -> None:
    """Such a file is compared and named like others."""
    name = os.fsdecode(b"caf\xe9.py")
    (project / name).write_text("new")
    assert "web/caf\\udce9.py" in changed_files(project)
    with checked_out(project, WORKTREE, tmp_path / "out") as folder:
        assert (folder / name).read_text() == "new"
        assert "caf\\udce9.py" in fingerprints(folder, folder)


def test_the_index_stays_as_it_is(project: Path, tmp_path: Path) -> None:
    """A file with new times and the old content makes a git that is just asked for the status write the index anew."""
    index, app = project.parent / ".git" / "index", project / "apps" / "hello" / "app.py"
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "third")
    os.utime(app, (1, 1))
    before = index.read_bytes(), index.stat().st_mtime_ns, index.stat().st_ino
    assert changed_files(project) == []
    assert current(project) is not None
    for revision in ("HEAD", WORKTREE):
        with checked_out(project, revision, tmp_path / revision):
            pass
    assert (index.read_bytes(), index.stat().st_mtime_ns, index.stat().st_ino) == before
    git(project, "status")
    assert index.read_bytes() != before[0], "expected a status that does refresh the index, or nothing was tested"


@pytest.mark.parametrize("name", ["results/prices.py", ".bench/prices.py", ".venv/prices.py"])
def test_what_an_app_has_counts_whatever_its_name(tmp_path: Path, name: str) -> None:
    """Where bench writes to is at the project's root, and what git does not ignore is the user's."""
    file = tmp_path / "apps" / "shop" / name
    file.parent.mkdir(parents=True)
    file.write_text("first")
    before = fingerprints(tmp_path, tmp_path / "apps" / "shop")
    assert set(before) == {name}
    file.write_text("second")
    assert fingerprints(tmp_path, tmp_path / "apps" / "shop") != before


@pytest.mark.parametrize("own", OWN)
def test_what_bench_writes_is_no_file_of_an_app_that_is_the_whole_project(tmp_path: Path, own: str) -> None:
    """It lies at the project's root, in the App's folder."""
    (tmp_path / own).mkdir()
    (tmp_path / own / "file").write_text("made by bench")
    (tmp_path / "app.py").write_text("app = None\n")
    assert set(fingerprints(tmp_path, tmp_path / ".")) == {"app.py"}


def test_what_git_ignores_is_in_no_side(project: Path, tmp_path: Path) -> None:
    """An environment or a cache in an App's folder makes no difference to its last commit."""
    (project.parent / ".gitignore").write_text("ignored\n.venv/\n__pycache__/\n")
    git(project, "add", "--all", project.parent.as_posix())
    git(project, "commit", "--quiet", "-m", "third")
    for made in (".venv", "__pycache__"):
        (project / "apps" / "hello" / made).mkdir()
        (project / "apps" / "hello" / made / "file").write_text("made by a program")
    with (
        checked_out(project, "HEAD", tmp_path / "a") as committed,
        checked_out(project, WORKTREE, tmp_path / "b") as now,
    ):
        assert fingerprints(committed, committed) == fingerprints(now, now)


def test_a_link_is_where_it_leads_to(tmp_path: Path) -> None:
    """One to a file has its content; of one to a folder or to nowhere only the target is known."""
    app = tmp_path / "app"
    app.mkdir()
    (tmp_path / "library.py").write_text("first")
    (app / "library.py").symlink_to("../library.py")
    (app / "data").symlink_to("../one")
    before = fingerprints(tmp_path, app)
    (tmp_path / "library.py").write_text("second")
    (app / "data").unlink()
    (app / "data").symlink_to("../another")
    after = fingerprints(tmp_path, app)
    assert {name for name in before if before[name] != after[name]} == {"library.py", "data"}


def fingerprint(folder: Path) -> dict[str, str]:
    return fingerprints(folder.parent, folder)


def test_fingerprints_are_of_names_modes_and_content(tmp_path: Path) -> None:
    """Caches do not count; a file that moved, changed or became executable does, whoever else may execute it."""
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
    (a / "app.py").chmod(0o744)
    assert fingerprint(a) == fingerprint(b)
    (a / "app.py").chmod(0o644)
    (b / "app.py").rename(b / "other.py")
    (b / "other.py").chmod(0o644)
    assert fingerprint(a) != fingerprint(b)
    (b / "other.py").rename(b / "app.py")
    (b / "app.py").write_text("other")
    assert fingerprint(a) != fingerprint(b)
    assert fingerprint(tmp_path / "nothing") == {}
