"""bench in somebody else's project: installed as a package, on an App of theirs, with ten lines of configuration."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.builders.packages import HANG_S, PROJECT, build, copied_checkout, run_uv
from tests.builders.repositories import git

BENCH_TOML = """\
workloads.hello = { path = "/price/{name}", body = "{name}: 10", content_type = "text/plain; charset=utf-8" }
[apps.shop]
title = "Shop"
folder = "."
native = "gunicorn-gthread"
interfaces = { wsgi = "shop:app" }
[groups.native]
title = "as it is served"
server = "native"
"""
SHOP = """\
def app(environ, start_response):
    body = environ["PATH_INFO"].removeprefix("/price/").encode("latin-1") + b": 10"
    head = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response("200 OK", head)
    return [body]
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def bench(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the command of a bench that is installed as a wheel, far from its checkout."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = build("wheel", checkout, folder)
    run_uv("venv", "--python", sys.executable, folder / "venv")
    locked = ("--constraint", PROJECT / "requirements" / "dev.txt")
    run_uv("pip", "install", "--python", folder / "venv" / "bin" / "python", *locked, wheel)
    return folder / "venv" / "bin" / "bench"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Returns the project of somebody who has an App, and requirements without hashes."""
    (tmp_path / "bench.toml").write_text(BENCH_TOML)
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "requirements.txt").write_text("gunicorn\n")
    return tmp_path


def commit_all(shop: Path) -> None:
    """Makes the project a repository, with all of it in one commit."""
    (shop / ".gitignore").write_text("results/\n.bench/\n")
    git(shop, "init", "--quiet")
    git(shop, "add", ".")
    git(shop, "commit", "--quiet", "--message", "shop")


def test_ten_lines_measure_an_app_of_ones_own(checkout: Path, bench: Path, shop: Path) -> None:
    """`bench run` in another project serves its App, checks its workload, and writes every report.

    The project is at its commit, and bench at the one that it was built from.
    """
    assert len(BENCH_TOML.splitlines()) <= 10
    commit_all(shop)
    command = [str(bench), "run", "--preset", "quick", "--json"]
    done = subprocess.run(command, cwd=shop, capture_output=True, text=True, check=False, timeout=HANG_S)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    (lane,) = summary["lanes"]
    assert lane["lane"] == "shop@gunicorn-gthread"
    assert lane["metrics"]["throughput_rps"]["point"] > 0
    assert summary["totals"]["errors"] == 0
    folder = shop / "results" / "latest"
    manifest = json.loads((folder / "manifest.json").read_text())
    commits = [git(repository, "rev-parse", "--short=12", "HEAD") for repository in (checkout, shop)]
    assert [manifest["bench_revision"], manifest["project_revision"]] == commits
    assert (folder / "report.html").is_file()
    assert (folder / "charts" / "throughput.png").is_file()


def test_a_change_of_ones_own_app_goes_through_the_gate(bench: Path, shop: Path) -> None:
    """Far more work is a regression for certain where instructions are counted, whatever the machine does meanwhile.

    Where they are not, or nothing under load is valid, it is no pass either. The change stays, and nothing is left.
    """
    commit_all(shop)
    (shop / "shop.py").write_text(SHOP.replace("    start_response", "    sum(range(20_000))\n    start_response"))
    options = ("--app", "shop", "--budget", "10")  # the fewest slices and rounds that there are
    command = [str(bench), "compare", "HEAD", "WORKTREE", *options]
    done = subprocess.run(command, cwd=shop, capture_output=True, text=True, check=False, timeout=HANG_S)
    (file,) = (shop / "results").glob("*/comparison.json")
    document = json.loads(file.read_text())
    schema = json.loads((PROJECT / "docs" / "schemas" / "comparison.json.schema.json").read_text())
    jsonschema.validate(document, schema)
    (app,) = document["apps"]
    verdicts = {found["metric"]: found["verdict"] for found in app["evidence"]}
    counted = verdicts.pop("instructions_per_request", None)
    assert counted == ("slower" if shutil.which("valgrind") else None), done.stdout
    under_load = set(verdicts.values())
    assert under_load <= {"slower", "undecided", "invalid"}, done.stdout
    assert done.returncode == (3 if under_load == {"invalid"} else 1 if "slower" in {counted, *under_load} else 0)
    assert git(shop, "status", "--porcelain") == " M shop.py"
    assert len(git(shop, "worktree", "list").splitlines()) == 1
