"""The driver as a process: what bench says when it ends, or says something else."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.model.load import Closed
from bench.model.protocol import Setup, SliceOrder
from bench.model.reason import Code
from bench.run.driver_client import Driver, DriverFailed, open_driver
from bench.servers.processes import open_process_group

ORDER = SliceOrder(("nowhere",), Closed(1), 0.0, 0.1)


def converse(tmp_path: Path, say: Callable[[Driver], object]) -> None:
    """Starts a driver, sets it up without any target, and says something to it."""
    with open_process_group() as process_group, open_driver(process_group, tmp_path / "driver.log") as driver:
        versions = driver.setup(Setup((), 1, 1)).versions
        assert {"locust", "gevent"} <= set(versions)
        say(driver)


def kill_and_play(driver: Driver) -> None:
    os.kill(driver.pid, signal.SIGKILL)
    driver.play(ORDER)


def test_a_driver_that_dies_is_named_and_not_hung_upon(tmp_path: Path) -> None:
    """What could not be sent to it any more does not hide that it has ended."""
    with pytest.raises(DriverFailed) as failed:
        converse(tmp_path, kill_and_play)
    (why,) = failed.value.reasons
    assert why.code is Code.DRIVER_ENDED


def test_a_driver_that_fails_is_quoted(tmp_path: Path) -> None:
    """The last line of its log says why: here it was never told of the Lane."""
    with pytest.raises(DriverFailed, match="KeyError: 'nowhere'"):
        converse(tmp_path, lambda driver: driver.play(ORDER))


def test_what_is_no_answer_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else on its standard output is an error that shows it."""
    chatter = tmp_path / "chatter"
    chatter.write_text("#!/bin/sh\necho good morning\nread -r _\n")
    chatter.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(chatter))
    with pytest.raises(DriverFailed) as failed:
        converse(tmp_path, str)
    (why,) = failed.value.reasons
    assert (why.code, why.values["expected"]) == (Code.DRIVER_NOT_UNDERSTOOD, "Ready")
    assert "good morning" in str(why.values["found"])
