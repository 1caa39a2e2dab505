"""Makes everything that is derived from a run's folder, and writes it there."""

from pathlib import Path
from bench import store
from bench.records import Report
from bench.summary import build_report


def publish(folder: Path) -> Report:
    run = store.read(folder)
    report = build_report(run.manifest, run.records, run.failures)
    store.write_files(folder, {store.SUMMARY: store.summary_bytes(report.summary)})
    return report


def text(report, folder):
    return "done"


def summary_json(report):
    return store.summary_bytes(report.summary)
