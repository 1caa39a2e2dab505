"""uvicorn under gunicorn, with those of uvicorn's settings pinned that have no option on gunicorn's command line."""

from typing import Any, ClassVar

from uvicorn_worker import UvicornWorker


class Worker(UvicornWorker):
    """The settings match the plain ``uvicorn`` server of bench/defaults.toml."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "lifespan": "auto",
        "proxy_headers": False,
        "access_log": False,
    }
