"""Word lists of this package: `load_words`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def load_words(name: str) -> frozenset[str]:
    """The words of `data/NAME.txt`, parted by blanks; lines that begin with `#` are comments."""
    lines = files("tools.privacy").joinpath("data", f"{name}.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
