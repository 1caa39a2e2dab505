"""What is published: a wheel and an sdist, built from a checkout that they leave as it was."""

import os
import shutil
import subprocess
import sys
import tarfile
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest

from bench import __version__
from tests.builders.packages import build, copied_checkout, run_uv, tracked_files
from tests.builders.repositories import commit, git

DIST_INFO = f"framework_bench-{__version__}.dist-info"
COMMIT_FILE = "bench/commit.txt"
SAY_REVISION = "from bench.run import session; print(session.__file__, session.own_revision())"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", checkout, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the sdist, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build("sdist", checkout, folder)) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"framework_bench-{__version__}"


def contents(wheel: Path) -> dict[str, bytes]:
    """Returns the files of a wheel by their names, but for RECORD, which says in which order they were added."""
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith(".dist-info/RECORD")}


def test_the_wheel_holds_bench_and_all_of_it(checkout: Path, wheel: Path) -> None:
    """Every file below bench/ that git knows, whatever its kind, the commit, and nothing beside."""
    packaged = {name for name in contents(wheel) if not name.startswith(f"{DIST_INFO}/")}
    known = {name for name in tracked_files(checkout) if name.startswith("bench/")}
    assert packaged == known | {COMMIT_FILE}
    assert any(name.endswith(".j2") for name in known)


def test_the_metadata_names_package_licence_and_command(checkout: Path, wheel: Path) -> None:
    """By the words of today's standard: an expression, and the file with the text."""
    files = contents(wheel)
    metadata = message_from_bytes(files[f"{DIST_INFO}/METADATA"])
    assert (metadata["Name"], metadata["Version"]) == ("framework-bench", __version__)
    assert (metadata["License-Expression"], metadata.get_all("License-File")) == ("BSD-3-Clause", ["LICENSE"])
    assert files[f"{DIST_INFO}/licenses/LICENSE"] == (checkout / "LICENSE").read_bytes()
    assert b"bench = bench.cli:main" in files[f"{DIST_INFO}/entry_points.txt"].splitlines()


def test_the_sdist_gives_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    """It has no history, and knows the commit all the same."""
    assert contents(build("wheel", sdist, tmp_path)) == contents(wheel)


@pytest.mark.usefixtures("wheel", "sdist")
def test_building_leaves_nothing_behind(checkout: Path) -> None:
    """Git shows no file, not in dist/ either, where packages go if nobody says where."""
    build("wheel", checkout, checkout / "dist")
    assert git(checkout, "status", "--porcelain") == ""
    ignored = git(checkout, "status", "--porcelain", "--ignored").splitlines()
    assert set(ignored) <= {"!! dist/", "!! __pycache__/"}


def test_an_installed_bench_tells_its_own_commit(checkout: Path, wheel: Path, tmp_path: Path) -> None:
    """Also where it lies at the top of the user's repository, which is at another commit."""
    run_uv("pip", "install", "--offline", "--no-deps", "--target", tmp_path, wheel)
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    assert said_from(tmp_path) == git(checkout, "rev-parse", "--short=12", "HEAD")


def test_a_wheel_of_changed_files_says_so(tmp_path: Path) -> None:
    """``+`` stands for what was not committed, as in a manifest."""
    checkout = copied_checkout(tmp_path / "checkout")
    (checkout / "bench" / "new.py").write_text("")
    found = contents(build("wheel", checkout, tmp_path))
    assert found[COMMIT_FILE].decode() == f"{git(checkout, 'rev-parse', '--short=12', 'HEAD')}+"


def test_a_copy_without_history_is_at_no_commit(checkout: Path, tmp_path: Path) -> None:
    """Not at that of the user's repository that it is built in, and installed at the top of."""
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy, ignore=shutil.ignore_patterns(".git"))
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    run_uv("pip", "install", "--offline", "--no-deps", "--target", tmp_path, build("wheel", copy, tmp_path))
    assert said_from(tmp_path) == "None"


def said_from(folder: Path) -> str:
    """Returns which revision a bench in a folder says it is at, asked from there."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", SAY_REVISION]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    file, revision = done.stdout.split()
    assert Path(file).is_relative_to(folder)
    return revision
