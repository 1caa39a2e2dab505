"""`bench load`: what it takes for a URL and a load."""

import pytest

from tests.builders.commands import assert_refused, call


@pytest.mark.parametrize(
    "url",
    [
        *("localhost:80", "https://127.0.0.1/", "http://:80/", "http://127.0.0.1:99999/", "http://127.0.0.1:0/"),
        *("http://[::1/", "http://127.0.0.1/a b", "http://127.0.0.1/é", "http://127.0.0.1/a\nb"),
    ],
)
def test_a_load_needs_a_plain_http_url(url: str) -> None:
    """What is no http URL is refused before a driver is started."""
    result = call("load", url)
    assert result.exit_code == 2
    assert "found " in result.stderr
    assert "expected " in result.stderr


@pytest.mark.parametrize("option", ["--seconds", "--rate"])
@pytest.mark.parametrize("value", ["nan", "inf", "0", "-1"])
def test_a_load_needs_numbers_that_can_be_counted(option: str, value: str) -> None:
    """What float() reads but no clock counts is wrong usage, and starts no driver."""
    result = call("load", "http://127.0.0.1:1/", option, value)
    assert result.exit_code == 2
    assert option in result.stderr


def test_a_load_on_an_unknown_host_names_it() -> None:
    """The reserved name that never exists (RFC 2606): one line, exit code 3."""
    assert_refused(call("load", "http://nowhere.invalid/"), "nowhere.invalid", "expected the name", exit_code=3)


def test_a_load_is_of_one_kind() -> None:
    """--users and --rate exclude each other."""
    result = call("load", "http://127.0.0.1:1/", "--users", "1", "--rate", "1")
    assert result.exit_code == 2
    assert "--users and --rate" in result.stderr
