"""Events, what they name, and links, found by rules: a method of its own, for when no language model is at hand.

A sentence is an event; one that is too long is cut where a clause ends. What it names is told from articles and capital
letters, for English and languages like it. Links are few, and each says why: events that follow one another; a cause
that is named as such; and something that comes up again after it was out of sight, by what it has been rare in.
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
"""Shorter sentences are taken together with the next one, if it follows at once; our choice: "No!" is no event."""
JOINED_S = 1.0
"""The longest pause over which short sentences that are said are taken together; our choice: who says "He knocked." ten
seconds later tells of something else."""
RARE = 8
"""Events that name something which still tells them apart; our choice."""
AGAIN_S = 1.0
"""Between two events that name the same, in seconds (or sections), for the second to resume the first; our choice."""
MOST_RESUMED = 3
"""Links from one event to earlier ones that name the same; our choice, so that the cost of an event is bounded."""
CAUSE_CONFIDENCE, RESUME_CONFIDENCE = 0.7, 0.8
"""Of links that rules find; our choice."""


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
    """A stretch of a field of a segment that makes one event: characters `start` to `end`."""

    field: Field
    start: int
    end: int
    text: str


def sentences(segment: Segment, pauses: Sequence[int] = ()) -> Iterator[Sentence]:
    """The sentences of a segment, field by field; each has at most `MAX_SUMMARY_WORDS` words.

    Args:
        segment: of a source.
        pauses: characters of its dialogue before which it is silent for longer than `JOINED_S`.
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
    """The events of some segments, by time; of those that begin at once, in the order of their words.

    An event lasts as long as the cues that say it; without these, as its share of the characters of its field.

    Args:
        segments: of one source, by time.
        heads: how often each noun was named with an article (see `count_heads`); None counts in these segments.
        cues: those that the segments were made of (see `memory.narrative.ingest.segments.tile`), where their times are
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
        events += sorted(found, key=order)  # what is seen and what is said go on side by side
    return events


def entities_of(events: Iterable[Event]) -> list[Entity]:
    """Who and what some events name, each once, in the order in which they are named first."""
    found: dict[tuple[str, str], Entity] = {}
    for event in events:
        for name in (*event.actors, *event.objects):
            found.setdefault((event.source, name), Entity(source=event.source, name=name, kind=kind_of(name)))
    return list(found.values())


def kind_of(name: str) -> Literal["person", "object"]:
    """Whether a name is that of a person: a proper name, or a description by a word for people."""
    return "person" if name[:1].isupper() or name.split()[-1] in _PEOPLE else "object"


def count_heads(segments: Iterable[Segment]) -> Counter[str]:
    """How often each word stands right after an article or the like, which makes it likely a noun."""
    counts: Counter[str] = Counter()
    for segment in segments:
        words = [word.group().casefold() for word in _WORD.finditer(segment.words)]
        counts.update(
            word for before, word in pairwise(words) if before in _ARTICLES and word not in _NO_HEADS | _ARTICLES
        )
    return counts


def mentions(sentence: str, heads: Mapping[str, int]) -> tuple[str, ...]:
    """Who and what a sentence names, in order: proper names as they are spelt, else a noun in small letters.

    Args:
        sentence: the text.
        heads: see `count_heads`; a noun is one that was named with an article.
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


class Named:
    """Where each name was named before, so that links across time cost the same at any length of the source; and what
    was told last of what is seen, said and read."""

    def __init__(self) -> None:
        self._last: dict[str, Event] = {}
        self._told: dict[Field, Event] = {}
        self._times: Counter[str] = Counter()

    def resumed_by(self, event: Event) -> list[tuple[Event, str]]:
        """Earlier events that named the same, out of sight since then: at most `MOST_RESUMED`, rarest name first."""
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
        """The event that was told right before another in the same field: an answer is to what was said."""
        return self._told.get(event.spans[0].field)

    def add(self, event: Event) -> None:
        """Note what an event names, and that it was told."""
        self._told[event.spans[0].field] = event
        for name in (*event.actors, *event.objects):
            self._last[name] = event
            self._times[name] += 1


def link(events: Sequence[Event], named: Named | None = None, before: Event | None = None) -> list[Link]:
    """Links between events of one source, in order of time.

    Args:
        events: as `extract` gives them.
        named: what was named and told before them; it is told of these.
        before: the event right before them.
    """
    named = named or Named()
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
    """The cues that the dialogue of a segment is made of, taken out of those that wait, and where each ends in it."""
    said: list[tuple[int, Cue]] = []
    length = 0
    while waiting and segment.dialogue.startswith(waiting[0].text, length):
        length += len(waiting[0].text) + 1  # and the end of its line
        said.append((length, waiting.popleft()))
    return said


def _pauses(said: Sequence[tuple[int, Cue]]) -> list[int]:
    """Where in a dialogue a pause is too long for what stands on both sides of it to be one event."""
    pauses, said_s = [], 0.0
    for (end, cue), (_, after) in pairwise(said):
        said_s = max(said_s, cue.end_s)
        if after.start_s - said_s > JOINED_S:
            pauses.append(end)
    return pauses


def _apart(parts: Iterable[tuple[int, int]], pauses: Sequence[int]) -> Iterator[list[tuple[int, int]]]:
    """Parts of a text, those together between which no pause lies."""
    for _, together in groupby(parts, key=lambda part: bisect_right(pauses, part[0])):
        yield list(together)


def _times(segment: Segment, sentence: Sentence, said: Sequence[tuple[int, Cue]]) -> tuple[float, float]:
    """When a sentence is told, in seconds, within its segment."""
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
    """Sentences that are too short are joined with the next one, the last one with the one before."""
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
    """Parts of at most `MAX_SUMMARY_WORDS` words, cut where a clause ends, the nearer to the middle the better."""
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
    """Whether a word does not begin a sentence or a speech, where any word has a capital letter."""
    before = sentence[:start].rstrip()
    return bool(before) and before[-1] not in ".!?:\"“‘'(—"


def _goes_on(words: Sequence[tuple[str, int]], place: int) -> bool:
    """Whether the next word has a capital letter too, as in names of two words."""
    return place + 1 < len(words) and words[place + 1][0][0].isupper() and words[place + 1][0] not in _NO_NAMES


def _adjoin(sentence: str, one: tuple[str, int], other: tuple[str, int]) -> bool:
    return not sentence[one[1] + len(one[0]) : other[1]].strip() and other[0] not in _NO_NAMES


def _noun(words: Sequence[tuple[str, int]], place: int, heads: Mapping[str, int]) -> str | None:
    """The noun of a phrase that begins after its article: the last of up to three words that is one."""
    noun = None
    for word, _ in words[place : place + 3]:
        folded = word.casefold().removesuffix("'s").removesuffix("’s")
        if folded in heads and folded not in _NO_HEADS:
            noun = folded
        elif noun or folded in _ARTICLES or folded in _NO_HEADS - _ADJECTIVES:
            break
    return noun
