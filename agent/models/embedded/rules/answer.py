"""From a request to an answer: facts first, the language network for talk, else "I can't tell".

Every statement about frames rests on evidence that code has computed and names the time of the frame it was seen in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from agent.models.embedded.model import Mind, Perception
from agent.models.embedded.networks.language import turn
from agent.models.embedded.request import Request, Shown
from agent.models.embedded.rules import describe, hearing, tables, temporal, yes_no
from agent.models.embedded.rules import ocr as reading
from agent.models.embedded.rules.describe import CANNOT_TELL
from agent.models.embedded.rules.evidence import Fact, gather, scenes
from agent.models.embedded.rules.intents import Intent, intent_of
from agent.models.embedded.rules.language import only_english
from agent.models.embedded.rules.over_time import seen_answer, seen_call
from agent.models.embedded.rules.question import Question, in_full, take_apart
from agent.models.embedded.rules.tool_calls import call, rarely_seen, told_call, wanted_call
from agent.models.embedded.rules.visual import answer as visual
from agent.models.embedded.rules.visual.action import CLOSER_FRAMES, closer_span
from agent.models.embedded.rules.visual.seen import Seen
from agent.models.options import ModelOptions
from tools.media.clock import cited_times, format_clock

NOTHING_SHOWN = "I have not been shown any frames."
UNREAD = "I can't tell: I neither read papers nor decide medical questions. Use a larger model for that."
"""Said where the language network would make up a finding."""
MARKED = "<untrusted>"
"""Begins a text that a prompt brings to be read."""
SYSTEM = "You are a helpful assistant. Answer with one short sentence."
ABOUT = (
    "I am Attend's embedded model, small enough for any computer. In pictures and video I name things, read words, "
    "tell when something appears or changes, and say when I cannot tell. For more than that, use a larger model."
)
"""Said when asked who it is: the base model makes such answers up."""
LITERATURE = "search_literature"
"""The literature tool, `tools.literature.tool.NAME`; its rules are loaded only where it is offered or was called."""
LONG_WORDS = 60
"""Words of a question beyond which it brings what it is about, such as an abstract; our choice."""
_NEAR_S = 0.6
WHAT_IS_SEEN = "What do you see?"
SURE_INTENT = 0.4
"""Probability from which an intent outweighs the patterns for words."""
LEAST_INTENT = 0.2
"""Probability below which an intent is a guess, and the question is left to the rules for words and classes."""
BY_CLASSES = frozenset({"describe", "name", "exists", "when", "order", "colour", "quality", "words"})
"""Intents that the vision network's classes may answer where the detector does not."""


def reply(
    mind: Mind, request: Request, options: ModelOptions, tools: Sequence[dict[str, Any]], tool_choice: str
) -> Iterator[Any]:
    """Yield the pieces of an answer (texts), or one tool call (a `tool_call_chunk`)."""
    if request.watch:
        from agent.models.embedded.rules.watch import verdict

        yield from _pieces(mind, verdict(mind, *request.watch, gather(mind.perception, request.frames)), options)
        return
    if any(tool["function"]["name"] == LITERATURE for tool in tools):
        from agent.models.embedded.rules.route_literature import literature_call

        if (asked := literature_call(request.question, request.results, tools, tool_choice)) is not None:
            yield call(mind, request, *asked)
            return
    if any(name == LITERATURE for name, _ in request.results):
        from agent.models.embedded.rules.route_literature import heeded

        request = replace(request, results=heeded(request.question, request.results))
        if (cited := _cited(mind, request, options)) is not None:
            yield from _pieces(mind, cited, options)
            return
    if (at_once := _foreign_or_heard(mind, request)) is not None:
        yield from _pieces(mind, at_once, options)
        return
    request = replace(request, question=in_full(request.question, request.talk))
    times_s = [frame.t_s for frame in request.frames if frame.t_s is not None]
    question = take_apart(request.question, max(times_s, default=None))
    intent = intent_of(request.question) if request.frames else None
    if intent and intent.p >= SURE_INTENT:
        if intent.name == "words" and not question.phrase and question.kind != "times":
            question = replace(question, kind="words", at_large=False)
        elif question.kind == "words" and intent.name in ("describe", "name"):
            question = replace(question, kind="describe")
    facts = _at_times(gather(mind.perception, request.frames), question)
    telling_call = told_call(question, request, tools, tool_choice)
    wanted = telling_call if rarely_seen(question) else None
    wanted = wanted or seen_call(question, request, tools, tool_choice)
    wanted = wanted or wanted_call(mind, question, request, facts, tools, tool_choice)
    wanted = wanted or _closer_look(mind, question, request, facts, intent, tools, tool_choice)
    text = None if wanted else _answer(mind, request, question, facts, intent)
    if text is None or text.startswith(CANNOT_TELL) or (rarely_seen(question) and not question.unwatched):
        wanted = wanted or telling_call
        text = (request.results and reading.told(request.results)) or text
    if wanted:
        yield call(mind, request, *wanted)
        return
    yield from _chat(mind, request, options) if text is None else _pieces(mind, text, options)


def _closer_look(
    mind: Mind,
    question: Question,
    request: Request,
    facts: list[Fact],
    intent: Intent | None,
    tools: Sequence[dict[str, Any]],
    choice: str,
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return a call of `look` for frames closer together, where it is asked what people do; else None."""
    look = next((tool["function"] for tool in tools if tool["function"]["name"] == "look"), None)
    asks = intent is not None and intent.name in ("action", "doing") and intent.p >= LEAST_INTENT
    if look is None or choice != "auto" or request.results or not asks or not _is_visual(question):
        return None
    span = closer_span(Seen(mind.perception, question, facts)) if facts else None
    if span is None:
        return None
    return look, {"start": format_clock(span[0]), "end": format_clock(span[1]), "frames": CLOSER_FRAMES}


def _foreign_or_heard(mind: Mind, request: Request) -> str | None:
    """Answer a question in another language, or about what is heard; None for others."""
    if (foreign := only_english(request.question)) is not None:
        facts = gather(mind.perception, request.frames)
        told = visual.describe(Seen(mind.perception, take_apart(WHAT_IS_SEEN), facts)) or ""
        return f"{foreign} {told}".strip()
    return hearing.answer(in_full(request.question, request.talk), request.speech, request.sound)


def _pieces(mind: Mind, text: str, options: ModelOptions) -> Iterator[str]:
    """Yield a text word by word, as far as the tokens of an answer go."""
    left = options.max_tokens
    for piece in re.findall(r"\s*\S+", text):
        left -= len(mind.language.token_ids(piece))
        if left < 0:
            return
        yield piece


def _cited(mind: Mind, request: Request, options: ModelOptions) -> str | None:
    """What the literature says, with as many quotes as an answer has room for, so that what stands behind is not cut;
    None where it was not asked."""
    from agent.models.embedded.rules.route_literature import QUOTED, from_literature

    told = [from_literature(request.results, quoted) for quoted in range(QUOTED, 0, -1)]
    fitting = (text for text in told if text and len(mind.language.token_ids(text)) <= options.max_tokens)
    return next(fitting, told[-1])


def _answer(mind: Mind, request: Request, question: Question, facts: list[Fact], intent: Intent | None) -> str | None:
    """Answer from evidence; None leaves the talk to the base model."""
    if not request.frames and _is_for_papers(question.text):
        return UNREAD
    if not request.frames and len(question.text.split()) > LONG_WORDS:
        return None
    if _is_talk(question, intent):
        written = None if question.kind == "talk" else tables.cell(mind, question, facts)
        return written or (ABOUT if question.about_model else None)
    if intent is not None and intent.name == "interrupted" and intent.p >= SURE_INTENT:
        return _interruptions(request)
    if question.unwatched:
        return f"I was not watching {question.unwatched}; I began at {format_clock(0.0)}."
    brought = seen_answer(question, request.results) or reading.from_results(question, request.results)
    if brought:
        return brought
    if not facts:
        if not request.frames and not question.times_s and not _about_frames(question):
            return None
        return f"{CANNOT_TELL} {NOTHING_SHOWN}" if not request.frames else _nothing_then(question, request)
    return _from_facts(mind, question, facts, intent)


def _interruptions(request: Request) -> str:
    """Answer from the log of the capture, which the prompt lists among the frames."""
    if request.gaps:
        return f"Yes, there was no picture from {'; and none from '.join(request.gaps)}."
    times = [frame.t_s for frame in request.frames if frame.t_s is not None]
    span = f" from [{format_clock(min(times))}] to [{format_clock(max(times))}]" if times else ""
    return f"No, I know of no interruption{span}."


def _from_facts(mind: Mind, question: Question, facts: list[Fact], intent: Intent | None) -> str:
    """Answer from what is seen; where the detector does not tell, from the classes and words of the frames."""
    seen, shown = scenes(facts), Seen(mind.perception, question, facts)
    if intent is not None and intent.p >= LEAST_INTENT and _is_visual(question):
        if (line := _written_value(mind, question, facts, intent)) is not None:
            return line
        if (told := visual.answer(shown, intent.name)) is not None:
            return told
        if intent.name not in BY_CLASSES:
            return visual.unseen(shown)
    if question.moment and question.kind not in ("when", "change"):
        seen = seen[:1] if question.moment == "start" else seen[-1:]
        facts = list(seen[0].facts)
    if question.shapes and (drawn := yes_no.drawn(mind, question, facts)):
        return drawn
    makers = {
        "describe": describe.describe_all, "words": describe.words, "quality": describe.quality, "when": describe.when,
        "order": describe.order, "change": describe.change, "name": describe.name, "choice": yes_no.choice,
        "exists": yes_no.exists, "where": yes_no.where, "colour": yes_no.colour, "times": temporal.times,
    }  # fmt: skip
    if question.kind == "words" and (line := tables.placed(mind, question, facts)):
        return line
    maker = makers.get(question.kind)
    told = maker(mind, question, facts, seen) if maker else reading.matching(mind, question, facts)
    return told or visual.unseen(shown)


def by_rules(perception: Perception, text: str, frames: Sequence[Shown]) -> str | None:
    """Answer a question about what is seen by rules alone; None where they cannot, or it is about another matter.

    They understand English: a question in another language gets a description.
    """
    text = text if only_english(text) is None else WHAT_IS_SEEN
    times_s = [frame.t_s for frame in frames if frame.t_s is not None]
    question = take_apart(text, max(times_s, default=None))
    intent = intent_of(text)
    if intent is None or intent.p < LEAST_INTENT or not _is_visual(question):
        return None
    facts = _at_times(gather(perception, frames), question)
    told = visual.answer(Seen(perception, question, facts), intent.name)
    return None if told is None or told.startswith("I can't tell") else told


def _is_talk(question: Question, intent: Intent | None) -> bool:
    """Whether a question is about no frame; where frames are shown, its intent has to say so as well."""
    if intent is None:
        return question.kind == "talk" or question.at_large
    return intent.name in ("talk", "general") and (question.kind == "talk" or question.at_large)


def _is_visual(question: Question) -> bool:
    """Whether a question is about what is seen: not about words, a phrase, a picture's quality, or lettered options."""
    if question.kind in ("words", "quality", "times") or question.phrase or question.shapes:
        return False
    return not (question.kind == "choice" and question.options[0][0]) and not question.side


def _written_value(mind: Mind, question: Question, facts: list[Fact], intent: Intent) -> str | None:
    """A value that is written beside its name, as on a monitor: `What is the heart rate?`; None for most questions."""
    if question.at_large or intent.name in ("unseen", "general"):
        return tables.cell(mind, question, facts)
    if question.kind in ("name", "open") and intent.name not in visual.ANSWERS:
        return reading.matching(mind, question, facts)
    return None


def _is_for_papers(text: str) -> bool:
    """Whether a question without frames brings a document or is a clinical one."""
    if MARKED in text:
        return True
    from agent.models.embedded.rules.route_literature import is_clinical

    return is_clinical(text)


def _about_frames(question: Question) -> bool:
    return question.kind in ("quality", "when", "change", "where", "describe") or question.present or question.earlier


def _at_times(facts: list[Fact], question: Question) -> list[Fact]:
    """Keep the frames at the moments that the question names; all, where it names none."""
    if question.span:
        return temporal.facts_then(question, facts)
    if not question.times_s:
        return facts
    first, last = min(question.times_s), max(question.times_s)
    return [f for f in facts if f.frame.t_s is not None and first - _NEAR_S <= f.frame.t_s <= last + _NEAR_S]


def _nothing_then(question: Question, request: Request) -> str:
    times = [format_clock(frame.t_s) for frame in request.frames if frame.t_s is not None]
    named = [question.span.start_s, question.span.end_s] if question.span else question.times_s
    then = " to ".join(dict.fromkeys(format_clock(t_s) for t_s in named))
    shown = f" I was shown frames from [{times[0]}] to [{times[-1]}]." if times else ""
    return f"{CANNOT_TELL} None of them is from {then}.{shown}"


def _small_talk(talk: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Earlier questions and answers that were not about frames: the small network would go on citing them."""
    pairs = [(asked, told) for asked, told in pairwise(talk) if asked[0] == "user" and told[0] == "assistant"]
    return [part for pair in pairs if not cited_times(pair[1][1]) and CANNOT_TELL not in pair[1][1] for part in pair]


def _chat(mind: Mind, request: Request, options: ModelOptions) -> Iterator[str]:
    """Answer without pictures, as the base model does, with one sentence."""
    prompt = turn("system", SYSTEM)
    for role, text in _small_talk(request.talk)[-4:]:
        prompt += turn(role, text)
    prompt += [*turn("user", request.question or "Hello."), *turn("assistant")]
    pieces = mind.language.generate(
        prompt, pictures=False, max_tokens=options.max_tokens, temperature=options.temperature, seed=options.seed
    )
    for piece in pieces:
        yield piece
        if re.search(r"[a-z)][.!?]\s*$", piece):  # what it adds after a sentence is rarely true
            return
