"""The two sides as they were asked for, in a real repository: what they are, and what is wrong with a revision."""

from pathlib import Path

import pytest

from bench.model.config_errors import ConfigError
from bench.model.experiment import Side
from bench.regression.checkouts import Checkout, SideRequest, open_checkouts
from bench.regression.worktrees import temporary_place
from bench.run.git import RevisionFailed
from bench.servers.environments import Recipe
from bench.servers.project import open_project
from tests.builders.repositories import app_table, commit, git, shop_and_till, write_config


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Returns the folder of a project with two Apps, committed."""
    return shop_and_till(tmp_path / "project")


def opened(folder: Path, base: str = "HEAD", head: str = "WORKTREE") -> dict[Side, Checkout]:
    requests = {Side.BASE: SideRequest(base, Recipe()), Side.HEAD: SideRequest(head, Recipe())}
    config = open_project(folder / "bench.toml")
    with temporary_place() as place, open_checkouts(config, requests, place) as checkouts:
        assert checkouts[Side.BASE].commit == git(folder, "rev-parse", base)
        assert checkouts[Side.HEAD].commit is None
        return checkouts


def test_a_side_has_its_apps_as_they_were_and_the_configuration_of_now(project: Path) -> None:
    """Both are served and loaded as the user's bench.toml says, whatever it said then."""
    write_config(project, "[load]\nusers = 8\n", app_table("shop"), app_table("till"), app_table("new"))
    sides = opened(project)
    names = {side: [app.name for app in checkout.project.apps] for side, checkout in sides.items()}
    assert names == {Side.BASE: ["shop", "till"], Side.HEAD: ["shop", "till", "new"]}
    assert [checkout.project.config.load.users for checkout in sides.values()] == [8, 8]


def test_what_is_wrong_in_a_revision_is_said_of_it(project: Path) -> None:
    """The message names the revision and the file as the project has it, not the temporary folder that it was in."""
    write_config(project, app_table("shop", "native = 5"), app_table("till"))
    commit(project)
    write_config(project, app_table("shop"), app_table("till"))
    with pytest.raises(ConfigError) as caught:
        opened(project)
    assert str(caught.value).startswith("HEAD: bench.toml: apps.shop.native: found 5,")


def test_changes_that_neither_side_would_have_are_refused(project: Path) -> None:
    """The user may think that they are compared; the message names the first file."""
    (project / "till" / "app.py").write_text("app = 1\n")
    (project / "shared.py").write_text("price = 1\n")
    with pytest.raises(RevisionFailed, match=r"^till/app\.py: found 2 uncommitted changes"):
        opened(project, head="HEAD")


def test_an_unknown_revision_is_found_before_anything_is_made(project: Path) -> None:
    """Whichever side it is of; what the user may have meant is named, and to name it wrongly is wrong usage."""
    git(project, "branch", "feature")
    for sides in ({"base": "faeture"}, {"head": "faeture"}):
        with pytest.raises(RevisionFailed, match=r"^faeture: .*'feature'") as refusal:
            opened(project, **sides)
        assert refusal.value.exit_code == 2
    assert git(project, "worktree", "list").count("\n") == 0
