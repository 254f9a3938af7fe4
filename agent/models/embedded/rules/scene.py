"""What a run of frames shows, by the detector: things that last, how many at once, where, and what they do together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.models.embedded.imagenet import concepts
from agent.models.embedded.model import Perception
from agent.models.embedded.rules.evidence import Fact
from agent.models.embedded.rules.things import PEOPLE, Target, counted
from tools.perception.detect import Detection, overlap
from tools.perception.motion import Change
from tools.perception.observe import Sampled, Thing, observe

ONCE_SCORE = 0.6
"""In a clip, a thing that was seen in one frame only counts from this score on."""
CLIP_FRAMES = 3
"""Frames from which on things are expected to last."""
RIDDEN = ("bicycle", "motorcycle", "horse", "skateboard", "surfboard", "skis", "snowboard")
PLAYED = ("sports ball", "frisbee", "tennis racket", "baseball bat", "kite")
HELD = tuple(
    "cup,bottle,cell phone,book,umbrella,handbag,backpack,suitcase,remote,wine glass,knife,fork,spoon,scissors,"
    "toothbrush,teddy bear,banana,apple,sandwich,pizza".split(",")
)
SEATS = ("chair", "couch", "bench", "bed")
MOVED = 0.12
"""A thing moves where its centre goes this far, in shares of the picture; less may be the box."""
GROWN = 1.5
"""A thing comes nearer where its box grows by this factor, and goes away where it shrinks by it."""


@dataclass(frozen=True, eq=False)
class Look:
    """One frame with the things in it that count, and what changed since the frame before it."""

    fact: Fact
    things: tuple[Thing, ...]
    change: Change | None

    def those(self, target: Target) -> list[Detection]:
        """Return the things that a target covers, the surest first."""
        return [thing.detection for thing in self.things if _covers(target, thing.detection.name)]

    @property
    def people(self) -> list[Detection]:
        """Return the people, the surest first."""
        return [thing.detection for thing in self.things if thing.detection.name == PEOPLE]


def look_at(perception: Perception, facts: Sequence[Fact]) -> list[Look]:
    """Detect and follow things over facts, oldest first, and leave out those that came only once and unsurely."""
    times = [fact.frame.t_s for fact in facts]
    steps = range(len(facts)) if None in times else times
    found = observe(
        Sampled(float(step or 0.0), fact.frame.rgb, perception.things(fact.frame), fact.vector)
        for step, fact in zip(steps, facts, strict=True)
    )
    sightings = Counter(thing.track for one in found for thing in one.things)

    def counts(thing: Thing) -> bool:
        return len(facts) < CLIP_FRAMES or sightings[thing.track] > 1 or thing.detection.score >= ONCE_SCORE

    return [Look(fact, tuple(filter(counts, one.things)), one.change) for fact, one in zip(facts, found, strict=True)]


def _covers(target: Target, name: str) -> bool:
    """Whether a target means a class of the detector, or a name that the classifier gave, as `animal` means `fox`."""
    members = concepts().members
    known = members.get(name)
    return name in target.classes or bool(
        known and target.concept and known <= members.get(target.concept, frozenset())
    )


def shots(looks: Sequence[Look]) -> list[list[Look]]:
    """Group frames between cuts."""
    groups: list[list[Look]] = []
    for look in looks:
        if not groups or (look.change is not None and look.change.kind == "cut"):
            groups.append([])
        groups[-1].append(look)
    return groups


def most(looks: Sequence[Look], those: Callable[[Look], list[Detection]]) -> tuple[int, Look | None]:
    """Return the largest number at once of the things that `those` finds in a frame, and the first with as many.

    In a clip, a number counts that two frames reach: one may show a thing twice.
    """
    numbers = [len(those(look)) for look in looks]
    number = steady(numbers)
    return (number, looks[next(at for at, found in enumerate(numbers) if found >= number)]) if number else (0, None)


def steady(numbers: Sequence[int]) -> int:
    """Return the largest number, in a clip the second largest, but at least 1 where there is any."""
    ranked = sorted(numbers, reverse=True)
    if not ranked:
        return 0
    return max(ranked[1], min(ranked[0], 1)) if len(ranked) > CLIP_FRAMES else ranked[0]


def inventory(looks: Sequence[Look]) -> list[str]:
    """Name what frames show with the largest number at once, the most prominent first: `two people`, `a car`."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    weight: defaultdict[str, float] = defaultdict(float)
    for look in looks:
        for name, number in Counter(thing.detection.name for thing in look.things).items():
            numbers[name].append(number)
        for thing in look.things:
            prominence = thing.detection.score * (thing.detection.area**0.5 + 0.1)
            weight[thing.detection.name] += prominence * (3.0 if thing.detection.name == PEOPLE else 1.0)
    padded = {name: steady([*found, *[0] * (len(looks) - len(found))]) for name, found in numbers.items()}
    return [counted(padded[name], name) for name in sorted(padded, key=lambda name: -weight[name])]


def activity(looks: Sequence[Look], only: frozenset[str] | None = None) -> tuple[str, Look] | None:
    """Say what people do with things, and the frame where it is plainest; None where boxes do not tell.

    Args:
        looks: the frames.
        only: classes of the things that count; None for any.
    """
    for verb, names, beside in (("rides", RIDDEN, _rides), ("plays with", PLAYED, _near), ("sits on", SEATS, _rides),
                                ("has", HELD, _near)):  # fmt: skip
        hits = [
            (thing.detection.score, look, thing.detection.name)
            for look in looks
            for thing in look.things
            if thing.detection.name in (names if only is None else only.intersection(names))
            and any(beside(person, thing.detection) for person in look.people)
        ]
        if hits:
            _, look, name = max(hits, key=lambda hit: hit[0])
            return f"{verb} {counted(1, name)}", look
    return None


def movement(looks: Sequence[Look], target: Target | None = None) -> str | None:
    """Say where the longest seen person, or target, goes: `from left to right`, `in place`; None where it is lost."""
    paths: defaultdict[int, list[tuple[Look, Detection]]] = defaultdict(list)
    for look in looks:
        for thing in look.things:
            if _covers(target, thing.detection.name) if target else thing.detection.name == PEOPLE:
                paths[thing.track].append((look, thing.detection))
    path = max(paths.values(), key=len, default=[])
    if len(path) < 2 or any(look.change is not None and look.change.kind == "camera" for look, _ in path[1:]):
        return None
    return course(path[0][1], path[-1][1])


def course(first: Detection, last: Detection) -> str:
    """Say where a thing goes from its first box to its last: `from left to right`, `towards the camera`, `in place`."""
    (x0, y0), (x1, y1) = first.centre, last.centre
    grown = last.area / max(first.area, 1e-6)
    if abs(x1 - x0) < MOVED and not 1 / GROWN < grown < GROWN:
        return "towards the camera" if grown > 1 else "away from the camera"
    if max(abs(x1 - x0), abs(y1 - y0)) < MOVED:
        return "in place"
    if abs(x1 - x0) >= abs(y1 - y0):
        return "from left to right" if x1 > x0 else "from right to left"
    return "downwards" if y1 > y0 else "upwards"


def place(box: tuple[float, float, float, float]) -> str:
    """Say where a box lies: `on the left`, `at the top right`, `in the middle`."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    across = "left" if x < 0.4 else "right" if x > 0.6 else ""
    down = "top" if y < 0.3 and box[3] < 0.6 else "bottom" if y > 0.7 and box[1] > 0.4 else ""
    if (box[2] - box[0]) * (box[3] - box[1]) > 0.6:
        return "all over the picture"
    if down:
        return f"at the {down} {across}".strip()
    return f"on the {across}" if across else "in the middle"


def _rides(person: Detection, thing: Detection) -> bool:
    """Whether a person is on a thing: their boxes overlap, the person's middle lies over it and its head above."""
    left, top, right, bottom = thing.box
    middle = person.centre[0]
    within = left - 0.1 * (right - left) <= middle <= right + 0.1 * (right - left)
    above = person.box[1] < top + 0.1 * (bottom - top) and person.box[3] > top + 0.3 * (bottom - top)
    return within and above and overlap(person.box, thing.box) > 0.15 * min(person.area, thing.area)


def _near(person: Detection, thing: Detection) -> bool:
    """Whether a thing lies within reach of a person: in the box, widened by half its width."""
    left, top, right, bottom = person.box
    reach = 0.5 * (right - left)
    x, y = thing.centre
    return left - reach <= x <= right + reach and top - reach <= y <= bottom + reach and thing.area < 1.2 * person.area
