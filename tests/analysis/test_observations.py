"""Estimates from single observations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import observations
from bench.model.metrics import METRICS, Average
from bench.model.reason import Code, reason
from bench.model.records import Observation

GONE = reason(Code.SAID, text="gone")


def seen(metric: str, value: float | None, said: str | None = None, part: str | None = None) -> Observation:
    why = reason(Code.SAID, text=said) if said else None
    return Observation(lane="x@y", metric=metric, value=value, reason=why, part=part)


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=20))
def test_a_metric_that_varies_is_a_median_with_its_interval(values: list[float]) -> None:
    """Below six values there is no interval; otherwise the median lies in it."""
    found = observations.estimates([seen("first_response_ms", value) for value in values])["first_response_ms"]
    assert (found.n, found.unit, found.better) == (len(values), "ms", "lower")
    assert (found.low is None) == (len(values) < 6)
    if found.low is not None and found.high is not None:
        assert found.low <= found.point <= found.high


def test_a_metric_without_any_value_is_missing_with_its_reason() -> None:
    """One value is enough to have it, whatever else failed."""
    rows = [seen("import_ms", None, "it broke"), seen("idle_pss_mib", 3.0), seen("idle_pss_mib", None, "gone")]
    assert observations.missing(rows) == {"import_ms": reason(Code.SAID, text="it broke")}
    assert observations.partial(rows) == {"idle_pss_mib": (reason(Code.FEWER_VALUES, GONE, n=1),)}
    assert set(observations.estimates(rows)) == {"idle_pss_mib"}


def test_what_has_fewer_values_says_how_many_and_why() -> None:
    """Each reason once; where all values are there, or none is, there is nothing to say."""
    lost = [seen("import_ms", None, said) for said in ("gone", "it broke", "gone")]
    fewer = reason(Code.FEWER_VALUES, GONE, reason(Code.SAID, text="it broke"), n=2)
    assert observations.partial([seen("import_ms", 1.0), *lost, seen("import_ms", 2.0)]) == {"import_ms": (fewer,)}
    assert observations.partial([seen("import_ms", 1.0), seen("idle_pss_mib", None, "gone")]) == {}


def test_files_stand_beside_the_whole() -> None:
    """A part is no second value of its metric."""
    rows = [seen("code_lines", 30), seen("code_lines", 20, part="b.py"), seen("code_lines", 10, part="a.py")]
    found = observations.estimates(rows)["code_lines"]
    assert (found.point, found.low, found.high, found.n) == (30, 30, 30, 1)
    assert observations.code_lines_by_file(rows) == {"a.py": 10, "b.py": 20}


@pytest.mark.parametrize("metric", [row.name for row in METRICS.values() if row.average is Average.COUNT])
def test_counts_have_no_noise(metric: str) -> None:
    """Their interval is from the lowest to the highest value."""
    found = observations.estimates([seen(metric, value) for value in (5.0, 5.0, 6.0)])[metric]
    assert (found.point, found.low, found.high) == (5, 5, 6)
