"""What a run typed, and whether the fields hold it still: a page may change a field as soon as it is left."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from tools.gui.grounding.label_match import normal
from tools.gui.types import Screen, Target

FIELDS = frozenset({"textbox", "searchbox", "combobox", "spinbutton", "entry", "text"})
"""Roles of what is typed into, as ARIA and AT-SPI name them."""
_HIDDEN = "•●*"
"""What stands for the letters of a password."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")


@dataclass
class Typed:
    """The fields of the page that is worked in, by their names, with what was typed into them."""

    page: str = ""
    texts: dict[str, str] = field(default_factory=dict)

    def note(self, screen: Screen, target: Target | None, text: str) -> None:
        """Remember what a field was given; one that several fields are called as is not told apart, and left out."""
        if _page(screen) != self.page:
            self.page, self.texts = _page(screen), {}
        if target is not None and target.layer == "tree" and target.label:
            self.texts[normal(target.label)] = text

    def problem(self, screen: Screen) -> str:
        """Which field holds something else by now; "" where none does, or none is there to be seen."""
        if _page(screen) != self.page:
            return ""
        for name, text in self.texts.items():
            held = [
                node.value
                for node in screen.nodes or ()
                if node.role in FIELDS and normal(node.name) == name and node.value.strip(_HIDDEN)
            ]
            if len(held) == 1 and not _same(held[0], text):
                return f"a field that was filled in holds something else by now, {len(held[0])} characters long"
        return ""


def _page(screen: Screen) -> str:
    return f"{screen.window} {screen.url.partition('#')[0]}"


def _same(held: str, text: str) -> bool:
    """Whether two texts are the same but for case, spaces, and how numbers are written: "5" and "5.00"."""
    one, other = (_NUMBER.sub(_plain, normal(said)).replace(" ", "") for said in (held, text))
    return one == other


def _plain(number: re.Match[str]) -> str:
    return format(Decimal(number[0].replace(",", ".")).normalize(), "f")
