"""The colours of things, clothes, hair and the background."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from agent.models.embedded.rules import colours
from agent.models.embedded.rules.evidence import SHOWS
from agent.models.embedded.rules.scene import Look
from agent.models.embedded.rules.things import Target
from agent.models.embedded.rules.visual.seen import PERSON, Seen, cite, clothes_box, crop, inner_box, slices
from tools.perception.detect import Detection

_CLOTHES = re.compile(
    r"\b(wear\w*|shirt|t-shirt|tshirt|jacket|coat|suit|clothes|clothing|dress(ed)?|sweater|jumper|pullover|"
    r"blouse|vest|hoodie)\b"
)


_LEGS = re.compile(r"\b(trousers|pants|jeans|skirt|shorts|leggings)\b")


_HAIR = re.compile(r"\bhair\b")


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
        return f"Yes, the {what} looks {asked}{cite([look])}." if yes else f"No, the {what} looks {best}{cite([look])}."
    second = next((f" and {name}" for name, share in shares.items() if name != best and share >= 0.35), "")
    return f"The {what} looks {best}{second}{cite([look])}."


def _coloured(seen: Seen, looks: Sequence[Look]) -> tuple[tuple[np.ndarray, Look] | None, str]:
    """The pixels whose colour is asked for, with their frame, and what they are."""
    for pattern, what in ((_HAIR, "hair"), (_LEGS, "clothing"), (_CLOTHES, "clothing")):
        if match := pattern.search(seen.lower):
            target = next((target for target in seen.targets if target.is_people), PERSON)
            look, person = _one_of(seen, target)
            if look is None or person is None:
                return None, what
            left, top, right, bottom = person.box
            if what == "hair":
                across = 0.3 * (right - left)
                inner = (left + across, top, right - across, top + 0.12 * (bottom - top))
            else:
                inner = clothes_box(look, (left, top, right, bottom), legs=pattern is _LEGS)
            return (crop(look, inner), look), what if match[0].startswith(("wear", "dress")) else match[0]
    if _GROUND.search(seen.lower):
        look = looks[-1]
        mask = np.ones(look.fact.frame.rgb.shape[:2], bool)
        for thing in look.things:
            mask[slices(look, thing.detection.box)] = False
        return ((look.fact.frame.rgb[mask], look) if mask.any() else None), "background"
    for target in seen.targets:
        look, one = _one_of(seen, target)
        if look is not None and one is not None:
            return (crop(look, inner_box(one.box)), look), target.word
        if target.concept:
            best = max(looks, key=lambda look: look.fact.shows(target.concept or ""))
            if best.fact.shows(target.concept) >= SHOWS:
                return (crop(best, (0.25, 0.25, 0.75, 0.75)), best), target.word
    return None, ""


def _one_of(seen: Seen, target: Target) -> tuple[Look, Detection] | tuple[None, None]:
    """The largest thing that a target means, with its frame; None where the question means one that cannot be told."""
    number, look = seen.most(target, coloured=False)
    if look is None or (number > 1 and seen.unclear(target)):
        return None, None
    return look, max(seen.those(look, target, coloured=False), key=lambda one: one.area)
