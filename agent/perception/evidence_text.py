"""Evidence as text for language models: what code found in frames, one short line each, with counts and times.

A model that is handed these lines does not have to count or compare: code has, and the model puts it into words.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.models.embedded.rules.scene import CLIP_FRAMES, course, place, steady
from agent.models.embedded.rules.things import PEOPLE, counted, listed
from tools.base import untrusted
from tools.media.clock import format_clock
from tools.perception.motion import Change
from tools.perception.observe import Thing

MAX_NAMES = 12
"""Kinds of things that are counted; the most frequent first."""
MAX_PATHS = 4
"""Things whose path is told, those in sight for longest first."""
MAX_PLACED = 4
"""Things of one kind whose places are listed in a line."""


@dataclass(frozen=True, eq=False)
class Moment:
    """What is known of one frame.

    Attributes:
        t_s: media time in seconds; None for a picture without a time.
        things: what it shows, with the tracks that they belong to.
        change: the difference from the frame before; None for the first.
        colours: the plain colour of things, by track.
        scene: what the picture as a whole looks like, such as `a volcano`.
        words: lines of text that were read in it.
        problem: what is wrong with the picture, such as `too dark`.
    """

    t_s: float | None
    things: tuple[Thing, ...] = ()
    change: Change | None = None
    colours: Mapping[int, str] = field(default_factory=dict)
    scene: str = ""
    words: tuple[str, ...] = ()
    problem: str = ""


def evidence_text(moments: Sequence[Moment], notes: Sequence[tuple[float, str]] = ()) -> str:
    """Put what is known of frames into lines: the counts, the paths, and then the moments in order of time.

    Args:
        moments: the frames, oldest first; those in a row with as many things of each kind share a line.
        notes: other evidence, such as `a person falls`, with its time in seconds. What was said or written must be
            marked already (see `tools.base.untrusted`).
    """
    colours = _colours(moments)
    timed = [(t_s, f"[{format_clock(t_s)}] {text}") for t_s, text in notes]
    for group in _alike(moments):
        timed.append((group[0].t_s or 0.0, f"{_span(group)}{_shown(group[0], colours)}"))
    lines = [line for _, line in sorted(timed, key=lambda entry: entry[0])]
    return "\n".join([*_counts(moments), *_paths(moments), *lines, *_read(moments)])


def _alike(moments: Sequence[Moment]) -> list[list[Moment]]:
    """Group frames in a row with as many things of each kind, between cuts and changes of the light."""
    groups: list[list[Moment]] = []
    for moment in moments:
        plain = moment.change is None or moment.change.kind not in ("cut", "light")
        if groups and plain and _content(moment) == _content(groups[-1][0]):
            groups[-1].append(moment)
        else:
            groups.append([moment])
    return groups


def _content(moment: Moment) -> tuple[Counter[str], str, str]:
    return Counter(thing.detection.name for thing in moment.things), moment.scene, moment.problem


def _colours(moments: Sequence[Moment]) -> dict[int, str]:
    """The commonest colour of each track."""
    found: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for moment in moments:
        for track, colour in moment.colours.items():
            found[track][colour] += 1
    return {track: colours.most_common(1)[0][0] for track, colours in found.items()}


def _shown(moment: Moment, colours: Mapping[int, str]) -> str:
    """What one frame shows: `cut to another shot: a person (red) on the left; two cars in the middle, on the right`."""
    by_name: defaultdict[str, list[Thing]] = defaultdict(list)
    for thing in moment.things:
        by_name[thing.detection.name].append(thing)
    parts = []
    for name, things in by_name.items():
        found = list(dict.fromkeys(colours[one.track] for one in things if one.track in colours))
        looks = f" ({', '.join(found)})" if found else ""
        places = ", ".join(dict.fromkeys(place(one.detection.box) for one in things[:MAX_PLACED]))
        parts.append(f"{counted(len(things), name)}{looks} {places}")
    if moment.scene:
        parts.append(f"{'it looks like' if parts else 'perhaps'} {moment.scene}")
    if moment.problem:
        parts.append(f"the picture is {moment.problem}")
    told = "; ".join(parts) or "nothing that is recognised"
    kind = moment.change.kind if moment.change else "still"
    if kind == "cut":
        return f"cut to another shot: {told}"
    return f"{_light(moment.change)}: {told}" if moment.change and kind == "light" else told


def _light(change: Change) -> str:
    return f"the light gets {'brighter' if change.brighter > 0 else 'darker'}"


def _span(group: Sequence[Moment]) -> str:
    first, last = group[0].t_s, group[-1].t_s
    if first is None or last is None:
        return ""
    return f"[{format_clock(first)}] {f'to [{format_clock(last)}] ' if len(group) > 1 else ''}"


def _counts(moments: Sequence[Moment]) -> list[str]:
    """The largest number of each kind at once, and from when to when it is seen; code counts, so that models need not.

    In a clip, a number counts that two frames reach: one may show a thing twice.
    """
    if not any(moment.things for moment in moments):
        return []
    numbers: dict[str, list[int]] = {}
    for at, moment in enumerate(moments):
        for name, number in Counter(thing.detection.name for thing in moment.things).items():
            numbers.setdefault(name, [0] * len(moments))[at] = number
    parts = []
    for name, found in sorted(numbers.items(), key=lambda entry: -sum(map(bool, entry[1])))[:MAX_NAMES]:
        most = steady(found)
        told = counted(most, name, one=True)
        if len(moments) > 1:
            at_once = next(at for at, number in enumerate(found) if number >= most)
            there = [moment for moment, number in zip(moments, found, strict=True) if number]
            told += f" at once{_stamp(moments[at_once])}, seen{_when(there, moments)}"
        parts.append(told)
    return [f"counted, at most: {'; '.join(parts)}"]


def _when(there: Sequence[Moment], moments: Sequence[Moment]) -> str:
    if len(there) == len(moments):
        return " all the time"
    if there[0] is there[-1]:
        return f" only at{_stamp(there[0])}"
    return f" from{_stamp(there[0])} to{_stamp(there[-1])}"


def _stamp(moment: Moment) -> str:
    return "" if moment.t_s is None else f" [{format_clock(moment.t_s)}]"


def _paths(moments: Sequence[Moment]) -> list[str]:
    """Where the things that are in sight for longest go, and where motion is that no thing explains."""
    if len(moments) < 2:
        return []
    tracks: defaultdict[int, list[tuple[Moment, Thing]]] = defaultdict(list)
    for moment in moments:
        for thing in moment.things:
            tracks[thing.track].append((moment, thing))
    longest = sorted(tracks.values(), key=lambda path: (path[0][1].detection.name != PEOPLE, -len(path)))
    parts = []
    for path in longest:
        (start, first), (stop, last) = path[0], path[-1]
        if len(path) < 2 or any(moment.change and moment.change.kind == "camera" for moment, _ in path[1:]):
            continue
        going = course(first.detection, last.detection)
        name = counted(1, first.detection.name)
        verb = "stays" if going == "in place" else "moves"
        parts.append(f"{name} {verb} {going}{_stamp(start)} to{_stamp(stop)}")
    lines = [f"motion: {'; '.join(list(dict.fromkeys(parts))[:MAX_PATHS])}"] if parts else []
    kinds = Counter(moment.change.kind for moment in moments[1:] if moment.change)
    if not set(kinds) - {"still"}:
        return [*lines, "nothing moves, and nothing changes"]
    cuts = [_stamp(moment).strip() for moment in moments if moment.change and moment.change.kind == "cut"]
    shots = f"cuts: {listed(cuts) if cuts else 'none'}, so {len(cuts) + 1} shot{'s' * bool(cuts)}"
    steady_camera = kinds["camera"] * CLIP_FRAMES < len(moments)
    return [*lines, f"{shots}; the camera {'stands still' if steady_camera else 'moves'}"]


def _read(moments: Sequence[Moment]) -> list[str]:
    """The lines of text that were read, each frame's once, with its time."""
    lines: list[str] = []
    before: tuple[str, ...] = ()
    for moment in moments:
        if moment.words and moment.words != before:
            lines.append(f"text read{_stamp(moment)}: {', '.join(untrusted(word) for word in moment.words)}")
            before = moment.words
    return lines
