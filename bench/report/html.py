"""``report.html``: one page that needs nothing else: styles and charts are inline, and there are no scripts."""

import re
from collections.abc import Mapping
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from bench.model.metrics import METRICS, Place
from bench.model.summary import Report
from bench.report import CHARTS, charts_of, context
from bench.report.footprint_table import code_files, columns, described, footprints, notes
from bench.report.format import printable, times
from bench.report.group_table import comparisons, noise, tables, verdict
from bench.report.sweep_table import POINT_COLUMNS, point_cells, sweep_tables
from bench.report.wording import said


def render(report: Report, charts: Mapping[str, bytes]) -> str:
    """Returns the page; ``charts`` holds the SVG of each chart by its name, as ``charts.svg`` makes it."""
    return _template().render(
        title=context.title(report),
        provenance=context.provenance(report),
        notices=context.notices(report),
        tables=tables(report),
        group_columns=METRICS.shown_in(Place.GROUP_TABLE),
        charts=[
            (name, title, inline(name, charts[name])) for name, title in charts_of(report).items() if name in charts
        ],
        sweeps=sweep_tables(report),
        footprint=footprints(report),
        footprint_columns=columns(report),
        footprint_notes=notes(report),
        footprint_described=described(report),
        code_files=code_files(report),
        reading=context.reading(report),
        measured=context.what_was_measured(report),
        proofs=context.proofs(report),
        differences=[said(difference) for difference in report.manifest.irremovable_differences],
        failures=[(context.failed(failure), printable(failure.log_tail)) for failure in report.summary.failures],
    )


def inline(name: str, svg: bytes) -> Markup:
    """Returns an SVG file as an element of a page: ids made unique by the chart's name, nothing that concerns others.

    The prolog, comments and style sheet go: the page's own style sheet says what theirs did. Namespaces are implied.
    """
    element = svg.decode()[svg.decode().index("<svg") :]
    element = re.sub(r"<!--.*?-->|<style.*?</style>|<metadata.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r' xmlns(:xlink)?="[^"]*"| (width|height)="[\d.]+pt"', "", element)
    element = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", element.replace("xlink:href", "href"))
    return Markup(element.replace("<svg", f'<svg role="img" aria-label="{CHARTS[name]}"', 1).strip())  # noqa: S704 - our own


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("bench.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(METRICS=METRICS, times=times)
    environment.globals.update(verdict=verdict, noise=noise, comparisons=comparisons)
    environment.globals.update(POINT_COLUMNS=POINT_COLUMNS, point_cells=point_cells)
    return environment.get_template("page.html.j2")
