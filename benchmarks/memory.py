"""Prints the most memory that bench and its driver took during a run: ``python benchmarks/memory.py --preset quick``.

What is given is handed to ``bench run``. Figures are the kernel's high-water marks of resident memory (getrusage(2) for
bench, ``VmHWM`` of proc(5) for the driver, read every two seconds); servers are not counted. Needs Linux.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

BENCH = Path(sys.executable).parent / "bench"
KIB_PER_MIB = 1024
PAUSE_S = 2.0


def main() -> None:
    """Runs bench, and prints how much memory it took."""
    began = time.monotonic()
    process = subprocess.Popen([BENCH, "run", *sys.argv[1:]])
    driver_kib = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        driver_kib = max(driver_kib, driver_high_water_kib(process.pid))
        time.sleep(PAUSE_S)
    bench_mib, driver_mib = usage.ru_maxrss / KIB_PER_MIB, driver_kib / KIB_PER_MIB
    print(
        f"at most bench {bench_mib:.0f} MiB + driver {driver_mib:.0f} MiB = {bench_mib + driver_mib:.0f} MiB "
        f"in {time.monotonic() - began:.0f} s"
    )
    sys.exit(os.waitstatus_to_exitcode(status))


def driver_high_water_kib(bench_pid: int) -> int:
    """Returns the most resident memory that the driver there is had so far, in KiB; 0 between two drivers."""
    try:
        driver = next(child for child in psutil.Process(bench_pid).children() if "bench.driver" in child.cmdline())
        lines = Path(f"/proc/{driver.pid}/status").read_text().splitlines()
    except (StopIteration, psutil.NoSuchProcess, OSError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()
