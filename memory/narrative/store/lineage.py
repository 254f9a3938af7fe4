"""What takes the place of what, when a source is built again: `heirs`."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable

from memory.narrative.store.transaction import fold
from memory.narrative.types import Chain, Event, Record

LIKE = 0.5
"""Share of common words (Jaccard) from which on an event takes the place of another that is shown at the same time; our
choice."""
_WORD = re.compile(r"\w+")


def heirs(gone: Iterable[Record], new: Iterable[Record]) -> dict[str, str | None]:
    """What supersedes each record that goes, by id; None where nothing does.

    An event is superseded by the new one of the same words that is nearest in time, else by the most like of those that
    are shown at its time; a chain by the one that shares most of its events, these superseded or not. Of segments,
    entities and links it is not asked: they say no more than what rests on them, or what they join.

    Args:
        gone: records of one source.
        new: records of it that were not held before.
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
