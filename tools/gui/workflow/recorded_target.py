"""Matching of recorded targets: by words and role, by position among similar ones, icons by pixels. Uses no model."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence

import numpy as np

from tools.gui.actuators.common import as_rgb
from tools.gui.grounding.field_labels import labelled_fields
from tools.gui.grounding.items import Item
from tools.gui.grounding.label_match import likeness
from tools.gui.grounding.locate import items_of
from tools.gui.grounding.tree import tree_items
from tools.gui.guard.policy import Region
from tools.gui.types import UNSURE, Layer, Located, Rect, Screen, Target
from tools.gui.workflow.yaml_format import Recorded

SAME_WORDS = 0.95
"""Minimum similarity of words read by OCR; a tree's have to be equal. Our choice."""
SAME_PIXELS = 0.92
"""Minimum normalised correlation of an icon with the screen, mean removed; our choice."""
SAME_PLACE = 0.5
"""Minimum overlap (IoU) with the recorded position."""
ALIKE = 0.85
"""Icons whose correlation reaches this share of the best one's count as similar."""
ICON_PX = 96
"""Maximum size of an icon; larger controls have words."""


def find_recorded(recorded: Recorded, screen: Screen, *, by_place: bool = True) -> Located:
    """Find a recorded target.

    If several places match, the only one at the recorded position is chosen; otherwise all are listed and a person
    has to choose. Without `by_place` all are always listed.

    Args:
        recorded: the recorded target.
        screen: the current screen.

    Raises:
        ToolFailed: if OCR is needed and RapidOCR is missing.
    """
    found: list[Target] = []
    if recorded.words:
        if screen.nodes:
            found = _named(recorded, labelled_fields(tree_items(screen.nodes)), 1.0)
        else:
            found = _named(recorded, items_of(screen), SAME_WORDS)
    if not found and recorded.icon:
        found = _pictured(recorded, screen)
    if len(found) > 1 and recorded.place and by_place:
        place = recorded.place.on(screen)
        there = [target for target in found if target.rect.iou(place) >= SAME_PLACE]
        found = there if len(there) == 1 else found
    if not found:
        return Located(abstained=f"{recorded.words or 'the icon'!r} is not at its recorded position.")
    if len(found) == 1:
        return Located(targets=tuple(found))
    return Located(
        targets=tuple(found), abstained=f"{len(found)} places are called {recorded.words!r}. Say which is meant."
    )


def record_target(screen: Screen, target: Target) -> Recorded | None:
    """Record what identifies a target by itself.

    None for a target without words or icon, such as a field without a label: only its neighbours identify it.
    """
    small = max(target.rect.width, target.rect.height) <= ICON_PX
    if target.layer == "icon" and small:
        return record_pixels(screen, target.rect)
    words, role = _words_of(screen, target)
    if target.layer in UNSURE and not words:
        return record_pixels(screen, target.rect) if small else None
    return Recorded(words=words, role=role, place=_place(screen, target.rect)) if words else None


def record_pixels(screen: Screen, rect: Rect) -> Recorded:
    """Record a place without words by its pixels."""
    return Recorded(place=_place(screen, rect), icon=_png(screen.crop(rect)))


def hidden_target(recorded: Recorded, hide: Callable[[str], str]) -> Recorded:
    """Hide the words of a recorded target, as by names in place of values.

    A target named by a value is elsewhere for the next value, so its position is removed then.
    """
    words = hide(recorded.words)
    return recorded if words == recorded.words else recorded.model_copy(update={"words": words, "place": None})


def _place(screen: Screen, rect: Rect) -> Region:
    height, width = screen.rgb.shape[:2]
    inside = rect.overlap(screen.rect)
    return Region(
        left=inside.left / width,
        top=inside.top / height,
        right=min(1.0, inside.right / width),
        bottom=min(1.0, inside.bottom / height),
    )


def _words_of(screen: Screen, target: Target) -> tuple[str, str]:
    """Return the words and the role of a target; for an uncertain one, only words on the screen."""
    if target.layer in UNSURE:
        items = [*(labelled_fields(tree_items(screen.nodes)) if screen.nodes else ()), *items_of(screen)]
        chosen = [item for item in items if item.rect == target.rect and item.layer != "icon" and item.title]
        return (chosen[0].title, chosen[0].role) if chosen else ("", "")
    items = labelled_fields(tree_items(screen.nodes)) if screen.nodes and target.layer == "tree" else items_of(screen)
    same = [item for item in items if item.rect == target.rect and item.layer == target.layer]
    return (same[0].title, same[0].role) if same else (target.label, "")


def _named(recorded: Recorded, items: Sequence[Item], least: float) -> list[Target]:
    """Return front items with the recorded words; those of the recorded role if there are any."""
    fitting = [
        (item, max(likeness(" ".join(name.words), recorded.words) for name in item.names))
        for item in items
        if item.front and item.names
    ]
    named = [(item, alike) for item, alike in fitting if alike >= least]
    of_role = [(item, alike) for item, alike in named if item.role == recorded.role]
    # OCR may take a button for text and vice versa; a tree does not.
    if of_role or (recorded.role and least == 1.0):
        named = of_role
    targets = [
        Target(
            rect=item.rect,
            point=item.point or item.rect.center,
            label=item.title or recorded.words,  # as it is now
            confidence=min(alike, 1.0),
            layer=item.layer,
        )
        for item, alike in named
    ]
    # A button and the words on it are one place: items within another are left out.
    return [
        target
        for target in targets
        if not any(
            other is not target
            and other.rect.overlap(target.rect).area >= 0.9 * target.rect.area
            and (other.rect.area, id(other)) > (target.rect.area, id(target))
            for other in targets
        )
    ]


def _pictured(recorded: Recorded, screen: Screen) -> list[Target]:
    """Return places whose pixels match the recorded icon."""
    import cv2

    icon = as_rgb(base64.b64decode(recorded.icon))
    height, width = icon.shape[:2]
    if height > screen.rgb.shape[0] or width > screen.rgb.shape[1] or int(icon.max()) == int(icon.min()):
        return []
    scores = cv2.matchTemplate(np.ascontiguousarray(screen.rgb), icon, cv2.TM_CCOEFF_NORMED)
    scores = np.nan_to_num(scores, nan=0.0, posinf=0.0, neginf=0.0)
    targets: list[Target] = []
    best = float(scores.max())
    while (score := float(scores.max())) >= max(SAME_PIXELS, ALIKE * best) and len(targets) < 8:
        top, left = (int(at) for at in np.unravel_index(int(scores.argmax()), scores.shape))
        rect = Rect(left=left, top=top, right=left + width, bottom=top + height)
        layer: Layer = "icon"
        targets.append(Target(rect=rect, point=rect.center, label="icon", confidence=min(score, 1.0), layer=layer))
        scores[max(0, top - height // 2) : top + height // 2 + 1, max(0, left - width // 2) : left + width // 2 + 1] = 0
    return targets


def _png(rgb: np.ndarray) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()
