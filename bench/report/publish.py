"""Everything that is derived from a run, as the contents of files: values in, bytes out."""

from collections.abc import Sequence

from msgspec import Struct

from bench.analysis.summary import Folded
from bench.analysis.tidy_table import tidy
from bench.model.formats import to_json
from bench.model.records import SliceRecord
from bench.report import EXPORTS, HTML, MARKDOWN, SUMMARY, charts, charts_of, html, markdown
from bench.report.exports import folder


class Published(Struct, frozen=True):
    """Contents of files by their path below a run's folder, and a line for each that could not be made here."""

    files: dict[str, bytes]
    left_out: tuple[str, ...]


def publish(run: Folded, records: Sequence[SliceRecord]) -> Published:
    """Returns the summary, the charts, the reports and the exports of a run, complete or not."""
    report = run.report
    drawn = {name: charts.render(figure) for name, figure in charts.draw(report).items()}
    exported = folder.render(report, tidy(records))
    files = {
        **{f"charts/{name}.{kind}": content for name, kinds in drawn.items() for kind, content in kinds.items()},
        SUMMARY: to_json(report.summary),
        MARKDOWN: markdown.render(report).encode(),
        HTML: html.render(report, {name: drawn[name]["svg"] for name in charts_of(report)}).encode(),
        **{f"{EXPORTS}/{name}": content for name, content in exported.files.items()},
    }
    return Published(files, exported.left_out)
