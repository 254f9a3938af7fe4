"""Word lists of this package."""

from __future__ import annotations

from functools import cache

from tools.wordlists import load_words


@cache
def word_set(name: str) -> frozenset[str]:
    """Return the blank-separated words of `data/NAME.txt`."""
    return frozenset(word for line in load_words("tools.privacy", name)["words"] for word in line.split())
