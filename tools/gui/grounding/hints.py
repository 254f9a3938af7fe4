"""What a text says, piece by piece: words and meanings; of an instruction also kinds, places, neighbours, numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from tools.gui.grounding import lexicon, speech
from tools.gui.grounding.asides import numbered
from tools.gui.grounding.colours import take_colour
from tools.gui.grounding.matching import negated
from tools.gui.grounding.meanings import ACTIONS, MEANINGS
from tools.gui.guard.words import VERBS, find_verbs

_FLAGS = re.IGNORECASE
_REASON = 0.5
"""What words are worth that tell why or what for; our choice."""
_DONE = 0.6
"""What words are worth that tell what is done with a control that is named after them; our choice."""
_OPENED = frozenset({"menu", "dropdown", "tab", "menuitem"})
"""Kinds of what is opened by clicking it, and not by something called "Open"."""
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
        literal: the same of a meaning that is told by a word which hardly ever stands on a control.
        look: whether it may be how an icon looks.
    """

    key: str
    weight: float
    name: bool = False
    at: int = 0
    word: str = ""
    literal: str = ""
    look: bool = False


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
    apart: bool
    heard: frozenset[str]


@lru_cache(maxsize=256)
def understand(instruction: str) -> Said:
    """The hints that an instruction gives."""
    text = " ".join(unicodedata.normalize("NFKC", instruction).replace("’", "'").split())
    text = numbered(speech.WHOLE_WORD.sub(r"\1", text))
    text = speech.SIGN.sub(r"\1symbol", speech.NOT.sub(" ", speech.POLITE.sub("", text))).strip()
    text = speech.UNTICKED.sub("untick", speech.TYPED.sub("cursor in ", speech.SPUN.sub("field", text)))
    text = re.sub(lexicon.COMPOUND, r"\1 \2 \3", text, flags=_FLAGS)
    # What a dialog is called, such as "Delete study", is not asked to be done.
    inside = [*speech.WITHIN.finditer(text), *speech.WITHIN_GERMAN.finditer(text)]
    inside = [match for match in inside if speech.NAMES_NONE.sub("", text[: match.start()]).strip() or _goes_on(match)]
    for match in sorted(inside, key=lambda match: -match.start()):
        after = text[match.end() :]
        text = f"{text[: match.start()]} {'in order' if re.match(r' to [a-z]', after) else ''} {after.strip()}"
    # The tab that something is on is open, and not what is meant.
    tabs = [match for match in speech.ON_TAB.finditer(text) if _is_aside(match)]
    for match in reversed(tabs):
        text = text[: match.start()] + " " + text[match.end() :]
    words: list[Hint] = []
    anchors = []
    own: list[str] = []
    regions: set[str] = set()
    kinds: set[str] = set()
    ordinal, counted, colour = 0, "", ""
    placed_at: set[int] = set()
    counted_at = -1
    asked_from = _asked_from(text)
    means = speech.MEANS.search(text)
    done_till = means.start() if means else 0
    text = f"{text[:done_till]},{text[done_till:]}" if means else text
    text, told_to = _told_to(text)
    for start, clause in _clauses(text):
        if start >= told_to:
            # Places in what it is for are those of something else.
            own.append(clause)
            words += [replace(hint, weight=_REASON * hint.weight) for hint in hints(clause, True)]
            continue
        share = _REASON if start < asked_from or speech.THE_ONE.match(clause) else _DONE if start < done_till else 1.0
        for relation, piece in _pieces(clause):
            where = piece
            if not relation:
                own.append(piece)
            else:
                placed_at.add(start)
                anchors.append((relation, hints(piece, True), frozenset(_kinds(piece)), piece))
                regions |= _regions(piece) if re.search(r"\bat the\b|\bon the\b", piece) else set()
                continue
            if not ordinal:
                ordinal, counted, where = _ordinal(where, _kinds(text))
                counted_at = start if ordinal else -1
            if re.search(r"\b(?:button|one|icon|link|tab|knopf|schaltfläche|arrows?)\b", where, _FLAGS):
                plain, colour = take_colour(where) if not colour else (where, colour)
                where = plain
            regions |= _regions(_unpointed(where))
            where = re.sub(speech.REGIONS["center"], " ", where, flags=_FLAGS)
            kinds |= _kinds(re.sub(rf"\b(?:{speech.MENU})\b", " ", where, flags=_FLAGS))
            words += [replace(hint, weight=share * hint.weight) for hint in _looking(hints(where, True), where)]
    anchors += [("in", named, frozenset(), match[1]) for match in inside if (named := hints(match[1], True))]
    kept: dict[str, Hint] = {}
    opening = kinds & _OPENED and not re.search(r"\bview\b", " ".join(own), _FLAGS)
    for hint in words:
        if hint.key in kinds - {"menu"} or (hint.key == "open" and opening):
            continue
        if hint.key not in kept or hint.weight > kept[hint.key].weight:
            kept[hint.key] = hint
    if counted == "entry" and any(hint.weight >= 1 and hint.key not in ACTIONS for hint in kept.values()):
        # "The second study in the list, CT head" has a name, and lists have headings among their rows.
        ordinal, counted = 0, ""
    text, told = text.replace("_", " "), " ".join(own).replace("_", " ")
    uncentred = re.sub(speech.REGIONS["center"], " ", text.casefold())
    verbs = set(find_verbs(told, VERBS, label=False))
    verbs |= {DEEDS[key] for key in kept.keys() & DEEDS.keys()}
    if min(kept.values(), key=lambda hint: hint.at, default=Hint("", 0.0)).key == "cancel":
        # "Cancel the deletion" asks for none.
        verbs, kept = set(), {key: hint for key, hint in kept.items() if key not in DEEDS}
    if {"top", "bottom"} <= regions or {"left", "right"} <= regions:
        # "From top to bottom" is no place.
        regions -= {"top", "bottom"} if "top" in regions else {"left", "right"}
    return Said(
        tuple(kept.values()), frozenset(kinds), frozenset(regions), tuple(anchors), ordinal, counted, colour,
        frozenset(verbs), bool(_described()[1].search(uncentred)), text.casefold(),
        frozenset(map(stem, re.findall(r"\w+", told.casefold()))), negated(instruction),
        bool(speech.NEIGHBOUR.search(text)), ordinal != 0 and all(at > counted_at for at in placed_at),
        frozenset(map(stem, re.findall(r"\w+", text.casefold()))),
    )  # fmt: skip


def _looking(told: Sequence[Hint], text: str) -> list[Hint]:
    """Hints of a text, those marked that may be how an icon looks."""
    spans = [match.span(1) if match[1] else match.span(2) for match in speech.LOOK.finditer(text)]
    return [replace(hint, look=any(start <= hint.at < end for start, end in spans)) for hint in told]


def _clauses(text: str) -> Iterator[tuple[int, str]]:
    """The clauses of a text, and where each begins."""
    start = 0
    for match in speech.CLAUSES.finditer(text):
        yield start, text[start : match.start()]
        start = match.end()
    yield start, text[start:]


def _asked_from(text: str) -> int:
    """Where in a text begins what is to be done, after the reason for it; 0 where none is told, or no more is said."""
    match = speech.SO.search(text)
    return match.start() + 1 if match and hints(text[match.end() :], True) else 0


def _goes_on(match: re.Match[str]) -> bool:
    """Whether what is looked for follows: "im Fenster X auf Löschen", "in the X group, tick Y"."""
    first = not match.string[: match.start()].strip()
    return bool(re.match(r"\s*auf\s|,\s*\w" if first else r"\s*auf\s", match.string[match.end() :], _FLAGS))


def _is_aside(match: re.Match[str]) -> bool:
    """Whether something else than what was matched is said to be clicked, before it or after."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    return bool(speech.NAMES_NONE.sub("", before).strip(" ,") or re.match(r"\s*,\s*\w", after))


def _told_to(text: str) -> tuple[str, int]:
    """A text with a comma where it begins to tell what for, and where that is; its length where it does not tell."""
    match = None if speech.VALUED.match(text) else speech.PURPOSE.search(text)
    if not match and re.match(rf"(?:{lexicon.CLICKS})\w*\b", text, _FLAGS):
        match = speech.PRESSED_TO.search(text)
    if not match:
        return text, len(text)
    start, end = match.span("to") if match.groupdict().get("to") else (match.end(), match.end())
    return f"{text[:start]}, {text[end:]}", start


@cache
def _patterns(said: bool) -> dict[str, re.Pattern[str]]:
    return {
        key: re.compile(rf"(?<![\w])(?:{both}{'|' + people if said and people else ''})(?![\w])")
        for key, (both, people) in MEANINGS.items()
    }


@cache
def _described() -> tuple[re.Pattern[str], ...]:
    """What tells a kind, a part of the screen or a number, and so is no word of a label."""
    nouns = "|".join((*lexicon.KINDS.values(), *speech.KINDS.values()))
    ordinals = "|".join(sorted(map(re.escape, lexicon.ORDINALS), key=len, reverse=True))
    phrases = (nouns, ordinals, *speech.REGIONS.values(), speech.ASIDE, speech.MENU)
    return tuple(re.compile(rf"(?<![\w])(?:{phrase})(?![\w])") for phrase in phrases)


@lru_cache(maxsize=8192)
def hints(text: str, said: bool) -> tuple[Hint, ...]:
    """The words and meanings of a text: what people say, or what stands on a control."""
    text = speech.WHOLE_WORD.sub(r"\1", text).replace("_", " ")
    plain = re.sub(r"'(?:s|m|re|ve|d|ll)\b", "", unicodedata.normalize("NFKC", text).casefold().replace("^", " "))
    if said:
        plain = re.sub(rf"\b(?:{speech.MENU})\b", lambda match: " " * len(match[0]), plain)
    meant = ((match, key) for key, pattern in _patterns(said).items() for match in pattern.finditer(plain))
    spans = sorted(
        ((match.start(), match.end(), key) for match, key in meant),
        key=lambda span: (span[0] - span[1], span),
    )
    taken: list[tuple[int, int]] = []
    found: list[Hint] = []
    german = bool(speech.GERMAN.search(plain))
    stressed = [match.span(1) for match in speech.STRESSED.finditer(plain)] if said else []

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
        weight = 0.35 if key in speech.GENERAL else 0.6 if said and key in speech.VAGUE else 1.0
        literal = 1.25 if plain[start:end].split()[0] in written else 1.0
        # "With the Patient button": what is pressed has that name, however common.
        weight *= 2.0 if key in speech.GENERAL and stress(start) > 1 else 1.0
        spoken = plain[start:end] if said and not _patterns(False)[key].fullmatch(plain[start:end]) else ""
        found.append(Hint(key, weight * stress(start) * literal, at=start, literal=folded(spoken)))
    if said:
        taken += [match.span() for pattern in _described() for match in pattern.finditer(plain)]
    first = True
    # "2,5 mg" are no 5 mg.
    for match in re.finditer(r"\d+(?:[.,]\d+)+(?![\w.,/-]*\w)|[\w][\w./-]*\w|\w", plain):
        inside = any(start < match.end() and match.start() < end for start, end in taken)
        word = re.sub(r"(?<=\d),(?=\d)", ".", match[0])
        if not inside and (word not in speech.FILLERS or word in capitals) and word != "s":
            name = any(map(str.isdigit, word)) or (not first and word in written) or (said and word in capitals)
            common = speech.GENERAL | speech.STRESSING
            weight = 0.35 if word in common or word.removesuffix("s") in common else 1.2 if name else 1.0
            parts = word.split("/") if any(map(str.isdigit, word)) else (word, *re.split(r"[./-]", word))
            for part in dict.fromkeys(parts):
                if part and (part not in speech.FILLERS or part in capitals):
                    named = name and part not in speech.GENERAL
                    found.append(Hint(stem(part), weight * stress(match.start()), named, match.start(), folded(part)))
        first = False
    return tuple(found)


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without endings of number, case and person in English and German, and without accents."""
    plain = folded(word)
    for ending in ("ings", "ing", "ern", "ies", "ed", "en", "er", "es", "em", "e", "n", "s", "y"):
        if not any(map(str.isdigit, plain)) and plain.endswith(ending) and len(plain) - len(ending) >= 4:
            plain = plain[: -len(ending)]
            # "Cropping" is a form of "crop".
            return plain[:-1] if len(ending) > 1 and re.search(r"([bdgmnpt])\1$", plain) else plain
    return plain


def written(text: str) -> frozenset[str]:
    """The words of a text as they are, but for case and accents; decimals are one."""
    return frozenset(map(folded, re.findall(r"\w+", text.casefold()))) | {hint.word for hint in hints(text, False)} - {
        ""
    }


def as_written(word: str) -> str:
    """What a word is compared by where only the very same one will do."""
    return f"={word}"


def folded(word: str) -> str:
    """A word without accents, and with letters that are read for one another made one."""
    plain = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c)).replace("ß", "ss")
    return plain if any(map(str.isdigit, plain)) else plain.translate(_SLIPS)


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
    matches = list(speech.RELATION.finditer(clause))
    starts = [match.start() for match in matches] + [len(clause)]
    pieces = [("", clause[: starts[0]])]
    for match, end in zip(matches, starts[1:], strict=True):
        tail = clause[match.end() : end].strip()
        if not re.sub(r"^(?:it|this|that|him|her|them|one)\b", "", tail, flags=_FLAGS).strip():
            continue
        tail, *rest = speech.THEN.split(tail, maxsplit=1)
        pieces += [("", said) for said in rest]
        parts = re.split(r"\s+(?:and|und)\s+", tail, maxsplit=1) if match.lastgroup == "between" else [tail]
        # "In the row of Doe": what is in that row, and not only what is near.
        relation = "" if re.search(r"row|line|zeile|fila|ligne", match[0], _FLAGS) else str(match.lastgroup)
        pieces += [(relation, part) for part in parts]
    return pieces


def _regions(text: str) -> set[str]:
    text = re.sub(r"\b(?:top|bottom)(?= (?:of|in) the (?:side|menu|list|form|navigation))", " ", text, flags=_FLAGS)
    return {
        name for name, phrase in speech.REGIONS.items() if re.search(rf"(?<![\w-])(?:{phrase})(?![\w])", text, _FLAGS)
    }


def _kinds(text: str) -> set[str]:
    return {name for name, phrase in speech.KINDS.items() if re.search(rf"(?<![\w])(?:{phrase})(?![\w])", text, _FLAGS)}


def _counted_by(kind: str) -> str:
    """The words by which a kind is counted; "type" is something else than a field where it has a number."""
    return lexicon.KINDS[kind] if kind == "field" else speech.KINDS.get(kind, lexicon.KINDS[kind])


def _ordinal(text: str, kinds: set[str]) -> tuple[int, str, str]:
    """Which one of which kind a text counts, of an instruction that speaks of some, and the text without it."""
    words = "|".join(sorted(map(re.escape, lexicon.ORDINALS), key=len, reverse=True))
    for kind in speech.COUNTED:
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
    said = kinds & {"icon", "button"} or kinds & frozenset(speech.COUNTED)
    found = re.search(
        rf"\b({words})(?: one)?(?= (?:in|of|from|on|within|im|in der|von)\b(?! all\b)|\s*$)", text, _FLAGS
    )
    if found and len(said) == 1:
        return lexicon.ORDINALS[found[1].lower()], min(said), text[: found.start()] + " " + text[found.end() :]
    return 0, "", text
