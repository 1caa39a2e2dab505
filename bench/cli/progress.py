"""Shows a run as it goes, on standard error: a live bar on a terminal, a line a round elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from bench.model import footprint_plan, schedule
from bench.model.experiment import Experiment
from bench.model.records import Failure, SliceRecord
from bench.model.schedule import OutsideSlices, Slice
from bench.report.wording import said

WORDS = {OutsideSlices.FOOTPRINT: "footprint", OutsideSlices.INSTRUCTIONS: "counting instructions"}
"""What is measured outside slices, as it is shown."""


class RunProgress:
    """A Watcher that shows the Round, the current Slice, and the time that is left."""

    def __init__(self, console: Console, bar: Progress, experiment: Experiment) -> None:
        self._console = console
        self._bar = bar
        self._rounds = experiment.preset.rounds
        self._slices = schedule.slices_per_round(experiment)
        self._outside_s = {
            OutsideSlices.FOOTPRINT: footprint_plan.expected_s(experiment),
            OutsideSlices.INSTRUCTIONS: schedule.INSTRUCTIONS_S if experiment.preset.instructions else 0.0,
        }
        self._outside_left_s = sum(self._outside_s.values())
        in_rounds_s = schedule.outline(experiment).expected_s - self._outside_left_s
        self._slice_s = in_rounds_s / (self._rounds * self._slices)
        self._task = bar.add_task("", total=self._rounds * self._slices, doing="preparing", left="")
        self._done = 0

    def round_started(self, index: int) -> None:
        """Shows the Round, and what became of Lanes that failed: their slices are done."""
        self._done = index * self._slices
        self._show(f"round {index + 1} of {self._rounds}: starting servers")
        if not self._console.is_terminal:
            self._console.print(f"round {index + 1} of {self._rounds}")

    def slice_started(self, planned: Slice) -> None:
        """Shows the Slice: its Lane and load."""
        self._show(f"{planned.lanes[0]} {planned.load}")

    def slice_ended(self, record: SliceRecord) -> None:
        """Counts the Slice, unless it is to be measured again, and says aloud when it saw errors."""
        self._done += record.discarded is None
        if record.errors:
            kinds = ", ".join(f"{count} x {kind}" for kind, count in record.errors.items())
            self._console.print(f"[red]{escape(record.lane)}: errors: {escape(kinds)}[/red]", soft_wrap=True)

    def lane_failed(self, failure: Failure) -> None:
        """Says that a Lane is left out, and why."""
        reason = escape(f"{failure.lane} is left out ({failure.stage}): {said(failure.reason)}")
        self._console.print(f"[red]{reason}[/red]", soft_wrap=True)
        for line in failure.log_tail.splitlines():
            self._console.print(f"  | {line}", markup=False, soft_wrap=True)

    def observing(self, what: OutsideSlices, share: float) -> None:
        """Shows what is measured outside slices; on no terminal it says so once."""
        self._done = self._rounds * self._slices
        stages = list(self._outside_s)
        later = stages[stages.index(what) + 1 :]
        self._outside_left_s = (1 - share) * self._outside_s[what] + sum(self._outside_s[stage] for stage in later)
        self._show(f"{WORDS[what]}: {100 * share:.0f} %")
        if not self._console.is_terminal and share == 0:
            self._console.print(WORDS[what])

    def _show(self, doing: str) -> None:
        left_s = (self._rounds * self._slices - self._done) * self._slice_s + self._outside_left_s
        self._bar.update(
            self._task, completed=self._done, doing=escape(doing), left=f"{left_s:.0f} s left", refresh=True
        )


@contextmanager
def run_progress(console: Console, experiment: Experiment) -> Iterator[RunProgress]:
    """Yields a Watcher whose bar is gone at the end. On a narrow terminal the current slice is what gives way."""
    columns = (
        BarColumn(bar_width=16),
        TextColumn("{task.percentage:>3.0f} %", table_column=Column(no_wrap=True, min_width=5)),
        TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
        TextColumn("{task.fields[left]:>10}", table_column=Column(no_wrap=True, min_width=10)),
        TextColumn("{task.fields[doing]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
    )
    # Without its refreshing thread, which would run on the server cores: it is drawn again between slices.
    with Progress(
        *columns, console=console, transient=True, auto_refresh=False, expand=True, disable=not console.is_terminal
    ) as bar:
        yield RunProgress(console, bar, experiment)
