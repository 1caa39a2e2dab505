"""Runs and comparisons in their folders: read, published and shown."""

from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.output import show, tell

if TYPE_CHECKING:
    from bench.analysis.summary import Folded
    from bench.model.regression import Comparison
    from bench.run.store import StoredRun


def folded(folder: Path) -> "Folded":
    """Returns a stored run with all that is derived from it. Raises Unreadable."""
    from bench.run import store

    return _fold(store.read(folder))


def publish_run(folder: Path, *, as_json: bool) -> "Folded":
    """Makes a run's reports, shows the result, and returns what they were made from. Raises Unreadable."""
    from bench.report import SUMMARY, terminal
    from bench.report.publish import publish
    from bench.run import store

    stored = store.read(folder)
    run = _fold(stored)
    published = publish(run, stored.records)
    store.write_files(folder, published.files)
    for line in published.left_out:
        tell(line)
    show(terminal.render(run.report, str(folder)), published.files[SUMMARY], as_json=as_json)
    return run


def publish_comparison(folder: Path, comparison: "Comparison", *, as_json: bool) -> None:
    """Writes what a comparison says into its folder, and shows it."""
    from bench.model.formats import to_json
    from bench.report import comparison as words
    from bench.report.exports import junit
    from bench.run import store

    document = to_json(comparison)
    files = {
        store.COMPARISON: document,
        store.COMPARISON_MARKDOWN: words.markdown(comparison).encode(),
        store.COMPARISON_JUNIT: junit.render("bench compare", junit.verdict_cases(comparison.judged, words.RATIO)),
    }
    store.write_files(folder, files)
    show(words.terminal(comparison), document, as_json=as_json)


def _fold(stored: "StoredRun") -> "Folded":
    from bench.analysis.summary import fold

    return fold(stored.manifest, stored.records, stored.failures, stored.observations)
