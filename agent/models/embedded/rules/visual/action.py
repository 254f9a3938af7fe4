"""What people do: answers from their actions over the frames, or that nobody is seen doing it.

Where neither a track nor joints decide, the question is left to the rules of `presence`, which know boxes alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from agent.models.embedded.model import Perception
from agent.models.embedded.rules import scene
from agent.models.embedded.rules.evidence import Fact
from agent.models.embedded.rules.scene import Look
from agent.models.embedded.rules.things import UNTOLD, counted, listed
from agent.models.embedded.rules.visual import presence
from agent.models.embedded.rules.visual.seen import Seen
from tools.media.clock import format_clock
from tools.perception.actions import MAX_STEP_S, RIDDEN, Action, Kind, Moment, actions, is_on
from tools.perception.observe import Thing
from tools.perception.posture import lies, raises_arm, sits, stands

UNCERTAIN: frozenset[Kind] = frozenset({"runs", "sits", "lies", "falls", "carries"})
"""Kinds whose precision is below 0.6 in the action bench, or that none of its clips shows: said as `seems to`."""
TELLING: frozenset[Kind] = frozenset({"falls", "lies", "rides", "raises_arm", "sits"})
"""Kinds that are told before what somebody has in the hand."""
TOLD: tuple[Kind, ...] = (
    "falls", "lies", "rides", "raises_arm", "sits", "carries", "runs", "walks", "enters", "leaves",
)  # fmt: skip
"""Kinds that are told when it is asked what somebody does, the most telling first; to stand tells nothing."""
MOST_TOLD = 3
DENSE_S, DENSE_STEPS = 0.7, 4
"""Frames this close together show motion; this many in a row show that there is none of a kind."""
AROUND_S, CLOSER_FRAMES = 2.0, 8
"""What is looked at again around a moment: seconds to each side, and frames."""
_ASKED: tuple[tuple[Kind, str], ...] = (
    ("rides", r"rid(?:e|es|ing|den)|cycling|biking"),
    ("falls", r"fall(?:s|ing|en)?|fell|collaps(?:e|es|ing)|trip(?:s|ping)"),
    ("lies", r"lie|lies|lying|la(?:y|ys|ying) (?:down|on)"),
    ("sits", r"sit(?:s|ting)?|sat|seated"),
    ("runs", r"run(?:s|ning)?|ran|jog(?:s|ging)?|sprint(?:s|ing)?"),
    ("walks", r"walk(?:s|ing|ed)?|stroll(?:s|ing)?"),
    (
        "raises_arm",
        r"(raise[sd]?|raising|lifts?|lifting) (\w+ )?(arms?|hands?)|wav(e|es|ing)|(arms?|hands?) (up|raised)",
    ),
    ("stands", r"stand(?:s|ing)?|stood"),
)
ACTION_WORDS = re.compile("|".join(rf"\b(?:{pattern})\b" for _, pattern in _ASKED))
"""Finds a word for any action."""
_WHICH_WAY = re.compile(
    r"\b(which|what) (way|direction)|\bdirection\b|\bwhere\b.*\b(go|going|walk|walking|head|heading)\b"
)
_QUALIFIED = re.compile(
    r"\b(with|behind|beside|near|next to|in|on|at) (the|a|an|his|her) "
    r"(?!(video|clip|picture|scene|start|beginning|end|street|road|background|foreground|middle)\b)\w+"
)
_SHOWS = {"stands": stands, "sits": sits, "lies": lies, "raises_arm": raises_arm}
_PEOPLE = re.compile(
    r"\b(he|she|they|him|her|any(body|one)|some(body|one)|people|persons?|pedestrians?|"
    + "|".join(f"{word}s?" for word in sorted(UNTOLD))
    + r")\b"
)


def action(seen: Seen) -> str | None:
    """Say what somebody does, or which way somebody goes; other things are told by their boxes."""
    if not _is_about_people(seen):
        return presence.action(seen)
    frames = moments_meant(seen)
    found = actions(frames)
    if _WHICH_WAY.search(seen.lower):
        return _ways([one for one in found if one.kind in ("walks", "runs")]) or presence.action(seen)
    kind = asked_kind(seen.lower)
    if kind is not None and (hits := [one for one in found if one.kind == kind]):
        return f"{_told(kind, hits, found, len(frames) > 1)}."
    if seen.question.kind == "choice" or _is_qualified(seen, frames):
        return None
    plain = [one for one in found if one.kind not in TELLING]
    if len(plain) == len(found) and scene.activity(seen.meant()):
        return presence.action(seen)
    by_kind = {kind: [one for one in found if one.kind == kind] for kind in TOLD}
    parts = [_told(kind, hits, found, len(frames) > 1) for kind, hits in by_kind.items() if hits]
    return f"{listed([parts[0], *map(_lower, parts[1:MOST_TOLD])])}." if parts else presence.action(seen)


def _is_qualified(seen: Seen, frames: Sequence[Moment]) -> bool:
    """Whether one of several people is meant by what no track tells, as in `the man behind the car`."""
    people = max((sum(thing.detection.name == "person" for thing in moment.things) for moment in frames), default=0)
    return people > 1 and _QUALIFIED.search(seen.lower) is not None


def doing(seen: Seen) -> str | None:
    """Answer whether somebody does something; no where people are seen who plainly do something else."""
    kind = asked_kind(seen.lower)
    if kind is None or not _is_about_people(seen) or not any(look.people for look in seen.looks):
        return presence.doing(seen)
    named = frozenset().union(*(target.classes for target in seen.targets)) & RIDDEN
    frames = moments_meant(seen)
    found = actions(frames)
    hits = [one for one in found if one.kind == kind and (not named or one.object in named or one.object is None)]
    if hits:
        return (
            f"{'It seems so: ' if kind in UNCERTAIN else 'Yes, '}{_lower(_told(kind, hits, found, len(frames) > 1))}."
        )
    if _is_denied(kind, named, found, frames):
        return f"{_nobody(kind, named)}{_instead(found, len(frames) > 1)}."
    return None


def asked_kind(lower: str) -> Kind | None:
    """Return the action that a question asks about; None where it names none of them."""
    return next((kind for kind, pattern in _ASKED if re.search(rf"\b({pattern})\b", lower)), None)


def moments_meant(seen: Seen) -> list[Moment]:
    """Return the frames that a question means; of one moment, also those around it."""
    looks = seen.meant()
    if len(looks) == 1 and looks[0].fact.frame.t_s is not None:
        at_s = looks[0].fact.frame.t_s
        looks = [look for look in seen.looks if look.fact.frame.t_s is not None and
                 abs(look.fact.frame.t_s - at_s) <= AROUND_S]  # fmt: skip
    return moments(seen.perception, looks)


def moments(perception: Perception, looks: Sequence[Look]) -> list[Moment]:
    """Return frames with the joints of their people; without those that none is close enough to for an action."""
    found: dict[float, Moment] = {}  # a frame that was looked at again comes twice
    times = np.array([step if look.fact.frame.t_s is None else look.fact.frame.t_s for step, look in enumerate(looks)])
    for step, look in enumerate(looks):
        apart = np.abs(times - times[step])
        if len(looks) > 1 and not ((apart > 0) & (apart <= MAX_STEP_S)).any():
            continue
        frame = look.fact.frame
        height, width = frame.rgb.shape[:2]
        joints = perception.poses(frame)
        poses = {thing.track: pose for thing in look.things if (pose := joints.get(thing.detection.box)) is not None}
        known = {thing.detection for thing in look.things}
        # A bicycle under its rider is seen now and then only; that it is there twice, the rule for riding asks itself.
        ridden = [Thing(0, one) for one in perception.things(frame) if one.name in RIDDEN and one not in known]
        t_s = float(times[step])
        change = found[t_s].change if t_s in found else look.change
        found[t_s] = Moment(t_s, (*look.things, *ridden), width / height, poses, change)
    return list(found.values())


def closer_span(seen: Seen) -> tuple[float, float] | None:
    """Return the seconds to look at again, frame by frame, before it is said what people do; None for no need.

    It is around the frame that shows most people, or one on a thing that is ridden, where frames are far apart.
    """
    looks = [look for look in seen.meant() if look.people and look.fact.frame.t_s is not None]
    times = sorted(look.fact.frame.t_s for look in seen.looks if look.fact.frame.t_s is not None)
    if not looks or len(times) < 2 or not _is_about_people(seen):
        return None
    best = max(looks, key=lambda look: (_someone_rides(look), len(look.people), look.people[0].score))
    t_s = best.fact.frame.t_s or 0.0
    nearest_s = min(abs(other - t_s) for other in times if other != t_s)
    if nearest_s <= DENSE_S:
        return None
    return max(times[0], t_s - AROUND_S), min(times[-1], t_s + AROUND_S)


def _someone_rides(look: Look) -> bool:
    things = [thing.detection for thing in look.things if thing.detection.name in RIDDEN]
    return any(is_on(person, thing) for person in look.people for thing in things)


def happens(
    perception: Perception, kind: Kind, facts: Sequence[Fact], since_s: float | None
) -> tuple[str, float] | None:
    """Return what people do of a kind after a time, in words, and when it begins; None where nobody does it."""
    frames = moments(perception, scene.look_at(perception, facts))
    found = actions(frames)
    hits = [one for one in found if one.kind == kind and (since_s is None or one.to_s > since_s)]
    return (_told(kind, hits, found, len(frames) > 1), min(one.from_s for one in hits)) if hits else None


def _is_about_people(seen: Seen) -> bool:
    return any(target.is_people for target in seen.targets) or bool(_PEOPLE.search(seen.lower))


def _is_denied(kind: Kind, named: frozenset[str], found: Sequence[Action], frames: Sequence[Moment]) -> bool:
    """Whether people are seen well enough to say that none of them does something."""
    people = [(moment, thing) for moment in frames for thing in moment.things if thing.detection.name == "person"]
    if kind == "rides":
        ridden = [(moment, thing.detection) for moment in frames for thing in moment.things if
                  thing.detection.name in (named or RIDDEN)]  # fmt: skip
        on = any(is_on(thing.detection, one) for at, one in ridden for moment, thing in people if moment is at)
        return bool(ridden) and not on
    if kind in ("runs", "walks"):
        others = {one.track for one in found if one.kind in ("stands", "sits", "lies", "stays", "walks", "runs")}
        return bool(others) and sum(after.t_s - before.t_s <= 1.0 for before, after in pairwise(frames)) >= DENSE_STEPS
    if kind in _SHOWS:
        known = [moment.poses[thing.track] for moment, thing in people if thing.track in moment.poses]
        shaped = [pose for pose in known if pose.torso and pose.point("knee")]
        return 2 * len(shaped) > len(people) and not any(_SHOWS[kind](pose) for pose in known)
    return False


def _nobody(kind: Kind, named: frozenset[str]) -> str:
    what = f" {counted(1, min(named))}" if kind == "rides" and named else " anything" if kind == "rides" else ""
    return f"No one that I can see {_VERBS[kind]}{what}"


def _instead(found: Sequence[Action], is_clip: bool) -> str:
    """What people do otherwise: `; a person walks to the left [0:03]`."""
    kind = next(
        (kind for kind in (*TOLD, "stands") if kind not in UNCERTAIN and any(one.kind == kind for one in found)), None
    )
    hits = [one for one in found if one.kind == kind]
    return f"; {_lower(_told(kind, hits, found, is_clip))}" if kind else ""


def _told(kind: Kind, hits: Sequence[Action], found: Sequence[Action], is_clip: bool) -> str:
    """Say an action of one or several people with its time."""
    longest = max(hits, key=lambda one: (one.to_s - one.from_s, -one.from_s))
    several = len({one.track for one in hits if one.from_s <= longest.to_s and longest.from_s <= one.to_s}) > 1
    verb = _PLURAL[kind] if several else _VERBS[kind]
    if kind in UNCERTAIN or not is_clip:
        verb = f"{'seem' if several else 'seems'} to {_PLURAL[kind]}"
    elif (
        kind == "rides"
        and not several
        and any(one.kind == "stays" and one.track == longest.track and one.object == longest.object for one in found)
    ):
        verb = "stands still on"
    ways = {one.direction for one in hits}
    way = f" {_way(kind, longest.direction)}" if longest.direction and (not several or len(ways) == 1) else ""
    thing = f" {counted(1, longest.object)}" if longest.object and kind in ("rides", "carries") else ""
    return f"{'People' if several else 'A person'} {verb}{thing}{way}{_when(longest) if is_clip else ''}"


def _way(kind: Kind, direction: str) -> str:
    if kind in ("enters", "leaves"):
        return f"{'from' if kind == 'enters' else 'to'} the {direction}"
    return f"to the {direction}" if direction in ("left", "right") else direction


def _when(one: Action) -> str:
    if one.to_s - one.from_s < 1.0:
        return f" [{format_clock(one.from_s)}]"
    return f" from [{format_clock(one.from_s)}] to [{format_clock(one.to_s)}]"


def _ways(walks: Sequence[Action]) -> str | None:
    """Say which way people go: one way, or each with the first time that it is seen."""
    first: dict[str, Action] = {}
    for one in walks:
        first.setdefault(_way(one.kind, one.direction or ""), one)
    told = [f"{way} [{format_clock(one.from_s)}]" for way, one in first.items()]
    several = len({one.track for one in walks}) > 1
    if len(told) == 1:
        return f"{'They walk' if several else 'A person walks'} {told[0]}."
    return f"Some walk {listed(told)}." if told else None


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


_VERBS: dict[Kind, str] = {
    "stands": "stands", "walks": "walks", "runs": "runs", "sits": "sits", "lies": "lies down", "falls": "falls",
    "raises_arm": "raises an arm", "rides": "rides", "carries": "carries", "enters": "comes in", "leaves": "leaves",
}  # fmt: skip
_PLURAL: dict[Kind, str] = {
    "stands": "stand", "walks": "walk", "runs": "run", "sits": "sit", "lies": "lie", "falls": "fall",
    "raises_arm": "raise an arm", "rides": "ride", "carries": "carry", "enters": "come in", "leaves": "leave",
}  # fmt: skip
