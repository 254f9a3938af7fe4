"""`when_seen`: the tool that searches the detections of a whole source."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, ConfigDict, Field

from agent.perception.seen_over_time import MAX_LISTED, Stretch, labels_meant, seen_over_time, told
from memory.stream.detections import Detections
from tools.base import Evidence, Shown, parse_span
from tools.errors import ToolRetry
from tools.media import Span, format_clock
from tools.perception.zones import HALVES, Zone, find_zone
from tools.registry import check_tool

NAME = "when_seen"
DESCRIPTION = (
    "List when a kind of thing or people were detected in the whole video, how many at once and in all, and where. "
    "The detector errs, and it identifies nobody."
)


class WhenSeenArgs(BaseModel):
    """Arguments of `when_seen`."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(min_length=1, max_length=60, description="the kind of thing, such as person, car or dog")
    zone: str | None = Field(
        default=None, max_length=60, description="count there only: left, right, top, bottom or a configured zone"
    )
    start: str | None = Field(default=None, description="search from this moment on, as m:ss")
    end: str | None = Field(default=None, description="search up to this moment, as m:ss")


def make_when_seen(detections: Detections, zones: Sequence[Zone]) -> BaseTool:
    """Build the tool over the detections of a source."""

    def when_seen(
        label: str, zone: str | None = None, start: str | None = None, end: str | None = None
    ) -> tuple[str, Shown]:
        return answer(detections, zones, label, zone, parse_span(start, end, default_end_s=float("inf")))

    return check_tool(
        StructuredTool.from_function(
            when_seen,
            name=NAME,
            description=DESCRIPTION,
            args_schema=WhenSeenArgs,
            response_format="content_and_artifact",
        )
    )


def answer(
    detections: Detections, zones: Sequence[Zone], label: str, zone: str | None, span: Span | None
) -> tuple[str, Shown]:
    """Search detections. Raises ToolRetry for an unknown zone, or a label that the detector does not know."""
    place = find_zone(zone, zones) if zone else None
    if zone and place is None:
        known = ", ".join([*HALVES, *(one.name for one in zones)])
        raise ToolRetry(f"unknown zone {zone!r}.", remedy=f"Name one of: {known}.")
    seen = detections.labels()
    labels = labels_meant(label, seen)
    if not labels:
        known = ", ".join(seen[:MAX_LISTED]) or "nothing"
        raise ToolRetry(f"the detector does not know {label!r}.", remedy=f"It detected: {known}.")
    found = seen_over_time(detections, labels, place, span.start_s if span else None, span.end_s if span else None)
    return told(label, found, place), Shown(
        evidence=[part for one in found[:MAX_LISTED] for part in _evidence(label, one)]
    )


def _evidence(label: str, one: Stretch) -> list[Evidence]:
    """The beginning and the end of a stretch, so that an answer may cite either."""
    start, end = format_clock(one.start_s), format_clock(one.end_s)
    text = f"{label}: at most {one.most} at once, {start} to {end}"
    ends = {start: one.start_s, end: one.end_s}
    return [Evidence(id=f"seen@{clock}", kind="note", text=text, t_s=t_s) for clock, t_s in ends.items()]
