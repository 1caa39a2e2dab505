"""The application of a Lane that needs an adapter: the App's own callable, wrapped. Imported by the server process."""

import os

from gunicorn.util import import_app

application = import_app(os.environ["BENCH_ADAPTER"])(import_app(os.environ["BENCH_APPLICATION"]))
