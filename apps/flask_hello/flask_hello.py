"""The hello app in Flask."""

from flask import Blueprint, Flask, Response

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
    return app
