"""The two sides of a comparison, in a real repository; only the environments are fakes."""

import shutil
from pathlib import Path

import pytest

from bench.model.config_errors import ConfigError
from bench.model.experiment import Side
from bench.regression import checkouts
from bench.regression.checkouts import NothingDiffers, Sides, Wanted, open_sides
from bench.run.git import RevisionFailed
from bench.servers.environments import Environment, EnvironmentFailed, Recipe
from bench.servers.project import open_project
from tests.builders.runs import git

WORKLOAD = 'workloads.hello = { path = "/price/{name}", body = "{name}: 10", content_type = "text/plain" }\n'
GROUP = '[groups.native]\ntitle = "as it is served"\nserver = "native"\n'
AS_LOCKED = Recipe()


def table(name: str, *more: str) -> str:
    """Returns the definition of an App in a folder of its name."""
    first = (f"[apps.{name}]", f'title = "{name}"', f'folder = "{name}"', 'interfaces = { wsgi = "app:app" }')
    return "\n".join((*first, *(more or ('native = "gunicorn-gthread"',)))) + "\n"


def write(folder: Path, *tables: str) -> None:
    """Writes the project's bench.toml."""
    (folder / "bench.toml").write_text("".join((WORKLOAD, *tables, GROUP)))


def commit(folder: Path) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "change")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns the folder of a project with two Apps, committed."""
    monkeypatch.setattr(checkouts, "prepare", lambda *_: Environment(tmp_path, "3.13.0", {}))
    folder = tmp_path / "project"
    for name in ("shop", "till"):
        (folder / name).mkdir(parents=True)
        (folder / name / "app.py").write_text("app = None\n")
        (folder / name / "requirements.txt").write_text("gunicorn\n")
    write(folder, table("shop"), table("till"))
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def opened(folder: Path, *apps: str, base: str = "HEAD", head: str = "WORKTREE") -> Sides:
    wanted = {Side.BASE: Wanted(base, AS_LOCKED), Side.HEAD: Wanted(head, AS_LOCKED)}
    with open_sides(open_project(folder / "bench.toml"), wanted, apps, seed=1) as both:
        return both


def compared(both: Sides) -> list[str]:
    return [pair.app for pair in both.pairs]


def test_an_app_whose_code_changed_differs(project: Path) -> None:
    """The other one is left out."""
    (project / "till" / "app.py").write_text("app = 1\n")
    assert compared(opened(project)) == ["till"]


def test_an_app_whose_definition_changed_differs(project: Path) -> None:
    """It is served differently, though no file in its folder is another; each side is served as it says."""
    write(project, table("shop", 'native = "gunicorn-gthread"', 'environment = { SHOP_DEBUG = "1" }'), table("till"))
    both = opened(project)
    assert compared(both) == ["shop"]
    base, head = both.testbed.experiment.lanes
    assert base.app != head.app


@pytest.mark.parametrize("apps", [(), ("shop",)], ids=["of itself", "by name"])
def test_an_app_on_another_server_is_not_compared(project: Path, apps: tuple[str, ...]) -> None:
    """Two servers would be compared, in duets that are biased then; other Apps can be named."""
    other = '[servers.other]\ninterface = "wsgi"\ncommand = ["serve", "{host}", "{port}", "{application}"]\n'
    write(project, other, table("shop", 'native = "other"'), table("till"))
    with pytest.raises(ConfigError) as caught:
        opened(project, *apps)
    assert str(caught.value) == (
        "shop: found it on gunicorn-gthread in HEAD and on other in WORKTREE, expected the same server and adapter on "
        "both sides; name one native server, whose interface both have, or compare other Apps with --app"
    )
    assert compared(opened(project, "till")) == ["till"]


def test_an_app_through_an_adapter_on_one_side_only_is_not_compared(project: Path) -> None:
    """Its interface changed, and the server stayed: the adapter would be compared."""
    adapter = '[adapters.a2wsgi]\naccepts = "asgi"\ngives = "wsgi"\ncallable = "a2wsgi:ASGIMiddleware"\n'
    after = table("shop").replace("wsgi =", "asgi =")
    write(project, adapter, after, table("till"))
    with pytest.raises(
        ConfigError, match=r"^shop: found it on gunicorn-gthread in HEAD and on gunicorn-gthread\+a2wsgi"
    ):
        opened(project)


def test_without_a_difference_there_is_nothing_to_compare(project: Path) -> None:
    """Neither what bench writes nor its configuration, which both sides share, is one; an App can be named."""
    (project / "results").mkdir()
    (project / "results" / "history.jsonl").write_text("{}\n")
    write(project, "[load]\nusers = 8\n", table("shop"), table("till"))
    with pytest.raises(NothingDiffers, match="no App differs between HEAD and WORKTREE; there is nothing") as caught:
        opened(project)
    assert caught.value.elsewhere == ()
    assert compared(opened(project, "shop")) == ["shop"]


def test_what_differs_outside_of_the_apps_folders_is_said(project: Path) -> None:
    """An App may import it, which bench can't know: the first file is named, and how many there are."""
    library = project / "src" / "library"
    library.mkdir(parents=True)
    (library / "prices.py").write_text("price = 1\n")
    with pytest.raises(NothingDiffers) as caught:
        opened(project)
    assert str(caught.value) == (
        "no App differs between HEAD and WORKTREE, but outside of the Apps' folders src/library/prices.py does; bench "
        "can't know whether Apps use what differs, and compared nothing: name those that do with --app"
    )
    commit(project)
    (library / "prices.py").unlink()
    (library / "names.py").write_text("names = ()\n")
    with pytest.raises(NothingDiffers, match=r"folders 2 files do, src/library/names\.py first; bench") as caught:
        opened(project)
    assert caught.value.elsewhere == ["src/library/names.py", "src/library/prices.py"]
    (project / "till" / "app.py").write_text("app = 1\n")
    both = opened(project)
    assert compared(both) == ["till"]
    note = (
        "outside of the Apps' folders files differ, src/library/names.py first (2 in all); other Apps that use them "
        "were not compared: name them with --app"
    )
    assert both.notes == (note,)
    (project / "shop" / "app.py").write_text("app = 1\n")
    assert opened(project).notes == ()


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
    write(project, "[load]\nusers = 8\n", table("shop"), table("till"))
    with pytest.raises(NothingDiffers, match=r"folders shared/prices\.py does; bench"):
        opened(project)
    with pytest.raises(RevisionFailed, match=r"project/bench\.toml: found 2 uncommitted changes"):
        opened(project, head="HEAD")


def test_a_folder_of_an_apps_that_is_named_as_benchs_own_differs(project: Path) -> None:
    """Only at the project's root is it where bench writes to."""
    (project / "till" / "results").mkdir()
    (project / "till" / "results" / "prices.py").write_text("price = 1\n")
    assert compared(opened(project)) == ["till"]


@pytest.mark.parametrize(("base", "head"), [("HEAD", "WORKTREE"), ("WORKTREE", "HEAD")])
def test_an_app_on_one_side_only_is_no_silent_pass(project: Path, base: str, head: str) -> None:
    """Where nothing else differs the App and its side are named; else it is a note beside what is compared."""
    write(project, table("shop"), table("till"), table("new"))
    with pytest.raises(ConfigError, match="new: found in WORKTREE only, expected an App that both sides have"):
        opened(project, base=base, head=head)
    (project / "till" / "app.py").write_text("app = 1\n")
    both = opened(project, base=base, head=head)
    assert compared(both) == ["till"]
    assert both.notes == ("new is in WORKTREE only, and is not compared",)


def test_what_is_wrong_in_a_revision_is_said_of_it(project: Path) -> None:
    """The message names the revision and the file as the project has it, not the temporary folder that it was in."""
    write(project, table("shop", "native = 5"), table("till"))
    commit(project)
    write(project, table("shop"), table("till"))
    with pytest.raises(ConfigError) as caught:
        opened(project)
    assert str(caught.value).startswith("HEAD: bench.toml: apps.shop.native: found 5, expected ")
    write(project, table("shop", 'native = "none"'), table("till"))
    commit(project)
    write(project, table("shop"), table("till"))
    with pytest.raises(ConfigError, match=r"^HEAD: apps/shop/app.toml: native: found 'none', expected a server"):
        opened(project)


def test_a_missing_lock_is_said_of_the_revision_and_the_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is what else an environment can fail by, and a user's project has no Makefile of bench's to be sent to."""

    def prepare(_name: str, lock: Path, *_: object) -> Environment:
        raise EnvironmentFailed(f"{lock}: found no such file")

    monkeypatch.setattr(checkouts, "prepare", prepare)
    with pytest.raises(RevisionFailed) as caught:
        opened(project, "shop")
    assert str(caught.value) == "HEAD: shop does not build: shop/requirements.txt: found no such file"
