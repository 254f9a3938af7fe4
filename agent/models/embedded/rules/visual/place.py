"""Where things are, and whether a place is inside or outside, by day or night."""

from __future__ import annotations

import re
from collections.abc import Set

from agent.models.embedded.imagenet import with_article
from agent.models.embedded.rules import colours, scene
from agent.models.embedded.rules.scene import Look
from agent.models.embedded.rules.things import PEOPLE, counted, listed, plural
from agent.models.embedded.rules.visual.seen import PERSON, Seen, capital, cite, distance

_LEFT, _RIGHT, _UPPER, _LOWER, _ACROSS = (0.0, 0.45), (0.55, 1.0), (0.0, 0.45), (0.55, 1.0), (0.0, 1.0)
_REGIONS = (
    (r"(lower|bottom) left", _LEFT, _LOWER),
    (r"(lower|bottom) right", _RIGHT, _LOWER),
    (r"(upper|top) left", _LEFT, _UPPER),
    (r"(upper|top) right", _RIGHT, _UPPER),
    (r"left", _LEFT, _ACROSS),
    (r"right", _RIGHT, _ACROSS),
    (r"middle|centre|center", (0.3, 0.7), (0.3, 0.7)),
    (r"top", _ACROSS, _UPPER),
    (r"bottom", _ACROSS, _LOWER),
)
"""Words for parts of the picture, with their horizontal and vertical extent in shares."""


def where(seen: Seen) -> str | None:
    """Say where a thing is, or what is at a place or beside a thing."""
    looks = seen.meant()
    if re.match(r"(where|on which|which side|in which|from which|whereabouts)", seen.lower) or (
        seen.targets and re.search(r"\bleft or (on the )?right\b|\bright or (on the )?left\b", seen.lower)
    ):
        for target in [*seen.targets, *([PERSON] if re.search(r"\b(he|she|they)\b", seen.lower) else [])]:
            _, look = scene.most(looks, target)
            if look is not None:
                found = look.those(target)
                if re.search(r"\b(he|she)\b", seen.lower):
                    found = [max(found, key=lambda one: one.area)]
                text = listed([scene.place(one.box) for one in found[:3]])
                verb = "is" if len(found) == 1 else "are"
                what = PEOPLE if target.is_people else target.word
                return f"The {what if len(found) == 1 else plural(what)} {verb} {text}{cite([look])}."
        return None
    look = looks[-1]
    region = next(
        ((across, down) for words, across, down in _REGIONS if re.search(rf"\b({words})\b", seen.lower)), None
    )
    if seen.yes_no and seen.targets and region:
        _, look = scene.most(looks, seen.targets[0])
        if look is None:
            return None
        box = max(look.those(seen.targets[0]), key=lambda one: one.area)
        answer = "Yes" if _within(box.centre, *region) else "No"
        return f"{answer}, the {seen.targets[0].word} is {scene.place(box.box)}{cite([look])}."
    for target in seen.targets:
        anchor = next(iter(look.those(target)), None)
        if anchor is not None:
            others = [thing for thing in look.things if thing.detection is not anchor]
            near = sorted(others, key=lambda thing: distance(thing.detection.centre, anchor.centre))[:2]
            if near:
                listing = listed([f"{counted(1, t.detection.name)} {scene.place(t.detection.box)}" for t in near])
                return f"Beside the {target.word}: {listing}{cite([look])}."
            return None
    inside = [thing.detection.name for thing in look.things if region and _within(thing.detection.centre, *region)]
    return f"I see {listed([counted(1, name) for name in inside[:4]])} there{cite([look])}." if inside else None


def _within(point: tuple[float, float], across: tuple[float, float], down: tuple[float, float]) -> bool:
    return across[0] <= point[0] <= across[1] and down[0] <= point[1] <= down[1]


_INDOORS = frozenset(
    "couch,bed,dining table,toilet,tv,laptop,microwave,oven,toaster,sink,refrigerator,keyboard,mouse,remote".split(",")
)
_OUTDOORS = frozenset(
    "car,bus,truck,train,traffic light,fire hydrant,stop sign,parking meter,boat,airplane,bicycle,motorcycle,horse,cow,"
    "sheep,elephant,zebra,giraffe,bear,kite,skis,snowboard,surfboard,bench".split(",")
)


def surroundings(look: Look, names: Set[str]) -> tuple[bool, bool, bool | None]:
    """Return whether a place seems to be outside, or inside, and whether it is day; None where the light does not tell.

    Args:
        look: the frame whose light and sky count.
        names: things that are seen in the whole clip.
    """
    rgb = look.fact.frame.rgb
    sky, green, light = colours.sky_share(rgb), colours.shares(rgb).get("green", 0.0), float(rgb.mean())
    outside = bool(names & _OUTDOORS) or sky > 0.4 or green > 0.35
    dark, bright = light < 60, light > 85 and (outside or sky > 0.2)
    return outside, not outside and bool(names & _INDOORS), bright if dark or bright else None


def setting(seen: Seen) -> str | None:
    """Say whether it is day or night, inside or outside, as far as light, sky and things tell."""
    look = seen.meant()[-1]
    names = {thing.detection.name for one in seen.looks for thing in one.things}
    outside, inside, daylight = surroundings(look, names)
    if re.search(r"\b(day|night|daytime|daylight|dark|evening)\b", seen.lower):
        if daylight is None:
            return None
        told, is_day = ("it looks like day" if daylight else "it looks dark, like night"), daylight
        asks_night = bool(re.search(r"\b(night|dark|evening)\b", seen.lower)) and not re.search(r"\bday\b", seen.lower)
        if seen.yes_no and " or " not in seen.lower:
            return f"{'Yes' if is_day != asks_night else 'No'}, {told}{cite([look])}."
        return capital(f"{told}{cite([look])}.")
    if re.search(
        r"\b(indoors?|outdoors?|inside|outside|room|open air|street|countryside|city|filmed|taken)\b", seen.lower
    ):
        if outside:
            named = listed([with_article(one) for one in sorted(names & _OUTDOORS)[:2]]) or "open sky or green"
            return f"Outdoors, it seems: I see {named}{cite([look])}."
        if inside:
            named = listed([with_article(one) for one in sorted(names & _INDOORS)[:2]])
            return f"Indoors, it seems: I see {named}{cite([look])}."
    return None
