"""How a comparison is told: on the terminal, in Markdown, and to GitHub Actions."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.cli.gate import exit_code
from bench.model.estimate import Estimate
from bench.model.formats import FORMAT_VERSION
from bench.model.metrics import METRICS
from bench.model.reason import Code, Reason, reason
from bench.model.regression import (
    AppComparison,
    Comparison,
    Difference,
    DifferenceKind,
    Evidence,
    Judged,
    SideFacts,
    Verdict,
)
from bench.regression.verdict import judge
from bench.report import comparison as words
from bench.report import verdict, wording
from bench.report.exports import junit
from bench.report.exports.github import annotations
from tests.builders.forms import printed

CPU, RPS = "cpu_us_per_request", "throughput_rps"


GATED = [row.name for row in METRICS.gated()]


def ratio(point: float = 1.05) -> Estimate:
    return Estimate.ratio(point, point * 0.99, point * 1.01, 8)


A_REASON = reason(Code.SAID, text="a reason")


def evidence(verdict: Verdict, metric: str = CPU, *reasons: Reason) -> Evidence:
    return Evidence(metric, ratio(), verdict, 0.06, reasons, 0.04)


UPDATED = Difference(kind=DifferenceKind.PACKAGE, name="uvicorn", base="0.54", head="0.50")


def compared(*found: Evidence, app: str = "shop") -> Comparison:
    """Returns a comparison of one App in 8 rounds."""
    side = SideFacts(revision="main", commit="0123456789abcdef", python="3.11.7", requirements=())
    return Comparison(
        format_version=FORMAT_VERSION,
        run_id="20260301T101500Z-3f9a1c",
        base=side,
        head=replace(side, revision="WORKTREE", commit=None, requirements=("uvicorn==0.50.*",)),
        max_regression=0.03,
        max_instructions=0.005,
        budget_s=120.0,
        spent_s=93.4,
        rounds=8,
        measured_again=False,
        apps=(AppComparison(app=app, lane=f"{app}@uvicorn", evidence=found, differences=(UPDATED,)),),
        notes=(reason(Code.ON_ONE_SIDE, side="main").found_of("blog"),),
    )


def shown(comparison: Comparison, width: int = 80) -> str:
    return printed(words.terminal(comparison), width)


@pytest.mark.parametrize(
    ("verdict", "names"),
    [
        (Verdict.SLOWER, rf"Slower: shop \({METRICS[CPU].short}\)\."),
        (Verdict.INVALID, r"[^:]* not be measured: shop\."),
        (Verdict.UNDECIDED, rf"No .* regression; undecided: shop \({METRICS[CPU].short}\)\."),
        (Verdict.NO_DIFFERENCE, r"No regression .* 3\.00 %\."),
        (Verdict.FASTER, r"No regression .* 3\.00 %\."),
    ],
)
def test_the_verdict_comes_first(verdict: Verdict, names: str) -> None:
    """Whoever reads one line reads the right one, on the terminal and in a pull request."""
    found = compared(evidence(verdict))
    first = shown(found, width=200).splitlines()[0]
    assert re.fullmatch(names, first)
    assert words.markdown(found).splitlines()[0].replace("\\", "") == f"### bench: {first}"


def test_a_regression_is_named_though_another_app_could_not_be_measured() -> None:
    """Nobody is to overlook it, whatever the exit code."""
    apps = (Judged("blog", (evidence(Verdict.INVALID),)), Judged("shop", (evidence(Verdict.SLOWER),)))
    assert re.fullmatch(rf"[^:]*: blog; slower: shop \({METRICS[CPU].short}\)\.", verdict.verdict(apps, 0.03))


@pytest.mark.parametrize("form", [lambda found: shown(found, 200), words.markdown])
def test_everything_that_is_needed_to_judge_is_there(form: object) -> None:
    """Ratio with interval, n of rounds, both sides, what is allowed, what else differs, and what was not compared."""
    assert callable(form)
    said = " ".join(form(compared(evidence(Verdict.UNDECIDED, CPU, A_REASON))).replace("\\", "").split())
    for words_of in (
        "1.05x (1.04–1.06)",  # noqa: RUF001 - a range
        "BASE main (0123456789ab), Python 3.11.7",
        "HEAD WORKTREE with uvicorn==0.50.*",
        "8 rounds in 93 s of a budget of 120 s",
        "allowed: 3.00 %, of instructions 0.500 %",
        wording.said(reason(Code.ON_ONE_SIDE, side="main").found_of("blog")),
        "uvicorn: 0.54 -",
        "a reason",
    ):
        assert words_of in said, words_of


def test_the_terminal_is_readable_at_80_columns() -> None:
    """No line is wider, whatever the verdict."""
    found = compared(*(evidence(verdict, metric) for metric in GATED for verdict in Verdict))
    assert max(map(len, shown(found).splitlines())) <= 80


def test_an_undecided_verdict_says_what_it_could_have_seen() -> None:
    """It is not a pass in silence."""
    assert re.fullmatch(
        r"undecided: 3\.95 % to 6\.05 % worse; .* 4\.00 % .*", verdict.said(evidence(Verdict.UNDECIDED))
    )
    assert verdict.said(evidence(Verdict.NO_DIFFERENCE)).endswith(" 6.00 %")
    assert "rounds" in verdict.said(replace(evidence(Verdict.UNDECIDED), ratio=None, visible=None))
    late = verdict.said(evidence(Verdict.UNDECIDED, CPU, reason(Code.NOT_MEASURED_AGAIN)))
    assert late.startswith(f"undecided: {wording.said(reason(Code.NOT_MEASURED_AGAIN))}; 3.95 % to 6.05 % worse; ")


@pytest.mark.parametrize(
    ("metric", "low", "high", "said"),
    [
        (CPU, 0.98, 1.08, "2.04 % better to 8.00 % worse"),
        (CPU, 0.95, 0.99, "5.26 % to 1.01 % better"),
        (RPS, 0.95, 0.99, "1.01 % to 5.26 % worse"),
        (RPS, 0.98, 1.08, "8.00 % better to 2.04 % worse"),
    ],
)
def test_what_an_undecided_interval_leaves_open_is_said_in_words(
    metric: str, low: float, high: float, said: str
) -> None:
    """By its two ends, and which way is better: half of its width alone says neither."""
    judged = judge(metric, Estimate.ratio((low * high) ** 0.5, low, high, 8), 0.03, [])
    assert judged.verdict is Verdict.UNDECIDED
    assert f"undecided: {said}; a regression above " in verdict.said(judged)


@given(st.floats(0.9, 1.2), st.floats(1.001, 1.1), st.floats(0.005, 0.1))
def test_a_regression_of_the_size_that_would_have_been_seen_is_seen(point: float, half: float, allowed: float) -> None:
    """An interval of the same width about a larger one lies beyond what is allowed."""
    judged = judge(CPU, Estimate.ratio(point, point / half, point * half, 8), allowed, [])
    assert judged.visible is not None
    seen = (1 + judged.visible) * 1.0001
    assert judge(CPU, Estimate.ratio(seen, seen / half, seen * half, 8), allowed, []).verdict is Verdict.SLOWER


def test_the_sentence_and_the_exit_code_agree() -> None:
    """A regression is named first though another metric is lost; what is lost stands behind it."""
    lost = compared(evidence(Verdict.SLOWER, CPU), evidence(Verdict.INVALID, RPS))
    said = verdict.verdict(lost.judged, 0.03)
    assert re.fullmatch(rf"Slower: shop \({METRICS[CPU].short}\); [^:]*: shop \({METRICS[RPS].short}\)\.", said)
    assert exit_code(lost.judged) == 1
    fine = compared(evidence(Verdict.NO_DIFFERENCE, CPU), evidence(Verdict.INVALID, RPS))
    assert re.fullmatch(r"No .* 3\.00 %; [^:]*: shop \(throughput\)\.", verdict.verdict(fine.judged, 0.03))
    assert exit_code(fine.judged) == 0


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([Verdict.NO_DIFFERENCE, Verdict.UNDECIDED], 0),
        ([Verdict.FASTER, Verdict.FASTER], 0),
        ([Verdict.NO_DIFFERENCE, Verdict.SLOWER], 1),
        ([Verdict.INVALID, Verdict.NO_DIFFERENCE], 0),
        ([Verdict.INVALID, Verdict.SLOWER], 1),
        ([Verdict.INVALID, Verdict.INVALID], 3),
    ],
)
def test_exit_codes(found: list[Verdict], code: int) -> None:
    """1 is a regression that was confirmed; 3 an App of which nothing is valid, as after a wrong answer."""
    comparison = compared(*(evidence(verdict, metric) for verdict, metric in zip(found, (CPU, RPS), strict=True)))
    assert exit_code(comparison.judged) == code


@given(st.sampled_from(Verdict), st.text(), st.text())
def test_an_annotation_is_one_line_whatever_it_says(verdict: Verdict, text: str, app: str) -> None:
    """Line ends, colons and commas of names do not end a workflow command."""
    why = reason(Code.SAID, text=text)
    said = annotations(compared(evidence(verdict, CPU, why), app=app).judged, words.RATIO)
    lines = said.split("\n")[:-1]
    assert len(lines) == (verdict in (Verdict.SLOWER, Verdict.INVALID, Verdict.UNDECIDED))
    for line in lines:
        assert re.fullmatch(r"::(error|warning) title=bench%3A [^:,\r\n]*::[^\r\n]*", line)


@pytest.mark.parametrize("verdict", [Verdict.INVALID, Verdict.UNDECIDED])
def test_an_annotation_says_a_reason_once(verdict: Verdict) -> None:
    """The words of the verdict have it already."""
    said = annotations(compared(evidence(verdict, CPU, A_REASON)).judged, words.RATIO)
    assert said.count("a reason") == 1


@pytest.mark.parametrize(
    ("verdict", "element"),
    [(Verdict.SLOWER, "failure"), (Verdict.INVALID, "error"), (Verdict.UNDECIDED, "skipped"), (Verdict.FASTER, None)],
)
def test_a_verdict_is_a_test_in_junit(verdict: Verdict, element: str | None) -> None:
    """CI that shows JUnit XML shows a regression as a failure; undecided is neither a failure nor a pass in silence."""
    comparison = compared(evidence(verdict, CPU, A_REASON))
    xml = ElementTree.fromstring(junit.render("bench compare", junit.verdict_cases(comparison.judged, words.RATIO)))  # noqa: S314 - our own
    (case,) = xml.iter("testcase")
    assert case.get("name") == METRICS[CPU].short
    assert [child.tag for child in case] == ([element] if element else [])
    if element:
        assert str(verdict) in (case[0].get("message") or "")


def test_of_many_verdicts_a_few_are_named() -> None:
    """The sentence stays a sentence; the table has them all."""
    many = [Judged(f"app{number}", (evidence(Verdict.UNDECIDED, CPU),)) for number in range(20)]
    assert re.search(r"\bapp2 .*\b17 more\.$", verdict.verdict(many, 0.03))


def test_the_noise_floor_is_stated_before_the_details() -> None:
    """Half of the widest interval of each metric, in the text and in the Markdown, outside of what is folded."""
    comparison = compared(evidence(Verdict.NO_DIFFERENCE, CPU), evidence(Verdict.NO_DIFFERENCE, RPS))
    said = words.noise_floor(comparison)
    for metric in (CPU, RPS):
        assert f"{METRICS[metric].short} 1.01 %" in said
    markdown = words.markdown(comparison)
    assert markdown.index("Noise floor") < markdown.index("<details>")


@pytest.mark.parametrize("kind", DifferenceKind)
def test_a_difference_is_named_with_both_sides(kind: DifferenceKind) -> None:
    """One that is not there is missing; the words of an older format stay as they are."""
    found = words.difference(Difference(kind=kind, name="x-a", base="1.25", head=None))
    assert "x-a" in found
    assert (found == "x-a") is (kind is DifferenceKind.SAID)
    assert ("1.25" in found) is (kind is not DifferenceKind.SAID)
    assert ("header" in found) is (kind is DifferenceKind.HEADER)
