"""What `bench history` says: the figures, the steps and what was left out, at 80 columns; and its chart."""

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from msgspec.structs import replace

from bench.model.history import HistoryRecord, Reading
from bench.model.metrics import INSTRUCTIONS
from bench.report import charts
from bench.report.charts.history import MOST_POINTS, history_chart
from bench.report.history import conditions, terminal, where
from tests.builders.forms import printed
from tests.builders.histories import told
from tests.builders.runs import IDENTITY, A, B, history_record, history_records

DASH = "\N{EN DASH}"
STEPS = [1.5] * 12 + [1.6] * 8 + [1.4] * 10


def text(records: Sequence[HistoryRecord]) -> str:
    return printed(terminal(told(records)[0], "chart: results/history.svg, .png"))


def row(said: str, title: str) -> str:
    return next(line for line in said.splitlines() if line.startswith(title))


def drawn(records: Sequence[HistoryRecord]) -> tuple[str, int]:
    """Returns all texts of the chart, and how many points its longest line has."""
    figure = history_chart(*told(records))
    texts = [text.get_text() for text in (*figure.texts, *(text for axes in figure.axes for text in axes.texts))]
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    longest = max((len(line.get_xdata()) for axes in figure.axes for line in axes.lines), default=0)  # type: ignore[arg-type]
    return "\n".join((*titles, *texts)), longest


def test_a_row_has_the_latest_figure_the_last_step_and_its_commits() -> None:
    """In one line of 80 columns; that there are more steps is said."""
    said = text(history_records(*STEPS))
    cells = row(said, "CPU time").replace(DASH, "-").split()
    assert cells[:6] == ["CPU", "time", "1.40x", "(1.36-1.44)", "30", "0.875x"]
    assert cells[6].startswith("(0.87")
    assert cells[7:] == ["0000019..0000020"]
    assert "Only the last step" in said
    assert max(map(len, said.splitlines())) <= 80


def test_without_a_step_its_columns_are_empty() -> None:
    """Nothing is said of what was not found."""
    said = text(history_records(*[1.5] * 20))
    assert row(said, "CPU time").replace(DASH, "-").split() == ["CPU", "time", "1.50x", "(1.46-1.54)", "20"]
    assert "Only the last step" not in said


def test_what_is_in_the_trend_and_what_is_not_is_said() -> None:
    """Runs, dates and machine; how many runs of other machines there are."""
    records = history_records(*[1.5] * 5)
    other = replace(records[0], machine=replace(IDENTITY, cpu="Other"))
    first, second = conditions(told([other, *records[1:]])[0])
    named = ("4 runs", "2026-03-01T01:00:00Z", "2026-03-01T04:00:00Z", "Example", "core 0 of 2 cores", "Python 3.11.2")
    assert [name for name in named if name not in first] == []
    assert second.startswith("1 run ")


def test_a_lane_that_the_latest_run_lacks_is_marked() -> None:
    """Its figure is older, which a star says."""
    records = history_records(1.5, 1.5)
    without = replace(records[1], lanes={B: {"cpu_us_per_request": Reading(2.0, None, None)}})
    said = text([records[0], without])
    assert "1.50x (1.46-1.54) *" in said.replace(DASH, "-")
    assert "2.00x  " in said
    assert "\n* " in said


def test_instructions_are_counts() -> None:
    """With all of their digits and no interval."""
    said = text([history_record(lanes={A: {INSTRUCTIONS: Reading(352_752.0, 352_752.0, 352_752.0)}})])
    assert row(said, "instructions").split() == ["instructions", "352,752", "1"]


def test_runs_stand_for_commits_that_are_not_known() -> None:
    """A step always says where it lies."""
    records = [replace(record, project_revision=None) for record in history_records(*STEPS)]
    (step, _) = told(records)[0].trends[0].steps
    assert where(step) == ("run-0011..run-0012",)


def test_uncommitted_changes_are_said_beside_the_commits() -> None:
    """In the table and in the chart; the commits stay a range that git takes."""
    records = [
        replace(record, project_revision=f"{record.project_revision}+")
        for record in history_records(*[1.5] * 12, *[1.6] * 8)
    ]
    said = text(records)
    assert row(said, "CPU time").endswith(" 0000011..0000012")
    assert "with uncommitted" in said
    assert "0000011..0000012\nwith uncommitted changes" in drawn(records)[0]


def test_what_was_asked_otherwise_is_said_to_be_left_out() -> None:
    """Runs of another preset or other settings, and of latencies those at another rate."""
    records = history_records(*[1.5] * 5)
    mixed = [replace(records[0], preset="quick"), replace(records[1], fixed_rate_rps=600.0), *records[2:]]
    _, settings, rates = conditions(told(mixed)[0])
    assert re.match("1 run .* preset than standard", settings)
    assert re.match("1 run .* latencies.* 500 requests/s", rates)


def test_the_chart_names_lanes_steps_and_commits() -> None:
    """A panel a Lane, and at each step how much and between which commits."""
    said, _ = drawn(history_records(*[1.5] * 12, *[1.6] * 18, *[1.4] * 10))
    assert A in said
    assert "1.07x\n0000011..0000012" in said
    assert "0.875x\n" in said
    assert "40 runs from" in said


@pytest.mark.parametrize("runs", [1, 299, 300, 301, 2000])
def test_the_chart_draws_few_points_however_many_runs_there_are(runs: int) -> None:
    """At most MOST_POINTS, and with more runs than that it says that a point is of several."""
    said, points = drawn(history_records(*[1.5] * runs))
    assert points <= MOST_POINTS
    assert ("median" in said) == (runs > MOST_POINTS)


def test_many_steps_side_by_side_are_named_where_there_is_room() -> None:
    """Names never overlap: with nine steps only some have one, the latest among them."""
    levels = [1.5 * 1.2 ** (index // 40 % 2) for index in range(400)]
    found, series = told(history_records(*levels))
    assert len(found.trends[0].steps) == 9
    (axes,) = history_chart(found, series).axes
    names = [text.get_text() for text in axes.texts]
    assert 0 < len(names) < len(found.trends[0].steps)
    boxes = sorted((box.x0, box.x1) for text in axes.texts if (box := text.get_window_extent()))
    assert all(end <= begin for (_, end), (begin, _) in pairwise(boxes))


def test_without_cpu_times_the_chart_says_so() -> None:
    """And it is drawn all the same."""
    figure = history_chart(*told([history_record(lanes={})]))
    assert re.search("No run .* CPU time", "\n".join(text.get_text() for text in figure.texts))
    assert charts.png(figure).startswith(b"\x89PNG")


def test_the_same_history_gives_the_same_chart() -> None:
    """Byte for byte, so that it can be kept in git."""
    rendered = [charts.render(history_chart(*told(history_records(*STEPS)))) for _ in range(2)]
    assert rendered[0] == rendered[1]
