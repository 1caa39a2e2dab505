"""What the history says: for the terminal, and the sentences that the chart has too."""

from collections.abc import Iterator
from itertools import groupby

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.model.estimate import Estimate
from bench.model.history import History, LevelStep, Reading, Trend
from bench.model.metrics import METRICS
from bench.report.format import cell, listed, number, one_line, times

WIDTHS = (12, 22, 6, 20, 16)
"""Of the columns: 80 with what lies between them."""
UNCOMMITTED = "with uncommitted changes"
STEPS = (
    "A step is a level that changed and stayed for five runs at least: after divided by before. With 95 % it lies in "
    "these commits; where there is only one, and no uncommitted changes, the machine changed or what is installed on "
    "it, and not the code."
)


def terminal(history: History, chart: str) -> RenderableType:
    """Returns the history for the terminal; ``chart`` is where its chart is, as the user should see it."""
    return Group(*_blocks(history, chart))


def conditions(history: History) -> Iterator[str]:
    """Yields which runs are in the trend, and which are not."""
    machine = history.machine
    cores = (
        f"servers on {_cores(machine.server_cores)} of {machine.cores} cores" if machine.server_cores else "not pinned"
    )
    yield one_line(
        f"{_runs(history.runs)} from {history.first_utc} to {history.latest_utc} on {machine.cpu}, {cores}, "
        f"{machine.system}, Python {machine.python}."
    )
    if history.other_machines:
        yield f"{_runs(history.other_machines)} on other machines, or before this one was changed, left out."
    if history.other_conditions:
        yield one_line(
            f"{_runs(history.other_conditions)} left out that had another preset than {history.preset}, or another "
            "workload, serving, load, length of a slice, memory or core of the driver."
        )
    if history.other_rates:
        yield (
            f"{_runs(history.other_rates)} left out of latencies, which depend on the rate: the latest run's is "
            f"{_rate(history.fixed_rate_rps)}."
        )


def reading_trends() -> tuple[str, ...]:
    """Returns how to read the figures, and the steps."""
    counted = listed([_name(metric) for metric in METRICS.counted()])
    return (
        f"Figures are a Lane's divided by raw's in the same run, with 95 % intervals; {counted} are counted.",
        STEPS,
    )


def where(step: LevelStep) -> tuple[str, ...]:
    """Returns lines: the commits that a step lies between, or the runs where one is not known; what is in no commit."""
    return (step.commits or "..".join(step.between), *([UNCOMMITTED] if step.uncommitted else []))


def change(ratio: Estimate) -> str:
    """Writes the size of a step without its interval: ``1.05x``."""
    return times(ratio).partition(" ")[0]


def _blocks(history: History, chart: str) -> Iterator[RenderableType]:
    yield from (Text(sentence, style="dim") for sentence in conditions(history))
    yield from (Text(), _grid([], history.latest_run))
    for lane, trends in groupby(history.trends, key=lambda trend: trend.lane):
        yield from (Text(one_line(lane), style="bold"), _grid(list(trends), history.latest_run))
    yield Text()
    yield from (Text(sentence, style="dim") for sentence in (*_marks(history), *reading_trends()))
    yield from (Text(), Text(chart))


def _grid(trends: list[Trend], latest_run: str) -> Table:
    """Returns the rows of one Lane; without any, the head of all."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, show_header=not trends)
    heads = ("", "latest : raw", "n", "last step", "commits")
    for head, width in zip(heads, WIDTHS, strict=True):
        table.add_column(head, width=width, overflow="fold", justify="right" if head == "n" else "left")
    for trend in trends:
        table.add_row(*_row(trend, latest_run))
    return table


def _row(trend: Trend, latest_run: str) -> Iterator[str]:
    yield _name(trend.metric)
    yield f"{_reading(trend.metric, trend.latest)}{'' if trend.latest_run == latest_run else ' *'}"
    yield f"{trend.runs:,}"
    yield times(trend.steps[-1].ratio) if trend.steps else ""
    yield "\n".join(where(trend.steps[-1])) if trend.steps else ""


def _name(metric: str) -> str:
    return METRICS[metric].trend or METRICS[metric].short


def _reading(metric: str, reading: Reading) -> str:
    estimate = Estimate.ratio(reading.point, reading.low, reading.high, 1)
    if METRICS[metric].is_counted:
        return cell(metric, estimate)[0]
    return times(estimate) if reading.low is not None else f"{number(reading.point)}x"


def _marks(history: History) -> Iterator[str]:
    """Yields what the marks in the tables mean, where there are any."""
    if any(trend.latest_run != history.latest_run for trend in history.trends):
        yield "* not measured, or not valid, in the latest run: from the last one that has it."
    if any(len(trend.steps) > 1 for trend in history.trends):
        yield "Only the last step of each is shown; --json has all."


def _cores(cores: tuple[int, ...]) -> str:
    return f"core {cores[0]}" if len(cores) == 1 else f"cores {', '.join(map(str, cores))}"


def _rate(rate_rps: float | None) -> str:
    return "none" if rate_rps is None else f"{rate_rps:,.5g} requests/s"


def _runs(count: int) -> str:
    return f"{count:,} run{'' if count == 1 else 's'}"
