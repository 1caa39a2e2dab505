"""Which Apps are compared, in a real repository: those that differ, or those that were asked for."""

import shutil
from pathlib import Path

import pytest

from bench.model.config_errors import ConfigError
from bench.model.experiment import Side
from bench.model.reason import Code, reason
from bench.regression.checkouts import SideRequest, open_checkouts
from bench.regression.selection import NothingDiffers, Selection, select
from bench.regression.worktrees import temporary_place
from bench.servers.environments import Recipe
from bench.servers.project import open_project
from tests.builders.repositories import app_table, commit, git, shop_and_till, write_config

AS_LOCKED = Recipe()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Returns the folder of a project with two Apps, committed."""
    return shop_and_till(tmp_path / "project")


def selected(
    folder: Path, *apps: str, base: str = "HEAD", head: str = "WORKTREE", head_recipe: Recipe = AS_LOCKED
) -> Selection:
    requests = {Side.BASE: SideRequest(base, AS_LOCKED), Side.HEAD: SideRequest(head, head_recipe)}
    opened = open_project(folder / "bench.toml")
    with temporary_place() as place, open_checkouts(opened, requests, place) as checkouts:
        return select(checkouts, apps)


def elsewhere(folder: Path) -> list[str]:
    """Returns what differs outside of the Apps' folders, where nothing is compared."""
    with pytest.raises(NothingDiffers) as caught:
        selected(folder)
    assert all(name in str(caught.value) for name in caught.value.elsewhere[:1])
    assert "\n" not in str(caught.value)
    return list(caught.value.elsewhere)


def test_an_app_whose_code_changed_differs(project: Path) -> None:
    """The other one is left out."""
    (project / "till" / "app.py").write_text("app = 1\n")
    assert selected(project) == Selection(("till",), ())


def test_an_app_whose_definition_changed_differs(project: Path) -> None:
    """It is served differently, though no file in its folder is another."""
    table = app_table("shop", 'native = "gunicorn-gthread"', 'environment = { SHOP_DEBUG = "1" }')
    write_config(project, table, app_table("till"))
    assert selected(project).apps == ("shop",)


def test_in_other_environments_all_apps_differ(project: Path) -> None:
    """Another interpreter or package on one side is a difference, though no file is another."""
    assert selected(project, head_recipe=Recipe(requirements=("gunicorn==1",))).apps == ("shop", "till")


def test_apps_that_were_asked_for_are_compared_whether_or_not_they_differ(project: Path) -> None:
    """Each once, in the order in which they were named."""
    (project / "till" / "app.py").write_text("app = 1\n")
    assert selected(project, "till", "shop", "till").apps == ("till", "shop")


@pytest.mark.parametrize("name", ["shops", "new"])
def test_an_app_that_not_both_sides_have_is_refused(project: Path, name: str) -> None:
    """The message names it, with the side that has it or with the names that there are."""
    write_config(project, app_table("shop"), app_table("till"), app_table("new"))
    with pytest.raises(ConfigError, match="WORKTREE only" if name == "new" else "shop, till") as caught:
        selected(project, name)
    assert name in str(caught.value)


def test_without_a_difference_there_is_nothing_to_compare(project: Path) -> None:
    """Neither what bench writes nor its configuration, which both sides share, is one; an App can be named."""
    (project / "results").mkdir()
    (project / "results" / "history.jsonl").write_text("{}\n")
    write_config(project, "[load]\nusers = 8\n", app_table("shop"), app_table("till"))
    assert elsewhere(project) == []
    assert selected(project, "shop").apps == ("shop",)


def test_what_differs_outside_of_the_apps_folders_is_said(project: Path) -> None:
    """An App may import it, which bench can't know; where some Apps differ and others do not, it is a note."""
    library = project / "src" / "library"
    library.mkdir(parents=True)
    (library / "prices.py").write_text("price = 1\n")
    assert elsewhere(project) == ["src/library/prices.py"]
    commit(project)
    (library / "prices.py").unlink()
    (library / "names.py").write_text("names = ()\n")
    assert elsewhere(project) == ["src/library/names.py", "src/library/prices.py"]
    (project / "till" / "app.py").write_text("app = 1\n")
    found = selected(project)
    assert found.apps == ("till",)
    (note,) = found.notes
    assert note == reason(Code.FILES_DIFFER_OUTSIDE, first="src/library/names.py", files=2)
    (project / "shop" / "app.py").write_text("app = 1\n")
    assert selected(project) == Selection(("shop", "till"), ())


def test_what_differs_beside_the_project_is_said_too(project: Path) -> None:
    """Its repository may have more than it; a file of an App's that is a link to there differs with it."""
    shutil.rmtree(project / ".git")
    top = project.parent / "repository"
    top.mkdir()
    project = project.rename(top / "project")
    (top / "shared").mkdir()
    (top / "shared" / "prices.py").write_text("price = 1\n")
    (project / "till" / "shared").symlink_to(Path("..") / ".." / "shared")
    git(top, "init", "--quiet")
    commit(top)
    (top / "shared" / "prices.py").write_text("price = 2\n")
    write_config(project, "[load]\nusers = 8\n", app_table("shop"), app_table("till"))
    assert elsewhere(project) == ["shared/prices.py"]


def test_a_folder_of_an_apps_that_is_named_as_benchs_own_differs(project: Path) -> None:
    """Only at the project's root is it where bench writes to."""
    (project / "till" / "results").mkdir()
    (project / "till" / "results" / "prices.py").write_text("price = 1\n")
    assert selected(project).apps == ("till",)


@pytest.mark.parametrize(("base", "head"), [("HEAD", "WORKTREE"), ("WORKTREE", "HEAD")])
def test_an_app_on_one_side_only_is_no_silent_pass(project: Path, base: str, head: str) -> None:
    """Where nothing else differs the App and its side are named; else it is a note beside what is compared."""
    write_config(project, app_table("shop"), app_table("till"), app_table("new"))
    with pytest.raises(ConfigError, match=r"^new: .*\bWORKTREE\b"):
        selected(project, base=base, head=head)
    (project / "till" / "app.py").write_text("app = 1\n")
    found = selected(project, base=base, head=head)
    assert found.apps == ("till",)
    (note,) = found.notes
    assert note == reason(Code.ON_ONE_SIDE, side="WORKTREE").found_of("new")
