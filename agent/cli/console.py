"""The terminal: one way to make a console, and to show text that came from elsewhere."""

from __future__ import annotations

import re

from rich.console import Console
from rich.markup import escape

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def make_console(*, stderr: bool = False) -> Console:
    """Return a console that prints what it is given: no colours for numbers, no emoji for `:words:`."""
    return Console(stderr=stderr, highlight=False, emoji=False)


def plain(text: str) -> str:
    """Make the control characters of a foreign text visible, so that it cannot steer the terminal."""
    return _CONTROL.sub("\ufffd", text)


def safe(text: str) -> str:
    """Make a foreign text (of a model, a picture, a file name, a server) fit to stand in rich markup."""
    return escape(plain(text))
