"""From what is known of a source in words to the records of its memory: `build`; by rules, or with a model.

Both ways are pure functions of their input and of the model's answers, which are kept: the same input gives the same
records. Where a model's answer cannot be used, the rules take its place for that stretch; since such an answer is not
kept, the next build asks again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.narrative.cached_llm import Asker
from agent.narrative.extract_llm import Lacks, Progress, find_events, find_links, sum_up
from memory.narrative.chains import build_chains
from memory.narrative.ingest.cues import Clock, Cue
from memory.narrative.ingest.extract_rules import count_heads, entities_of, extract, link
from memory.narrative.ingest.line_times import Lines, lines_of, times_of
from memory.narrative.ingest.segments import Seen, tile
from memory.narrative.retrieval.vectors import Embed
from memory.narrative.types import Chain, Entity, Event, Link, Record, Segment

MOST_MERGED_S = 180.0
"""How long something that is seen or read again and again is one event; our choice, as the specification's."""


@dataclass(frozen=True)
class Material:
    """What is known of a source in words.

    Attributes:
        source: its name.
        clock: what times count.
        cues: what is said, or the sections of a story.
        captions: what is seen.
        texts: what is read in pictures.
        duration_s: how long it lasts in seconds; None for sections.
        cuts: when the scene changes, seconds.
    """

    source: str
    clock: Clock
    cues: Sequence[Cue] = ()
    captions: Sequence[Seen] = ()
    texts: Sequence[Seen] = ()
    duration_s: float | None = None
    cuts: Sequence[float] = ()

    def segments(self) -> list[Segment]:
        """Its time line in pieces. Raises StoreError if the material does not fit together."""
        return tile(
            self.cues,
            self.captions,
            self.texts,
            source=self.source,
            duration_s=None if self.clock == "sections" else self.duration_s,
            cuts=self.cuts,
        )


@dataclass(frozen=True)
class Built:
    """The records of a source, and what a model's answers lacked."""

    segments: tuple[Segment, ...]
    events: tuple[Event, ...]
    entities: tuple[Entity, ...]
    links: tuple[Link, ...]
    chains: tuple[Chain, ...]
    lacks: Lacks

    @property
    def records(self) -> tuple[Record, ...]:
        """All of them."""
        return (*self.segments, *self.entities, *self.events, *self.links, *self.chains)


def build(
    material: Material, asker: Asker | None = None, embed: Embed | None = None, progress: Progress | None = None
) -> Built:
    """Make the records of a source.

    Args:
        material: what is known of it.
        asker: the model; None leaves all to the rules.
        embed: texts to unit vectors, by which a model is given similar events; None: words alone tell.
        progress: see `Progress`.

    Raises:
        StoreError: if the material does not fit together.
        ModelError: if the model fails; what it answered until then is kept.
    """
    segments = material.segments()
    lines = lines_of(segments, material.cues, material.captions, material.texts)
    events = _timed(extract(segments, count_heads(segments), material.cues), lines, segments)
    if material.clock == "seconds":
        events = merge_repeats(events, segments)
    lacks, stated = Lacks(), list[Link]()
    if asker is not None:
        drafts = find_events(segments, events, lines, material.clock, asker, lacks, progress)
        events, stated = find_links(drafts, material.clock, asker, embed, lacks, progress)
    links = _each_once([*link(events), *stated])
    chains = build_chains(events, links)
    if asker is not None:
        chains = sum_up(chains, events, material.clock, asker, lacks, progress)
    return Built(tuple(segments), tuple(events), tuple(entities_of(events)), tuple(links), tuple(chains), lacks)


def merge_repeats(events: Sequence[Event], segments: Sequence[Segment]) -> list[Event]:
    """Make one event of what is seen or read in the same words in segments that follow one another, up to some minutes.

    What is said is left as it is: to say something again is another event. So is what is seen again after it was out of
    sight.
    """
    number = {segment.id: segment.number for segment in segments}
    merged: list[Event] = []
    last: dict[str, int] = {}  # where the newest event stands that was seen or read in these words
    for event in events:
        if event.spans[0].field != "dialogue":
            words = " ".join(event.summary.casefold().split())
            before = merged[last[words]] if words in last else None
            if (
                before is not None
                and number[event.segment_ids[0]] - number[before.segment_ids[-1]] <= 1
                and event.end_s - before.start_s <= MOST_MERGED_S
            ):
                joined = {
                    "end_s": max(before.end_s, event.end_s),
                    "segment_ids": tuple(dict.fromkeys((*before.segment_ids, *event.segment_ids))),
                    "spans": (*before.spans, *event.spans),
                }
                merged[last[words]] = before.model_copy(update=joined)
                continue
            last[words] = len(merged)
        merged.append(event)
    return merged


def _timed(events: Sequence[Event], lines: Lines, segments: Sequence[Segment]) -> list[Event]:
    """Events by time, those of what is seen and read at the times of the pictures that show it."""
    by_id = {segment.id: segment for segment in segments}
    timed = []
    for event in events:
        seen = event.spans[0].field != "dialogue"
        times = times_of(lines, event.spans, by_id[event.segment_ids[0]]) if seen else None
        timed.append(event.model_copy(update={"start_s": times[0], "end_s": times[1]}) if times else event)
    return sorted(timed, key=lambda event: event.start_s)  # as they were, where times are equal


def _each_once(links: Sequence[Link]) -> list[Link]:
    """Links with no two of one type between the same events; the surer one stays."""
    best: dict[tuple[str, str, str], Link] = {}
    for one in links:
        held = best.get((one.src, one.dst, one.type))
        if held is None or one.confidence > held.confidence:
            best[one.src, one.dst, one.type] = one
    return list(best.values())
