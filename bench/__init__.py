"""bench: Django, Flask and FastAPI side by side, on identical servers, under the same load."""

__version__ = "0.1.0"
