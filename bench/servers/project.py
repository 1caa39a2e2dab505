"""Reads a project from disk: ``bench.toml`` and, beside it, ``apps/*/app.toml``."""

import os
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench.model.config import Config, build_experiment, parse_app, parse_config, with_defaults
from bench.model.config_errors import ConfigError
from bench.model.experiment import App, Experiment

APPS = "apps"
LOCK = "requirements.txt"
ENVIRONMENTS = ".bench/environments"
MOST_LEVELS = 20
"""Of tables and lists in each other: several times what any key has, and nothing that follows them can overflow."""
DEFAULTS = Path(__file__).parent.parent / "defaults.toml"


class Project(Struct, frozen=True):
    """A folder with a ``bench.toml``, and what it says."""

    root: Path
    config: Config
    apps: tuple[App, ...]

    def experiment(self, preset: str, seed: int) -> Experiment:
        """Returns the Experiment under a preset. Raises ConfigError."""
        return build_experiment(self.config, self.apps, preset=preset, seed=seed)

    def app_folder(self, app_name: str) -> Path:
        """Returns the folder of an App."""
        folders = {app.name: app.folder for app in self.apps}
        return self.root / (folders.get(app_name) or f"{APPS}/{app_name}")

    def lock(self, app_name: str) -> Path:
        """Returns the locked requirements of an App."""
        return self.app_folder(app_name) / LOCK

    @property
    def environments(self) -> Path:
        """Returns the folder of the Apps' virtual environments."""
        return self.root / ENVIRONMENTS


def source_files(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Yields the files below a folder whose names end so, but none that is hidden, installed or made by a program."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            foreign = path.name.startswith((".", "__pycache__", "node_modules")) or (path / "pyvenv.cfg").exists()
            yield from () if foreign else source_files(path, suffixes)
        elif path.suffix in suffixes:
            yield path


def open_project(file: Path) -> Project:
    """Reads the configuration and every App. Raises ConfigError."""
    root, document = file.resolve().parent, _document(file)
    config = parse_config(_shown(file), with_defaults(document, _document(DEFAULTS)))
    in_folders, in_tables = _apps_in_folders(root), _apps_in_tables(_shown(file), document)
    apps = (*in_folders, *in_tables)
    for name in sorted({app.name for app in in_folders} & {app.name for app in in_tables}):
        raise ConfigError(
            f"{_shown(file)}: {APPS}.{name}: found another App of this name in "
            f"{_shown(root / APPS / name / 'app.toml')}, expected one; rename or remove one of them"
        )
    if not apps:
        raise ConfigError(
            f"{_shown(root / APPS)}: found no */app.toml, expected a folder for each App, or tables [apps.NAME] in "
            f"{_shown(file)}"
        )
    return Project(root=root, config=config, apps=apps)


def _apps_in_folders(root: Path) -> list[App]:
    files = sorted((root / APPS).glob("*/app.toml"))
    return [parse_app(_shown(file), file.parent.name, _document(file)) for file in files]


def _apps_in_tables(file: str, document: dict[str, Any]) -> list[App]:
    tables = document.get(APPS, {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ConfigError(f"{file}: {APPS}: found {tables!r}, expected tables [{APPS}.NAME]")
    return [parse_app(f"{file}: {APPS}.{name}", name, table) for name, table in tables.items()]


def _document(file: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{_shown(file)}: {error.strerror}, expected a TOML file; name one with --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{_shown(file)}: {error}, expected TOML") from None
    except RecursionError:
        document = None
    if document is None or _is_deeper(document, MOST_LEVELS):
        raise ConfigError(f"{_shown(file)}: found values nested too deeply, expected at most {MOST_LEVELS} levels")
    return document


def _is_deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(levels == 0 or _is_deeper(each, levels - 1) for each in inner)


def _shown(path: Path) -> str:
    """Returns a path as a person in the working directory would name it."""
    return os.path.relpath(path)
