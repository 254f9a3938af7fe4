"""Story order of events, and the check that causal links go forward in it.

A cause precedes its effect in the story, whatever the order in which they are shown. Each link of a type in `CAUSAL`
leads to an event with a greater `order`, so such links never form a cycle.
"""

from __future__ import annotations

from memory.narrative.types import Event, LinkType

CAUSAL: frozenset[LinkType] = frozenset({"causes", "motivates", "enables", "blocks"})
"""Link types whose first event precedes the second in the story."""
_FIELDS = ("caption", "dialogue", "text")

Order = tuple[float, float, int, int, int]


def order(event: Event) -> Order:
    """Return the sort key of an event in story order.

    Sorts by `story_s` (`start_s` where it is unset), then by `start_s`. Ties, such as two sentences of one subtitle,
    are broken by the field (`caption`, `dialogue`, `text`, as in `Segment.words`) and the position of the event's text
    in it.
    """
    span = event.spans[0]
    return story_time(event), event.start_s, _FIELDS.index(span.field), span.start, span.end


def shown_order(event: Event) -> tuple[float, int, int, str]:
    """Return the sort key of an event in order of presentation; ties within a cue are broken by position."""
    span = event.spans[0]
    return event.start_s, _FIELDS.index(span.field), span.start, event.id


def story_time(event: Event) -> float:
    """Return when an event happens in the story, on the scale of its source's media time (see `Event.story_s`)."""
    return event.start_s if event.story_s is None else event.story_s


def illegal(src: Event, dst: Event, type_: LinkType) -> str | None:
    """Return why a link of this type between two events is invalid, as the end of a sentence; None if it is valid.

    An event cannot be linked to itself. A link of a type in `CAUSAL` must lead forward in story order; between two
    sources, whose clocks differ, both events need `story_s`.
    """
    if src.id == dst.id:
        return "leads from an event to itself"
    if type_ not in CAUSAL or (order(src) < order(dst) and _share_clock(src, dst)):
        return None
    times = f"from {story_time(src):.10g} to {story_time(dst):.10g}"
    if not _share_clock(src, dst):
        return f"leads {times}, which are times of two sources, {src.source!r} and {dst.source!r}"
    if order(src) == order(dst):
        return f"leads {times}, between events that begin at once with the same words, so that neither comes first"
    if story_time(src) == story_time(dst):
        return f"leads {times}, and the first event is shown or told after the second"
    return f"leads back in the story, {times}"


def _share_clock(src: Event, dst: Event) -> bool:
    return src.source == dst.source or None not in (src.story_s, dst.story_s)
