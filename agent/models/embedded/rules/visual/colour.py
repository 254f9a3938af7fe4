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
PLAIN, PLAIN_TWO = 0.5, 0.9
"""A colour is said where it covers this share of a thing, or it and another one cover that share together."""
_EDGES = (
    (re.compile(r"\b(sky|ceiling)\b"), (0.0, 0.0, 1.0, 0.2)),
    (re.compile(r"\b(grass|floor|ground|carpet|lawn|road)\b"), (0.0, 0.8, 1.0, 1.0)),
)
"""What lies at the upper and at the lower edge of most pictures that show it."""
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
    two = shares[best] + max((share for name, share in shares.items() if name != best), default=0.0)
    if shares[best] < PLAIN and two < PLAIN_TWO:
        return None
    if asked and seen.yes_no and " or " not in seen.lower:
        yes = shares.get(asked, 0.0) >= 0.3
        return f"Yes, the {what} looks {asked}{cite([look])}." if yes else f"No, the {what} looks {best}{cite([look])}."
    second = next((f" and {name}" for name, share in shares.items() if name != best and share >= 0.35), "")
    return f"The {what} looks {best}{second}{cite([look])}."


def _coloured(seen: Seen, looks: Sequence[Look]) -> tuple[tuple[np.ndarray, Look] | None, str]:
    """The pixels whose colour is asked for, with their frame, and what they are."""
    for pattern, what in ((_HAIR, "hair"), (_LEGS, "clothing"), (_CLOTHES, "clothing")):
        if match := pattern.search(seen.lower):
            return _worn(seen, pattern), what if match[0].startswith(("wear", "dress")) else match[0]
    for pattern, edge in _EDGES:
        if match := pattern.search(seen.lower):
            return (crop(looks[-1], edge), looks[-1]), match[0]
    if _GROUND.search(seen.lower):
        look = looks[-1]
        mask = np.ones(look.fact.frame.rgb.shape[:2], bool)
        for thing in look.things:
            mask[slices(look, thing.detection.box)] = False
        return ((look.fact.frame.rgb[mask], look) if mask.any() else None), "background"
    for target in seen.targets:
        found, one = _one_of(seen, target)
        if found is not None and one is not None:
            return (crop(found, inner_box(one.box)), found), target.word
        if target.concept:
            best = max(looks, key=lambda look: look.fact.shows(target.concept or ""))
            if best.fact.shows(target.concept) >= SHOWS:
                return (crop(best, (0.25, 0.25, 0.75, 0.75)), best), target.word
    return None, ""


def _worn(seen: Seen, pattern: re.Pattern[str]) -> tuple[np.ndarray, Look] | None:
    """The pixels of the clothes or hair of the person that is meant, with the frame."""
    look, person = _one_of(seen, next((target for target in seen.targets if target.is_people), PERSON))
    if look is None or person is None:
        return None
    left, top, right, bottom = person.box
    if pattern is _HAIR:
        across = 0.3 * (right - left)
        return crop(look, (left + across, top, right - across, top + 0.12 * (bottom - top))), look
    return crop(look, clothes_box(look, person.box, legs=pattern is _LEGS)), look


def _one_of(seen: Seen, target: Target) -> tuple[Look, Detection] | tuple[None, None]:
    """The largest thing that a target means, with its frame; None where the question means one that cannot be told."""
    number, look = seen.most(target, coloured=False)
    if look is None or (number > 1 and seen.unclear(target)):
        return None, None
    return look, max(seen.those(look, target, coloured=False), key=lambda one: one.area)
