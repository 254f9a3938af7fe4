"""Names for what the vision network sees: the 1,000 ImageNet classes, their synonyms and broader kinds (WordNet)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

EVERYDAY = frozenset(
    re.findall(
        r"\w+",
        """dog cat bird fish snake lizard monkey spider frog turtle butterfly beetle bear fox wolf shark whale rabbit
        crab car truck boat ship aircraft bread fruit vegetable hat shoe clock computer""",
    )
)
"""Kinds that people name rather than the species or model; our choice."""
PLAIN_KINDS = EVERYDAY.union(
    re.findall(
        r"\w+",
        """animal vehicle food building furniture clothing insect reptile primate fruit tool machine weapon footwear bag
        bottle lamp chair plant bridge fence telephone gun drum guitar timepiece appliance ape crustacean rodent""",
    ),
    ["musical instrument", "kitchen utensil", "electronic equipment", "sports equipment"],
)
"""Kinds that people use as names; WordNet's others, such as `obstruction`, sound odd. Our choice."""
_IRREGULAR = {"people": "person", "men": "man", "women": "woman", "mice": "mouse", "geese": "goose", "wolves": "wolf"}


@dataclass(frozen=True)
class Concepts:
    """The vocabulary of things that can be recognised.

    Attributes:
        tags: one WordNet name a class, lower case; what the soft tags of the visual tokens are made of.
        names: a clear display name a class.
        members: phrase (lower case, singular) -> the classes that it covers; a class name covers one, `dog` covers 118.
        kinds: the broader kinds of each class, nearest first, as display names.
    """

    tags: tuple[str, ...]
    names: tuple[str, ...]
    members: dict[str, frozenset[int]]
    kinds: tuple[tuple[str, ...], ...]

    def probability(self, phrase: str, p: np.ndarray) -> float:
        """Return how likely a picture with class probabilities p (1000,) shows the phrase; 0 for unknown phrases."""
        return float(p[list(self.members.get(phrase, ()))].sum())

    def find(self, text: str) -> list[str]:
        """Return the known phrases of a text, in order, the longest where two overlap; plurals count too."""
        words = re.findall(r"[a-z][a-z'-]*", text.lower())
        found, at = [], 0
        while at < len(words):
            for length in range(min(4, len(words) - at), 0, -1):
                phrase = self.known(" ".join(words[at : at + length]))
                if phrase:
                    found.append(phrase)
                    at += length
                    break
            else:
                at += 1
        return found

    def known(self, phrase: str) -> str | None:
        """Return the phrase as the vocabulary writes it (lower case, singular), or None."""
        phrase = phrase.lower().strip()
        return next((form for form in (phrase, *singulars(phrase)) if form in self.members), None)

    def everyday(self, index: int) -> str | None:
        """Return the everyday kind of a class that people would name first, such as `dog`, where its name hides it."""
        kind = next((kind for kind in self.kinds[index] if kind in EVERYDAY), None)
        return None if kind is None or kind in self.names[index].lower().split() else kind

    def name(self, p: np.ndarray, least: float) -> tuple[str, float, bool] | None:
        """Name a picture as precisely as its class probabilities p (1000,) allow.

        The likeliest class is named where its probability reaches `least`; else the nearest kind of one of the five
        likeliest classes whose classes reach it together (hedging, as in Deng et al. 2012), where people use that kind
        as a name; else nothing.

        Returns:
            (name, probability, whether it is a class and not a kind), or None.
        """
        order = np.argsort(p)[::-1][:5]
        if p[order[0]] >= least:
            return self.names[order[0]], float(p[order[0]]), True
        options: list[tuple[int, str, float]] = []
        for index in order:
            for kind in PLAIN_KINDS.intersection(self.kinds[index]):
                covered = self.members[kind]
                total = float(p[list(covered)].sum())
                if total >= least:
                    options.append((len(covered), kind, total))
        if not options:
            return None
        _, kind, total = min(options)
        return kind, total, False


def singulars(phrase: str) -> list[str]:
    head, _, last = phrase.rpartition(" ")
    start = f"{head} " if head else ""
    forms = [_IRREGULAR[last]] if last in _IRREGULAR else []
    if last.endswith("ies"):
        forms.append(last[:-3] + "y")
    if last.endswith("es"):
        forms.append(last[:-2])
    if last.endswith("s") and not last.endswith("ss"):
        forms.append(last[:-1])
    return [start + form for form in forms]


@lru_cache(maxsize=1)
def concepts() -> Concepts:
    """Return the vocabulary, read once from `classes.json` beside this file (made by `train.concepts`)."""
    data = json.loads((Path(__file__).parent / "classes.json").read_text())
    members: dict[str, set[int]] = {}
    own: dict[str, set[int]] = {}
    for index, (tag, name, synonyms, kinds) in enumerate(data["classes"]):
        for phrase in {tag, name.lower(), *(word.lower() for word in synonyms)}:
            own.setdefault(phrase, set()).add(index)
        for kind in kinds:
            for word in data["kinds"][kind]:
                members.setdefault(word.lower(), set()).add(index)
    for phrase, indices in own.items():
        members.setdefault(phrase, set()).update(indices)
    return Concepts(
        tags=tuple(row[0] for row in data["classes"]),
        names=tuple((row[1] if row[1].count(" ") < 3 else row[0]).split(" / ")[0] for row in data["classes"]),
        members={phrase: frozenset(indices) for phrase, indices in members.items()},
        kinds=tuple(tuple(data["kinds"][kind][0].lower() for kind in row[3]) for row in data["classes"]),
    )


def with_article(name: str) -> str:
    """Return the name with `a` or `an`."""
    return f"{'an' if name[:1].lower() in 'aeio' or name.lower().startswith('umb') else 'a'} {name}"


TEMPERATURE = 0.8
"""Sharpens the vision network's probabilities, which label smoothing made too modest; our choice, from calibration."""


def calibrated(p: np.ndarray) -> np.ndarray:
    """Return class probabilities (..., 1000) as often right as they say, from the network's own."""
    powered = np.power(np.maximum(p, 1e-12), 1 / TEMPERATURE)
    return powered / powered.sum(axis=-1, keepdims=True)
