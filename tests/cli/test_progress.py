"""What is shown while a run goes on, on terminals of several widths and where there is none."""

import io
import re

import pytest
from msgspec.structs import replace
from rich.console import Console

from bench.cli.progress import run_progress
from bench.model import schedule
from bench.model.load import Closed, Phase
from bench.model.reason import Code, reason
from bench.model.schedule import OutsideSlices, Slice
from tests.builders.runs import experiment, failure, saturated

LONG_LANE = "a_framework_with_a_long_name@gunicorn-uvicorn+a2asgi#2"


def drawn(width: int) -> list[str]:
    """Returns the bar as it stood after each change, on a terminal of this width."""
    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=True, color_system=None)
    with run_progress(console, experiment()) as watcher:
        watcher.round_started(0)
        watcher.slice_started(Slice(0, Phase.SATURATED, (LONG_LANE,), Closed(16), 0.05, 0.25))
    return [line for line in screen.getvalue().replace("\x1b[2K", "").split("\r") if "%" in line]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_terminal_cuts_the_current_slice_and_nothing_else(width: int) -> None:
    """Share, time passed and time left stay whole at any width; the bar stays on one line."""
    bars = drawn(width)
    assert len(bars) > 1
    assert LONG_LANE[:10] in bars[-1]
    for bar in bars[1:]:
        assert " 0 % 0:00:00" in bar
        assert "s left" in bar
        assert len(bar.splitlines()[0].rstrip()) <= width


def test_without_a_terminal_there_is_a_line_a_round() -> None:
    """A log file gets the rounds, the errors and the failures, with the tail of the server's log; no bar."""
    log = io.StringIO()
    with run_progress(Console(file=log, width=200), experiment()) as watcher:
        watcher.round_started(0)
        watcher.slice_ended(saturated("[odd]", errors={"status 500": 3}))
        watcher.lane_failed(
            failure("alpha@gthread", reason=reason(Code.SAID, text="it ended"), log_tail="first\n[bold]last[/bold]")
        )
    started, errors, failed, *tail = log.getvalue().splitlines()
    assert re.findall(r"\d+", started) == ["1", "3"]
    assert errors.startswith("[odd]: ")
    assert errors.endswith("3 x status 500")
    assert re.fullmatch(r"alpha@gthread .*\(load\): it ended", failed)
    assert tail == ["  | first", "  | [bold]last[/bold]"]


def test_what_is_measured_outside_slices_is_named_with_the_time_that_it_takes() -> None:
    """First the footprint, then the instructions: each says what it is, and the time left never grows."""
    whole = experiment(preset=replace(experiment().preset, cold_starts=4, instructions=True))
    screen = io.StringIO()
    with run_progress(Console(file=screen, width=80, force_terminal=True, color_system=None), whole) as watcher:
        for what in OutsideSlices:
            for share in (0.0, 0.5, 1.0):
                watcher.observing(what, share)
    bars = [line for line in screen.getvalue().replace("\x1b[2K", "").split("\r") if ": " in line and "% " in line]
    named = [bar for bar in bars if "footprint" in bar or "counting" in bar]
    assert [bar.split("left")[1].split("\n")[0].strip() for bar in named[:6]] == [
        *("footprint: 0 %", "footprint: 50 %", "footprint: 100 %"),
        *("counting instructions: 0 %", "counting instructions: 50 %", "counting instructions: 100 %"),
    ]
    left_s = [float(bar.split(" s left")[0].split()[-1]) for bar in named[:6]]
    assert left_s == sorted(left_s, reverse=True)
    assert (left_s[2], left_s[-1]) == (schedule.INSTRUCTIONS_S, 0)
