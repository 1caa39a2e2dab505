"""What every form of a sweep's report says, and that none breaks on what a sweep may leave behind."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from msgspec import to_builtins
from msgspec.structs import replace

from bench.analysis.summary import fold
from bench.cli.sweep_option import parse_sweep
from bench.model.estimate import Status
from bench.model.experiment import Sweep
from bench.model.load import Closed, Open, Phase
from bench.model.reason import Code, Value, reason
from bench.model.records import SliceRecord
from bench.model.summary import Report
from bench.report import CHARTS, charts, charts_of, context, html, markdown
from bench.report.sweep_table import sweep_tables
from bench.report.wording import said
from tests.builders.forms import said_in, terminal, written
from tests.builders.reports import standard
from tests.builders.runs import A, B, G, experiment, failure, manifest, spread, sweep_records


def report(loads: str, slo_ms: float = 10.0, *, rounds: int = 3) -> Report:
    preset = replace(experiment().preset, rounds=rounds)
    whole = replace(experiment(), preset=preset, sweep=Sweep(loads=parse_sweep(loads), slo_ms=slo_ms))
    return fold(manifest(whole), sweep_records(whole), []).report


def users() -> Report:
    return report("users=1..256")


def rates() -> Report:
    return report("rate=100..20000")


def with_records(change: Callable[[SliceRecord], SliceRecord | None]) -> Report:
    whole = replace(experiment(), sweep=Sweep(loads=parse_sweep("users=1..8"), slo_ms=10.0))
    changed = [change(record) for record in sweep_records(whole)]
    return fold(manifest(whole), [record for record in changed if record], [failure(B, round=1)]).report


VARIANTS: dict[str, Callable[[], Report]] = {
    "users": users,
    "rates": rates,
    "one load": lambda: report("rate=500"),
    "many loads": lambda: report("users=" + ",".join(map(str, range(1, 60, 2)))),
    "two rounds": lambda: report("users=1..8", rounds=2),
    "no load within the objective": lambda: report("rate=100..20000", 0.001),
    "every load within the objective": lambda: report("rate=100..200", 1000.0),
    "silent": lambda: with_records(lambda row: replace(row, answers_in_window=0, requests=0)),
    "wrong": lambda: with_records(lambda row: replace(row, errors={"status 500": 1})),
    "interrupted": lambda: with_records(lambda row: row if row.load == Closed(1) and row.lane != G else None),
    "empty": lambda: with_records(lambda _: None),
}
variants = pytest.mark.parametrize("variant", VARIANTS)


@cache
def drawn(variant: str) -> dict[str, Figure]:
    return charts.draw(VARIANTS[variant]())


def page(variant: str) -> str:
    rendered = {name: charts.svg(figure) for name, figure in drawn(variant).items()}
    return html.render(VARIANTS[variant](), rendered)


def test_a_run_has_the_charts_that_it_has_figures_for() -> None:
    """A sweep has its own two and no others; a run that is none has those, in every report."""
    own, others = charts_of(users()), charts_of(standard())
    assert list(own) == ["sweep_throughput", "sweep_latency"]
    assert {**others, **own} == CHARTS
    assert re.findall(r"!\[[^\]]*\]\(charts/(.*)\.svg\)", markdown.render(users())) == list(own)
    assert page("users").count("<svg") == 2
    assert "charts/*.svg (sweep_throughput, sweep_latency)" in " ".join(terminal(users()).split())
    assert set(charts.draw(standard())) == set(others)


@variants
def test_no_sweep_is_too_odd_to_be_reported(variant: str) -> None:
    """Every form can be made, has no NaN, and fits into its page, and the terminal's into 80 columns."""
    found = VARIANTS[variant]()
    forms = written(found).values()
    assert not any(re.search(r"\bnan\b|\binf\b|\bNone\b(?! was found)", form) for form in forms)
    assert max(map(len, terminal(found).splitlines())) <= 80
    for figure in drawn(variant).values():
        canvas: Any = FigureCanvasAgg(figure)
        renderer = canvas.get_renderer()
        figure.draw(renderer)
        named = [label for axes in figure.axes if (legend := axes.get_legend()) for label in legend.get_texts()]
        assert len(named) == sum(len(table.rows) for table in sweep_tables(found))
        for label in (*figure.texts, *named):
            box = label.get_window_extent(renderer)
            assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, label.get_text()


def test_every_form_says_the_knee_and_the_objective() -> None:
    """Alpha answers in 3 ms and gets 1,000 requests/s through: its knee is at 3 users, or between two rates."""
    for form in written(users()).values():
        assert re.search(r"p99 [^;]*\b10 ms [^;]*\b4 users \(1,000 req/s\) for Alpha", form)
        assert re.search(r"\b4 users \(1,000 req/s\): p99 ", form)
        assert "3.01" in form
    for form in written(rates()).values():
        assert "500/s for Alpha" in form
        assert re.search(rf"\b500/s: {Status.UNSTABLE} at 1,000/s", form)
        assert "500–2,000" in form  # noqa: RUF001 - a range
        assert "asymptotic bounds" in form
    throughput, latency = (said_in(figure) for figure in drawn("users").values())
    assert "Alpha: knee 3.01" in throughput
    assert re.search(r"Alpha: .*\b4 users", latency)
    assert re.search(r"p99 .*\b10 ms", latency)


def verdict_of(change: Callable[[SliceRecord], SliceRecord], slo_ms: float = 10.0, rounds: int = 5) -> str:
    """Returns the verdict on a sweep of rates in which a change was made to Alpha's records."""
    preset = replace(experiment().preset, rounds=rounds)
    whole = replace(experiment(), preset=preset, sweep=Sweep(loads=parse_sweep("rate=100..2000"), slo_ms=slo_ms))
    rows = [change(row) if row.lane == A else row for row in sweep_records(whole)]
    return sweep_tables(fold(manifest(whole), rows, []).report)[0].verdict


def unknown(verdict: str) -> dict[str, str]:
    """Returns of which Lanes a verdict says that it is not known, and why."""
    (said,) = re.findall(r"; not known for (.*)\.$", verdict)
    return dict(re.findall(r"(\w+) \((.*?)\)(?:, | and |$)", said))


def said_of(code: Code, **values: Value) -> str:
    return said(reason(code, **values))


def test_the_verdict_claims_no_load_only_where_that_was_seen() -> None:
    """A p99 above the objective at the first load; where that p99 is not known, the objective is not either."""
    nowhere = verdict_of(lambda row: row, 0.001)
    assert re.search(r"\b0\.001 ms at no load for Alpha\b.* at no load for Beta\b", nowhere)
    robbed = verdict_of(
        lambda row: (
            replace(row, steal_s=0.3 * row.slice_s, not_repeated=reason(Code.STEAL)) if row.load == Open(100) else row
        )
    )
    assert re.search(r"\b10 ms .*\b500/s for Beta\b", robbed)
    assert unknown(robbed)["Alpha"] == said_of(Code.POINT_NOT_VALID, status=Status.STARVED, load=to_builtins(Open(100)))
    few = verdict_of(lambda row: replace(row, latency_from_intended_us=spread(50, 3000)))
    assert said_of(Code.NO_P99_BELOW, load=to_builtins(Open(1_000))) in unknown(few)["Alpha"]
    short = verdict_of(lambda row: row, rounds=2)
    assert said_of(Code.NO_INTERVAL, load=to_builtins(Open(200))) in unknown(short)["Alpha"]
    assert said_of(Code.NO_P99_BELOW, load=to_builtins(Open(200))) in unknown(short)["Alpha"]
    assert "at no load" not in robbed + few + short


def test_the_verdict_says_which_figures_are_in_doubt() -> None:
    """Of a Lane with a wrong answer, in a warm-up too, nothing is derived; a doubtful point beyond the end is named."""
    wrong = verdict_of(lambda row: replace(row, errors={"status 500": 40}) if row.phase is Phase.WARM_UP else row)
    assert unknown(wrong)["Alpha"] == said_of(Code.LANE_NOT_VALID, status=Status.FAILING)
    late = verdict_of(lambda row: replace(row, steal_s=0.3 * row.slice_s) if row.load == Open(200) else row)
    assert "100/s for Alpha" in late
    assert re.search(r"; [^;]*Alpha [^;]*: starved at 200/s\.$", late)


def test_every_point_is_in_the_long_reports() -> None:
    """Load, throughput, percentiles, CPU shares, unsent requests and status of every Lane."""
    found = rates()
    forms = written(found)
    for form in (forms["markdown"], forms["html"]):
        assert form.count("every load") == len(found.summary.sweeps)
        assert "14,250" in form  # what Alpha could not send of 20,000/s
        assert re.search(r"overloaded: 1,000 of 20,000 ", form)


@pytest.mark.parametrize("variant", ["users", "rates"])
def test_the_charts_of_a_sweep_stand_alone(variant: str) -> None:
    """Title, units, n, the loads, the machine and bench are on each; both axes are logarithmic."""
    assert drawn(variant).keys() == {"sweep_throughput", "sweep_latency"}
    for name, figure in drawn(variant).items():
        said = said_in(figure)
        for fact in (CHARTS[name], "n = 3 rounds", "Example", "bench 0.1.0", "gunicorn 27.0.1", "0.25 s"):
            assert fact in said
        assert ("closed(1, 2, 4" if variant == "users" else "open(100, 200") in said
        assert ("users" if variant == "users" else "rate, requests/s") in figure.axes[-1].get_xlabel()
        assert ("requests/s" if name == "sweep_throughput" else "ms") in figure.axes[0].get_ylabel()
        assert {axes.get_xscale() for axes in figure.axes} == {axes.get_yscale() for axes in figure.axes} == {"log"}


def test_the_star_lies_on_the_line() -> None:
    """Where the knee is between two loads, its height is that of the line as it is drawn."""
    (axes,) = drawn("users")["sweep_throughput"].axes
    marks = [line.get_xydata() for line in axes.lines if line.get_marker() == "*"]
    stars = [np.asarray(mark, dtype=float)[0] for mark in marks]
    knees = [each.sweep.knee.at for each in sweep_tables(users())[0].rows if each.sweep.knee.at]
    assert [x for x, _ in stars] == pytest.approx(knees)
    by_lane = {each.lane: each for each in users().summary.sweeps}
    throughputs = [point.throughput_rps.point for point in by_lane[A].points if point.throughput_rps]
    assert throughputs[1] < stars[0][1] < throughputs[2]


def test_charts_are_the_same_bytes_again() -> None:
    """Nothing in them depends on when they are made."""
    for figure, again in zip(charts.draw(users()).values(), charts.draw(users()).values(), strict=True):
        assert charts.render(figure) == charts.render(again)


def test_a_sweep_is_read_in_its_own_way() -> None:
    """How to read ranks has no place in it, how to read a knee has none elsewhere."""
    assert "knee" in " ".join(context.reading(users()))
    assert "tied" not in " ".join(context.reading(users()))
    assert "knee" not in " ".join(context.reading(standard()))
