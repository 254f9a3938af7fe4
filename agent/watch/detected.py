"""Watch conditions that code decides from detections: numbers of things, zones that are entered, motion in zones.

The grammar is closed; the model judges every other condition:

    [more than | at least | fewer than | less than | at most | exactly] NUMBER THINGS [in PLACE]
    a THING enters PLACE
    something moves in PLACE

PLACE is `the zone NAME` or `the left half`, `right`, `top` or `bottom`.
"""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from agent.perception.seen_over_time import labels_meant
from memory.stream.detections import Look
from tools.errors import ConfigError
from tools.media import format_clock
from tools.perception.motion import CELLS, Change
from tools.perception.zones import HALVES, Zone, find_zone

LOOKS = 2
"""Looks in a row that must agree before a condition counts as true, or as no longer true."""
MAX_TRACKS = 1_000
"""Tracks in a zone that are remembered."""

_NUMBERS = "no one two three four five six seven eight nine ten eleven twelve".split()
_PLACE = r"(?:the )?(?:zone (?P<zone>[\w-]+)|(?P<half>left|right|top|bottom) half)"
_COUNT = re.compile(
    r"(?:there (?:are|is) )?(?P<how>more than|at least|fewer than|less than|at most|exactly)? ?"
    rf"(?P<number>\d{{1,3}}|{'|'.join(_NUMBERS[1:])}) (?P<label>[a-z][a-z ]*?)"
    rf"(?: (?:are|is) (?:seen|visible|there|shown))?(?: (?:are |is )?in(?:side)? {_PLACE})?"
)
_ENTERS = re.compile(rf"(?:an? |any |some)?(?P<label>[a-z][a-z ]*?) enters {_PLACE}")
_MOVES = re.compile(rf"(?:something|anything) moves in(?:side)? {_PLACE}")
_HOW: dict[str, tuple[Callable[[int, int], bool], str]] = {
    "more than": (operator.gt, "more than"),
    "at least": (operator.ge, "at least"),
    "fewer than": (operator.lt, "fewer than"),
    "less than": (operator.lt, "fewer than"),
    "at most": (operator.le, "at most"),
    "exactly": (operator.eq, "exactly"),
}


@dataclass(frozen=True)
class Condition:
    """A condition that detections decide.

    Attributes:
        kind: what it is about.
        thing: the kind of thing, as the person wrote it.
        labels: the classes of the detector that it means.
        zone: where; None for the whole picture.
        how: how the number is compared.
        number: the number that it is compared with.
    """

    kind: Literal["count", "enters", "moves"]
    thing: str = ""
    labels: frozenset[str] = frozenset()
    zone: Zone | None = None
    how: str = "at least"
    number: int = 1


def parse_condition(text: str, zones: Sequence[Zone]) -> Condition | None:
    """Return what a condition says in the grammar of this module; None if it is left to the model.

    Raises:
        ConfigError: if it names a zone that is not configured.
    """
    words = " ".join(text.lower().strip(" .!").split())
    for kind, form in (("moves", _MOVES), ("enters", _ENTERS), ("count", _COUNT)):
        match = form.fullmatch(words)
        if match is None:
            continue
        found = match.groupdict()
        labels = labels_meant(found["label"], ()) if kind != "moves" else frozenset[str]()
        if kind != "moves" and not labels:
            return None
        zone = _zone(found, zones)
        if kind == "moves":
            return Condition("moves", zone=zone)
        if kind == "enters":
            return Condition("enters", found["label"], labels, zone)
        number = found["number"]
        value = int(number) if number.isdigit() else _NUMBERS.index(number)
        return Condition("count", found["label"], labels, zone, found["how"] or "at least", value)
    return None


@dataclass(frozen=True)
class Finding:
    """The state of a condition at a look: whether it is true, in words, and whether it is an event."""

    true: bool
    text: str
    happened: bool = False


@dataclass
class DetectedWatch:
    """Decides a condition look by look, in order of time; a single look never decides."""

    condition: Condition
    _in_a_row: int = 0
    _true: bool = False
    _inside: Counter[int] = field(default_factory=Counter)  # looks in a row of each track in the zone
    _entered_already: set[int] = field(default_factory=set)
    _last_s: float = -1.0

    def see(self, look: Look, change: Change | None) -> Finding | None:
        """Return the state of the condition after a look; None where the look is no later than the one before."""
        if look.t_s <= self._last_s:
            return None
        self._last_s = look.t_s
        at = f"[{format_clock(look.t_s)}]"
        zone = self.condition.zone
        where = f" in the zone {zone.name}" if zone else ""
        if self.condition.kind == "enters":
            entered = self._entered(look)
            text = f"A {self.condition.thing} enters{where.replace(' in', '', 1)} {at}."
            return Finding(entered, text if entered else f"No {self.condition.thing} enters.", happened=entered)
        if self.condition.kind == "moves":
            now = change is not None and change.kind == "motion" and zone is not None and _moves_in(change, zone)
            return self._steady(now, f"Something moves{where} {at}.", f"Nothing moves{where}.")
        number = sum(
            one.label in self.condition.labels and (zone is None or one.centre in zone) for one in look.sightings
        )
        compare, how = _HOW[self.condition.how]
        told = f"The detector counts {number} of {self.condition.thing!r}{where}"
        limit = f"{how} {self.condition.number}"
        return self._steady(compare(number, self.condition.number), f"{told} {at}, {limit}.", f"{told}, not {limit}.")

    def _steady(self, now: bool, yes: str, no: str) -> Finding:
        """The state that `LOOKS` looks in a row agree on."""
        self._in_a_row = self._in_a_row + 1 if now != self._true else 0
        if self._in_a_row >= LOOKS:
            self._true, self._in_a_row = now, 0
        return Finding(self._true, yes if self._true else no)

    def _entered(self, look: Look) -> bool:
        """Whether a track has been in the zone for `LOOKS` looks in a row now, for the first time since it came."""
        zone = self.condition.zone
        inside = {
            one.track
            for one in look.sightings
            if one.track is not None and one.label in self.condition.labels and zone is not None and one.centre in zone
        }
        for track in list(self._inside):
            if track not in inside:
                self._inside[track] = min(self._inside[track], LOOKS) - 1  # one look may miss it
                if self._inside[track] <= 0:
                    del self._inside[track]
        self._entered_already &= self._inside.keys()
        entered = False
        for track in inside:
            self._inside[track] += 1
            if self._inside[track] >= LOOKS and track not in self._entered_already:
                self._entered_already.add(track)
                entered = True
        while len(self._inside) > MAX_TRACKS:
            del self._inside[min(self._inside)]
        return entered


def _zone(found: dict[str, str], zones: Sequence[Zone]) -> Zone | None:
    name = found["zone"] or found["half"]
    if not name:
        return None
    zone = find_zone(name, zones)
    if zone is None:
        known = ", ".join([*(one.name for one in zones), *HALVES])
        raise ConfigError(
            f"unknown zone {name!r}.",
            expected=f"one of: {known}",
            remedy="Add it to perception.zones, e.g. zones = ['door: 0.1,0.2 0.3,0.2 0.3,0.9'].",
        )
    return zone


def _moves_in(change: Change, zone: Zone) -> bool:
    """Whether something moves in a zone, as finely as the grid of cells in which motion is located."""
    rows, columns = CELLS
    for row, column in change.cells:
        inner = [((column + x / 6) / columns, (row + y / 6) / rows) for x in (1, 3, 5) for y in (1, 3, 5)]
        if any(point in zone for point in inner):
            return True
        if any(column <= x * columns <= column + 1 and row <= y * rows <= row + 1 for x, y in zone.points):
            return True
    return False
