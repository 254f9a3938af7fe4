"""Answers about what is seen, from the detector, the classifier and pixels: one function for each intent of a question.

`answer` looks the intent up in `ANSWERS`. Each function returns a sentence that names the time of its evidence, or None
where the evidence does not decide, which is then said. Nothing here is made up by a network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from agent.models.embedded.imagenet import concepts, with_article
from agent.models.embedded.model import Mind
from agent.models.embedded.rules import colours, scene
from agent.models.embedded.rules.evidence import FIRM, SHOWS, SHOWS_NOT, SURE, Fact, Scene, scenes
from agent.models.embedded.rules.question import Question
from agent.models.embedded.rules.scene import Look
from agent.models.embedded.rules.things import PEOPLE, UNTOLD, Target, counted, find_targets, listed, plural, subject_of
from tools.media.clock import format_clock

CANNOT_TELL = "I can't tell from these frames."
MOST_SHOTS = 5
"""Shots that a description tells of; of more, evenly spread ones."""
_START = re.compile(r"\b(start|starts|beginning|begin|begins|first|opening)\b")
_END = re.compile(r"\b(end|ends|last|final|finally)\b")
_NOW = re.compile(r"\b(now|currently|at the moment|right now|just now)\b")
_YES_NO = re.compile(r"^(\w+, )?(is|are|was|were|do|does|did|has|have|can|could|any|anybody|anyone)\b")
_PERSON = Target(PEOPLE, frozenset({PEOPLE}), None)


class Seen:
    """What a question is answered from: the question, its targets, and the frames with what they show."""

    def __init__(self, mind: Mind, question: Question, facts: Sequence[Fact]) -> None:
        self.mind, self.question, self.facts = mind, question, list(facts)
        self.lower = question.text.lower().strip()
        self.looks = scene.look_at(mind, facts)
        self.targets = find_targets(question.text)
        self.yes_no = bool(_YES_NO.match(self.lower))

    @property
    def is_clip(self) -> bool:
        """Whether there is more than one moment."""
        return len(self.looks) > 1

    def meant(self) -> list[Look]:
        """Return the frames that the question means: the first or last of them, the newest, or all."""
        if _NOW.search(self.lower):
            return self.looks[-1:]
        if _START.search(self.lower) and not _END.search(self.lower):
            return self.looks[:1]
        if _END.search(self.lower):
            return self.looks[-1:]
        return self.looks


def answer(mind: Mind, question: Question, facts: Sequence[Fact], intent: str) -> str | None:
    """Answer a question of an intent from frames, oldest first; None leaves it to the rules for words and times."""
    maker = ANSWERS.get(intent)
    return maker(Seen(mind, question, facts)) if maker and facts else None


def cannot(mind: Mind, question: Question, facts: Sequence[Fact]) -> str:
    """Say that the frames do not tell, and what they do show."""
    return unseen(Seen(mind, question, facts))


def describe(seen: Seen) -> str | None:
    """Tell what is seen: the shots in order, or the one picture."""
    groups = scene.shots(seen.meant())
    if len(groups) > MOST_SHOTS:
        groups = [groups[index] for index in np.linspace(0, len(groups) - 1, MOST_SHOTS).round().astype(int)]
    parts: list[str] = []
    for group in groups:
        text = shot_text(group)
        if text and not (parts and parts[-1].startswith(text)):
            parts.append(f"{text}{_cite(group)}")
    if not parts:
        return None
    return f"I see {parts[0]}." if len(parts) == 1 else f"I see {', then '.join(parts)}."


def shot_text(group: Sequence[Look]) -> str | None:
    """Describe a shot: its things with their number and motion, and what the classifier adds."""
    named = scene.inventory(group)[:4]
    whole = Scene(tuple(look.fact for look in group))
    text = whole.text()
    if not named:
        return text
    told = listed(named)
    if (done := scene.activity(group)) and done[0].split(" ", 1)[0] in ("rides", "plays"):
        told = f"{told}; a person {done[0]}"
    elif "person" in named[0] or "people" in named[0]:
        going = scene.movement(group)
        if going and going != "in place":
            told = f"{told}; {'a person moves' if named[0].startswith('a ') else 'people move, one'} {going}"
    return f"{told}{_added(whole, group)}"


def _added(whole: Scene, group: Sequence[Look]) -> str:
    """What the classifier names beyond the things that were detected, where it is sure enough to be worth saying."""
    p = whole.p
    best = int(np.argmax(p))
    if not whole.usable or p[best] < SURE:
        return ""
    name = concepts().names[best]
    known = {thing.detection.name for look in group for thing in look.things}
    words = set(name.lower().split()) | set(concepts().kinds[best])
    if known & words or any(
        concepts().known(one) and best in concepts().members[one] for one in known if one in concepts().members
    ):
        return (
            f", perhaps {with_article(name)}"
            if known & set(concepts().kinds[best]) and name.lower() not in known
            else ""
        )
    return f"; it looks like {with_article(name)}"


def name(seen: Seen) -> str | None:
    """Name the things of a kind that is asked for: `Which animals are there?`."""
    for target in seen.targets:
        found = sorted({d.name for look in seen.meant() for d in look.those(target)})
        if found:
            _, look = scene.most(seen.meant(), target)
            fine = _breed(look, found[0]) if look and len(found) == 1 else ""
            return f"{_capital(listed([with_article(one) for one in found]))}{fine}{_cite([look] if look else [])}."
        members = concepts().members.get(target.concept or "")
        for part in reversed(scenes(seen.facts)):
            if members and (text := part.text(members)):
                return f"{_capital(text)}{part.first.cite}."
    return describe(seen)


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
    if target is None:
        people = re.search(r"\b(any|some|every|no)(body|one)\b|\bempty\b", seen.lower)
        if not people:
            thing = " ".join(qualified[-2:])
            return (
                f"I can't tell: I don't know what {thing} looks like. {describe(seen) or ''}".strip() if thing else None
            )
        target = _PERSON
    looks = seen.meant()
    number, look = scene.most(looks, target)
    if target.is_people and len(target.classes) == 1:
        return _people_there(seen, target, number, look)
    least = 2 if {"second", "another", "other", "more", "two", "several"} & set(qualified) else 1
    if look is not None and number >= least:
        box = max(look.those(target), key=lambda one: one.score)
        fine = _breed(look, box.name) if number == 1 else ""
        asked = next((name for name in qualified if name in colours.NAMES), None)
        if asked is not None and colours.shares(_crop(look, _inner(box.box))).get(asked, 0.0) < 0.25:
            return f"No, I see {counted(number, box.name)}, but none that looks {asked}{_cite([look])}."
        return f"Yes, {counted(number, box.name)}{fine} {scene.place(box.box)}{_cite([look])}."
    if look is not None:
        return f"No, I see only one {target.word}{_cite([look])}."
    if target.concept:
        best = max(seen.facts, key=lambda fact: _sure_of(fact, target))
        chance, thing = _sure_of(best, target), with_article(target.word)
        if chance >= (FIRM if target.classes else SHOWS):
            return f"{'Yes' if chance >= FIRM else 'Probably'}, {thing}{best.cite}."
        if not target.classes and chance > SHOWS_NOT:
            return f"I can't tell: I don't recognise {thing} in these frames."
    return _negative(seen, with_article(target.word))


def _people_there(seen: Seen, target: Target, number: int, look: Look | None) -> str:
    """Whether people are there; that it is a man or a child, boxes do not tell."""
    empty = bool(re.search(r"\bempty\b|\bnobody\b", seen.lower))
    if look is None:
        return _negative(seen, "anybody", empty)
    where = f" {scene.place(look.people[0].box)}" if number == 1 else ""
    people = f"{counted(number, PEOPLE)}{where}{_cite([look])}"
    if target.word in UNTOLD:
        return f"I see {people}, but I can't tell whether that is {with_article(target.word)}."
    return f"{'No' if empty else 'Yes'}, {people}."


def _sure_of(fact: Fact, target: Target) -> float:
    """How likely a frame shows a target by the classifier; its parts count only for what the detector does not know."""
    if not fact.usable or target.concept is None:
        return 0.0
    return concepts().probability(target.concept, fact.p) if target.classes else fact.shows(target.concept)


def _negative(seen: Seen, thing: str, empty: bool = False) -> str:
    text = describe(seen)
    return f"{'Yes' if empty else 'No'}, I don't see {thing}.{f' {text}' if text else ''}"


def count(seen: Seen) -> str | None:
    """Say how many things there are; in a clip, how many at once at most."""
    if re.search(r"\b(shots?|scenes?|cuts?)\b", seen.lower):
        number = len(scene.shots(seen.looks))
        return f"I count {number} shot{'s' * (number != 1)}, by the cuts that I see."
    targets = seen.targets or ([_PERSON] if re.search(r"\b(persons?|people|alone|crowd)", seen.lower) else [])
    for target in targets:
        if not target.classes:
            continue
        looks = seen.meant()
        number, look = scene.most(looks, target)
        what = PEOPLE if target.is_people else target.word
        if look is None:
            return f"I don't see any {plural(what)}."
        untold = ""
        if target.word in UNTOLD:
            untold = f"; whether they are {plural(target.word) if target.word not in ('men', 'women', 'children') else target.word} I can't tell"
        at_once = " at once" if len(looks) > 1 else ""
        return f"I count {counted(number, what, one=True)}{at_once}{_cite([look])}{untold}."
    return None


def action(seen: Seen) -> str | None:
    """Say what somebody does, as far as boxes and their motion tell."""
    looks = seen.meant()
    if not any(look.people for look in looks):
        return None
    done = scene.activity(looks)
    if done:
        return f"A person {done[0]}{_cite([done[1]])}."
    going = scene.movement(looks)
    if going is None:
        return None
    where = scene.place(looks[-1].people[0].box) if looks[-1].people else ""
    return f"A person stays {where}{_cite(looks)}." if going == "in place" else f"A person moves {going}{_cite(looks)}."


_ACTS = (("rides", r"\b(rid(e|es|ing)|cycl|bik)"), ("plays", r"\b(play|juggl|throw|kick|catch|dribbl)"),
         ("sits", r"\b(sit|seat)"), ("has", r"\b(hold|carr|wear|touch|drink|using|use)"),
         ("moves", r"\b(walk|run|mov|go(es|ing)?\b|jog|stroll)"))  # fmt: skip


def doing(seen: Seen) -> str | None:
    """Answer whether somebody does something, where a rule knows it."""
    act = next((act for act, pattern in _ACTS if re.search(pattern, seen.lower)), None)
    looks = seen.meant()
    people = re.search(
        r"\b(he|she|they|him|her|any(body|one)|some(body|one)|people|person|man|woman|child|boy|girl)\b", seen.lower
    )
    if people and not any(look.people for look in seen.looks):
        return _negative(seen, "anybody")
    if act is None:
        return None
    if act == "moves":
        target = next((target for target in seen.targets if target.classes), _PERSON)
        going = scene.movement(looks, target)
        if going is None:
            return None
        start, end = _cite(looks[:1]), _cite(looks[-1:])
        what = "a person" if target.is_people else f"the {target.word}"
        if going == "in place":
            return f"No, {what} stays in place from{start} to{end}."
        return f"Yes, {what} moves {going}{start}." if "run" not in seen.lower else None
    done = scene.activity(looks)
    worn = [target for target in seen.targets if target.classes and not target.is_people]
    if act == "has" and worn:
        return (
            exists(Seen(seen.mind, seen.question, seen.facts))
            if not done or "has" not in done[0]
            else f"Yes, a person {done[0]}{_cite([done[1]])}."
        )
    if done and done[0].startswith(act):
        return f"Yes, a person {done[0]}{_cite([done[1]])}."
    return None


_REGIONS = (("lower left", (0.0, 0.55, 0.45, 1.0)), ("bottom left", (0.0, 0.55, 0.45, 1.0)), ("lower right", (0.55, 0.55, 1.0, 1.0)),
            ("bottom right", (0.55, 0.55, 1.0, 1.0)), ("upper left", (0.0, 0.0, 0.45, 0.45)), ("top left", (0.0, 0.0, 0.45, 0.45)),
            ("upper right", (0.55, 0.0, 1.0, 0.45)), ("top right", (0.55, 0.0, 1.0, 0.45)), ("left", (0.0, 0.0, 0.45, 1.0)),
            ("right", (0.55, 0.0, 1.0, 1.0)), ("middle", (0.3, 0.3, 0.7, 0.7)), ("centre", (0.3, 0.3, 0.7, 0.7)),
            ("center", (0.3, 0.3, 0.7, 0.7)), ("top", (0.0, 0.0, 1.0, 0.4)), ("bottom", (0.0, 0.6, 1.0, 1.0)))  # fmt: skip


def where(seen: Seen) -> str | None:
    """Say where a thing is, or what is at a place or beside a thing."""
    looks = seen.meant()
    if re.match(r"(where|on which|which side|in which|from which|whereabouts)", seen.lower) or (
        seen.targets and re.search(r"\bleft or (on the )?right\b|\bright or (on the )?left\b", seen.lower)
    ):
        for target in [*seen.targets, *([_PERSON] if re.search(r"\b(he|she|they)\b", seen.lower) else [])]:
            _, look = scene.most(looks, target)
            if look is not None:
                found = look.those(target)
                text = listed([scene.place(one.box) for one in found[:3]])
                verb = "is" if len(found) == 1 else "are"
                what = PEOPLE if target.is_people else target.word
                return f"The {what if len(found) == 1 else plural(what)} {verb} {text}{_cite([look])}."
        return None
    look = looks[-1]
    for target in seen.targets:
        anchor = next(iter(look.those(target)), None)
        if anchor is not None:
            others = [thing for thing in look.things if thing.detection is not anchor]
            near = sorted(others, key=lambda thing: _distance(thing.detection.centre, anchor.centre))[:2]
            if near:
                listing = listed([f"{counted(1, t.detection.name)} {scene.place(t.detection.box)}" for t in near])
                return f"Beside the {target.word}: {listing}{_cite([look])}."
            return None
    for word, box in _REGIONS:
        if re.search(rf"\b{word}\b", seen.lower):
            inside = [
                t
                for t in look.things
                if box[0] <= t.detection.centre[0] <= box[2] and box[1] <= t.detection.centre[1] <= box[3]
            ]
            if inside:
                return (
                    f"I see {listed([counted(1, thing.detection.name) for thing in inside[:4]])} there{_cite([look])}."
                )
            return None
    return None


_IS_SEEN = re.compile(
    r"\b(appear\w*|seen|see|saw|visible|show\w*|there|enter\w*|come|comes|came|arriv\w*|disappear\w*|leave\w*|left|gone)\b"
)


def when(seen: Seen) -> str | None:
    """Say when a thing is seen first and last, or how long; of what it does then, nothing is known."""
    if re.search(r"\b(chang|cut|scene|switch)", seen.lower):
        return change(seen)
    if not _IS_SEEN.search(seen.lower) or any(target.word in UNTOLD for target in seen.targets):
        return None
    for target in seen.targets:
        there = [look for look in seen.looks if look.those(target)]
        if not there and target.concept:
            there = [look for look in seen.looks if look.fact.usable and look.fact.shows(target.concept) >= SHOWS]
        times = [look.fact.frame.t_s for look in there if look.fact.frame.t_s is not None]
        if not times:
            continue
        what = PEOPLE if target.is_people else target.word
        first, last = f"[{format_clock(times[0])}]", f"[{format_clock(times[-1])}]"
        if re.search(r"\b(disappear|leave|leaves|gone|last|until)\b", seen.lower):
            return f"The {what} is last seen at {last}."
        if re.search(r"\bhow long\b", seen.lower):
            return f"The {what} is seen for about {times[-1] - times[0] + 1:.0f} seconds, from {first} to {last}."
        if len(there) == len(seen.looks):
            return f"The {what} is there from {first} on, all the time."
        return f"The {what} is first seen at {first}, and last at {last}."
    return None


def order(seen: Seen) -> str | None:
    """Say how it begins, how it ends, or which of two things comes first."""
    times: list[tuple[float, str]] = []
    for target in seen.targets:
        there = next((look for look in seen.looks if look.those(target)), None)
        if there is not None:
            times.append((there.fact.frame.t_s or 0.0, target.word))
    if len(times) > 1 and re.search(r"\bfirst\b|\bbefore\b", seen.lower):
        t_s, word = min(times)
        return f"The {word} comes first [{format_clock(t_s)}]."
    return describe(seen) if _START.search(seen.lower) or _END.search(seen.lower) else None


_CLOTHES = re.compile(
    r"\b(wear\w*|shirt|t-shirt|tshirt|jacket|coat|suit|top|clothes|clothing|dress(ed)?|sweater|jumper|pullover|blouse|vest|hoodie)\b"
)
_LEGS = re.compile(r"\b(trousers|pants|jeans|skirt|shorts|leggings)\b")
_HAIR = re.compile(r"\b(hair|hat|helmet|cap)\b")
_GROUND = re.compile(r"\b(background|wall|backdrop|behind)\b")


def colour(seen: Seen) -> str | None:
    """Say what colour a thing, clothes, hair or the background has."""
    looks = seen.meant()
    asked = next((name for name in colours.NAMES if re.search(rf"\b{name}\b", seen.lower)), None)
    part, what = _coloured(seen, looks)
    if part is None:
        return None
    pixels, look = part
    shares = colours.shares(pixels)
    best = max(shares, key=lambda name: shares[name])
    if asked and seen.yes_no and " or " not in seen.lower:
        yes = shares.get(asked, 0.0) >= 0.3
        return (
            f"Yes, the {what} looks {asked}{_cite([look])}." if yes else f"No, the {what} looks {best}{_cite([look])}."
        )
    second = next((f" and {name}" for name, share in shares.items() if name != best and share >= 0.35), "")
    return f"The {what} looks {best}{second}{_cite([look])}."


def _coloured(seen: Seen, looks: Sequence[Look]) -> tuple[tuple[np.ndarray, Look] | None, str]:
    """The pixels whose colour is asked for, with their frame, and what they are."""
    for pattern, what, (top, bottom) in (
        (_HAIR, "hair", (0.0, 0.12)),
        (_CLOTHES, "clothing", (0.22, 0.55)),
        (_LEGS, "clothing", (0.55, 0.85)),
    ):
        if match := pattern.search(seen.lower):
            _, look = scene.most(looks, _PERSON)
            if look is None:
                return None, what
            box = max(look.people, key=lambda one: one.area).box
            height, width = box[3] - box[1], box[2] - box[0]
            rows, columns = look.fact.frame.rgb.shape[:2]
            if height * rows < 1.8 * width * columns and what != "hair":
                top, bottom = 0.65, 0.95  # head and shoulders
            inner = (box[0] + 0.3 * width, box[1] + top * height, box[2] - 0.3 * width, box[1] + bottom * height)
            word = match[0] if not match[0].startswith(("wear", "dress")) else what
            return (_crop(look, inner), look), word
    if _GROUND.search(seen.lower):
        look = looks[-1]
        mask = np.ones(look.fact.frame.rgb.shape[:2], bool)
        for thing in look.things:
            mask[_slices(look, thing.detection.box)] = False
        return ((look.fact.frame.rgb[mask], look) if mask.any() else None), "background"
    for target in seen.targets:
        _, look = scene.most(looks, target)
        if look is not None:
            box = max(look.those(target), key=lambda one: one.area).box
            return (_crop(look, _inner(box)), look), target.word
        if target.concept:
            best = max(looks, key=lambda look: look.fact.shows(target.concept or ""))
            if best.fact.shows(target.concept) >= SHOWS:
                return (_crop(best, (0.25, 0.25, 0.75, 0.75)), best), target.word
    return None, ""


def change(seen: Seen) -> str | None:
    """Say whether and how the picture changes: cuts, the camera, motion and where, the light."""
    if not seen.is_clip:
        return None
    changes = [(look, look.change) for look in seen.looks if look.change is not None]
    cuts = [look for look, one in changes if one.kind == "cut"]
    moving = [(look, one) for look, one in changes if one.kind == "motion"]
    camera = [look for look, one in changes if one.kind == "camera"]
    if re.search(r"\bcamera\b|\bpan", seen.lower):
        if len(camera) >= max(2, len(changes) // 4):
            return f"{'Yes, t' if seen.yes_no else 'T'}he camera moves{_cite(camera[:1])}."
        if not cuts and all(one.share < 0.5 for _, one in changes):
            return f"{'No, t' if seen.yes_no else 'T'}he camera stands still."
        return None
    if re.search(r"\b(cuts?|shots?|continuous|scene)\b", seen.lower):
        if cuts:
            number = f"{len(cuts)} cut{'s' * (len(cuts) != 1)}"
            start = (
                "No, there"
                if re.search(r"\b(one|single|continuous|same)\b", seen.lower) and seen.yes_no
                else "Yes, there"
                if seen.yes_no
                else "There"
            )
            return f"{start} {'is' if len(cuts) == 1 else 'are'} {number}: {listed([_cite([look]).strip() for look in cuts[:5]])}."
        return "I see no cut: it looks like one continuous shot."
    start = "Yes: " if seen.yes_no else ""
    parts = []
    if cuts:
        parts.append(f"the picture cuts to something else at {listed([_cite([look]).strip() for look in cuts[:4]])}")
    if camera:
        parts.append(f"the camera moves{_cite(camera[:1])}")
    lit = [(look, one) for look, one in changes if one.kind == "light"]
    if lit:
        parts.append(f"it gets {'brighter' if lit[0][1].brighter > 0 else 'darker'}{_cite([lit[0][0]])}")
    if moving and (not cuts or len(moving) > len(cuts)):
        look, one = max(moving, key=lambda pair: pair[1].share)
        mover = next(iter(scene.inventory(seen.looks)), "something")
        mover = mover if scene.movement(seen.looks) not in (None, "in place") else "something"
        parts.append(f"{mover} moves {scene.place(one.box) if one.box else ''}{_cite([look])}".replace("  ", " "))
    if not parts:
        return (
            f"{'No, n' if seen.yes_no else 'N'}othing changes from{_cite(seen.looks[:1])} to{_cite(seen.looks[-1:])}."
        )
    return _capital(f"{start}{listed(parts)}.")


_INDOORS = frozenset({"couch", "bed", "dining table", "toilet", "tv", "laptop", "microwave", "oven", "toaster", "sink",
                      "refrigerator", "keyboard", "mouse", "remote"})  # fmt: skip
_OUTDOORS = frozenset({"car", "bus", "truck", "train", "traffic light", "fire hydrant", "stop sign", "parking meter", "boat",
                       "airplane", "bicycle", "motorcycle", "horse", "cow", "sheep", "elephant", "zebra", "giraffe", "bear",
                       "kite", "skis", "snowboard", "surfboard", "bench"})  # fmt: skip


def setting(seen: Seen) -> str | None:
    """Say whether it is day or night, inside or outside, as far as light, sky and things tell."""
    look = seen.meant()[-1]
    rgb = look.fact.frame.rgb
    names = {thing.detection.name for one in seen.looks for thing in one.things}
    sky, green, light = colours.sky_share(rgb), colours.shares(rgb).get("green", 0.0), float(rgb.mean())
    outside = bool(names & _OUTDOORS) or sky > 0.4 or green > 0.35
    inside = not outside and bool(names & _INDOORS)
    if re.search(r"\b(day|night|daytime|daylight|dark|evening|sunny|sun)\b", seen.lower):
        if light < 60:
            told, is_day = "it looks dark, like night", False
        elif light > 85 and (outside or sky > 0.2):
            told, is_day = "it looks like day", True
        else:
            return None
        asks_night = bool(re.search(r"\b(night|dark)\b", seen.lower)) and not re.search(r"\bday\b", seen.lower)
        if seen.yes_no and " or " not in seen.lower:
            return f"{'Yes' if is_day != asks_night else 'No'}, {told}{_cite([look])}."
        return _capital(f"{told}{_cite([look])}.")
    if re.search(
        r"\b(indoors?|outdoors?|inside|outside|room|open air|street|countryside|city|filmed|taken)\b", seen.lower
    ):
        if outside:
            named = listed([with_article(one) for one in sorted(names & _OUTDOORS)[:2]]) or "open sky or green"
            return f"Outdoors, it seems: I see {named}{_cite([look])}."
        if inside:
            return f"Indoors, it seems: I see {listed([with_article(one) for one in sorted(names & _INDOORS)[:2]])}{_cite([look])}."
    return None


def length(seen: Seen) -> str | None:
    """Say how long was watched so far."""
    last_s = seen.facts[-1].frame.t_s
    return None if last_s is None else f"I have watched {format_clock(last_s)} so far [{format_clock(last_s)}]."


def unseen(seen: Seen) -> str:
    """Say that no frame can tell, and what there is to be seen."""
    return f"{CANNOT_TELL} {describe(seen) or ''}".strip()


ANSWERS: dict[str, Callable[[Seen], str | None]] = {
    "describe": describe, "name": name, "exists": exists, "count": count, "action": action, "doing": doing, "where": where,
    "when": when, "order": order, "colour": colour, "change": change, "setting": setting, "length": length, "unseen": unseen,
}  # fmt: skip
"""The function of each intent; those of words, quality and talk are answered elsewhere."""


def _cite(looks: Sequence[Look]) -> str:
    return looks[0].fact.cite if looks else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    return float(np.hypot(one[0] - other[0], one[1] - other[1]))


def _slices(look: Look, box: tuple[float, float, float, float]) -> tuple[slice, slice]:
    height, width = look.fact.frame.rgb.shape[:2]
    (left, right), (top, bottom) = ((int(low * size), max(int(low * size) + 1, int(high * size))) for low, high, size in
                                    ((box[0], box[2], width), (box[1], box[3], height)))  # fmt: skip
    return slice(top, bottom), slice(left, right)


def _inner(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """The middle of a box, where the background is not."""
    across, down = 0.2 * (box[2] - box[0]), 0.2 * (box[3] - box[1])
    return box[0] + across, box[1] + down, box[2] - across, box[3] - down


def _crop(look: Look, box: tuple[float, float, float, float]) -> np.ndarray:
    return look.fact.frame.rgb[_slices(look, box)].reshape(-1, 3)
