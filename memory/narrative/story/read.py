"""Loading a source's narrative memory for drawing: `read_story`.

`memory.narrative.story.html` draws it as a self-contained page, `memory.narrative.story.png` as a PNG.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from memory.narrative.ingest.cues import Clock
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.types import LINK_WEIGHTS, Chain, Event, Link, Segment
from tools.errors import StoreError
from tools.media.clock import format_clock

MAX_PICTURES = 200
"""Maximum number of segments drawn with a picture, spread over the story."""
PICTURE_PX = 96
"""The width of such a picture."""
MAX_LANES = 10
"""Maximum number of named lanes; everything else shares one more."""
OTHERS = ""
"""The name of the shared lane."""

Picture = Callable[[str], np.ndarray]
"""Loads a picture by its frame id, RGB uint8 (height, width, 3); raises StoreError if it is gone."""


@dataclass(frozen=True, slots=True)
class Story:
    """The records to draw of a source, by time.

    Attributes:
        title: display name of the source.
        clock: what times count: seconds, or sections of a text without times.
        version: version of the memory.
        segments: all of them.
        events: all of them.
        links: all between these events.
        chains: all whose events exist, best first.
        actors: the actors of each event, each once, by their resolved names.
        objects: the other entities of each event.
        lanes: names of the lanes, those with the most events first; `OTHERS` is the last one, if needed.
        lane_of: the number of each event's lane.
        ranked: numbers of the events, most important first (see `importance`).
        pictures: small pictures by the number of their segment, RGB uint8 (height, `PICTURE_PX` or less, 3).
        pictured: number of segments that have pictures.
        gone: numbers of the segments whose pictures are missing.
    """

    title: str
    clock: Clock
    version: int
    segments: tuple[Segment, ...]
    events: tuple[Event, ...]
    links: tuple[Link, ...]
    chains: tuple[Chain, ...]
    actors: tuple[tuple[str, ...], ...]
    objects: tuple[tuple[str, ...], ...]
    lanes: tuple[str, ...]
    lane_of: tuple[int, ...]
    ranked: tuple[int, ...]
    pictures: Mapping[int, np.ndarray]
    pictured: int
    gone: frozenset[int]

    @property
    def start_s(self) -> float:
        """Start of the first segment."""
        return self.segments[0].start_s

    @property
    def end_s(self) -> float:
        """End of the last segment."""
        return self.segments[-1].end_s


def read_story(
    store: NarrativeStore, source: str, title: str, picture: Picture | None = None, as_of: int | None = None
) -> Story:
    """Read the records of a source.

    Args:
        store: the memory.
        source: which one.
        title: display name of the source.
        picture: loads the pictures of segments; None shows none.
        as_of: version to read; None: the newest.

    Raises:
        StoreError: if the memory has no such version, cannot be read, or has no records of the source at that version.
    """
    version = store.version if as_of is None else as_of
    segments = tuple(store.segments(source, version))
    if not segments:
        raise StoreError(
            f"the memory has no records of {title!r} at version {version}.",
            expected=f"a version after it was built; the newest is {store.version}",
        )
    events = tuple(store.events(source, as_of=version))
    ids = {event.id for event in events}
    found = store.links(sorted(ids), version)
    links = tuple(one for one in found if one.src in ids and one.dst in ids)
    chains = [chain for chain in store.chains(source, as_of=version) if ids.issuperset(chain.event_ids)]
    chains.sort(key=lambda chain: (-chain.score, chain.id))
    actors, objects = _named(store, source, events, version)
    lanes, lane_of = _lanes(actors, objects)
    pictures, gone = _pictures(segments, picture)
    return Story(
        title=title,
        clock="sections" if store.built(source).get("clock") == "sections" else "seconds",
        version=version,
        segments=segments,
        events=events,
        links=links,
        chains=tuple(chains),
        actors=actors,
        objects=objects,
        lanes=lanes,
        lane_of=lane_of,
        ranked=importance(events, links, chains),
        pictures=pictures,
        pictured=sum(1 for segment in segments if segment.frame_ids),
        gone=gone,
    )


def importance(events: Sequence[Event], links: Sequence[Link], chains: Sequence[Chain]) -> tuple[int, ...]:
    """Rank the events, most important first, as numbers: where not all can be drawn, the first ones are.

    The score adds an event's salience and confidence, the weights of its links other than `next` on a logarithmic
    scale, and a bonus for being part of a chain. Ties are ordered by id, which spreads them over time.
    """
    linked: Counter[str] = Counter()
    for link in links:
        if link.type != "next":
            for id_ in (link.src, link.dst):
                linked[id_] += LINK_WEIGHTS[link.type] * link.confidence  # type: ignore[assignment]
    chained = {id_ for chain in chains for id_ in chain.event_ids}

    def worth(number: int) -> tuple[float, str]:
        event = events[number]
        value = event.salience * event.confidence + math.log1p(linked[event.id]) / 4 + 0.5 * (event.id in chained)
        return -round(value, 9), event.id

    return tuple(sorted(range(len(events)), key=worth))


def moment(t_s: float, clock: Clock) -> str:
    """Format a time for display: `m:ss`, or the number of a section, from 1."""
    return f"section {int(t_s) + 1}" if clock == "sections" else format_clock(t_s)


def is_elsewhen(event: Event) -> bool:
    """Return whether an event happens at another time of the story than it is shown, such as in a flashback."""
    return event.story_s is not None and not event.start_s <= event.story_s <= event.end_s


def _named(
    store: NarrativeStore, source: str, events: Sequence[Event], version: int
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """Return the actors and the other entities of each event; merged entities under their common name."""
    names = {entity.id: entity.name for entity in store.entities(source, version)}
    meant: dict[str, str] = {}
    for name in dict.fromkeys(name for event in events for name in (*event.actors, *event.objects)):
        meant[name] = names.get(store.resolve(name, source, version) or "", name)
    actors = tuple(tuple(dict.fromkeys(meant[name] for name in event.actors)) for event in events)
    objects = tuple(
        tuple(name for name in dict.fromkeys(meant[name] for name in event.objects) if name not in acting)
        for event, acting in zip(events, actors, strict=True)
    )
    return actors, objects


def _lanes(
    actors: Sequence[Sequence[str]], objects: Sequence[Sequence[str]]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Assign a lane to the most frequent actors, then to the most frequent other entities; returns each event's
    lane."""
    acts = Counter(name for names in actors for name in names)
    named = acts + Counter(name for names in objects for name in names)
    often = sorted((name for name in named if named[name] > 1), key=lambda name: (-acts[name], -named[name], name))
    place = {name: number for number, name in enumerate(often[:MAX_LANES])}
    lane_of = [
        min((place[name] for name in (*acting, *others) if name in place), default=len(place))
        for acting, others in zip(actors, objects, strict=True)
    ]
    lanes, used = (*place, OTHERS), sorted(set(lane_of))  # drop a lane whose events are all in earlier ones
    return tuple(lanes[lane] for lane in used), tuple(used.index(lane) for lane in lane_of)


def _pictures(segments: Sequence[Segment], picture: Picture | None) -> tuple[dict[int, np.ndarray], frozenset[int]]:
    """Load small pictures of at most `MAX_PICTURES` segments; also returns the segments whose pictures are missing."""
    with_frames = [number for number, segment in enumerate(segments) if segment.frame_ids]
    if picture is None or not with_frames:
        return {}, frozenset()
    count = min(len(with_frames), MAX_PICTURES)
    chosen = [with_frames[round(at)] for at in np.linspace(0, len(with_frames) - 1, count)]
    found: dict[int, np.ndarray] = {}
    for number in chosen:
        for frame_id in segments[number].frame_ids:
            try:
                found[number] = _small(picture(frame_id))
                break
            except StoreError:  # evicted or damaged: try another one of the segment
                continue
    return found, frozenset(chosen) - found.keys()


def _small(rgb: np.ndarray) -> np.ndarray:
    import cv2

    height, width = rgb.shape[:2]
    if width <= PICTURE_PX:
        return rgb
    return cv2.resize(rgb, (PICTURE_PX, max(1, round(height * PICTURE_PX / width))), interpolation=cv2.INTER_AREA)
