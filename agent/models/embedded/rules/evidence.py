"""Facts about frames, computed by code: what each shows and how surely, its defects, and where the picture changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.models.embedded.imagenet import calibrated, concepts, with_article
from agent.models.embedded.model import Perception
from agent.models.embedded.request import Shown
from tools.media.clock import format_clock
from tools.media.quality import Problem

# Our thresholds, set on ImageNet pictures: 97% of the names at FIRM or above, and 75% of those from MAYBE to SURE, were
# right there. Other pictures fool the network more often, hence the careful words below FIRM.
FIRM, SURE, MAYBE = 0.6, 0.45, 0.15
SAME_SCENE_COSINE, SAME_SCENE_OVERLAP = 0.55, 0.4
SHOWS, SHOWS_NOT = 0.4, 0.04
PLAIN = 0.85
"""A defect hides nothing from this probability on; our choice: 1% of good pictures and 90% of spoilt ones stay bad."""


@dataclass(frozen=True, eq=False)
class Fact:
    """What is known of one frame.

    Attributes:
        frame: the frame.
        p: calibrated class probabilities (1000,).
        vector: (1280,) of unit length.
        regions: calibrated class probabilities of its 3 x 3 parts, (9, 1000).
        problem: what is wrong with the picture, if anything hides what it shows.
    """

    frame: Shown
    p: np.ndarray
    vector: np.ndarray
    regions: np.ndarray
    problem: Problem | None

    @property
    def cite(self) -> str:
        """The frame's time as ` [m:ss]`, or nothing where it has none."""
        return "" if self.frame.t_s is None else f" [{format_clock(self.frame.t_s)}]"

    @property
    def usable(self) -> bool:
        """Whether it shows something that can be recognised."""
        return self.problem is None

    def shows(self, phrase: str) -> float:
        """Return how likely the frame shows a known phrase, as a whole or in one of its parts."""
        covered = list(concepts().members.get(phrase, ()))
        # A part sees less and errs more: it counts for less.
        return float(max(self.p[covered].sum(), 0.7 * self.regions[:, covered].sum(axis=1).max()))


@dataclass(frozen=True, eq=False)
class Scene:
    """Frames in a row that show the same."""

    facts: tuple[Fact, ...]

    @property
    def first(self) -> Fact:
        return self.facts[0]

    @property
    def usable(self) -> bool:
        return any(fact.usable for fact in self.facts)

    @property
    def p(self) -> np.ndarray:
        """Mean class probabilities of the frames that show something, (1000,)."""
        return np.mean([fact.p for fact in self.facts if fact.usable or not self.usable], axis=0)

    def shows(self, phrase: str) -> float:
        """Return how likely the scene shows a known phrase."""
        return max((fact.shows(phrase) for fact in self.facts if fact.usable), default=0.0)

    def text(self, members: frozenset[int] | None = None) -> str | None:
        """Say what it shows, as precisely as the evidence allows, without its time; None where that is unknown.

        Args:
            members: only these classes are asked for.
        """
        p = self.p
        if members is not None:
            inside = np.zeros_like(p)
            inside[list(members)] = p[list(members)]
            if inside.sum() < MAYBE:
                return None
            p = inside / inside.sum() if inside.sum() >= SURE else inside
        if not self.usable:
            return None
        return describe(p)


def describe(p: np.ndarray) -> str | None:
    """Put class probabilities (1000,) into words that say how sure they are, or return None.

    From sure to unsure: `an ambulance`; `a cat, probably a tabby cat`; `what looks like a lampshade`; `a dog, perhaps a
    beagle`; `perhaps a fork`.
    """
    vocabulary = concepts()
    first = int(np.argmax(p))
    best = with_article(vocabulary.names[first])
    everyday = vocabulary.everyday(first)
    found = vocabulary.name(p, SURE)
    if found is None:
        return f"perhaps {best}" if p[first] >= MAYBE else None
    name, _, exact = found
    if everyday and vocabulary.probability(everyday, p) >= SURE:
        name, exact = everyday, False
    if not exact:
        how = "probably" if p[first] >= FIRM else "perhaps"
        return f"{with_article(name)}, {how} {best}" if p[first] >= MAYBE else with_article(name)
    return best if p[first] >= FIRM else f"what looks like {best}"


def gather(perception: Perception, frames: Sequence[Shown]) -> list[Fact]:
    """Compute the facts of frames, in their order."""
    facts = []
    for frame in frames:
        sight = perception.sight(frame)
        p, regions = calibrated(sight.whole), calibrated(sight.classes[1:10].numpy())
        if p.max() < MAYBE:  # several things, or a small one: its parts may tell
            p = (p + regions.mean(axis=0)) / 2
        problem = perception.quality(frame).problem
        # Reduced frames are blurred on purpose, and what is plainly recognised is not hidden.
        if problem and ((problem == "blurry" and frame.detail != "clear") or p.max() >= PLAIN):
            problem = None
        facts.append(Fact(frame, p, sight.vector, regions, problem))
    return facts


def scenes(facts: Sequence[Fact]) -> list[Scene]:
    """Group frames in a row that show the same; a picture that shows nothing stands apart from those that do."""
    groups: list[list[Fact]] = []
    for fact in facts:
        if groups and _alike(groups[-1][-1], fact):
            groups[-1].append(fact)
        else:
            groups.append([fact])
    return [Scene(tuple(group)) for group in groups]


def _alike(one: Fact, other: Fact) -> bool:
    if one.usable != other.usable:
        return False
    if not one.usable:
        return one.problem == other.problem
    overlap = float(np.minimum(one.p, other.p).sum())
    return float(one.vector @ other.vector) >= SAME_SCENE_COSINE or overlap >= SAME_SCENE_OVERLAP
