"""Where things are, and whether a place is inside or outside, by day or night."""

from __future__ import annotations

import re

from agent.models.embedded.rules import scene
from agent.models.embedded.rules.evidence import describe as shown
from agent.models.embedded.rules.qualifiers import Extent, find_extent, within
from agent.models.embedded.rules.scene import Look
from agent.models.embedded.rules.setting import setting
from agent.models.embedded.rules.things import PEOPLE, Target, counted, listed, plural
from agent.models.embedded.rules.visual.seen import PERSON, Seen, capital, cite, distance
from tools.perception.detect import Detection
from tools.perception.relations import relation


def where(seen: Seen) -> str | None:
    """Say where a thing is, or what is at a place or beside a thing."""
    looks = seen.meant()
    if re.match(r"(where|on which|which side|in which|from which|whereabouts)", seen.lower) or (
        seen.targets and re.search(r"\bleft or (on the )?right\b|\bright or (on the )?left\b", seen.lower)
    ):
        for target in [*seen.targets, *([PERSON] if re.search(r"\b(he|she|they)\b", seen.lower) else [])]:
            number, look = seen.most(target)
            if look is not None:
                if number > 1 and seen.unclear(target):
                    return None
                found = seen.those(look, target)
                if re.search(r"\b(he|she)\b", seen.lower):
                    found = [max(found, key=lambda one: one.area)]
                text = listed([scene.place(one.box) for one in found[:3]])
                verb = "is" if len(found) == 1 else "are"
                what = PEOPLE if target.is_people else target.word
                return f"The {what if len(found) == 1 else plural(what)} {verb} {text}{cite([look])}."
        return None
    look = looks[-1]
    region = find_extent(seen.lower)
    if seen.yes_no and seen.targets and region:
        _, look = scene.most(looks, lambda look: look.those(seen.targets[0]))
        if look is None:
            return None
        box = max(look.those(seen.targets[0]), key=lambda one: one.area)
        answer = "Yes" if within(box.centre, region) else "No"
        return f"{answer}, the {seen.targets[0].word} is {scene.place(box.box)}{cite([look])}."
    for target in seen.targets:
        anchor = next(iter(seen.those(look, target)), None)
        if anchor is not None:
            return _related(seen, look, target, anchor)
    return _in_part(look, region) if region and not seen.targets else None


def _related(seen: Seen, look: Look, target: Target, anchor: Detection) -> str | None:
    """Say what is on a thing or beside it; what is behind or under it, boxes do not show."""
    said = re.search(rf"\b({_RELATIONS})( \w+){{0,2}} {re.escape(target.word)}", seen.lower)
    if said is None:
        return None
    others = [thing.detection for thing in look.things if thing.detection is not anchor]
    found = [one for one in others if _lies(one, anchor, said[1])]
    nearest = sorted(found, key=lambda one: distance(one.centre, anchor.centre))[:3]
    listing = listed([f"{counted(1, one.name)} {scene.place(one.box)}" for one in nearest])
    return f"{capital(said[1])} the {target.word}: {listing}{cite([look])}." if found else None


_RELATIONS = "on|in|inside|next to|beside|near|by|left of|right of"


def _lies(one: Detection, anchor: Detection, how: str) -> bool:
    """Whether a thing lies to another as a question says; what is seen from above lies within the other's box."""
    found = relation(one, anchor)
    if how in ("on", "in", "inside"):
        around = anchor.box
        foot = (one.centre[0], one.box[3] - 0.1 * (one.box[3] - one.box[1]))
        narrower = one.box[2] - one.box[0] < 0.8 * (around[2] - around[0])
        return found == "on" or (narrower and within(foot, (around[::2], around[1::2])))
    if how in ("left of", "right of"):
        is_left = one.centre[0] < anchor.centre[0]
        return found in ("beside", "left of", "right of") and is_left is (how == "left of")
    return found in ("beside", "on")


def _in_part(look: Look, extent: Extent) -> str | None:
    """Say what a part of the picture shows: the things detected there, else what the classifier sees in it."""
    inside = [thing.detection.name for thing in look.things if within(thing.detection.centre, extent)]
    if inside:
        return f"I see {listed([counted(1, name) for name in inside[:4]])} there{cite([look])}."
    cells = [3 * row + column for row in range(3) for column in range(3) if within(_centre(row, column), extent)]
    text = shown(look.fact.regions[cells].mean(axis=0)) if cells and look.fact.usable else None
    return f"I see {text} there{cite([look])}." if text and not text.startswith("perhaps ") else None


def _centre(row: int, column: int) -> tuple[float, float]:
    """The centre of one of the nine parts that the classifier sees apart, in shares of the picture."""
    return (column + 0.5) / 3, (row + 0.5) / 3


def place_kind(seen: Seen) -> str | None:
    """Say whether it is day or night, inside or outside, or what kind of place it is, as far as the frames tell."""
    look = seen.meant()[-1]
    found = setting(seen.looks)
    if re.search(r"\b(day|night|daytime|daylight|dark|evening)\b", seen.lower):
        return _daylight(seen, look, found.daylight)
    kind = f", {found.place}" if found.place else ""
    if not re.search(r"\b(indoors?|outdoors?|inside|outside|open air)\b", seen.lower):
        asked = re.search(r"\b(place|room|where|location|street|city|town|countryside|surroundings?)\b", seen.lower)
        return f"It looks like {found.place}{cite([look])}." if found.place and asked else None
    if found.outdoors is None:
        return None
    inside = re.search(r"\b(indoors?|inside|room)\b", seen.lower)
    told = f"it seems to be {'outdoors' if found.outdoors else 'indoors'}{kind}{cite([look])}."
    if seen.yes_no and " or " not in seen.lower and (inside or re.search(r"\b(outdoors?|outside)\b", seen.lower)):
        return f"{'Yes' if found.outdoors is not bool(inside) else 'No'}, {told}"
    return capital(told)


def _daylight(seen: Seen, look: Look, is_day: bool | None) -> str | None:
    if is_day is None:
        return None
    told = "it looks like day" if is_day else "it looks dark, like night"
    asks_night = bool(re.search(r"\b(night|dark|evening)\b", seen.lower)) and not re.search(r"\bday\b", seen.lower)
    if seen.yes_no and " or " not in seen.lower:
        return f"{'Yes' if is_day != asks_night else 'No'}, {told}{cite([look])}."
    return capital(f"{told}{cite([look])}.")
