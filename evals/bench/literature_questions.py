"""Rewording of PubMedQA's questions by a table: paraphrases, and questions poor in keywords.

Each clinical or general word of a question in the table (`literature_set/lay.txt`) is replaced by a layperson's
wording, without a content word of the abstract that the question was made from. A word without such a wording stays if
the abstract does not contain it; else it is dropped, except for a few that are kept as the names without which the
question would be empty: in a paraphrased question at most one in five content words, the rarest ones. A question poor
in keywords has none of these, and no original word at all: only the wordings of its clinical words, and at most two of
its general ones.

Two words count as the same if they are equal or share their first five letters. That is strict: `control` and
`contrast` count as one, so the wordings share even less with the abstract than is reported.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).parent / "literature_set" / "lay.txt"
SHARED = 0.2
"""Share of content words of a paraphrased question that its abstract may contain."""
LEAST, GENERAL = 2, 2
"""Minimum number of new wordings of a question, and maximum number of general ones in a question poor in keywords."""
LETTERS = 5
"""Number of initial letters that make two words the same."""
_WORD = re.compile(r"[a-z0-9]+(?:['’][a-z0-9]+)*")
_FUNCTION = frozenset(
    "a an the and or but nor of in on at by to for from with without within between among during after before over "
    "under into onto up down out off is are was were be been being am do does did done doing have has had having can "
    "could may might must shall should will would it its he she him her his they them their this that these those "
    "there here what which who whom whose when where why how not no any all some each every both either neither than "
    "then as if so such too very more most less least much many few own same other others another one two we us our "
    "you your i my me about against through per via it's also just only still yet again ever never really".split()
)


@dataclass(frozen=True, slots=True)
class Reworded:
    """A question in other words.

    Attributes:
        pmid: of the paper that it was made from.
        text: its new wording.
        content: its content words.
        shared: the content words that the abstract contains.
    """

    pmid: str
    text: str
    content: tuple[str, ...]
    shared: tuple[str, ...]


def reword(asked: Mapping[str, tuple[str, str]]) -> tuple[list[Reworded], list[Reworded]]:
    """Make the paraphrased questions and those poor in keywords, from all questions with enough words in the table.

    Args:
        asked: question and abstract by PubMed id.
    """
    holders: dict[str, int] = {}
    for _, abstract in asked.values():
        for stem in {_stem(word) for word in words(abstract)}:
            holders[stem] = holders.get(stem, 0) + 1
    paraphrased, poor = [], []
    for pmid, (question, abstract) in asked.items():
        known = {_stem(word) for word in words(abstract)}
        parts = _parts(question, known, pmid)
        new = [part for part in parts if part.new]
        if len(new) < LEAST:
            continue
        paraphrased.append(_told(pmid, _paraphrase(parts, holders), known))
        general = [part for part in new if part.general][:GENERAL]
        told = dict.fromkeys(part.text for part in new if not part.general or part in general)
        poor.append(_told(pmid, ", ".join(told), known))
    return paraphrased, poor


def words(text: str) -> list[str]:
    """Return the content words of a text: words of three letters or more that carry its subject."""
    return [word for word in _WORD.findall(text.lower()) if len(word) > 2 and word not in _FUNCTION]


@dataclass(frozen=True, slots=True)
class _Part:
    text: str
    old: tuple[str, ...]
    new: bool = False
    general: bool = False
    shared: bool = False


def _parts(question: str, known: set[str], pmid: str) -> list[_Part]:
    """Split the question into new wordings, and words that stay or would be dropped."""
    tokens = _WORD.findall(question.lower())
    found: list[_Part] = []
    at = 0
    while at < len(tokens):
        length = next((n for n in (4, 3, 2, 1) if _key(tokens[at : at + n]) in table() and at + n <= len(tokens)), 0)
        old = tuple(tokens[at : at + max(length, 1)])
        at += len(old)
        new = _worded(old, known, pmid)
        if new:
            found.append(new)
        elif len(old) > 1:  # a phrase without a suitable wording: its words one by one
            found += [_worded((word,), known, pmid) or _kept(word, known) for word in old]
        else:
            found.append(_kept(old[0], known))
    return found


def _worded(old: tuple[str, ...], known: set[str], pmid: str) -> _Part | None:
    """Choose, deterministically, a wording of a phrase that shares no content word with the abstract."""
    if _key(old) not in table():
        return None
    wordings, general = table()[_key(old)]
    fitting = [one for one in wordings if not any(_stem(word) in known for word in words(one))]
    if not fitting:
        return None
    drawn = int.from_bytes(hashlib.sha256(f"{pmid} {' '.join(old)}".encode()).digest()[:8], "big")
    return _Part(fitting[drawn % len(fitting)], old, new=True, general=general)


def _kept(word: str, known: set[str]) -> _Part:
    return _Part(word, (word,), shared=any(_stem(content) in known for content in words(word)))


def _paraphrase(parts: Sequence[_Part], holders: Mapping[str, int]) -> str:
    """Build the question in new words, with the rarest words of the abstract, as few as are allowed."""
    others = sum(len(words(part.text)) for part in parts if not part.shared)
    rare = sorted({part.text for part in parts if part.shared}, key=lambda text: (holders.get(_stem(text), 0), text))
    kept: set[str] = set()
    for text in rare:
        held = sum(part.text in kept | {text} for part in parts if part.shared)
        if held <= SHARED * (others + held):
            kept.add(text)
    return " ".join(part.text for part in parts if not part.shared or part.text in kept) + "?"


def _told(pmid: str, text: str, known: set[str]) -> Reworded:
    content = words(text)
    return Reworded(pmid, text, tuple(content), tuple(word for word in content if _stem(word) in known))


@cache
def table() -> dict[tuple[str, ...], tuple[tuple[str, ...], bool]]:
    """Return wordings, and whether they are general, by the original words without endings."""
    found: dict[tuple[str, ...], tuple[tuple[str, ...], bool]] = {}
    general = False
    for line in TABLE.read_text("utf-8").splitlines():
        general = general or line == "# general"
        if line.strip() and not line.startswith("#"):
            old, new = line.split(" : ")
            for phrase in old.split(","):
                wordings = tuple(wording.strip() for wording in new.split("|"))
                found[_key(_WORD.findall(phrase.lower()))] = wordings, general
    return found


def _key(phrase: Iterable[str]) -> tuple[str, ...]:
    """Return words without the ending of a plural or a possessive."""
    return tuple(re.sub(r"(?<=[a-z]{3})(?:['’]s|s['’]|(?<![su])s)$", "", word) for word in phrase)


def _stem(word: str) -> str:
    return word[:LETTERS]
