"""Whether a document bears on a question, and which of its sentences do: by words, and by vectors where there are any.

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
"""The weight of shared words beside the cosine."""
LEAST_COVER, LEAST_SUPPORT, LEAST_PLAIN = 0.59, 0.9, 0.7
"""What the share of shared words has to reach for a document to bear on a question, and, where vectors were compared,
the cosine and that share, weighted; the last for the document that is nearest to a question in plain words, since
papers do not use these."""
FEW = 3
"""Words that name a subject, up to which a question is about the rarest of them, whatever kind of word it is."""
FEWEST = 2
"""Words up to which a question is too short for its cosine to say anything; our choice."""
POOL, FIRST = 50, 10
"""The first documents that were found: from those of the pool it is known which of the asked words are rare, and of the
others it is seen whether they bear on the question."""
PASSAGE = 4_000
"""Characters of a passage that is measured, about; our choice: abstracts have half of it, papers ten times as many."""
SENTENCES = 5
"""Sentences that an answer without a model quotes at most, and how many of them one document gives; our choice."""
A_DOCUMENT = 2
CONCLUDES, STATES, PREPARES = 0.3, 0.15, -0.2
"""What is added to the share of words of a sentence that stands in a conclusion, that reports a finding, and that
stands where aims and methods do; our choice."""
LEAST_SENTENCE, LEAST_STANCE = 0.15, 0.6
"""The share of the question's words that a sentence has to hold to be quoted, and to be taken for a yes or no to it;
our choice."""
SHORTEST, LONGEST = 4, 90
"""Words of a sentence that can be quoted; our choice: shorter ones are headings, longer ones tables."""
_CONCLUSION = re.compile(r"conclu|interpretation|discussion|implication", re.IGNORECASE)
_PURPOSE = re.compile(r"objective|purpose|\baims?\b|background|introduction|hypothes|question", re.IGNORECASE)
_METHOD = re.compile(
    r"method|design|setting|participant|patients|material|subjects|intervention|measure", re.IGNORECASE
)
_PREPARES = re.compile(  # what was looked for and what was done, beside `AIM`
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
    """A sentence of a document: where it stands, how well it bears on the question, and what it seems to say to it."""

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
    """How much of a question a text has; made by `measure`.

    Attributes:
        words: of the question, in all.
    """

    _wanted: frozenset[str]
    _others: tuple[tuple[frozenset[str], tuple[frozenset[str], ...]], ...]
    _weights: Mapping[str, float]
    _names: frozenset[str]
    _designators: Mapping[str, frozenset[str]]
    words: int

    def share(self, text: str) -> float:
        """The share of the question's words that stand in a text, themselves or as other words for the same: the mean
        of that of all alike, and of that where rare ones count for more. 0 to 1."""
        if not self._wanted:
            return 0.0
        there = _there(self._wanted, self._others, stems(text))
        total = math.fsum(self._weights.values())  # exact, whatever the order of a set
        weighted = math.fsum(self._weights[word] for word in there) / total if total else 0.0
        return (len(there) / len(self._wanted) + weighted) / 2

    def is_on_subject(self, text: str, *, names_only: bool = False) -> bool:
        """Whether a text has the rarest of the question's names of substances, diseases and the like, or another word
        for it, and, of a question with few words that name a subject, the rarest of these, unless `names_only`."""
        there = _there(self._wanted, self._others, stems(text))
        subjects = frozenset(word for word in self._wanted if not is_general(word))
        told = (self._names, subjects if len(subjects) <= FEW and not names_only else frozenset())
        return all(self._rarest(words) <= there for words in told)

    def is_of_kind(self, *texts: str) -> bool:
        """Whether the texts, of which the first one that names a kind decides, are not of another one than is asked
        for: what is known of vitamin C answers nothing on vitamin D."""
        held = [designators(text) for text in texts] if self._designators else []
        first: dict[str, frozenset[str]] = {}
        for one in held:
            first = one | first
        return agree(self._designators, first)

    def _rarest(self, words: frozenset[str]) -> frozenset[str]:
        most = max((self._weights.get(word, 0.0) for word in words), default=0.0)
        return frozenset(word for word in words if self._weights.get(word, 0.0) == most)


def measure(question: str, pool: Sequence[Document] = ()) -> Measure:
    """What measures texts by a question.

    Args:
        question: in words.
        pool: documents that were found for it, from which it is known which of its words are rare; where most of them
            have a word, it tells little. Its weight is that of BM25 (Robertson and Spärck Jones, 1976, with the 1 that
            Lucene adds). Without a pool all count alike.
    """
    wanted, others = stems(question), _others(question)
    held = [_there(wanted, others, stems(f"{document.title}\n{document.text[:PASSAGE]}")) for document in pool]
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
    """Those of the first hits that are about what is asked, in their order.

    Args:
        question: in words.
        hits: what was found for it, best first; more than `first` of them tell which words are rare.
        cosines: of documents with the question, by id, where they are known.
        first: how many are looked at.
        asked: what measures them by the question, where it is made already; None makes it of the first `POOL` hits.
    """
    asked = asked or measure(question, [hit.document for hit in hits[:POOL]])
    nearest = max(cosines.values(), default=0.0) if in_plain_words(question) else math.inf
    return [hit for hit in hits[:first] if _bears(asked, hit.document, cosines.get(hit.document.id), nearest)]


def _bears(asked: Measure, document: Document, cosine: float | None, nearest: float) -> bool:
    """Whether a document is about what is asked."""
    if not asked.is_of_kind(document.title, document.text):
        return False
    share, passage = max((asked.share(passage), passage) for passage in _passages(document))
    if cosine is None or asked.words <= FEWEST:
        return share >= LEAST_COVER and asked.is_on_subject(passage)
    least = LEAST_PLAIN if cosine >= nearest else LEAST_SUPPORT
    return cosine + COVER_WEIGHT * share >= least and asked.is_on_subject(passage, names_only=cosine >= nearest)


def _passages(document: Document) -> list[str]:
    """A document as passages as long as an abstract, each with the title: a whole paper has words of any question."""
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
    """The sentences that say most on a question, best first, at most `A_DOCUMENT` of one document, none much alike.

    Args:
        question: in words.
        documents: which to look in, best first.
        limit: sentences, at most.
        asked: what measures them by the question; None lets all of its words count alike.
    """
    asked, plain = asked or measure(question), in_plain_words(question)
    found: list[Sentence] = []
    for rank, document in enumerate(documents):
        own = sorted(_scored(asked, document, plain=plain), key=lambda one: (-one.score, one.section, one.start))[
            :A_DOCUMENT
        ]
        # Of equals, those of the document that was found first.
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
            # What answers a question in plain words may share none of them; a finding has to do.
            if share < LEAST_SENTENCE and not (plain and says != "unclear"):
                continue
            score = share + _worth(section.label, says, at_end=number == last)
            bold = says if share >= LEAST_STANCE else "unclear"
            found.append(Sentence(document, number, start, end, score, bold))
    return found


def _worth(label: str, says: Stance, *, at_end: bool) -> float:
    concludes = bool(_CONCLUSION.search(label)) or (at_end and not label)
    if not concludes and (_PURPOSE.search(label) or _METHOD.search(label)):
        return PREPARES
    return (CONCLUDES if concludes else 0.0) + (STATES if says != "unclear" else 0.0)


def _there(
    wanted: frozenset[str], others: Sequence[tuple[frozenset[str], Sequence[frozenset[str]]]], held: frozenset[str]
) -> frozenset[str]:
    """Those of the wanted words that a text has, or has other words for."""
    there = wanted & held
    for asked, terms in others:
        if not asked <= there and any(term and term <= held for term in terms):
            there |= asked & wanted
    return there


@lru_cache(maxsize=64)
def _others(question: str) -> tuple[tuple[frozenset[str], tuple[frozenset[str], ...]], ...]:
    """The words of a question that have other words, each with these."""
    return tuple(
        (frozenset(map(stem, words)), tuple(stems(term) for term in terms)) for words, terms in synonyms(question)
    )
