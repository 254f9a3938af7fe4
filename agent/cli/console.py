"""Rich consoles, and escaping of untrusted text for the terminal."""

from __future__ import annotations

import re

from rich.console import Console
from rich.markup import escape

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def make_console(*, stderr: bool = False) -> Console:
    """Return a console that neither highlights numbers nor turns `:words:` into emoji."""
    return Console(stderr=stderr, highlight=False, emoji=False)


def plain(text: str) -> str:
    """Replace control characters in untrusted text, so that it cannot control the terminal."""
    return _CONTROL.sub("\ufffd", text)


def safe(text: str) -> str:
    """Escape untrusted text (from a model, picture, file name or server) for rich markup."""
    return escape(plain(text))
