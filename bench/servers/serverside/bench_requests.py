"""Asks an App's callable for its greetings, as a server would but in this process, so that callgrind can count it.

Runs in the App's own environment, with nothing but the standard library. Standard input has one JSON document:
``application`` and ``adapter`` (import strings; no adapter is null), ``interface`` (of what the two make), ``requests``
(target and body of each), and ``counts``: after so many requests in all, one after the other, the program calls
getppid(2), which nothing else here does, and by which callgrind knows that it shall write down what it counted. A wrong
answer ends the program with one line and exit code 1. An argument is the core to run on.
"""

import asyncio
import ctypes
import gc
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager
from importlib import import_module
from itertools import cycle, islice, pairwise
from operator import attrgetter
from struct import Struct
from typing import Any
from urllib.parse import unquote_to_bytes

HOST, PORT = "127.0.0.1", 8000
CLIENT_PORT = 50_000
ASGI_VERSIONS = {"version": "3.0", "spec_version": "2.3"}
FOREVER_S = 1e6
LONGEST_TURN_NS = 100_000_000
SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
"""The number of the system call, which the C library has no function for."""
SCHED_ATTR = Struct("=IIQiIQQQ")
"""size, policy, flags, nice, priority, runtime, deadline and period."""

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
WsgiApp = Callable[[dict[str, Any], Callable[..., Callable[[bytes], Any]]], Any]


class UnexpectedAnswer(Exception):
    """An answer is not what the workload says."""


def main() -> None:
    """Asks all that standard input says."""
    work = json.load(sys.stdin)
    be_repeatable([int(core) for core in sys.argv[1:]])
    app = imported(work["application"])
    if work["adapter"]:
        app = imported(work["adapter"])(app)
    requests = [(target, body.encode()) for target, body in work["requests"]]
    if work["interface"] == "asgi":
        asyncio.run(count_asgi(app, requests, work["counts"]))
    else:
        count_wsgi(app, requests, work["counts"])


def be_repeatable(cores: list[int]) -> None:
    """Leaves little to chance where an App has threads: on one core they take turns, and only where one waits.

    Under SCHED_BATCH a thread that wakes up does not interrupt the one that runs (sched(7)).
    """
    sys.setswitchinterval(FOREVER_S)
    if cores:
        os.sched_setaffinity(0, cores)
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        take_long_turns()


def take_long_turns() -> None:
    """Asks for turns of 100 ms instead of 3, so that hardly one ends between what a thread says and who hears it.

    sched_setattr(2) takes the length of a turn as ``sched_runtime`` since Linux 6.12, and ignores it before.
    """
    system_call = SCHED_SETATTR.get(os.uname().machine)
    if system_call:
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        attributes = SCHED_ATTR.pack(SCHED_ATTR.size, os.SCHED_BATCH, 0, nice, 0, LONGEST_TURN_NS, 0, 0)
        ctypes.CDLL(None).syscall(system_call, 0, attributes, 0)


def imported(name: str) -> Any:
    """Returns what an import string names: ``module:attribute``, or ``module:factory()`` for what it returns."""
    module, _, attribute = name.partition(":")
    found = attrgetter(attribute.removesuffix("()"))(import_module(module))
    return found() if attribute.endswith("()") else found


def portions(requests: list[Any], counts: list[int]) -> Iterator[Iterator[Any]]:
    """Yields the requests up to each count, and marks the end of each portion."""
    endless = cycle(requests)
    for before, count in pairwise([0, *counts]):
        yield islice(endless, count - before)
        os.getppid()


def count_wsgi(app: WsgiApp, requests: list[tuple[str, bytes]], counts: list[int]) -> None:
    """Asks a WSGI callable (PEP 3333)."""
    prepared = [(wsgi_environ(target), target, body) for target, body in requests]
    freeze()
    for portion in portions(prepared, counts):
        for environ, target, body in portion:
            ask_wsgi(app, environ, target, body)


def ask_wsgi(app: WsgiApp, environ: dict[str, Any], target: str, body: bytes) -> None:
    """Asks for one greeting. Raises UnexpectedAnswer."""
    statuses: list[str] = []
    parts: list[bytes] = []

    def start_response(status: str, _headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], None]:
        statuses.append(status)
        return parts.append

    answer = app({**environ, "wsgi.input": io.BytesIO()}, start_response)
    parts.extend(answer)
    if hasattr(answer, "close"):
        answer.close()
    expect(target, int(statuses[-1][:3]), b"".join(parts), body)


def wsgi_environ(target: str) -> dict[str, Any]:
    """Returns an environ as gunicorn makes it, but for its ``wsgi.input``."""
    return {
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
        "SERVER_SOFTWARE": "gunicorn",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": HOST,
        "SERVER_PORT": str(PORT),
        "REMOTE_ADDR": HOST,
        "REMOTE_PORT": str(CLIENT_PORT),
        "REQUEST_METHOD": "GET",
        "RAW_URI": target,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(target).decode("latin-1"),
        "QUERY_STRING": "",
        "HTTP_HOST": f"{HOST}:{PORT}",
    }


async def count_asgi(app: AsgiApp, requests: list[tuple[str, bytes]], counts: list[int]) -> None:
    """Asks an ASGI callable (ASGI 3), between its startup and its shutdown."""
    async with lifespan(app) as state:
        prepared = [(asgi_scope(target), target, body) for target, body in requests]
        freeze()
        for portion in portions(prepared, counts):
            for scope, target, body in portion:
                await ask_asgi(app, {**scope, "state": state.copy()}, target, body)


async def ask_asgi(app: AsgiApp, scope: Message, target: str, body: bytes) -> None:
    """Asks for one greeting. Raises UnexpectedAnswer."""
    sent: list[Message] = []
    asked = False
    answered = asyncio.Event()

    async def receive() -> Message:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            answered.set()

    await app(scope, receive, send)
    expect(target, sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]), body)


def asgi_scope(target: str) -> Message:
    """Returns a scope as uvicorn makes it, but for its ``state``."""
    return {
        "type": "http",
        "asgi": ASGI_VERSIONS,
        "http_version": "1.1",
        "server": (HOST, PORT),
        "client": (HOST, CLIENT_PORT),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": unquote_to_bytes(target).decode(),
        "raw_path": target.encode(),
        "query_string": b"",
        "headers": [(b"host", f"{HOST}:{PORT}".encode())],
    }


@asynccontextmanager
async def lifespan(app: AsgiApp) -> AsyncIterator[dict[str, Any]]:
    """Starts an App up and shuts it down, where it supports that, and yields the state of its lifespan."""
    state: dict[str, Any] = {}
    received: asyncio.Queue[Message] = asyncio.Queue()
    sent: asyncio.Queue[Message] = asyncio.Queue()
    task = asyncio.ensure_future(
        app({"type": "lifespan", "asgi": ASGI_VERSIONS, "state": state}, received.get, sent.put)
    )
    received.put_nowait({"type": "lifespan.startup"})
    said = asyncio.ensure_future(sent.get())
    await asyncio.wait({task, said}, return_when=asyncio.FIRST_COMPLETED)
    said.cancel()
    yield state
    if not task.done():
        received.put_nowait({"type": "lifespan.shutdown"})
    await asyncio.wait({task})
    task.exception()


def freeze() -> None:
    """Puts what was made until now out of the garbage collector's sight; it collects what requests leave."""
    gc.collect()
    gc.freeze()


def expect(target: str, status: int, found: bytes, body: bytes) -> None:
    """Raises UnexpectedAnswer for what the workload does not allow."""
    if status != 200 or found != body:
        raise UnexpectedAnswer(f"GET {target}: found {status} {found[:80]!r}, expected 200 {body[:80]!r}")


if __name__ == "__main__":
    try:
        main()
    except UnexpectedAnswer as wrong:
        sys.exit(str(wrong))
