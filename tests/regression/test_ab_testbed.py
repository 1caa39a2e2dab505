"""Both sides on one Testbed, from a real repository; only the environments are fakes."""

from pathlib import Path

import pytest

from bench.model.config_errors import ConfigError
from bench.model.experiment import Side
from bench.model.reason import Code, reason
from bench.regression import ab_testbed
from bench.regression.ab_testbed import AbTestbed, NotBuilt, open_ab_testbed
from bench.regression.checkouts import SideRequest
from bench.servers.environments import Environment, EnvironmentFailed, Recipe
from bench.servers.project import open_project
from tests.builders.repositories import app_table, commit, git, shop_and_till, write_config


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns the folder of a project with two Apps, committed."""
    monkeypatch.setattr(ab_testbed, "prepare", lambda *_: Environment(tmp_path, "3.13.0", {}))
    return shop_and_till(tmp_path / "project")


def opened(folder: Path, *apps: str) -> AbTestbed:
    requests = {Side.BASE: SideRequest("HEAD", Recipe()), Side.HEAD: SideRequest("WORKTREE", Recipe())}
    with open_ab_testbed(open_project(folder / "bench.toml"), requests, apps, seed=1) as sides:
        return sides


def compared(sides: AbTestbed) -> list[str]:
    return [pair.app for pair in sides.pairs]


def test_each_side_has_lanes_folders_and_environments_of_its_own(project: Path) -> None:
    """By the home of its Lanes; what is said of a side names its commit and its interpreter."""
    sides = opened(project, "shop", "till")
    testbed = sides.testbed
    assert [lane.name for lane in testbed.experiment.lanes] == [
        f"{app}@gunicorn-gthread#{side}" for side in Side for app in ("shop", "till")
    ]
    homes = {f"{app}#{side}" for side in Side for app in ("shop", "till")}
    assert testbed.environments.keys() == testbed.folders.keys() == homes
    assert len(set(testbed.folders.values())) == len(homes)
    assert [(facts.commit, facts.python) for facts in sides.facts.values()] == [
        (git(project, "rev-parse", "HEAD"), "3.13.0"),
        (None, "3.13.0"),
    ]


def test_each_side_is_served_as_its_own_definition_says(project: Path) -> None:
    """Though no file in its folder is another."""
    table = app_table("shop", 'native = "gunicorn-gthread"', 'environment = { SHOP_DEBUG = "1" }')
    write_config(project, table, app_table("till"))
    base, head = opened(project).testbed.experiment.lanes
    assert (base.app.environment, head.app.environment) == ({}, {"SHOP_DEBUG": "1"})


@pytest.mark.parametrize("apps", [(), ("shop",)], ids=["of itself", "by name"])
def test_an_app_on_another_server_is_not_compared(project: Path, apps: tuple[str, ...]) -> None:
    """Two servers would be compared, in duets that are biased then; other Apps can be named."""
    other = '[servers.other]\ninterface = "wsgi"\ncommand = ["serve", "{host}", "{port}", "{application}"]\n'
    write_config(project, other, app_table("shop", 'native = "other"'), app_table("till"))
    with pytest.raises(ConfigError, match=r"^shop: .*\bgunicorn-gthread in HEAD\b.*\bother in WORKTREE\b"):
        opened(project, *apps)
    assert compared(opened(project, "till")) == ["till"]


def test_an_app_through_an_adapter_on_one_side_only_is_not_compared(project: Path) -> None:
    """Its interface changed, and the server stayed: the adapter would be compared."""
    adapter = '[adapters.a2wsgi]\naccepts = "asgi"\ngives = "wsgi"\ncallable = "a2wsgi:ASGIMiddleware"\n'
    after = app_table("shop").replace("wsgi =", "asgi =")
    write_config(project, adapter, after, app_table("till"))
    with pytest.raises(ConfigError, match=r"^shop: .*\bgunicorn-gthread in HEAD\b.*\bgunicorn-gthread\+a2wsgi in\b"):
        opened(project)


def test_a_server_that_a_revision_names_wrongly_is_said_of_it(project: Path) -> None:
    """The message names the revision, the file and the key."""
    write_config(project, app_table("shop", 'native = "none"'), app_table("till"))
    commit(project)
    write_config(project, app_table("shop"), app_table("till"))
    with pytest.raises(ConfigError, match=r"^HEAD: apps/shop/app.toml: native: found 'none'"):
        opened(project)


def test_a_missing_lock_is_said_of_the_revision_and_the_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is what else an environment can fail by, and a user's project has no Makefile of bench's to be sent to."""

    def prepare(_name: str, lock: Path, *_: object) -> Environment:
        raise EnvironmentFailed(reason(Code.NO_LOCK, file=str(lock)))

    monkeypatch.setattr(ab_testbed, "prepare", prepare)
    with pytest.raises(NotBuilt) as ended:
        opened(project, "shop")
    cause = reason(Code.NO_LOCK, file="shop/requirements.txt")
    assert ended.value.reasons == (reason(Code.APP_NOT_BUILT, cause, revision="HEAD", app="shop"),)
