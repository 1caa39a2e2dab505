"""Counts the lines of an App's own code: those that are neither blank nor comment. Text in, numbers out."""

import ast
import io
import re
import tokenize

TEMPLATES = frozenset({".html", ".jinja", ".jinja2", ".j2"})
SUFFIXES = frozenset({".py"}) | TEMPLATES
"""How the names of files end that hold code."""

_LAYOUT = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
    }
)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_TEMPLATE_COMMENT = re.compile(r"<!--.*?-->|\{#.*?#\}|\{% *comment.*?endcomment *%\}", re.DOTALL)


def count(text: str, suffix: str) -> int:
    """Returns how many lines of a file are code. Docstrings are comments. Raises SyntaxError for broken Python."""
    return len(_of_python(text)) if suffix == ".py" else _filled(_TEMPLATE_COMMENT.sub("", text))


def _of_python(text: str) -> set[int]:
    lines = _lines(text)
    docstrings = _docstrings(text)
    return {
        number
        for token in _tokens(text)
        if token.type not in _LAYOUT and token.start not in docstrings
        for number in range(token.start[0], token.end[0] + 1)
        if lines[number - 1].strip()
    }


def _lines(text: str) -> list[str]:
    """Returns the lines as Python counts them: splitlines() also ends one at a form feed."""
    return text.split("\n")


def _tokens(text: str) -> list[tokenize.TokenInfo]:
    return list(tokenize.generate_tokens(io.StringIO(text).readline))


def _docstrings(text: str) -> set[tuple[int, int]]:
    """Returns where docstrings begin, as tokens do: line and column."""
    documented = (node for node in ast.walk(ast.parse(text)) if isinstance(node, _DOCUMENTED))
    first = (node.body[0] for node in documented if node.body and ast.get_docstring(node, clean=False) is not None)
    return {(statement.lineno, statement.col_offset) for statement in first}


def _filled(text: str) -> int:
    return sum(bool(line.strip()) for line in _lines(text))
