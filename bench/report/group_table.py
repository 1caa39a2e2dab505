"""What each Group's table says: its rows, their notes, who can't be told apart, and the verdict in one sentence."""

from collections import Counter
from collections.abc import Iterator, Mapping

from msgspec import Struct

from bench.analysis import validity
from bench.model.estimate import Estimate, Status, Validity, inverted
from bench.model.load import Phase
from bench.model.metrics import METRICS, THROUGHPUT
from bench.model.records import Failure
from bench.model.summary import GroupSummary, LaneSummary, NoiseFloor, Report
from bench.report.format import NO_INTERVAL, cell, full, listed, margin, number, one_line, share, times
from bench.report.wording import said

NO_FRAMEWORK = "no framework"
"""What a reader is told of raw."""
TIE = "="
UNRANKED = "–"  # noqa: RUF001 - a dash
DOUBT = "?"
"""Stands behind a number that can't be trusted."""
WHERE = {
    Phase.SATURATED: "under saturation",
    Phase.FIXED: "at the fixed rate",
    Phase.SWEEP: "in the sweep",
    Phase.DUET: "in duets",
}


class Row(Struct, frozen=True, kw_only=True):
    """A Lane in the table of one Group. ``tied_with`` holds titles."""

    lane: LaneSummary
    title: str
    rank: int | None
    tied_with: tuple[str, ...]
    failure: Failure | None
    rounds: int

    @property
    def name(self) -> str:
        """Returns the title, and of raw that it has no framework."""
        return f"{self.title} ({NO_FRAMEWORK})" if self.lane.raw else self.title

    @property
    def mark(self) -> str:
        """Returns the rank, ``=`` for a tie, a dash for a Lane that is not ranked, nothing for raw."""
        if self.rank is not None:
            return str(self.rank)
        if self.tied_with:
            return TIE
        return "" if self.lane.raw else UNRANKED

    @property
    def label(self) -> str:
        """Returns the name with its mark: ``1. Flask``, ``= Flask``."""
        return f"{self.mark}{'.' if self.rank else ''} {self.name}".strip()

    @property
    def tie(self) -> str:
        """Returns whom the Lane can't be told apart from: ``tied with Django``; beyond three, how many."""
        if not self.tied_with:
            return ""
        return f"tied with {listed(self.tied_with) if len(self.tied_with) <= 3 else f'{len(self.tied_with)} others'}"

    @property
    def compared(self) -> bool:
        """Returns whether the Group's standings say anything of this Lane."""
        return self.rank is not None or bool(self.tied_with)

    @property
    def valid(self) -> bool:
        """Returns whether all of the Lane's numbers can be trusted."""
        return self.lane.validity.status is Status.VALID

    @property
    def status(self) -> str:
        """Returns what was found against the Lane, in words: where it failed, or under which load it is in doubt."""
        if self.failure:
            return f"{self.lane.validity.status} ({self.failure.stage})"
        return ", ".join(f"{found.status} {where}".strip() for found, where in self._doubts()) or str(Status.VALID)

    @property
    def notes(self) -> tuple[str, ...]:
        """Returns what has to be said of the numbers: why they can't be trusted, and missing rounds."""
        return tuple(self._notes())

    def trusted(self, metric: str) -> bool:
        """Returns whether a metric was measured under a load with nothing against it."""
        return validity.of_metric(self.lane.cells, metric).status is Status.VALID

    def doubt(self, metric: str) -> str:
        """Returns what was found against a metric, in words; nothing where it can be trusted."""
        if self.trusted(metric):
            return ""
        return self.status if self.failure else str(validity.of_metric(self.lane.cells, metric).status)

    def cell(self, metric: str) -> tuple[str, str]:
        """Returns a table cell: the point, marked where it can't be trusted, and beside it the margin."""
        return self._marked(metric, cell(metric, self.estimate(metric)))

    def full(self, metric: str) -> tuple[str, str]:
        """Returns a table cell: the point, marked where it can't be trusted, and beside it the interval in full."""
        return self._marked(metric, full(metric, self.estimate(metric)))

    def estimate(self, metric: str) -> Estimate | None:
        """Returns the metric, or None where it could not be measured."""
        return self.lane.metrics.get(metric)

    def value(self, metric: str) -> str:
        """Returns the metric with its margin and, where it can't be trusted or is missing, why."""
        estimate, doubt = self.estimate(metric), self.doubt(metric)
        if estimate is None:
            return f"not measured: {doubt}" if doubt else "not measured"
        beside = f"({NO_INTERVAL})" if estimate.low is None else margin(estimate)
        value = f"{number(estimate.point)}{METRICS[metric].unit.behind} {beside}".strip()
        return f"{value}, {doubt}" if doubt else value

    def _marked(self, metric: str, parts: tuple[str, str]) -> tuple[str, str]:
        point, beside = parts
        doubtful = self.estimate(metric) is not None and not self.trusted(metric)
        return f"{point}{DOUBT if doubtful else ''}", beside

    def _doubts(self) -> Iterator[tuple[Validity, str]]:
        """Yields every finding against the Lane, and under which load; nothing where it is the same under all."""
        found = {cell.validity: None for cell in self.lane.cells if cell.validity.status is not Status.VALID}
        for each in found:
            under = [WHERE[cell.phase] for cell in self.lane.cells if cell.validity == each]
            yield each, "" if len(under) == len(self.lane.cells) else listed(under)

    def _notes(self) -> Iterator[str]:
        for found, where in self._doubts():
            yield ": ".join((f"{found.status} {where}".strip(), *map(said, found.reasons)))
        throughput = self.estimate(THROUGHPUT)
        if throughput and throughput.n < self.rounds:
            yield f"n = {throughput.n} of {self.rounds} rounds"


class Table(Struct, frozen=True, kw_only=True):
    """One Group: the Lanes that compete, best first, and the raw ones that show what the server alone does."""

    group: GroupSummary
    title: str
    place: str
    contenders: tuple[Row, ...]
    raw_rows: tuple[Row, ...]
    has_twin: bool = False

    @property
    def rows(self) -> tuple[Row, ...]:
        """Returns all rows, raw last."""
        return self.contenders + self.raw_rows

    @property
    def has_ranks(self) -> bool:
        """Returns whether any Lane was told apart from others, and so has a rank among them."""
        return any(row.rank for row in self.contenders) and sum(row.compared for row in self.contenders) > 1

    @property
    def metrics(self) -> tuple[str, ...]:
        """Returns the metrics that any row has."""
        return tuple(metric for metric in METRICS if any(row.estimate(metric) for row in self.rows))


def tables(report: Report) -> tuple[Table, ...]:
    """Returns the table of every Group that has Lanes."""
    made = (_table(report, group) for group in report.summary.groups)
    return tuple(table for table in made if table.rows)


def verdict(table: Table) -> str:
    """Says in one sentence what the Group shows: who served more and by how much, and what can't be told apart."""
    compared = [row for row in table.contenders if row.compared]
    claims = [
        _lead(table, compared),
        *(f"{listed(clique)} can't be told apart" for clique in ties(compared)),
        *_reservations(table),
    ]
    return f"{table.place}, {'; '.join(filter(None, claims))}."


def noise(table: Table) -> str:
    """Says how far a Lane differed from itself, and what follows for the others, or that it is not known."""
    floors = [floor for floor in table.group.noise_floors if floor.metric == THROUGHPUT]
    sentences = [_noise(table, floor) for floor in floors] or list(_no_noise(table))
    known = [floor.difference for floor in floors if floor.difference is not None]
    if known:
        sentences.append(f"Throughputs that differ by less than {share(max(known))} count as tied.")
    return " ".join([*sentences, *_other_noise(table)])


def _no_noise(table: Table) -> Iterator[str]:
    """Yields why ranks rest on intervals alone; where nothing is ranked, no floor is missed."""
    if table.has_twin:
        yield "No noise floor: the Lane that ran twice can't be trusted, so ranks rest on intervals alone."
    elif table.has_ranks:
        yield "No noise floor: no Lane of this Group ran twice, so ranks rest on intervals alone."


def _other_noise(table: Table) -> Iterator[str]:
    """Yields what the noise floors are of figures that decide no rank."""
    found: dict[str, float] = {}
    for floor in table.group.noise_floors:
        if floor.difference is not None and floor.metric != THROUGHPUT:
            found[floor.metric] = max(floor.difference, found.get(floor.metric, 0.0))
    if found:
        said = [f"{METRICS[metric].short} {share(most)}" for metric, most in found.items()]
        yield f"Noise floors of figures that decide no rank: {listed(said)}."


def _noise(table: Table, floor: NoiseFloor) -> str:
    title = next((row.title for row in table.rows if row.lane.lane == floor.lane), floor.lane)
    return f"Noise floor: {title} ran twice, and one served {times(floor.ratio)} the requests of the other."


def comparisons(table: Table) -> list[tuple[str, Estimate]]:
    """Returns every ratio of throughputs behind the ranks: ``Flask / Django`` and its Estimate."""
    titles = {row.lane.lane: row.title for row in table.rows}
    return [
        (f"{titles[found.lane]} / {titles[found.other]}", found.ratio)
        for found in table.group.ratios
        if found.metric == THROUGHPUT and {found.lane, found.other} <= titles.keys()
    ]


def ties(rows: list[Row]) -> list[tuple[str, ...]]:
    """Returns the largest sets of titles in which no Lane can be told apart from another.

    A tie is not transitive: with A = B and B = C but A above C there are two sets. (Bron and Kerbosch,
    1973, with the pivot of Tomita et al., 2006.)
    """
    near = {row.title: set(row.tied_with) for row in rows}
    order = list(near)
    found = (sorted(clique, key=order.index) for clique in _cliques(near, set(), set(near), set()))
    return sorted(
        (tuple(clique) for clique in found if len(clique) > 1), key=lambda clique: [order.index(t) for t in clique]
    )


def ratio(group: GroupSummary, lane: str, other: str) -> Estimate | None:
    """Returns the throughput of ``lane`` divided by that of ``other``, whichever way round it is recorded."""
    for found in group.ratios:
        if found.metric == THROUGHPUT and (found.lane, found.other) == (lane, other):
            return found.ratio
        if found.metric == THROUGHPUT and (found.other, found.lane) == (lane, other):
            return inverted(found.ratio)
    return None


def _table(report: Report, group: GroupSummary) -> Table:
    rows = _rows(report, group)
    return Table(
        group=group,
        title=one_line(f"{group.group}: {group.title}"),
        place=_place(report, group, rows),
        contenders=tuple(row for row in rows if not row.lane.raw),
        raw_rows=tuple(row for row in rows if row.lane.raw),
        has_twin=any(lane.twin and group.group in lane.groups for lane in report.summary.lanes),
    )


def _rows(report: Report, group: GroupSummary) -> list[Row]:
    lanes = {lane.lane: lane for lane in report.summary.lanes if group.group in lane.groups and not lane.twin}
    standings = {standing.lane: standing for standing in group.standings if standing.lane in lanes}
    failures = {failure.lane: failure for failure in report.summary.failures}
    titles = _titles(lanes, same_server=group.same_server)
    order = [*standings, *(name for name in lanes if name not in standings)]
    return [
        Row(
            lane=lanes[name],
            title=titles[name],
            rank=standings[name].rank if name in standings and not lanes[name].raw else None,
            tied_with=tuple(titles[other] for other in standings[name].tied_with) if name in standings else (),
            failure=failures.get(name),
            rounds=report.summary.totals.rounds,
        )
        for name in order
    ]


def _titles(lanes: Mapping[str, LaneSummary], *, same_server: bool) -> dict[str, str]:
    """Returns a title for every Lane; where two would be called the same, with the name of the App."""
    titles = {name: _title(lane, same_server=same_server) for name, lane in lanes.items()}
    count = Counter(titles.values())
    return {name: title if count[title] == 1 else f"{title} ({lanes[name].app})" for name, title in titles.items()}


def _title(lane: LaneSummary, *, same_server: bool) -> str:
    """Returns ``FastAPI``, ``FastAPI via a2wsgi``, or where servers differ ``FastAPI on uvicorn``."""
    server = "" if same_server else f" on {lane.server}"
    adapter = f" via {lane.adapter}" if lane.adapter else ""
    return one_line(f"{lane.title}{server}{adapter}")


def _place(report: Report, group: GroupSummary, rows: list[Row]) -> str:
    if not group.same_server or not rows:
        return "Each on its own server"
    server = report.manifest.experiment.lane(rows[0].lane.lane).server
    return f"On the same {server.interface.upper()} server ({server.name})"


def _lead(table: Table, compared: list[Row]) -> str:
    """Says how far the best Lane is ahead of those that it can be told apart from."""
    if len(compared) < 2:
        alone = [f"only {row.title} could be ranked: nothing to compare it with" for row in compared]
        return "".join(alone) or "nothing was ranked"
    best, *others = compared
    beaten = [row for row in others if row.title not in best.tied_with]
    shown = beaten if len(beaten) <= 3 else [beaten[0], beaten[-1]]
    factors = [(row.title, ratio(table.group, best.lane.lane, row.lane.lane)) for row in shown]
    said = [f"{times(factor)} those of {title}" for title, factor in factors if factor]
    return f"{best.title} served {listed(said).replace('those', 'the requests', 1)}" if said else ""


def _reservations(table: Table) -> Iterator[str]:
    """Yields why some Lanes, or all, are not ranked, and which of the others' figures are in doubt."""
    if any(found.metric == THROUGHPUT and found.ratio.low is None for found in table.group.ratios):
        yield f"{NO_INTERVAL} to tell them apart by"
    for row in table.contenders:
        if not row.compared:
            yield f"{row.title} is not ranked: {row.doubt(THROUGHPUT) or 'throughput not measured'}"
        elif not row.valid:
            yield f"some figures of {row.title} can't be trusted: {row.status}"
    yield from (f"{row.title} can't be trusted: {row.status}" for row in table.raw_rows if not row.valid)


def _cliques(
    near: Mapping[str, set[str]], clique: set[str], candidates: set[str], done: set[str]
) -> Iterator[set[str]]:
    """Yields every clique that no candidate can join; the pivot's own neighbours come with it and need no search."""
    if not candidates and not done:
        yield clique
        return
    pivot = max(sorted(candidates | done), key=lambda title: len(candidates & near[title]))
    for title in sorted(candidates - near[pivot]):
        yield from _cliques(near, clique | {title}, candidates & near[title], done & near[title])
        candidates, done = candidates - {title}, done | {title}
