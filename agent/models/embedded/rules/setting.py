"""The kind of place that frames show, inside or outside: by things, classes of the vision network, and the sky."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from agent.models.embedded.imagenet import concepts
from agent.models.embedded.rules import colours
from agent.models.embedded.rules.scene import Look
from tools.wordlists import load_words

THING_WEIGHT = 0.4
"""How far one detected thing speaks for a place; several kinds of it add up to 1."""
OUTDOORS, INDOORS = "outdoors", "indoors"
DARK, BRIGHT = 60.0, 85.0
"""Mean value of a picture, of 255, below which it looks like night, and above which it may be day."""
SURE_PLACE, SURE_SIDE = 0.45, 0.5
"""Evidence from which a kind of place, and inside or outside, is said."""


@dataclass(frozen=True)
class Setting:
    """Where frames were taken.

    Attributes:
        place: the likeliest kind of place with its article, such as `a street`; None where nothing speaks for one.
        outdoors: True for outside, False for inside, None where neither outweighs the other.
        daylight: True for day, False for the dark, None where the light of the last frame does not tell.
    """

    place: str | None = None
    outdoors: bool | None = None
    daylight: bool | None = None


def setting(looks: Sequence[Look]) -> Setting:
    """Infer where frames were taken; frames that show nothing do not count."""
    usable = [look for look in looks if look.fact.usable]
    if not usable:
        return Setting()
    things = {thing.detection.name for look in usable for thing in look.things}
    p = np.mean([0.6 * look.fact.p + 0.4 * look.fact.regions.mean(axis=0) for look in usable], axis=0)
    evidence = {name: _evidence(things, p, *known) for name, known in _settings().items()}
    outside, inside = evidence.pop(OUTDOORS), evidence.pop(INDOORS)
    sky = float(np.mean([colours.sky_share(look.fact.frame.rgb) for look in usable]))
    green = float(np.mean([colours.shares(look.fact.frame.rgb).get("green", 0.0) for look in usable]))
    outside = 1 - (1 - outside) * (1 - 0.5 * sky) * (1 - min(green, 0.8))
    place = max(evidence, key=lambda name: evidence[name])
    side = outside > inside if abs(outside - inside) >= 0.2 and max(outside, inside) >= SURE_SIDE else None
    return Setting(place if evidence[place] >= SURE_PLACE else None, side, _daylight(usable[-1], bool(side)))


def _daylight(look: Look, outdoors: bool) -> bool | None:
    rgb = look.fact.frame.rgb
    light = float(rgb.mean())
    if light < DARK:
        return False
    return True if light > BRIGHT and (outdoors or colours.sky_share(rgb) > 0.2) else None


def _evidence(things: set[str], p: np.ndarray, names: frozenset[str], classes: np.ndarray) -> float:
    """How far detected things and class probabilities (1000,) speak for a setting, 0 to 1."""
    return float(1 - (1 - THING_WEIGHT) ** len(things & names) * (1 - min(1.0, p[classes].sum())))


@cache
def _settings() -> dict[str, tuple[frozenset[str], np.ndarray]]:
    """The names and the classes of the vision network that speak for each setting, from `data/settings.txt`."""
    vocabulary = concepts()
    found = {}
    for name, words in load_words(__package__, "settings").items():
        known = filter(None, map(vocabulary.known, words))
        classes = frozenset[int]().union(*(vocabulary.members[phrase] for phrase in known))
        found[name] = frozenset(words), np.array(sorted(classes), int)
    return found
