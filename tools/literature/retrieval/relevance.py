"""Relevance of documents and their sentences to a question: by words, and by vectors if there are any.

The thresholds were chosen on one half of PubMedQA's questions and measured on the other; `docs/literature.md` has the
figures. Their values are our choice.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from tools.literature.retrieval.questions import in_plain_words, is_general, names, stem, stems
from tools.literature.retrieval.rank_fusion import mmr
from tools.literature.retrieval.synonyms import synonyms
from tools.literature.retrieval.tokens import tokens
from tools.literature.support.qualifiers import agree, designators
from tools.literature.support.quote_match import sentences
from tools.literature.support.stance import Stance, stance
from tools.literature.support.support_rules import AIM, ORDERS
from tools.literature.types import Document, Hit

COVER_WEIGHT = 0.5
"""Weight of shared words against the cosine."""
MIN_COVER, MIN_SUPPORT, MIN_PLAIN = 0.59, 0.9, 0.7
"""Minimum share of shared words for a relevant document; if vectors were compared, minimum of the weighted sum of it
and the cosine; the last for the document nearest to a question in plain words, since papers do not use these."""
FEW = 3
"""Maximum number of subject words of a question that is about the rarest of them, whatever kind of word it is."""
FEWEST = 2
"""Maximum number of words of a question that is too short for its cosine to be meaningful."""
POOL, FIRST = 50, 10
"""Numbers of first hits: those of the pool determine which words of the question are rare, and the others are checked
for relevance."""
PASSAGE = 4_000
"""Approximate characters of a measured passage: abstracts have half of it, papers ten times as many."""
SENTENCES = 5
"""Maximum number of sentences quoted by an answer without a model, and of these per document."""
A_DOCUMENT = 2
CONCLUDES, STATES, PREPARES = 0.3, 0.15, -0.2
"""Bonus for a sentence in a conclusion, for one that reports a finding, and malus for one in aims or methods; our
choice."""
MIN_SENTENCE, MIN_STANCE = 0.15, 0.6
"""Minimum share of the question's words for a quoted sentence, and for one that counts as a yes or no to it; our
choice."""
SHORTEST, LONGEST = 4, 90
"""Range of words of a quotable sentence; shorter ones are headings, longer ones tables."""
_CONCLUSION = re.compile(r"conclu|interpretation|discussion|implication", re.IGNORECASE)
_PURPOSE = re.compile(r"objective|purpose|\baims?\b|background|introduction|hypothes|question", re.IGNORECASE)
_METHOD = re.compile(
    r"method|design|setting|participant|patients|material|subjects|intervention|measure", re.IGNORECASE
)
_PREPARES = re.compile(  # aims and methods, besides `AIM`
    r"\bto (?:determine|evaluate|assess|investigate|examine|explore|compare|test|study|analy[sz]e|identify|find out) "
    r"(?:the|whether|if|how|and|a)\b|"
    r"\bwe (?:investigated|examined|studied|evaluated|assessed|compared|analy[sz]ed|tested) the\b|"
    r"\b(?:is|are|remains?) (?:still )?(?:unclear|unknown|controversial|debated|poorly understood)\b|"
    r"\b(?:was|were) (?:prospectively |retrospectively |then |also )?(?:analy[sz]ed|reviewed|recruited|enrolled|"
    r"randomi[sz]ed|randomly|collected|obtained|calculated|included in|excluded|recorded|followed|"
    r"asked to|used to|performed)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a document: its place, its relevance to the question, and its apparent stance."""

    document: Document
    section: int
    start: int
    end: int
    score: float
    stance: Stance

    @property
    def text(self) -> str:
        return self.document.sections[self.section].text[self.start : self.end]


@dataclass(frozen=True)
class Measure:
    """Measures how much of a question a text covers; made by `measure`.

    Attributes:
        words: number of words of the question.
    """

    _wanted: frozenset[str]
    _synonyms_in: tuple[tuple[frozenset[str], tuple[frozenset[str], ...]], ...]
    _weights: Mapping[str, float]
    _names: frozenset[str]
    _designators: Mapping[str, frozenset[str]]
    words: int

    def share(self, text: str) -> float:
        """Return the share of the question's words in a text, including synonyms: the mean of the unweighted share and
        the share weighted by rarity. 0 to 1."""
        if not self._wanted:
            return 0.0
        there = _present(self._wanted, self._synonyms_in, stems(text))
        total = math.fsum(self._weights.values())  # exact, whatever the order of a set
        weighted = math.fsum(self._weights[word] for word in there) / total if total else 0.0
        return (len(there) / len(self._wanted) + weighted) / 2

    def is_on_subject(self, text: str, *, names_only: bool = False) -> bool:
        """Return whether a text has the rarest of the question's names of substances, diseases and the like, or a
        synonym, and, for a question with few subject words, the rarest of these, unless `names_only`."""
        there = _present(self._wanted, self._synonyms_in, stems(text))
        subjects = frozenset(word for word in self._wanted if not is_general(word))
        required = (self._names, subjects if len(subjects) <= FEW and not names_only else frozenset())
        return all(self._rarest(words) <= there for words in required)

    def is_of_kind(self, *texts: str) -> bool:
        """Return whether the first of the texts that names a kind does not name another one than the question does: a
        text on vitamin C answers nothing about vitamin D."""
        held = [designators(text) for text in texts] if self._designators else []
        first: dict[str, frozenset[str]] = {}
        for one in held:
            first = one | first
        return agree(self._designators, first)

    def _rarest(self, words: frozenset[str]) -> frozenset[str]:
        most = max((self._weights.get(word, 0.0) for word in words), default=0.0)
        return frozenset(word for word in words if self._weights.get(word, 0.0) == most)


def measure(question: str, pool: Sequence[Document] = ()) -> Measure:
    """Make a measure of texts by a question.

    Args:
        question: in words.
        pool: documents found for it, which determine how rare its words are; frequent words count less. The weight is
            that of BM25 (Robertson and Spärck Jones, 1976, with the 1 that Lucene adds). Without a pool all words count
            alike.
    """
    wanted, others = stems(question), _synonyms_in(question)
    held = [_present(wanted, others, stems(f"{document.title}\n{document.text[:PASSAGE]}")) for document in pool]
    counts = {word: sum(word in there for there in held) for word in wanted}
    weights = {word: math.log(1 + (len(held) - count + 0.5) / (count + 0.5)) for word, count in counts.items()}
    return Measure(wanted, others, weights, names(question) & wanted, designators(question), len(tokens(question)))


def bearing(
    question: str,
    hits: Sequence[Hit],
    cosines: Mapping[str, float],
    first: int = FIRST,
    asked: Measure | None = None,
) -> list[Hit]:
    """Return those of the first hits that are relevant to the question, in their order.

    Args:
        question: in words.
        hits: the hits for it, best first; more than `first` of them improve the estimate of rare words.
        cosines: of documents with the question, by id, if known.
        first: number of hits to check.
        asked: the measure of the question, if already made; None makes it from the first `POOL` hits.
    """
    asked = asked or measure(question, [hit.document for hit in hits[:POOL]])
    nearest = max(cosines.values(), default=0.0) if in_plain_words(question) else math.inf
    return [hit for hit in hits[:first] if _is_relevant(asked, hit.document, cosines.get(hit.document.id), nearest)]


def _is_relevant(asked: Measure, document: Document, cosine: float | None, nearest: float) -> bool:
    """Return whether a document is relevant to the question."""
    if not asked.is_of_kind(document.title, document.text):
        return False
    share, passage = max((asked.share(passage), passage) for passage in _passages(document))
    if cosine is None or asked.words <= FEWEST:
        return share >= MIN_COVER and asked.is_on_subject(passage)
    least = MIN_PLAIN if cosine >= nearest else MIN_SUPPORT
    return cosine + COVER_WEIGHT * share >= least and asked.is_on_subject(passage, names_only=cosine >= nearest)


def _passages(document: Document) -> list[str]:
    """Split a document into passages as long as an abstract, each with the title: whole papers have any words."""
    found = []
    passage = document.title
    for section in document.sections:
        for start, end in sentences(section.text):
            if len(passage) + end - start > PASSAGE:
                found.append(passage)
                passage = document.title
            passage = f"{passage}\n{section.text[start:end]}"
    return [*found, passage]


def best_sentences(
    question: str, documents: Sequence[Document], limit: int = SENTENCES, asked: Measure | None = None
) -> list[Sentence]:
    """Return the most relevant sentences, best first, at most `A_DOCUMENT` per document, without near duplicates.

    Args:
        question: in words.
        documents: the documents, best first.
        limit: maximum number of sentences.
        asked: the measure of the question; None weights all of its words alike.
    """
    asked, plain = asked or measure(question), in_plain_words(question)
    found: list[Sentence] = []
    for rank, document in enumerate(documents):
        own = sorted(_scored(asked, document, plain=plain), key=lambda one: (-one.score, one.section, one.start))[
            :A_DOCUMENT
        ]
        # Among equals, prefer the document that was found first.
        found += [replace(one, score=one.score - 0.02 * rank) for one in own]
    found.sort(key=lambda one: (-one.score, one.document.id, one.section, one.start))
    chosen = mmr([one.score for one in found], [tokens(one.text) for one in found], limit)
    return [found[place] for place in chosen]


def _scored(asked: Measure, document: Document, *, plain: bool) -> list[Sentence]:
    last = len(document.sections) - 1
    found = []
    for number, section in enumerate(document.sections):
        for start, end in sentences(section.text):
            text = section.text[start:end]
            if not SHORTEST <= len(text.split()) <= LONGEST or AIM.search(text) or _PREPARES.search(text):
                continue
            if not asked.is_of_kind(text) or ORDERS.search(text):
                continue
            share, says = asked.share(text), stance(text)
            # The answer to a question in plain words may share none of them; a finding suffices.
            if share < MIN_SENTENCE and not (plain and says != "unclear"):
                continue
            score = share + _bonus(section.label, says, at_end=number == last)
            bold = says if share >= MIN_STANCE else "unclear"
            found.append(Sentence(document, number, start, end, score, bold))
    return found


def _bonus(label: str, says: Stance, *, at_end: bool) -> float:
    concludes = bool(_CONCLUSION.search(label)) or (at_end and not label)
    if not concludes and (_PURPOSE.search(label) or _METHOD.search(label)):
        return PREPARES
    return (CONCLUDES if concludes else 0.0) + (STATES if says != "unclear" else 0.0)


def _present(
    wanted: frozenset[str], others: Sequence[tuple[frozenset[str], Sequence[frozenset[str]]]], held: frozenset[str]
) -> frozenset[str]:
    """Return those of the wanted words that a text has, itself or as synonyms."""
    there = wanted & held
    for asked, terms in others:
        if not asked <= there and any(term and term <= held for term in terms):
            there |= asked & wanted
    return there


@lru_cache(maxsize=64)
def _synonyms_in(question: str) -> tuple[tuple[frozenset[str], tuple[frozenset[str], ...]], ...]:
    """Return the words of a question with synonyms, each with these."""
    return tuple(
        (frozenset(map(stem, words)), tuple(stems(term) for term in terms)) for words, terms in synonyms(question)
    )
