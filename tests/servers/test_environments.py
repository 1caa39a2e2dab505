"""Environments are made from locks, once, and again only when something changed."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

import pytest

from bench.model.reason import Code, reason
from bench.servers import environments
from bench.servers.environments import COMPLETE, EnvironmentFailed, Recipe, prepare

BACKEND = """
import pathlib, shutil
def build_wheel(folder, config_settings=None, metadata_directory=None):
    (wheel,) = pathlib.Path("made").iterdir()
    return pathlib.Path(shutil.copy(wheel, folder)).name
build_editable = build_wheel
"""


PYPROJECT = """
[project]
name = "shop"
dynamic = ["version"]
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Returns a lock that needs nothing, so that making it asks no network."""
    path = tmp_path / "requirements.txt"
    path.write_text("# nothing\n")
    return path


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Returns what uv is told, in its order; environments are made, and nothing is installed."""
    said: list[tuple[str, ...]] = []
    original = environments._uv

    def note(where: Path, *arguments: str) -> None:
        said.append(arguments)
        if arguments[0] == "venv":
            original(where, *arguments)

    monkeypatch.setattr(environments, "_uv", note)
    return said


def test_an_environment_is_made_once(lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call finds the first one's environment, and starts no process."""
    first = prepare("app", lock, tmp_path / "environments")
    assert (first.programs / "python").exists()
    assert first.python == ".".join(map(str, sys.version_info[:3]))
    monkeypatch.setattr(environments, "_uv", None)
    assert prepare("app", lock, tmp_path / "environments") == first


def test_another_lock_makes_another_environment(lock: Path, tmp_path: Path) -> None:
    """A changed lock is never run in an old environment."""
    first = prepare("app", lock, tmp_path / "environments")
    lock.write_text("# still nothing\n")
    assert prepare("app", lock, tmp_path / "environments").folder != first.folder


def test_an_interrupted_environment_is_made_again(lock: Path, tmp_path: Path) -> None:
    """Without the mark that is written last, what lies there is thrown away."""
    made = prepare("app", lock, tmp_path / "environments")
    (made.folder / COMPLETE).unlink()
    (made.folder / "left over").touch()
    assert prepare("app", lock, tmp_path / "environments") == made
    assert not (made.folder / "left over").exists()


def test_a_lock_that_cannot_be_met_says_why(lock: Path, tmp_path: Path) -> None:
    """What uv says becomes one line, and no half environment is taken for a whole one."""
    lock.write_text(f"click==8.1.8 --hash=sha256:{'0' * 64}\nflask==3.1.3\n")  # one has no hash
    for _ in range(2):
        with pytest.raises(EnvironmentFailed, match="must have a hash") as failed:
            prepare("app", lock, tmp_path / "environments")
        assert failed.value.reason.code is Code.UV_FAILED
        assert "\n" not in str(failed.value.reason.values["text"])


@pytest.mark.parametrize(
    ("locked", "checked"), [("flask\n", False), (f"flask==3.1.3 --hash=sha256:{'0' * 64}\n", True)]
)
def test_hashes_are_asked_for_where_a_lock_has_some(
    lock: Path, tmp_path: Path, said: list[tuple[str, ...]], locked: str, checked: bool
) -> None:
    """One hash is enough to demand the others, as pip has it; requirements without any are installed as they are."""
    lock.write_text(locked)
    prepare("app", lock, tmp_path / "environments")
    assert ("--require-hashes" in said[1]) is checked


def test_an_environment_may_differ_from_its_lock(lock: Path, tmp_path: Path, said: list[tuple[str, ...]]) -> None:
    """What replaces the locked versions is installed after them, into an environment of its own."""
    other = prepare("app", lock, tmp_path / "environments", Recipe(requirements=("flask==3.0.*",)))
    assert other.folder != prepare("app", lock, tmp_path / "environments").folder
    assert "--requirement" in said[1]
    assert said[2][-1] == "flask==3.0.*"
    assert "--require-hashes" not in said[2]


def test_what_replaces_locked_versions_must_suit_the_others(lock: Path, tmp_path: Path) -> None:
    """Two packages that contradict each other are not measured; what uv says names both."""
    for name, version, needs in (("shop", "1.0", ("tax<2",)), ("tax", "1.0", ()), ("tax", "2.0", ())):
        wheel(tmp_path, name, version, needs)
    lock.write_text("./shop-1.0-py3-none-any.whl\n./tax-1.0-py3-none-any.whl\n")
    assert prepare("app", lock, tmp_path / "environments").versions == {"shop": "1.0", "tax": "1.0"}
    newer = Recipe(requirements=(f"tax @ file://{tmp_path}/tax-2.0-py3-none-any.whl",))
    with pytest.raises(EnvironmentFailed, match=r"`shop` .*`tax<2`.*`2\.0`"):
        prepare("app", lock, tmp_path / "environments", newer)


def test_paths_in_a_lock_begin_at_the_lock(
    lock: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each side of a comparison installs its own package, wherever bench is called."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    package(tmp_path, "1.0")
    package(elsewhere, "9.0")
    monkeypatch.chdir(elsewhere)
    lock.write_text("--editable .\n")
    assert prepare("app", lock, tmp_path / "environments").versions == {"shop": "1.0"}


def test_a_copy_of_a_folder_is_refused(lock: Path, tmp_path: Path) -> None:
    """Its files may change, though the lock does not: stale code would be measured."""
    lock.write_text(".\n")
    package(tmp_path, "1.0")
    for _ in range(2):
        with pytest.raises(EnvironmentFailed) as failed:
            prepare("app", lock, tmp_path / "environments")
        assert failed.value.reason == reason(Code.NOT_LINKED, file=str(lock), package="shop")


def test_paths_of_a_recipe_begin_where_bench_is_called(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are what the user typed."""
    here = tmp_path / "here"
    here.mkdir()
    wheel(here, "shop", "1.0")
    monkeypatch.chdir(here)
    made = prepare("app", lock, tmp_path / "environments", Recipe(requirements=("./shop-1.0-py3-none-any.whl",)))
    assert made.versions == {"shop": "1.0"}


def test_a_link_to_a_folder_is_made_once(lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It always has the folder's files as they are."""
    lock.write_text("--editable .\n")
    package(tmp_path, "1.0")
    first = prepare("app", lock, tmp_path / "environments")
    monkeypatch.setattr(environments, "_uv", None)
    assert prepare("app", lock, tmp_path / "environments") == first


def wheel(folder: Path, name: str, version: str, needs: Sequence[str] = ()) -> None:
    """Writes a package with nothing in it."""
    info = f"{name}-{version}.dist-info"
    required = "".join(f"Requires-Dist: {need}\n" for need in needs)
    with ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


def package(folder: Path, version: str) -> None:
    """Makes a folder that is a package ``shop``, with a build backend of its own, so that making it asks no network."""
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "backend.py").write_text(BACKEND)
    made = folder / "made"
    made.mkdir()
    wheel(made, "shop", version)


def test_a_python_that_is_not_there_is_named(lock: Path, tmp_path: Path) -> None:
    """None is downloaded for it."""
    with pytest.raises(EnvironmentFailed, match=r"3\.99"):
        prepare("app", lock, tmp_path / "environments", Recipe(python="3.99"))


def test_two_at_once_make_one_environment(lock: Path, tmp_path: Path) -> None:
    """The second waits for the first, and finds what it made."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: prepare("app", lock, tmp_path / "environments"), range(2))
    assert first == second
    assert len(list((tmp_path / "environments").glob("app-*"))) == 1


def test_a_missing_lock_is_named(tmp_path: Path) -> None:
    """An App without requirements.txt has no environment."""
    lock = tmp_path / "requirements.txt"
    with pytest.raises(EnvironmentFailed) as failed:
        prepare("app", lock, tmp_path / "environments")
    assert failed.value.reason == reason(Code.NO_LOCK, file=str(lock))


def test_a_folder_that_moves_has_environments_of_its_own(lock: Path, tmp_path: Path) -> None:
    """Their scripts name the interpreter by its path; through a link it is the path of the real folder."""
    first = prepare("app", lock, tmp_path / "environments")
    (tmp_path / "link").symlink_to(tmp_path / "environments")
    assert prepare("app", lock, tmp_path / "link") == first
    (tmp_path / "environments").rename(tmp_path / "moved")
    again = prepare("app", lock, tmp_path / "moved")
    assert again.folder.name != first.folder.name
    assert str(tmp_path / "moved") in (again.folder / "bin" / "activate").read_text()


def test_installed_size_is_of_files_without_bytecode(lock: Path, tmp_path: Path) -> None:
    """Bytecode is made from what was installed, and would count it twice."""
    made = prepare("app", lock, tmp_path / "environments")
    before = made.installed_bytes()
    (packages,) = made.folder.glob("lib/python*/site-packages")
    (packages / "new" / "__pycache__").mkdir(parents=True)
    (packages / "new" / "module.py").write_bytes(b"x" * 1000)
    (packages / "new" / "data.bin").write_bytes(b"x" * 500)
    (packages / "new" / "__pycache__" / "module.cpython-311.pyc").write_bytes(b"x" * 9000)
    assert made.installed_bytes() - before == 1500
