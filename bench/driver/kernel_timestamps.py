"""When bytes arrived: by the kernel's word, so that how late the driver wakes up to read them is not the server's."""

import socket
import struct
import sys
from time import monotonic_ns, time_ns

_TIMESTAMPNS = 35
"""Linux's SO_TIMESTAMPNS, and the type of the control messages that it gives (socket(7)). Python has no name for it."""
_TIMESPEC = struct.Struct("@ll")
_unpack = _TIMESPEC.unpack
_CONTROL_BYTES = socket.CMSG_SPACE(_TIMESPEC.size)
_NS_PER_S = 1_000_000_000


def ask_for_arrivals(plain: socket.socket) -> None:
    """Has the kernel note when bytes arrive on a socket, where it can: on Linux."""
    if sys.platform == "linux":
        plain.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)


def receive(plain: socket.socket, limit_bytes: int, not_before_ns: int) -> tuple[bytes, int]:
    """Returns bytes, and when the last of them arrived, on the monotonic clock; raises OSError.

    A clock that was set meanwhile would have them arrive before ``not_before_ns``, or after now: then they arrived now,
    as they do where the kernel says nothing.
    """
    data, messages, _, _ = plain.recvmsg(limit_bytes, _CONTROL_BYTES)
    if not messages:
        return data, monotonic_ns()
    seconds, ns = _unpack(messages[0][2])
    real_ns = time_ns()
    now_ns = monotonic_ns()  # read last: what comes between the two clocks makes an answer later, never earlier
    arrived_ns = now_ns - real_ns + seconds * _NS_PER_S + ns
    return data, arrived_ns if not_before_ns <= arrived_ns <= now_ns else now_ns
