"""The view, once for each interface: Django runs a sync view under ASGI in a thread."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET


@require_GET
def hello(request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001  Django passes it
    """Greet, on WSGI."""
    return greeting(name)


@require_GET
async def hello_async(request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001  Django passes it
    """Greet, on ASGI."""
    return greeting(name)


def greeting(name: str) -> HttpResponse:
    """Make the answer of both."""
    return HttpResponse(f"Hello, {name}!", content_type="text/plain; charset=utf-8")
