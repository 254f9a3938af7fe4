"""Labels at the point of an action, by tree and by pixels, and the question that an "OK" agrees to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tools.gui.guard.effect_words import affirms
from tools.gui.keys import MODIFIERS, agrees, key_set
from tools.gui.types import UNSURE, Action, Click, Node, Point, PressKey, Rect, Screen, Target, points_of

NEAR_X_PX, NEAR_Y_PX = 24.0, 10.0
"""Distance around a point within which words count as its label, if no tree gives a control's bounds."""
AROUND_X_PX, AROUND_Y_PX = 320.0, 160.0
"""Distance around a point within which the question of an "OK" is sought, if no tree shows a dialog."""

DIALOGS = frozenset({"dialog", "alertdialog"})
FIELDS = frozenset({"combobox", "searchbox", "spinbutton", "textbox"})
"""Controls that accept text."""
_TOGGLED = frozenset({"checkbox", "radio", "switch"})
_PRESSED = frozenset("button link listitem menuitem menuitemcheckbox menuitemradio option tab treeitem".split())
CONTROLS = FIELDS | _TOGGLED | _PRESSED | {"slider"}


@dataclass(frozen=True)
class Line:
    """Words read in the pixels, and their place in image pixels."""

    text: str
    rect: Rect


@dataclass(frozen=True)
class Question:
    """A question that an action may agree to.

    Attributes:
        rect: place of its words.
        sure: whether the action does agree to it, so that its words count like a label's; keys may also press something
            else in a dialog.
    """

    rect: Rect
    sure: bool = True


def read_lines(rgb: np.ndarray) -> list[Line]:
    """Return the lines of text in a part of a screen, in its own pixels, by OCR. Raises ToolFailed."""
    from tools.ocr import read_words

    height, width = rgb.shape[:2]
    words = read_words(rgb, max_side_px=max(height, width), min_side_px=min(height, 480))
    return [
        Line(
            word.text,
            Rect(
                left=word.box.left * width,
                top=word.box.top * height,
                right=word.box.right * width,
                bottom=word.box.bottom * height,
            ),
        )
        for word in words
    ]


def around(point: Point, x_px: float = AROUND_X_PX, y_px: float = AROUND_Y_PX) -> Rect:
    """Return the part of a screen around a point; may reach beyond its edges."""
    return Rect(left=point.x_px - x_px, top=point.y_px - y_px, right=point.x_px + x_px, bottom=point.y_px + y_px)


def labels_at(
    screen: Screen, point: Point, target: Target | None = None, lines: Sequence[Line] = ()
) -> tuple[list[str], list[str]]:
    """Return the labels at a point by the tree and by the pixels, the smallest first; each may be empty."""
    holding = [node for node in screen.nodes or () if node.rect.holds(point)]
    holding.sort(key=lambda node: node.rect.area)
    control = next((node for node in holding if node.role in CONTROLS), None)
    # The words of a control are often nodes of their own within it.
    inner = [node for node in holding if control is None or node.rect.area <= control.rect.area]
    tree = [node.name for node in inner if node.name.strip() and node.role not in DIALOGS][:4]
    bounds = control.rect if control else around(point, NEAR_X_PX, NEAR_Y_PX)
    if target and target.rect.holds(point) and target.rect.area < bounds.area:
        bounds = target.rect
    pixels = [line.text for line in lines if line.rect.holds(point)]
    pixels += [line.text for line in lines if not line.rect.holds(point) and line.rect.overlap(bounds).area]
    return tree, pixels


def focused(screen: Screen) -> Node | None:
    """Return the focused node by the tree; the smallest that is marked."""
    marked = [node for node in screen.nodes or () if "focused" in node.states]
    return min(marked, key=lambda node: node.rect.area, default=None)


def pressed_by(keys: frozenset[str], screen: Screen) -> Node | None:
    """Return the focused control that Enter or space press; None for all other keys, or if the focus is unknown.

    Args:
        keys: as returned by `tools.gui.keys.key_set`.
        screen: with its tree.
    """
    control = focused(screen)
    if control is None:
        return None
    roles = _PRESSED | _TOGGLED if "space" in keys else _PRESSED if "enter" in keys else frozenset[str]()
    return control if control.role in roles else None


def unclear(keys: frozenset[str], screen: Screen) -> str:
    """Return why it is unknown what keys would press; "" if it is known, and for keys that press nothing.

    Args:
        keys: as returned by `tools.gui.keys.key_set`.
        screen: with its tree.
    """
    if not agrees(keys):
        return ""
    control = focused(screen)
    if control is None or control.role not in CONTROLS:
        return "the focused control is unknown"
    if len(keys - set(MODIFIERS)) > 1:
        return "one of several keys pressed together may move the focus before another one presses"
    default = "enter" in keys and _dialog_at(screen, control.rect.center) is not None
    if pressed_by(keys, screen) or (control.role in FIELDS and "alt" not in keys and not default):
        return ""
    return "they may press a button without the focus"


def questions(
    screen: Screen, action: Action, target: Target | None = None, lines: Sequence[Line] = ()
) -> list[Question]:
    """Return what an action agrees to if its own label does not name it.

    A click on an "OK", and Enter on a focused one, agree to what their dialog says or, if the tree shows none, to the
    words around them; so may a click on a target that only a model names. Other confirming keys may press the default
    button of their dialog, or one with an underlined letter; if the focus is unknown, those of every dialog.
    """
    if not isinstance(action, PressKey):
        asked = [one for point in points_of(action) for one in _asked_at(screen, point, target, lines)]
        if isinstance(action, Click) and not asked and (target is None or target.layer in UNSURE):
            tree, pixels = labels_at(screen, action.point, target, lines)
            return [] if tree or pixels else [replace(_question_at(screen, action.point), sure=False)]
        return asked
    keys = key_set(action.keys)
    if not agrees(keys):
        return []
    control, says_yes = focused(screen), any(map(affirms, keys))
    if control is None or control.role not in CONTROLS:
        sure = says_yes or bool(keys & {"enter", "space"})
        return [Question(node.rect, sure) for node in screen.nodes or () if node.role in DIALOGS]
    if pressed_by(keys, screen):
        return _asked_at(screen, control.rect.center, None, lines)
    if control.role in FIELDS and not keys & {"enter", "alt"}:
        return []  # They are typed.
    dialog = _dialog_at(screen, control.rect.center)
    return [Question(dialog.rect, says_yes)] if dialog else []


def words_of(question: Question, screen: Screen, lines: Sequence[Line] = ()) -> list[str]:
    """Return the words of a question, without those of its buttons as far as the tree shows them."""
    told = [node for node in screen.nodes or () if node.rect.overlap(question.rect).area and node.role not in CONTROLS]
    if any(node.rect == question.rect and node.role in DIALOGS for node in told):
        told = [node for node in told if node.rect.area <= question.rect.area]
    return [node.name for node in told] + [line.text for line in lines if line.rect.overlap(question.rect).area]


def _asked_at(screen: Screen, point: Point, target: Target | None, lines: Sequence[Line]) -> list[Question]:
    tree, pixels = labels_at(screen, point, target, lines)
    if not any(map(affirms, (*tree[:1], *pixels[:1], target.label if target else ""))):
        return []
    return [_question_at(screen, point)]


def _question_at(screen: Screen, point: Point) -> Question:
    dialog = _dialog_at(screen, point)
    return Question(dialog.rect if dialog else around(point))


def _dialog_at(screen: Screen, point: Point) -> Node | None:
    dialogs = [node for node in screen.nodes or () if node.role in DIALOGS and node.rect.holds(point)]
    return min(dialogs, key=lambda node: node.rect.area, default=None)
