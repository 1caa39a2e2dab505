"""What git says of a project: its commit, its changes, and what is wrong with a revision."""

from pathlib import Path

import pytest

from bench.run.git import RevisionFailed, changed_files, current, of_checkout, resolved
from tests.builders.repositories import git, with_uncommitted_changes


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Returns a project in a subfolder of its repository, with changes that are not committed."""
    return with_uncommitted_changes(tmp_path / "repository")


@pytest.mark.parametrize("revision", ["nonsense", "", "--all", "^HEAD", "one:web/bench.toml"])
def test_an_unknown_revision_is_one_line_that_names_it(project: Path, revision: str) -> None:
    """A blob, an option, what is to be left out, or nothing at all is no revision either."""
    with pytest.raises(RevisionFailed, match="found no such revision") as caught:
        resolved(project, revision)
    assert "\n" not in str(caught.value)


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


def test_a_folder_that_git_does_not_trust_is_told_in_its_words(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkouts in containers often belong to somebody else; declared safe by a variable, they are used."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(RevisionFailed, match=r"git says: .*safe\.directory") as caught:
        resolved(project, "HEAD")
    assert "\n" not in str(caught.value)
    for name, value in (("COUNT", "1"), ("KEY_0", "safe.directory"), ("VALUE_0", "*")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    assert resolved(project, "HEAD") == git(project, "rev-parse", "HEAD")


def test_the_current_commit_is_marked_where_something_is_not_committed(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what is outside of the project, as Apps may import it; outside of a checkout, or without git, it is None."""
    assert current(project) == git(project, "rev-parse", "--short=12", "HEAD") + "+"
    git(project.parent, "add", ".")
    git(project.parent, "commit", "--quiet", "-m", "third")
    commit = git(project, "rev-parse", "--short=12", "HEAD")
    assert current(project) == commit
    (project.parent / "library.py").write_text("new")
    assert current(project) == f"{commit}+"
    assert current(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert current(project) is None


def test_a_commit_whose_changes_are_not_known_is_marked_too(project: Path) -> None:
    """Nobody can say that what was measured is what was committed."""
    git(project.parent, "add", ".")
    git(project.parent, "commit", "--quiet", "-m", "third")
    (project.parent / ".git" / "index").write_bytes(b"broken")
    assert current(project) == git(project, "rev-parse", "--short=12", "HEAD") + "+"


def test_what_is_installed_in_a_checkout_is_not_at_its_commit(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the top of a checkout has a revision of its own; a folder in it, such as site-packages, has none."""
    top = project.parent
    assert of_checkout(top) == git(top, "rev-parse", "--short=12", "HEAD") + "+"
    assert of_checkout(project) is None
    assert of_checkout(tmp_path) is None
    (tmp_path / "link").symlink_to(top)
    assert of_checkout(tmp_path / "link") == of_checkout(top)
    monkeypatch.setenv("PATH", "")
    assert of_checkout(top) is None


def test_a_history_that_is_committed_marks_no_commit(project: Path) -> None:
    """Every run appends to it, and none of them changed the project; a folder of an App's may have the same name."""
    (project / "results").mkdir()
    history, prices = project / "results" / "history.jsonl", project / "apps" / "hello" / "results" / "prices.py"
    history.write_text("{}\n")
    prices.parent.mkdir()
    prices.write_text("first")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "third")
    commit = git(project, "rev-parse", "--short=12", "HEAD")
    history.write_text("{}\n{}\n")
    assert (changed_files(project), current(project)) == ([], commit)
    prices.write_text("second")
    assert (changed_files(project), current(project)) == (["web/apps/hello/results/prices.py"], f"{commit}+")
