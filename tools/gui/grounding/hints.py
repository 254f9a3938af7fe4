"""What a text says, piece by piece: words and meanings; of an instruction also kinds, places, neighbours, numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from tools.gui.grounding import lexicon
from tools.gui.grounding.colours import take_colour
from tools.gui.grounding.matching import negated
from tools.gui.grounding.meanings import MEANINGS
from tools.gui.guard.words import VERBS, find_verbs

_FLAGS = re.IGNORECASE
_FILLERS = frozenset(
    "a an the this that these those its his her hers him he she it they them their my me we us our you your i is "
    "are was be been am do does did has have had can could would should will shall must may might want wants "
    "wanted need needs like likes let lets get gets got give go goes going come make makes take takes please now "
    "then and or but so to of for on in at by with from into onto via as if up down out off over there here just "
    "only too also again once very really actually well ok okay yes no oh hm right good fine ready thanks thank what "
    "which who whose how when where one ones some any both other rather instead same look click press hit tap "
    "push select choose pick use using hover activate focus put place set switch move cursor mouse next finally "
    "first says say said reads labelled called named titled marked shows means way thing things der die das dem "
    "den des ein eine einen einem einer eines und oder mit im ins auf aus bei beim zu zum zur von vom für über "
    "nach hin ich er sie es wir ihr ihn ihm mich mir uns euch sein seine seiner seinem seinen ist sind war hat "
    "haben hab kann kannst könnte soll möchte bitte mal doch jetzt nun dann da dort hier wie wer wo welche um "
    "welcher noch auch klick klicke klicken tipp tippen drück drücke drücken wähle wählen anwählen auswählen "
    "setzen stell stelle nimm gehe geh ganz dazu dafür davon gibt wieder herr herrn frau mr mrs ms miss dr prof".split()
)
"""Words that tell nothing of which control is meant; our choice, as are all lists and weights below."""
_GENERAL = frozenset(
    "all patient study series link date test page list screen program programme record chart file entry item "
    "option value window view form table text name number id box bar line image picture akte liste "
    "seite eintrag".split()
)
"""Words that many controls and sentences have; they weigh little."""
_STRESSING = frozenset(
    "permanently definitely definitively irrevocably finally completely entirely absolutely certainly immediately "
    "endgültig unwiderruflich wirklich tatsächlich sofort komplett vollständig sicher".split()
)
"""Words that make another one stronger; they weigh little, too, but a control may be called by them."""
_POLITE = re.compile(
    r"^\W*(?:(?:stop|wait|halt|no|yes|oh|ah|hm+|ok|okay|good|right|well|actually|sorry|thanks|ja|nein|ach|moment|gut"
    r"|so|also|danke)\b(?:\s+(?:no|nein|ja|yes|then|dann))?\s*[,!.–—-]+\s*)+",
    _FLAGS,
)
_NOT = re.compile(
    r"\b(?:(?:do|does|did|will|would|should|could|must)n['’]t|do not|not|without|instead of|rather than|nicht|statt"
    r"|ohne)\b[^,.;:!?–—]*",
    _FLAGS,
)
_CLAUSES = re.compile(r"[,;:!?()–—\"“”„«»]|\s-\s|\.(?=\s|$)")
_NEAR = r"(?:(?:right|just|straight|directly|immediately|direkt|gleich|genau) )?"
_FIRM = {
    "between": r"between|zwischen",
    "left_of": dict(lexicon.RELATIONS)["left_of"] + r"|before|in front of|links davon",
    "right_of": dict(lexicon.RELATIONS)["right_of"] + r"|after|behind|hinter|rechts davon",
    "below": dict(lexicon.RELATIONS)["below"],
    "above": dict(lexicon.RELATIONS)["above"],
    "beside": dict(lexicon.RELATIONS)["beside"],
}
_RELATION = re.compile(
    "|".join(rf"(?P<{name}>\b{_NEAR}(?:{phrase})(?=\s|$))" for name, phrase in _FIRM.items()), _FLAGS
)
_REGIONS = {
    "top": r"top(?:most)?|upper(?:most)?|up (?:top|there|in|at)|oben|obere[nrs]?|header"
    r"|title ?bar|(?:top|tool|menu) ?bar|kopfzeile|titelleiste",
    "bottom": r"bottom|lower(?:most)?|foot(?:er)?|unten|untere[nrs]?|fußzeile|down (?:at|there)",
    "left": r"left(?:most)?|left[- ]hand|links|linke[nrs]?|side ?(?:bar|menu)|seiten(?:leiste|menü)",
    "right": r"right(?:most)?|right[- ]hand|rechts|rechte[nrs]?|far right",
}
_KINDS = {
    "checkbox": r"tick(?:ed)?|un-?tick|(?:check|tick) ?mark|mark(?= .*\b(?:as|for)\b)|kreuz\w*(?= .*\ban\b)"
    r"|ankreuzen|abhaken|anhaken|häkchen|haken",
    "dropdown": r"expand|unfold|pull[- ]?down|drop[- ]?down|combo ?box|choices|options for"
    r"|(?:list|values?) (?:next to|beside|for|behind)|aufklappen|klapp\w*|auswahl(?:liste)?",
    "field": r"(?:click|go|get|tap|jump|cursor|focus|put me|straight)(?: \w+){0,3} (?:in|into|inside)(?: the)?"
    r"(?=(?: \w+){1,4}(?: (?:field|box|input)|$))|type|typing|write(?= in)|input|fill (?:in|out)"
    r"|(?:text|entry|input|filter|search|edit) (?:field|box)|field|box|feld"
    r"|(?:eingabe|text|such)feld|cursor|eingeben|eintippen|ausfüllen",
    "tab": r"tab|reiter|registerkarte",
    "button": r"button|knopf|schaltfläche|taste",
    "icon": r"icon|symbol|glyph|zeichen|looking[- ]glass|magnif\w+|lens|lupe|cog ?(?:wheel)?|gear"
    r"|floppy(?: disk)?|disk(?:ette)?|house|pen(?:cil)?|(?:waste|rubbish|trash)? ?bin"
    r"|trash(?: can)?|cross|x|plus|arrow|printer|hamburger"
    r"|three (?:bars|lines)"
    r"|papierkorb|mülleimer|zahnrad|stift|pfeil|haus|häuschen|kreuz(?:chen)?|drucker|question mark",
    "link": r"link",
    "radio": r"radio(?: button)?|set (?:\w+ ){1,4}to",
    "switch": r"switch|toggle|slider|schalter|flip",
    "row": r"(?:table )?row|line|zeile|reihe|list entry",
    "column": r"column|spalte",
    "image": r"picture|thumbnail|bild",
}
_COUNTED = ("field", "tab", "button", "icon", "row", "link", "checkbox", "dropdown", "column")
"""Kinds of which "the second one" may be said."""
_ASIDE = (
    r"little|small|tiny|big|large|corner|ecke|kleine[nrsm]?|große[nrsm]?|arrows?|pfeile?|straight|tool|symbols?"
    r"|faint|group|side|edge|end|part|half|hidden|coloured|screen|page|seite|logo|circular|curved"
    rf"|two(?= (?:\w+ ){{0,2}}(?:arrows|circles|lines))|{lexicon.COLOURS}"
)
"""Words that describe how something looks or where it is, which hardly ever stand on a control."""
_GERMAN = re.compile(r"\b(?:der|die|das|den|dem|und|ist|auf|im|ins|bitte|ein|eine|einen|zu|für|mit|von|des)\b|[äöüß]")
"""What tells German, where every noun begins with a capital."""
_SIGN = re.compile(
    r"\b((?:plus|minus|question|warning|exclamation|arrow|equals|paragraph|little|small|round)\s+)sign\b", _FLAGS
)
_MENU = (
    r"(?:in|from|of|im|aus dem|on) (?:the )?(?:\w+ )?"
    r"(?:menu|navigation(?: (?:menu|bar|panel|pane))?|menü|seitenmenü)|(?:side|left) ?menu(?= on|$)"
)
"""A menu as a place."""
_STRESSED = re.compile(
    r"\b(?:with|using|via|through|by(?: means of| pressing| using)?|use|press|hit|click(?: on)?|choose|tap(?: on)?|push"
    r"|mit|mittels|per|über|drücken?|klicken? (?:sie )?auf)\s+(?:the |its |a |de[rmn] |die |das )?([^,;:]+?)"
    r"(?=$|[,;:]|\s(?:to|in|for|of|on|so|from|beside|next|at|under|below|above|um|bei|neben|in)\s)",
    _FLAGS,
)
"""What something is done with, which is the control itself."""
_THEN = re.compile(r"\s+(?:press|click|hit|use|choose|tap|push|drücken?|klicken?)\s+(?:on\s+|auf\s+)?", _FLAGS)
"""Where what is meant follows its place: "in the row of Doe press Open"."""
_TYPED = re.compile(
    r"\b(?:enter|type|write|fill in)\s+\S+(?:\s\S+){0,3}?\s+(?:as|into|in|under|for)\s+(?:the\s+|a\s+)?", _FLAGS
)
"""What shall be typed, which stands nowhere yet."""
_SO = re.compile(r",\s*(?:so|hence|therefore|also|daher|deshalb|darum)\s+(?!that\b|dass\b)", _FLAGS)
"""What follows it is to be done; before it stands why."""
_NEIGHBOUR = re.compile(
    rf"\b(?:{lexicon.NOUNS}|one|row|line|entry|zeile|eintrag)\s+(?:(?:right|just|directly)\s+)?"
    r"(?:after|before|behind|following|preceding|next to|beside|hinter|nach|vor|neben)\b",
    _FLAGS,
)
"""An entry of a list that is told by the one beside it."""
_PURPOSE = re.compile(
    r"\s(?i:so that|in order to|so as to|um(?= .*\bzu\b))\s"
    rf"|(?:\b(?i:{'|'.join(lexicon.KINDS.values())})|\s[A-ZÄÖÜ]\w+)(?= to [a-z])"
)
"""Where it is told what for: "the plus icon to begin a note", "Save to store it"."""
_PRESSED_TO = re.compile(
    r"(?<!next)(?<!close)(?<!adjacent)(?<!similar)(?= to [a-z]+ (?:a|an|the|this|it|his|her|all|any|new)\b)"
)
"""The same after what something is pressed for, whatever stands before."""
_SETTING = re.compile(r"^\W*(?:\w+ )?(?:set|change|switch|turn|move|adjust|put|go|get|drag)\b", _FLAGS)
"""Where what follows "to" is what shall be there."""
_REASON = 0.5
"""What words are worth that tell why or what for; our choice."""
_VAGUE = frozenset({"open", "previous", "start", "given"})
"""Meanings that people also speak of where they mean another control."""
_WITHIN = re.compile(
    r"\b(?:in|inside|within|of|on|from|im|in de[mr]|auf de[mr])\s+(?:the\s+|this\s+|that\s+|de[mrns]\s+)?"
    rf"((?:(?!(?:in|on|of|from|im|auf)\b)[\w^'/&-]+\s+){{1,4}}?)"
    rf"(?:{lexicon.KINDS['dialog']}|window|fenster|section|panel|pane|card|group|table|form"
    r"|abschnitt|gruppe|tabelle|formular)\b",
    _FLAGS,
)
"""A named part of the screen, in which something is."""
_NAMES_NONE = re.compile(rf"^(?:{lexicon.VERBS}|cursor)(?=\s|$)", _FLAGS)
"""What says of nothing yet that it is in something: of "click in the comment panel", the beginning."""
_SLIPS = str.maketrans("01|", "oll")
DEEDS = {"delete": "delete", "sign": "sign", "stop": "stop", "send": "submit"}
"""Meanings that are a grave deed, and its name in `tools.gui.guard.words`."""


@dataclass(frozen=True)
class Hint:
    """A word or meaning of a text.

    Attributes:
        key: what it is compared by.
        weight: how much it tells.
        name: whether it names something: a person, a drug, a number.
        at: where in the text it stands.
        word: as it is written, but for case and accents; "" for a meaning.
    """

    key: str
    weight: float
    name: bool = False
    at: int = 0
    word: str = ""


@dataclass(frozen=True)
class Said:
    """What an instruction says, by kinds of hints."""

    words: tuple[Hint, ...]
    kinds: frozenset[str]
    regions: frozenset[str]
    anchors: tuple[tuple[str, tuple[Hint, ...], frozenset[str], str], ...]
    ordinal: int
    counted: str
    colour: str
    verbs: frozenset[str]
    numbered: bool
    text: str
    spoken: frozenset[str]
    denied: bool
    unclear: bool


@lru_cache(maxsize=256)
def understand(instruction: str) -> Said:
    """The hints that an instruction gives."""
    text = " ".join(unicodedata.normalize("NFKC", instruction).replace("’", "'").split())
    text = _SIGN.sub(r"\1symbol", _NOT.sub(" ", _POLITE.sub("", text))).strip()
    text = re.sub(lexicon.COMPOUND, r"\1 \2 \3", _TYPED.sub("cursor in ", text), flags=_FLAGS)
    # What a dialog is called, such as "Delete study", is not asked to be done.
    inside = [match for match in _WITHIN.finditer(text) if _NAMES_NONE.sub("", text[: match.start()]).strip()]
    for match in reversed(inside):
        text = text[: match.start()] + " " + text[match.end() :]
    words: list[Hint] = []
    anchors = []
    regions: set[str] = set()
    kinds: set[str] = set()
    ordinal, counted, colour = 0, "", ""
    asked_from = _asked_from(text)
    text, told_to = _told_to(text)
    for start, clause in _clauses(text):
        pieces = _pieces(clause)
        for relation, piece in pieces:
            where = piece
            if relation:
                anchors.append((relation, hints(piece, True), frozenset(_kinds(piece)), piece))
                regions |= _regions(piece) if re.search(r"\bat the\b|\bon the\b", piece) else set()
                continue
            if not ordinal:
                ordinal, counted, where = _ordinal(where, _kinds(text))
            if re.search(r"\b(?:button|one|icon|link|tab|knopf|schaltfläche|arrows?)\b", where, _FLAGS):
                plain, colour = take_colour(where) if not colour else (where, colour)
                where = plain
            regions |= _regions(_unpointed(where))
            kinds |= _kinds(where)
            told = hints(where, True)
            why = start < asked_from or start >= told_to
            words += [replace(hint, weight=_REASON * hint.weight) for hint in told] if why else told
    anchors += [("in", told, frozenset(), match[1]) for match in inside if (told := hints(match[1], True))]
    kept: dict[str, Hint] = {}
    for hint in words:
        if hint.key in kinds:
            continue
        if hint.key not in kept or hint.weight > kept[hint.key].weight:
            kept[hint.key] = hint
    verbs = set(find_verbs(text, VERBS, label=False))
    verbs |= {DEEDS[key] for key in kept.keys() & DEEDS.keys()}
    return Said(
        tuple(kept.values()), frozenset(kinds), frozenset(regions), tuple(anchors), ordinal, counted, colour,
        frozenset(verbs), bool(_described()[1].search(text.casefold())), text.casefold(),
        frozenset(map(stem, re.findall(r"\w+", text.casefold()))), negated(instruction),
        bool(_NEIGHBOUR.search(text)),
    )  # fmt: skip


def _clauses(text: str) -> Iterator[tuple[int, str]]:
    """The clauses of a text, and where each begins."""
    start = 0
    for match in _CLAUSES.finditer(text):
        yield start, text[start : match.start()]
        start = match.end()
    yield start, text[start:]


def _asked_from(text: str) -> int:
    """Where in a text begins what is to be done, after the reason for it; 0 where none is told, or no more is said."""
    match = _SO.search(text)
    return match.start() + 1 if match and hints(text[match.end() :], True) else 0


def _told_to(text: str) -> tuple[str, int]:
    """A text with a comma where it begins to tell what for, and where that is; its length where it does not tell."""
    match = None if _SETTING.match(text) else _PURPOSE.search(text)
    if not match and re.match(rf"(?:{lexicon.CLICKS})\w*\b", text, _FLAGS):
        match = _PRESSED_TO.search(text)
    return (f"{text[: match.end()]}, {text[match.end() :]}", match.end()) if match else (text, len(text))


@cache
def _patterns(said: bool) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (key, re.compile(rf"(?<![\w])(?:{both}{'|' + people if said and people else ''})(?![\w])"))
        for key, (both, people) in MEANINGS.items()
    )


@cache
def _described() -> tuple[re.Pattern[str], ...]:
    """What tells a kind, a part of the screen or a number, and so is no word of a label."""
    nouns = "|".join((*lexicon.KINDS.values(), *_KINDS.values()))
    ordinals = "|".join(sorted(map(re.escape, lexicon.ORDINALS), key=len, reverse=True))
    return tuple(
        re.compile(rf"(?<![\w])(?:{phrase})(?![\w])") for phrase in (nouns, ordinals, *_REGIONS.values(), _ASIDE, _MENU)
    )


@lru_cache(maxsize=8192)
def hints(text: str, said: bool) -> tuple[Hint, ...]:
    """The words and meanings of a text: what people say, or what stands on a control."""
    plain = re.sub(r"'(?:s|m|re|ve|d|ll)\b", "", unicodedata.normalize("NFKC", text).casefold().replace("^", " "))
    if said:
        plain = re.sub(rf"\b(?:{_MENU})\b", lambda match: " " * len(match[0]), plain)
    spans = sorted(
        ((match.start(), match.end(), key) for key, pattern in _patterns(said) for match in pattern.finditer(plain)),
        key=lambda span: (span[0] - span[1], span),
    )
    taken: list[tuple[int, int]] = []
    found: list[Hint] = []
    german = bool(_GERMAN.search(plain))
    stressed = [match.span(1) for match in _STRESSED.finditer(plain)] if said else []

    def stress(at: int) -> float:
        return 1.5 if any(start <= at < end for start, end in stressed) else 1.0

    # "The MR" is a picture, "Mr" is a man.
    capitals = {match[0].casefold() for match in re.finditer(r"\b[A-Z]{2,}\b", text)} if not text.isupper() else set()
    written = (
        {match[0].casefold() for match in re.finditer(r"(?<=\s)[A-ZÄÖÜ]\w+", text)} if said and not german else set()
    )
    for start, end, key in spans:
        if any(start < other_end and other_start < end and (start, end) != (other_start, other_end)
               for other_start, other_end in taken):  # fmt: skip
            continue
        taken.append((start, end))
        if key == "delete" and (start, end, "close") in spans:
            continue
        weight = 0.35 if key in _GENERAL else 0.6 if said and key in _VAGUE else 1.0
        literal = 1.25 if plain[start:end].split()[0] in written else 1.0
        # "With the Patient button": what is pressed has that name, however common.
        weight *= 2.0 if key in _GENERAL and stress(start) > 1 else 1.0
        found.append(Hint(key, weight * stress(start) * literal, at=start))
    if said:
        taken += [match.span() for pattern in _described() for match in pattern.finditer(plain)]
    first = True
    for match in re.finditer(r"[\w][\w./-]*\w|\w", plain):
        inside = any(start < match.end() and match.start() < end for start, end in taken)
        word = match[0]
        if not inside and (word not in _FILLERS or word in capitals) and word != "s":
            name = any(map(str.isdigit, word)) or (not first and word in written) or (said and word in capitals)
            weight = 0.35 if word in _GENERAL | _STRESSING else 1.2 if name else 1.0
            parts = word.split("/") if any(map(str.isdigit, word)) else (word, *re.split(r"[./-]", word))
            for part in dict.fromkeys(parts):
                if part and (part not in _FILLERS or part in capitals):
                    named = name and part not in _GENERAL
                    found.append(Hint(stem(part), weight * stress(match.start()), named, match.start(), folded(part)))
        first = False
    return tuple(found)


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without endings of number, case and person in English and German, and without accents."""
    plain = folded(word)
    for ending in ("ings", "ing", "ern", "ies", "ed", "en", "er", "es", "em", "e", "n", "s", "y"):
        if not any(map(str.isdigit, plain)) and plain.endswith(ending) and len(plain) - len(ending) >= 4:
            return plain[: -len(ending)]
    return plain


def folded(word: str) -> str:
    """A word without accents, and with letters that are read for one another made one."""
    plain = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c)).replace("ß", "ss")
    return plain if any(map(str.isdigit, plain)) else plain.translate(_SLIPS)


def _unpointed(text: str) -> str:
    """A text without arrows that point somewhere, which name no part of the screen."""
    return re.sub(
        r"\b(?:left|right|up|down|rechte[nr]?|linke[nr]?) (?:arrow|pfeil)\w*"
        r"|\b(?:arrow|pfeil)\w*(?: \w+){0,2}? (?:left|right|up\w*|down\w*|oben|unten|links|rechts)",
        " ",
        text,
        flags=_FLAGS,
    )


def _pieces(clause: str) -> list[tuple[str, str]]:
    """What is meant, then what it stands to, each with the relation."""
    matches = list(_RELATION.finditer(clause))
    starts = [match.start() for match in matches] + [len(clause)]
    pieces = [("", clause[: starts[0]])]
    for match, end in zip(matches, starts[1:], strict=True):
        tail = clause[match.end() : end].strip()
        if not re.sub(r"^(?:it|this|that|him|her|them|one)\b", "", tail, flags=_FLAGS).strip():
            continue
        tail, *rest = _THEN.split(tail, maxsplit=1)
        pieces += [("", said) for said in rest]
        parts = re.split(r"\s+(?:and|und)\s+", tail, maxsplit=1) if match.lastgroup == "between" else [tail]
        # "In the row of Doe": what is in that row, and not only what is near.
        relation = "" if re.search(r"row|line|zeile|fila|ligne", match[0], _FLAGS) else str(match.lastgroup)
        pieces += [(relation, part) for part in parts]
    return pieces


def _regions(text: str) -> set[str]:
    text = re.sub(r"\b(?:top|bottom)(?= (?:of|in) the (?:side|menu|list|form|navigation))", " ", text, flags=_FLAGS)
    return {name for name, phrase in _REGIONS.items() if re.search(rf"(?<![\w-])(?:{phrase})(?![\w])", text, _FLAGS)}


def _kinds(text: str) -> set[str]:
    return {name for name, phrase in _KINDS.items() if re.search(rf"(?<![\w])(?:{phrase})(?![\w])", text, _FLAGS)}


def _ordinal(text: str, kinds: set[str]) -> tuple[int, str, str]:
    """Which one of which kind a text counts, of an instruction that speaks of some, and the text without it."""
    words = "|".join(sorted(map(re.escape, lexicon.ORDINALS), key=len, reverse=True))
    for kind in _COUNTED:
        found = re.search(
            rf"\b({words})(?: [\w-]+)? (?:{lexicon.KINDS[kind]}|{_KINDS[kind]})\b"
            rf"|\b({words})(?: from (?:the )?(?:top|left))",
            text,
            _FLAGS,
        )
        if found:
            word = (found[1] or found[2]).lower()
            return lexicon.ORDINALS[word], kind, text[: found.start()] + " " + kind + " " + text[found.end() :]
    said = kinds & frozenset(_COUNTED)
    found = re.search(
        rf"\b({words})(?: one)?(?= (?:in|of|from|on|within|im|in der|von)\b(?! all\b)|\s*$)", text, _FLAGS
    )
    if found and len(said) == 1:
        return lexicon.ORDINALS[found[1].lower()], min(said), text[: found.start()] + " " + text[found.end() :]
    return 0, "", text
