"""Made-up literature for benchmarks: as many documents as are wanted, always the same, with words of natural frequency.

Words are drawn by the law of Zipf and Mandelbrot from a vocabulary that grows with the collection, as that of a real
one does, and each document has a subject: some rarer words that it uses several times. Nothing in it means anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

WORDS = 190
"""Words of a document on average; PubMedQA's abstracts have 200 without their conclusions."""
VOCABULARY = 400_000
"""Different words that there are; our choice, of the order of what a million abstracts hold."""
EXPONENT, SHIFT = 1.05, 2.7
"""Of the law of Zipf and Mandelbrot, p ~ 1 / (rank + shift) ** exponent; common values for English."""
SUBJECT, SHARE = 8, 0.2
"""Words of a document's subject, and their share of its text; our choice."""
COMMON = 1_000
"""Words that are too frequent to be a subject's; our choice."""
BLOCK = 5_000
A_FILE = 50_000
_SYLLABLES = [first + vowel for first in "b c d f g h k l m n p r s t v z st tr pl gr".split() for vowel in "aeiou"]
_MESH = [f"Heading {number}" for number in range(300)]
_TYPES = ("Journal Article", "Review", "Randomized Controlled Trial", "Case Reports", "Meta-Analysis")


def vocabulary() -> list[str]:
    """All words, the most frequent first; frequent ones are shorter."""
    base = len(_SYLLABLES)

    def spelt(number: int) -> str:
        word = ""
        while True:
            number, last = divmod(number, base)
            word = _SYLLABLES[last] + word
            if not number:
                return word
            number -= 1

    return [spelt(number) for number in range(VOCABULARY)]


def documents(count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Give documents as entries of JSON Lines; the first ones of a longer collection are those of a shorter one."""
    words = np.array(vocabulary(), dtype=object)
    weights = 1 / (np.arange(1, VOCABULARY + 1) + SHIFT) ** EXPONENT
    edges = np.cumsum(weights / weights.sum())
    for block in range(-(-count // BLOCK)):
        random = np.random.default_rng([seed, block])
        lengths = random.normal(WORDS, WORDS / 4, BLOCK).clip(30, None).astype(int)
        drawn = np.searchsorted(edges, random.random(int(lengths.sum()))).clip(max=VOCABULARY - 1)
        ends = np.cumsum(lengths)
        for place in range(min(BLOCK, count - block * BLOCK)):
            number = block * BLOCK + place
            chosen = drawn[ends[place] - lengths[place] : ends[place]]
            subject = _subject(random, edges)
            own = random.random(len(chosen)) < SHARE
            chosen = np.where(own, subject[random.integers(SUBJECT, size=len(chosen))], chosen)
            text = words[chosen]
            yield {
                "pmid": str(number + 1),
                "title": " ".join(words[subject]),
                "text": ". ".join(" ".join(text[at : at + 18]) for at in range(0, len(text), 18)) + ".",
                "published": str(1980 + number % 45),
                "mesh": [_MESH[place] for place in random.integers(300, size=4)],
                "publication_types": [_TYPES[number % len(_TYPES)]],
                "retracted": number % 500 == 0,
            }


def questions(count: int, of: int, seed: int = 1) -> list[tuple[str, str]]:
    """Questions, and the PubMed id of the document that each is about: four words of its subject, five common ones."""
    random = np.random.default_rng(seed)
    wanted = set(random.choice(of, size=count, replace=False).tolist())
    common = vocabulary()[:COMMON]
    found = []
    for number, entry in enumerate(documents(max(wanted) + 1)):
        if number in wanted:
            subject = random.permutation(entry["title"].split())[:4]
            filling = [common[place] for place in random.integers(COMMON, size=5)]
            found.append((" ".join([*subject, *filling]), entry["pmid"]))
    return found


def write(folder: Path, count: int) -> Path:
    """Write documents into a folder, as files of JSON Lines, unless they are there; return the folder."""
    folder = folder / f"{count} documents"
    done = folder / ".done"  # which is no file that is indexed
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        made = documents(count)
        for start in range(0, count, A_FILE):
            with (folder / f"{start:09}.jsonl").open("w", encoding="utf-8") as file:
                for _, entry in zip(range(min(A_FILE, count - start)), made, strict=False):
                    file.write(json.dumps(entry) + "\n")
        done.touch()
    return folder


def _subject(random: np.random.Generator, edges: np.ndarray) -> np.ndarray:
    """Different words of a subject, of which none is common."""
    least = edges[COMMON]
    drawn: list[int] = []
    while len(drawn) < SUBJECT:
        places = np.searchsorted(edges, least + (1 - least) * random.random(2 * SUBJECT)).clip(max=VOCABULARY - 1)
        drawn = list(dict.fromkeys([*drawn, *places.tolist()]))[:SUBJECT]
    return np.array(drawn)
