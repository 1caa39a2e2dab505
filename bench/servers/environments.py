"""A virtual environment for each App, made by uv from the App's own lock, and made again only when that changes.

Paths in a lock, such as ``--editable .`` for the App's own package, are relative to the lock's folder.
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path

import uv
from msgspec import Struct

from bench.model.reason import Code, Reason, reason

COMPLETE = ".complete"
"""A file that is written last: an environment without it was interrupted, and is made again."""
MADE_HOW = "2"
"""Another number makes all environments again: 2 since paths in a lock begin at its folder."""


class EnvironmentFailed(Exception):
    """An environment cannot be made; the reason says why, with what uv said."""

    def __init__(self, why: Reason) -> None:
        super().__init__(why)
        self.reason = why


class Environment(Struct, frozen=True):
    """A virtual environment, with the versions of what is installed in it."""

    folder: Path
    python: str
    versions: dict[str, str]

    @property
    def programs(self) -> Path:
        """Returns the folder of its executables."""
        return self.folder / "bin"

    def installed_bytes(self) -> int:
        """Returns the size of all files that its packages brought, without bytecode, which is made from them."""
        packages = map(Path, _site_packages(self.folder))
        files = (path for folder in packages for path in folder.rglob("*") if path.suffix != ".pyc")
        return sum(path.stat().st_size for path in files if path.is_file())


class Recipe(Struct, frozen=True):
    """How an environment differs from what its lock says.

    ``python`` is an interpreter's path or version, bench's own by default; ``requirements`` replace what is locked.
    """

    python: str = sys.executable
    requirements: tuple[str, ...] = ()


AS_LOCKED = Recipe()


def prepare(app_name: str, lock: Path, environments: Path, recipe: Recipe = AS_LOCKED) -> Environment:
    """Returns the App's environment below ``environments``, making it where needed. Raises EnvironmentFailed."""
    if not lock.is_file():
        raise EnvironmentFailed(reason(Code.NO_LOCK, file=str(lock)))
    environments = environments.resolve()
    folder = environments / f"{app_name}-{_fingerprint(lock, environments, recipe)}"
    with _one_at_a_time(environments):
        if not (folder / COMPLETE).exists():
            _make(folder, lock, recipe)
    return _described(folder)


@contextmanager
def _one_at_a_time(environments: Path) -> Iterator[None]:
    """Waits while another bench makes environments here, and holds others off."""
    environments.mkdir(parents=True, exist_ok=True)
    with (environments / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fingerprint(lock: Path, environments: Path, recipe: Recipe) -> str:
    """Returns twelve digits that change with the lock, the interpreter or the folder: scripts name the latter two."""
    interpreter = (sys.version, sys.base_prefix, recipe.python)
    content = lock.read_bytes() + "\n".join((MADE_HOW, *interpreter, str(environments), *recipe.requirements)).encode()
    return hashlib.sha256(content).hexdigest()[:12]


def _make(folder: Path, lock: Path, recipe: Recipe) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    here, at_lock = Path.cwd(), lock.parent
    _uv(here, "venv", "--no-python-downloads", "--python", recipe.python, str(folder))
    python = ("--python", str(folder / "bin" / "python"))
    install = ("pip", "install", "--compile-bytecode", *python)
    _uv(at_lock, *install, *_hash_checking(lock), "--requirement", lock.name)
    _expect_links(lock, folder)
    if recipe.requirements:
        _uv(here, *install, *recipe.requirements)
        _uv(here, "pip", "check", *python)
    (folder / COMPLETE).touch()


def _expect_links(lock: Path, folder: Path) -> None:
    """Raises EnvironmentFailed for a package that was built from a folder, and is no link to it (PEP 610)."""
    for found in distributions(path=_site_packages(folder)):
        origin = json.loads(found.read_text("direct_url.json") or "{}")
        if "dir_info" in origin and not origin["dir_info"].get("editable"):
            raise EnvironmentFailed(reason(Code.NOT_LINKED, file=str(lock), package=found.name))


def _hash_checking(lock: Path) -> tuple[str, ...]:
    """Returns the option that demands a hash of everything, where one thing has one: pip's own rule."""
    return ("--require-hashes",) if "--hash=" in lock.read_text(encoding="utf-8") else ()


def _uv(where: Path, *arguments: str) -> None:
    command = [uv.find_uv_bin(), "--quiet", *arguments]
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    if done.returncode:
        said, asked = " ".join(done.stderr.split()) or None, " ".join(arguments[:2])
        raise EnvironmentFailed(reason(Code.UV_FAILED, command=asked, exit_code=done.returncode, text=said))


def _described(folder: Path) -> Environment:
    pairs = (line.partition("=") for line in (folder / "pyvenv.cfg").read_text().splitlines())
    settings = {key.strip(): value.strip() for key, _, value in pairs}
    installed = distributions(path=_site_packages(folder))
    return Environment(folder, settings["version_info"], {found.name.lower(): found.version for found in installed})


def _site_packages(folder: Path) -> list[str]:
    return [str(path) for path in folder.glob("lib/python*/site-packages")]
