"""What a question about frames is answered from: `Seen`, and how its parts are cut out and cited."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from agent.models.embedded.model import Perception
from agent.models.embedded.rules import colours, scene
from agent.models.embedded.rules.evidence import Fact
from agent.models.embedded.rules.qualifiers import qualifiers, within
from agent.models.embedded.rules.question import Question
from agent.models.embedded.rules.scene import Look
from agent.models.embedded.rules.things import PEOPLE, Target, find_targets
from memory.stream.time_expressions import PRESENT
from tools.perception.detect import Detection

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in shares of the picture."""
START = re.compile(r"\b(start|starts|beginning|begin|begins|first|opening)\b")
END = re.compile(r"\b(end|ends|last|final|finally)\b")
_YES_NO = re.compile(r"^(\w+, )?(is|are|was|were|do|does|did|has|have|can|could|any|anybody|anyone)\b")
PERSON = Target(PEOPLE, frozenset({PEOPLE}), None)
COLOUR_SHARE = 0.25
"""A thing has a colour from this share of its pixels on."""


class Seen:
    """What a question is answered from: the question, its targets, and the frames with what they show."""

    def __init__(self, perception: Perception, question: Question, facts: Sequence[Fact]) -> None:
        self.perception, self.question, self.facts = perception, question, list(facts)
        self.lower = question.text.lower().strip()
        self.looks = scene.look_at(perception, facts)
        self.targets = find_targets(question.text)
        self.yes_no = bool(_YES_NO.match(self.lower))

    @property
    def is_clip(self) -> bool:
        """Whether there is more than one moment."""
        return len(self.looks) > 1

    def meant(self) -> list[Look]:
        """Return the frames that the question means: the first or last of them, the newest, or all."""
        if self.question.span or self.question.times_s:
            return self.looks
        if PRESENT.search(self.lower):
            return self.looks[-1:]
        if START.search(self.lower) and not END.search(self.lower):
            return self.looks[:1]
        if END.search(self.lower):
            return self.looks[-1:]
        return self.looks

    def those(self, look: Look, target: Target, coloured: bool = True) -> list[Detection]:
        """Return the things in a frame that a target means: of the colour, and in the part of the picture, if said.

        Args:
            look: the frame.
            target: what is meant.
            coloured: whether a colour that is said has to be theirs; not where it is asked for.
        """
        said = qualifiers(self.question.text, target)
        return [
            one
            for one in look.those(target)
            if (said.extent is None or within(one.centre, said.extent))
            and (said.colour is None or not coloured or has_colour(look, one, said.colour))
        ]

    def most(self, target: Target, coloured: bool = True) -> tuple[int, Look | None]:
        """Return the largest number of a target's things at once, and the first frame with as many."""
        return scene.most(self.meant(), lambda look: self.those(look, target, coloured))

    def unclear(self, target: Target) -> frozenset[str]:
        """Return what the question says of a target that boxes and colours cannot show."""
        return qualifiers(self.question.text, target).unknown


def cite(looks: Sequence[Look]) -> str:
    """Return the time of the first of some frames as ` [m:ss]`; empty where it has none."""
    return looks[0].fact.cite if looks else ""


def capital(text: str) -> str:
    """Return a text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the distance of two points in shares of the picture."""
    return float(np.hypot(one[0] - other[0], one[1] - other[1]))


def slices(look: Look, box: Box) -> tuple[slice, slice]:
    """Return the rows and columns of a box, one pixel at least."""
    height, width = look.fact.frame.rgb.shape[:2]
    left, top = min(int(box[0] * width), width - 1), min(int(box[1] * height), height - 1)
    right, bottom = max(left + 1, int(box[2] * width)), max(top + 1, int(box[3] * height))
    return slice(top, bottom), slice(left, right)


def inner_box(box: Box) -> Box:
    """The middle of a box, where the background is not."""
    across, down = 0.2 * (box[2] - box[0]), 0.2 * (box[3] - box[1])
    return box[0] + across, box[1] + down, box[2] - across, box[3] - down


def clothes_box(look: Look, box: Box, legs: bool = False) -> Box:
    """Where the clothes of a person in a box are: below the head, and lower where only head and shoulders are shown."""
    rows, columns = look.fact.frame.rgb.shape[:2]
    height, width = box[3] - box[1], box[2] - box[0]
    top, bottom = (0.55, 0.85) if legs else (0.65, 0.95) if height * rows < 1.8 * width * columns else (0.22, 0.55)
    return box[0] + 0.3 * width, box[1] + top * height, box[2] - 0.3 * width, box[1] + bottom * height


def crop(look: Look, box: Box) -> np.ndarray:
    """Return the pixels of a box, (N, 3)."""
    return look.fact.frame.rgb[slices(look, box)].reshape(-1, 3)


def has_colour(look: Look, one: Detection, colour: str) -> bool:
    """Whether a thing, or a person's clothes, have a colour."""
    box = clothes_box(look, one.box) if one.name == PEOPLE else inner_box(one.box)
    return colours.shares(crop(look, box)).get(colour, 0.0) >= COLOUR_SHARE
