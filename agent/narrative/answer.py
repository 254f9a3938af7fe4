"""Question answering from narrative memory: retrieve evidence, then answer from it or abstain.

Without a language model, the answer quotes the evidence, or abstains if too little is relevant. With one, the question
is decomposed, the model answers from numbered events, code maps the numbers back and drops those that were never shown,
and what the model reports as missing is searched for once more.
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

NO_ANSWER = "Nothing in memory answers this."
MAX_ROUNDS = 2
"""Maximum search rounds per question."""
MAX_QUOTED, MIN_SCORE_SHARE = 8, 0.4
"""Without a model: the maximum number of quoted events, and their minimum score as a share of the best."""
MAX_RANGE = 30
"""Maximum length of a range such as "[3-5]"."""
NEAREST = 50
"""Number of nearest neighbours in which to look for retrieved events."""
QUOTE_OPTIONS = RetrieveOptions(beside=0.0)
"""Quoted events must be relevant themselves, not through their neighbours."""
MIN_SUPPORT, COVER_WEIGHT = 0.6, 0.3
"""Minimum `support` of an answer without a model, and the weight of shared words in it. Our choice, from the output of
`evals.bench.narrative`: how many questions are refused on their own story, and how many on another."""
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
_STEM = 5  # common prefix of two forms of a word


class CitedEvent(BaseModel):
    """An event cited by an answer.

    Attributes:
        event_id: its id in the memory.
        start_s, end_s: when it is shown; section numbers if the clock is `sections`.
        text: what happens.
        frame_id: a picture of its segment, if any.
    """

    model_config = ConfigDict(frozen=True)

    event_id: str
    start_s: float
    end_s: float
    text: str
    frame_id: str | None = None


class NarrativeAnswer(BaseModel):
    """An answer and its evidence.

    Attributes:
        text: the answer, with times or sections in brackets.
        cited: the events that support it, by time; all of them were shown to the model.
        shown: all events shown, by time.
        chains: summaries of chains that were shown.
        abstained: whether there is no supported answer.
        missing: what the model reported as missing in the last round.
        unverified: cited event numbers that the model was never shown; they are left out.
        rounds: search rounds used.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    cited: tuple[CitedEvent, ...] = ()
    shown: tuple[CitedEvent, ...] = ()
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
    rounds: int = MAX_ROUNDS,
    as_of: int | None = None,
) -> NarrativeAnswer:
    """Answer a question about one source.

    Args:
        store: the memory.
        source: the source.
        question: the question.
        clock: unit of the source's times, `seconds` or `sections`.
        asker: the model; None quotes the evidence.
        options: retrieval options.
        rounds: maximum search rounds; only a model requests a second.
        as_of: version of the memory; None: the newest.

    Raises:
        StoreError: if the memory cannot be read.
        ModelError: if the model fails; MalformedAnswer (a subclass) if its answer is invalid.
    """
    if asker is None:
        return _quote_answer(store, source, question, clock, options, as_of)
    queries = [question, *_decomposed(asker, question)]
    shown: list[Scored] = []
    chains: dict[str, Chain] = {}
    answer: NarrativeAnswer | None = None
    for number in range(1, rounds + 1):
        found = search(store, source, queries, options, as_of)
        cited = {event.event_id for event in answer.cited} if answer else set()
        shown = _within_budget(shown, found, cited, options or RetrieveOptions())
        chains |= {chain.id: chain for chain in found.chains if chain.summary}
        events = _cited_events(store, shown)
        summaries = tuple(chains[id_].summary for id_ in sorted(chains))
        if not events:
            return NarrativeAnswer(text=NO_ANSWER, abstained=True, rounds=number)
        try:
            reply = prompts.answer(asker, question, [scored.event for scored in shown], summaries, clock)
        except MalformedAnswer:
            if answer is None:
                raise
            return answer  # from the previous round
        answer = _check_citations(reply, events, summaries, number, clock)
        if not reply.missing or number == rounds:
            return answer
        queries = [reply.missing]
    raise AssertionError("unreachable: the last round returns")


def search(
    store: NarrativeStore,
    source: str,
    queries: Sequence[str],
    options: RetrieveOptions | None = None,
    as_of: int | None = None,
    within: Span | None = None,
) -> Retrieved:
    """Retrieve events for some queries, expanding names in them with their aliases."""
    known = [_with_aliases(store, source, query, as_of) for query in queries]
    return retrieve(store, source, known, options, as_of, within)


def support(store: NarrativeStore, source: str, question: str, found: Retrieved, as_of: int | None = None) -> float:
    """Score how well the source supports an answer: the best cosine of a retrieved event, plus the weighted share of
    the question's words that occur in the retrieved events."""
    retrieved = {scored.event.id for scored in found.ranked}
    nearest = [pair for pair in store.nearest(question, NEAREST, source, as_of=as_of) if pair[0] in retrieved]
    wanted = _stems(question)
    covered = {stem for scored in found.ranked for stem in _stems(scored.event.summary)}
    cover = len(wanted & covered) / len(wanted) if wanted else 0.0
    return (nearest[0][1] if nearest else 0.0) + COVER_WEIGHT * cover


def find_quotes(store: NarrativeStore, source: str, question: str, within: Span | None = None) -> list[Event]:
    """Return the events that answer a question without a model, best first; none if too little is relevant.

    Args:
        store: the memory.
        source: the source.
        question: the question.
        within: only events shown in this span.

    Raises:
        StoreError: if the memory cannot be read.
    """
    found = search(store, source, [question], QUOTE_OPTIONS, within=within)
    return _choose_quotes(store, source, question, found, None)


def _choose_quotes(
    store: NarrativeStore, source: str, question: str, found: Retrieved, as_of: int | None
) -> list[Event]:
    if not found.told or support(store, source, question, found, as_of) < MIN_SUPPORT:
        return []
    best = sorted(found.told, key=lambda scored: (-scored.score, scored.event.id))[:MAX_QUOTED]
    return [scored.event for scored in best if scored.score >= MIN_SCORE_SHARE * best[0].score]


def _quote_answer(
    store: NarrativeStore,
    source: str,
    question: str,
    clock: str,
    options: RetrieveOptions | None,
    as_of: int | None,
) -> NarrativeAnswer:
    """Answer by quoting the evidence, in order of time."""
    found = search(store, source, [question], options or QUOTE_OPTIONS, as_of)
    shown = _cited_events(store, found.told)
    chosen = {event.id for event in _choose_quotes(store, source, question, found, as_of)}
    if not chosen:
        return NarrativeAnswer(text=NO_ANSWER, shown=shown, abstained=True)
    cited = tuple(event for event in shown if event.event_id in chosen)
    text = " ".join(f"{event.text.rstrip()} [{prompts.when(event.start_s, clock)}]" for event in cited)
    return NarrativeAnswer(text=text, cited=cited, shown=shown)


def _decomposed(asker: Asker, question: str) -> tuple[str, ...]:
    """Return further queries from the model, if it gives a valid answer; the question itself is always searched."""
    try:
        return prompts.decompose(asker, question)
    except MalformedAnswer:
        return ()


def _within_budget(
    before: Sequence[Scored], found: Retrieved, cited: set[str], options: RetrieveOptions
) -> list[Scored]:
    """Combine shown and new events within the limits, in display order. Cited events have priority, then new ones."""
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


def _check_citations(
    reply: prompts.Reply, shown: Sequence[CitedEvent], chains: tuple[str, ...], rounds: int, clock: str
) -> NarrativeAnswer:
    """Replace event numbers in an answer by times; drop numbers never shown and report them as unverified.

    Any other bracket that contains a digit, such as a time written by the model itself, is dropped too.
    """
    in_text = [number for group in _BRACKETS.findall(reply.answer) for number in _numbers(group)]
    numbers = sorted({*reply.cited, *in_text})
    known = {number for number in numbers if 1 <= number <= len(shown)}

    def as_times(match: re.Match[str]) -> str:
        cited = [number for number in _numbers(match[1]) if number in known]
        times = dict.fromkeys(prompts.when(shown[number - 1].start_s, clock) for number in cited)
        return "".join(f" [{time}]" for time in times)

    text = _BRACKETS.sub(as_times, reply.answer).strip()
    abstained = not text or not known
    return NarrativeAnswer(
        text=NO_ANSWER if abstained else text,
        cited=() if abstained else tuple(shown[number - 1] for number in sorted(known)),
        shown=tuple(shown),
        chains=chains,
        abstained=abstained,
        missing=reply.missing or None,
        unverified=tuple(number for number in numbers if number not in known),
        rounds=rounds,
    )


def _numbers(cited: str) -> list[int]:
    """Parse the numbers in a bracket, such as "1, 3-5"; return none for anything else."""
    found: list[int] = []
    for part in re.split(r"[,;]", cited):
        match = _NUMBERS.fullmatch(part.strip())
        if match is None:
            return []
        first, last = int(match[1]), int(match[2] or match[1])
        found += range(first, last + 1) if first <= last < first + MAX_RANGE else [first]
    return found


def _cited_events(store: NarrativeStore, found: Sequence[Scored]) -> tuple[CitedEvent, ...]:
    def picture(event: Event) -> str | None:
        segments = (store.record(id_) for id_ in event.segment_ids)
        frames = (segment.frame_ids for segment in segments if isinstance(segment, Segment))
        return next((ids[0] for ids in frames if ids), None)

    return tuple(
        CitedEvent(
            event_id=scored.event.id,
            start_s=scored.event.start_s,
            end_s=scored.event.end_s,
            text=scored.event.summary,
            frame_id=picture(scored.event),
        )
        for scored in found
    )


def _with_aliases(store: NarrativeStore, source: str, query: str, as_of: int | None) -> str:
    """Append the aliases of the people and things named in a query, where names were merged."""
    return " ".join([query, *store.other_names(query, source, as_of)])


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in _WORD.findall(text.casefold()) if word not in _NO_CONTENT}
