"""The hello app in Flask."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Blueprint, Flask, Response
from werkzeug.exceptions import NotFound

blueprint = Blueprint("hello", __name__)


@blueprint.get("/hello/<name>")
def hello(name: str) -> Response:
    """Greet."""
    return Response(f"Hello, {name}!", mimetype="text/plain")


def create_app() -> Flask:
    """Make the application, as gunicorn's `flask_hello:create_app()` asks."""
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # a doubled slash is a 404, never a redirect
    app.register_blueprint(blueprint)
    # Replacing wsgi_app is Flask's documented way to add WSGI middleware; types cannot express it.
    app.wsgi_app = without_doubled_root(app.wsgi_app)  # type: ignore[method-assign,assignment]
    return app


def without_doubled_root(app: WSGIApplication) -> WSGIApplication:
    """Answer 404 to `//hello/x`, which Werkzeug routes like `/hello/x`, even without `merge_slashes`."""

    def checked(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("//"):
            return NotFound()(environ, start_response)
        return app(environ, start_response)

    return checked
