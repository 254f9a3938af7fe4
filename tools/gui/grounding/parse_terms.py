"""What an instruction says: words, kinds, places, neighbours and numbers, and which of them tell what is meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from tools.gui.grounding import lexicon, patterns
from tools.gui.grounding.label_match import negated
from tools.gui.grounding.parse_verbs import VALUED
from tools.gui.grounding.strip_asides import COMPARED, GOAL, numbered
from tools.gui.grounding.synonyms import ACTIONS
from tools.gui.grounding.terms import DEEDS, Hint, counts, hints, stem
from tools.gui.grounding.vision.colours import take_colour
from tools.gui.guard.effect_words import VERBS, find_verbs

_FLAGS = re.IGNORECASE
_REASON = 0.5
"""What words are worth that tell what for after the control, or describe it once more; our choice."""
_DONE = 0.6
"""What words are worth that tell what is done, or why, before the control that does it; our choice."""
_OPENED = frozenset({"menu", "dropdown", "tab", "menuitem"})
"""Kinds of what is opened by clicking it, and not by something called "Open"."""


@dataclass(frozen=True)
class Said:
    """What an instruction says, by kinds of hints.

    Attributes:
        words: words and meanings of what is meant, each once.
        kinds: keys of `lexicon.KINDS`.
        regions: parts of the screen: of `top`, `bottom`, `left`, `right`, `center`.
        anchors: how it stands to something, the words of that, its kinds, and its text.
        ordinal: which one, from 1; -1 is the last, `lexicon.MIDDLE` the middle one; 0 if unsaid.
        counted: the kind of what is counted.
        apart: whether what it stands to is told after it was counted: "the second menu, next to File".
        colour: of what it is drawn in; "" if unsaid.
        verbs: grave deeds that are asked for, see `tools.gui.guard.effect_words`.
        numbered: whether a number is said anywhere.
        text: all of it in lower case.
        spoken: stems of the words of what is meant, without those of what it stands to and what it is for.
        heard: stems of all words.
        places: tabs and columns that it is in.
        denied: whether something is said not to be done.
        unclear: whether it is told by the one beside it in a list.
    """

    words: tuple[Hint, ...]
    kinds: frozenset[str]
    regions: frozenset[str]
    anchors: tuple[tuple[str, tuple[Hint, ...], frozenset[str], str], ...]
    ordinal: int
    counted: str
    apart: bool
    colour: str
    verbs: frozenset[str]
    numbered: bool
    text: str
    spoken: frozenset[str]
    heard: frozenset[str]
    places: tuple[str, ...]
    denied: bool
    unclear: bool


@dataclass
class _Heard:
    """What was heard so far; `own` and `purposes` are texts, `placed_at` and `counted_at` where clauses begin."""

    words: list[Hint] = field(default_factory=list)
    anchors: list[tuple[str, tuple[Hint, ...], frozenset[str], str]] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    purposes: list[str] = field(default_factory=list)
    regions: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    ordinal: int = 0
    counted: str = ""
    colour: str = ""
    placed_at: set[int] = field(default_factory=set)
    counted_at: int = -1


@lru_cache(maxsize=256)
def understand(instruction: str) -> Said:
    """The hints that an instruction gives."""
    text, inside, places = _without_places(_plain(instruction))
    asked_from = _asked_from(text)
    means = patterns.MEANS.search(text)
    done_till = means.start() if means else 0
    text = f"{text[:done_till]},{text[done_till:]}" if means else text
    text, told_to = _told_to(text)
    heard = _Heard()
    for start, clause in _clauses(text):
        if start >= told_to:
            # Places in what it is for are those of something else.
            heard.purposes.append(clause)
            heard.words += _weakened(hints(clause, True), _REASON)
            continue
        before = start < max(asked_from, done_till)
        share = _REASON if patterns.THE_ONE.match(clause) else _DONE if before else 1.0
        for relation, piece in _pieces(clause):
            if relation:
                heard.placed_at.add(start)
                heard.anchors.append((relation, hints(piece, True), frozenset(_kinds(piece)), piece))
                heard.regions |= _regions(piece) if re.search(r"\bat the\b|\bon the\b", piece) else set()
            else:
                _hear(heard, piece, start, share, text)
    heard.anchors += [("in", named, frozenset(), name) for name in inside if (named := hints(name, True))]
    return _said(heard, text, places, instruction)


def _plain(instruction: str) -> str:
    """A text in one form of characters, without what only makes it polite, and what is not to be done."""
    text = " ".join(unicodedata.normalize("NFKC", instruction).replace("’", "'").split())
    text = numbered(patterns.WHOLE_WORD.sub(r"\1", text))
    text = patterns.SIGN.sub(r"\1symbol", patterns.NOT.sub(" ", patterns.POLITE.sub("", text))).strip()
    text = patterns.TO_NUMBER.sub(r"cursor in the \1 field", text)
    if valued := VALUED.match(text):
        text = f"cursor in the {valued[1] or valued[2]} field"
    text = patterns.UNTICKED.sub("untick", patterns.TYPED.sub("cursor in ", patterns.SPUN.sub("field", text)))
    return re.sub(lexicon.COMPOUND, r"\1 \2 \3", text, flags=_FLAGS)


def _without_places(text: str) -> tuple[str, list[str], tuple[str, ...]]:
    """A text without the parts of the screen that it names; their names; and the tabs and columns."""
    # What a dialog is called, such as "Delete study", is not asked to be done.
    inside = [*patterns.WITHIN.finditer(text), *patterns.WITHIN_GERMAN.finditer(text)]
    inside = [
        match for match in inside if patterns.NAMES_NONE.sub("", text[: match.start()]).strip() or _goes_on(match)
    ]
    for match in sorted(inside, key=lambda match: -match.start()):
        after = text[match.end() :]
        text = f"{text[: match.start()]} {'in order' if re.match(r' to [a-z]', after) else ''} {after.strip()}"
    # The tab that something is on is open, and not what is meant.
    tabs = [match for match in patterns.ON_TAB.finditer(text) if _is_aside(match)]
    for match in reversed(tabs):
        text = text[: match.start()] + " " + text[match.end() :]
    return text, [match[1] for match in inside], tuple(match[0] for match in tabs)


def _hear(heard: _Heard, piece: str, start: int, share: float, text: str) -> None:
    """Add what a piece says of what is meant."""
    heard.own.append(piece)
    if not heard.ordinal:
        heard.ordinal, heard.counted, piece = _ordinal(piece, _kinds(text))
        heard.counted_at = start if heard.ordinal else -1
    if not heard.colour and re.search(r"\b(?:button|one|icon|link|tab|knopf|schaltfläche|arrows?)\b", piece, _FLAGS):
        piece, heard.colour = take_colour(piece)
    heard.regions |= _regions(_unpointed(piece))
    piece = re.sub(patterns.REGIONS["center"], " ", piece, flags=_FLAGS)
    heard.kinds |= _kinds(re.sub(rf"\b(?:{patterns.MENU})\b", " ", piece, flags=_FLAGS))
    heard.words += _weakened(_looking(hints(piece, True), piece), share)


def _weakened(told: Sequence[Hint], share: float) -> list[Hint]:
    return [replace(hint, weight=share * hint.weight) for hint in told]


def _said(heard: _Heard, text: str, places: tuple[str, ...], instruction: str) -> Said:
    """What was heard, each word once and without what turned out to tell nothing."""
    kept: dict[str, Hint] = {}
    opening = heard.kinds & _OPENED and not re.search(r"\bview\b", " ".join(heard.own), _FLAGS)
    for hint in heard.words:
        if hint.key in heard.kinds - {"menu"} or (hint.key == "open" and opening):
            continue
        if hint.key not in kept or hint.weight > kept[hint.key].weight:
            kept[hint.key] = hint
    ordinal, counted = heard.ordinal, heard.counted
    if counted == "entry" and any(hint.weight >= 1 and hint.key not in ACTIONS for hint in kept.values()):
        # "The second study in the list, CT head" has a name, and lists have headings among their rows.
        ordinal, counted = 0, ""
    text, own = text.replace("_", " "), " ".join(heard.own).replace("_", " ")
    verbs = set(find_verbs(" ".join((own, *heard.purposes)), VERBS, label=False))
    verbs |= {DEEDS[key] for key in kept.keys() & DEEDS.keys()}
    if min(kept.values(), key=lambda hint: hint.at, default=Hint("", 0.0)).key == "cancel":
        # "Cancel the deletion" asks for none.
        verbs, kept = set(), {key: hint for key, hint in kept.items() if key not in DEEDS}
    # "From top to bottom" is no place.
    both = [sides for sides in ({"top", "bottom"}, {"left", "right"}) if sides <= heard.regions]
    return Said(
        words=tuple(kept.values()),
        kinds=frozenset(heard.kinds),
        regions=frozenset(heard.regions.difference(*both)),
        anchors=tuple(heard.anchors),
        ordinal=ordinal,
        counted=counted,
        apart=ordinal != 0 and all(at > heard.counted_at for at in heard.placed_at),
        colour=heard.colour,
        verbs=frozenset(verbs),
        numbered=counts(re.sub(patterns.REGIONS["center"], " ", text.casefold())),
        text=text.casefold(),
        spoken=frozenset(map(stem, re.findall(r"\w+", own.casefold()))),
        heard=frozenset(map(stem, re.findall(r"\w+", text.casefold()))),
        places=places,
        denied=negated(instruction),
        unclear=bool(patterns.NEIGHBOUR.search(text)),
    )


def _looking(told: Sequence[Hint], text: str) -> list[Hint]:
    """Hints of a text, those marked that may be how an icon looks."""
    spans = [match.span(1) if match[1] else match.span(2) for match in patterns.LOOK.finditer(text)]
    return [
        replace(hint, look=bool(hint.word) and any(start <= hint.at < end for start, end in spans)) for hint in told
    ]


def _clauses(text: str) -> Iterator[tuple[int, str]]:
    """The clauses of a text, and where each begins."""
    start = 0
    for match in patterns.CLAUSES.finditer(text):
        yield start, text[start : match.start()]
        start = match.end()
    yield start, text[start:]


def _asked_from(text: str) -> int:
    """Where in a text begins what is to be done, after the reason for it; 0 where none is told, or no more is said."""
    goal = GOAL.match(text)
    if goal:
        return goal.end()
    match = patterns.SO.search(text)
    asked = text[match.end() :] if match else ""
    return match.start() + 1 if match and (hints(asked, True) or counts(asked.casefold())) else 0


def _goes_on(match: re.Match[str]) -> bool:
    """Whether what is looked for follows: "im Fenster X auf Löschen", "in the X group, tick Y"."""
    first = not match.string[: match.start()].strip()
    return bool(re.match(r"\s*auf\s|,\s*\w" if first else r"\s*auf\s", match.string[match.end() :], _FLAGS))


def _is_aside(match: re.Match[str]) -> bool:
    """Whether something else than what was matched is said to be clicked, before it or after."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    return bool(patterns.NAMES_NONE.sub("", before).strip(" ,") or re.match(r"\s*,\s*\w", after))


def _told_to(text: str) -> tuple[str, int]:
    """A text with a comma where it begins to tell what for, and where that is; its length where it does not tell."""
    chosen = None if COMPARED.search(text) or find_verbs(text, VERBS) else patterns.AS.search(text)
    if chosen:
        return f"{text[: chosen.start()]}, {text[chosen.end() :]}", chosen.start()
    match = None if patterns.VALUED.match(text) else patterns.PURPOSE.search(text)
    if not match and re.match(rf"(?:{lexicon.CLICKS})\w*\b", text, _FLAGS):
        match = patterns.PRESSED_TO.search(text)
    if not match:
        return text, len(text)
    start, end = match.span("to") if match.groupdict().get("to") else (match.end(), match.end())
    return f"{text[:start]}, {text[end:]}", start


def _unpointed(text: str) -> str:
    """A text without arrows that point somewhere, which name no part of the screen."""
    return re.sub(
        r"\b(?:left|right|up|down|rechte[nr]?|linke[nr]?)(?:[- ](?:pointing|facing))?[- ](?:arrow|pfeil)\w*"
        r"|\bright(?= (?:at|down|up|next|above|below|under|beside|in|on|after|before|away|there)\b)"
        r"|\b(?:arrow|pfeil)\w*(?: \w+){0,2}? (?:left|right|up\w*|down\w*|oben|unten|links|rechts)",
        " ",
        text,
        flags=_FLAGS,
    )


def _pieces(clause: str) -> list[tuple[str, str]]:
    """What is meant, then what it stands to, each with the relation."""
    matches = list(patterns.RELATION.finditer(clause))
    starts = [match.start() for match in matches] + [len(clause)]
    pieces = [("", clause[: starts[0]])]
    for match, end in zip(matches, starts[1:], strict=True):
        tail = clause[match.end() : end].strip()
        if not re.sub(r"^(?:it|this|that|him|her|them|one)\b", "", tail, flags=_FLAGS).strip():
            continue
        tail, *rest = patterns.THEN.split(tail, maxsplit=1)
        pieces += [("", said) for said in rest]
        parts = re.split(r"\s+(?:and|und)\s+", tail, maxsplit=1) if match.lastgroup == "between" else [tail]
        # "In the row of Doe": what is in that row, and not only what is near.
        relation = "" if re.search(r"row|line|zeile|fila|ligne", match[0], _FLAGS) else str(match.lastgroup)
        pieces += [(relation, part) for part in parts]
    return pieces


def _regions(text: str) -> set[str]:
    text = re.sub(r"\b(?:top|bottom)(?= (?:of|in) the (?:side|menu|list|form|navigation))", " ", text, flags=_FLAGS)
    return {
        name for name, phrase in patterns.REGIONS.items() if re.search(rf"(?<![\w-])(?:{phrase})(?![\w])", text, _FLAGS)
    }


def _kinds(text: str) -> set[str]:
    return {
        name for name, phrase in patterns.KINDS.items() if re.search(rf"(?<![\w])(?:{phrase})(?![\w])", text, _FLAGS)
    }


def _counted_by(kind: str) -> str:
    """The words by which a kind is counted; "type" is something else than a field where it has a number."""
    return lexicon.KINDS[kind] if kind == "field" else patterns.KINDS.get(kind, lexicon.KINDS[kind])


def _ordinal(text: str, kinds: set[str]) -> tuple[int, str, str]:
    """Which one of which kind a text counts, of an instruction that speaks of some, and the text without it."""
    words = "|".join(sorted(map(re.escape, lexicon.ORDINALS), key=len, reverse=True))
    for kind in patterns.COUNTED:
        found = re.search(
            rf"\b({words})(?: [\w-]+)? (?:{lexicon.KINDS[kind]}|{_counted_by(kind)})\b"
            rf"|\b({words})(?: from (?:the )?(?:top|left))",
            text,
            _FLAGS,
        )
        if found:
            word = (found[1] or found[2]).lower()
            return lexicon.ORDINALS[word], kind, text[: found.start()] + " " + kind + " " + text[found.end() :]
    found = re.search(rf"\b({words}) (?:{lexicon.NOUNS})\b(?! (?:field|box|button|icon|link|tab|feld)\b)", text, _FLAGS)
    if found:
        return lexicon.ORDINALS[found[1].lower()], "entry", text[: found.start()] + " " + text[found.end() :]
    found = re.search(
        rf"\b({words}) (?:[\w-]+ ){{1,2}}(?=(?:in|of|from|on) (?:the|this) (?:[\w-]+ ){{0,2}}list\b)", text, _FLAGS
    )
    if found:
        return lexicon.ORDINALS[found[1].lower()], "entry", text[: found.start()] + " " + text[found.end() :]
    said = kinds & {"icon", "button"} or kinds & frozenset(patterns.COUNTED)
    found = re.search(
        rf"\b({words})(?: one)?(?= (?:in|of|from|on|within|im|in der|von)\b(?! all\b)|\s*$)", text, _FLAGS
    )
    if found and len(said) == 1:
        return lexicon.ORDINALS[found[1].lower()], min(said), text[: found.start()] + " " + text[found.end() :]
    return 0, "", text
