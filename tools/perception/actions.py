"""What people do, by rules over their tracks and joints: `actions`.

Speeds are in heights of the person's own box per second, so that they are the same near and far. An action needs some
sampled frames; from a single picture only postures are taken. Boxes that reach the rim of the picture show a part of a
person, so that nothing is concluded from their shape.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np

from tools.perception.detect import Detection, overlap
from tools.perception.motion import Change
from tools.perception.observe import Thing
from tools.perception.pose import Pose
from tools.perception.posture import UPRIGHT, body_angle, lies, raises_arm, sits, stands

Kind = Literal[
    "stands",
    "walks",
    "runs",
    "sits",
    "lies",
    "falls",
    "raises_arm",
    "rides",
    "carries",
    "enters",
    "leaves",
    "stays",
    "near",
]
Direction = Literal["left", "right", "towards the camera", "away from the camera"]
RIDDEN = frozenset({"bicycle", "motorcycle", "horse", "skateboard", "surfboard", "skis", "snowboard", "elephant"})
CARRIED = frozenset({"backpack", "handbag", "suitcase", "umbrella", "surfboard", "skis", "snowboard", "skateboard"})
MAX_STEP_S = 1.6
"""Frames further apart do not show one motion."""
MIN_SAMPLES, MIN_STEPS = 2, 2
"""Samples that a posture needs in a clip, and steps between samples that walking needs."""
STRAIGHT = 0.7
"""Share of the way that walking has to lead somewhere."""
CAMERA_SHARE = 0.5
"""Share of the picture's cells beyond which it is the camera that moves."""
STILL_S, BESIDE_S = 0.9, 1.2
"""How long somebody has to keep a place, and to be beside another."""
STAYS_S = 4.0
WALKS_FROM, RUNS_FROM = 0.3, 1.7
"""Speeds in body heights per second: people walk at about 0.8, and run from about 1.7."""
STILL_BELOW = 0.15
RIM = 0.015
"""A box this near to the rim of the picture is taken to be cut off."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a person does.

    Attributes:
        kind: what.
        track: number of the person's track.
        object: class of the thing that is ridden, carried or near; None for none.
        direction: where the person walks, runs, enters from or leaves to.
        from_s, to_s: media time in seconds; equal for a single picture.
        confidence: mean score of the detections and joints that it rests on, 0 to 1.
    """

    kind: Kind
    track: int
    from_s: float
    to_s: float
    confidence: float
    object: str | None = None
    direction: Direction | None = None


@dataclass(frozen=True, eq=False)
class Moment:
    """A sampled frame.

    Attributes:
        t_s: media time in seconds.
        things: what it shows, with tracks.
        aspect: width of the picture divided by its height.
        poses: pose of people by track, as far as they are known.
        change: the difference from the frame before.
    """

    t_s: float
    things: tuple[Thing, ...]
    aspect: float
    poses: Mapping[int, Pose] = field(default_factory=dict)
    change: Change | None = None

    @property
    def camera_moves(self) -> bool:
        """Whether so much of the picture moves that places in it do not tell who stands."""
        return self.change is not None and (self.change.kind == "camera" or self.change.share > CAMERA_SHARE)

    @property
    def is_cut(self) -> bool:
        return self.change is not None and self.change.kind == "cut"


@dataclass(frozen=True, eq=False)
class _Sample:
    """A person in one frame."""

    moment: Moment
    index: int
    person: Detection
    pose: Pose | None

    @property
    def t_s(self) -> float:
        return self.moment.t_s

    @property
    def height(self) -> float:
        return self.person.box[3] - self.person.box[1]

    @property
    def whole(self) -> bool:
        """Whether head and feet are within the picture."""
        return self.person.box[1] > RIM and self.person.box[3] < 1 - RIM

    @property
    def at_side(self) -> Direction | None:
        """The side of the picture that cuts the box off."""
        if self.person.box[0] < RIM:
            return "left"
        return "right" if self.person.box[2] > 1 - RIM else None


def actions(moments: Sequence[Moment]) -> list[Action]:
    """Return what the people in frames do, in order of time; frames in order of time, of one source."""
    paths: defaultdict[int, list[_Sample]] = defaultdict(list)
    for index, moment in enumerate(moments):
        for thing in moment.things:
            if thing.detection.name == "person":
                pose = moment.poses.get(thing.track)
                paths[thing.track].append(_Sample(moment, index, thing.detection, pose))
    found = [action for track, path in paths.items() for action in _of_path(track, path, moments)]
    return sorted(found, key=lambda action: (action.from_s, action.track, action.kind))


def _of_path(track: int, path: Sequence[_Sample], moments: Sequence[Moment]) -> Iterator[Action]:
    single = len(moments) == 1
    rides = list(_rides(track, path, single))
    yield from rides
    for kind, holds in _POSTURES:
        for run in _runs(path, holds):
            if not single and (len(run) < MIN_SAMPLES or (kind == "stands" and not _is_still(run))):
                continue
            if kind != "stands" or not any(_overlaps(ride, run) for ride in rides):
                yield _action(kind, track, run)
    if not single:
        yield from _walks(track, path, rides)
        yield from _falls(track, path)
        yield from _carries(track, path)
        yield from _rim(track, path, moments)
        yield from _stays(track, path)
        yield from _near(track, path)


def _action(kind: Kind, track: int, run: Sequence[_Sample], **more: object) -> Action:
    sure = float(np.mean([sample.person.score for sample in run]))
    return Action(kind, track, run[0].t_s, run[-1].t_s, round(sure, 3), **more)  # type: ignore[arg-type]


def _overlaps(action: Action, run: Sequence[_Sample]) -> bool:
    return action.from_s <= run[-1].t_s and run[0].t_s <= action.to_s


def _runs(path: Sequence[_Sample], holds: Callable[[_Sample], bool]) -> Iterator[list[_Sample]]:
    """The stretches of samples in a row for which something holds."""
    run: list[_Sample] = []
    for sample in path:
        if run and (not holds(sample) or sample.t_s - run[-1].t_s > MAX_STEP_S):
            yield run
            run = []
        if holds(sample):
            run.append(sample)
    if run:
        yield run


def _shaped(test: Callable[[Pose], bool]) -> Callable[[_Sample], bool]:
    return lambda sample: sample.pose is not None and test(sample.pose)


_POSTURES: tuple[tuple[Kind, Callable[[_Sample], bool]], ...] = (
    ("stands", _shaped(stands)),
    ("sits", _shaped(sits)),
    ("lies", _shaped(lies)),
    ("raises_arm", _shaped(raises_arm)),
)


def velocity(before: _Sample, after: _Sample) -> tuple[float, float, float]:
    """Return how fast a person moves right and down, in heights of its box, and grows, per second."""
    elapsed_s = max(after.t_s - before.t_s, 1e-3)
    height = max((before.height + after.height) / 2, 1e-3)
    x, y = after.person.centre[0] - before.person.centre[0], after.person.box[3] - before.person.box[3]
    grows = float(np.log(max(after.height, 1e-3) / max(before.height, 1e-3)))
    return x * after.moment.aspect / height / elapsed_s, y / height / elapsed_s, grows / elapsed_s


def _gait(before: _Sample, after: _Sample) -> Kind | None:
    """What a step between two samples is; None where it does not tell."""
    if after.t_s - before.t_s > MAX_STEP_S or after.moment.is_cut or after.moment.camera_moves:
        return None
    if before.at_side or after.at_side or not (before.whole or after.whole or before.pose):
        return None
    across, down, _ = velocity(before, after)
    speed = float(np.hypot(across, down))
    return (
        "runs" if speed >= RUNS_FROM else "walks" if speed >= WALKS_FROM else "stands" if speed < STILL_BELOW else None
    )


def _is_still(run: Sequence[_Sample]) -> bool:
    """Whether a person stays at a place over samples, and the camera as well."""
    places = np.array([(sample.person.centre[0] * sample.moment.aspect, sample.person.box[3]) for sample in run])
    height = float(np.median([sample.height for sample in run]))
    away = np.hypot(*(places - np.median(places, axis=0)).T)
    lasts = run[-1].t_s - run[0].t_s >= STILL_S
    return lasts and bool(away.max() < 0.3 * height) and not any(sample.moment.camera_moves for sample in run[1:])


def _walks(track: int, path: Sequence[_Sample], rides: Sequence[Action]) -> Iterator[Action]:
    steps = [(before, after, _gait(before, after)) for before, after in pairwise(path)]
    at = 0
    while at < len(steps):
        kind = steps[at][2]
        end = at
        while end < len(steps) and steps[end][2] == kind:
            end += 1
        run = [steps[at][0], *(after for _, after, _ in steps[at:end])]
        at = max(end, at + 1)
        if kind not in ("walks", "runs") or any(_overlaps(ride, run) for ride in rides):
            continue
        if len(run) > MIN_STEPS and _leads_somewhere(run) and not _looks_seated(run):
            yield _action(kind, track, run, direction=_direction(run))


def _leads_somewhere(run: Sequence[_Sample]) -> bool:
    """Whether most of the way from sample to sample is also way from the first to the last."""
    places = np.array([(sample.person.centre[0] * sample.moment.aspect, sample.person.box[3]) for sample in run])
    way = float(np.hypot(*np.diff(places, axis=0).T).sum())
    return float(np.hypot(*(places[-1] - places[0]))) >= STRAIGHT * way


def _looks_seated(run: Sequence[_Sample]) -> bool:
    known = [sample.pose for sample in run if sample.pose is not None]
    return 2 * sum(sits(pose) or lies(pose) for pose in known) > len(known)


def _direction(run: Sequence[_Sample]) -> Direction:
    """Where a person goes."""
    across, down, grows = velocity(run[0], run[-1])
    if abs(across) >= abs(down) and abs(across) >= 0.5 * WALKS_FROM:
        return "right" if across > 0 else "left"
    return "towards the camera" if down + grows > 0 else "away from the camera"


def _falls(track: int, path: Sequence[_Sample]) -> Iterator[Action]:
    """An upright person who lies within two seconds, and still does in the next sample."""
    for at in range(1, len(path) - 1):
        before, after, later = path[at - 1 : at + 2]
        if before.pose and after.pose and later.pose and after.t_s - before.t_s <= 2.0:
            angle = body_angle(before.pose)
            if angle is not None and angle < UPRIGHT and lies(after.pose) and lies(later.pose):
                yield _action("falls", track, [before, after])


def _rim(track: int, path: Sequence[_Sample], moments: Sequence[Moment]) -> Iterator[Action]:
    """Entering and leaving at a side of the picture."""
    first, last = path[0], path[-1]
    if len(path) < MIN_SAMPLES:
        return
    begins = first.index > 0 and not first.moment.is_cut and first.t_s - moments[first.index - 1].t_s <= MAX_STEP_S
    if begins and (side := _near_side(first, path[1], leaving=False)):
        yield _action("enters", track, path[:2], direction=side)
    after = moments[last.index + 1] if last.index + 1 < len(moments) else None
    ends = after is not None and not after.is_cut and after.t_s - last.t_s <= MAX_STEP_S
    if ends and (side := _near_side(path[-2], last, leaving=True)):
        yield _action("leaves", track, path[-2:], direction=side)


def _near_side(one: _Sample, other: _Sample, leaving: bool) -> Direction | None:
    """The side at which a person comes in, or goes out, between two samples: within half a step of it."""
    edge, across = (other if leaving else one), velocity(one, other)[0]
    if abs(across) < 0.5 * WALKS_FROM:
        return None
    reach = max(abs(other.person.centre[0] - one.person.centre[0]) / 2, RIM)
    left, right = edge.person.box[0] < reach, edge.person.box[2] > 1 - reach
    outwards = across if leaving else -across
    return "right" if right and outwards > 0 else "left" if left and outwards < 0 else None


def _stays(track: int, path: Sequence[_Sample]) -> Iterator[Action]:
    if path[-1].t_s - path[0].t_s >= STAYS_S and len(path) > MIN_SAMPLES and _is_still(path):
        yield _action("stays", track, path)


def is_on(person: Detection, thing: Detection) -> bool:
    """Whether a person is on a thing: its middle over it, its head above and its feet within it."""
    left, top, right, bottom = thing.box
    wide, high = right - left, bottom - top
    within = left - 0.1 * wide <= person.centre[0] <= right + 0.1 * wide
    above = person.box[1] < top + 0.1 * high and top + 0.3 * high < person.box[3] < bottom + 0.25 * high
    return within and above and overlap(person.box, thing.box) > 0.15 * min(person.area, thing.area)


def _legs_on(pose: Pose | None, thing: Detection, aspect: float) -> bool:
    """Whether knees or ankles are within a thing, and the hips above its lower part, as far as they are seen."""
    if pose is None:
        return True
    left, top, right, bottom = thing.box
    hip, legs = pose.point("hip"), [point for name in ("knee", "ankle") if (point := pose.point(name))]
    inside = any(left <= x / aspect <= right and top <= y <= bottom + 0.1 for x, y in legs)
    return (not legs or inside) and (hip is None or hip[1] < top + 0.45 * (bottom - top))


def _rides(track: int, path: Sequence[_Sample], single: bool) -> Iterator[Action]:
    """Somebody on a thing that moves with them; who keeps the place on it also `stays`."""
    hits: dict[str, list[tuple[_Sample, Detection]]] = defaultdict(list)
    for sample in path:
        for thing in sample.moment.things:
            one = thing.detection
            if one.name in RIDDEN and is_on(sample.person, one) and _legs_on(sample.pose, one, sample.moment.aspect):
                hits[one.name].append((sample, one))
    for name, found in hits.items():
        runs: list[list[tuple[_Sample, Detection]]] = []
        for sample, ridden in found:
            if (
                runs
                and sample.t_s - runs[-1][-1][0].t_s <= 2 * MAX_STEP_S
                and _together(runs[-1][-1], (sample, ridden))
            ):
                runs[-1].append((sample, ridden))
            elif not (runs and runs[-1][-1][0] is sample):
                runs.append([(sample, ridden)])
        for run in runs:
            if single or len(run) >= MIN_SAMPLES:
                samples = [sample for sample, _ in run]
                yield _action("rides", track, samples, object=name)
                if not single and _is_still(samples):
                    yield _action("stays", track, samples, object=name)


def _together(before: tuple[_Sample, Detection], after: tuple[_Sample, Detection]) -> bool:
    """Whether a person and a thing move together from one sample to the next, or keep their places."""
    (one, ridden), (other, thing) = before, after
    moved = other.person.centre[0] - one.person.centre[0]
    parted = abs(moved - (thing.centre[0] - ridden.centre[0]))
    return one is not other and parted < max(0.5 * abs(moved), 0.1 * (thing.box[2] - thing.box[0]))


def _carries(track: int, path: Sequence[_Sample]) -> Iterator[Action]:
    """A thing at the body of somebody who moves, in three samples at least."""
    for name in CARRIED:
        held = [sample for sample in path if any(_at_body(sample, thing) for thing in sample.moment.things if
                                                 thing.detection.name == name)]  # fmt: skip
        if len(held) > MIN_SAMPLES and not _is_still(held):
            yield _action("carries", track, held, object=name)


def _at_body(sample: _Sample, thing: Thing) -> bool:
    left, top, right, bottom = sample.person.box
    rim = 0.15 * (right - left)
    x, y = thing.detection.centre
    return left - rim <= x <= right + rim and top <= y <= bottom and thing.detection.area < 0.6 * sample.person.area


def _near(track: int, path: Sequence[_Sample]) -> Iterator[Action]:
    """Another person within reach, in three samples at least."""
    beside: dict[int, list[_Sample]] = defaultdict(list)
    for sample in path:
        for thing in sample.moment.things:
            if thing.detection.name == "person" and thing.track > track:
                apart = abs(thing.detection.centre[0] - sample.person.centre[0]) * sample.moment.aspect
                down = abs(thing.detection.box[3] - sample.person.box[3])
                height = (sample.height + thing.detection.box[3] - thing.detection.box[1]) / 2
                if apart < 0.6 * height and down < 0.25 * height:
                    beside[thing.track].append(sample)
    for run in beside.values():
        if len(run) > MIN_SAMPLES and run[-1].t_s - run[0].t_s >= BESIDE_S:
            yield _action("near", track, run, object="person")
