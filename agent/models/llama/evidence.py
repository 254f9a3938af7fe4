"""Turn the frames of a request into text: what the senses of the embedded model find in them, one line each."""

from __future__ import annotations

from collections.abc import Sequence

from agent.models.embedded.model import Perception
from agent.models.embedded.request import Shown
from agent.models.embedded.rules import colours, ocr
from agent.models.embedded.rules.answer import by_rules
from agent.models.embedded.rules.evidence import gather
from agent.models.embedded.rules.scene import Look, look_at, shots
from agent.models.embedded.rules.setting import setting
from agent.models.embedded.rules.things import PEOPLE
from agent.models.embedded.rules.visual.account import shot_text
from agent.models.embedded.rules.visual.seen import clothes_box, crop, inner_box
from agent.perception.evidence_text import Moment, evidence_text
from tools.perception.detect import Detection

MIN_SHARE = 0.45
"""A thing has a colour where this share of it has that colour, as in descriptions of the embedded model."""
MIN_COLOURED_PX = 24
"""Things whose shorter side is less than this get no colour."""


def gather_evidence(perception: Perception, frames: Sequence[Shown], question: str) -> str:
    """Return the evidence about frames, oldest first, as text; some tenths of a second a frame the first time.

    The last line depends on the question, and what comes before it does not: models keep the beginning of a prompt.
    """
    found = describe_frames(perception, frames)
    answer = by_rules(perception, question, frames) if question else None
    return f"{found}\na rule answers: {answer}" if answer else found


def describe_frames(perception: Perception, frames: Sequence[Shown]) -> str:
    """Return what code finds in frames, oldest first, as text."""
    facts = gather(perception, frames)
    looks = look_at(perception, facts)
    read = {id(fact) for fact in ocr.readable(facts)}
    moments = [_moment(perception, look, id(look.fact) in read) for look in looks]
    notes = [
        (group[0].fact.frame.t_s or 0.0, f"in short: {text}") for group in shots(looks) if (text := shot_text(group))
    ]
    return "\n".join(filter(None, [evidence_text(moments, notes), _surroundings(looks)]))


def _surroundings(looks: Sequence[Look]) -> str:
    """Where and when it seems to be: `place: outdoors, by day`."""
    if not looks:
        return ""
    where = setting(looks)
    found = [where.place] if where.place else []
    found += [] if where.outdoors is None else ["outdoors" if where.outdoors else "indoors"]
    found += [] if where.daylight is None else ["by day" if where.daylight else "dark, like night"]
    return f"place: {', '.join(found)}" if found else ""


def _moment(perception: Perception, look: Look, read: bool) -> Moment:
    fact = look.fact
    words = ocr.sure(perception.words(fact.frame)) if read else []
    return Moment(
        t_s=fact.frame.t_s,
        things=look.things,
        change=look.change,
        colours={thing.track: colour for thing in look.things if (colour := _colour(look, thing.detection))},
        words=tuple(word.text for word in words[: ocr.MAX_LINES]),
        problem=fact.problem or "",
    )


def _colour(look: Look, one: Detection) -> str | None:
    """The colour of a thing, or of a person's clothes, where most of it has one."""
    rows, columns = look.fact.frame.rgb.shape[:2]
    left, top, right, bottom = one.box
    if min((right - left) * columns, (bottom - top) * rows) < MIN_COLOURED_PX:
        return None
    inner = clothes_box(look, one.box) if one.name == PEOPLE else inner_box(one.box)
    name, share = next(iter(colours.shares(crop(look, inner)).items()))
    return name if share >= MIN_SHARE else None
