"""From an instruction and a screen to a place on it, or to the reason why there is none.

Layers answer in turn: the accessibility tree, words and icons in the pixels, and a model that is asked only where
these are unsure. Nothing is guessed: below a least score the answer is that nothing was found, and where two places
fit alike both are named.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from tools.gui.grounding.choose import LEAST, TIE, Choice, choose
from tools.gui.grounding.instruction import Wanted, read_instruction
from tools.gui.grounding.items import Item
from tools.gui.grounding.pixels import pixel_items
from tools.gui.grounding.reading import read_lines
from tools.gui.grounding.tree import labelled_fields, tree_items
from tools.gui.grounding.zoom import zoom_in
from tools.gui.types import Layer, Located, Screen, Target

Ask = Callable[[np.ndarray, str], tuple[float, float] | None]
"""Asks a model for a point: an image (height, width, 3), uint8, and a question; pixels of that image or None."""
LAYERS: frozenset[Layer] = frozenset({"tree", "words", "icon", "model"})
PIXELS: frozenset[Layer] = LAYERS - {"tree"}
"""All that need no accessibility tree."""
KEPT_SCREENS = 16
"""Screens whose pixels need not be read again; our choice."""
MOST_TARGETS = 8
"""Candidates that an answer lists at most; our choice."""

_lock = threading.Lock()
_seen: OrderedDict[str, list[Item]] = OrderedDict()


def locate(instruction: str, screen: Screen, *, layers: frozenset[Layer] = LAYERS, ask: Ask | None = None) -> Located:
    """Find what an instruction means.

    Args:
        instruction: such as `click the "Delete" button next to Doe^Archibald`.
        screen: the screenshot, with its accessibility tree where there is one.
        layers: what may answer; `PIXELS` leaves the accessibility tree out.
        ask: a model, asked where the other layers find nothing or cannot decide.

    Returns:
        Targets, best first, in image pixels. `abstained` says why there is none, or that a person has to choose.

    Raises:
        ToolRetry: if the instruction names nothing to look for.
        ToolFailed: if words have to be read and RapidOCR is not installed.
    """
    ways = read_instruction(instruction)
    answer = Located()
    if screen.nodes and "tree" in layers:
        answer = _answer(ways, labelled_fields(tree_items(screen.nodes)), screen)
        if answer.targets:
            return answer if not answer.abstained else _asked(instruction, screen, answer, ask)
    ask = ask if "model" in layers else None
    if not layers & {"words", "icon"}:
        return _asked(instruction, screen, answer, ask)
    read = _answer(ways, [item for item in items_of(screen) if item.layer in layers], screen)
    if read.targets and not read.abstained:
        return read
    return _asked(instruction, screen, read if read.targets or not answer.abstained else answer, ask)


def items_of(screen: Screen) -> list[Item]:
    """What the pixels of a screen hold; remembered for the last screens.

    Raises:
        ToolFailed: if RapidOCR is not installed.
    """
    with _lock:
        if screen.sha256 in _seen:
            _seen.move_to_end(screen.sha256)
            return _seen[screen.sha256]
    items = pixel_items(screen.rgb, read_lines(screen.rgb))
    with _lock:
        _seen[screen.sha256] = items
        while len(_seen) > KEPT_SCREENS:
            _seen.popitem(last=False)
    return items


def _answer(ways: Sequence[Wanted], items: Sequence[Item], screen: Screen) -> Located:
    """What the best way to understand an instruction finds among some items."""
    best: list[Choice] = []
    for way in ways:
        found = choose(way, items, screen.rect)
        # A later way has to be clearly better: the first ones say more.
        if found and (not best or found[0].score > best[0].score + 0.03):
            best = found
    if not best or best[0].score < LEAST:
        nearest = f" Nearest is {best[0].label!r}." if best else ""
        return Located(abstained=f"Nothing on the screen fits {ways[0]}.{nearest}")
    alike = [choice for choice in best if choice.score >= TIE * best[0].score]
    targets = tuple(
        _target(choice) for choice in (alike if len(alike) > 1 else best)[:MOST_TARGETS] if choice.score >= LEAST
    )
    if len(alike) == 1:
        return Located(targets=targets)
    places = "; ".join(
        f"{choice.label!r} at ({choice.point.x_px:.0f}, {choice.point.y_px:.0f})" for choice in alike[:MOST_TARGETS]
    )
    return Located(targets=targets, abstained=f"{len(alike)} places fit {ways[0]} alike: {places}. Say which is meant.")


def _target(choice: Choice) -> Target:
    item = choice.item
    return Target(
        rect=item.rect, point=choice.point, label=choice.label, confidence=min(choice.score, 1.0), layer=item.layer
    )


def _asked(instruction: str, screen: Screen, unsure: Located, ask: Ask | None) -> Located:
    """Let a model decide where the other layers could not; their answer stays if it does not know either."""
    if ask is None:
        return unsure
    point = zoom_in(screen.rgb, instruction, ask)
    if point is None:
        return unsure
    meant = next((target for target in unsure.targets if target.rect.holds(point)), None)
    if meant:
        return Located(targets=(meant, *(target for target in unsure.targets if target is not meant)))
    if unsure.targets:
        return unsure
    side = 12.0
    rect = {
        "left": point.x_px - side,
        "top": point.y_px - side,
        "right": point.x_px + side,
        "bottom": point.y_px + side,
    }
    target = Target.model_validate(
        {"rect": rect, "point": point, "label": instruction, "confidence": 0.5, "layer": "model"}
    )
    return Located(targets=(target,))
