"""What each form of a report says, in text that can be searched."""

from html import unescape
from io import StringIO

from matplotlib.figure import Figure
from matplotlib.text import Text
from rich.console import Console, RenderableType

from bench.model.summary import Report
from bench.report import html, markdown
from bench.report import terminal as text


def printed(shown: RenderableType, width: int = 80) -> str:
    """Returns what a terminal of that width would show, without colour."""
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(shown)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def terminal(report: Report, width: int = 80) -> str:
    """Returns what a terminal shows of a run."""
    return printed(text.render(report, "results/latest"), width)


def written(report: Report) -> dict[str, str]:
    """Returns what each written form says, on one line, without escapes."""
    forms = {
        "text": terminal(report),
        "markdown": markdown.render(report).replace("\\", ""),
        "html": unescape(html.render(report, {})),
    }
    return {name: " ".join(said.split()) for name, said in forms.items()}


def said_in(figure: Figure) -> str:
    """Returns every text of a figure, wrapped lines joined."""
    found = (label for label in figure.findobj(Text) if isinstance(label, Text))
    return " ".join(" ".join(label.get_text().split()) for label in found)
