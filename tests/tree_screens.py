"""Small screens that are told by their accessibility tree alone, and what is found on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tools.gui.grounding import LAYERS, locate
from tools.gui.types import Node, Rect, Screen

TREE = LAYERS - {"words", "icon"}
SIZE_PX = (1280, 800)


def node(role: str, name: str, left: float, top: float, width: float = 90, *, depth: int = 0, value: str = "") -> Node:
    """A control as high as a line."""
    rect = Rect(left=left, top=top, right=left + width, bottom=top + 26)
    return Node(role=role, name=name, rect=rect, depth=depth, value=value)


def box(role: str, name: str, left: float, top: float, right: float, bottom: float, *, depth: int = 0) -> Node:
    return Node(role=role, name=name, rect=Rect(left=left, top=top, right=right, bottom=bottom), depth=depth)


def white(nodes: Sequence[Node]) -> Screen:
    """A screen whose pixels show nothing."""
    return Screen(rgb=np.full((SIZE_PX[1], SIZE_PX[0], 3), 255, np.uint8), nodes=tuple(nodes))


def place(said: str, nodes: Sequence[Node]) -> Rect | None:
    """Where what is said is found; None where nothing is, or a person has to choose."""
    found = locate(said, white(nodes), layers=TREE)
    return None if found.abstained or not found.targets else found.targets[0].rect
