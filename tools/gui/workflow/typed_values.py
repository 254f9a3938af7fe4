"""Check whether the fields still contain what a run typed: a page may change a field when it loses the focus."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from tools.gui.grounding.label_match import normal
from tools.gui.types import Screen, Target

FIELDS = frozenset({"textbox", "searchbox", "combobox", "spinbutton", "entry", "text"})
"""Roles of fields, in the terms of ARIA and AT-SPI."""
_HIDDEN = "•●*"
"""Characters that mask a password."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")


@dataclass
class Typed:
    """The fields of the current page, by their names, with the text typed into them."""

    page: str = ""
    texts: dict[str, str] = field(default_factory=dict)

    def note(self, screen: Screen, target: Target | None, text: str) -> None:
        """Store the text of a field; a name shared by several fields is ambiguous, and left out."""
        if _page(screen) != self.page:
            self.page, self.texts = _page(screen), {}
        if target is not None and target.layer == "tree" and target.label:
            self.texts[normal(target.label)] = text

    def problem(self, screen: Screen) -> str:
        """Describe a field that has changed since; "" if none has, or none is visible."""
        if _page(screen) != self.page:
            return ""
        for name, text in self.texts.items():
            held = [
                node.value
                for node in screen.nodes or ()
                if node.role in FIELDS and normal(node.name) == name and node.value.strip(_HIDDEN)
            ]
            if len(held) == 1 and not _same(held[0], text):
                return f"a filled-in field has changed since; it now has {len(held[0])} characters"
        return ""


def _page(screen: Screen) -> str:
    return f"{screen.window} {screen.url.partition('#')[0]}"


def _same(held: str, text: str) -> bool:
    """Return whether two texts are equal except for case, spaces, and the form of numbers: "5" and "5.00"."""
    one, other = (_NUMBER.sub(_plain, normal(one_text)).replace(" ", "") for one_text in (held, text))
    return one == other


def _plain(number: re.Match[str]) -> str:
    return format(Decimal(number[0].replace(",", ".")).normalize(), "f")
