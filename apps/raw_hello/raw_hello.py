"""The hello app as bare WSGI and ASGI callables: what the server alone costs, with no framework."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = "/hello/"
CONTENT_TYPE = "text/plain; charset=utf-8"
STATUS_LINES = {200: "200 OK", 404: "404 Not Found", 405: "405 Method Not Allowed"}


def wsgi(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Greet, by PEP 3333."""
    # WSGI carries the bytes of the path as if they were Latin-1.
    path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
    status, body = answer(environ["REQUEST_METHOD"], path)
    headers = [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))]
    if status == 405:
        headers.append(("Allow", "GET"))
    start_response(STATUS_LINES[status], headers)
    return [body]


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  no request body is read
    """Greet, by ASGI 3."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])  # how an ASGI app says that it has no lifespan
    status, body = answer(scope["method"], scope["path"])
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", b"%d" % len(body))]
    if status == 405:
        headers.append((b"allow", b"GET"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def answer(method: str, path: str) -> tuple[int, bytes]:
    """Give the status and the body, which is empty where it is no greeting."""
    name = path.removeprefix(PREFIX)
    if not path.startswith(PREFIX) or not name or "/" in name:
        return 404, b""
    if method != "GET":
        return 405, b""
    return 200, f"Hello, {name}!".encode()
