"""When things are seen, in which order, and how the picture changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.models.embedded.rules import scene
from agent.models.embedded.rules.evidence import SHOWS
from agent.models.embedded.rules.scene import Look
from agent.models.embedded.rules.things import PEOPLE, UNTOLD, listed
from agent.models.embedded.rules.visual.account import describe
from agent.models.embedded.rules.visual.seen import END, START, Seen, capital, cite
from tools.media.clock import format_clock
from tools.perception.motion import Change

_IS_SEEN = re.compile(
    r"\b(appear\w*|seen|see|saw|visible|show\w*|there|enter\w*|come|comes|came|arriv\w*|disappear\w*|leave\w*|left|gone)\b"
)


def when(seen: Seen) -> str | None:
    """Say when a thing is seen first and last, or how long; boxes do not show what it does then."""
    if not seen.targets and re.search(r"\b(chang|cut|scene|switch)", seen.lower):
        return change(seen)
    if not _IS_SEEN.search(seen.lower) or any(target.word in UNTOLD for target in seen.targets):
        return None
    for target in seen.targets:
        if seen.unclear(target):
            return None
        there = [look for look in seen.looks if seen.those(look, target)]
        if not there and target.concept:
            there = [look for look in seen.looks if look.fact.usable and look.fact.shows(target.concept) >= SHOWS]
        times = [look.fact.frame.t_s for look in there if look.fact.frame.t_s is not None]
        if not times:
            continue
        what = PEOPLE if target.is_people else target.word
        first, last = f"[{format_clock(times[0])}]", f"[{format_clock(times[-1])}]"
        if re.search(r"\b(disappear|leave|leaves|gone|last|until)\b", seen.lower):
            return f"The {what} is {'still there' if there[-1] is seen.looks[-1] else 'last seen'} at {last}."
        if re.search(r"\bhow long\b", seen.lower):
            return f"The {what} is seen for about {times[-1] - times[0] + 1:.0f} seconds, from {first} to {last}."
        if seen.is_clip and len(there) == len(seen.looks):
            return f"The {what} is there from {first} on, all the time."
        return f"The {what} first appears at {first}."
    return None


def order(seen: Seen) -> str | None:
    """Say how it begins, how it ends, or which of two things comes first."""
    times: list[tuple[float, str]] = []
    for target in seen.targets:
        there = next((look for look in seen.looks if seen.those(look, target)), None)
        if there is not None and there.fact.frame.t_s is not None:
            times.append((there.fact.frame.t_s, target.word))
    if len({t_s for t_s, _ in times}) > 1 and re.search(r"\bfirst\b|\bbefore\b", seen.lower):
        t_s, word = min(times)
        return f"The {word} comes first [{format_clock(t_s)}]."
    return describe(seen) if START.search(seen.lower) or END.search(seen.lower) or not seen.targets else None


def change(seen: Seen) -> str | None:
    """Say whether and how the picture changes: cuts, the camera, motion and where, the light."""
    if not seen.is_clip:
        return None
    changes = [(look, look.change) for look in seen.looks if look.change is not None]
    cuts = [look for look, one in changes if one.kind == "cut"]
    if re.search(r"\bcamera\b|\bpan", seen.lower):
        return _camera(seen, changes)
    if not seen.targets and re.search(r"\b(cuts?|shots?|continuous|scene)\b", seen.lower):
        return _cuts(seen, cuts)
    if cuts and seen.question.kind == "when":
        return f"The picture changes{_times(cuts)}."
    parts = list(_changes(seen, changes, cuts))
    if not parts:
        start, end = cite(seen.looks[:1]), cite(seen.looks[-1:])
        return f"{'No, n' if seen.yes_no else 'N'}othing changes{f' from{start} to{end}' if start else ''}."
    return capital(f"{'Yes: ' if seen.yes_no else ''}{listed(parts)}.")


Changes = Sequence[tuple[Look, Change]]


def _changes(seen: Seen, changes: Changes, cuts: Sequence[Look]) -> Iterator[str]:
    """Name each kind of change with its first or plainest time, or say that it lasts."""
    lasts = 2 * sum(one.kind in ("camera", "motion") for _, one in changes) >= len(changes)
    if cuts:
        yield f"the picture cuts to something else{_times(cuts)}"
    camera = [look for look, one in changes if one.kind == "camera"]
    if camera:
        yield f"the camera moves{' now and again' if lasts else cite(camera[:1])}"
    lit = [(look, one) for look, one in changes if one.kind == "light"]
    if lit:
        yield f"it gets {'brighter' if lit[0][1].brighter > 0 else 'darker'}{cite([lit[0][0]])}"
    moving = [(look, one) for look, one in changes if one.kind == "motion"]
    if len(moving) > len(cuts):
        look, one = max(moving, key=lambda pair: pair[1].share)
        known = scene.movement(seen.looks) not in (None, "in place")
        mover = next(iter(scene.inventory(seen.looks)), "something") if known else "something"
        where = f" {scene.place(one.box)}" if one.box else ""
        yield f"{mover} moves{where}{' most of the time' if lasts else cite([look])}"


def _camera(seen: Seen, changes: Changes) -> str | None:
    moving = [look for look, one in changes if one.kind == "camera"]
    if len(moving) >= max(2, len(changes) // 4):
        return f"{'Yes, t' if seen.yes_no else 'T'}he camera moves{cite(moving[:1])}."
    if all(one.kind != "cut" and one.share < 0.5 for _, one in changes):
        return f"{'No, t' if seen.yes_no else 'T'}he camera stands still."
    return None


def _cuts(seen: Seen, cuts: Sequence[Look]) -> str:
    if not cuts:
        return "I see no cut: it looks like one continuous shot."
    denies = re.search(r"\b(one|single|continuous|same)\b", seen.lower)
    start = f"{'No' if denies else 'Yes'}, there" if seen.yes_no else "There"
    return f"{start} {'is 1 cut' if len(cuts) == 1 else f'are {len(cuts)} cuts'}{_times(cuts)}."


def _times(looks: Sequence[Look]) -> str:
    times = [cite([look]).strip() for look in looks if look.fact.cite]
    return f" at {listed(times)}" if times else ""


def length(seen: Seen) -> str | None:
    """Say how long was watched so far."""
    last_s = seen.facts[-1].frame.t_s
    return None if last_s is None else f"I have watched {format_clock(last_s)} so far [{format_clock(last_s)}]."
