"""The things that a question names, as classes of the object detector and of the vision network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from agent.models.embedded.imagenet import concepts, singulars, with_article
from tools.wordlists import load_words

PEOPLE = "person"
UNTOLD = frozenset(
    "man woman child kid boy girl baby guy lady gentleman dude teenager adult men women children face crowd cyclist "
    "biker rider driver player worker walker pedestrian".split()
)
"""Words for people that say more than the detector can tell."""
_IDLE = frozenset(
    "screen picture image frame sign window view place camera photo can work will video clip scene film shot side part "
    "left right top bottom middle centre center background foreground colour color thing object front".split()
)
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_PLURALS = {
    "person": "people",
    "wolf": "wolves",
    "mouse": "mice",
    "knife": "knives",
    "skis": "skis",
    "scissors": "scissors",
}


@dataclass(frozen=True)
class Target:
    """A thing that a question names.

    Attributes:
        word: as asked, singular.
        classes: classes of the detector that it covers, such as `car`, `bus` and `truck` for `vehicle`; may be empty.
        concept: the phrase by which the vision network's classes know it; None where they do not.
    """

    word: str
    classes: frozenset[str]
    concept: str | None

    @property
    def is_people(self) -> bool:
        """Whether it means people."""
        return PEOPLE in self.classes


@cache
def vocabulary() -> dict[str, frozenset[str]]:
    """Return the classes of the detector by word, read once from `data/things.txt`."""
    found: dict[str, set[str]] = {}
    for name, words in load_words(__package__, "things").items():
        for word in words:
            found.setdefault(word, set()).add(name)
    return {word: frozenset(classes) for word, classes in found.items()}


def find_targets(text: str) -> list[Target]:
    """Return the things that a question names, in order, the longest phrase where two overlap."""
    words = re.findall(r"[a-z][a-z'-]*", text.lower().replace("'s ", " "))
    known, found, at = vocabulary(), [], 0
    while at < len(words):
        for length in range(min(4, len(words) - at), 0, -1):
            phrase = " ".join(words[at : at + length])
            word = next((form for form in (phrase, *singulars(phrase)) if form in known), None)
            concept = concepts().known(phrase)
            if (word or concept) and phrase not in _IDLE and concept not in _IDLE:
                found.append(Target(word or concept or phrase, known.get(word or "", frozenset()), concept))
                at += length
                break
        else:
            at += 1
    return found


_HEAD = re.compile(
    r"^(?:(?:so|and|well|hey|please|pls|ok),? )*"
    r"(?:(?:is|are|was|were) there"
    r"|(?:do|did|can|could|have|has) (?:you|we|i|anyone|it) (?:see|saw|seen|spot|find|notice|noticed|make out)"
    r"|(?:does|do|did|has|is|are|was|were|can)(?: it| the (?:video|clip|picture|image|photo))?(?: show| contain| have)?"
    r"|any(?= ))\b"
)
_PREPOSITION = re.compile(
    r"\b(?:in|on|at|next to|from|of|with|behind|under|near|anywhere|somewhere|among|between|by|to|visible|there|here|"
    r"beside|around|inside|outside|that|who|which|shown|appearing|appear|appears|or)\b"
)


def subject_of(question: str) -> tuple[Target | None, list[str]]:
    """Return the thing whose presence a question asks for, and the words before it: car, [a, big, red].

    None where the question names nothing that is known, as in `Is there a cookie next to the cup?`.
    """
    rest = _HEAD.sub("", question.lower().strip(" ?!."), count=1)
    phrase = _PREPOSITION.split(rest.strip(), maxsplit=1)[0]
    words = re.findall(r"[a-z][a-z'-]*", phrase)
    for start in range(len(words)):
        found = find_targets(" ".join(words[start:]))
        if len(found) == 1 and _spans(" ".join(words[start:]), found[0]):
            return found[0], words[:start]
    return None, words


def _spans(phrase: str, target: Target) -> bool:
    """Whether a phrase is a target and nothing else."""
    forms = (phrase, *singulars(phrase))
    return target.word in forms or (target.concept is not None and target.concept in forms)


def counted(number: int, name: str, one: bool = False) -> str:
    """Return `a car`, or `one car` where `one` is set, `two cars`, `14 people`."""
    if number == 1:
        return f"one {name}" if one else name if _PLURALS.get(name) == name else with_article(name)
    return f"{number_word(number)} {plural(name)}"


def number_word(number: int) -> str:
    """Return `three` for 3, and digits from 13 on."""
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


def plural(name: str) -> str:
    """Return the plural of a class of the detector."""
    if name in _PLURALS or name == "sheep":
        return _PLURALS.get(name, name)
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    if name.endswith(("s", "ch", "sh", "x")):
        return f"{name}es"
    return f"{name}s"


def listed(texts: list[str]) -> str:
    """Join texts as `a, b and c`."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
