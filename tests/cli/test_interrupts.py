"""Signals that end a command, and what it still does then."""

import os
import pty
import subprocess
import sys
from pathlib import Path


def test_a_terminal_that_is_closed_interrupts_and_stops_nothing_that_is_still_said(tmp_path: Path) -> None:
    """The kernel tells its session, and lets nobody write to it any more; what has to be kept still can be."""
    program = (
        "import fcntl, pathlib, sys, termios, time\n"
        "from bench.cli.interrupts import interrupt_on_signals\n"
        "fcntl.ioctl(1, termios.TIOCSCTTY, 0)\n"
        "interrupt_on_signals()\n"
        "try:\n"
        "    print('waiting', flush=True)\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    print('kept', flush=True)\n"
        "    pathlib.Path('kept').touch()\n"
        "    sys.exit(3)\n"
    )
    terminal, other_end = pty.openpty()
    command = (sys.executable, "-c", program)
    with subprocess.Popen(command, stdout=other_end, stderr=other_end, cwd=tmp_path, start_new_session=True) as process:
        os.close(other_end)
        assert os.read(terminal, 100).startswith(b"waiting")
        os.close(terminal)
        assert process.wait(timeout=30) == 3
    assert (tmp_path / "kept").exists()
