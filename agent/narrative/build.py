"""Build of a narrative memory: from the text of a source to records, by rules or with a model.

Both are pure functions of the input and the model's cached answers: the same input gives the same records. If an answer
of the model is invalid, rules are used for that segment; as invalid answers are not cached, the next build asks again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.narrative.cached_llm import Asker
from agent.narrative.extract_llm import AnswerProblems, Progress, find_events, find_links, summarise_chains
from memory.narrative.chains import build_chains
from memory.narrative.ingest.cues import Clock, Cue
from memory.narrative.ingest.extract_rules import count_heads, entities_of, extract, link
from memory.narrative.ingest.line_times import Lines, lines_of, times_of
from memory.narrative.ingest.segments import Seen, tile
from memory.narrative.retrieval.vectors import Embed
from memory.narrative.types import Chain, Entity, Event, Link, Record, Segment

MAX_MERGED_S = 180.0
"""Maximum duration of repeated sightings or texts that are merged into one event."""


@dataclass(frozen=True)
class Material:
    """The text of a source.

    Attributes:
        source: its name.
        clock: unit of times.
        cues: speech, or the sections of a story.
        captions: descriptions of pictures.
        texts: text in pictures.
        duration_s: duration in seconds; None for sections.
        cuts: times of scene changes, in seconds.
    """

    source: str
    clock: Clock
    cues: Sequence[Cue] = ()
    captions: Sequence[Seen] = ()
    texts: Sequence[Seen] = ()
    duration_s: float | None = None
    cuts: Sequence[float] = ()

    def segments(self) -> list[Segment]:
        """Split the material into segments. Raises StoreError if it is inconsistent."""
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
    """The records of a source, and counts of unusable answers."""

    segments: tuple[Segment, ...]
    events: tuple[Event, ...]
    entities: tuple[Entity, ...]
    links: tuple[Link, ...]
    chains: tuple[Chain, ...]
    problems: AnswerProblems

    @property
    def records(self) -> tuple[Record, ...]:
        """All records."""
        return (*self.segments, *self.entities, *self.events, *self.links, *self.chains)


def build(
    material: Material, asker: Asker | None = None, embed: Embed | None = None, progress: Progress | None = None
) -> Built:
    """Build the records of a source.

    Args:
        material: its text.
        asker: the model; None uses rules only.
        embed: embeds texts, to find similar events for the model; None compares words only.
        progress: see `Progress`.

    Raises:
        StoreError: if the material is inconsistent.
        ModelError: if the model fails; its answers until then are cached.
    """
    segments = material.segments()
    lines = lines_of(segments, material.cues, material.captions, material.texts)
    events = _sort_by_time(extract(segments, count_heads(segments), material.cues), lines, segments)
    if material.clock == "seconds":
        events = merge_repeats(events, segments)
    problems, stated = AnswerProblems(), list[Link]()
    if asker is not None:
        drafts = find_events(segments, events, lines, material.clock, asker, problems, progress)
        events, stated = find_links(drafts, material.clock, asker, embed, problems, progress)
    links = _deduplicate([*link(events), *stated])
    chains = build_chains(events, links)
    if asker is not None:
        chains = summarise_chains(chains, events, material.clock, asker, problems, progress)
    return Built(tuple(segments), tuple(events), tuple(entities_of(events)), tuple(links), tuple(chains), problems)


def merge_repeats(events: Sequence[Event], segments: Sequence[Segment]) -> list[Event]:
    """Merge equal sightings and texts in consecutive segments into one event, up to `MAX_MERGED_S`.

    Speech is not merged: repeating something is another event. Neither is a sighting after a gap.
    """
    number = {segment.id: segment.number for segment in segments}
    merged: list[Event] = []
    last: dict[str, int] = {}  # index of the newest event with these words
    for event in events:
        if event.spans[0].field != "dialogue":
            words = " ".join(event.summary.casefold().split())
            before = merged[last[words]] if words in last else None
            if (
                before is not None
                and number[event.segment_ids[0]] - number[before.segment_ids[-1]] <= 1
                and event.end_s - before.start_s <= MAX_MERGED_S
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


def _sort_by_time(events: Sequence[Event], lines: Lines, segments: Sequence[Segment]) -> list[Event]:
    """Sort events by time, with sightings and texts at the times of their pictures."""
    by_id = {segment.id: segment for segment in segments}
    timed = []
    for event in events:
        seen = event.spans[0].field != "dialogue"
        times = times_of(lines, event.spans, by_id[event.segment_ids[0]]) if seen else None
        timed.append(event.model_copy(update={"start_s": times[0], "end_s": times[1]}) if times else event)
    return sorted(timed, key=lambda event: event.start_s)  # stable for equal times


def _deduplicate(links: Sequence[Link]) -> list[Link]:
    """Remove duplicate links of one type between the same events, keeping the most confident."""
    best: dict[tuple[str, str, str], Link] = {}
    for one in links:
        known = best.get((one.src, one.dst, one.type))
        if known is None or one.confidence > known.confidence:
            best[one.src, one.dst, one.type] = one
    return list(best.values())
