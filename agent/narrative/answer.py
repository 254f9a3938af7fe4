"""Questions to narrative memory: `answer_question`. Evidence first, by time; then words that rest on it, or none.

Without a language model the answer is the evidence itself, in the words of the source, and nothing where too little
bears on the question. With one, the question is taken apart, the model answers from numbered events, code maps the
numbers back and drops those that were never shown, and what the model says is missing is searched for once more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from agent.models.structured import MalformedAnswer
from agent.narrative import prompts
from agent.narrative.cached_llm import Asker
from memory.narrative.causal_order import shown_order
from memory.narrative.retrieval.retrieve import Retrieved, RetrieveOptions, Scored, retrieve, tokens_of
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.types import Chain, Event, Segment
from tools.media import Span

NOT_TOLD = "Nothing that is remembered answers this."
ROUNDS = 2
"""Rounds of search for one question; our choice, as the specification's."""
QUOTED, QUOTED_SHARE = 8, 0.4
"""Events that an answer without a model quotes at most, and the share of the best score that they need; our choice."""
LONGEST_RANGE = 30
"""Numbers that "[3-5]" stands for at most; our choice."""
NEAREST = 50
"""Events among which the nearest in meaning is looked for that was found; our choice."""
QUOTE_OPTIONS = RetrieveOptions(beside=0.0)
"""What is quoted bears on the question by itself, and not by what stands next to it; our choice."""
LEAST_SUPPORT, COVER_WEIGHT = 0.6, 0.3
"""What `support` has to reach for an answer without a model, and the weight of shared words in it. Our choice, after
what `evals.bench.narrative` prints: how many questions are refused on their own story, and how many on another."""
_BRACKETS = re.compile(r"\s*\[([^\[\]\n]*\d[^\[\]\n]*)\]")
_NUMBERS = re.compile(r"(\d{1,4})(?:\s*[-–]\s*(\d{1,4}))?")
_WORD = re.compile(r"[^\W\d_]{3,}")
_NO_CONTENT = frozenset(
    """
    the and but for with from that this these those his her its their our your was were are had has have did does not
    than then there here what who whom whose which when where why how all any both she they you him them into out about
    after before because would will can could should happen happened happens make made get got went feel felt
    """.split()
)
_STEM = 5  # letters by which two forms of a word are taken for one


class Told(BaseModel):
    """An event that an answer rests on.

    Attributes:
        event_id: of the memory.
        start_s, end_s: when it is shown; positions where the clock counts sections.
        text: what happens.
        frame_id: a picture of its segment, if there is one.
    """

    model_config = ConfigDict(frozen=True)

    event_id: str
    start_s: float
    end_s: float
    text: str
    frame_id: str | None = None


class NarrativeAnswer(BaseModel):
    """An answer, and what it rests on.

    Attributes:
        text: with times, or sections, in brackets.
        cited: the events that it rests on, by time; all of them were shown to whoever answered.
        shown: all that was shown, by time.
        chains: summaries of chains that were shown.
        abstained: whether nothing supports an answer.
        missing: what the model still missed in the end.
        unverified: numbers of events that the model cited and was never shown; they are left out.
        rounds: of search.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    cited: tuple[Told, ...] = ()
    shown: tuple[Told, ...] = ()
    chains: tuple[str, ...] = ()
    abstained: bool = False
    missing: str | None = None
    unverified: tuple[int, ...] = ()
    rounds: int = 1


def answer_question(
    store: NarrativeStore,
    source: str,
    question: str,
    clock: str,
    asker: Asker | None = None,
    options: RetrieveOptions | None = None,
    rounds: int = ROUNDS,
    as_of: int | None = None,
) -> NarrativeAnswer:
    """Answer a question about one source.

    Args:
        store: the memory.
        source: what is asked about.
        question: in words.
        clock: what times of the source count, `seconds` or `sections`.
        asker: the model; None quotes the evidence.
        options: how evidence is found.
        rounds: of search, at most; only a model asks for a second.
        as_of: the version of the memory that is asked; None: the newest.

    Raises:
        StoreError: if the memory cannot be read.
        ModelError: if the model fails; MalformedAnswer, one of them, if its answer cannot be used.
    """
    if asker is None:
        return _quoted(store, source, question, clock, options, as_of)
    queries = [question, *_decomposed(asker, question)]
    shown: list[Scored] = []
    chains: dict[str, Chain] = {}
    answer: NarrativeAnswer | None = None
    for number in range(1, rounds + 1):
        found = search(store, source, queries, options, as_of)
        cited = {told.event_id for told in answer.cited} if answer else set()
        shown = _within_budget(shown, found, cited, options or RetrieveOptions())
        chains |= {chain.id: chain for chain in found.chains if chain.summary}
        told = _told(store, shown)
        summaries = tuple(chains[id_].summary for id_ in sorted(chains))
        if not told:
            return NarrativeAnswer(text=NOT_TOLD, abstained=True, rounds=number)
        try:
            reply = prompts.answer(asker, question, [scored.event for scored in shown], summaries, clock)
        except MalformedAnswer:
            if answer is None:
                raise
            return answer  # of the round before
        answer = _checked(reply, told, summaries, number, clock)
        if not reply.missing or number == rounds:
            return answer
        queries = [reply.missing]
    raise AssertionError("a round answers")


def search(
    store: NarrativeStore,
    source: str,
    queries: Sequence[str],
    options: RetrieveOptions | None = None,
    as_of: int | None = None,
    within: Span | None = None,
) -> Retrieved:
    """Find what bears on some queries; a name in one of them is searched for by what else it is called, too."""
    known = [_with_aliases(store, source, query, as_of) for query in queries]
    return retrieve(store, source, known, options, as_of, within)


def support(store: NarrativeStore, source: str, question: str, found: Retrieved, as_of: int | None = None) -> float:
    """How surely the source is about what is asked: the best cosine of an event, and the share of the question's words
    that come up in what was found, weighted."""
    there = {scored.event.id for scored in found.ranked}
    nearest = [pair for pair in store.nearest(question, NEAREST, source, as_of=as_of) if pair[0] in there]
    wanted = _stems(question)
    told = {stem for scored in found.ranked for stem in _stems(scored.event.summary)}
    cover = len(wanted & told) / len(wanted) if wanted else 0.0
    return (nearest[0][1] if nearest else 0.0) + COVER_WEIGHT * cover


def quotes(store: NarrativeStore, source: str, question: str, within: Span | None = None) -> list[Event]:
    """The events that answer a question without a model, best first; none where too little bears on it.

    Args:
        store: the memory.
        source: what is asked about.
        question: in words.
        within: only what is shown in some seconds.

    Raises:
        StoreError: if the memory cannot be read.
    """
    found = search(store, source, [question], QUOTE_OPTIONS, within=within)
    return _chosen(store, source, question, found, None)


def _chosen(store: NarrativeStore, source: str, question: str, found: Retrieved, as_of: int | None) -> list[Event]:
    if not found.told or support(store, source, question, found, as_of) < LEAST_SUPPORT:
        return []
    best = sorted(found.told, key=lambda scored: (-scored.score, scored.event.id))[:QUOTED]
    return [scored.event for scored in best if scored.score >= QUOTED_SHARE * best[0].score]


def _quoted(
    store: NarrativeStore,
    source: str,
    question: str,
    clock: str,
    options: RetrieveOptions | None,
    as_of: int | None,
) -> NarrativeAnswer:
    """The evidence itself, in order of time."""
    found = search(store, source, [question], options or QUOTE_OPTIONS, as_of)
    shown = _told(store, found.told)
    chosen = {event.id for event in _chosen(store, source, question, found, as_of)}
    if not chosen:
        return NarrativeAnswer(text=NOT_TOLD, shown=shown, abstained=True)
    cited = tuple(told for told in shown if told.event_id in chosen)
    text = " ".join(f"{told.text.rstrip()} [{prompts.when(told.start_s, clock)}]" for told in cited)
    return NarrativeAnswer(text=text, cited=cited, shown=shown)


def _decomposed(asker: Asker, question: str) -> tuple[str, ...]:
    """What else to search for; nothing where the model cannot say: the question itself is searched for in any case."""
    try:
        return prompts.decompose(asker, question)
    except MalformedAnswer:
        return ()


def _within_budget(
    before: Sequence[Scored], found: Retrieved, cited: set[str], options: RetrieveOptions
) -> list[Scored]:
    """What was shown and what was found, in the order in which it is shown. Where both are too many, what was cited
    stays first, then what is new."""
    rest = sorted(before, key=lambda scored: -scored.score)
    first = [scored for scored in rest if scored.event.id in cited]
    taken: dict[str, Scored] = {}
    tokens = 0
    for scored in (*first, *found.told, *rest):
        cost = tokens_of(scored.event)
        if scored.event.id not in taken and len(taken) < options.events and tokens + cost <= options.tokens:
            taken[scored.event.id] = scored
            tokens += cost
    return sorted(taken.values(), key=lambda scored: shown_order(scored.event))


def _checked(
    reply: prompts.Reply, told: Sequence[Told], chains: tuple[str, ...], rounds: int, clock: str
) -> NarrativeAnswer:
    """An answer with the numbers of events that were shown as times; others are left out, and told of.

    So is whatever else stands in brackets with a digit in it, such as a time that the model wrote itself.
    """
    in_text = [number for group in _BRACKETS.findall(reply.answer) for number in _numbers(group)]
    numbers = sorted({*reply.cited, *in_text})
    known = {number for number in numbers if 1 <= number <= len(told)}

    def as_times(match: re.Match[str]) -> str:
        cited = [number for number in _numbers(match[1]) if number in known]
        times = dict.fromkeys(prompts.when(told[number - 1].start_s, clock) for number in cited)
        return "".join(f" [{time}]" for time in times)

    text = _BRACKETS.sub(as_times, reply.answer).strip()
    abstained = not text or not known
    return NarrativeAnswer(
        text=NOT_TOLD if abstained else text,
        cited=() if abstained else tuple(told[number - 1] for number in sorted(known)),
        shown=tuple(told),
        chains=chains,
        abstained=abstained,
        missing=reply.missing or None,
        unverified=tuple(number for number in numbers if number not in known),
        rounds=rounds,
    )


def _numbers(cited: str) -> list[int]:
    """The numbers in brackets, such as "1, 3-5"; none where something else stands there."""
    found: list[int] = []
    for part in re.split(r"[,;]", cited):
        match = _NUMBERS.fullmatch(part.strip())
        if match is None:
            return []
        first, last = int(match[1]), int(match[2] or match[1])
        found += range(first, last + 1) if first <= last < first + LONGEST_RANGE else [first]
    return found


def _told(store: NarrativeStore, found: Sequence[Scored]) -> tuple[Told, ...]:
    def picture(event: Event) -> str | None:
        segments = (store.record(id_) for id_ in event.segment_ids)
        frames = (segment.frame_ids for segment in segments if isinstance(segment, Segment))
        return next((ids[0] for ids in frames if ids), None)

    return tuple(
        Told(
            event_id=scored.event.id,
            start_s=scored.event.start_s,
            end_s=scored.event.end_s,
            text=scored.event.summary,
            frame_id=picture(scored.event),
        )
        for scored in found
    )


def _with_aliases(store: NarrativeStore, source: str, query: str, as_of: int | None) -> str:
    """A query with what else the people and things in it are called, where names were merged."""
    return " ".join([query, *store.other_names(query, source, as_of)])


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in _WORD.findall(text.casefold()) if word not in _NO_CONTENT}
