"""Rule-based extraction of events, entities and links, for use without a language model.

Each sentence is an event; a sentence that is too long is cut at a clause boundary. Entities are recognised by articles
and capital letters, in English and similar languages. Links are few, and each states its reason: consecutive events, an
explicit cause, or something rare that comes up again after an absence.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Literal

from memory.narrative.causal_order import illegal, order
from memory.narrative.ingest.cues import Cue
from memory.narrative.types import MAX_SUMMARY_WORDS, Entity, Event, Link, Segment, SourceSpan
from tools.wordlists import load_words

_LISTS = load_words(__package__, "rules")

MIN_WORDS = 4
"""Shorter sentences are joined with the next one if it follows at once: "No!" is not an event."""
JOINED_S = 1.0
"""Longest pause over which short spoken sentences are joined: ten seconds after "He knocked.", the next sentence is
about something else."""
RARE = 8
"""A name in more events than this no longer distinguishes them."""
AGAIN_S = 1.0
"""Minimum interval in seconds (or sections) between two events with the same name for the second to resume the first.
"""
MOST_RESUMED = 3
"""Links from one event to earlier ones with the same name, at most; bounds the cost of an event."""
CAUSE_CONFIDENCE, RESUME_CONFIDENCE = 0.7, 0.8
"""Of links that the rules find."""


_END = re.compile(r"""(?<=[.!?…])["”’')\]]*(?:\s+|$)|\n+""")
_ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|Prof|Rev|Capt|Sgt|Lt|vs|etc|[A-Z])\.$")
_CLAUSE = re.compile(r"[;:,–—]\s+|\s+(?=(?:and|but|so|because|while|when|until|who|which|that)\s)")
_BLANK = re.compile(r"\s+")
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_ARTICLES = frozenset(_LISTS["articles"])
_ADJECTIVES = frozenset(_LISTS["adjectives"])
_NO_HEADS = _ADJECTIVES | frozenset(
    """
    and or but if of to in on at by for from with as is are was were be been being had has have do did does not no
    so than then there here what who whom which when where why how all any both he she it they we you i me him
    them us very too more most such same other own only just first last next time times day days way thing things
    one great little old young good big long poor whole
    """.split()
)
_NO_NAMES = frozenset(_LISTS["no names"])
_PEOPLE = frozenset(_LISTS["people"])
_EFFECT = re.compile(rf"^\W*(?:{'|'.join(_LISTS['effect'])})\b", re.IGNORECASE)

Field = Literal["caption", "dialogue", "text"]
_FIELDS: tuple[Field, ...] = ("caption", "dialogue", "text")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A part of a segment's field that makes one event: characters `start` to `end`."""

    field: Field
    start: int
    end: int
    text: str


def sentences(segment: Segment, pauses: Sequence[int] = ()) -> Iterator[Sentence]:
    """Yield the sentences of a segment, field by field; each has at most `MAX_SUMMARY_WORDS` words.

    Args:
        segment: of a source.
        pauses: character offsets in its dialogue that follow a silence longer than `JOINED_S`.
    """
    for field in _FIELDS:
        whole: str = getattr(segment, field)
        for parts in _apart(_cut(whole), pauses if field == "dialogue" else ()):
            for start, end in _joined(whole, parts):
                for low, high in _shortened(whole, start, end):
                    yield Sentence(field, low, high, " ".join(whole[low:high].split()))


def extract(
    segments: Sequence[Segment], heads: Mapping[str, int] | None = None, cues: Sequence[Cue] = ()
) -> list[Event]:
    """Extract the events of some segments by time; those that begin at once are in the order of their words.

    An event spans the cues that contain it; without cues, a share of the segment in proportion to its characters.

    Args:
        segments: of one source, by time.
        heads: how often each noun follows an article (see `count_heads`); None counts in these segments.
        cues: the cues that the segments were made of (see `memory.narrative.ingest.segments.tile`), if their times are
            known.
    """
    known = count_heads(segments) if heads is None else heads
    events = []
    waiting = deque(sorted((cue for cue in cues if cue.text), key=lambda cue: (cue.start_s, cue.end_s)))
    for segment in segments:
        said = _said(segment, waiting)
        found = []
        for sentence in sentences(segment, _pauses(said)):
            start_s, end_s = _times(segment, sentence, said)
            named = mentions(sentence.text, known)
            found.append(
                Event(
                    source=segment.source,
                    segment_ids=(segment.id,),
                    start_s=start_s,
                    end_s=end_s,
                    summary=sentence.text,
                    actors=tuple(name for name in named if kind_of(name) == "person"),
                    objects=tuple(name for name in named if kind_of(name) != "person"),
                    spans=(
                        SourceSpan(segment_id=segment.id, field=sentence.field, start=sentence.start, end=sentence.end),
                    ),
                )
            )
        events += sorted(found, key=order)  # caption and dialogue run side by side
    return events


def entities_of(events: Iterable[Event]) -> list[Entity]:
    """Return the entities that events name, each once, in order of first mention."""
    found: dict[tuple[str, str], Entity] = {}
    for event in events:
        for name in (*event.actors, *event.objects):
            found.setdefault((event.source, name), Entity(source=event.source, name=name, kind=kind_of(name)))
    return list(found.values())


def kind_of(name: str) -> Literal["person", "object"]:
    """Classify a name: a proper name, or a noun for people, is a person."""
    return "person" if name[:1].isupper() or name.split()[-1] in _PEOPLE else "object"


def count_heads(segments: Iterable[Segment]) -> Counter[str]:
    """Count how often each word follows an article or similar, which makes it likely a noun."""
    counts: Counter[str] = Counter()
    for segment in segments:
        words = [word.group().casefold() for word in _WORD.finditer(segment.words)]
        counts.update(
            word for before, word in pairwise(words) if before in _ARTICLES and word not in _NO_HEADS | _ARTICLES
        )
    return counts


def mentions(sentence: str, heads: Mapping[str, int]) -> tuple[str, ...]:
    """Return the entities that a sentence names, in order: proper names as spelt, else a noun in lower case.

    Args:
        sentence: the text.
        heads: see `count_heads`; a noun is a word that has followed an article.
    """
    found: dict[str, None] = {}
    words = [(word.group(), word.start()) for word in _WORD.finditer(sentence)]
    place = 0
    while place < len(words):
        word, start = words[place]
        folded = word.casefold()
        if word[0].isupper() and word not in _NO_NAMES and (_in_sentence(sentence, start) or _goes_on(words, place)):
            end = place + 1
            while end < len(words) and words[end][0][0].isupper() and _adjoin(sentence, words[end - 1], words[end]):
                end += 1
            name = " ".join(part for part, _ in words[place:end])
            if folded not in _ARTICLES | _NO_HEADS:
                found.setdefault(name.removesuffix("'s").removesuffix("’s"))
            place = end
            continue
        if folded in _ARTICLES:
            noun = _noun(words, place + 1, heads)
            if noun:
                found.setdefault(noun)
        place += 1
    return tuple(found)


class MentionIndex:
    """Index of earlier mentions by name, and the last event of each field.

    Keeps the cost of a link across time independent of the length of the source.
    """

    def __init__(self) -> None:
        self._last: dict[str, Event] = {}
        self._told: dict[Field, Event] = {}
        self._times: Counter[str] = Counter()

    def resumed_by(self, event: Event) -> list[tuple[Event, str]]:
        """Return earlier events with a name in common that was absent since: at most `MOST_RESUMED`, rarest name
        first."""
        names = sorted(
            (self._times[name], name) for name in (*event.actors, *event.objects) if 0 < self._times[name] <= RARE
        )
        found: dict[str, tuple[Event, str]] = {}
        for _, name in names:
            before = self._last[name]
            if event.start_s - before.end_s >= AGAIN_S:
                found.setdefault(before.id, (before, name))
        return list(found.values())[:MOST_RESUMED]

    def told_before(self, event: Event) -> Event | None:
        """Return the event that precedes another in the same field: an answer refers to what was said."""
        return self._told.get(event.spans[0].field)

    def add(self, event: Event) -> None:
        """Record the names of an event, and make it the last of its field."""
        self._told[event.spans[0].field] = event
        for name in (*event.actors, *event.objects):
            self._last[name] = event
            self._times[name] += 1


def link(events: Sequence[Event], named: MentionIndex | None = None, before: Event | None = None) -> list[Link]:
    """Find links between events of one source, in order of time.

    Args:
        events: as `extract` returns them.
        named: the mentions before them; updated with these events.
        before: the event right before them.
    """
    named = named or MentionIndex()
    links = []
    for event in events:
        if before is not None:
            links.append(Link(src=before.id, dst=event.id, type="next", segment_ids=event.segment_ids))
        cause = named.told_before(event)
        if cause is not None and _EFFECT.match(event.summary) and not illegal(cause, event, "causes"):
            why = f"it begins with {' '.join(event.summary.split()[:2])!r}"
            links.append(_link(cause, event, "causes", CAUSE_CONFIDENCE, why))
        for earlier, name in named.resumed_by(event):
            links.append(_link(earlier, event, "resumes", RESUME_CONFIDENCE, f"both name {name!r}"))
        named.add(event)
        before = event
    return links


def _link(src: Event, dst: Event, type_: Literal["causes", "resumes"], confidence: float, why: str) -> Link:
    segments = tuple(dict.fromkeys((*src.segment_ids, *dst.segment_ids)))
    return Link(src=src.id, dst=dst.id, type=type_, confidence=confidence, segment_ids=segments, why=why)


def _said(segment: Segment, waiting: deque[Cue]) -> list[tuple[int, Cue]]:
    """Take the cues that make up the dialogue of a segment from the waiting ones; return each with its end offset."""
    said: list[tuple[int, Cue]] = []
    length = 0
    while waiting and segment.dialogue.startswith(waiting[0].text, length):
        length += len(waiting[0].text) + 1  # the line break after it
        said.append((length, waiting.popleft()))
    return said


def _pauses(said: Sequence[tuple[int, Cue]]) -> list[int]:
    """Return the offsets in a dialogue where a pause is too long to join the sentences around it."""
    pauses, said_s = [], 0.0
    for (end, cue), (_, after) in pairwise(said):
        said_s = max(said_s, cue.end_s)
        if after.start_s - said_s > JOINED_S:
            pauses.append(end)
    return pauses


def _apart(parts: Iterable[tuple[int, int]], pauses: Sequence[int]) -> Iterator[list[tuple[int, int]]]:
    """Group the parts of a text that no pause separates."""
    for _, together in groupby(parts, key=lambda part: bisect_right(pauses, part[0])):
        yield list(together)


def _times(segment: Segment, sentence: Sentence, said: Sequence[tuple[int, Cue]]) -> tuple[float, float]:
    """Return when a sentence is spoken or shown, in seconds, within its segment."""
    if sentence.field == "dialogue" and said and said[-1][0] > len(segment.dialogue):
        first = next(cue for end, cue in said if sentence.start < end)
        last = next(cue for end, cue in said if sentence.end <= end)
        start_s = min(max(first.start_s, segment.start_s), segment.end_s)
        return start_s, min(max(last.end_s, start_s), segment.end_s)
    length, lasts_s = max(1, len(getattr(segment, sentence.field))), segment.end_s - segment.start_s
    shares = (sentence.start / length, sentence.end / length)
    return round(segment.start_s + lasts_s * shares[0], 3), round(segment.start_s + lasts_s * shares[1], 3)


def _cut(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end in _END.finditer(text):
        if not _ABBREVIATION.search(text[start : end.start()]):
            if text[start : end.end()].strip():
                yield start, end.end()
            start = end.end()
    if text[start:].strip():
        yield start, len(text)


def _joined(text: str, parts: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Join sentences that are too short with the next one, the last one with the one before."""
    held: tuple[int, int] | None = None
    done: tuple[int, int] | None = None
    for start, end in parts:
        start = held[0] if held else start
        held = (start, end)
        if len(text[start:end].split()) >= MIN_WORDS:
            if done:
                yield done
            done, held = held, None
    if done and held:
        yield done[0], held[1]
    elif done or held:
        yield done or held  # type: ignore[misc]


def _shortened(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Split a text at clause boundaries, preferably near the middle, into parts of at most `MAX_SUMMARY_WORDS`
    words."""
    if len(text[start:end].split()) <= MAX_SUMMARY_WORDS:
        yield start, start + len(text[start:end].rstrip())
        return
    middle = (start + end) / 2
    cuts = [cut.end() for cut in _CLAUSE.finditer(text, start, end)]
    cuts = [cut for cut in cuts if min(len(text[start:cut].split()), len(text[cut:end].split())) >= MIN_WORDS]
    if not cuts:
        cuts = [
            blank.end() for blank in re.compile(r"\s+").finditer(text, start, end) if text[blank.end() : end].strip()
        ]
    cut = min(cuts, key=lambda cut: abs(cut - middle))
    yield from _shortened(text, start, cut)
    yield from _shortened(text, cut, end)


def _in_sentence(sentence: str, start: int) -> bool:
    """Return whether a word is inside a sentence; at the beginning of one, every word is capitalised."""
    before = sentence[:start].rstrip()
    return bool(before) and before[-1] not in ".!?:\"“‘'(—"


def _goes_on(words: Sequence[tuple[str, int]], place: int) -> bool:
    """Return whether the next word is capitalised too, as in names of two words."""
    return place + 1 < len(words) and words[place + 1][0][0].isupper() and words[place + 1][0] not in _NO_NAMES


def _adjoin(sentence: str, one: tuple[str, int], other: tuple[str, int]) -> bool:
    return not sentence[one[1] + len(one[0]) : other[1]].strip() and other[0] not in _NO_NAMES


def _noun(words: Sequence[tuple[str, int]], place: int, heads: Mapping[str, int]) -> str | None:
    """Return the noun of a phrase after its article: the last of up to three words that is a noun."""
    noun = None
    for word, _ in words[place : place + 3]:
        folded = word.casefold().removesuffix("'s").removesuffix("’s")
        if folded in heads and folded not in _NO_HEADS:
            noun = folded
        elif noun or folded in _ARTICLES or folded in _NO_HEADS - _ADJECTIVES:
            break
    return noun
