"""Synthetic narrative of any length for `evals.bench.narrative_scale`: who does what, where, with what.

Sentences come from a grammar. Who, where and what follow Zipf's law (the n-th most frequent with odds of 1/n), so that
some words occur in a tenth of all sentences and most in one or two. Names of things are made of syllables, as many as a
long narrative needs. Vectors are sums of a random vector per word, with the same vector for synonyms, so that a
question can paraphrase; they cost nothing, where a sentence encoder takes minutes for as many.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from memory.narrative.types import Segment

SENTENCES, SEGMENT_S = 5, 30.0
"""Number of sentences of a segment, each of which is an event, and its duration."""
DIM = 384
"""The dimension of the bundled sentence encoder."""
THINGS, RARE_SHARE = 30_000, 0.5
"""Number of names of things, and the share of draws that are uniform instead of by Zipf's law."""
_TABLE, _DRAWS = 4_096, 1_024
_PEOPLE = (
    "Maren Tobin Ilse Corwin Petra Alrik Sunniva Bastian Odile Ferran Greta Jorun Lucan Mirela Nils Orsola Quentin "
    "Ragna Severin Tilda Ulric Vesna Wanda Ximena Yorick Zelda Ansgar Beata Cosima Dorian"
).split()
_PLACES = (
    "mill harbour market chapel bridge orchard tavern castle cellar stable garden library quarry lighthouse forge "
    "kitchen meadow attic courtyard vineyard"
).split()
_COMMON = (
    "letter key lantern horse knife coin ring book door boat rope cloak bell map candle basket mirror drum flute chest"
).split()
_MOODS = "old broken heavy bright stolen hidden cold golden torn little wet empty strange borrowed painted".split()
_SAME = {
    "carries": "bears", "finds": "discovers", "hides": "conceals", "steals": "pilfers", "mends": "repairs",
    "buys": "purchases", "watches": "observes", "sells": "peddles", "loses": "misplaces", "breaks": "shatters",
}  # fmt: skip
"""For each verb of the narrative, a synonym that only questions use."""
_TIMES = ("at dawn", "before noon", "in the rain", "after supper", "at night", "while nobody looks")
_LIKE = "oid"
"""Suffix that makes a synonym of a name, which only questions use."""
_MEANS = {other: verb for verb, other in _SAME.items()}
_EMPTY = frozenset("the a an to of in at with and who what where when why does did before after while because".split())
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its kind, its source, and the summary of the event that answers it, if exactly one is known to."""

    kind: str
    text: str
    source: str
    answer: str | None = None


def thing(number: int) -> str:
    """Return the name of a thing: three syllables, unique."""
    consonants, vowels, name = "bdfgklmnprstvz", "aeiou", ""
    for _ in range(3):
        number, place = divmod(number, len(consonants) * len(vowels))
        name += consonants[place // len(vowels)] + vowels[place % len(vowels)]
    return name + "n"


class _Zipf:
    """Numbers below `n`: number k has odds of 1 / (k + 1)."""

    def __init__(self, n: int, random: np.random.Generator) -> None:
        self._below = np.cumsum(1 / np.arange(1, n + 1))
        self._random = random
        self._waiting: Iterator[int] = iter(())

    def draw(self) -> int:
        for number in self._waiting:
            return number
        drawn = np.searchsorted(self._below, self._random.random(_DRAWS) * self._below[-1])
        self._waiting = iter(drawn.tolist())
        return self.draw()


def segments(source: str, seed: int) -> Iterator[Segment]:
    """Yield the segments of an endless narrative, each of `SENTENCES` sentences; deterministic by seed."""
    random = np.random.default_rng(seed)
    people, places, common, moods, things = (
        _Zipf(len(names), random) for names in (_PEOPLE, _PLACES, _COMMON, _MOODS, range(THINGS))
    )
    verbs = list(_SAME)

    def what() -> str:
        if random.random() < 0.5:
            return f"the {_MOODS[moods.draw()]} {_COMMON[common.draw()]}"
        return f"the {thing(int(random.integers(THINGS)) if random.random() < RARE_SHARE else things.draw())}"

    def sentence() -> str:
        who, other = _PEOPLE[people.draw()], _PEOPLE[people.draw()]
        verb, where = verbs[int(random.integers(len(verbs)))], _PLACES[places.draw()]
        when = _TIMES[int(random.integers(len(_TIMES)))]
        match int(random.integers(5)):
            case 0:
                return f"In the {where} {who} {verb} {what()} {when}."
            case 1:
                return f"Then {who} {verb} {what()} and {what()} for {other}."
            case 2:
                return f"So {who} {verb} {what()} because {other} left the {where} {when}."
            case 3:
                return f"At last {who} tells {other} who {verb} {what()} near the {where}."
            case _:
                return f"There {who} {verb} {what()} with {other} {when}."

    number = 0
    while True:
        yield Segment(
            source=source, number=number, start_s=number * SEGMENT_S, end_s=(number + 1) * SEGMENT_S,
            caption=" ".join(sentence() for _ in range(SENTENCES)),
        )  # fmt: skip
        number += 1


def questions(events: list[tuple[str, str]], a_kind: int, seed: int) -> list[Question]:
    """Return questions of each kind about some events, given as (source, summary).

    Args:
        events: all ingested events.
        a_kind: questions of each kind.
        seed: of the choice.
    """
    random = np.random.default_rng(seed)
    made_up = re.compile(r"\bthe ([bdfgklmnprstvz][aeiou]){3}n\b")
    named: dict[tuple[str, str], list[str]] = {}
    for source, summary in events:
        for match in made_up.finditer(summary):
            named.setdefault((source, match.group()[4:]), []).append(summary)
    once = [(source, name, told[0]) for (source, name), told in named.items() if len(told) == 1]
    found = []
    for _ in range(a_kind):
        source, name, told = once[int(random.integers(len(once)))]
        found.append(Question("rare words", f"Why was the {name} there?", source, told))
        source, name, told = once[int(random.integers(len(once)))]
        verb = next(verb for verb in _SAME if f" {verb} " in told)
        found.append(Question("paraphrase", f"Who {_SAME[verb]} the {name}{_LIKE}?", source, told))
        source = events[int(random.integers(len(events)))][0]
        who, other = (_PEOPLE[int(place)] for place in random.integers(4, size=2))
        place, item = _PLACES[int(random.integers(3))], _COMMON[int(random.integers(3))]
        found.append(Question("common words", f"Why does {who} carry the {item} to the {place} for {other}?", source))
        nothing = " ".join(f"{word}{int(random.integers(10**6))}" for word in ("qwx", "zzy", "vvq"))
        found.append(Question("nothing", f"Did {nothing}?", source))
    return found


def embed(texts: list[str]) -> np.ndarray:
    """Return unit vectors (N, `DIM`), float32: sums of two random table rows per word, the same two for synonyms."""
    table = _table()
    vectors = np.zeros((len(texts), DIM), np.float32)
    for place, text in enumerate(texts):
        for word in _WORD.findall(text.casefold()):
            if word not in _EMPTY:
                code = zlib.crc32(_MEANS.get(word, word.removesuffix(_LIKE)).encode())
                vectors[place] += table[code % _TABLE] + table[code // _TABLE % _TABLE]
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


_tables: list[np.ndarray] = []


def _table() -> np.ndarray:
    if not _tables:
        _tables.append(np.random.default_rng(0).standard_normal((_TABLE, DIM), np.float32))
    return _tables[0]
