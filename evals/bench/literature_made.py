"""Synthetic literature for benchmarks: a deterministic collection of any size, with natural word frequencies.

Words follow the law of Zipf and Mandelbrot over a vocabulary that grows with the collection, as a real one does, and
each document has a subject: some rarer words that it uses several times. The text has no meaning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

WORDS = 190
"""Mean number of words of a document; PubMedQA's abstracts have 200 without their conclusions."""
VOCABULARY = 400_000
"""Size of the vocabulary, of the order of that of a million abstracts."""
EXPONENT, SHIFT = 1.05, 2.7
"""Parameters of the law of Zipf and Mandelbrot, p ~ 1 / (rank + shift) ** exponent; common values for English."""
SUBJECT, SHARE = 8, 0.2
"""Number of words of a document's subject, and their share of its text."""
COMMON = 1_000
"""Words too frequent to be a subject's."""
BLOCK = 5_000
A_FILE = 50_000
_SYLLABLES = [first + vowel for first in "b c d f g h k l m n p r s t v z st tr pl gr".split() for vowel in "aeiou"]
_MESH = [f"Heading {number}" for number in range(300)]
_TYPES = ("Journal Article", "Review", "Randomized Controlled Trial", "Case Reports", "Meta-Analysis")


def vocabulary() -> list[str]:
    """Return all words, the most frequent first; frequent ones are shorter."""
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
    """Yield documents as entries of JSON Lines; a shorter collection is a prefix of a longer one."""
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
    """Return questions with the PubMed id of each one's document: four words of its subject, five common ones."""
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
    """Write documents into a folder, as files of JSON Lines, unless they exist; return the folder."""
    folder = folder / f"{count} documents"
    done = folder / ".done"  # not a file that is indexed
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
    """Draw the distinct words of a subject, none of them common."""
    least = edges[COMMON]
    drawn: list[int] = []
    while len(drawn) < SUBJECT:
        places = np.searchsorted(edges, least + (1 - least) * random.random(2 * SUBJECT)).clip(max=VOCABULARY - 1)
        drawn = list(dict.fromkeys([*drawn, *places.tolist()]))[:SUBJECT]
    return np.array(drawn)
