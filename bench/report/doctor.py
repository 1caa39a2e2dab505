"""What `bench doctor` and `bench plan --detect` print: lines of at most 80 columns."""

import textwrap
from collections.abc import Iterator

from rich.text import Text

from bench.doctor.aa_test import AaTest
from bench.doctor.checks import Diagnosis, Finding, Severity
from bench.doctor.power import MAX_ROUNDS, POWER
from bench.doctor.sample_size import GroupProposal, Proposal, Resolution
from bench.model.estimate import CONFIDENCE, Estimate
from bench.model.reason import Reason
from bench.report import findings
from bench.report.format import NO_INTERVAL, one_line, share
from bench.report.group_table import DOUBT
from bench.report.wording import said

WIDTH = 80
MARK, WHAT = 9, 23
"""Widths of the first columns; the rest is what is said."""


def verdict(aa_test: AaTest | None, reason: Reason | None, preset: str) -> str:
    """Returns in one sentence what a machine can tell apart, or why that is not known."""
    if aa_test is None:
        return f"What this machine can tell apart could not be measured: {_why(reason)}"
    at = aa_test.resolution
    if at is None or aa_test.difference is None:
        return f"What this machine can tell apart could not be told: {_why(reason)}"
    return (
        f"This machine can tell apart two Lanes that differ by {share(at.difference)} in {_time(at)} "
        f"({preset} preset: {at.rounds} rounds); the A/A was short, so it may be {_range(aa_test.difference)}."
    )


def _why(reason: Reason | None) -> str:
    return said(reason) if reason else "no reason was given"


def diagnosis_text(diagnosis: Diagnosis) -> Text:
    """Returns the findings, the versions, what the A/A found, and the verdict."""
    blocks = (
        [line for finding in diagnosis.findings for line in _finding(finding)],
        _row("", "versions", ", ".join(f"{name} {version or 'none'}" for name, version in diagnosis.versions.items())),
        list(_aa_test(diagnosis.aa_test)) if diagnosis.aa_test else [],
        textwrap.wrap(verdict(diagnosis.aa_test, diagnosis.reason, diagnosis.preset), WIDTH),
    )
    return Text("\n\n".join("\n".join(block) for block in blocks if block))


def proposal_text(proposal: Proposal) -> Text:
    """Returns how many rounds a run needs, and why so many."""
    judged_by = f"{proposal.run_id} ({proposal.preset} preset, {proposal.rounds_of_run} rounds)"
    asked = f"To tell apart {100 * proposal.difference:g} % in throughput, {_certainty()}, judged by {judged_by}:"
    lines = [line for group in proposal.groups for line in _group(group)]
    return Text("\n".join([*textwrap.wrap(asked, WIDTH), *lines, *textwrap.wrap(_advice(proposal), WIDTH)]))


def _finding(finding: Finding) -> Iterator[str]:
    """Yields what was found; below it what was expected, and what to do about it."""
    yield from _row(finding.severity, findings.title(finding), findings.found(finding))
    if finding.severity is not Severity.OK:
        yield from _row("", "", f"expected {findings.expected(finding)}")
    if finding.severity in (Severity.ADVICE, Severity.PROBLEM):
        yield from _row("", "", f"-> {findings.advice(finding)}")


def _aa_test(found: AaTest) -> Iterator[str]:
    """Yields what the A/A was, how far it spread, and what other differences take."""
    yield from _row("", "A/A", f"{found.lane} and itself, {found.rounds} rounds, {found.wall_s:.0f} s")
    yield from _row("", "spread of a round", f"{_spread(found.spread)}{DOUBT if found.reason else ''}")
    for resolution in found.others:
        yield from _row("", f"to tell apart {100 * resolution.difference:g} %", _rounds(resolution))


def _group(group: GroupProposal) -> Iterator[str]:
    if group.resolution is None or group.spread is None:
        yield from _row("", group.group, f"not known: {_why(group.reason)}")
        return
    yield from _row("", group.group, _rounds(group.resolution))
    yield from _row("", "", f"the ratio of {' and '.join(group.lanes)} spread by {_spread(group.spread)} a round")


def _advice(proposal: Proposal) -> str:
    if not any(group.resolution for group in proposal.groups):
        return "No Group could be judged: the run's report says of each Lane why it is not valid."
    if proposal.rounds is None:
        return "No number of rounds can be proposed: use longer slices or a quieter machine, or accept more."
    table = f"[presets.{proposal.preset}]"
    return f"Set rounds = {proposal.rounds} in {table}: that is enough for every Group that could be judged."


def _certainty() -> str:
    return f"{100 * CONFIDENCE:g} % sure, {100 * POWER:g} % of the time"


def _spread(spread: Estimate) -> str:
    """Writes a standard deviation of logarithms as the percentage that it nearly is."""
    return f"{share(spread.point)} ({_range(spread)})"


def _range(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return NO_INTERVAL
    return f"{share(estimate.low)} to {share(estimate.high)}"


def _rounds(resolution: Resolution) -> str:
    if resolution.rounds is None:
        return f"more than {MAX_ROUNDS:,} rounds"
    return f"{resolution.rounds:,} rounds, {_time(resolution)}"


def _time(resolution: Resolution) -> str:
    minutes = (resolution.expected_s or 0) / 60
    return f"{minutes:.1f} min" if minutes < 100 else f"{minutes / 60:.0f} h"


def _row(mark: str, what: str, said: str) -> list[str]:
    return textwrap.wrap(
        one_line(said),
        WIDTH,
        initial_indent=f"{mark:<{MARK}}{what:<{WHAT}}",
        subsequent_indent=" " * (MARK + WHAT),
        break_on_hyphens=False,
    )
