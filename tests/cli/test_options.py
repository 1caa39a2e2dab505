"""Options that commands share."""

import re
import tomllib

import click
import pytest

from bench.cli.options import DEFAULT_PRESETS, Percent, Requirement
from bench.servers.project import DEFAULTS
from tests.builders.commands import call


def test_help_shows_the_presets_that_every_project_has() -> None:
    """Those of bench/defaults.toml, which is not read for it."""
    assert tuple(tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))["presets"]) == DEFAULT_PRESETS
    said = call("run", "--help").stdout
    assert all(preset in said for preset in DEFAULT_PRESETS)


@pytest.mark.parametrize(("text", "share"), [("3%", 0.03), (" 0.5% ", 0.005), ("99.9%", 0.999)])
def test_a_percentage_is_a_share(text: str, share: float) -> None:
    """Of one."""
    assert Percent().convert(text, None, None) == pytest.approx(share)


@pytest.mark.parametrize("text", ["3", "0.03", "0%", "-3%", "100%", "three%", "%", "nan%", ""])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    """0.03 could be 3 % or 0.03 %: the sign is asked for."""
    with pytest.raises(click.BadParameter, match=re.escape(repr(text))):
        Percent().convert(text, None, None)


@pytest.mark.parametrize("text", ["", " ", "-r other.txt", " --index-url=x"])
def test_a_requirement_is_no_option_of_the_installer(text: str) -> None:
    """Nor is it nothing."""
    with pytest.raises(click.BadParameter, match=re.escape(repr(text.strip()))):
        Requirement().convert(text, None, None)
    assert Requirement().convert("uvicorn==0.50.*", None, None) == "uvicorn==0.50.*"
