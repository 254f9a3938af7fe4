"""What the embedded model tells from facts: the scenes, names, words, quality, times, changes and colours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from agent.models.embedded.imagenet import concepts
from agent.models.embedded.model import Mind
from agent.models.embedded.rules import ocr as reading
from agent.models.embedded.rules import temporal
from agent.models.embedded.rules.colours import other_ground, plain_colour
from agent.models.embedded.rules.evidence import MAYBE, SHOWS, Fact, Scene
from agent.models.embedded.rules.question import Question, asks_for_all_words

CANNOT_TELL = "I can't tell from these frames."


def account(seen: Sequence[Scene]) -> str:
    """Say what the scenes show, in order, each with its first time."""
    parts = [f"{scene.text() or defect(scene) or 'something I do not recognise'}{scene.first.cite}" for scene in seen]
    return f"I see {', then '.join(parts)}."


def defect(scene: Scene) -> str | None:
    """Say what is wrong with the picture of a scene that shows nothing, else None."""
    if scene.usable:
        return None
    problem = scene.first.problem
    return _plain(scene) or (
        "a picture that is covered by something" if problem == "covered" else f"a picture that is {problem}"
    )


def _plain(scene: Scene) -> str | None:
    """Name the colour of a scene that shows nothing else; whether something covers it, the picture does not tell."""
    problem = scene.first.problem
    if problem not in ("covered", "overexposed"):
        return None
    colour = plain_colour(scene.first.frame.rgb)
    if colour is None or (problem == "overexposed" and colour == "white"):
        return None
    return f"a plain {colour} picture{', perhaps covered by something' if problem == 'covered' else ''}"


def describe_all(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    """Answer an open question: what is seen now, at one moment, or all of it in order."""
    if question.present or len(seen) == 1:
        text = seen[-1].text() or _plain(seen[-1])
        if text:
            return f"{capital(text)}{seen[-1].facts[-1].cite}.{_words_beside(mind, question, seen[-1])}"
        written = reading.any_words(mind, seen[-1].facts[-1:]) if seen[-1].usable else None
        return written or None
    if not any(scene.text() for scene in seen):
        return None
    return account(seen)


def name(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    """Answer `What animal is this?`, and what may be written: `What is the heart rate?`."""
    if reading.unknown_words(question):
        return reading.matching(mind, question, facts)
    members = concepts().members.get(question.asked or "")
    if members is None:
        return describe_all(mind, question, facts, seen)
    # The newest scene that shows what is asked for.
    for scene in reversed(seen):
        text = scene.text(members)
        if text:
            return f"{capital(text)}{scene.facts[-1].cite}."
        if question.present:
            break
    return None


def _words_beside(mind: Mind, question: Question, scene: Scene) -> str:
    """What is written in the picture, where a description is asked for."""
    if not re.search(r"\b(describe|summari[sz]e|tell me about)\b", question.text.lower()):
        return ""
    written = reading.any_words(mind, scene.facts[-1:])
    return f" {written}" if written else ""


def words(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    """Quote the words that fit the question, else all of the newest frame that has some."""
    every = asks_for_all_words(question) and not question.targets
    written = (
        temporal.words_then(mind, question, facts)
        if temporal.is_moment(question)
        else temporal.words_beside(mind, question, facts, seen)
        if question.side
        else (temporal.words_with(mind, question, seen) if question.earlier or not question.present else None)
        or reading.matching(mind, question, facts)
        or (temporal.all_words(mind, facts) if every else reading.any_words(mind, facts))
    )
    return written or f"I can't read any words in these frames. {account(seen)}"


def quality(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    """Say what is wrong with the picture, or that nothing is."""
    measured = [(fact, mind.perception.quality(fact.frame).problem) for fact in facts if fact.frame.detail == "clear"]
    if not measured:
        return None
    if question.present or len(measured) == 1:
        measured = measured[-1:]
    bad = [(fact, problem) for fact, problem in measured if problem]
    asked = _asked_defects(question.text.lower())
    hit = [(fact, problem) for fact, problem in bad if not asked or problem in asked]
    yes_no = is_yes_no(question)
    fine = re.search(r"\b(sharp|in focus|well|clearly|clear|good)\b", question.text.lower()) is not None
    if not bad:
        return f"{'' if not yes_no else 'Yes, ' if fine else 'No, '}I see no problem with the picture{facts[-1].cite}."
    chosen = hit or bad
    found = ", ".join(f"{problem}{fact.cite}" for fact, problem in _first_of_each(chosen))
    start = ("No, it" if fine or not hit else "Yes, it") if yes_no else "The picture"
    return f"{start} is {found}."


def _asked_defects(lower: str) -> set[str]:
    names = {
        "blurry": r"blur|focus|sharp", "too dark": r"dark|underexp", "overexposed": r"bright|overexp|too much light",
        "noisy": r"nois|grain", "covered": r"cover|block|obstruct|hid|obscur",
    }  # fmt: skip
    return {name for name, pattern in names.items() if re.search(pattern, lower)}


def _first_of_each(found: Sequence[tuple[Fact, Any]]) -> list[tuple[Fact, Any]]:
    kept: list[tuple[Fact, Any]] = []
    for fact, problem in found:
        if not kept or kept[-1][1] != problem:
            kept.append((fact, problem))
    return kept


def when(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    """Say when a thing appears or disappears, a defect begins, or the picture changes."""
    if facts[-1].frame.t_s is None:
        return None
    if question.phrase and not question.side:
        return temporal.when_said(mind, question, facts)
    for target in question.targets:
        there = [fact for fact in facts if fact.shows(target) >= SHOWS]
        if there:
            lower = question.text.lower()
            if re.search(r"\b(last|disappear|leave|gone|end)\b", lower):
                return f"The {target} is last seen at{there[-1].cite}."
            start = "is there from the first frame on," if there[0] is facts[0] else "first appears at"
            return f"The {target} {start}{there[0].cite}."
    lower = question.text.lower()
    for defect in _asked_defects(lower):
        bad = [fact for fact in facts if mind.perception.quality(fact.frame).problem == defect]
        if bad:
            return f"The picture is {defect} from{bad[0].cite} on."
    if not question.targets and re.search(r"\b(chang|cut|different|happen|switch|new scene)", lower):
        return change(mind, question, facts, seen)
    return None


def order(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    """Say what came before or after something, first or last."""
    if question.side and question.edge.isupper():
        return _beside_words(mind, question, facts, seen)
    lower = question.text.lower()
    relation = re.search(r"\b(after|before|next|then)\b", lower)
    at = [
        max(range(len(seen)), key=lambda i: seen[i].shows(target))
        for target in question.targets
        if max(scene.shows(target) for scene in seen) >= MAYBE
    ]
    if relation and at:
        other = at[0] + (-1 if relation[1] == "before" else 1)
        if not 0 <= other < len(seen):
            return f"{CANNOT_TELL} I see nothing {relation[1]} the {question.targets[0]}{seen[at[0]].first.cite}."
        text = seen[other].text() or defect(seen[other])
        return f"{capital(text)}{seen[other].first.cite}." if text else None
    if len(at) > 1:
        pick = min(at) if re.search(r"\b(first|before|earlier)\b", lower) else max(at)
        target = question.targets[at.index(pick)]
        return f"The {target}{seen[pick].first.cite}."
    if question.targets:
        return None
    if re.search(r"\bfirst\b", lower) or re.search(r"\blast\b", lower):
        scene = seen[0] if re.search(r"\bfirst\b", lower) else seen[-1]
        text = scene.text() or defect(scene)
        return f"{capital(text)}{scene.first.cite}." if text else None
    return account(seen)


def _beside_words(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    """Say what came right before or after words, and the next words where that has none."""
    written = temporal.words_beside(mind, question, facts, seen)
    beside = temporal.next_to(mind, question, facts, seen)
    scene = Scene((beside,)) if beside and not reading.lines(mind, beside) else None
    text = scene and (scene.text() or defect(scene))
    if not beside or not text:
        return written or words(mind, question, facts, seen)
    then = f" {capital(question.side or '')} that, i{written[1:]}" if written else ""
    return f"{capital(text)}{beside.cite}.{then}"


def change(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    """Tell the times of the changes, and between what, unless only the times are asked for."""
    if len(facts) == 1:
        return None
    yes_no = is_yes_no(question)
    seen = [part for scene in seen for part in _by_ground(scene)]
    if len(seen) == 1:
        shown = seen[0].text() or defect(seen[0])
        span = f" from{facts[0].cite} to{facts[-1].cite}" if facts[0].cite else ""
        return f"{'No, n' if yes_no else 'N'}othing changes that I can see{span}{f': {shown}' if shown else ''}."
    times = [scene.first.cite.strip() for scene in seen[1:] if scene.first.cite]
    start = "Yes, it changes" if yes_no else "The picture changes"
    when = f"{start} at {_listed(times)}." if times else f"{start}."
    return when if times and question.kind == "when" else f"{when} {account(seen)}"


def _by_ground(scene: Scene) -> list[Scene]:
    """Part a scene where its plain ground changes: one sign or slide looks much like another to the vision network."""
    parts = [[scene.first]]
    for before, fact in pairwise(scene.facts):
        if other_ground(before.frame.rgb, fact.frame.rgb):
            parts.append([])
        parts[-1].append(fact)
    return [Scene(tuple(part)) for part in parts]


def _listed(texts: Sequence[str]) -> str:
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def is_yes_no(question: Question) -> bool:
    """Whether a question asks for yes or no."""
    return bool(re.match(r"(is|are|was|were|do|does|did|has|have|can|could)\b", question.text.lower()))


def capital(text: str) -> str:
    """Return the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]
