"""Small narratives for the tests of narrative memory, and texts as vectors without a model."""

from __future__ import annotations

import hashlib

import numpy as np

from memory.narrative.types import Chain, Event, Link, LinkType, Segment, SourceSpan

DIM = 16


def embed(texts: list[str]) -> np.ndarray:
    """Each text as a unit vector that depends on nothing else; no two are near."""
    seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]
    vectors = np.stack([np.random.default_rng(seed).normal(size=DIM) for seed in seeds])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def segment(number: int, source: str = "tale", words: str = "") -> Segment:
    return Segment(
        source=source,
        number=number,
        start_s=10.0 * number,
        end_s=10.0 * number + 10,
        caption=words or f"what is seen {number}",
    )


def event(
    number: float,
    source: str = "tale",
    summary: str = "",
    actors: tuple[str, ...] = (),
    within: Segment | None = None,
) -> Event:
    """Something a second long, in the segment that the `number` falls into."""
    within = within or segment(int(number), source)
    return Event(
        source=source,
        segment_ids=(within.id,),
        start_s=10 * number,
        end_s=10 * number + 1,
        summary=summary or f"event {number} of {source}",
        actors=actors,
        spans=(SourceSpan(segment_id=within.id, field="caption", start=0, end=4),),
    )


def link(src: Event, dst: Event, type_: LinkType = "causes", why: str = "") -> Link:
    return Link(src=src.id, dst=dst.id, type=type_, why=why)


def chain(*events: Event, summary: str = "") -> Chain:
    span_s = events[-1].end_s - events[0].start_s
    return Chain(event_ids=tuple(event.id for event in events), score=-0.5, span_s=span_s, summary=summary)
