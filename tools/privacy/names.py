"""Names in prose: `without_patient_names` removes certain names, `possible_names` finds words that may be a name or a
place, so that a person is asked, and `strange_words` finds words that are in no word list.

There is no list of all names, and many diseases are named after a person. The rules use capitals, context and lists of
ordinary words; they miss lower-case names without `'s` or a given name, and names that are words. Presidio finds more
if it is installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from tools.privacy.detect import TITLE
from tools.privacy.words import word_set

_NAME = r"(?:[OD]['’]|Mc|Mac)?[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ’']+(?:-[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ’']+)*"
IsWord = Callable[[str], bool]
"""Returns whether a word, in any letter case, is a word of English or of the queries' field, and not a name."""
_RUN = re.compile(
    rf"(?<![\w'’/-]){_NAME}(?: (?:(?:van|von|de|del|di|da|der|la|bin|al) )*(?:[A-Z]\.? )?{_NAME})*(?![\w/])"
)
_NAMED_PERSON = re.compile(
    r"(?i:\b(?:(?:my|our|this) (?:(?:new|old|young|male|female|elderly|adult|child|infant|adolescent) )*"
    r"(?:patient|pt|client|mother|father|mum|mom|dad|wife|husband|son|daughter|brother|sister|uncle|aunt|friend"
    r"|neighbou?r|colleague|boss|grandmother|grandfather|cousin)|(?:named|called) ?)"
    rf"\b)[ ,:]{{0,2}}(?P<name>{_NAME}(?: {_NAME}){{0,3}})(?![\w/])"
)
"""A reference to one person, followed by a name."""
_BEFORE = re.compile(r"(?i)\b(?:patient|pt|case|called|named|senator|president|minister|actor|singer|teacher)[ ,:]*$")
_ONE_PERSON = re.compile(
    r"(?i)\b(?:(?:my|our|this|a|an|the) (?:\w+ )?(?:patient|man|woman|boy|girl|lady|gentleman|teacher|mayor|nurse"
    r"|driver)|he|she|his|her|old|aged)\b"
)
"""A reference to one person, so that a place identifies the person."""
_FROM = re.compile(r"\b(?:of|from|near|in) $")
_AGE_AFTER = re.compile(
    r" ?[,(] ?(?:an? |the )?(?:infant|child|adolescent|(?:older )?adult|fe?male|man|woman|boy|girl)\b"
)
_EPONYM_NOUN = re.compile(
    r"(?i)(?:['’]s)?(?:[ -](?:type|like))?[ -]?\b(?:diseases?|syndromes?|lymphomas?|sarcomas?|tumou?rs?|palsy|chorea"
    r"|disorder|anomaly|signs?|tests?|scales?|scores?|index|criteria|classification|inventory|questionnaire|examination"
    r"|stages?|staging|cohort|registry|survey|study|trial|assessment|instrument|grading|equation|formula|procedure"
    r"|operation|maneuver|manoeuvre|contractures?|phenomenon|reflex|stain|o?esophagus|thyroiditis|arteritis|nodes?"
    r"|dystrophy|ataxia|paralysis|malformation|bod(?:y|ies)|cyst|gland|prosthesis|protocol|regimen|valve|shunt|catheter"
    r"|murmur|analysis|association|society|college|pylori)\b"
)
"""Nouns after an eponym of medicine."""
_ENDINGS = re.compile(
    r"(?i)(?:itis|osis|oses|oma|omas|emia|aemia|uria|pathy|plasty|ectomy|otomy|ostomy|scopy|graphy|gram|logy|algia|trophy|"
    r"penia|plegia|pnea|rrhea|sclerosis|coccus|bacter|mab|nib|statin|pril|sartan|olol|azole|cillin|mycin|oxacin|cycline|"
    r"parin|xaban|gliptin|gliflozin|glutide|azepam|idine|amine|amide|ine|ate|ide|one|ism|tion|sion|ment|ness|ity|ance|ence|"
    r"ing|ive|al|ic|ous|ed)$"
)
"""Endings of medical words; some names share them, and count as names after a given name. Our choice."""


_PARTICLE = r"(?:(?i:al|el|bint?|ibn|abu|van|von|zu|ter?|de[nrl]?|d[iua]|dos|l[ae])[ -])"
_TITLED = re.compile(
    r"(?<![\w-])(?:"
    + TITLE
    + r"|Mister|Mx|Master|Doctor|Professor|Sir|Lady|Sister|Nurse|Hr|Sr?ta|Señora?|Dott(?:\.ssa)?"
    r"|Signora?|Mevr|Dhr|Pan[ií])\b\.?,? "
    rf"(?P<name>(?:[A-Z]\.? ?)*{_PARTICLE}{{0,2}}{_NAME}(?:[ -]{_PARTICLE}{{0,2}}{_NAME})*)(?:['’]s?)?(?!\w)"
)
"""A title, and the name after it."""
_ORIGIN = re.compile(
    rf"(?<![\w-])(?:(?:[Aa]l|[Ee]l|[Bb]int?|[Ii]bn|[Aa]bu|[Vv]an|[Vv]on)(?: de[rn]?| la)?[ -])+{_NAME}(?!\w)"
)
_INNER = re.compile(r"(?<![\w-])(?:[OD]['’]|Mc|Mac)[A-Z][a-z]+(?![\w/])")
_OWNED = re.compile(r"(?<![\w'’/-])(?:(?P<given>[^\W\d_]+)[ -])?(?P<name>[^\W\d_]{2,})(?:['’]s|(?<=s)['’])(?!\w)")
_WITH_INITIALS = re.compile(rf"(?<![\w'’/-])(?P<name>{_NAME}),? [A-Z]\.?[A-Z]?(?![\w'’/+-])")
_PLACE = re.compile(rf"\b(?:in|from|at|near|around|outside|to)(?: the)? (?P<name>{_NAME}(?: {_NAME})*)(?![\w/])")
"""Where somebody is from, if the words are in no list."""
_SMALL_PLACE = re.compile(r"\b(?:in|from|at|near) (?P<name>[a-z]{4,})(?![\w/-])")
_NEW_YORK = re.compile(r"\bNew York(?! City)\b")


def without_patient_names(text: str, is_word: IsWord) -> str:
    """Remove certain names from a plain text: those after a title, and after a reference to a person, as in `my patient
    Ann Smith`."""

    def cut(found: re.Match[str]) -> str:
        words = found["name"].split()
        if _EPONYM_NOUN.match(text, found.end()) or _is_known(words[0], is_word):
            return found[0]
        return found[0][: found.start("name") - found.start()].rstrip(" ,:")

    text = _TITLED.sub(lambda found: found[0] if _is_unit(found, is_word) else " ", text)
    return _NAMED_PERSON.sub(cut, text)


def possible_names(text: str, is_word: IsWord) -> list[str]:
    """Return the words of a plain text that may name a person or a place, in order."""
    held = _NEW_YORK.sub(lambda found: " " * len(found[0]), text)
    found: dict[int, str] = {}
    for run in _RUN.finditer(held):
        if name := _by_capitals(run, held, is_word):
            found.setdefault(run.start(), name)
    for pattern in (_ORIGIN, _INNER, _WITH_INITIALS, _PLACE, _SMALL_PLACE, _OWNED):
        for one in pattern.finditer(held):
            if name := _by_shape(one, held, is_word):
                found.setdefault(one.start(), name)
    for one in re.finditer(r"(?<![\w'’/.:-])[^\W\d_]+(?![\w/-]|\.\w)", held):
        if one[0].casefold() in word_set("given_names") and not _EPONYM_NOUN.match(held, one.end()):
            found.setdefault(one.start(), one[0])
    names = list(dict.fromkeys(found[place] for place in sorted(found)))
    return [name for name in names if not any(name != other and name in other for other in names)]


def strange_words(text: str, is_word: IsWord) -> list[str]:
    """Return the words of a plain text that are in no word list, in order: each may be a name or a record number."""
    held = _RUN.sub(lambda run: " " if _EPONYM_NOUN.match(run.string, run.end()) else run[0], _NEW_YORK.sub(" ", text))
    found = dict.fromkeys(re.findall(r"[^\W_]+(?:['’](?=\w)[^\W_]+)*", held))
    return [word for word in found if not _is_common(word, is_word)]


def _is_common(word: str, is_word: IsWord) -> bool:
    if any(map(str.isdigit, word)):
        return sum(map(str.isdigit, word)) <= _MAX_DIGITS
    bare = re.sub(r"['’]s$", "", word)
    if bare.casefold() in word_set("given_names"):
        return False
    return is_word(bare) or bare.casefold() in _eponyms() or bare.capitalize() in word_set("heading_words")


_MAX_DIGITS = 4
"""Maximum number of digits of a harmless code or number: a year has four."""


@cache
def _eponyms() -> frozenset[str]:
    return frozenset(name.casefold() for name in word_set("eponyms"))


def _by_shape(found: re.Match[str], text: str, is_word: IsWord) -> str:
    """Return what has the shape of a name, unless it is an eponym of medicine."""
    parts = found.groupdict()
    name = parts.get("name") or found[0]
    end = found.end()
    if _EPONYM_NOUN.match(text, end) or _EPONYM_NOUN.match(text, found.start() + len(found[0].rstrip("s'’"))):
        return ""
    words = [word for part in name.split() for word in part.split("-")]
    if found.re not in (_ORIGIN, _INNER):
        if all(_is_known(word, is_word) or _is_common(word, is_word) for word in words):
            return ""
        given = parts.get("given") or ""
        return f"{given} {name}" if given and not _is_common(given, is_word) else name
    return "" if all(_is_known(word, is_word) for word in words) else name


def _is_unit(found: re.Match[str], is_word: IsWord) -> bool:
    """Return whether an apparent title and name is neither, such as `Sister chromatid` or `Ms Patients`."""
    return all(_is_common(word, is_word) for word in re.split(r"[ -]", found["name"])) and found[0][:2] not in (
        "Mr",
        "Dr",
    )


def _by_capitals(found: re.Match[str], text: str, is_word: IsWord) -> str:
    """Return the part of a run of capitalised words that may be a name."""
    words = found[0].split()
    start = found.start()
    while words and words[0] in word_set("heading_words"):  # the first word of a question
        start += len(words[0]) + 1
        words = words[1:]
    if not words:
        return ""
    name = " ".join(words)
    if len(words) > 1 and any(part in word_set("given_names") for part in words[0].casefold().split("-")):
        return name
    if _EPONYM_NOUN.match(text, found.end()) or _EPONYM_NOUN.fullmatch(words[-1]):
        return ""
    unknown = [word for word in words if not _is_known(word, is_word)]
    if len(unknown) > 1:
        return name
    before, behind = text[:start], text[found.end() :]
    # Headings such as "Viral Load, Nasal" have commas, too, but no sentence around them.
    apart = before.rstrip().endswith(",") and len(re.findall(r"\b[a-z]{2,}\b", text)) > 2 and not _is_title(text)
    place = _FROM.search(before) and _ONE_PERSON.search(text)
    return name if unknown and (_BEFORE.search(before) or _AGE_AFTER.match(behind) or apart or place) else ""


def _is_known(word: str, is_word: IsWord) -> bool:
    bare = re.sub(r"['’]s$", "", word)
    if any(part in word_set("eponyms") for part in bare.split("-")):
        return True
    if bare in word_set("heading_words") or bool(_ENDINGS.search(bare)) or bare.rstrip("s") in word_set("eponyms"):
        return True
    return all(is_word(part) for part in bare.split("-"))


def _is_title(text: str) -> bool:
    """Return whether nearly all long words are capitalised, as in titles, where capitals say nothing."""
    words = re.findall(r"\b[^\W\d_]{4,}\b", text)
    return len(words) >= 5 and sum(word[0].isupper() for word in words) > 0.6 * len(words)
