"""`bench serve`: which Lane."""

from tests.builders.commands import CONFIG, assert_refused, call


def test_serving_an_unknown_lane_names_the_one_that_was_meant() -> None:
    """And some of those there are."""
    refused = call("serve", "--config", CONFIG, "flsk@gunicorn-gthread")
    assert_refused(refused, "'flsk@gunicorn-gthread'", "django_hello@", "did you mean 'flask_hello@gunicorn-gthread'?")


def test_one_lane_is_served() -> None:
    """A pattern that matches several is refused."""
    assert_refused(
        call("serve", "--config", CONFIG, "flask_hello@*"),
        "flask_hello@gunicorn-gthread, ",
        "flask_hello@gunicorn-gthread#2",
    )
