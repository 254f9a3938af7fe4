"""From a request to an answer: facts first, the language network where facts do not decide, else "I can't tell".

Every statement about frames rests on evidence that code has computed and names the time of the frame it was seen in.
What the language network says about frames of itself is said only where the evidence supports it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from agent.mllm.embedded import words as reading
from agent.mllm.embedded.calls import call, wanted_call
from agent.mllm.embedded.concepts import concepts, with_article
from agent.mllm.embedded.evidence import MAYBE, SHOWS, SHOWS_NOT, SURE, Fact, Scene, gather, scenes
from agent.mllm.embedded.language import turn
from agent.mllm.embedded.mind import Mind
from agent.mllm.embedded.question import Question, take_apart
from agent.mllm.embedded.request import Request
from agent.mllm.options import ModelOptions
from tools.media.clock import format_clock

CANNOT_TELL = "I can't tell from these frames."
NOTHING_SHOWN = "I have not been shown any frames."
PEOPLE = frozenset({"person", "man", "woman", "child", "human", "people", "boy", "girl", "face", "hand", "somebody"})
"""ImageNet knows almost no people: that one is not recognised says nothing."""
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
"""The base model's own system text, under which it was tuned; it answers chat best with it."""
_NEAR_S = 0.6


def reply(
    mind: Mind, request: Request, options: ModelOptions, tools: Sequence[dict[str, Any]], tool_choice: str
) -> Iterator[Any]:
    """Yield the pieces of an answer (texts), or one tool call (a `tool_call_chunk`)."""
    question = take_apart(request.question)
    facts = _at_times(gather(mind.perception, request.frames), question)
    wanted = wanted_call(question, request, facts, tools, tool_choice)
    if wanted:
        yield call(mind, request, *wanted)
        return
    text = _answer(mind, request, question, facts)
    if text is None:
        yield from _chat(mind, request, options)
        return
    left = options.max_tokens
    for piece in re.findall(r"\s*\S+", text):
        left -= len(mind.language.token_ids(piece))
        if left < 0:
            return
        yield piece


def _answer(mind: Mind, request: Request, question: Question, facts: list[Fact]) -> str | None:
    """Answer from evidence; None leaves the talk to the base model."""
    from_results = reading.from_results(question, request.results)
    if from_results:
        return from_results
    if not facts:
        if question.kind == "talk" or (not request.frames and not question.times_s and not _about_frames(question)):
            return None
        return f"{CANNOT_TELL} {NOTHING_SHOWN}" if not request.frames else _nothing_then(question, request)
    if question.kind == "talk":
        return None
    seen = scenes(facts)
    if question.unseen and question.kind not in ("words", "quality"):
        return _cannot(seen)
    if question.shapes and (drawn := _drawn(mind, question, facts)):
        return drawn
    makers = {
        "words": _words, "quality": _quality, "when": _when, "order": _order, "change": _change, "choice": _choice,
        "exists": _exists, "where": _where, "name": _name, "colour": _colour, "count": _open, "open": _open,
    }  # fmt: skip
    return makers[question.kind](mind, question, facts, seen) or _cannot(seen)


def _about_frames(question: Question) -> bool:
    return question.kind in ("quality", "when", "change", "where") or question.present or question.earlier


def _at_times(facts: list[Fact], question: Question) -> list[Fact]:
    """Keep the frames at the moments that the question names; all, where it names none."""
    if not question.times_s:
        return facts
    first, last = min(question.times_s), max(question.times_s)
    return [f for f in facts if f.frame.t_s is not None and first - _NEAR_S <= f.frame.t_s <= last + _NEAR_S]


def _nothing_then(question: Question, request: Request) -> str:
    times = [format_clock(frame.t_s) for frame in request.frames if frame.t_s is not None]
    then = " to ".join(dict.fromkeys(format_clock(t_s) for t_s in question.times_s))
    shown = f" I was shown frames from [{times[0]}] to [{times[-1]}]." if times else ""
    return f"{CANNOT_TELL} None of them is from {then}.{shown}"


def _cannot(seen: Sequence[Scene]) -> str:
    """Say that the frames do not tell, and what they do show."""
    return f"{CANNOT_TELL} {account(seen)}"


def account(seen: Sequence[Scene]) -> str:
    """Say what the scenes show, in order, each with its first time."""
    parts = [f"{scene.text() or _defect(scene) or 'something I do not recognise'}{scene.first.cite}" for scene in seen]
    return f"I see {', then '.join(parts)}."


def _defect(scene: Scene) -> str | None:
    if scene.usable:
        return None
    problem = scene.first.problem
    return "a picture that is covered by something" if problem == "covered" else f"a picture that is {problem}"


def _name(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    if reading.unknown_words(question):
        return reading.matching(mind, question, facts)  # `What is the heart rate?` may be written in the picture
    members = concepts().members.get(question.asked or "")
    if question.present or len(seen) == 1 or members:
        # The newest scene that shows what is asked for.
        for scene in reversed(seen):
            text = scene.text(members)
            if text:
                return f"{_capital(text)}{scene.facts[-1].cite}.{_words_beside(mind, question, scene)}"
            if question.present:
                break
        return None
    return account(seen)


def _words_beside(mind: Mind, question: Question, scene: Scene) -> str:
    """What is written in the picture, where a description is asked for."""
    if not re.search(r"\b(describe|summari[sz]e|tell me about)\b", question.text.lower()):
        return ""
    written = reading.any_words(mind, scene.facts[-1:])
    return f" {written}" if written else ""


def _words(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    written = reading.matching(mind, question, facts) or reading.any_words(mind, facts)
    return written or f"I can't read any words in these frames. {account(seen)}"


def _quality(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    measured = [(fact, mind.perception.quality(fact.frame).problem) for fact in facts if fact.frame.detail == "clear"]
    if not measured:
        return None
    if question.present or len(measured) == 1:
        measured = measured[-1:]
    bad = [(fact, problem) for fact, problem in measured if problem]
    asked = _asked_defects(question.text.lower())
    hit = [(fact, problem) for fact, problem in bad if not asked or problem in asked]
    yes_no = bool(re.match(r"(is|are|was|were|does|do|has|have)\b", question.text.lower()))
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


def _when(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    if facts[-1].frame.t_s is None:
        return None
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
        return _change(mind, question, facts, seen)
    return None


def _order(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
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
        text = seen[other].text() or _defect(seen[other])
        return f"{_capital(text)}{seen[other].first.cite}." if text else None
    if len(at) > 1:
        pick = min(at) if re.search(r"\b(first|before|earlier)\b", lower) else max(at)
        target = question.targets[at.index(pick)]
        return f"The {target}{seen[pick].first.cite}."
    if question.targets:
        return None
    if re.search(r"\bfirst\b", lower) or re.search(r"\blast\b", lower):
        scene = seen[0] if re.search(r"\bfirst\b", lower) else seen[-1]
        text = scene.text() or _defect(scene)
        return f"{_capital(text)}{scene.first.cite}." if text else None
    return account(seen)


def _change(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    if len(seen) == 1:
        text = seen[0].text() or _defect(seen[0])
        span = f" from{facts[0].cite} to{facts[-1].cite}" if len(facts) > 1 and facts[0].cite else ""
        if len(facts) == 1:
            return None
        return f"Nothing changes that I can see: {text}{span}." if text else f"I see no change{span}."
    times = ", ".join(scene.first.cite.strip() for scene in seen[1:] if scene.first.cite)
    return f"It changes{' at ' + times if times else ''}. {account(seen)}"


def _choice(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    vocabulary = concepts()
    scores: list[tuple[float, Fact]] = []
    for _, option in question.options:
        phrase = vocabulary.known(option) or next(iter(vocabulary.find(option)), None)
        best = max(facts, key=lambda fact: fact.shows(phrase) if phrase else 0.0)
        scores.append((best.shows(phrase) if phrase and best.usable else 0.0, best))
    top = max(range(len(scores)), key=lambda i: scores[i][0])
    letter, option = question.options[top]
    if scores[top][0] < MAYBE / 2 or scores[top][0] < 2 * sorted(score for score, _ in scores)[-2]:
        return None
    return (
        f"{letter}. {_capital(option)}{scores[top][1].cite}."
        if letter
        else f"{_capital(with_article(option))}{scores[top][1].cite}."
    )


def _exists(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    if not question.targets:
        return None
    target = question.targets[0]
    best = max((fact for fact in facts if fact.usable), key=lambda fact: fact.shows(target), default=None)
    if best is None:
        return None
    if best.shows(target) >= SHOWS:
        named = Scene((best,)).text(concepts().members[target])
        detail = f": {named}" if named and named != with_article(target) else ""
        return f"Yes, I see {with_article(target)}{best.cite}{detail}."
    sure = all(fact.usable and fact.p.max() >= SURE for fact in facts)
    likeliest = max(concepts().probability(target, fact.p) for fact in facts)
    if likeliest <= SHOWS_NOT and sure and target not in PEOPLE:
        return f"No, not that I can see. {account(seen)}"
    return None


def _where(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    for target in question.targets:
        best = max((fact for fact in facts if fact.usable), key=lambda fact: fact.shows(target), default=None)
        if best is None or best.shows(target) < SHOWS:
            continue
        share = best.regions[:, list(concepts().members[target])].sum(axis=1).reshape(3, 3)
        strong = share >= 0.5 * share.max()
        if strong.sum() >= 6:
            return f"The {target} fills most of the picture{best.cite}."
        row, column = (float((share * strong).sum(axis=axis) @ [-1, 0, 1]) / (share * strong).sum() for axis in (1, 0))
        vertical = "top" if row < -0.4 else "bottom" if row > 0.4 else ""
        across = "left" if column < -0.4 else "right" if column > 0.4 else ""
        return f"The {target} is in the {f'{vertical} {across}'.strip() or 'middle'} of the picture{best.cite}."
    return None


def _colour(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    from agent.mllm.embedded.colours import main_colour

    for target in question.targets:
        best = max((fact for fact in facts if fact.usable), key=lambda fact: fact.shows(target), default=None)
        if best is None or best.shows(target) < SHOWS:
            continue
        share = best.regions[:, list(concepts().members[target])].sum(axis=1).reshape(3, 3)
        return f"The {target} looks mostly {main_colour(best.frame.rgb, share)}{best.cite}."
    return None


def _open(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    return reading.matching(mind, question, facts)


_SHAPE_ANSWER = re.compile(
    r"(\d|In the (top|bottom) (left|right)|In the center|(Red|Green|Blue|Yellow|Black|White|Purple|Orange)"
    r"|An? (red|green|blue|yellow|black|white|purple|orange) (circle|square|triangle))\."
)


def _drawn(mind: Mind, question: Question, facts: list[Fact]) -> str | None:
    """Count, place and name simple drawn shapes with the visual tokens, which were trained for it."""
    frame = facts[-1].frame
    prompt = [*turn("user", mind.frame_tokens(frame, "clear"), f"\n{question.text}"), *turn("assistant")]
    text = "".join(mind.language.generate(prompt, pictures=True, max_tokens=12)).strip()
    return f"{text[:-1]}{facts[-1].cite}." if _SHAPE_ANSWER.fullmatch(text) else None


def _chat(mind: Mind, request: Request, options: ModelOptions) -> Iterator[str]:
    """Answer without pictures, as the base model does."""
    prompt = turn("system", SYSTEM)
    for role, text in request.talk[-4:]:
        prompt += turn(role, text)
    prompt += [*turn("user", request.question or "Hello."), *turn("assistant")]
    yield from mind.language.generate(
        prompt, pictures=False, max_tokens=options.max_tokens, temperature=options.temperature, seed=options.seed
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
