"""Signals that end a command as Ctrl-C does, so that it keeps what it measured."""

import os
import signal
import stat
from types import FrameType
from typing import NoReturn


def interrupt_on_signals() -> None:
    """Makes this process end as by Ctrl-C when it is told to, or its terminal is gone: it keeps what it measured."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup ignores it
        signal.signal(signal.SIGHUP, _hang_up)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _hang_up(number: int, frame: FrameType | None) -> NoReturn:
    """Sends to nowhere what is still said to the terminal: it would be an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):
        if stat.S_ISCHR(os.fstat(output).st_mode):
            os.dup2(nowhere, output)
    _interrupt(number, frame)
