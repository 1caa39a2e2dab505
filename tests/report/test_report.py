"""What every report must say, in every form, and what must not happen to it whatever a run left behind."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from html import unescape
from html.parser import HTMLParser
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from msgspec.structs import replace

from bench.model.estimate import Estimate, Status, Validity
from bench.model.load import Phase
from bench.model.metrics import CPU, MEDIAN_LATENCY, METRICS, THROUGHPUT, Better, Place, Unit
from bench.model.reason import Code, reason
from bench.model.records import LatencyEnd
from bench.model.summary import Cell, GroupSummary, LaneSummary, NoiseFloor, Ratio, Report, Trace
from bench.report import charts, charts_of, context, group_table, html, markdown, wording
from bench.report import format as words
from bench.report.charts import style
from bench.report.footprint_table import columns, footprints
from bench.report.group_table import Row, Table
from tests.builders.forms import said_in, terminal, written
from tests.builders.reports import ROUNDS, VARIANTS, estimate, failed, single, standard, tied, unpinned

CHARTS = charts_of(standard())
HOSTILE = (
    "</pre><script src='https://example.org/x.js'></script>\n"
    "[bold red]markup[/bold red] \x1b[31mred\x1b[0m \x07 \x00 ```\n</details> # heading | cell \\ $x$ &amp;\n"
    + "x"
    * 300
)
UNITS = {
    "throughput": ("requests/s",),
    "latency": ("ms", "%"),
    "cpu": ("µs",),
    "throughput_over_time": ("requests/s", ", s"),
    "footprint": ("ms", "MiB", "lines", "bytes", "installed packages, packages"),
}
FACTS = ("n = 7 rounds", "gunicorn 27.0.1", "Django 5.2.19", "Python 3.11.2", "Example CPU", "2 cores", "bench 0.1.0")
LOADS = {
    "throughput": "closed(16 users)",
    "latency": "open(1100/s)",
    "cpu": "closed(16 users)",
    "throughput_over_time": "closed(16 users)",
    "footprint": "closed(16 users)",
}
POINTS = st.floats(1e-6, 1e9)
STOLEN = reason(Code.STOLEN, steal_share=0.6)
DRIVER_FULL = reason(Code.DRIVER_FULL, server_share=0.3, driver_share=0.98)
variants = pytest.mark.parametrize("variant", VARIANTS)
every_chart = pytest.mark.parametrize("chart", CHARTS)


@cache
def drawn(variant: str) -> dict[str, Figure]:
    return every_figure(VARIANTS[variant]())


def every_figure(report: Report) -> dict[str, Figure]:
    return charts.draw(report)


@cache
def page(variant: str) -> str:
    return html.render(VARIANTS[variant](), {name: charts.svg(figure) for name, figure in drawn(variant).items()})


def everywhere(report: Report) -> dict[str, str]:
    """Returns what each form of a report says, on one line."""
    return {**written(report), **{name: said_in(figure) for name, figure in every_figure(report).items()}}


def with_metric(report: Report, lane: str, metric: str, found: Estimate | None) -> Report:
    """Returns the Report with a metric of a Lane replaced, or absent."""
    summaries = tuple(_with_metric(each, metric, found) if each.lane == lane else each for each in report.summary.lanes)
    return replace(report, summary=replace(report.summary, lanes=summaries))


def _with_metric(lane: LaneSummary, metric: str, found: Estimate | None) -> LaneSummary:
    others = {name: each for name, each in lane.metrics.items() if name != metric}
    return replace(lane, metrics={**others, **({metric: found} if found else {})})


# ---------------------------------------------------------------- words


@given(POINTS)
def test_a_number_is_written_to_three_digits_without_an_exponent(value: float) -> None:
    """What is read back differs by half a digit at most."""
    written = words.number(value)
    assert "e" not in written
    assert float(written.replace(",", "")) == pytest.approx(value, rel=0.00501, abs=1e-9)


@pytest.mark.parametrize(
    ("value", "written"),
    [(6512.3, "6,512"), (99.96, "100"), (9.996, "10.0"), (0.0123, "0.0123"), (0, "0"), (-0.0, "0"), (-12.34, "-12.3")],
)
def test_numbers_are_written_as_people_do(value: float, written: str) -> None:
    """Thousands have commas, and rounding up does not add a digit."""
    assert words.number(value) == written


@given(POINTS, st.floats(0, 0.5), st.floats(0, 3).filter(lambda above: not 0.98 < above < 1))
def test_a_margin_never_understates_the_interval(point: float, below: float, above: float) -> None:
    """The wider half is given, so the interval lies within the margin; a very wide one is given in full."""
    found = words.margin(Estimate.ratio(point, point * (1 - below), point * (1 + above), 7))
    if above > 0.996:
        assert re.fullmatch(r"\(.+–.+\)", found)  # noqa: RUF001 - a range
        return
    percent = float(found.removeprefix("±").removesuffix(" %"))
    assert percent >= 100 * max(below, above) - 0.51


def test_a_count_without_noise_has_no_margin() -> None:
    """A whole zero; of a figure without an interval its n is said."""
    assert words.margin(Estimate.ratio(5.0, 5.0, 5.0, 1)) == "±0 %"
    assert words.margin(Estimate.ratio(5.0, None, None, 2)) == "n = 2"


@given(st.text())
def test_printable_text_has_no_control_characters(said: str) -> None:
    """Lines and tabs stay; nothing else is left that a terminal would obey, and doing it again changes nothing."""
    shown = words.printable(said)
    assert all(unicodedata.category(character) not in ("Cc", "Cs") for character in shown if character not in "\n\t")
    assert words.printable(shown) == shown


def test_an_interval_has_the_digits_of_its_point() -> None:
    """Of 1.31 (1.27 to 1.35) no number is more exact than another; below three rounds there is none."""
    assert words.times(Estimate.ratio(1.3127, 1.2701, 1.35, 7)) == "1.31x (1.27–1.35)"  # noqa: RUF001
    assert words.times(Estimate.ratio(1.02, 1.0004, 1.04, 7)) == "1.0200x (1.0004–1.0400)"  # noqa: RUF001
    assert words.times(Estimate.ratio(1.02, 0.9996, 1.04, 7)) == "1.0200x (0.9996–1.0400)"  # noqa: RUF001
    assert words.times(Estimate.ratio(1.0, 1.0, 1.0, 7)) == "1.00x (1.00–1.00)"  # noqa: RUF001
    assert words.times(Estimate.ratio(1.3127, None, None, 2)) == "1.31x (n < 3: no interval)"


@pytest.mark.parametrize(
    ("items", "joined"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_words_are_listed_as_in_a_sentence(items: list[str], joined: str) -> None:
    """Commas, and one "and"."""
    assert words.listed(items) == joined


# ---------------------------------------------------------------- Groups


def rows(count: int, pairs: Iterable[tuple[int, int]]) -> list[Row]:
    """Returns rows called 0, 1, 2, ... of which these pairs are tied."""
    lane = standard().summary.lanes[0]
    tied_with = {index: [b if a == index else a for a, b in pairs if index in (a, b)] for index in range(count)}
    return [
        Row(
            lane=replace(lane, lane=str(index)),
            title=str(index),
            rank=None if others else index + 1,
            tied_with=tuple(map(str, others)),
            failure=None,
            rounds=ROUNDS,
        )
        for index, others in tied_with.items()
    ]


@given(st.sets(st.sampled_from(list(combinations(range(7), 2)))))
def test_a_group_of_ties_holds_no_pair_that_differs(pairs: set[tuple[int, int]]) -> None:
    """And every pair that ties is in a group, although ties are not transitive."""
    groups = group_table.ties(rows(7, sorted(pairs)))
    shown = {tuple(sorted(map(int, pair))) for group in groups for pair in combinations(group, 2)}
    assert shown == pairs


def by_group(report: Report) -> dict[str, Table]:
    return {table.group.group: table for table in group_table.tables(report)}


def test_a_verdict_says_how_far_the_best_is_ahead() -> None:
    """With the interval, the server, and how each Lane got there."""
    said = {name: group_table.verdict(table) for name, table in by_group(standard()).items()}
    named = re.findall(r"gunicorn-uvicorn|FastAPI|Django|Flask via a2asgi|[\d.]+x \([\d.]+–[\d.]+\)", said["asgi"])  # noqa: RUF001
    assert named == [
        *("gunicorn-uvicorn", "FastAPI", "2.33x (2.29–2.38)", "Django"),  # noqa: RUF001
        *("2.88x (2.82–2.93)", "Flask via a2asgi"),  # noqa: RUF001
    ]
    assert re.search(r"\bFastAPI on uvicorn\b.* 2\.30x", said["native"])


def test_a_verdict_ranks_nothing_that_cannot_be_told_apart() -> None:
    """A tie is said to be one, and no factor is given between its Lanes."""
    said = group_table.verdict(by_group(tied())["wsgi"])
    assert "Flask and Django" in said
    assert "x (" not in said.partition("Flask and Django")[2]


def test_without_intervals_no_verdict_claims_a_difference() -> None:
    """Two rounds tell nothing apart."""
    tables = group_table.tables(VARIANTS["without_intervals"]())
    assert len(tables) == 3
    for table in tables:
        assert "served" not in group_table.verdict(table)
        assert words.NO_INTERVAL in group_table.verdict(table)


def test_a_verdict_names_the_lanes_that_are_not_ranked() -> None:
    """With their status; and one Lane alone is no comparison."""
    said = {name: group_table.verdict(table) for name, table in by_group(failed()).items()}
    assert re.search(r"\bFlask\b[^;]*: failed \(start\)", said["wsgi"])
    assert re.search(r"\bFastAPI\b[^;]*: not-saturated", said["asgi"])
    assert "Flask" in group_table.verdict(group_table.tables(single())[0])


@given(st.floats(0.1, 10), st.floats(1, 2), st.floats(1, 2))
def test_a_ratio_reads_the_same_from_both_sides(point: float, below: float, above: float) -> None:
    """The ratio of b to a is the inverse of that of a to b, and so is its interval."""
    recorded = Ratio(
        lane="a",
        other="b",
        metric="throughput_rps",
        ratio=Estimate.ratio(point, point / below, point * above, 7),
    )
    group = GroupSummary(group="x", title="", same_server=True, standings=(), ratios=(recorded,), noise_floors=())
    forth, back = group_table.ratio(group, "a", "b"), group_table.ratio(group, "b", "a")
    assert forth
    assert back
    assert back.low is not None
    assert back.high is not None
    assert (forth.point * back.point, back.low * (forth.high or 0), back.high * (forth.low or 0)) == pytest.approx(
        (1, 1, 1)
    )
    assert back.low <= back.point * (1 + 1e-9) <= back.high * (1 + 2e-9)


def test_a_lane_without_a_rank_shows_no_number() -> None:
    """Neither a tie, nor a failed Lane, nor raw has one, in any table."""
    tables = [table for report in (tied(), failed()) for table in group_table.tables(report)]
    marks = {row.mark for table in tables for row in table.rows if row.rank is None}
    assert marks == {"", "=", "–"}  # noqa: RUF001 - a dash
    assert all(table.raw_rows for table in tables)
    assert {row.rank for table in tables for row in table.raw_rows} == {None}
    flask = next(line for line in markdown.render(tied()).splitlines() if line.startswith("| = | Flask"))
    assert "tied with Django" in flask


def test_two_apps_of_one_title_are_told_apart() -> None:
    """By the App's own name: two revisions of an App have the same title."""
    report = standard()
    lanes = tuple(replace(lane, title="Same") for lane in report.summary.lanes)
    tables = group_table.tables(replace(report, summary=replace(report.summary, lanes=lanes)))
    assert len(tables) == 3
    for table in tables:
        titles = [row.title for row in table.rows]
        assert len(titles) > 1
        assert len(set(titles)) == len(titles)


# ---------------------------------------------------------------- looks


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 0.1)), min_size=1, max_size=10))
def test_labels_are_spread_in_order_and_side_by_side(labels: list[tuple[float, float]]) -> None:
    """Ten labels of a tenth have room, so all lie within 0 to 1."""
    wanted, sizes = [height for height, _ in labels], [size for _, size in labels]
    placed = style.spread(wanted, sizes)
    edges = sorted((place - size / 2, place + size / 2) for place, size in zip(placed, sizes, strict=True))
    assert all(low >= -1e-9 and high <= 1 + 1e-9 for low, high in edges)
    assert all(below[1] <= above[0] + 1e-9 for below, above in pairwise(edges))
    assert all(placed[a] < placed[b] for a in range(len(wanted)) for b in range(len(wanted)) if wanted[a] < wanted[b])


@given(st.text(alphabet="abc  ", max_size=60), st.integers(1, 12))
def test_wrapped_lines_fit_and_lose_nothing(said: str, width: int) -> None:
    """Only white space may go."""
    lines = style.wrapped(said, width, lambda line: float(len(line)))
    assert all(len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(said.split())


def test_a_framework_looks_the_same_everywhere() -> None:
    """On every Server and in every run that has it; other frameworks look different."""
    looked = style.looks_of(standard())
    assert len({looked[lane].colour for lane in looked if lane.startswith("flask_hello@")}) == 1
    alone = style.looks_of(single())
    assert alone["flask_hello@gunicorn-gthread"] == looked["flask_hello@gunicorn-gthread"]
    assert len({(look.colour, look.marker) for look in style.looks_of(VARIANTS["crowded"]()).values()}) == 12


def test_rounds_are_derived_from_the_traces() -> None:
    """From the slices of each round where all are there; otherwise nothing is claimed."""
    report = standard()
    starts = style.round_starts(report)
    assert len(starts) == ROUNDS
    assert starts == sorted(starts)
    cut = tuple(
        replace(trace, at_s=trace.at_s[:-1], throughput_rps=trace.throughput_rps[:-1]) for trace in report.traces
    )
    assert style.round_starts(replace(report, traces=cut)) == []


# ---------------------------------------------------------------- every form


def test_every_form_says_that_cores_were_shared() -> None:
    """In one clear sentence; and none says so where they were not."""
    for name, said in everywhere(unpinned()).items():
        assert context.UNPINNED in said, name
    for name, said in everywhere(standard()).items():
        assert "NOT PINNED" not in said, name


def test_every_form_says_whose_each_commit_is() -> None:
    """Bench's own and the project's; of one that is not known none says anything."""
    report = standard()
    known = report.manifest
    for name, said in everywhere(report).items():
        words_of = " ".join(said.split())
        assert f"bench {known.bench_version} at commit {known.bench_revision}" in words_of, name
        assert f"project at commit {known.project_revision}" in words_of, name
    unknown = replace(report, manifest=replace(known, bench_revision=None, project_revision=None))
    assert "commit" not in context.provenance(unknown)


def test_an_old_run_says_when_its_latencies_end() -> None:
    """Where it is not as today, or is not told; of today's runs there is nothing to say."""
    report = standard()
    later = [
        context.driver(replace(report, manifest=replace(report.manifest, latency_end=end)))
        for end in (*LatencyEnd, None)
    ]
    assert ["0.05 to 0.15 ms later" in said for said in later] == [False, True, True]


def test_every_table_says_how_far_a_lane_differed_from_itself() -> None:
    """The noise floor stands beside the results, in every form but the charts."""
    report = standard()
    floor = NoiseFloor(
        lane="flask_hello@gunicorn-gthread",
        twin="flask_hello@gunicorn-gthread#2",
        metric=THROUGHPUT,
        ratio=Estimate.ratio(1.004, 0.987, 1.021, 7),
        difference=0.021,
    )
    others = tuple(replace(floor, metric=metric, difference=0.012) for metric in (CPU, MEDIAN_LATENCY))
    groups_of_run = tuple(replace(group, noise_floors=(floor, *others)) for group in report.summary.groups)
    noisy = replace(report, summary=replace(report.summary, groups=groups_of_run))
    for form in (terminal(noisy), unescape(html.render(noisy, {})), markdown.render(noisy)):
        words_of = " ".join(form.split())
        for what in ("Flask", "1.004x", "2.10 %", "CPU time per request 1.20 %", "latency p50 1.20 %"):
            assert what in words_of


def test_every_table_says_that_no_lane_ran_twice() -> None:
    """Beside ranks, once a Group, as nothing then shows by how much a Lane differs from itself."""
    for form in written(standard()).values():
        assert form.count("No noise floor") == len(standard().summary.groups)
        assert "Noise floor" not in form
    for nothing_ranked in (single(), VARIANTS["without_intervals"](), VARIANTS["empty"]()):
        assert all("noise floor" not in form for form in written(nothing_ranked).values())


def test_every_form_says_what_is_missing() -> None:
    """A run that was stopped, and a Lane that failed."""
    for name, said in everywhere(VARIANTS["without_intervals"]()).items():
        for what in ("INCOMPLETE", "2 of 7 rounds", "280 of 392 slices", "import_ms", words.NO_INTERVAL):
            assert what in said, name
    for name, said in everywhere(failed()).items():
        assert re.search(r"\bFAILED\b.* flask_hello@gunicorn-gthread\b", said), name


def with_cells(report: Report, cells: dict[str, tuple[Cell, ...]]) -> Report:
    """Returns the Report with other cells of some Lanes, found by the names of these."""
    lanes = tuple(replace(lane, cells=cells.get(lane.lane, lane.cells)) for lane in report.summary.lanes)
    return replace(report, summary=replace(report.summary, lanes=lanes))


def test_every_form_states_the_rate_as_a_share_of_what_the_run_measured() -> None:
    """Of the lowest throughput that is valid and of a Lane that had the rate: the warm-up that set it saw another."""
    report, slowest = standard(), "fastapi_hello@gunicorn-gthread+a2wsgi"
    valid, doubt = Validity(Status.VALID), Validity(Status.STARVED, (STOLEN,))
    shares = {
        "93": report,  # 1,100 of 1,187.2
        "67": with_cells(report, {slowest: (Cell(Phase.SATURATED, doubt), Cell(Phase.FIXED, valid))}),
    }
    for share, shown in shares.items():
        said = rf"open\(1100/s\)[^;]*\b{share} % of [^;]* run; 4 slices"
        assert all(re.search(said, form) for form in written(shown).values())
        assert re.search(said, said_in(every_figure(shown)["latency"]))
    without_rate = with_cells(report, {slowest: (Cell(Phase.SATURATED, valid),)})
    assert "67 %" in context.load(without_rate, Phase.FIXED)


def test_without_a_valid_throughput_the_rate_is_a_share_of_the_warm_up() -> None:
    """Nothing that the run measured can be trusted to say how high the rate was."""
    report, doubt = standard(), Validity(Status.STARVED, (STOLEN,))
    cells = (Cell(Phase.SATURATED, doubt), Cell(Phase.FIXED, doubt))
    starved = with_cells(report, {lane.lane: cells for lane in report.summary.lanes})
    said = r"open\(1100/s\)[^;]*\b50 % of [^;]* warm-up; 4 slices"
    assert all(re.search(said, form) for form in written(starved).values())


def test_every_form_says_once_why_instructions_are_missing() -> None:
    """One line for all Lanes that have the same reason; with a value, it is in the table of every metric."""
    report, why = standard(), reason(Code.NO_VALGRIND)
    metric = "instructions_per_request"
    summaries = tuple(replace(lane, missing={metric: why}) for lane in report.summary.lanes)
    missing = replace(report, summary=replace(report.summary, lanes=summaries))
    counted = with_metric(
        report,
        "flask_hello@gunicorn-gthread",
        metric,
        Estimate(364192, 364192, 364192, 1, Unit.INSTRUCTIONS, Better.LOWER),
    )
    without, with_value = written(missing), written(counted)
    for form in ("text", "markdown", "html"):
        assert without[form].count(f"instructions per request ({wording.said(why)})") == 1, form
        assert wording.said(why) not in with_value[form], form
    for form in ("markdown", "html"):
        assert "364,192" in with_value[form], form


def test_what_is_above_raw_is_above_raw_through_the_same_adapter() -> None:
    """Of FastAPI via a2wsgi too: its figure, and how to read it, name the adapter, and fit a line of 80 columns."""
    title = METRICS["own_cost_us_per_request"].title
    assert {"raw", "server", "adapter"} <= set(re.findall(r"\w+", title))
    assert len(title) <= 80
    said = written(standard())
    for form in ("markdown", "html"):
        assert context.COMMON_READING[0] in said[form], form
        assert f"{title}, µs" in said[form], form


@pytest.mark.parametrize("metric", METRICS)
def test_every_form_says_once_why_a_metric_is_absent(metric: str) -> None:
    """Or why its mean lacks Rounds: one sentence for all Lanes with the same reason, wherever its dash is."""
    report, lost = standard(), reason(Code.SAID, text="[it was lost]")
    fewer = reason(Code.NOT_IN_ROUNDS, reason(Code.COUNTER_WENT_BACKWARDS, before=9, after=5), rounds=(2,))
    lanes = (
        replace(lane, missing={metric: lost} if index % 2 else {}, partial={} if index % 2 else {metric: (fewer,)})
        for index, lane in enumerate(report.summary.lanes)
    )
    said = written(replace(report, summary=replace(report.summary, lanes=tuple(lanes))))
    terminal_has = {
        *METRICS.shown_in(Place.GROUP_TABLE),
        *METRICS.shown_in(Place.FOOTPRINT),
        "instructions_per_request",
    }
    for form in ("text", "markdown", "html") if metric in terminal_has else ("markdown", "html"):
        assert said[form].count(f"{METRICS[metric].title} ({wording.said(lost)}).") == 1, form
        assert said[form].count(f"{METRICS[metric].title} ({wording.said(fewer)}).") == 1, form


@pytest.mark.parametrize("status", [Status.STARVED, Status.FAILING])
def test_memory_under_load_of_an_invalid_cell_is_marked(status: Status) -> None:
    """In the footprint too, and its notes say why; what needs no load stands, unless answers were wrong."""
    report, doubt = single(), Validity(status, (STOLEN,))
    lanes = tuple(replace(lane, cells=(Cell(Phase.SATURATED, doubt),), validity=doubt) for lane in report.summary.lanes)
    doubtful = replace(report, summary=replace(report.summary, lanes=lanes))
    (row,) = footprints(doubtful)
    assert row.cell("pss_mib")[0].endswith("?")
    assert row.cell("idle_pss_mib")[0].endswith("?") == (status is Status.FAILING)
    assert not footprints(report)[0].cell("pss_mib")[0].endswith("?")
    for form in ("text", "markdown", "html"):
        assert "? Flask on gunicorn-gthread:" in written(doubtful)[form], form
    for shown in (report, doubtful):
        drawn = every_figure(shown)["footprint"].axes[columns(shown).index("pss_mib")].patches[0]
        assert (drawn.get_linestyle() == "--") == (drawn.get_facecolor() == (1, 1, 1, 1)) == (shown is doubtful)


@variants
def test_no_run_is_too_odd_to_be_reported(variant: str) -> None:
    """Every form of every variant can be made, and is not empty."""
    assert all(everywhere(VARIANTS[variant]()).values())


@pytest.mark.parametrize("metric", ["throughput_rps", "cpu_us_per_request", "latency_fixed_p99_ms", "error_ratio"])
def test_any_metric_may_be_missing(metric: str) -> None:
    """It is shown as missing, not as a number."""
    report = with_metric(single(), "flask_hello@gunicorn-gthread", metric, None)
    assert "–" in terminal(report)  # noqa: RUF001 - a dash
    said = everywhere(report)
    if metric == "throughput_rps":
        assert "not measured" in said["throughput"]


def test_extreme_values_can_be_drawn() -> None:
    """Zero, a negative framework share, a slice without an answer, a curve that ends at 100 %."""
    report = with_metric(
        standard(), "flask_hello@gunicorn-gthread", "throughput_rps", estimate(0.0, Unit.REQUESTS_PER_S, Better.HIGHER)
    )
    splits = tuple(
        replace(split, framework=estimate(-3.0, Unit.US, Better.LOWER)) for split in report.summary.cpu_splits
    )
    latencies_ms = (1.0, 2.0, 3.0)
    curve = replace(
        report.curves[0], percentiles=(0.0, 50.0, 100.0), latencies_ms=latencies_ms, services_ms=latencies_ms
    )
    trace = Trace(lane=report.traces[0].lane, at_s=(1.0, 2.0), throughput_rps=(0.0, 5.0))
    summary = replace(report.summary, cpu_splits=splits)
    odd = replace(report, summary=summary, curves=(curve,), traces=(trace, *report.traces[1:]))
    for figure in every_figure(odd).values():
        assert charts.png(figure).startswith(b"\x89PNG")


# ---------------------------------------------------------------- footprint


def test_every_form_shows_the_footprint() -> None:
    """Each App where it is native, with counts in full, lines by file, and what the columns mean."""
    said = everywhere(standard())
    for name in ("text", "markdown", "html", "footprint"):
        for what in ("1,055", "26.2", "172", "n = 10 fresh starts", "what a third worker adds to two"):
            assert what in said[name], (name, what)
    for name in ("markdown", "html", "footprint"):
        assert "FastAPI on uvicorn" in said[name]
        assert "Django on gunicorn-uvicorn" not in said[name]
    for name in ("markdown", "html"):
        assert "settings.py" in said[name]


def test_a_footprint_says_why_a_metric_is_missing() -> None:
    """Beside the table, and in the chart that it was not measured."""
    report = with_metric(single(), "flask_hello@gunicorn-gthread", "idle_pss_mib", None)
    (lane,) = report.summary.lanes
    lane = replace(lane, missing={"idle_pss_mib": reason(Code.UNREADABLE)})
    said = everywhere(replace(report, summary=replace(report.summary, lanes=(lane,))))
    for name in ("text", "markdown", "html"):
        why = rf"Flask on gunicorn-gthread: idle memory \({wording.said(reason(Code.UNREADABLE))}\)"
        assert re.search(why, said[name]), name


def test_a_footprint_says_of_how_many_starts_it_is() -> None:
    """The real n, from the fewest to the most, and once why one Lane has fewer."""
    report, name = standard(), "fastapi_hello@uvicorn"
    why = reason(Code.FEWER_VALUES, reason(Code.SAID, text="exit code 1"), n=7)
    (whole,) = (lane for lane in report.summary.lanes if lane.lane == name)
    short = ("first_response_ms", "idle_pss_mib")
    metrics = {**whole.metrics, **{metric: replace(whole.metrics[metric], n=7) for metric in short}}
    fewer = replace(whole, metrics=metrics, partial=dict.fromkeys(short, (why,)))
    lanes = tuple(fewer if lane is whole else lane for lane in report.summary.lanes)
    said = everywhere(replace(report, summary=replace(report.summary, lanes=lanes)))
    for form in ("text", "markdown", "html", "footprint"):
        assert "n = 7 to 10 " in said[form], form
    for form in ("text", "markdown", "html"):
        which = f"FastAPI on uvicorn: time to the first response; idle memory ({wording.said(why)})"
        assert said[form].count(which) == 1, form


def test_a_run_without_a_footprint_shows_none() -> None:
    """No empty table, and a chart that says so."""
    said = everywhere(VARIANTS["empty"]())
    assert re.search(r"\bNo footprint\b", said["footprint"])
    assert all("fresh starts" not in form for form in said.values())


# ---------------------------------------------------------------- charts


@every_chart
def test_a_chart_has_a_title_units_and_a_caption(chart: str) -> None:
    """Whoever sees the chart alone learns n, the load, the servers, the versions and the machine."""
    figure = drawn("standard")[chart]
    said = said_in(figure)
    assert CHARTS[chart] in said
    assert LOADS[chart] in said
    for fact in FACTS:
        assert fact in said
    axes_said = " ".join(
        f"{axes.get_title('left')} {axes.get_xlabel()} {axes.get_ylabel()} {_ticks(axes.get_xticklabels())}"
        for axes in figure.axes
    )
    for unit in UNITS[chart]:
        assert unit in axes_said


def _ticks(labels: Iterable[Text]) -> str:
    return " ".join(label.get_text() for label in labels)


def test_ranks_and_ties_are_those_of_the_throughput() -> None:
    """So the chart of the CPU time shows neither."""
    assert "1. FastAPI" in said_in(drawn("tied")["throughput"])
    assert "tied with Django" in said_in(drawn("tied")["throughput"])
    assert "1. FastAPI" not in said_in(drawn("tied")["cpu"])
    assert "tied with" not in said_in(drawn("tied")["cpu"])


@pytest.mark.parametrize("chart", ["throughput", "cpu"])
def test_bars_begin_at_zero_on_one_axis(chart: str) -> None:
    """A bar from elsewhere overstates a difference, and panels of different scale hide one."""
    limits = {axes.get_xlim() for axes in drawn("standard")[chart].axes}
    assert len(limits) == 1
    assert limits.pop()[0] == 0


def test_the_latency_axis_has_a_tick_for_each_nine_that_was_measured() -> None:
    """A curve over 10,780 answers carries 99.9 %, and not 99.99 %."""
    ticks = _ticks(drawn("standard")["latency"].axes[0].get_xticklabels())
    assert ticks == "50 % 90 % 99 % 99.9 %"


def test_the_latency_chart_shows_the_service_time_too() -> None:
    """A line for each, in one colour: a reviewer sees at a glance whether requests had to wait."""
    axes = drawn("standard")["latency"].axes[0]
    thick, thin = axes.lines[:2]
    assert thick.get_color() == thin.get_color()
    assert (np.asarray(thin.get_ydata(), float) < np.asarray(thick.get_ydata(), float)).all()


@pytest.mark.parametrize("variant", ["standard", "without_intervals", "noisy", "failed", "crowded", "empty"])
@every_chart
def test_no_text_is_clipped_or_overlaps(variant: str, chart: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text that is really drawn lies within the figure and clear of every other."""
    figure = drawn(variant)[chart]
    boxes = texts_drawn(figure, monkeypatch)
    assert len(boxes) > 8
    width, height = figure.canvas.get_width_height()
    for said, box in boxes:
        assert box.x0 >= 0, said
        assert box.y0 >= 0, said
        assert box.x1 <= width, said
        assert box.y1 <= height, said
    for (said, box), (other_said, other) in combinations(boxes, 2):
        assert not _overlap(box, other), (said, other_said)


def texts_drawn(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Bbox]]:
    """Returns the texts that a figure draws, without ticks beyond the axes, and where they lie in pixels."""
    canvas: Any = FigureCanvasAgg(figure)
    found: dict[int, Text] = {}
    draw: Any = Text.draw

    def recorded(label: Text, renderer: object) -> None:
        found[id(label)] = label
        draw(label, renderer)

    monkeypatch.setattr(Text, "draw", recorded)
    canvas.draw()
    renderer = canvas.get_renderer()
    return [(label.get_text(), Text.get_window_extent(label, renderer)) for label in found.values() if label.get_text()]


def _overlap(box: Bbox, other: Bbox, slack: float = 1.0) -> bool:
    apart = (
        box.x1 <= other.x0 + slack
        or other.x1 <= box.x0 + slack
        or box.y1 <= other.y0 + slack
        or other.y1 <= box.y0 + slack
    )
    return not apart


@pytest.mark.parametrize("chart", [chart for chart in CHARTS if chart != "footprint"])
def test_a_lane_that_cannot_be_trusted_is_marked(chart: str) -> None:
    """With its status beside its name or value."""
    said = said_in(drawn("failed")[chart])
    assert "not-saturated" in said
    assert "failed (start)" in said


def test_charts_are_the_same_bytes_again() -> None:
    """As SVG and PNG, drawn anew, without a date."""
    first, again = ({name: charts.render(figure) for name, figure in every_figure(single()).items()} for _ in range(2))
    assert first == again
    assert all(b"<dc:date>" not in files["svg"] for files in first.values())
    assert all(files["png"].startswith(b"\x89PNG") for files in first.values())


def test_a_title_is_text_and_not_mathematics() -> None:
    """Dollar signs, angle brackets and comment marks are drawn as they are."""
    report = single()
    lanes = tuple(replace(lane, title="$x^$ --> <b>&") for lane in report.summary.lanes)
    for figure in every_figure(replace(report, summary=replace(report.summary, lanes=lanes))).values():
        svg = charts.svg(figure)
        assert b"<b>" not in svg
        assert "$x^$ --> <b>&" in said_in(figure)


# ---------------------------------------------------------------- terminal


@variants
def test_the_terminal_text_fits_80_columns(variant: str) -> None:
    """Without colour, and with every Lane and number whole."""
    said = terminal(VARIANTS[variant]())
    assert max(map(len, said.splitlines())) <= 80
    heads = re.findall(r"^ *#  lane.*$", said, flags=re.MULTILINE)
    assert heads
    assert all(head.rstrip().endswith("own cost µs") for head in heads)
    assert "…" not in said
    assert "\x1b" not in said


def test_the_terminal_shows_failures_and_where_the_files_are() -> None:
    """The end of the Lane's own log, and the folder as the user knows it."""
    said = terminal(failed())
    assert "ModuleNotFoundError" in said
    assert "results/latest" in said


def test_a_log_is_printed_as_it_is() -> None:
    """Its markup is no markup, its terminal codes are dropped, and a long line is wrapped."""
    said = terminal(failed(HOSTILE))
    assert "[bold red]markup[/bold red]" in said
    assert "\x1b" not in said
    assert "\x07" not in said
    assert max(map(len, said.splitlines())) <= 80


# ---------------------------------------------------------------- Markdown


@variants
def test_markdown_tables_are_whole(variant: str) -> None:
    """Every row has as many cells as its head."""
    blocks = re.findall(r"(?:^\|.*\n?)+", markdown.render(VARIANTS[variant]()), flags=re.MULTILINE)
    assert blocks
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_markdown_links_its_charts_relatively() -> None:
    """The folder can be moved, and read on GitHub."""
    said = markdown.render(standard())
    assert re.findall(r"!\[[^\]]*\]\(([^)]*)\)", said) == [f"charts/{name}.svg" for name in CHARTS]


def test_markdown_cannot_be_broken_by_a_log_or_a_title() -> None:
    """A fence is longer than any in the log; a title's own marks are escaped."""
    said = markdown.render(failed(HOSTILE))
    assert "````text" in said
    report = single()
    lanes = tuple(replace(lane, title="a|b <img> `c`") for lane in report.summary.lanes)
    assert r"a\|b \<img\> \`c\`" in markdown.render(replace(report, summary=replace(report.summary, lanes=lanes)))


@pytest.mark.parametrize("fact", ["--worker-class gthread", "flask 3.1.3", "Server: uvicorn", "content-length: 13"])
def test_the_configuration_is_proven(fact: str) -> None:
    """Command lines, versions, answers, and what no setting makes equal, in Markdown and HTML."""
    assert fact in markdown.render(standard())
    assert fact in html.render(standard(), {})


def test_every_estimate_is_shown_with_its_interval() -> None:
    """In the folded tables of Markdown and HTML, to the same digits."""
    assert "6,512 (6,416–6,610)" in markdown.render(standard())  # noqa: RUF001 - a range
    assert "6,512<br><small>(6,416–6,610)</small>" in html.render(standard(), {})  # noqa: RUF001 - a range


# ---------------------------------------------------------------- HTML


class Strict(HTMLParser):
    """Fails on a tag that is not closed in order, and collects ids, references and tags."""

    VOID = frozenset({"meta", "br", "img", "link", "hr", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: set[str] = set()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self._collect(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._collect(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def _collect(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href"):
                self.references.add(value or "")
            self.references.update(f"#{target}" for target in re.findall(r"url\(#([^)]*)\)", value or ""))


@pytest.mark.parametrize("variant", ["standard", "failed", "crowded", "empty"])
def test_the_page_is_well_formed_and_needs_nothing_else(variant: str) -> None:
    """Tags are closed, ids are unique over all charts, references stay within the page, and nothing is fetched."""
    strict = Strict()
    strict.feed(page(variant))
    strict.close()
    assert strict.open == []
    assert len(set(strict.ids)) == len(strict.ids)
    assert strict.references
    assert {reference.removeprefix("#") for reference in strict.references} <= set(strict.ids)
    assert not strict.tags & {"script", "link", "img", "iframe", "object", "embed"}
    assert not re.search(r"https?:|@import|javascript:|url\((?!#)", page(variant))


def test_the_page_holds_every_chart() -> None:
    """Inline, with a name for those who cannot see it."""
    assert page("standard").count("<svg") == len(CHARTS)
    for title in CHARTS.values():
        assert f'aria-label="{title}"' in page("standard")


def test_a_log_cannot_escape_into_the_page() -> None:
    """Its tags are shown, not obeyed."""
    said = html.render(failed(HOSTILE), {})
    assert "<script" not in said
    assert "&lt;script" in said
    assert "\x1b" not in said


def test_the_verdicts_come_first() -> None:
    """Before any table."""
    said = html.render(standard(), {})
    assert 0 < said.index("FastAPI served 2.33x") < said.index("<table")


def test_reports_are_the_same_text_again() -> None:
    """Nothing in them depends on when or where they are made."""
    for render in (terminal, markdown.render, lambda report: html.render(report, {})):
        assert render(failed()) == render(failed())


def test_reasons_are_shown_beside_the_numbers() -> None:
    """A Lane that can't be trusted says why, in numbers, in every written form."""
    report = single()
    doubt = Validity(Status.DRIVER_BOUND, (DRIVER_FULL,))
    lanes = tuple(replace(lane, cells=(Cell(Phase.FIXED, doubt),), validity=doubt) for lane in report.summary.lanes)
    doubtful = replace(report, summary=replace(report.summary, lanes=lanes))
    for name in ("text", "markdown", "html"):
        assert wording.said(DRIVER_FULL) in everywhere(doubtful)[name], name


def test_only_figures_in_doubt_are_marked() -> None:
    """A Lane with a doubt about its latencies keeps its rank; they are marked, and the verdict says so."""
    report = single()
    scattered = reason(Code.SCATTERED, spread_share=0.8)
    doubt = Validity(Status.UNSTABLE, (scattered,))
    cells = (Cell(Phase.SATURATED, Validity(Status.VALID)), Cell(Phase.FIXED, doubt))
    lanes = tuple(replace(lane, cells=cells, validity=doubt) for lane in report.summary.lanes)
    (table,) = group_table.tables(replace(report, summary=replace(report.summary, lanes=lanes)))
    row = table.rows[0]
    assert row.status == f"{Status.UNSTABLE} {group_table.WHERE[Phase.FIXED]}"
    assert row.notes == (f"{row.status}: {wording.said(scattered)}",)
    assert row.cell("latency_fixed_p50_ms")[0].endswith("?")
    assert row.full("latency_fixed_p50_ms")[0].endswith("?")
    assert not row.cell("throughput_rps")[0].endswith("?")
    assert row.value("latency_fixed_p50_ms").endswith(", unstable")
    assert not row.value("throughput_rps").endswith(", unstable")
    assert row.status in group_table.verdict(table)


@pytest.mark.parametrize(("n", "notes"), [(ROUNDS, ()), (5, (f"n = 5 of {ROUNDS} rounds",))])
def test_a_lane_of_fewer_rounds_says_how_many(n: int, notes: tuple[str, ...]) -> None:
    """Beside its numbers; one of all rounds says nothing."""
    (lane,) = single().summary.lanes
    fewer = replace(lane.metrics[THROUGHPUT], n=n)
    (table,) = group_table.tables(with_metric(single(), lane.lane, THROUGHPUT, fewer))
    assert table.rows[0].notes == notes


def test_a_twin_is_no_row() -> None:
    """It is the same Lane again, which says how far that differs from itself, and competes with nobody."""
    report = standard()
    first = next(lane for lane in report.summary.lanes if not lane.raw)
    lanes = (*report.summary.lanes, replace(first, lane=f"{first.lane}#2", twin=True))
    before = group_table.tables(report)
    found = group_table.tables(replace(report, summary=replace(report.summary, lanes=lanes)))
    assert [table.rows for table in found] == [table.rows for table in before]
    assert [table.has_twin for table in found] == [table.group.group in first.groups for table in before]


def test_raw_in_doubt_is_said() -> None:
    """It has no rank to lose, but overheads and headroom are read from it."""
    report = standard()
    doubt = Validity(Status.DRIVER_BOUND, (DRIVER_FULL,))
    lanes = tuple(
        replace(lane, cells=(Cell(Phase.SATURATED, doubt),), validity=doubt) if lane.raw else lane
        for lane in report.summary.lanes
    )
    doubtful = replace(report, summary=replace(report.summary, lanes=lanes))
    doubts = [
        (row.title, group_table.verdict(table)) for table in group_table.tables(doubtful) for row in table.raw_rows
    ]
    assert len(doubts) >= 3
    for title, said in doubts:
        assert re.search(rf"{title} [^;]*: {Status.DRIVER_BOUND}", said)
