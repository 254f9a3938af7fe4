"""Where controls stand on a screen: their rows, what they stand to, and which of several they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from tools.gui.grounding.geometry import contains, corner_distance, region_factor, relation_factor, union
from tools.gui.grounding.items import Item, Name, entries_of_menu, in_reading_order, number, numbered_by_pitch
from tools.gui.grounding.kind_match import ALONE, FITS
from tools.gui.grounding.parse import NAMED
from tools.gui.grounding.parse_terms import Said
from tools.gui.grounding.terms import Hint, as_written, hints, written
from tools.gui.types import Rect, Screen

_FLAGS = re.IGNORECASE
BESIDE_PX = 260.0
"""How far apart what belongs together on a line may stand; our choice."""
MOSTLY = 0.5
"""The share of a name of a part of the screen that has to be said for it to be meant; our choice."""
_FREE = 0.5
"""What words are worth that name a part of the screen which is not found; our choice."""
LINE_PX, BEHIND = 8.0, 0.5
"""How far what stands on one line may be off it, and how well what is behind another one stands; our choice."""
HOLDS = 0.9
"""How surely what a frame in pixels holds is what a field is called; our choice."""
CORNER = 0.8
"""How far within its part of a window something is that is told by this alone; our choice."""
_SMALL = re.compile(r"\b(?:little|small|tiny|round)\b", _FLAGS)
"""What looks so has no words on it."""
_LISTED = frozenset({"link", "button", "menuitem", "tab"})
_OF_MENU = re.compile(r"\b(?:of|in|from) (?:the )?((?:[\w-]+ ){0,2}[\w-]+) (?:sub-?)?menu\b", _FLAGS)
"""The menu whose entries are counted."""
_SHOWN = re.compile(r"\s*the\s+(?:images?|pictures?)\s*")
"""What a program shows, and not a control of that name."""
_A_FIELD = re.compile(r"\b(?:one|box|field|input|feld)\b", _FLAGS)
_LIST = re.compile(r"\b(?:list|table|rows|liste|tabelle)\b", _FLAGS)
_WHOLE = re.compile(r"\b(?:list|table|form|liste|tabelle|formular)\s*$", _FLAGS)
_LEVEL = frozenset({"beside", "left_of", "right_of", "between"})
_ARTICLES = frozenset("the a an der die das den dem".split())
_PARTS = frozenset({"section", "dialog", "window", "document", "bar"})
"""Roles of what other controls stand in."""
_PART_WORDS = re.compile(r"\b(?:dialog(?:ue)?|window|fenster)\b", _FLAGS)
"""What many parts are called, which need not be said of them."""
Anchor = tuple[str, list[Rect], frozenset[str]]
"""How something stands, to which places, and the words that name a field beside them."""


def keys_of(item: Item, labelled: bool = True) -> dict[str, float]:
    """Words and meanings of a control's names, with how surely each is its own."""
    keys: dict[str, float] = {}
    for name, weight in weighed_names(item, labelled):
        for key in _keys_of_words(name.words):
            keys[key] = max(keys.get(key, 0.0), weight)
    if item.layer == "icon" and "close" in keys:
        keys.pop("cancel", None)
    return keys


def weighed_names(item: Item, labelled: bool) -> list[tuple[Name, float]]:
    """A control's names with their weights: what stands beside a frame that holds words may label another one."""
    if item.layer == "icon":
        # What a shape is only a little like tells less than its likeness says.
        return [(name, name.weight**2) for name in item.names]
    full = item.layer == "words" and any(not name.label for name in item.names)
    beside = 1.0 if labelled else 0.6 if full else 0.85
    held = HOLDS if labelled and item.layer == "words" and item.role == "field" else 1.0
    return [(name, name.weight * (beside if name.label else held)) for name in item.names]


def rows_of(found: Sequence[Item], items: Sequence[Item]) -> list[frozenset[str]]:
    """For each control, the words and meanings of what stands in its row, or on its line where there are no rows."""
    rows = sorted((item for item in items if item.role == "row"), key=lambda item: item.rect.area)
    texts = [item for item in items if item.role in ("text", "heading", "dropdown", "field") and item.names]
    lines = np.array([(text.rect.center.y_px, text.rect.left, text.rect.right) for text in texts]).reshape(-1, 3)
    front = np.array([text.front for text in texts], bool)
    told = []
    for item in found:
        within = (row for row in rows if row is not item and row.front == item.front and _is_in_row(item, row.rect))
        row = next(within, None)
        if row is not None:
            told.append(frozenset().union(*(_keys_of_words(name.words) for name in row.names)))
            continue
        near = abs(lines[:, 0] - item.rect.center.y_px) < 0.6 * min(max(item.rect.height, 14), 60)
        near &= front == item.front
        gap = np.maximum(lines[:, 1] - item.rect.right, item.rect.left - lines[:, 2])
        beside = np.flatnonzero(near & (gap >= -4) & (gap < BESIDE_PX))
        told.append(frozenset().union(*(_keys_of_words(texts[at].names[0].words) for at in beside)))
    return told


def _is_in_row(item: Item, row: Rect) -> bool:
    """Whether something stands in a row; in pixels, where rows end at their last words, it may reach out of it."""
    if contains(row, item.rect, 4.0):
        return True
    begins = row.left - 4 <= item.rect.left < row.right and row.top < item.rect.center.y_px < row.bottom
    return begins and item.layer != "tree" and item.role != "row" and item.rect.height < row.height


@lru_cache(maxsize=8192)
def _keys_of_words(words: tuple[str, ...]) -> frozenset[str]:
    text = " ".join(words)
    return frozenset(hint.key for hint in hints(text, False)) | set(map(as_written, written(text)))


def resolved(said: Said, items: Sequence[Item]) -> tuple[list[Anchor], list[Hint], frozenset[str]]:
    """Where what something stands to is; what is nowhere counts as words, and the last tells whether there is such."""
    anchors: list[Anchor] = []
    words = list(said.words)
    adrift: set[str] = set()
    for relation, wanted, kinds, text in said.anchors:
        if _SHOWN.fullmatch(text) and not any(item.role == "image" for item in items):
            # What is shown is no control, and cannot be told in pixels.
            adrift.add(relation)
            continue
        parts = [item for item in items if item.role in _PARTS]
        others = [item for item in items if item.role not in _PARTS]
        stands, rects = relation, _called(text, others) if relation != "in" else []
        rects = rects or _best(wanted, kinds, parts if relation == "in" else others)
        if relation == "in" and not rects and sum(hint.weight for hint in wanted) < 1:
            # "In the patient table" names no part that has a name.
            adrift.add(relation)
            continue
        if relation == "in" and not rects:
            # A part of the screen without bounds of its own is known by its heading.
            headings = [item for item in others if item.role in ("heading", "text")]
            stands, rects = "under", _best(wanted, kinds, headings, whole=True)
        called = rects
        if relation != "in" and _WHOLE.search(text):
            called = _best(wanted, kinds, parts)
            rects = [*called, *_whole(text, items)]
        if not rects and _LIST.search(text):
            rects = _whole(text, items)
        elif not rects and kinds & {"field", "dropdown"}:
            rects = [item.rect for item in items if item.role in ("field", "dropdown") and item.front]
        if rects:
            if not called and any(hint.weight >= 1 and not _WHOLE.search(hint.word) for hint in wanted):
                # "Below the transfusion form", where only a form is known.
                adrift.add(relation)
            names = relation != "in" and not _A_FIELD.search(text)
            keys = frozenset(hint.key for hint in wanted if names and not hint.literal)
            anchors.append((stands, rects[:12], keys))
        else:
            # What a part of the screen is called may be told freely.
            told = [replace(hint, name=False, weight=_FREE * hint.weight) for hint in wanted]
            known = {word.key for word in words}
            words += [hint for hint in (told if relation == "in" else wanted) if hint.key not in known]
            adrift.add(relation)
    # In pixels, tabs and headings are words like others.
    named = [item for item in items if item.layer != "tree" or item.role in _PARTS | {"tab", "column", "heading"}]
    if any(not _best(hints(place, True), frozenset(), named, whole=True) for place in said.places):
        adrift.add("in")
    return anchors, words, frozenset(adrift)


def _called(text: str, items: Sequence[Item]) -> list[Rect]:
    """Where what has the very name is that is said: "Rotate left", and not "Rotate right"."""
    words = [word for word in re.findall(r"[^\W_]+", text.casefold()) if word not in _ARTICLES]
    if not words:
        return []
    names = [(item, re.findall(r"[^\W_]+", " ".join(name.words).casefold())) for item in items for name in item.names]
    return [item.rect for item, name in names if name == words and item.front]


def _best(wanted: Sequence[Hint], kinds: frozenset[str], items: Sequence[Item], *, whole: bool = False) -> list[Rect]:
    """Where what an instruction calls so is: the best, and others that are nearly as good.

    Args:
        wanted: its words and meanings.
        kinds: what it is.
        items: what it may be.
        whole: whether all words have to be there, and most of those of a name said, as for parts of the screen.
    """
    scored = []
    total = sum(hint.weight for hint in wanted)
    for item in items if total else ():
        keys = keys_of(item)
        share = (
            sum(hint.weight * keys.get(hint.key, keys.get(as_written(hint.literal), 0.0)) for hint in wanted) / total
        )
        if share < 0.7:
            continue
        fits = max((FITS[kind].get(item.role, 0.4) for kind in kinds if kind not in ("row",)), default=1.0)
        brief = max(
            sum(h.weight for h in own if h.key in {w.key for w in wanted}) / max(1e-6, sum(h.weight for h in own))
            for own in (hints(_PART_WORDS.sub("", " ".join(name.words)), False) for name in item.names)
        )
        if (whole or item.role in _PARTS) and (brief < MOSTLY or any(hint.key not in keys for hint in wanted)):
            continue
        scored.append((share * (0.6 + 0.4 * brief) * (0.7 + 0.3 * fits) * (1.0 if item.front else 0.6), item))
    best = max((score for score, _ in scored), default=0.0)
    return [item.rect for score, item in scored if score >= 0.9 * best]


def _whole(text: str, items: Sequence[Item]) -> list[Rect]:
    """A table, list or form without a name: all its rows, or all fields."""
    kinds = ("row",) if _LIST.search(text) else ("field", "dropdown", "checkbox", "radio")
    rects = [item.rect for item in items if item.role in kinds and item.front]
    return [union(*rects)] if rects else []


def relations(anchors: Sequence[Anchor], item: Item, own: dict[str, float]) -> float:
    """How well a control stands to everything that it is said to stand to, 0 to 1."""
    factors = []
    between = [rects for relation, rects, _ in anchors if relation == "between"]
    if len(between) == 2:
        factors.append(max(_between(item.rect, one, other) for one in between[0] for other in between[1]))
    for relation, rects, keys in anchors:
        if relation == "between":
            continue
        sideways = relation in ("left_of", "right_of")
        if (
            item.role in NAMED
            and relation not in ("above", "below")
            and keys
            and keys <= own.keys()
            and (not sideways or any(relation_factor(relation, item.rect, rect) > 0 for rect in rects))
        ):
            # A field beside what labels it.
            factors.append(1.0)
            continue
        factors.append(
            max(
                0.0
                if item.rect == rect or item.rect.iou(rect) > 0.6 or contains(item.rect, rect)
                else relation_factor(relation, item.rect, rect)
                for rect in rects
            )
        )
    return sum(factors) / len(factors) if factors else 0.3


def nearest(anchors: Sequence[Anchor], found: Sequence[Item], factors: Sequence[float]) -> list[float]:
    """How well each stands to what it is said to, where those behind another one of their kind and line count less.

    "The entry below Radians" is the next one.
    """
    if len(anchors) != 1 or anchors[0][0] not in ("above", "below", "left_of", "right_of"):
        return list(factors)
    upright = anchors[0][0] in ("above", "below")
    lines = np.array([item.rect.left if upright else item.rect.center.y_px for item in found])
    roles, fits = np.array([item.role for item in found]), np.asarray(factors)
    behind = [np.any((roles == role) & (abs(lines - line) < LINE_PX) & (fits > factor))
              for role, line, factor in zip(roles, lines, fits, strict=True)]  # fmt: skip
    return [BEHIND * factor if later else factor for factor, later in zip(factors, behind, strict=True)]


def _between(rect: Rect, one: Rect, other: Rect) -> float:
    across = sorted((one.center.x_px, other.center.x_px))
    down = sorted((one.center.y_px, other.center.y_px))
    level = abs(one.center.y_px - other.center.y_px) < 12
    if level:
        return float(across[0] < rect.center.x_px < across[1] and abs(rect.center.y_px - down[0]) < 14)
    return float(down[0] < rect.center.y_px < down[1] and abs(rect.center.x_px - across[0]) < max(rect.width, 40))


def counted(
    said: Said, found: Sequence[Item], anchors: Sequence[Anchor], screen: Screen, items: Sequence[Item]
) -> dict[int, float]:
    """Which controls have the number that is said: 1 for these, -0.5 for others of the kind."""
    if not said.ordinal:
        return {}
    menu = _OF_MENU.search(said.text)
    entries = entries_of_menu(items, menu[1] if menu else "")
    if menu and not entries and any(item.role == "menu" and item.title.casefold() == menu[1] for item in items):
        # What that menu holds is not to be seen.
        return {}
    if entries and said.counted in ("entry", "menuitem", "menu"):
        line = number([item for item in found if any(item is entry for entry in entries)], said.ordinal)
        return {} if line is None else {at: 1.0 if item is line else -0.5 for at, item in enumerate(found)}
    if said.counted in ("row", "entry"):
        return _counted_rows(said, found, screen, items)
    fits = FITS[said.counted]
    # Kinds that pixels do not tell apart, such as tabs, cannot be counted there.
    group = [item for item in found if item.front and (item.role == said.counted or said.counted not in ALONE)]
    group = [item for item in group if fits.get(item.role, 0.4) >= 0.93]
    if said.regions:
        group = [item for item in group if region_factor(said.regions, item.rect, screen.rect) > 0.4]
    if anchors and not said.apart and not all(relation in _LEVEL for relation, *_ in anchors):
        # "The second menu, next to File" is counted with File.
        group = [item for item in group if relations(anchors, item, {}) > 0.3]
        group = _first_line(group)
    distinct: list[Item] = []
    for item in group:
        if not any(same_place(item.rect, other.rect) for other in distinct):
            distinct.append(item)
    meant = (numbered_by_pitch if said.counted == "icon" else number)(distinct, said.ordinal)
    if meant is None:
        return {}
    return {at: 1.0 if same_place(item.rect, meant.rect) else -0.5 for at, item in enumerate(found)}


def _counted_rows(said: Said, found: Sequence[Item], screen: Screen, items: Sequence[Item]) -> dict[int, float]:
    """The same for rows and entries of lists."""
    if said.counted == "entry" and said.regions and all(item.layer == "tree" for item in found):
        # Of what stands one below the other at a side of the screen, such as in a menu of a page.
        line = number(_column(found, said, screen), said.ordinal)
        if line is not None:
            return {at: 1.0 if item is line else -0.5 for at, item in enumerate(found)}
    rows = [item for item in items if item.role == "row" and item.front]
    # Boxes one above the other within rows, such as their buttons, look like rows, too.
    whole = [row for row in rows if not any(_is_within(row.rect, other.rect) for other in rows)]
    line = number(_of_one_table(whole) or _choices(found), said.ordinal)
    if line is None:
        return {}
    return {at: 1.0 if contains(line.rect, item.rect, 6.0) else -0.5 for at, item in enumerate(found)}


def _of_one_table(rows: Sequence[Item]) -> list[Item]:
    """The rows as they are in a tree; in pixels, where a line of words may look like one, the most of one width."""
    if all(row.layer == "tree" for row in rows):
        return list(rows)
    sides = np.array([(row.rect.left, row.rect.right) for row in rows])
    alike = [np.flatnonzero((abs(sides - side) < LINE_PX).all(axis=1)) for side in sides]
    return [rows[int(at)] for at in max(alike, key=len)]


def _choices(found: Sequence[Item]) -> list[Item]:
    """What one is chosen from where there is no list: radio buttons, or else check boxes."""
    radios = [item for item in found if item.role == "radio" and item.front]
    return radios or [item for item in found if item.role == "checkbox" and item.front]


def _column(found: Sequence[Item], said: Said, screen: Screen) -> list[Item]:
    """The most controls that stand one below the other in a part of the screen."""
    columns: dict[tuple[str, int, int], list[Item]] = {}
    for item in found:
        if item.role in _LISTED and item.front and region_factor(said.regions, item.rect, screen.rect) > 0.4:
            columns.setdefault((item.role, round(item.rect.left / 8), round(item.rect.width / 8)), []).append(item)
    return max(columns.values(), key=len, default=[])


def cornered(said: Said, found: Sequence[Item], whole: Rect) -> dict[int, float]:
    """The control of the kind that is said which is nearest to the side or corner of a window, as `counted` tells."""
    fits = [FITS[kind] for kind in said.kinds & {"button", "icon", "link"}]
    group = [
        item
        for item in found
        if item.front
        and not (item.names and _SMALL.search(said.text))
        and any(fit.get(item.role, 0.4) >= 0.93 for fit in fits)
        and region_factor(said.regions, item.rect, whole) > CORNER
    ]
    nearest = min(group, key=lambda item: corner_distance(said.regions, item.rect, whole), default=None)
    if nearest is None:
        return {}
    return {at: 1.0 if same_place(item.rect, nearest.rect) else -0.5 for at, item in enumerate(found)}


def _is_within(rect: Rect, other: Rect) -> bool:
    return rect.area < other.area and contains(other, rect)


def _first_line(group: Sequence[Item]) -> list[Item]:
    """Those on one line with the first, where it is not alone there: "the third icon below View"."""
    first = in_reading_order(group)[:1]
    line = [
        item
        for item in group
        for top in first
        if abs(item.rect.center.y_px - top.rect.center.y_px) < 0.5 * max(top.rect.height, item.rect.height)
    ]
    return line if len(line) > 1 else list(group)


def same_place(rect: Rect, other: Rect) -> bool:
    return rect.iou(other) > 0.5 or contains(other, rect) or contains(rect, other)
