"""Histograms of latencies, as slices have them."""

import pytest

from bench.analysis.histograms import DamagedHistogram, merged
from bench.model.errors import ExitCode
from tests.builders.runs import histogram


@pytest.mark.parametrize("damage", ["", "abc", "!!!!", "AAAA" * 10, "é" * 8, histogram(1000)[:-9], histogram(1000)[8:]])
def test_a_histogram_that_is_none_is_wrong_usage(damage: str) -> None:
    """In one line that shows how it begins; no library's exception comes through."""
    assert merged([histogram(1000)]).total_count > 0
    with pytest.raises(DamagedHistogram) as refusal:
        merged([histogram(1000), damage])
    assert repr(damage[:20]) in str(refusal.value)
    assert (refusal.value.exit_code, len(str(refusal.value).splitlines())) == (ExitCode.WRONG_USAGE, 1)
