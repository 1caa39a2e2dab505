"""Settings under WSGI: only what differs from Django's own, whose DEBUG is off."""

import os

SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
ALLOWED_HOSTS = os.environ["DJANGO_ALLOWED_HOSTS"].split(",")

ROOT_URLCONF = "django_hello.urls"
APPEND_SLASH = False  # an unknown path is a 404, never a redirect

# Sets Content-Length. Any other would add headers or work that the other frameworks' Apps do not have.
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]

TIME_ZONE = "UTC"  # Django sets the process's zone by it, and so the times in the server's log

# With DEBUG off Django tells of errors by mail only. A 404 is not an error of ours, and stays silent.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler", "level": "ERROR"}},
    "loggers": {"django": {"handlers": ["stderr"]}},
}
