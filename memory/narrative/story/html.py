"""Story as one self-contained HTML file: `story_html`.

The parts of the page are in `page/`. Text of the source enters the page as JSON only, which the script shows as text:
none of it is parsed as HTML. The page's content security policy allows only its own script and style, by their hashes,
and no requests.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from memory.narrative.story.read import Story, is_elsewhen
from memory.narrative.types import LINK_WEIGHTS

MAX_BYTES = 2_000_000
"""Maximum size of a page; a longer story omits what matters least, and the page says so."""
MAX_PICTURE_BYTES = 700_000
"""Of these, the maximum for pictures."""
MAX_EVENTS = 10_000
"""Maximum number of events on a page, the most important."""
MAX_SEGMENTS = 2_000
"""A source with more segments shows only those that its events are based on."""
MAX_CHAINS = 200
"""Maximum number of chains on a page, the best."""
PICTURE_QUALITY = 60
"""WebP quality, 1 to 100."""
GENERATOR = "Attend story"
"""The generator that pages and pictures of stories name."""
_SCRIPTS = ("model.js", "drawing.js", "page.js")
_FIELDS = ("caption", "dialogue", "text")
_EVENT = (
    "start_s", "end_s", "summary", "segments", "actors", "objects", "lane", "place", "goal", "state_before",
    "state_after", "story_s", "elsewhen", "salience", "confidence", "spans", "writer",
)  # fmt: skip
_LINK = ("src", "dst", "type", "confidence", "method", "why")
_CHAIN = ("events", "kind", "score", "span_s", "summary")
_SEGMENT = ("number", "start_s", "end_s", "caption", "dialogue", "text", "picture")


def story_html(story: Story) -> str:
    """Render the page of a story, of about `MAX_BYTES` bytes in UTF-8 at most."""
    pictures = _within(story.pictures, MAX_PICTURE_BYTES)
    frame = _page(story.title, "")
    room = MAX_BYTES - len(frame.encode()) - sum(map(len, pictures.values()))
    count = min(len(story.events), MAX_EVENTS)
    data = _json(_data(story, count, pictures))
    while count and len(data.encode()) - sum(map(len, pictures.values())) > room:
        taken = len(data.encode()) - sum(map(len, pictures.values()))
        count = int(count * min(0.95, room / taken))
        data = _json(_data(story, count, pictures))
    return _page(story.title, data)


def policy() -> str:
    """Return the Content-Security-Policy of the page: its own script and style by hash, its pictures, nothing else."""
    _, style, script = _parts()
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _page(title: str, data: str) -> str:
    page, style, script = _parts()
    return page.substitute(title=escape(title), policy=policy(), style=style, script=script, data=data)


@cache
def _parts() -> tuple[Template, str, str]:
    folder = files("memory.narrative.story") / "page"
    style = (folder / "style.css").read_text("utf-8")
    script = "\n".join((folder / name).read_text("utf-8") for name in _SCRIPTS)
    return Template((folder / "page.html").read_text("utf-8")), style, script


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(data: Mapping[str, Any]) -> str:
    """Serialise JSON for a page: escapes `<`, which could end the element, and `&`, which could begin an entity."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _data(story: Story, count: int, pictures: Mapping[int, str]) -> dict[str, Any]:
    """Build the data of the page: tables, each with its column names; events refer to others by number.

    Args:
        story: the story.
        count: number of events, the most important.
        pictures: data URLs by the number of the segment.
    """
    kept = sorted(story.ranked[:count])
    rank_of = {number: rank for rank, number in enumerate(story.ranked[:count])}
    event_of = {story.events[number].id: place for place, number in enumerate(kept)}
    used = {id_ for number in kept for id_ in story.events[number].segment_ids}
    used |= {span.segment_id for number in kept for span in story.events[number].spans}
    few = len(story.segments) <= MAX_SEGMENTS
    shown = [number for number, segment in enumerate(story.segments) if few or segment.id in used]
    segment_of = {story.segments[number].id: place for place, number in enumerate(shown)}
    names = _Table()
    writers = _Table()
    whys = _Table()
    read: set[str] = set()  # segments whose words are needed
    events = []
    for number in kept:
        event = story.events[number]
        spans = [
            (segment_of[span.segment_id], _FIELDS.index(span.field), span.start, span.end)
            for span in event.spans
            if span.segment_id in segment_of
        ]
        read.update(span.segment_id for span in event.spans)
        events.append([
            round(event.start_s, 3), round(event.end_s, 3), event.summary,
            [segment_of[id_] for id_ in event.segment_ids if id_ in segment_of],
            [names.number(name) for name in story.actors[number]],
            [names.number(name) for name in story.objects[number]], story.lane_of[number],
            event.place, event.goal, event.state_before, event.state_after,
            None if event.story_s is None else round(event.story_s, 3), is_elsewhen(event),
            round(event.salience, 3), round(event.confidence, 3), spans,
            writers.number(event.writer.model),
        ])  # fmt: skip
        if len(spans) == 1:
            place, field, start, end = spans[0]
            words = getattr(story.segments[shown[place]], _FIELDS[field])[start:end]
            if " ".join(words.split()) == event.summary:
                events[-1][2] = 0  # its span describes it
    types = list(LINK_WEIGHTS)
    links = [
        [event_of[link.src], event_of[link.dst], types.index(link.type), round(link.confidence, 3), link.method,
         whys.number(link.why)]
        for link in story.links if link.src in event_of and link.dst in event_of
    ]  # fmt: skip
    complete = [chain for chain in story.chains if all(id_ in event_of for id_ in chain.event_ids)]
    chains = [
        [[event_of[id_] for id_ in chain.event_ids], chain.kind, round(chain.score, 3), round(chain.span_s, 3),
         chain.summary]
        for chain in complete[:MAX_CHAINS]
    ]  # fmt: skip
    segments = []
    for number in shown:
        segment = story.segments[number]
        words = (segment.caption, segment.dialogue, segment.text) if segment.id in read else ("", "", "")
        picture = pictures.get(number) or ("gone" if number in story.gone else "")
        segments.append([number, round(segment.start_s, 3), round(segment.end_s, 3), *words, picture])
    return {
        "title": story.title, "clock": story.clock, "version": story.version, "lanes": story.lanes,
        "start": story.start_s, "end": story.end_s,
        "totals": {
            "segments": len(story.segments), "events": len(story.events), "links": len(story.links),
            "chains": len(story.chains),
        },
        "pictures": {"named": story.pictured, "gone": len(story.gone)},
        "types": [[type_, weight] for type_, weight in LINK_WEIGHTS.items()],
        "names": names.values, "writers": writers.values, "whys": whys.values,
        "ranks": [rank_of[number] for number in kept],
        "segments": {"columns": _SEGMENT, "rows": segments}, "events": {"columns": _EVENT, "rows": events},
        "links": {"columns": _LINK, "rows": links}, "chains": {"columns": _CHAIN, "rows": chains},
    }  # fmt: skip


class _Table:
    """Texts that rows refer to by number, each stored once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    @property
    def values(self) -> list[str]:
        return list(self._numbers)


def _within(pictures: Mapping[int, np.ndarray], most: int) -> dict[int, str]:
    """Return pictures as data URLs; if they are too large, drops every second one until they fit."""
    held = {number: _address(rgb) for number, rgb in sorted(pictures.items())}
    while sum(map(len, held.values())) > most:
        held = {number: held[number] for number in list(held)[::2]} if len(held) > 1 else {}
    return held


def _address(rgb: np.ndarray) -> str:
    import cv2

    done, webp = cv2.imencode(
        ".webp", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, PICTURE_QUALITY]
    )
    assert done, "OpenCV can write any small picture as WebP"
    return "data:image/webp;base64," + base64.b64encode(webp.tobytes()).decode()
