"""Prints how long commands take that measure nothing, and their memory: ``python benchmarks/startup.py``.

Each is run 20 times, in turn with the others. ``--cold`` takes what is below the environment and the standard library
out of the page cache before each (posix_fadvise(2)); ``--bench`` names another bench. Memory is the kernel's high-water
mark (getrusage(2)). Needs Linux.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from statistics import median

COMMANDS = ("--help", "run --help", "check --help", "list", "plan")
TIMES = 20
KIB_PER_MIB = 1024


def main() -> None:
    """Runs the commands, and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", default=Path(sys.executable).parent / "bench", type=Path)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("commands", nargs="*", default=COMMANDS)
    asked = parser.parse_args()
    taken: dict[str, list[tuple[float, float]]] = {command: [] for command in asked.commands}
    for _ in range(TIMES):
        for command, runs in taken.items():
            if asked.cold:
                forget(asked.bench.parent.parent)
            runs.append(run([asked.bench, *command.split()]))
    for command, runs in taken.items():
        seconds = sorted(second for second, _ in runs)
        most_mib = max(mib for _, mib in runs)
        print(
            f"bench {command:<14} {median(seconds):.3f} s ({seconds[0]:.3f} to {seconds[-1]:.3f}), {most_mib:.0f} MiB"
        )


def run(command: list[str | Path]) -> tuple[float, float]:
    """Returns the seconds that a command takes, and its memory in MiB."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{command[1:]} failed")
    return time.monotonic() - began, usage.ru_maxrss / KIB_PER_MIB


def forget(environment: Path) -> None:
    """Takes the files of an environment and of the standard library out of the page cache.

    It keeps no names: the kernel counts what this process had in memory as memory of the commands that it starts.
    """
    for top in (environment, Path(sysconfig.get_path("stdlib"))):
        for _, _, names, folder in os.fwalk(top):
            for name in names:
                if name.endswith((".py", ".pyc", ".so", ".toml")):
                    file = os.open(name, os.O_RDONLY, dir_fd=folder)
                    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                    os.close(file)


if __name__ == "__main__":
    main()
