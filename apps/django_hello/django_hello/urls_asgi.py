"""URLs under ASGI."""

from django.urls import path

from django_hello.views import hello_async

urlpatterns = [path("hello/<name>", hello_async)]
