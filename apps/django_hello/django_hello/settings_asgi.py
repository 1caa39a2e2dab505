"""Settings under ASGI: the same but for the URLs, which lead to the async view."""

from django_hello.settings import *  # noqa: F403  how Django settings build on each other

ROOT_URLCONF = "django_hello.urls_asgi"
