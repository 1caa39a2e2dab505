"""Whether a stored run became slower than another one, relative to raw, and which runs may be compared at all."""

import re
from collections.abc import Sequence
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, JUnitXml
from msgspec.structs import replace
from scipy.stats import ttest_ind

from bench.analysis import intervals, normalise
from bench.analysis.summary import Folded, fold
from bench.cli import main
from bench.model.experiment import Experiment, Sweep, only
from bench.model.formats import FORMAT_VERSION
from bench.model.load import Closed
from bench.model.metrics import CPU, METRICS
from bench.model.reason import Code, reason
from bench.model.records import Failure, LatencyEnd, Manifest, SliceRecord
from bench.model.regression import Check, Evidence, Verdict
from bench.regression import comparability
from bench.regression.check import check, resemblance
from bench.regression.comparability import NotComparable
from bench.regression.ratios import Allowed
from bench.report.verdict import verdict
from tests.builders.runs import CPU_US, RPS, A, B, G, R, experiment, failure, manifest, run_records, twinned
from tests.builders.stored import stored

ALLOWED = Allowed(time=0.03, instructions=0.005)
WHOLE = experiment()
SLOWER_DAY = {lane: rps / 2 for lane, rps in RPS.items()}


def of(records: Sequence[SliceRecord], failures: Sequence[Failure] = (), made_from: Manifest | None = None) -> Folded:
    return fold(made_from or manifest(WHOLE), records, failures, ())


def evidence(found: Check, lane: str, metric: str) -> Evidence:
    judged = {each.name: each.evidence for each in found.judged}
    return next(each for each in judged[lane] if each.metric == metric)


def costlier(lane: str, by: float) -> dict[str, float]:
    return CPU_US | {lane: CPU_US[lane] * by}


def test_a_slower_day_cancels() -> None:
    """Half the throughput and twice the CPU time of every Lane, raw among them, is no difference."""
    twice = {lane: 2 * cpu_us for lane, cpu_us in CPU_US.items()}
    found = check(of(run_records(WHOLE, SLOWER_DAY, twice)), of(run_records(WHOLE)), ALLOWED)
    assert {lane.lane for lane in found.lanes} == {A, B, G}
    for lane in (A, B, G):
        ratio = evidence(found, lane, "cpu_us_per_request").ratio
        assert ratio is not None
        assert ratio.point == pytest.approx(1, abs=0.01)
        assert evidence(found, lane, "cpu_us_per_request").verdict is Verdict.NO_DIFFERENCE


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [(1.1, 1.0, Verdict.SLOWER), (1.0, 1.1, Verdict.FASTER), (1.0, 1.0, Verdict.NO_DIFFERENCE)],
)
def test_what_one_lane_became_is_seen_in_it_alone(new: float, old: float, expected: Verdict) -> None:
    """CPU time per request of one Lane, relative to raw: itself has the verdict, the others have no difference."""
    run, baseline = (of(run_records(WHOLE, cpu_us=costlier(B, by))) for by in (new, old))
    found = check(run, baseline, ALLOWED)
    assert evidence(found, B, "cpu_us_per_request").verdict is expected
    assert evidence(found, A, "cpu_us_per_request").verdict is Verdict.NO_DIFFERENCE


def test_a_raw_lane_that_became_slower_is_seen_in_all_of_its_server() -> None:
    """Raw is what the others are measured by: every Lane on it then looks better."""
    found = check(of(run_records(WHOLE, cpu_us=costlier(R, 1.1))), of(run_records(WHOLE)), ALLOWED)
    assert {evidence(found, lane, "cpu_us_per_request").verdict for lane in (A, B)} == {Verdict.FASTER}
    assert evidence(found, G, "cpu_us_per_request").verdict is Verdict.NO_DIFFERENCE  # it has another raw


def test_what_lies_below_the_noise_floor_is_no_regression() -> None:
    """A twin that differs by 20 % in one of the runs makes a change of 10 % undecided, and not a pass in silence."""
    whole = twinned()
    twin = whole.lanes[-1].name
    noisy = run_records(whole, RPS | {twin: RPS[A] * 1.2}, CPU_US | {twin: CPU_US[A]})
    changed = run_records(whole, RPS | {twin: RPS[A]}, costlier(B, 1.1) | {twin: CPU_US[A]})
    found = check(of(changed, made_from=manifest(whole)), of(noisy, made_from=manifest(whole)), ALLOWED)
    assert found.noise_floors["throughput_rps"] > 0.15
    assert found.noise_floors["cpu_us_per_request"] < 0.03
    assert evidence(found, B, "cpu_us_per_request").verdict is Verdict.SLOWER  # another metric's noise is not its own
    noisy_cpu = run_records(whole, RPS | {twin: RPS[A]}, CPU_US | {twin: CPU_US[A] * 1.2})
    found = check(of(changed, made_from=manifest(whole)), of(noisy_cpu, made_from=manifest(whole)), ALLOWED)
    each = evidence(found, B, "cpu_us_per_request")
    assert each.verdict is Verdict.UNDECIDED
    (why,) = each.reasons
    assert why == reason(Code.WITHIN_NOISE_FLOOR, noise_share=found.noise_floors["cpu_us_per_request"])
    assert "No regression" not in verdict(found.judged, 0.03)


def test_a_lane_that_failed_is_invalid_and_exit_code_3() -> None:
    """Wrong answers in the run, a Lane that did not start: nothing of it can be judged, and why is said."""
    records = run_records(WHOLE)
    wrong = [replace(row, errors={"status 500": 3}) if row.lane == B else row for row in records]
    without = [row for row in records if row.lane != B]
    for run in (of(wrong), of(without, [failure(B)])):
        found = check(run, of(records), ALLOWED)
        for metric in ("cpu_us_per_request", "throughput_rps"):
            each = evidence(found, B, metric)
            assert each.verdict is Verdict.INVALID
            assert {(why.code, why.of) for why in each.reasons} == {(Code.NOT_VALID, "RUN")}
        assert evidence(found, A, "cpu_us_per_request").verdict is Verdict.NO_DIFFERENCE


def some(*lanes: str) -> Experiment:
    return only(WHOLE, lanes)


@pytest.mark.parametrize(
    ("run", "baseline", "said"),
    [(some(A, R), some(B, R), "^lanes: "), (some(A, B), some(A, B), "^raw: ")],
)
def test_runs_without_a_lane_to_judge_are_refused(run: Experiment, baseline: Experiment, said: str) -> None:
    """Nothing compared is no pass: one line says what is missing."""
    new, old = (of(run_records(whole), made_from=manifest(whole)) for whole in (run, baseline))
    with pytest.raises(NotComparable, match=said):
        check(new, old, ALLOWED)


def test_an_incomplete_run_is_said_to_be_one() -> None:
    """What is missing of it is not hidden behind a verdict."""
    records = [row for row in run_records(WHOLE) if row.round < 2]
    notes = check(of(records), of(records), ALLOWED).notes
    incomplete = [(note.of, note.values) for note in notes if note.code is Code.RUN_INCOMPLETE]
    assert incomplete == [("RUN", {"rounds": 2}), ("BASELINE", {"rounds": 2})]


def test_too_few_rounds_are_undecided() -> None:
    """Two rounds have no interval."""
    records = [row for row in run_records(WHOLE) if row.round < 2]
    assert (
        evidence(check(of(records), of(run_records(WHOLE)), ALLOWED), A, "throughput_rps").verdict is Verdict.UNDECIDED
    )


def changed_fact(made_from: Manifest, lane: str, **changes: Any) -> Manifest:
    lanes = tuple(replace(facts, **changes) if facts.lane == lane else facts for facts in made_from.lanes)
    return replace(made_from, lanes=lanes)


MANIFEST = manifest(WHOLE)
DIFFERENT = {
    "latency_end": replace(MANIFEST, latency_end=LatencyEnd.READ),
    "machine.cpu": replace(MANIFEST, machine=replace(MANIFEST.machine, cpu="Other")),
    "machine.server_cores": replace(MANIFEST, machine=replace(MANIFEST.machine, server_cores=(0, 2))),
    "driver_versions.locust": replace(MANIFEST, driver_versions={"locust": "2.48.0"}),
    "bench_version": replace(MANIFEST, bench_version="9.0"),
    f"{A} versions.gunicorn": changed_fact(
        MANIFEST, A, versions={"gunicorn": "26", "uvicorn": "0.54.0", "a2wsgi": "1.10.0"}
    ),
    f"{A} versions.flask": changed_fact(
        MANIFEST, A, versions={"gunicorn": "27.0.1", "uvicorn": "0.54.0", "a2wsgi": "1.10.0", "flask": "3"}
    ),
    f"{B} python": changed_fact(MANIFEST, B, python="3.13.0"),
    f"{B} workers": changed_fact(MANIFEST, B, workers=2),
    f"{B} environment.BETA_MODE": changed_fact(MANIFEST, B, environment={"BETA_MODE": "slow"}),
    f"{A} response_body": changed_fact(MANIFEST, A, response_body="Hello"),
    "workload.body": manifest(replace(WHOLE, workload=replace(WHOLE.workload, body="Hi {name}"))),
    "serving.threads": manifest(replace(WHOLE, serving=replace(WHOLE.serving, threads=4))),
    "load.users": manifest(replace(WHOLE, load=replace(WHOLE.load, users=32))),
    "sweep": manifest(replace(WHOLE, sweep=Sweep(loads=(Closed(1), Closed(2)), slo_ms=10.0))),
    "preset.window_s": manifest(replace(WHOLE, preset=replace(WHOLE.preset, window_s=1.0))),
}


@pytest.mark.parametrize("field", DIFFERENT)
def test_what_is_not_comparable_is_refused_by_its_field(field: str) -> None:
    """One line names what differs, both values, and what to do."""
    with pytest.raises(NotComparable) as refused:
        comparability.prove_comparable(DIFFERENT[field], MANIFEST)
    first, *others = comparability.differing(DIFFERENT[field], MANIFEST)
    assert field in (first, *others)
    assert str(refused.value).startswith(f"{first}: found ")
    assert "expected the same" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_the_workload_is_called_makes_no_difference() -> None:
    """It had no name in earlier formats; what is asked and answered has to be the same."""
    renamed = manifest(replace(WHOLE, workload=replace(WHOLE.workload, name="greeting")))
    comparability.prove_comparable(renamed, MANIFEST)
    assert comparability.digest(renamed) == comparability.digest(MANIFEST)


@pytest.mark.parametrize("long", ["x" * 200 + "{}", "{}" + "x" * 200, "x" * 200 + "{}" + "x" * 200])
def test_of_long_values_what_differs_is_shown(long: str) -> None:
    """Of two command lines that begin alike the beginning says nothing."""
    one, other = (changed_fact(MANIFEST, A, response_body=long.format(word)) for word in ("-threads=1-", "-threads=4-"))
    with pytest.raises(NotComparable) as refused:
        comparability.prove_comparable(one, other)
    assert str(refused.value).index("threads=1") < str(refused.value).index("threads=4")
    assert len(str(refused.value)) < 320


def test_ports_and_dates_may_differ() -> None:
    """What differs between two launches of the same Lane is no difference."""
    headers = (*MANIFEST.lanes[0].response_headers, ("Date", "today"))
    launched = tuple(
        replace(facts, port=20009, command=tuple(part.replace("20001", "20009") for part in facts.command))
        for facts in changed_fact(MANIFEST, A, response_headers=headers).lanes
    )
    comparability.prove_comparable(replace(MANIFEST, lanes=launched, run_id="other", project_revision="abc"), MANIFEST)


@given(
    st.lists(st.floats(-1, 1), min_size=3, max_size=12).filter(lambda logs: np.ptp(logs) > 1e-3),
    st.lists(st.floats(-1, 1), min_size=3, max_size=12).filter(lambda logs: np.ptp(logs) > 1e-3),
)
def test_the_interval_of_two_runs_is_welchs(new: list[float], old: list[float]) -> None:
    """The same interval as scipy's t-test of unequal variances has; and it turns with the runs."""
    found = intervals.unpaired_ratio_estimate(np.array(new), np.array(old))
    interval = ttest_ind(new, old, equal_var=False).confidence_interval(0.95)
    assert found.low is not None
    assert found.high is not None
    assert log(found.low) == pytest.approx(interval.low, abs=1e-6)
    assert log(found.high) == pytest.approx(interval.high, abs=1e-6)
    turned = intervals.unpaired_ratio_estimate(np.array(old), np.array(new))
    assert turned.high is not None
    assert turned.high == pytest.approx(1 / found.low, rel=1e-9)


def test_the_interval_of_two_runs_covers_what_it_says() -> None:
    """Of 2,000 pairs of runs of unequal spread and length, 95 % of the intervals hold the truth."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(2000):
        new, old = rng.normal(0.1, 0.05, 6), rng.normal(0.0, 0.01, 10)
        found = intervals.unpaired_ratio_estimate(new, old)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= exp(0.1) <= found.high
    assert abs(held / 2000 - 0.95) < 4 * sqrt(0.95 * 0.05 / 2000)


def run_check(results: Path, *arguments: str) -> Any:
    return CliRunner().invoke(main, ["check", *arguments, "--out", str(results)])


def test_the_command_says_its_verdicts_and_its_exit_code(tmp_path: Path) -> None:
    """0 without a regression, 1 with one, 3 for what may not be compared, 2 for what cannot be read."""
    stored(tmp_path, manifest(WHOLE, run_id="base"), run_records(WHOLE))
    stored(tmp_path, manifest(WHOLE, run_id="same"), run_records(WHOLE))
    stored(tmp_path, manifest(WHOLE, run_id="slow"), run_records(WHOLE, cpu_us=costlier(B, 1.1)))
    stored(tmp_path, manifest(WHOLE, run_id="other", bench_version="9.0"), run_records(WHOLE))
    junit = tmp_path / "check.xml"
    assert run_check(tmp_path, "same", "--baseline", "base").exit_code == 0
    slow = run_check(tmp_path, "slow", "--baseline", "base", "--junit", str(junit))
    assert slow.exit_code == 1
    assert f"Slower: {B} ({METRICS[CPU].short})." in " ".join(slow.stdout.split())
    assert "failure" in junit.read_text()
    document = run_check(tmp_path, "slow", "--baseline", "base", "--json")
    assert msgspec.json.decode(document.stdout, type=Check).baseline_run_id == "base"
    other = run_check(tmp_path, "other", "--baseline", "base")
    assert other.exit_code == 3
    assert re.match(r"bench: bench_version: .*\b9\.0 .*\bother, 0\.1\.0 .*\bbase\b", other.stderr)
    assert run_check(tmp_path, "none", "--baseline", "base").exit_code == 2
    future = tmp_path / "base" / "manifest.json"
    future.write_text(future.read_text().replace(f'"format_version": {FORMAT_VERSION}', '"format_version": 99'))
    refused = run_check(tmp_path, "same", "--baseline", "base")
    assert refused.exit_code == 3
    assert "format_version: found 99" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("run", "code", "said"),
    [
        ("other", 3, "bench_version: found 9.0"),
        ("none", 2, "none: found no"),
        ("future", 3, "format_version: found 99"),
    ],
)
def test_who_reads_the_verdicts_is_told_why_there_are_none(
    run: str, code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub in one annotation and one line of the summary, readers of JUnit XML in one error; no JSON is printed."""
    stored(tmp_path, manifest(WHOLE, run_id="base"), run_records(WHOLE))
    stored(tmp_path, manifest(WHOLE, run_id="other", bench_version="9.0"), run_records(WHOLE))
    stored(tmp_path, manifest(WHOLE, run_id="future", format_version=99), run_records(WHOLE))
    summary, tests = tmp_path / "summary.md", tmp_path / "check.xml"
    tests.write_text("of an earlier check, in which all passed")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    done = run_check(tmp_path, run, "--baseline", "base", "--github", "--json", "--junit", str(tests))
    assert done.exit_code == code
    assert done.stdout == ""
    (annotation, line) = done.stderr.splitlines()
    assert annotation.startswith("::error title=bench::")
    assert line.startswith("bench: ")
    (heading,) = summary.read_text().splitlines()
    assert heading.startswith("### bench: ")
    ((case,),) = JUnitXml.fromfile(str(tests))
    (error,) = case.result
    assert isinstance(error, Error)
    for told in (annotation, line, heading.replace("\\", ""), error.message):
        assert said in told


def test_a_lane_that_is_not_valid_says_nothing_of_how_rounds_resemble_each_other() -> None:
    """One whose throughput climbs from round to round, as if it had not been measured where its answers were wrong."""
    whole = experiment(preset=replace(experiment().preset, rounds=9))
    rows = [
        replace(row, requests=row.requests * (1 + row.round)) if row.lane == G else row for row in run_records(whole)
    ]
    wrong = [replace(row, errors={"timeout": 1}) if row.lane == G else row for row in rows]
    without = [row for row in rows if row.lane != G]
    of_all, of_valid, of_others = (fold(manifest(whole), run, (), ()) for run in (rows, wrong, without))
    rho = normalise.resemblance(of_all.values, "throughput_rps", [lane.name for lane in whole.lanes])
    assert resemblance(of_valid, "throughput_rps") == resemblance(of_others, "throughput_rps") < rho
