"""Answers about the past: a moment that is named, what came before or after something, and how often it was there.

What a question says about time is read by `memory.stream.time_expressions`; here it meets the frames that are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.models.embedded.imagenet import concepts
from agent.models.embedded.model import Mind
from agent.models.embedded.rules import ocr as reading
from agent.models.embedded.rules.evidence import SHOWS, Fact, Scene
from agent.models.embedded.rules.question import Question
from tools.media.types import Span

MAX_SOUGHT = 20
"""Frames that are read for one question about the past, a whole window; our choice: half a second to one each."""
SAME_SHOWING_S = 10.0
"""Frames with the same word this close together show it once; our choice."""
HELD_S = 10.0
"""How long before a moment a word may have been read to be taken for what stood there then; our choice."""
_RANGE = re.compile(r"\b(last|past|previous|between|from|since|during|within)\b")
_FROM_AGO = re.compile(r"\bfrom (?:(?!ago\b)[\w-]+ )+ago\b(?! (?:to|until|till|on)\b)")
_COUNTS = {1: "once", 2: "twice"}


def is_moment(question: Question) -> bool:
    """Whether the question names one moment, such as `20 seconds ago` or `at 12:30`, and not a stretch."""
    # `The word from 7 minutes ago` means a moment too.
    return question.span is not None and not _RANGE.search(_FROM_AGO.sub(" ", question.text.lower()))


def facts_then(question: Question, facts: Sequence[Fact]) -> list[Fact]:
    """Return the frames of the time that a question names, in order; of a moment, the one that shows its state.

    Frames are kept where something changes: what was seen at a moment is what the last frame before it shows.
    """
    span = question.span
    assert span is not None
    timed = [(fact.frame.t_s, fact) for fact in facts if fact.frame.t_s is not None]
    within = [fact for t_s, fact in timed if t_s in span]
    if not is_moment(question):
        return within
    before = [fact for t_s, fact in timed if t_s <= max(_middle(span), span.end_s - 2 * _EXACT_S)]
    if question.kind == "words":
        held = [fact for fact in before if (fact.frame.t_s or 0.0) >= span.start_s - HELD_S]
        return within or held[-1:]
    return before[-1:] or within[:1]


_EXACT_S = 2.0


def words_then(mind: Mind, question: Question, facts: Sequence[Fact]) -> str | None:
    """Quote what was written nearest to the moment that is named, or None."""
    assert question.span is not None
    middle_s = _middle(question.span)
    nearest = sorted(facts, key=lambda fact: abs((fact.frame.t_s or 0.0) - middle_s))
    return reading.first_words(mind, nearest[:MAX_SOUGHT])


def words_beside(mind: Mind, question: Question, facts: Sequence[Fact], seen: Sequence[Scene]) -> str | None:
    """Quote the word read next before or after what is named: a thing that is seen, or another word. Or None."""
    anchor = _anchor(mind, question, facts, seen)
    if anchor is None:
        return None
    first, last = anchor
    order = reversed(facts[:first]) if question.side == "before" else iter(facts[last + 1 :])
    return reading.first_words(mind, list(order)[:MAX_SOUGHT], but=question.edge)


def next_to(mind: Mind, question: Question, facts: Sequence[Fact], seen: Sequence[Scene]) -> Fact | None:
    """The frame right before or after those that show the words that are named; None where there is none."""
    anchor = _anchor(mind, question, facts, seen)
    if anchor is None:
        return None
    order = reversed(facts[: anchor[0]]) if question.side == "before" else iter(facts[anchor[1] + 1 :])
    return next((fact for fact in order if not reading.has_word(mind, fact, question.edge)), None)


def all_words(mind: Mind, facts: Sequence[Fact]) -> str | None:
    """Quote what was written, in order, each showing with its first time; the newest ones where there are many."""
    told: list[str] = []
    last: list[str] = []
    for fact in facts[-MAX_SOUGHT:]:
        found = [f'"{word.text}"' for word in reading.lines(mind, fact)]
        if found and found != last:
            told.append(f"{', '.join(found[: reading.MAX_LINES])}{fact.cite}")
        last = found
    return f"I read {', then '.join(told[-reading.MAX_LINES :])}." if told else None


def words_with(mind: Mind, question: Question, seen: Sequence[Scene]) -> str | None:
    """Quote what was written where a thing was seen that the question names, the newest first, or None."""
    for target in question.targets:
        if (scene := _clearest(target, seen)) is not None:
            return reading.first_words(mind, scene.facts[::-1][:MAX_SOUGHT])
    return None


def times(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    """Answer `How many times was the word LAMP shown?`, and the same of things, from what the frames show."""
    word = re.search(r"\bword\W+(\w+)", question.text)
    named = word[1] if word and word[1].lower() not in ("was", "did", "is", "been", "appear") else ""
    if wanted := question.phrase or named:
        showings = list(_apart(written(mind, wanted, facts)))
        if not showings and question.phrase:
            return _unread(question)
    else:
        target = next(iter(question.targets), None)
        showings = [scene.first for scene in seen if target and scene.shows(target) >= SHOWS]
    if not showings:
        return None
    often = _COUNTS.get(len(showings), f"{len(showings)} times")
    return f"I see it {often}:{','.join(fact.cite for fact in showings)}."


def said(mind: Mind, question: Question, facts: Sequence[Fact]) -> str:
    """Answer `Was GATE OPEN shown?`: yes with the times, where the phrase was read as a whole."""
    now = question.present and not question.past
    found = list(_apart(written(mind, question.phrase, facts[-1:] if now else facts)))
    if not found:
        return f"No. {_unread(question)}" if now else _unread(question)
    return f'Yes, in writing: "{question.phrase}"{",".join(fact.cite for fact in found)}.'


def when_said(mind: Mind, question: Question, facts: Sequence[Fact]) -> str:
    """Answer `When was GATE OPEN shown?` and `How long was GATE OPEN shown?`."""
    found = written(mind, question.phrase, facts)
    if not found:
        return _unread(question)
    lower = question.text.lower()
    if lower.startswith("how long"):
        return f'I read "{question.phrase}" {"; ".join(_lengths(found, facts))}.'
    showings = list(_apart(found))
    if re.search(r"\b(last|disappear|leave|gone|end)\b", lower):
        showings = found[-1:]
    elif re.search(r"\bfirst\b", lower):
        showings = showings[:1]
    return f'I read "{question.phrase}" at{",".join(fact.cite for fact in showings)}.'


def written(mind: Mind, phrase: str, facts: Sequence[Fact]) -> list[Fact]:
    """The frames, of those that may be read for one question, in which a phrase is written."""
    return [fact for fact in facts[-MAX_SOUGHT:] if reading.has_word(mind, fact, phrase)]


def _unread(question: Question) -> str:
    return f'I don\'t read "{question.phrase}" {"then" if question.span else "in what I remember"}.'


def _lengths(found: Sequence[Fact], facts: Sequence[Fact]) -> Iterator[str]:
    """Say of each showing of a word when it began and when it was there no more: the next frame tells that."""
    for first in _apart(found):
        begin = facts.index(first)
        after = next((fact for fact in facts[begin:] if fact not in found), None)
        last = facts[-1] if after is None else after
        seconds = f"{(last.frame.t_s or 0.0) - (first.frame.t_s or 0.0):.0f} seconds"
        if after is None:
            yield f"from{first.cite} on, and still{last.cite}: {seconds} so far"
        else:
            yield f"from{first.cite} on, and no more{after.cite}: at most {seconds}"


def _anchor(mind: Mind, question: Question, facts: Sequence[Fact], seen: Sequence[Scene]) -> tuple[int, int] | None:
    """The first and last index of the frames that show what the question names after `before` or `after`."""
    if not question.edge.isupper():
        for target in concepts().find(question.edge.lower()):
            if (scene := _clearest(target, seen)) is not None:
                return facts.index(scene.facts[0]), facts.index(scene.facts[-1])
    for index in range(len(facts) - 1, max(-1, len(facts) - 1 - MAX_SOUGHT), -1):
        if reading.has_word(mind, facts[index], question.edge):
            return index, index
    return None


def _clearest(target: str, seen: Sequence[Scene]) -> Scene | None:
    """The scene that shows a thing most surely; None where none does."""
    best = max(seen, key=lambda scene: scene.shows(target), default=None)
    return best if best is not None and best.shows(target) >= SHOWS else None


def _apart(facts: Sequence[Fact]) -> Iterator[Fact]:
    last_s = float("-inf")
    for fact in facts:
        t_s = fact.frame.t_s or 0.0
        if t_s - last_s > SAME_SHOWING_S:
            yield fact
        last_s = t_s


def _middle(span: Span) -> float:
    return (span.start_s + span.end_s) / 2
