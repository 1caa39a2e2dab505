"""The fresh starts that a footprint takes."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.model import footprint_plan, schedule
from bench.model.experiment import Experiment, Group
from bench.model.footprint_plan import WORKER_STARTS, Start
from bench.model.metrics import STARTS, Source
from tests.builders.runs import LANES, RG, A, B, G, R, experiment


def cold(count: int) -> Experiment:
    whole = experiment()
    return replace(whole, preset=replace(whole.preset, cold_starts=count))


def names(whole: Experiment) -> list[str]:
    return [lane.name for lane in footprint_plan.footprint_lanes(whole)]


def test_each_app_is_started_where_it_is_native() -> None:
    """On the Servers of native Groups, through no Adapter, and no twin."""
    twin = replace(LANES[0], twin=True)
    native = Group(name="native", title="", lanes=(A, R, RG, twin.name), same_server=False)
    whole = replace(experiment(), lanes=(*LANES, twin), groups=(*experiment().groups, native))
    assert names(whole) == [A, B, R]


def test_without_native_groups_the_first_plain_lane_is_taken() -> None:
    """An App that has an Adapter everywhere has no footprint."""
    assert names(experiment()) == [A, B, R]
    assert G not in names(experiment())


@given(st.integers(1, 12), st.integers(0, 9))
def test_every_lane_is_started_equally_often(count: int, seed: int) -> None:
    """So many times for each kind, in blocks that have every Lane once; another time in the same order."""
    whole = replace(cold(count), seed=seed)
    planned = footprint_plan.planned(whole)
    times = {Source.COLD_START: count, Source.IMPORT: count, Source.ADDED_WORKER: WORKER_STARTS}
    assert Counter(planned) == {Start(kind, lane): times[kind] for kind in STARTS for lane in (A, B, R)}
    blocks = [planned[i : i + 3] for i in range(0, len(planned), 3)]
    assert all({start.lane for start in block} == {A, B, R} for block in blocks)
    assert planned == footprint_plan.planned(whole)


def test_without_cold_starts_nothing_is_started() -> None:
    """And it takes no time."""
    assert footprint_plan.planned(cold(0)) == ()
    assert footprint_plan.expected_s(cold(0)) == 0


def test_the_outline_of_a_run_includes_its_footprint() -> None:
    """More starts take longer."""
    more, none = (schedule.outline(cold(count)).expected_s for count in (10, 0))
    assert round(more - none, 6) == round(footprint_plan.expected_s(cold(10)), 6) > 0


@given(st.lists(st.builds(Start, st.sampled_from(STARTS), st.sampled_from("abc"))), st.integers(1, 4))
def test_batches_keep_the_order_and_mix_nothing(planned: list[Start], most: int) -> None:
    """A batch is of one kind, has no Lane twice, and is no larger than there are cores."""
    batches = list(footprint_plan.batches(planned, most))
    assert [start for batch in batches for start in batch] == planned
    for batch in batches:
        assert 0 < len(batch) <= most
        assert len(set(batch)) == len(batch)
        assert len({start.kind for start in batch}) == 1
