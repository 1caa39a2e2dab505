"""``python -m bench.driver``: orders on standard input, results on standard output, a log on standard error."""

import logging
import os
import signal
import sys
from typing import BinaryIO

import msgspec

from bench.model.protocol import Ready, Setup, SliceOrder, SliceResults

CONFIGURING = ("LOCUST_", "GEVENT", "LIBEV_")
"""Prefixes of the environment variables that would change how the load is made."""


def main() -> None:
    """Serves one conversation."""
    for name in [name for name in os.environ if name.startswith(CONFIGURING)]:
        del os.environ[name]
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    # It warns of starting many users at once, which cost nothing here until they are given something to do.
    logging.getLogger("locust.runners").setLevel(logging.ERROR)
    # Ctrl-C reaches the runner too, which says what there is to say; a KeyboardInterrupt would leave traces here.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with _claimed_standard_output() as results:
        serve(sys.stdin.buffer, results)


def serve(orders: BinaryIO, results: BinaryIO) -> None:
    """Answers a Setup and then SliceOrders, one a line, until they end."""
    from bench.driver.engine import Engine  # noqa: PLC0415 - imports Locust, which looks into the environment

    setup = orders.readline()
    if not setup:
        return
    engine = Engine(msgspec.json.decode(setup, type=Setup))
    _send(results, engine.ready())
    # Reading blocks the whole process, gevent and all: between slices nothing is to run.
    for order in orders:
        _send(results, engine.play(msgspec.json.decode(order, type=SliceOrder)))
    engine.close()


def _send(results: BinaryIO, message: Ready | SliceResults) -> None:
    results.write(msgspec.json.encode(message) + b"\n")
    results.flush()


def _claimed_standard_output() -> BinaryIO:
    """Returns standard output, and has everything else that is printed go to standard error."""
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return results


if __name__ == "__main__":
    main()
