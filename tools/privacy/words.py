"""Word lists of this package: `word_set`."""

from __future__ import annotations

from functools import cache

from tools.wordlists import load_words


@cache
def word_set(name: str) -> frozenset[str]:
    """Return the words of `data/NAME.txt`, which are separated by blanks."""
    return frozenset(word for line in load_words("tools.privacy", name)["words"] for word in line.split())
