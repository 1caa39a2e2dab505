"""Wakes the hub at an absolute time, to within a tenth of a millisecond where the system can."""

import ctypes
import os
import sys
from collections.abc import Callable
from time import monotonic_ns
from typing import Protocol

from gevent.hub import get_hub

from bench.driver.client_socket import READ

_CLOCK_MONOTONIC = 1
_TIMER_ABSOLUTE = 1
_NS_PER_S = 1_000_000_000


class Timer(Protocol):
    """Calls one function on the hub, each time that it was asked to."""

    def start(self, callback: Callable[[], None]) -> None:
        """Takes the function, which must not block."""

    def call_at(self, at_ns: int) -> None:
        """Asks for a call at a time of the monotonic clock, at once where that is past. The last request counts."""

    def stop(self) -> None:
        """Forgets the function, and the call that was asked for."""


def make_timer() -> Timer:
    """Returns the best timer that the system has."""
    return TimerfdTimer() if sys.platform == "linux" else GeventTimer()


class _Timespec(ctypes.Structure):
    _fields_ = (("s", ctypes.c_long), ("ns", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class TimerfdTimer:
    """A Linux timerfd, watched by the hub. Python itself has timerfd from 3.13 on only.

    One shot for each call: setting it again also takes back the readiness of the last expiry, so nothing is read from
    it; and a schedule whose interval is no whole number of nanoseconds can't drift.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._settime = libc.timerfd_settime
        self._fd: int = libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._spec = _Itimerspec()
        self._spec_ref = ctypes.byref(self._spec)
        self._watcher = get_hub().loop.io(self._fd, READ)

    def start(self, callback: Callable[[], None]) -> None:
        """Takes the function, which must not block."""
        self._watcher.start(callback)

    def call_at(self, at_ns: int) -> None:
        """Asks for a call at a time of the monotonic clock, at once where that is past. The last request counts."""
        self._spec.value.s, self._spec.value.ns = divmod(at_ns, _NS_PER_S)
        self._settime(self._fd, _TIMER_ABSOLUTE, self._spec_ref, None)

    def stop(self) -> None:
        """Forgets the function, and the call that was asked for."""
        self._watcher.stop()
        self._settime(self._fd, 0, ctypes.byref(_Itimerspec()), None)


class GeventTimer:
    """A timer of gevent's, for systems without timerfd: late by up to a millisecond, to which it rounds up."""

    def __init__(self) -> None:
        self._hub = get_hub()
        self._timer = self._hub.loop.timer(0)
        self._callback: Callable[[], None] = self.stop

    def start(self, callback: Callable[[], None]) -> None:
        """Takes the function, which must not block."""
        self._callback = callback

    def call_at(self, at_ns: int) -> None:
        """Asks for a call at a time of the monotonic clock, at once where that is past. The last request counts."""
        self.stop()
        self._timer = self._hub.loop.timer(max(0, at_ns - monotonic_ns()) / _NS_PER_S)
        self._timer.start(self._callback, update=True)

    def stop(self) -> None:
        """Forgets the function, and the call that was asked for."""
        self._timer.close()
