"""Whether the condition of a watch holds, by the same evidence that questions are answered from.

Only conditions that this evidence can decide are taken; of all others the model says at once that it cannot judge them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from agent.models.embedded.imagenet import concepts, singulars, with_article
from agent.models.embedded.model import Mind
from agent.models.embedded.rules import ocr as reading
from agent.models.embedded.rules.describe import account
from agent.models.embedded.rules.evidence import MAYBE, SAME_SCENE_COSINE, SHOWS, Fact, scenes
from agent.models.embedded.rules.question import QUOTED, compact
from agent.models.embedded.rules.scene import ONCE_SCORE
from agent.models.embedded.rules.things import UNTOLD, vocabulary
from agent.models.embedded.rules.visual.action import ACTION_WORDS, asked_kind, happens
from tools.media.clock import format_clock
from tools.perception.actions import Kind

PEOPLE = frozenset({"person", "people", "human", "somebody", "someone", "anybody", "anyone"})
WATCHED: tuple[Kind, ...] = ("falls", "lies", "raises_arm")
"""Actions of people that can be watched for."""
Outcome = Literal["yes", "no", "cannot judge"]

REMEDY = (
    "It can watch for people and things that it knows to appear or disappear (a person appears), for people who fall, "
    "lie or raise an arm (somebody falls), for words (the words GATE OPEN are shown), for a change of the picture, and "
    "for a picture that is dark, covered, blurred, burnt out or noisy. Put it so, or name a larger model."
)


@dataclass(frozen=True)
class Condition:
    """A condition that evidence decides.

    Attributes:
        kind: what it is about.
        names: the things, any of them; the defect; the action; or the words, letters and digits only, empty for any.
        gone: whether it is about their end rather than their beginning.
    """

    kind: Literal["thing", "words", "change", "defect", "action"]
    names: tuple[str, ...] = ()
    gone: bool = False


class Found(NamedTuple):
    """A verdict with what was seen, in which frame, and whether it happened rather than lasts."""

    outcome: Outcome
    why: str
    fact: Fact
    happened: bool = False


_ASKING = re.compile(r"^(please )?((tell|alert|warn|notify) me|let me know)?\s*(when(ever)?|if|once|as soon as)?\s+")
_GONE = re.compile(
    r"\b(disappears?|disappeared|vanish(es|ed)?|goes away|go away|(is|are) gone|gone|leaves?|(has|have) left|"
    r"(is|are) removed|no longer|any ?more|not?(?=\b.*\bany ?more\b))\b"
)
_NEGATED = re.compile(r"\b(no|not|never|nobody|nothing|none|without|isn't|aren't|doesn't|don't)\b|\bn't\b")
_COUNTED = re.compile(
    r"\d|\b(one|two|three|four|five|six|seven|eight|nine|ten|dozen|several|many|few|fewer|more|less|most|least|"
    r"another|second|third|both|pair|empty|full|crowd(ed)?|alone)\b"
)
_PLACE = re.compile(
    r"\b(in|into|on|onto|to|at|of|from|by) (the |a |an |my |this |our )?"
    r"(view|sight|picture|frame|image|scene|video|camera|lens|screen|sign|label|display|room|shot)\b|"
    r"\b(comes?|shows?|turns?|goes|pops?) (up|by|along)\b"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILLER = _words(
    "a an the there is are was be been being some any somebody someone something with it its this that i you we see "
    "can could view sight picture pictures frame image scene video camera lens screen sign label display room shot "
    "again now here too very so gets get becomes become turns turn goes go comes come has have got suddenly please"
)
_APPEARS = _words(
    "appear appears appeared arrive arrives arrived show shows shown visible seen enter enters entered present "
    "recognized recognised detected found spotted"
)
_READ = _words(
    "word words text texts letter letters message number title headline say says read reads written display displays "
    "displayed legible writing anything"
)
_DOWN = _words("down over on to floor ground bed up his her their or")
_CHANGES = _words("change changes changed changing cut cuts switch switches different new another to happens")
# What each defect is called; the words of its pattern are taken out of the condition.
_DEFECTS = (
    ("too dark", r"\b(dark|darker|darkness|lights? (go|goes|is|are|turns?)( (turned|switched))? (out|off))\b"),
    ("covered", r"\b(covered|blocked|obstructed|obscured|hidden|covers|blocks|obstructs)\b"),
    ("blurry", r"\b(blurr?(y|ed|s)|out of focus|unsharp)\b"),
    ("overexposed", r"\b(too bright|overexposed|burnt out|blown out|dazzled|glare)\b"),
    ("noisy", r"\b(noisy|noise|grainy)\b"),
)
_LIGHT_AGAIN = r"\b(light|bright) again\b|\blights? (go|goes|come|comes|is|are)( back)? on( again)?\b"
_CAPITALS = re.compile(r"\b[A-Z][A-Z0-9]{2,}(?:[\s-]+[A-Z0-9]{2,})*\b")
_SAYS = re.compile(r"\b(?:says?|reads?|displays?)\s+(?!anything\b|something\b)(?:the (?:words?|texts?)\s+)?(.+)$")
_NAMED = re.compile(
    r"\b(?:words?|texts?|letters?|message|number|title|headline)\s+(.+?)\s+(?:is|are|appears?|shows?|comes?)\b"
)


def take_condition(text: str) -> Condition | str:
    """Return what a condition asks for, or why no evidence of this model can decide it."""
    lower = _ASKING.sub("", text.lower().strip(" .!?") + " ").strip()
    gone = bool(_GONE.search(lower))
    rest = _GONE.sub(" ", lower)
    wanted, without = _wanted_words(text, lower)
    if wanted is not None:
        left = _left(_GONE.sub(" ", without)) - _READ - _APPEARS
        return _unknown(left) if left else Condition("words", (compact(wanted),), gone)
    if _NEGATED.search(rest):
        return "it can see a thing disappear, but not that something is not so"
    if _COUNTED.search(rest):
        return "it does not count or compare"
    left = _left(rest)
    if left & _CHANGES:
        return _unknown(left - _CHANGES) if left - _CHANGES or gone else Condition("change")
    for defect, pattern, ends in (*((*pair, gone) for pair in _DEFECTS), ("too dark", _LIGHT_AGAIN, True)):
        if re.search(pattern, rest) and not _left(re.sub(pattern, " ", rest)) - _APPEARS:
            return Condition("defect", (defect,), ends)
    if left and not left - _READ - _APPEARS:
        return Condition("words", ("",), gone)
    kind = next((kind for kind in WATCHED if kind == asked_kind(rest)), None)
    if kind and not gone and not _left(ACTION_WORDS.sub(" ", rest)) - PEOPLE - _DOWN:
        return Condition("action", (kind,))
    return _thing(rest, gone)


def unjudgeable(text: str) -> str:
    """Why the model cannot judge a condition, and the remedy; "" if it can."""
    taken = take_condition(text)
    return f"The embedded model cannot judge {text!r}: {taken}. {REMEDY}" if isinstance(taken, str) else ""


def verdict(mind: Mind, text: str, since_s: float | None, facts: Sequence[Fact]) -> str:
    """Judge a condition by facts, oldest first, and return the JSON that `agent.watch.evaluator` asks for.

    Args:
        mind: the model.
        text: the condition.
        since_s: frames up to this media time were judged before.
        facts: of the frames that are shown.
    """
    condition = take_condition(text)
    if isinstance(condition, str):
        return _json(Found("cannot judge", unjudgeable(text), facts[-1])) if facts else _nothing(unjudgeable(text))
    if not facts:
        return _nothing("I have not been shown any frames.")
    if condition.kind == "action":
        return _json(_judge_action(mind, condition, since_s, facts))
    old = [fact for fact in facts[:-1] if since_s is None or (fact.frame.t_s or 0.0) <= since_s]
    new = list(facts[len(old) :])
    judges = {"thing": _judge_thing, "words": _judge_words, "change": _judge_change, "defect": _judge_defect}
    return _json(judges[condition.kind](mind, condition, old[-1:], new))


def _judge_thing(mind: Mind, condition: Condition, old: list[Fact], new: list[Fact]) -> Found:
    thing = " or ".join(with_article(name) for name in condition.names)

    def shows(fact: Fact, barely: bool = False) -> float:
        return max(_shows(mind, fact, name, barely) for name in condition.names) if fact.usable else 0.0

    newest = new[-1]
    if condition.gone:
        before = next((fact for fact in [*old, *new[:-1]][::-1] if shows(fact) >= SHOWS), None)
        if not newest.usable:
            return _hidden(newest)
        if before and shows(newest, barely=True) < MAYBE:
            return Found(
                "yes", f"I saw {thing}{before.cite} and do not recognise it any more{newest.cite}.", newest, True
            )
        return Found("no", f"I do not see {thing} disappear.", newest)
    hit = next((fact for fact in new if shows(fact) >= SHOWS), None)
    if hit:
        return Found("yes", f"I see {thing}{hit.cite}.", hit)
    if not any(fact.usable for fact in new):
        return _hidden(newest)
    unsure = max(shows(fact, barely=True) for fact in new) >= MAYBE
    return Found(
        "no", f"There may be {thing}, but I am not sure." if unsure else f"I do not recognise {thing}.", newest
    )


def _judge_action(mind: Mind, condition: Condition, since_s: float | None, facts: Sequence[Fact]) -> Found:
    for kind in WATCHED:
        if kind in condition.names and (told := happens(mind.perception, kind, facts, since_s)):
            text, from_s = told
            fact = next((fact for fact in facts if (fact.frame.t_s or 0.0) >= from_s), facts[-1])
            return Found("yes", f"{text}.", fact, kind == "falls")
    if not any(fact.usable for fact in facts):
        return _hidden(facts[-1])
    return Found("no", "I see nobody do that.", facts[-1])


def _shows(mind: Mind, fact: Fact, name: str, barely: bool = False) -> float:
    """How surely a frame shows a thing: by the detector where it knows it, else by the classifier.

    Args:
        mind, fact, name: the model, the frame and the thing.
        barely: whether an unsure detection counts, as it does against a thing's being gone.
    """
    classes = vocabulary().get(name, frozenset())
    found = max((one.score for one in mind.perception.things(fact.frame) if one.name in classes), default=0.0)
    least = 0.0 if barely else ONCE_SCORE
    return max(found if found >= least else 0.0, 0.0 if name in PEOPLE else fact.shows(name))


def _judge_words(mind: Mind, condition: Condition, old: list[Fact], new: list[Fact]) -> Found:
    wanted = condition.names[0]

    def quoted(fact: Fact) -> str | None:
        lines = [word.text for word in reading.lines(mind, fact)]
        fits = wanted in compact(" ".join(lines)) if wanted else bool(lines)
        near = [line for line in lines if compact(line) and (compact(line) in wanted or wanted in compact(line))]
        return ", ".join(f'"{line}"' for line in (near or lines)[: reading.MAX_LINES]) if fits else None

    newest = new[-1]
    if condition.gone:
        before = next((fact for fact in [*old, *new[:-1]][::-1] if quoted(fact)), None)
        if before and not quoted(newest):
            return Found(
                "yes", f"It said {quoted(before)}{before.cite} and does not any more{newest.cite}.", newest, True
            )
        return Found("no", "I do not see these words disappear.", newest)
    for fact in new[-reading.MAX_READ :]:
        if said := quoted(fact):
            return Found("yes", f"It says {said}{fact.cite}.", fact)
    # Words can be read on pictures that are plain or soft otherwise, but not where light is missing.
    return _hidden(newest) if newest.problem == "too dark" else Found("no", "I do not read these words.", newest)


def _judge_change(mind: Mind, condition: Condition, old: list[Fact], new: list[Fact]) -> Found:
    for before, fact in zip([*old, *new], [*old, *new][1:], strict=False):
        groups = scenes([before, fact])
        # Pictures that show nothing are told apart by how they look.
        if len(groups) > 1 or float(before.vector @ fact.vector) < SAME_SCENE_COSINE:
            return Found("yes", f"The picture changes{fact.cite}. {account(groups)}", fact, True)
    return Found("no", "The picture does not change.", new[-1])


def _judge_defect(mind: Mind, condition: Condition, old: list[Fact], new: list[Fact]) -> Found:
    defect, newest = condition.names[0], new[-1]
    if condition.gone:
        before = next((fact for fact in [*old, *new[:-1]][::-1] if fact.problem == defect), None)
        if before and newest.problem is None:
            return Found(
                "yes", f"The picture was {defect}{before.cite} and is not any more{newest.cite}.", newest, True
            )
        return Found("no", f"I do not see a picture that was {defect} become clear.", newest)
    hit = next((fact for fact in new if fact.problem == defect), None)
    if hit:
        return Found("yes", f"The picture is {defect}{hit.cite}.", hit)
    return Found("no", f"The picture is not {defect}.", newest)


def _hidden(fact: Fact) -> Found:
    return Found("cannot judge", f"The picture is {fact.problem}{fact.cite}.", fact)


def _json(found: Found) -> str:
    t_s = found.fact.frame.t_s
    t = "" if t_s is None else format_clock(t_s)
    return json.dumps({"verdict": found.outcome, "why": found.why, "t": t, "happened": found.happened})


def _nothing(why: str) -> str:
    return json.dumps({"verdict": "cannot judge", "why": why, "t": ""})


def _wanted_words(text: str, lower: str) -> tuple[str | None, str]:
    """The words to be read, and the condition without them; None where it names none."""
    for pattern, where in ((QUOTED, text), (_SAYS, lower), (_NAMED, lower), (_CAPITALS, text)):
        match = pattern.search(where)
        group = match and next((group for group in match.groups() if group), match[0])
        if match and group and compact(group):
            without = where.replace(group, " ", 1).lower()
            return group, _ASKING.sub("", without.strip(" .!?") + " ")
    return None, lower


def _thing(rest: str, gone: bool) -> Condition | str:
    names: list[str] = []
    for part in re.split(r"\bor\b", _PLACE.sub(" ", rest)):
        said = [word for word in re.findall(r"[a-z][a-z'-]*", part) if word not in _FILLER | _APPEARS]
        phrase = " ".join(said)
        singular = next((form for form in (phrase, *singulars(phrase)) if form in vocabulary()), None)
        name = (concepts().known(phrase) or singular) if said else "person" if PEOPLE & set(part.split()) else None
        if name is None:
            found = concepts().find(" ".join(said))
            known = {word for phrase in found for word in phrase.split()}
            return _unknown(set(said) - known - set(found) or set(said))
        if name in UNTOLD:
            return f"it sees people, but not whether that is {with_article(name)}"
        names.append(name)
    return Condition("thing", tuple(names), gone)


def _unknown(left: set[str]) -> str:
    named = ", ".join(repr(word) for word in sorted(left))
    return f"it cannot recognise {named}" if left else "there is nothing in it that it could look for"


def _left(text: str) -> set[str]:
    return set(re.findall(r"[a-z][a-z'-]*", _PLACE.sub(" ", text))) - _FILLER
