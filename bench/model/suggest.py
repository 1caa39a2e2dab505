"""What a user may have meant who wrote a name that does not exist."""

from collections.abc import Collection
from difflib import get_close_matches

ALIKE = 0.6
"""How like a name has to be to be proposed, as difflib's ratio: twice the equal characters over all characters."""
MOST_SHOWN = 6
"""So many names are shown, and the others counted: a message is one line."""


def closest(word: str, known: Collection[str]) -> str | None:
    """Returns the known name that is most like a word, whatever its case; None where none is like it."""
    by_folded = {name.casefold(): name for name in reversed(list(known))}
    found = get_close_matches(word.casefold(), by_folded, n=1, cutoff=ALIKE)
    return by_folded[found[0]] if found else None


def one_of(word: str, known: Collection[str], *, patterns: Collection[str] = ()) -> str:
    """Returns what a message on an unknown name expects: ``one of flask, django; did you mean 'flask'?``.

    ``patterns`` are what else may be meant, but are not shown among the names.
    """
    names = list(known)
    cut = f", … and {len(names) - MOST_SHOWN} more; `bench list` shows all" if len(names) > MOST_SHOWN + 1 else ""
    shown = names[:MOST_SHOWN] if cut else names
    meant = closest(word, [*names, *patterns])
    return f"one of {', '.join(shown)}{cut}{f'; did you mean {meant!r}?' if meant else ''}"
