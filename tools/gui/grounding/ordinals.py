"""Which one of several controls an ordinal names, and which of them mean the same place."""

from __future__ import annotations

from collections.abc import Sequence

from tools.gui.grounding.geometry import contains
from tools.gui.grounding.items import Choice, in_reading_order, number, numbered_by_pitch
from tools.gui.grounding.kind_match import ALONE
from tools.gui.grounding.parse import CONTAINERS, Wanted

SAME = 0.9
"""Items whose scores reach this share of the best one's are counted for "the second one"; our choice."""
_PARTS = frozenset({"section", "heading", "dialog", "window", "text"})


def pick_numbered(wanted: Wanted, scored: list[Choice]) -> list[Choice]:
    """The one that an ordinal names, of those that fit about as well as the best."""
    if not wanted.kind:
        # What only names a part of the screen is none of several things.
        scored = [choice for choice in scored if choice.item.layer != "tree" or choice.item.role not in _PARTS]
    if not scored:
        return []
    least = SAME * scored[0].score
    same = distinct([choice for choice in scored if choice.score >= least])
    if any(choice.item.role != "text" for choice in same):
        # "The third button for Okafor" counts no words that stand there, too.
        same = [choice for choice in same if choice.item.role != "text" or choice.item.layer != "tree"]
    if not wanted.words and wanted.anchor:
        # Cells stand in a line with their row.
        rows = [choice for choice in same if choice.item.role == wanted.kind == "row"]
        if not rows and (wanted.kind not in ("radio", "checkbox") or wanted.relation != "below" or len(same) == 1):
            same = _in_line(_in_order(same)[0], distinct(scored))
        same = rows or same
    elif not wanted.words:
        if wanted.kind in ALONE:
            same = [choice for choice in same if choice.item.role == wanted.kind] or same
        line = _in_line(_in_order(same)[0], same)
        column = _largest_column(same)
        # Tabs stand in a line, rows in a column.
        same = line if wanted.region or len(column) < len(line) < len(same) or len(column) == 1 else column
    by_item = {id(choice.item): choice for choice in same}
    items = [choice.item for choice in same]
    by_pitch = wanted.kind == "icon" and not wanted.words
    meant = numbered_by_pitch(items, wanted.ordinal) if by_pitch else number(items, wanted.ordinal)
    return [by_item[id(meant)]] if meant else []


def _in_line(first: Choice, choices: list[Choice]) -> list[Choice]:
    """Those on one line with the first, or where it is alone there, all: "the third icon below View"."""
    rect = first.item.rect
    line = [
        choice
        for choice in choices
        if choice.item.role == first.item.role
        and abs(choice.item.rect.center.y_px - rect.center.y_px) < 0.5 * max(rect.height, choice.item.rect.height)
    ]
    return line if len(line) > 1 else choices


def _largest_column(choices: list[Choice]) -> list[Choice]:
    """Those of the list or table that takes up most room, where several are on the screen."""
    groups: list[list[Choice]] = []
    for choice in choices:
        rect = choice.item.rect
        for group in groups:
            first = group[0].item.rect
            if abs(first.left - rect.left) < 8 and abs(first.right - rect.right) < 8:
                group.append(choice)
                break
        else:
            groups.append([choice])
    return max(groups, key=lambda group: sum(choice.item.rect.area for choice in group), default=[])


def distinct(scored: list[Choice]) -> list[Choice]:
    """Without those that mean a place which a better one means: the same control, or words in it."""
    kept: list[Choice] = []
    for choice in scored:
        rect = choice.item.rect
        if not any(
            rect.iou(other.item.rect) > 0.5
            or (contains(other.item.rect, rect) and other.item.role not in CONTAINERS)
            or (contains(rect, other.item.rect) and other.item.rect.area > 0)
            for other in kept
        ):
            kept.append(choice)
    return kept


def _in_order(choices: Sequence[Choice]) -> list[Choice]:
    """In reading order."""
    by_item = {id(choice.item): choice for choice in choices}
    return [by_item[id(item)] for item in in_reading_order([choice.item for choice in choices])]
