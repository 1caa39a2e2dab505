"""URLs under WSGI."""

from django.urls import path

from django_hello.views import hello

urlpatterns = [path("hello/<name>", hello)]
