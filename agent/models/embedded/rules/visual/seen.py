"""What a question about frames is answered from: `Seen`, and how its parts are cut out and cited."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from agent.models.embedded.model import Mind
from agent.models.embedded.rules import scene
from agent.models.embedded.rules.evidence import Fact
from agent.models.embedded.rules.question import Question
from agent.models.embedded.rules.scene import Look
from agent.models.embedded.rules.things import PEOPLE, Target, find_targets
from memory.stream.time_expressions import PRESENT

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in shares of the picture."""
START = re.compile(r"\b(start|starts|beginning|begin|begins|first|opening)\b")


END = re.compile(r"\b(end|ends|last|final|finally)\b")


_YES_NO = re.compile(r"^(\w+, )?(is|are|was|were|do|does|did|has|have|can|could|any|anybody|anyone)\b")


PERSON = Target(PEOPLE, frozenset({PEOPLE}), None)


class Seen:
    """What a question is answered from: the question, its targets, and the frames with what they show."""

    def __init__(self, mind: Mind, question: Question, facts: Sequence[Fact]) -> None:
        self.mind, self.question, self.facts = mind, question, list(facts)
        self.lower = question.text.lower().strip()
        self.looks = scene.look_at(mind.perception, facts)
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
