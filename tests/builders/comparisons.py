"""What the Rounds of a comparison leave behind."""

from collections.abc import Sequence

from bench.model.records import SliceRecord
from bench.regression import ratios
from bench.regression.ratios import AppRound, Pair


def folded(pair: Pair, records: Sequence[SliceRecord]) -> list[AppRound]:
    """Returns what an App did in each Round that these records are of."""
    rounds = sorted({record.round for record in records})
    return [ratios.fold(pair, index, [record for record in records if record.round == index]) for index in rounds]
