"""When something was detected over a whole recording, how many at once and in all: `seen_over_time`.

Counts come from an object detector, which errs. No person is identified, and no face is recognised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from memory.stream.detections import Detections, Look, Sighting
from tools.media import Span, format_clock
from tools.perception.zones import Zone

ONCE_CONFIDENCE = 0.6
"""A thing that was detected once only, in a picture that did not last, counts from this confidence on."""
LASTING_S = 1.5
"""A picture that stays the same for this long counts as two looks."""
JOIN_S = 20.0
"""Looks further apart than this are never one stretch: nobody looked in between."""
MAX_MISSES = 1
"""Looks in a row in which a thing may be missed without the end of its stretch."""
MAX_LISTED = 12
"""Stretches that are listed in words."""
CAUTION = "by an object detector, which errs; nobody is identified"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time in which something was detected.

    Attributes:
        start_s, end_s: media times in seconds.
        most: the largest number at once.
        tracks: the tracks of the things; their number is how many there were in all.
        first_box, last_box: where the surest was at the beginning and at the end, in shares of the picture.
    """

    start_s: float
    end_s: float
    most: int
    tracks: frozenset[int]
    first_box: tuple[float, float, float, float]
    last_box: tuple[float, float, float, float]


@dataclass
class _Open:
    """A stretch that may go on."""

    start_s: float
    end_s: float
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    tracks: set[int] = field(default_factory=set)
    misses: int = 0

    def add(self, look: Look, found: Sequence[Sighting]) -> None:
        self.end_s, self.misses = look.until_s, 0
        self.boxes = [*self.boxes[:1], found[0].box]
        self.numbers += [len(found)] * (1 + _lasts(look))
        self.tracks |= {one.track for one in found if one.track is not None}

    def close(self) -> Stretch:
        return Stretch(
            self.start_s, self.end_s, _most(self.numbers), frozenset(self.tracks), self.boxes[0], self.boxes[-1]
        )


def seen_over_time(
    source: Detections,
    label: str | Collection[str],
    zone: Zone | None = None,
    since: float | None = None,
    until: float | None = None,
) -> list[Stretch]:
    """Return the stretches of time in which something was detected, oldest first.

    Args:
        source: the detections of a source.
        label: a class of the detector, such as `person`, or several that count alike.
        zone: counts only things whose centre lies in it.
        since, until: media times in seconds; None for the whole recording.

    Raises:
        StoreError: if the detections cannot be read.
    """
    labels = {label} if isinstance(label, str) else set(label)
    span = Span(since or 0.0, max(since or 0.0, until)) if until is not None else None
    looks: list[tuple[Look, list[Sighting]]] = []
    sightings: Counter[int] = Counter()
    for look in source.looks(span):
        if since is not None and look.until_s < since:
            continue
        found = [one for one in look.sightings if one.label in labels and (zone is None or one.centre in zone)]
        sightings.update({one.track: 1 + _lasts(look) for one in found if one.track is not None})
        until_s = look.until_s if until is None else min(look.until_s, until)
        looks.append((Look(look.t_s, until_s, look.frame_id, ()), found))
    stretches: list[Stretch] = []
    current: _Open | None = None
    for look, found in looks:
        if current and look.t_s - current.end_s > JOIN_S:
            stretches.append(current.close())
            current = None
        counted = [one for one in found if _counts(one, sightings)]
        if counted:
            current = current or _Open(max(look.t_s, since or 0.0), look.until_s)
            current.add(look, counted)
        elif current:
            current.misses += 1 + _lasts(look)
            if current.misses > MAX_MISSES:
                stretches.append(current.close())
                current = None
    return [*stretches, current.close()] if current else stretches


def in_all(stretches: Sequence[Stretch]) -> int:
    """Return how many things there were in all: the number of tracks, but never fewer than at once."""
    return max(
        len(frozenset().union(*(one.tracks for one in stretches))), max((one.most for one in stretches), default=0)
    )


def told(label: str, stretches: Sequence[Stretch], zone: Zone | None = None) -> str:
    """Say when something was detected, how many and where, one stretch a line."""
    where = f" in the zone {zone.name}" if zone else ""
    if not stretches:
        return f"{label}{where}: not detected ({CAUTION})."
    lines = [
        f"{label}{where}: {in_all(stretches)} in all, at most {max(one.most for one in stretches)} at once, "
        f"in {len(stretches)} stretch{'es' * (len(stretches) > 1)} of time ({CAUTION})."
    ]
    for one in stretches[:MAX_LISTED]:
        first, last = _third(one.first_box), _third(one.last_box)
        going = first if first == last else f"{first}, then {last}"
        lines.append(
            f"[{format_clock(one.start_s)}] to [{format_clock(one.end_s)}]: at most {one.most} at once, {going}"
        )
    more = len(stretches) - MAX_LISTED
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def labels_meant(text: str, seen: Sequence[str]) -> frozenset[str]:
    """Return the classes that a word means: itself if it was detected, else what the detector's vocabulary says.

    Args:
        text: a word, singular or plural, such as `people`, `car` or `vehicles`.
        seen: the labels that were detected.
    """
    folded = " ".join(text.lower().split())
    if folded in seen:
        return frozenset({folded})
    from agent.models.embedded.imagenet import singulars
    from agent.models.embedded.rules.things import vocabulary

    known = vocabulary()
    for form in (folded, *singulars(folded)):
        if form in seen:
            return frozenset({form})
        if form in known:
            return known[form]
    return frozenset()


def _counts(one: Sighting, sightings: Counter[int]) -> bool:
    return one.confidence >= ONCE_CONFIDENCE or (one.track is not None and sightings[one.track] > 1)


def _lasts(look: Look) -> bool:
    return look.until_s - look.t_s >= LASTING_S


def _most(numbers: Sequence[int]) -> int:
    """The largest number that two looks reach, but the largest of three looks or fewer."""
    ranked = sorted(numbers, reverse=True)
    return ranked[1] if len(ranked) > 3 else ranked[0]


def _third(box: tuple[float, float, float, float]) -> str:
    x = (box[0] + box[2]) / 2
    return "left" if x < 1 / 3 else "right" if x > 2 / 3 else "middle"
