"""Finding again what was recorded: by words and role, by place among what is alike, by pixels for icons. No model."""

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
"""How alike words have to be that were read in pixels; a tree's have to be the same. Our choice."""
SAME_PIXELS = 0.92
"""The least correlation of an icon with what is there (normalised, mean removed); our choice."""
SAME_PLACE = 0.5
"""The least overlap (IoU) with where it was; our choice."""
ALIKE = 0.85
"""Icons whose correlation reaches this share of the best one's are alike; our choice."""
ICON_PX = 96
"""An icon is no larger; words name what is. Our choice."""


def find_recorded(recorded: Recorded, screen: Screen, *, by_place: bool = True) -> Located:
    """Find a recorded target.

    Where several places fit, the one that stands where it was recorded is taken, if it is the only one that does;
    otherwise all are listed and a person has to choose. Without `by_place` they always are.

    Args:
        recorded: what to find.
        screen: as it is.

    Raises:
        ToolFailed: if words have to be read and RapidOCR is missing.
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
        return Located(abstained=f"{recorded.words or 'the icon'!r} is not where a screen was recorded with it.")
    if len(found) == 1:
        return Located(targets=tuple(found))
    return Located(
        targets=tuple(found), abstained=f"{len(found)} places are called {recorded.words!r}. Say which is meant."
    )


def record_target(screen: Screen, target: Target) -> Recorded | None:
    """What of a target is recorded, so that it is found again by itself.

    None for what has no words and is no icon, such as a field without a label: only what stands beside it tells.
    """
    small = max(target.rect.width, target.rect.height) <= ICON_PX
    if target.layer == "icon" and small:
        return record_pixels(screen, target.rect)
    words, role = _words_of(screen, target)
    if target.layer in UNSURE and not words:
        return record_pixels(screen, target.rect) if small else None
    return Recorded(words=words, role=role, place=_place(screen, target.rect)) if words else None


def record_pixels(screen: Screen, rect: Rect) -> Recorded:
    """What is recorded of a place that has no words."""
    return Recorded(place=_place(screen, rect), icon=_png(screen.crop(rect)))


def hidden_target(recorded: Recorded, hide: Callable[[str], str]) -> Recorded:
    """A recorded target with its words hidden, as by names in the place of values.

    What is named by a value stands somewhere else for the next one, so its place is left out then.
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
    """The words and the role that a target goes by; of what was not sure, only such as stand on the screen."""
    if target.layer in UNSURE:
        items = [*(labelled_fields(tree_items(screen.nodes)) if screen.nodes else ()), *items_of(screen)]
        chosen = [item for item in items if item.rect == target.rect and item.layer != "icon" and item.title]
        return (chosen[0].title, chosen[0].role) if chosen else ("", "")
    items = labelled_fields(tree_items(screen.nodes)) if screen.nodes and target.layer == "tree" else items_of(screen)
    same = [item for item in items if item.rect == target.rect and item.layer == target.layer]
    return (same[0].title, same[0].role) if same else (target.label, "")


def _named(recorded: Recorded, items: Sequence[Item], least: float) -> list[Target]:
    """Items in front that go by the recorded words; those of the recorded role where there are any."""
    fitting = [
        (item, max(likeness(" ".join(name.words), recorded.words) for name in item.names))
        for item in items
        if item.front and item.names
    ]
    named = [(item, alike) for item, alike in fitting if alike >= least]
    of_role = [(item, alike) for item, alike in named if item.role == recorded.role]
    # In pixels a button may be taken for a text and the other way round; in a tree it may not.
    if of_role or (recorded.role and least == 1.0):
        named = of_role
    targets = [
        Target(
            rect=item.rect,
            point=item.point or item.rect.center,
            label=item.title or recorded.words,  # as it stands there now
            confidence=min(alike, 1.0),
            layer=item.layer,
        )
        for item, alike in named
    ]
    # A button and the words on it are one place: what lies within another is left out.
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
    """Places whose pixels are like the recorded icon."""
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
