"""What an instruction asks to find: a kind of control, its words, where it stands, and which of several it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from tools.errors import ToolRetry
from tools.gui.grounding import lexicon, patterns
from tools.gui.grounding.parse_verbs import (
    CANCEL,
    PLACING,
    confirming,
    shutting,
    turned,
    verb_last,
    without_end,
    without_purpose,
    without_verb,
)
from tools.gui.grounding.strip_asides import without_asides
from tools.gui.grounding.synonyms import MEANINGS
from tools.gui.guard.effect_words import VERBS, find_verbs

QUOTES = (
    "\ue010([^\ue011]+)\ue011|"
    r"\"([^\"]+)\"|“([^”]+)”|„([^“”]+)[“”]|«\s*([^»]+?)\s*»|‘([^’]+)’|(?<!\w)'([^']+(?:'\w[^']*)*)'(?!\w)|`([^`]+)`"
)
"""Quotation marks of several languages; an apostrophe within a word is none. The first are those of `label`."""
CONTAINERS = frozenset({"dialog", "section", "row", "bar", "menu", "column", "heading"})
"""Kinds that other controls stand in."""
NAMED = frozenset({"field", "dropdown", "checkbox", "radio", "switch", "slider"})
"""Kinds that are known by a label beside them."""
MOST_SPLITS = 8
"""Places where an instruction may be parted that are tried at most; our choice."""
MOST = 500
"""Characters that an instruction may have; our choice."""

_AFTER = r"(?:^|(?<=\s)|(?<=\ue001))"
_MARK = "\ue000{}\ue001"
_MARKED = re.compile("\ue000(\\d+)\ue001")
_FLAGS = re.IGNORECASE
_BOXES = "|".join(lexicon.KINDS[kind] for kind in ("field", "dropdown"))
"""What is called by what it holds."""


def label(text: str) -> str:
    """Words that are not taken apart when they are read, and need not stand on the screen as they are written."""
    return f"\ue010{text.strip()}\ue011"


@dataclass(frozen=True)
class Wanted:
    """What is looked for.

    Attributes:
        words: its label or name; "" if only the kind or place is said.
        kind: a key of `lexicon.KINDS`, "" if unsaid.
        quoted: whether the words stood in quotation marks, so that they are a label as it is written.
        relation: how it stands to `anchor`: `below`, `above`, `left_of`, `right_of`, `beside`, `for` or `in`; else "".
        anchor: what it stands to.
        ordinal: which one in reading order, from 1; -1 is the last, `lexicon.MIDDLE` the middle one; 0 if unsaid.
        region: the part of the screen: of `top`, `bottom`, `left`, `right`, `center`.
    """

    words: str = ""
    kind: str = ""
    quoted: bool = False
    relation: str = ""
    anchor: Wanted | None = None
    ordinal: int = 0
    region: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Say it in words."""
        name = {-1: "last ", 0: "", lexicon.MIDDLE: "middle "}.get(self.ordinal, f"number {self.ordinal} of ")
        label = f'"{self.words}"' if self.words else ""
        where = f" ({' '.join(sorted(self.region))})" if self.region else ""
        stands = f" {self.relation.replace('_', ' ')} {self.anchor}" if self.anchor else ""
        return name + " ".join(part for part in (self.kind, label) if part) + where + stands


def read_instruction(text: str) -> tuple[Wanted, ...]:
    """Return the ways to understand an instruction, the most structured first.

    Words such as "of" and "in" may belong to a label ("Date of birth") or say where it stands ("the button in the
    dialog"); without quotation marks only the screen can tell, so that both ways are returned.

    Raises:
        ToolRetry: if it names nothing to look for, or is too long.
    """
    if not text.strip() or len(text) > MOST:
        said = f"an instruction of {len(text)} characters" if text.strip() else "an empty instruction"
        raise ToolRetry(f"{said} cannot be followed.", expected=f"what to find, in 1 to {MOST} characters")
    kept: list[str] = []
    ours: set[str] = set()

    def keep(match: re.Match[str]) -> str:
        if match[1] is not None:
            ours.add(str(len(kept)))
        kept.append(next(group for group in match.groups() if group is not None).strip())
        return _MARK.format(len(kept) - 1)

    marked = re.sub(QUOTES, keep, " ".join(re.sub("[\ue000\ue001]", "", text).split())).strip(" .!?;,")
    plain = without_asides(marked, bool(find_verbs(patterns.SIGN.sub(r"\1symbol", text), VERBS)))
    plain = re.sub(lexicon.COMPOUND, r"\1 \2 \3", plain, flags=_FLAGS)
    plain = re.split(rf",?\s+(?:{lexicon.PURPOSES})\b", plain, maxsplit=1, flags=_FLAGS)[0]
    plain = re.sub(
        rf"^(?:(?:{lexicon.POLITE})\b,?\s*|(?:{lexicon.ORDER}),?\s+)+|,?\s*\b(?:{lexicon.POLITE})$",
        "",
        plain,
        flags=_FLAGS,
    )
    bodies: list[tuple[str, str]] = []
    shorter = plain if re.match(rf"(?:{lexicon.SENDING})\b", plain, _FLAGS) else without_end(plain)
    # Of "click Save or click Print" either will do: the first one, where it is there.
    either = re.split(rf",?\s+(?:or|oder)\s+(?=(?:{lexicon.CLICKS})\b)", plain, flags=_FLAGS)
    for whole in dict.fromkeys(either if len(either) > 1 else (without_purpose(plain), plain, shorter)):
        asked = turned(whole)
        body, kind = without_verb(asked)
        shut = shutting(asked)
        bodies += [(way, "") for way in shut]
        if shut and (shut[0].startswith(CANCEL) or _MARKED.search(asked)):
            # What is cancelled or closed is not pressed, whatever it is called.
            continue
        bodies.append((body, kind))
        # "Open file" may be told to do, or be what stands on the button.
        if not re.match(rf"(?:(?:{lexicon.CLICKS})\w*|{lexicon.TYPING})\b", asked, _FLAGS):
            bodies.append((asked, ""))
        bodies += [(named, "") for named in (*verb_last(asked), *confirming(asked))]
        if kind == "field" and (other := re.match(r"(?:an?|another)\s+(?:new\s+|different\s+)?", body, _FLAGS)):
            # "A new width" may be one for the field "Width".
            bodies.append((body[other.end() :], kind))
    setting = _setting(plain)
    # What only names what shall be set is not pressed for it.
    named = {way.words for way in setting[1:]}
    ways = [(way, kind) for body, kind in dict.fromkeys(bodies) for way in _ways(body, 0) if way.words not in named]
    ways = [(way, "") for way in setting] + ways
    ways = [(_fill(way, kept, ours), kind) for way, kind in ways]
    found = [replace(way, kind=way.kind or kind) for way, kind in ways if way != Wanted()]
    told = [way for way in found if way.words or way.anchor or way.ordinal or way.region]
    found = told or found
    filled = {way.words for way in found if way.quoted and way.kind in ("field", "dropdown", "slider")}
    # Of a field with a label in quotation marks not just anything of that name is meant.
    found = [way for way in found if way.kind or way.words not in filled]
    if not found:
        raise ToolRetry(
            f"the instruction {text!r} names nothing to look for.", remedy='Name it, as in: click on "All patients".'
        )
    return tuple(dict.fromkeys(found))


def _setting(text: str) -> list[Wanted]:
    """What to press where something shall be set to a value that is there to be chosen."""
    text = re.sub(rf"^(?:{PLACING})\s[^,]+,\s*", "", text, flags=_FLAGS)
    match = re.match(
        rf"(?:{lexicon.SETTING})\s+(.+)\s+to\s+(.+)$|(?:stellen?|setzen?)(?:\s+sie)?\s+(.+)\s+auf\s+(.+)$", text, _FLAGS
    )
    if not match:
        return []
    named, value = (_simple(part) for part in (match[1] or match[3], match[2] or match[4]))
    if not named.words or not value.words:
        return []
    if named.words.lower() in ("it", "this", "that", "es", "das"):
        return [replace(value, kind="radio")]
    whole = re.match(r"(.+?)\s+(?:of|for)\s+(?:the\s+)?\w+$", named.words)
    told = [named] if named.quoted or not whole else [named, replace(named, words=whole[1])]
    # "The numbering of the labels" may be called "Numbering" there.
    ways = [replace(value, kind="radio", relation="for", anchor=each) for each in told]
    return [*ways, replace(named, kind=named.kind or "dropdown")]


@lru_cache(maxsize=4096)
def _ways(text: str, depth: int) -> tuple[Wanted, ...]:
    """Ways to split a text at a relation; last of all as it stands."""
    text, region = _take_region(text)
    if region:
        # "In the menu bar at the top" says it twice.
        text, again = _take_region(text)
        region |= again
    ways: list[Wanted] = []
    for relation, match in _relations(text)[:MOST_SPLITS] if depth < 3 else ():
        head, tail = text[: match.start()].strip(" ,"), text[match.end() :].strip(" ,")
        if tail and (head or relation not in ("for", "in") or region):
            ways += _related(relation, _simple(head), region, _ways(tail, depth + 1))
        if ways and relation in lexicon.FIRM_RELATIONS:
            return tuple(ways)
    plain = replace(_simple(text), region=region)
    # Of "the icon in the toolbar of the "Notes" tab" the label is that of a place.
    of_place = plain.quoted and ways and re.search(r"\S\s+(?:in|of|for|from|within|im|von)\s[^\ue000]*\ue000", text)
    if not of_place and not (plain.quoted and any(way.quoted and way.words == plain.words for way in ways)):
        # A label in quotation marks is one beside what is said of its place, and not just any.
        ways += [plain, *_only_placed(plain)]
    noun = re.match(rf"(?:{lexicon.NOUNS}|{lexicon.COLOURS}|{lexicon.MORE})\s+(.+)$", plain.words, _FLAGS)
    # "The delete options" are not "Delete", but what stands in "the Windowing tools" may stand below "Windowing".
    places = f"{lexicon.PLACES}|{lexicon.GROUPS}" if depth else lexicon.PLACES
    place = re.match(rf"(.+)\s+(?:{places}|{lexicon.KINDS['image']})$", plain.words, _FLAGS)
    if not plain.quoted and not (depth and plain.kind in CONTAINERS):
        ways += [replace(plain, words=shorter[1]) for shorter in (noun, place) if shorter]
    means = re.search(rf"{_AFTER}(?:{lexicon.BY})\s+(.+)$", text, _FLAGS) if depth == 0 else None
    # "By the logo" is beside it, unless that is told by a corner of the screen.
    if means and means.start() and (region or not re.match(r"by\s+(?:the|its)\b", means[0].strip(), _FLAGS)):
        # "Open the fourth row with its Open button", "open the settings with the gear icon"
        whole, part = _simple(text[: means.start()]), _simple(means[1])
        if whole.kind in CONTAINERS or whole.ordinal:
            ways.append(replace(part, relation="in", anchor=whole, region=region))
        if icon := _pictured(means[0], whole):
            return (*ways, replace(icon, region=region))
        # "The patient with the number 4711" is not just any patient.
        alone = [replace(one, region=region) for one, left in ((part, whole), (whole, part)) if not _tells(left)]
        alone = [one for one in alone if not (one is not whole and one.quoted and one.kind in CONTAINERS)]
        ways += [each for one in alone for each in (one, *_only_placed(one))]
    return tuple(ways)


def _relations(text: str) -> list[tuple[str, re.Match[str]]]:
    """What may part a target from what it stands to: firm words first, in the order of the text, then all others."""
    found = [
        (relation, match)
        for relation, phrase in lexicon.RELATIONS
        for match in re.finditer(rf"{_AFTER}(?:{lexicon.PLACED})?(?:{phrase})(?=\s)", text, _FLAGS)
    ]
    firm = [each for each in found if each[0] in lexicon.FIRM_RELATIONS]
    return sorted(firm, key=lambda each: each[1].start()) + [each for each in found if each not in firm]


def _related(relation: str, target: Wanted, region: frozenset[str], anchors: Sequence[Wanted]) -> list[Wanted]:
    """Ways in which something stands to one of some anchors."""
    ways: list[Wanted] = []
    of_menu = any(anchor.kind == "menu" for anchor in anchors)
    noun = not target.kind and re.fullmatch(lexicon.NOUNS, target.words, _FLAGS)
    if relation in ("for", "in", "beside") and noun and not of_menu:
        # "The study from Sunday" is the entry that says so.
        target = Wanted(kind="row")
    for anchor in map(_as_dialog, anchors):
        named = target.kind in NAMED and not target.words and anchor.words and not anchor.kind
        if relation in ("for", "beside") and named:
            # "The checkbox for Metformin" is named by it, wherever the words stand.
            ways.append(replace(anchor, kind=target.kind, ordinal=target.ordinal))
        if anchor.words or anchor.kind:
            placed = replace(target, region=region)
            firm = relation in lexicon.FIRM_RELATIONS
            more = re.match(rf"(?:{lexicon.MORE})\s+(.+)$", placed.words, _FLAGS)
            forms = [placed, *_only_placed(placed, firm), *([replace(placed, words=more[1])] if more else [])]
            ways += [replace(one, relation=relation, anchor=anchor) for one in forms]
    return ways


def _as_dialog(anchor: Wanted) -> Wanted:
    """What something stands in that is called a wizard, which is a dialog."""
    called = re.fullmatch(rf"(.+)\s+(?:{lexicon.WIZARD})", anchor.words, _FLAGS)
    return replace(anchor, kind="dialog", words=called[1]) if called and not (anchor.kind or anchor.quoted) else anchor


def _only_placed(wanted: Wanted, placed: bool = False) -> list[Wanted]:
    """The same without words that only tell how it looks, where a number, a corner or a neighbour tells which it is."""
    look = re.fullmatch(rf"(?:(?:{lexicon.LOOKS}|{lexicon.COLOURS})(?:\s+|$))+", wanted.words, _FLAGS)
    if re.search(r"\blogo$", wanted.words, _FLAGS):
        wanted = replace(wanted, kind=wanted.kind or "icon")
    told = placed or wanted.ordinal or len(wanted.region) == 2
    return [replace(wanted, words="")] if look and told and wanted.kind and not wanted.quoted else []


def _pictured(means: str, whole: Wanted) -> Wanted | None:
    """What is drawn as one thing with another, such as a magnifier with a plus."""
    means = re.sub(r"\s+(?:to|um)\s+\w.*$", "", means)
    drawn = f"{whole.words} {means}".casefold()
    drawn = re.sub(rf"\s+(?:{lexicon.KINDS['icon']}|sign|zeichen)$", "", drawn)
    drawn = re.sub(rf"\s+(?:{lexicon.ARTICLES})(?=\s)", "", drawn)
    meant = [key for key, (both, people) in MEANINGS.items() if re.fullmatch(f"{both}|{people}", drawn)]
    return Wanted(words=meant[0], kind="icon") if len(meant) == 1 else None


def _points(before: str) -> bool:
    """Whether what is said next belongs to an arrow, and not to the screen."""
    return bool(re.search(r"\b(?:nach|pfeil|arrow|pointing)\s*$", before, _FLAGS))


def _tells(wanted: Wanted) -> bool:
    """Whether it holds a number or a name as DICOM writes it, which tells one from another."""
    return bool(re.search(r"[\d^]", wanted.words))


def _take_region(text: str) -> tuple[str, frozenset[str]]:
    """The text without what it says of the part of the screen, and that part."""
    for phrase, region in lexicon.REGIONS:
        found = re.search(
            rf"{_AFTER}(?P<at>(?:{lexicon.AT})\s+)?(?:(?:{lexicon.ARTICLES})\s+)?(?:(?:far|very|extreme)\s+)?(?:{phrase})"
            rf"(?:\s+(?:of|on) the (?:screen|page|window|application|app))?(?=$|[,\s])",
            text,
            _FLAGS,
        )
        if not found or found.group().strip() == text:
            continue
        after = text[found.end() :]
        # "Left of X" is a relation; "top right of the dialog" is a part of the dialog.
        if re.match(r"\s+(?:of|von|d[eu]l?|di|neben)\b", after, _FLAGS) and not (
            found["at"] and _of_container(after, region)
        ):
            continue
        # Without "at" or the like it has to be said in full and first: "top right Close", but not "right arrow".
        last = not after.strip() and (len(region) == 2 or found.group().strip().lower() in ("oben", "unten"))
        if found["at"] or (found.start() == 0 and len(region) == 2) or (last and not _points(text[: found.start()])):
            return (text[: found.start()].rstrip(" ,") + " " + after.lstrip(" ,")).strip(), region
    return text, frozenset()


def _of_container(after: str, region: frozenset[str]) -> bool:
    """Whether a part of the screen is, by what is said after it, that of something on the screen."""
    kinds = "|".join(lexicon.KINDS[kind] for kind in ("dialog", "section", "bar", "row"))
    return len(region) == 2 or bool(re.match(rf"\s+\w+\s+(?:[\w()-]+\s+){{0,3}}(?:{kinds})\b", after, _FLAGS))


def _simple(text: str) -> Wanted:
    """A text without relations: ordinal, kind and words."""
    text = _strip(text)
    if held := re.fullmatch(
        rf"(one|{_BOXES})\s+(?:{lexicon.HOLDING})\s+(.+?)(?:\s+in(?:side)?(?:\s+it)?)?", text, _FLAGS
    ):
        # "The one with the 1 in it" has no other name.
        text = _strip(held[2]) + ("" if held[1].lower() == "one" else f" {held[1]}")
    ordinal = 0
    first = re.match(r"([\w-]+)(?:\s+|$)", text)
    last = re.fullmatch(r"(.+),\s*(?:the\s+)?([\w-]+)(?:\s+one)?", text, _FLAGS)
    item = re.fullmatch(rf"(.+),\s*the\s+([\w-]+)\s+(?:{lexicon.KINDS['entry']})", text, _FLAGS)
    if item and item[2] in lexicon.ORDINALS:
        # "Crop, the second item" is called so, wherever it stands.
        return _make(_strip(item[1]), "entry", 0)
    if last and last[2] in lexicon.ORDINALS:
        # "Rossi, Primo" is a name.
        ordinal, text = lexicon.ORDINALS[last[2]], _strip(last[1])
    elif first and first[1].lower() in lexicon.ORDINALS:
        ordinal, text = lexicon.ORDINALS[first[1].lower()], _strip(text[first.end() :])
    # "Toggle Entries button" is a button: what stands last tells more.
    for kind, phrase, last_word in [(*kind, last) for last in (True, False) for kind in lexicon.KINDS.items()]:
        numbered = re.fullmatch(rf"(?:{phrase})\s+(?:number |no\.? )?(\d{{1,2}})", text, _FLAGS)
        if numbered and kind in ("row", "tab", "column", "button", "image"):
            return Wanted(kind=kind, ordinal=int(numbered[1]))
        form = rf"(?:(.*?)\s*\b)?(?:{phrase})" if last_word else rf"(?:{phrase})(?:(?:\s+|(?=\ue000))(.*))"
        match = re.fullmatch(form, text, _FLAGS)
        if match:
            told = _strip(match[1] or "")
            empty = kind in NAMED and re.fullmatch(lexicon.EMPTY, told, _FLAGS)
            return _make("" if empty else told, kind, ordinal)
    return _make(text, "", ordinal)


def _make(text: str, kind: str, ordinal: int) -> Wanted:
    marks = _MARKED.findall(text)
    # What stands beside quotation marks describes it ("the blue \"Save\" one"); the label is what they hold.
    words = (
        _MARK.format(marks[0])
        if marks
        else re.sub(
            rf"^(?:(?:{lexicon.NOUNS})\s+(?:{lexicon.CALLED})|(?:[\w-]+\s+){{1,3}}(?:named|called))\s+",
            "",
            text,
            flags=_FLAGS,
        )
    )
    return Wanted(words=words, kind=kind, quoted=bool(marks), ordinal=ordinal)


def _strip(text: str) -> str:
    """Without articles at the beginning and loose punctuation."""
    return re.sub(rf"^(?:(?:{lexicon.ARTICLES})(?=\s|\ue000|$)\s*)+", "", text.strip(" ,:;"), flags=_FLAGS).strip(
        " ,:;"
    )


def _fill(way: Wanted, kept: list[str], ours: set[str]) -> Wanted:
    literal = way.quoted and not ours & set(_MARKED.findall(way.words))
    words = _MARKED.sub(lambda match: kept[int(match[1])], way.words)
    anchor = _fill(way.anchor, kept, ours) if way.anchor else None
    return replace(way, words=words, quoted=literal, anchor=anchor)
