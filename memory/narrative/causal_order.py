"""The order of the story: which of two events comes first, and which links that allows.

A cause comes before its effect, whenever either is shown. Each link of a type in `CAUSAL` leads from an event to one
with a greater `order`, and so such links never make a circle.
"""

from __future__ import annotations

from memory.narrative.types import Event, LinkType

CAUSAL: frozenset[LinkType] = frozenset({"causes", "motivates", "enables", "blocks"})
"""Types of links of which the first event comes before the second in the story."""
_FIELDS = ("caption", "dialogue", "text")

Order = tuple[float, float, int, int, int]


def order(event: Event) -> Order:
    """What events are sorted by to be in the order of the story.

    First `story_s`, or `start_s` where that is not set; then `start_s`. Events that begin at once, such as two
    sentences of one subtitle, are told apart by the field (`caption`, `dialogue`, `text`, as in `Segment.words`) and
    the characters that they rest on first.
    """
    span = event.spans[0]
    return story_time(event), event.start_s, _FIELDS.index(span.field), span.start, span.end


def shown_order(event: Event) -> tuple[float, int, int, str]:
    """What events are sorted by to be in the order in which they are shown or told: within a cue, by their place."""
    span = event.spans[0]
    return event.start_s, _FIELDS.index(span.field), span.start, event.id


def story_time(event: Event) -> float:
    """When an event happens in the story, on the scale of its source's media time (see `Event.story_s`)."""
    return event.start_s if event.story_s is None else event.story_s


def illegal(src: Event, dst: Event, type_: LinkType) -> str | None:
    """Why there must be no link of a type between two events, as the end of a sentence; None where there may be one.

    No link leads from an event to itself. One of a type in `CAUSAL` leads forward in the order of the story; between
    two sources, whose clocks differ, `story_s` of both has to say what that is.
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
