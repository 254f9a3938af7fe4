"""Whether something is there, how many of it, and what people do with it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.models.embedded.imagenet import concepts, with_article
from agent.models.embedded.rules import colours, scene
from agent.models.embedded.rules.evidence import FIRM, SHOWS, SHOWS_NOT, Fact, scenes
from agent.models.embedded.rules.scene import Look
from agent.models.embedded.rules.things import PEOPLE, UNTOLD, Target, counted, find_targets, listed, plural, subject_of
from agent.models.embedded.rules.visual.account import describe, negative, unseen
from agent.models.embedded.rules.visual.place import where
from agent.models.embedded.rules.visual.seen import PERSON, Seen, capital, cite, crop, inner_box

NUMBERS = {
    "second": 2,
    "another": 2,
    "other": 2,
    "more": 2,
    "several": 2,
    "two": 2,
    "both": 2,
    "three": 3,
    "four": 4,
    "five": 5,
}
"""How many things words before a name ask for at least."""


def name(seen: Seen) -> str | None:
    """Name the things of a kind that is asked for, `Which animals are there?`, or those beside one that is named."""
    asked = [
        target
        for target in seen.targets
        if re.search(rf"\b(what|which|name|list|identify)( \w+){{0,3}} {re.escape(target.word[:-1])}", seen.lower)
    ]
    if seen.targets and not asked:
        return where(seen) or unseen(seen)
    for target in asked:
        found = sorted({one.name for look in seen.meant() for one in seen.those(look, target)})
        if found:
            _, look = seen.most(target)
            fine = _breed(look, found[0]) if look and len(found) == 1 else ""
            return f"{capital(listed([with_article(one) for one in found]))}{fine}{cite([look] if look else [])}."
        members = concepts().members.get(target.concept or "")
        for part in reversed(scenes(seen.facts)):
            if members and (text := part.text(members)):
                return f"{capital(text)}{part.first.cite}."
    return unseen(seen) if asked else describe(seen)


def _breed(look: Look, detected: str) -> str:
    """The classifier's name within a kind that was detected: `, perhaps a beagle`."""
    members = concepts().members.get(detected)
    if not members:
        return ""
    best = max(members, key=lambda index: look.fact.p[index])
    name_ = concepts().names[best]
    return f", perhaps {with_article(name_)}" if look.fact.p[best] >= 0.3 and name_.lower() != detected else ""


def exists(seen: Seen) -> str | None:
    """Answer whether something is there."""
    target, qualified = subject_of(seen.question.text)
    if find_targets(" ".join(qualified)):  # something is asked about it, as in `Does the person open the box?`
        return doing(seen) or unseen(seen)
    if target is None:
        people = re.search(r"\b(any|some|every|no)(body|one)\b|\bempty\b", seen.lower)
        if not people:
            thing = " ".join(qualified[-2:])
            return (
                f"I can't tell: I don't know what {thing} looks like. {describe(seen) or ''}".strip() if thing else None
            )
        target = PERSON
    return _there(seen, target, qualified)


def _there(seen: Seen, target: Target, qualified: Sequence[str]) -> str:
    """Answer whether a target is there, `qualified` by the words before it."""
    number, look = seen.most(target, coloured=False)
    if target.is_people and len(target.classes) == 1:
        return _people_there(seen, target, number, look)
    if "no" in qualified:
        return f"No, I see {counted(number, target.word)}{cite([look])}." if look else f"Yes, I see no {target.word}."
    least = max((NUMBERS[word] for word in qualified if word in NUMBERS), default=1)
    if look is not None and number >= least:
        box = max(seen.those(look, target, coloured=False), key=lambda one: one.score)
        fine = _breed(look, box.name) if number == 1 else ""
        asked = next((name for name in qualified if name in colours.NAMES), None)
        if asked is not None and colours.shares(crop(look, inner_box(box.box))).get(asked, 0.0) < 0.25:
            return f"No, I see {counted(number, box.name)}, but none that looks {asked}{cite([look])}."
        return f"Yes, {counted(number, box.name)}{fine} {scene.place(box.box)}{cite([look])}."
    if look is None and (elsewhere := scene.most(seen.meant(), lambda one: one.those(target))[1]) is not None:
        box = elsewhere.those(target)[0]
        return f"No, the {target.word} that I see is {scene.place(box.box)}{cite([elsewhere])}."
    if look is not None:
        return f"No, I see only {counted(number, target.word, one=True)}{cite([look])}."
    if target.concept:
        best = max(seen.facts, key=lambda fact: _sure_of(fact, target))
        chance, thing = _sure_of(best, target), with_article(target.word)
        if chance >= (FIRM if target.classes else SHOWS):
            return f"{'Yes' if chance >= FIRM else 'Probably'}, {thing}{best.cite}."
        if chance > (SHOWS if target.classes else SHOWS_NOT):
            return f"I can't tell: I don't recognise {thing} in these frames."
    return negative(seen, with_article(target.word))


def _people_there(seen: Seen, target: Target, number: int, look: Look | None) -> str:
    """Whether people are there; that it is a man or a child, boxes do not tell."""
    empty = bool(re.search(r"\bempty\b|\bnobody\b", seen.lower))
    if look is None:
        return negative(seen, "anybody", empty)
    where = f" {scene.place(look.people[0].box)}" if number == 1 else ""
    people = f"{counted(number, PEOPLE)}{where}{cite([look])}"
    if target.word in UNTOLD:
        return f"I see {people}, but I can't tell whether that is {with_article(target.word)}."
    return f"{'No' if empty else 'Yes'}, {people}."


def _sure_of(fact: Fact, target: Target) -> float:
    """How likely a frame shows a target by the classifier; its parts count only for what the detector does not know."""
    if not fact.usable or target.concept is None:
        return 0.0
    return concepts().probability(target.concept, fact.p) if target.classes else fact.shows(target.concept)


def count(seen: Seen) -> str | None:
    """Say how many things there are; in a clip, how many at once at most."""
    if re.search(r"\b(how many|number of|count( the)?) (different |separate )?(shots|scenes|cuts)\b", seen.lower):
        number = len(scene.shots(seen.looks))
        return f"I count {number} shot{'s' * (number != 1)}, by the cuts that I see."
    targets = seen.targets or ([PERSON] if re.search(r"\b(persons?|people|alone|crowd)", seen.lower) else [])
    for target in targets:
        if not target.classes:
            continue
        if seen.unclear(target):
            return None
        looks = seen.meant()
        number, look = seen.most(target)
        what = PEOPLE if target.is_people else target.word
        if look is None:
            return f"I don't see any {plural(what)}." if any(one.fact.usable for one in looks) else unseen(seen)
        untold = ""
        if target.word in UNTOLD:
            those = target.word if target.word in ("men", "women", "children") else plural(target.word)
            untold = f"; whether they are {those} I can't tell"
        at_once = " at once" if len(looks) > 1 else ""
        return f"I count {counted(number, what, one=True)}{at_once}{cite([look])}{untold}."
    return None


def action(seen: Seen) -> str | None:
    """Say what somebody or something does, as far as boxes and their motion tell."""
    looks = seen.meant()
    target = next((target for target in seen.targets if target.classes), PERSON)
    if target.is_people and (done := scene.activity(looks)):
        return f"A person {done[0]}{cite([done[1]])}."
    going = scene.movement(looks, target)
    where = next((scene.place(look.those(target)[0].box) for look in reversed(looks) if look.those(target)), "")
    if going is None:
        return None
    what = "A person" if target.is_people else f"The {target.word}"
    return f"{what} stays {where}{cite(looks)}." if going == "in place" else f"{what} moves {going}{cite(looks)}."


_ACTS = (("rides", r"\b(rid(e|es|ing)|cycl|bik)"), ("plays", r"\b(play|juggl|throw|kick|catch|dribbl)"),
         ("sits", r"\b(sit|seat)"), ("has", r"\b(hold|carr|wear)"),
         ("moves", r"\b(walk|run|mov|go(es|ing)?\b|jog|stroll)"))  # fmt: skip


def doing(seen: Seen) -> str | None:
    """Answer whether somebody does something, where a rule knows it."""
    act = next((act for act, pattern in _ACTS if re.search(pattern, seen.lower)), None)
    looks = seen.meant()
    people = re.search(
        r"\b(he|she|they|him|her|any(body|one)|some(body|one)|people|person|man|woman|child|boy|girl)\b", seen.lower
    )
    if people and not any(look.people for look in seen.looks):
        return negative(seen, "anybody")
    if act is None:
        return None
    asked = [target for target in seen.targets if not target.is_people]
    if act == "moves":
        target = next((target for target in asked if target.classes), PERSON)
        going = scene.movement(looks, target)
        if going in (None, "in place") or "run" in seen.lower:
            return None
        what = "a person" if target.is_people else f"the {target.word}"
        return f"Yes, {what} moves {going}{cite(looks[:1])}."
    if any(not target.classes for target in asked):
        return None
    names = frozenset().union(*(target.classes for target in asked)) if asked else None
    done = scene.activity(looks, names)
    if done and done[0].startswith(act):
        return f"Yes, a person {done[0]}{cite([done[1]])}."
    return _there(seen, asked[0], []) if act == "has" and asked else None
