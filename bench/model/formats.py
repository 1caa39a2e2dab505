"""How values become files: one JSON document, or a row a line."""

from typing import Any

import msgspec


def to_json(value: Any) -> bytes:
    """Returns a value as one indented JSON document that ends in a line break."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def to_row(value: Any) -> bytes:
    """Returns a value as one line of JSON that ends in a line break."""
    return msgspec.json.encode(value) + b"\n"
