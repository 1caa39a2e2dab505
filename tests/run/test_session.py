"""What a session writes of itself before it measures."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from bench import __version__
from bench.run import git as revisions
from bench.run import session
from bench.servers.testbed import Testbed
from tests.builders.machines import HERE
from tests.builders.repositories import git
from tests.builders.runs import experiment


def test_a_run_says_whose_each_commit_is(tmp_path: Path) -> None:
    """The user's project is at another commit than bench's own checkout; outside of git there is none."""
    here = SimpleNamespace(project=SimpleNamespace(root=tmp_path), experiment=experiment(), machine=HERE)
    outside = session.draft(cast("Testbed", here), "run")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "theirs")
    inside = session.draft(cast("Testbed", here), "run")
    assert (outside.project_revision, inside.project_revision) == (
        None,
        git(tmp_path, "rev-parse", "--short=12", "HEAD"),
    )
    assert outside.bench_revision == inside.bench_revision == revisions.of_checkout(session.BENCH)
    assert inside.bench_version == __version__
    assert (session.BENCH / "bench" / "run" / "session.py").samefile(session.__file__)
