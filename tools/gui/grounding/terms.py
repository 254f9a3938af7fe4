"""The words and meanings of a text: what people say, or what stands on a control."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

from tools.gui.grounding import lexicon, patterns
from tools.gui.grounding.synonyms import MEANINGS

_SLIPS = str.maketrans("01|", "oll")
DEEDS = {"delete": "delete", "sign": "sign", "stop": "stop", "send": "submit"}
"""Meanings that are a grave deed, and its name in `tools.gui.guard.effect_words`."""


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


_NAMING = re.compile(r"(?:table|images?|picture|form)\s+(?:number\s+)?(?:field|box|button|tab|link|icon|menu)\b")
"""Where what is else a part of the screen is what a control is called: "the Table field"."""


@cache
def _patterns(said: bool) -> dict[str, re.Pattern[str]]:
    return {
        key: re.compile(rf"(?<![\w-])(?:{both}{'|' + people if said and people else ''})(?![\w])")
        for key, (both, people) in MEANINGS.items()
    }


@cache
def _described() -> tuple[re.Pattern[str], ...]:
    """What tells a kind, a part of the screen or a number, and so is no word of a label."""
    nouns = "|".join((*lexicon.KINDS.values(), *patterns.KINDS.values()))
    ordinals = "|".join(sorted(map(re.escape, lexicon.ORDINALS), key=len, reverse=True))
    phrases = (nouns, ordinals, *patterns.REGIONS.values(), patterns.ASIDE, patterns.MENU)
    return tuple(re.compile(rf"(?<![\w])(?:{phrase})(?![\w])") for phrase in phrases)


def counts(text: str) -> bool:
    """Whether a text in lower case holds an ordinal."""
    return bool(_described()[1].search(text))


@lru_cache(maxsize=8192)
def hints(text: str, said: bool) -> tuple[Hint, ...]:
    """The words and meanings of a text: what people say, or what stands on a control."""
    text = patterns.WHOLE_WORD.sub(r"\1", text).replace("_", " ")
    plain = re.sub(r"'(?:s|m|re|ve|d|ll)\b", "", unicodedata.normalize("NFKC", text).casefold().replace("^", " "))
    if said:
        plain = re.sub(rf"\b(?:{patterns.MENU})\b", lambda match: " " * len(match[0]), plain)
    meant = ((match, key) for key, pattern in _patterns(said).items() for match in pattern.finditer(plain))
    spans = sorted(
        ((match.start(), match.end(), key) for match, key in meant),
        key=lambda span: (span[0] - span[1], span),
    )
    taken: list[tuple[int, int]] = []
    found: list[Hint] = []
    german = bool(patterns.GERMAN.search(plain))
    stressed = [match.span(1) for match in patterns.STRESSED.finditer(plain)] if said else []

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
        weight = 0.35 if key in patterns.GENERAL else 0.6 if said and key in patterns.VAGUE else 1.0
        literal = 1.25 if plain[start:end].split()[0] in written else 1.0
        # "With the Patient button": what is pressed has that name, however common.
        weight *= 2.0 if key in patterns.GENERAL and stress(start) > 1 else 1.0
        spoken = plain[start:end] if said and not _patterns(False)[key].fullmatch(plain[start:end]) else ""
        found.append(Hint(key, weight * stress(start) * literal, at=start, literal=folded(spoken)))
    if said:
        described = (match for pattern in _described() for match in pattern.finditer(plain))
        # "The BIG endian option" tells no size.
        taken += [
            match.span() for match in described if match[0] not in capitals and not _NAMING.match(plain, match.start())
        ]
    first = True
    # "2,5 mg" are no 5 mg.
    for match in re.finditer(r"\d+(?:[.,]\d+)+(?![\w.,/-]*\w)|[\w][\w./-]*\w|\w", plain):
        inside = any(start < match.end() and match.start() < end for start, end in taken)
        word = re.sub(r"(?<=\d),(?=\d)", ".", match[0])
        if not inside and (word not in patterns.FILLERS or word in capitals) and word != "s":
            name = any(map(str.isdigit, word)) or (not first and word in written) or (said and word in capitals)
            common = patterns.GENERAL | patterns.STRESSING
            weight = 0.35 if word in common or word.removesuffix("s") in common else 1.2 if name else 1.0
            parts = word.split("/") if any(map(str.isdigit, word)) else (word, *re.split(r"[./-]", word))
            for part in dict.fromkeys(parts):
                if part and (part not in patterns.FILLERS or part in capitals):
                    named = name and part not in patterns.GENERAL
                    found.append(Hint(stem(part), weight * stress(match.start()), named, match.start(), folded(part)))
        first = False
    return tuple(found)


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without endings of number, case and person in English and German, and without accents."""
    plain = folded(lexicon.SPELLINGS.get(word, word))
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
