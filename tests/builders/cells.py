"""Slices of one Lane in which server and driver did this or that, and how its cells are judged by them."""

from collections.abc import Callable, Sequence

from bench.analysis import validity
from bench.model.estimate import Validity
from bench.model.load import Phase
from bench.model.records import SliceRecord
from tests.builders.runs import saturated


def judged(records: Sequence[SliceRecord], workers: int = 1) -> Validity:
    """Returns the finding of the cell that is worst off."""
    return validity.worst(validity.judge_cells(records, None, workers))


def cells_of(records: Sequence[SliceRecord], workers: int = 1) -> dict[Phase, Validity]:
    """Returns the finding of every cell."""
    return {cell.phase: cell.validity for cell in validity.judge_cells(records, None, workers)}


def at_shares(server: float | None, driver: float | None) -> list[SliceRecord]:
    """Returns saturated slices in which server and driver used these shares of their cores."""
    slice_s = saturated().slice_s
    server_ns, driver_ns = (None if share is None else round(share * slice_s * 1e9) for share in (server, driver))
    return [saturated(server_cpu_ns=server_ns, driver_cpu_ns=driver_ns) for _ in range(3)]


def waiting(ms_a_request: float, make: Callable[..., SliceRecord], **changes: object) -> list[SliceRecord]:
    """Returns slices in which the server's threads waited so long for a core, a right answer."""
    return [make(server_run_queue_ns=round(ms_a_request * 300 * 1e6), **changes) for _ in range(3)]
