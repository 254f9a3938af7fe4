"""Which items an instruction means: names, kinds, relations, parts of the screen and ordinals weighed together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tools.gui.grounding import lexicon
from tools.gui.grounding.geometry import contains, corner_distance, region_factor, relation_factor, union
from tools.gui.grounding.items import (
    Choice,
    Item,
    Name,
    column_of,
    entries_of_menu,
    number,
    window_of,
)
from tools.gui.grounding.kind_match import FITS
from tools.gui.grounding.label_match import fit, normal
from tools.gui.grounding.ordinals import distinct, pick_numbered
from tools.gui.grounding.parse import CONTAINERS, NAMED, Wanted
from tools.gui.grounding.synonyms import CHANGING, meaning
from tools.gui.grounding.terms import hints
from tools.gui.grounding.vision.icon_shapes import same_icon
from tools.gui.guard.effect_words import AFFIRMING, VERBS, find_verbs
from tools.gui.types import Point, Rect

LEAST = 0.62
"""Below this score nothing is said to be found; our choice, tuned on the tuning half of the sequel to MedSPOT."""
TIE = 0.975
"""Two places whose scores differ by less than this share are both named; our choice."""
MEANT = 0.88
"""How well words fit that mean the same as those looked for; our choice."""
LITERAL = 0.95
"""How well words have to fit to be those that are looked for; our choice."""
LABELLED = 0.75
"""What a control has to score, as a share of the words that label it, to be meant by them; our choice."""
OTHER_CASE = 0.9
"""What is left of a score where capitals differ and those of another one do not; our choice."""
SPACE = 0.6
"""A space between words is narrower than this share of their height; our choice."""
HEADING = 0.9
"""How well a heading fits the part of the screen below it; our choice."""
FARTHER = 0.3
"""What is lost at the far end of the screen where a corner alone tells what is meant; our choice."""
CROSSED = 0.97
"""How surely a control is meant that both words label; our choice."""
WIDE, WORDED = 1.5, 0.96
"""How wide a button is, as a share of its height, that has words on it, and how well it fits an icon; our choice."""
PICTURE = 0.93
"""How well something to choose or tick fits an icon that has no words of its own; our choice."""
BEHIND = 0.6
"""What the score of something is worth that lies behind a dialog; our choice."""

_NO_FIT, _ONLY_LABELS, _COLON = 0.4, 0.4, 0.6
"""How well other roles fit, how well words with a colon fit a field, and `LABELLED` for these; our choice."""
_MAY_BE_ICONS = frozenset({"button", "link", "image", "menuitem", "icon"})
_HOLDERS = CONTAINERS | {"link", "button"}


def choose(wanted: Wanted, items: Sequence[Item], screen: Rect) -> list[Choice]:
    """Items that may be meant, best first; those that stand for the same place are given once."""
    if wanted.kind == "menu" and wanted.anchor and wanted.anchor.kind == "bar" and _has_menus(items):
        # Menus stand in no other bar than their own.
        wanted = replace(wanted, relation="", anchor=None)
    scored = [choice for choice in _scored(wanted, items, screen) if not choice.item.inert]
    if any(choice.item.title == wanted.words for choice in scored):
        scored = [_in_this_case(choice, wanted.words) for choice in scored]
    scored.sort(key=lambda choice: -choice.score)
    if wanted.kind in ("", "entry"):
        scored = _controls_first(scored)
    if wanted.ordinal and scored:
        menu = wanted.anchor if wanted.anchor is not None and wanted.anchor.kind == "menu" else None
        of_menu = wanted.kind in ("menuitem", "menu") or menu is not None
        entries = entries_of_menu(items, menu.words if menu else "") if of_menu or wanted.kind == "entry" else []
        shut = menu is not None and menu.words and not entries and _is_there(menu.words, "menu", items)
        if shut:
            return []
        unseen = (of_menu and not entries) or wanted.kind == "tab"
        if unseen and not wanted.words and any(item.layer != "tree" for item in items):
            # Where a menu ends, and what is a tab, cannot be told in pixels.
            return []
        below = wanted.anchor if wanted.kind == "radio" and wanted.relation == "below" else None
        first = _anchors(below, items, screen)[:1] if below is not None else []
        group = column_of(items, first[0].item) if first and first[0].item.role == "radio" else []
        if group and group[0] is first[0].item and wanted.ordinal == len(group):
            # The third one "under A" of A, B and C can but be counted with A.
            scored = [replace(scored[0], item=item, point=item.rect.center, label=item.title) for item in group]
        return pick_numbered(
            wanted, [each for each in scored if not entries or any(each.item is item for item in entries)]
        )
    return distinct(scored)


def _has_menus(items: Sequence[Item]) -> bool:
    return any(item.role == "menu" for item in items)


def _in_this_case(choice: Choice, words: str) -> Choice:
    """Less likely where it differs in capitals from what was said, as another one does not."""
    differs = choice.item.title != words and normal(choice.item.title) == normal(words)
    return replace(choice, score=OTHER_CASE * choice.score) if differs else choice


def _is_there(words: str, role: str, items: Sequence[Item]) -> bool:
    """Whether there is something of a role that is called so."""
    return any(item.role == role and normal(item.title) == normal(words) for item in items)


def _controls_first(scored: list[Choice]) -> list[Choice]:
    """Without words that only label a control of the same name: who says "Dose" means the field."""
    # In pixels, a frame with words of its own may be no field at all.
    named = [
        choice
        for choice in scored
        if choice.item.role in NAMED
        and (
            choice.item.layer == "tree"
            or choice.item.role == "checkbox"
            or all(name.label for name in choice.item.names)
        )
    ]
    return [
        choice
        for choice in scored
        if choice.item.role not in ("text", "heading")
        or not any(
            normal(other.item.title) == normal(choice.item.title)
            and other.score >= (_COLON if choice.item.title.endswith(":") else LABELLED) * choice.score
            and relation_factor("for", other.item.rect, choice.item.rect) > 0.1
            for other in named
        )
    ]


def _scored(wanted: Wanted, items: Sequence[Item], screen: Rect, *, anchor: bool = False) -> list[Choice]:
    anchors = _anchors(wanted.anchor, items, screen) if wanted.anchor else []
    anchors = [choice for choice in anchors if _is_counted(wanted, choice.item, items)]
    lost = 1.0
    if wanted.anchor and not anchors:
        # "In the dialog" where none can be told apart still leaves the words; "next to Doe" without a Doe does not.
        if not wanted.words or wanted.anchor.ordinal or not _is_aside(wanted, wanted.anchor):
            return []
        lost = 0.85
    # "In the top right corner of the dialog" is a part of the dialog, not of the screen.
    inside = wanted.relation in ("in", "for") and anchors and anchors[0].item.role in (*CONTAINERS, "window")
    wholes = (anchors[0].item.rect,) if inside else (screen, window_of(items, screen))
    choices = []
    for item in items:
        role = _role_fit(wanted, item, anchor)
        if (not wanted.words and role < 0.85) or (wanted.kind == "menu" and item.role == "section" and not anchor):
            continue
        named, name, span = _name_score(wanted, item, anchor)
        score = lost * named * role * item.sure * (1.0 if item.front else BEHIND)
        if score < 0.3:
            continue
        if wanted.region and (anchors or not wanted.anchor):
            share = max(region_factor(wanted.region, item.rect, whole) for whole in wholes)
            score *= 0.5 + 0.5 * share if share > 0.1 else 0.25
            if not anchors:
                # Of several in one corner the outermost is meant.
                score *= 1 - FARTHER * corner_distance(wanted.region, item.rect, wholes[-1])
        if anchors:
            score *= max(_stands(wanted.relation, item, name, span, anchor) for anchor in anchors)
        if score >= 0.3:
            choices.append(Choice(item, min(score, 1.0), _point(item, name, span), _label(item, name, span)))
    return choices


def _role_fit(wanted: Wanted, item: Item, anchor: bool) -> float:
    """How well an item is of the kind that is looked for."""
    role = FITS[wanted.kind].get(item.role, _NO_FIT)
    if item.role == "text" and wanted.kind in NAMED and not anchor and item.title.endswith(":"):
        return min(role, _ONLY_LABELS)
    if anchor and wanted.words and wanted.kind == "section" and item.role in ("text", "heading"):
        # What stands above a part of the screen names it.
        return max(role, HEADING)
    if (
        wanted.kind in ("icon", "image")
        and item.role in ("radio", "checkbox")
        and all(name.label for name in item.names)
    ):
        # What has no words of its own shows a picture.
        return max(role, PICTURE)
    if wanted.kind == "icon" and wanted.words and item.role == "button" and item.rect.width > WIDE * item.rect.height:
        # Of "Close" as a cross and "Close" as a word the cross is the icon.
        return WORDED * role
    return role


def _is_counted(wanted: Wanted, row: Item, items: Sequence[Item]) -> bool:
    """Whether a row that was counted in pixels is also the one to count by the rows that hold what is looked for.

    What looks like a row there may be none, and "Delete" in the second row deletes another patient in the third one.
    """
    anchor = wanted.anchor
    if anchor is None or anchor.kind != "row" or anchor.words or not anchor.ordinal or not wanted.words:
        return True
    there = [item for item in items if item.role != "row" and _name_score(wanted, item, False)[0] >= LITERAL]
    rows = [other for other in items if other.role == "row" and any(contains(other.rect, item.rect) for item in there)]
    meant = number(_levels(rows), anchor.ordinal)
    return row.layer == "tree" or meant is None or row.rect.top < meant.rect.center.y_px < row.rect.bottom


def _levels(rows: Sequence[Item]) -> list[Item]:
    """One row of each line, since one may be known in several ways."""
    kept: list[Item] = []
    for row in sorted(rows, key=lambda row: row.rect.top):
        if not any(other.rect.top < row.rect.center.y_px < other.rect.bottom for other in kept):
            kept.append(row)
    return kept


def _is_aside(wanted: Wanted, anchor: Wanted) -> bool:
    """Whether a part of the screen that is not found may be left out: what stands there is told without it.

    A form may be called by what it is for: "Save" is it "in the order form". But what does something grave may do it to
    something else here, and a name or number tells one part from another.
    """
    # What is shown is no control, and most programs for pictures have nothing else above their buttons.
    shown = anchor.kind in ("", "image") and re.fullmatch(r"(?:images?|pictures?)?", anchor.words, re.IGNORECASE)
    place = re.search(rf"\b(?:{lexicon.PLACES})$", anchor.words, re.IGNORECASE)
    # The list of a dropdown that is open is a menu, and often the dropdown itself is behind it.
    opened = anchor.kind == "dropdown" and not anchor.words
    if anchor.kind not in CONTAINERS and not shown and not place and not opened:
        return False
    unnamed = anchor.kind == "bar" and re.fullmatch(lexicon.BARS, anchor.words, re.IGNORECASE)
    if (not anchor.words or unnamed) and not shown:
        return True
    grave = find_verbs(wanted.words, VERBS) or normal(wanted.words) in AFFIRMING
    grave = grave or any(hint.key in CHANGING for hint in hints(wanted.words, False))
    if shown:
        return not grave
    telling = re.search(r"[A-ZÄÖÜ\d^]", anchor.words)
    return wanted.quoted and wanted.relation in ("in", "for", "below", "above") and not (grave or telling)


def _label(item: Item, name: Name | None, span: tuple[int, int]) -> str:
    """What it is called. In pixels a field may hold words, too, and a line those of several controls."""
    if name is None or item.layer != "words":
        return item.title or item.role
    if item.role in NAMED:
        return " ".join(name.words)
    if name.label or not name.rects or span[1] <= span[0]:
        return item.title or item.role
    first, last = span[0], span[1] - 1
    while first and _joined(name, first - 1, first):
        first -= 1
    while last + 1 < len(name.words) and _joined(name, last + 1, last):
        last += 1
    return " ".join(name.words[first : last + 1])


def _joined(name: Name, at: int, beside: int) -> bool:
    """Whether a word is parted from the one beside it by no more than a space, and is none that an icon was read as."""
    one, other = sorted((name.rects[at], name.rects[beside]), key=lambda rect: rect.left)
    height, word = max(one.height, other.height), name.words[at]
    on_line = abs(one.center.y_px - other.center.y_px) < 0.5 * height
    near = -SPACE * height < other.left - one.right < SPACE * height
    return on_line and near and (len(word) > 1 or word.isalpha() or (word.isascii() and word.isdigit()))


def _name_score(wanted: Wanted, item: Item, anchor: bool) -> tuple[float, Name | None, tuple[int, int]]:
    """How well the words fit, by which name, and which of its words."""
    if not wanted.words:
        return 1.0, None, (0, 0)
    best: tuple[float, Name | None, tuple[int, int]] = (0.0, None, (0, 0))
    alike = same_icon(wanted.words) if wanted.kind in ("", "icon", "button") else frozenset()
    # What stands in quotation marks is a label as it is written, and none that means the same.
    means = meaning(wanted.words) if not wanted.quoted and wanted.kind in ("", "button") else frozenset()
    labelled = anchor or wanted.kind in NAMED
    for name in item.names:
        if name.head and (wanted.quoted or find_verbs(wanted.words, VERBS)):
            # Of what stands in quotation marks, or does something, the cell has to say so itself.
            continue
        score, start, end = fit(wanted.words, name.words, read=item.layer != "tree")
        if name.label and not labelled:
            score *= 0.85
        elif labelled and not name.label and item.layer == "words" and item.role == "field":
            # A field that holds the words already is likelier another one than that which they label.
            score *= 0.97
        score *= name.weight
        if (
            score < 0.9
            and item.layer == "tree"
            and item.role in _MAY_BE_ICONS
            and " ".join(name.words).lower() in alike | means
        ):
            score = 0.9
            start, end = 0, len(name.words)
        elif score < MEANT and item.layer == "words" and item.role in ("button", "link", "tab", "menuitem", "text"):
            same = normal(" ".join(name.words)) in means
            score, start, end = (MEANT, 0, len(name.words)) if same else (score, start, end)
        if score > best[0]:
            best = score, name, (start, end)
    if item.role == "icon" and item.layer == "tree" and re.fullmatch(lexicon.NOUNS, wanted.words, re.IGNORECASE):
        # The picture of a file stands for the file, whose name is beside it.
        best = max(best, (MEANT, None, (0, 0)), key=lambda each: each[0])
    return best


def _anchors(anchor: Wanted, items: Sequence[Item], screen: Rect) -> list[Choice]:
    """What the anchor may be: the best, and others that are nearly as good."""
    found = choose(anchor, items, screen)
    if not anchor.ordinal:
        # For "the button next to X" a cell with X is as good as its row, so nested ones count, too.
        found = sorted(_scored(anchor, items, screen, anchor=True), key=lambda choice: -choice.score)
    if not found and anchor.anchor and anchor.quoted:
        # "Right of "Page:", below the images": the label tells enough where there are no images to be found.
        return _anchors(replace(anchor, relation="", anchor=None), items, screen)
    found = [choice for choice in found if choice.score >= max(LEAST, 0.78 * found[0].score)] if found else []
    found += [replace(choice, item=item) for choice in found[:1] for item in items if _is_headed(item, choice.item)]
    if not anchor.kind:
        # "For Doe" is the row that says so, and not the whole table.
        rows = [choice.item.rect for choice in found if choice.item.role == "row"]
        found = [choice for choice in found if choice.item.role != "section" or not _is_around(choice.item, rows)]
    if anchor.kind in CONTAINERS:
        sizes = [choice for choice in found if choice.item.role in CONTAINERS]
        return (sizes or found)[:8]
    return found[:8]


def _is_around(part: Item, rows: Sequence[Rect]) -> bool:
    return any(contains(part.rect, row) for row in rows)


def _is_headed(part: Item, heading: Item) -> bool:
    """Whether words are the heading of a part of the screen that is called so."""
    called = part.role in ("section", "dialog") and normal(part.title) == normal(heading.title)
    return called and part.layer == "tree" and part is not heading and contains(part.rect, heading.rect)


def _stands(relation: str, item: Item, name: Name | None, span: tuple[int, int], anchor: Choice) -> float:
    """How well an item stands to an anchor, weighed with how sure the anchor is."""
    rect = item.rect
    if name and not name.label and name.rects and span[1] - span[0] < len(name.words):
        rect = union(*name.rects[span[0] : span[1]])
    spot, called = anchor.item.rect, normal(anchor.item.title)
    if rect == spot:
        return 0.0
    factor = relation_factor(relation, rect, spot)
    crossed = relation in ("in", "for", "beside") and name is not None and name.label
    if crossed and any(other.label and other is not name and normal(" ".join(other.words)) == called
                       for other in item.names):  # fmt: skip
        # "Minimum" of "Absolute": the label of its row, and the head of its column.
        return CROSSED
    if relation in ("for", "beside", "in") and item.role in _HOLDERS and contains(rect, spot) and rect.area > spot.area:
        factor = max(factor, 0.95)
    if relation == "below" and anchor.item.role in ("section", "dialog") and contains(spot, rect):
        # What stands below the heading of a part of the screen is in it, all of it alike.
        factor = 0.9
    if relation in ("in", "for") and anchor.item.role not in CONTAINERS:
        # "In the X section", where X is only a heading: what stands below it.
        factor = max(factor, 0.9 * relation_factor("below", rect, spot))
    return anchor.score * (0.55 + 0.45 * factor) if factor > 0.04 else 0.0


def _point(item: Item, name: Name | None, span: tuple[int, int]) -> Point:
    """Where to click: on the words that fit, since those surely belong to it; else in its middle."""
    if item.point:
        return item.point
    if name and name.rects and not name.label and span[1] > span[0]:
        return union(*name.rects[span[0] : span[1]]).center
    return item.rect.center
