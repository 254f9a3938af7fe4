"""Successors of old records when a source is rebuilt: `successors`."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable

from memory.narrative.store.transaction import fold
from memory.narrative.types import Chain, Event, Record

LIKE = 0.5
"""Minimum Jaccard index of words for an event to replace another that is shown at the same time."""
_WORD = re.compile(r"\w+")


def successors(gone: Iterable[Record], new: Iterable[Record]) -> dict[str, str | None]:
    """Match old records to new ones when a source is rebuilt, by id; None for records without a successor.

    An event is succeeded by the new event with the same words that is nearest in time, else by the most similar of
    those shown at its time; a chain by the one that shares most of its events or their successors. Segments, entities
    and links get no successor: they say no more than the events based on them, or that they join.

    Args:
        gone: removed records of one source.
        new: records of it that did not exist before.
    """
    left, added = list(gone), list(new)
    events = sorted((one for one in added if isinstance(one, Event)), key=lambda one: (one.start_s, one.id))
    found: dict[str, str | None] = dict.fromkeys(one.id for one in left)
    told: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        told[fold(event.summary)].append(event)
    starts = [event.start_s for event in events]
    longest_s = max((event.end_s - event.start_s for event in events), default=0.0)
    for old in left:
        if isinstance(old, Event):
            at_once = events[bisect_left(starts, old.start_s - longest_s) : bisect_right(starts, old.end_s)]
            like = [one for one in at_once if one.end_s >= old.start_s and _shared(old, one) >= LIKE]
            near = told.get(fold(old.summary)) or like
            ranked = [(_shared(old, one), -abs(one.start_s - old.start_s), one.id) for one in near]
            found[old.id] = max(ranked)[2] if ranked else None
    chains = [one for one in added if isinstance(one, Chain)]
    for old in left:
        if isinstance(old, Chain):
            of = {found.get(id_) or id_ for id_ in old.event_ids}
            shared = {one.id: len(of & {*one.event_ids}) / len(of | {*one.event_ids}) for one in chains}
            best_id = max(shared, key=lambda id_: (shared[id_], id_), default=None)
            found[old.id] = best_id if best_id and shared[best_id] else None
    return found


def _shared(one: Event, other: Event) -> float:
    mine, others = ({*_WORD.findall(event.summary.casefold())} for event in (one, other))
    return len(mine & others) / max(1, len(mine | others))
