"""Loader of word lists, stored as `data/NAME.txt` beside the code of a package.

Each line is one word, or one alternative of a regular expression. A line `[SECTION]` begins a section; lines that
begin with `#` are comments. The order of sections and lines is preserved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from tools.errors import ToolFailed

_SECTION = re.compile(r"\[([\w -]+)\]")
REMEDY = "Install the package again."


@cache
def load_words(package: str, name: str) -> Mapping[str, tuple[str, ...]]:
    """Read a package's `data/NAME.txt`, by section; each file is read once.

    Raises:
        ToolFailed: if the file is missing, is not UTF-8, has words before its first section, or a section twice.
    """
    where = f"{package.replace('.', '/')}/data/{name}.txt"
    try:
        lines = files(package).joinpath("data", f"{name}.txt").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ToolFailed(f"cannot read the word list {where}: {error}.", remedy=REMEDY) from error
    sections: dict[str, list[str]] = {}
    words: list[str] | None = None
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        if header := _SECTION.fullmatch(line):
            if header[1] in sections:
                raise ToolFailed(f"cannot read {where}: line {number} repeats section {header[1]!r}.", remedy=REMEDY)
            words = sections[header[1]] = []
        elif words is None:
            raise ToolFailed(
                f"cannot read {where}: line {number}, {line!r}, comes before any section.",
                expected="[SECTION] first",
                remedy=REMEDY,
            )
        else:
            words.append(line)
    return MappingProxyType({section: tuple(words) for section, words in sections.items()})
