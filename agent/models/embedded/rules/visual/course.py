"""When things are seen, in which order, and how the picture changes."""

from __future__ import annotations

import re

from agent.models.embedded.rules import scene
from agent.models.embedded.rules.evidence import SHOWS
from agent.models.embedded.rules.things import PEOPLE, UNTOLD, listed
from agent.models.embedded.rules.visual.account import describe
from agent.models.embedded.rules.visual.seen import END, START, Seen, capital, cite
from tools.media.clock import format_clock

_IS_SEEN = re.compile(
    r"\b(appear\w*|seen|see|saw|visible|show\w*|there|enter\w*|come|comes|came|arriv\w*|disappear\w*|leave\w*|left|gone)\b"
)


def when(seen: Seen) -> str | None:
    """Say when a thing is seen first and last, or how long; of what it does then, nothing is known."""
    if re.search(r"\b(chang|cut|scene|switch)", seen.lower):
        return change(seen)
    if not _IS_SEEN.search(seen.lower) or any(target.word in UNTOLD for target in seen.targets):
        return None
    for target in seen.targets:
        there = [look for look in seen.looks if look.those(target)]
        if not there and target.concept:
            there = [look for look in seen.looks if look.fact.usable and look.fact.shows(target.concept) >= SHOWS]
        times = [look.fact.frame.t_s for look in there if look.fact.frame.t_s is not None]
        if not times:
            continue
        what = PEOPLE if target.is_people else target.word
        first, last = f"[{format_clock(times[0])}]", f"[{format_clock(times[-1])}]"
        if re.search(r"\b(disappear|leave|leaves|gone|last|until)\b", seen.lower):
            return f"The {what} is last seen at {last}."
        if re.search(r"\bhow long\b", seen.lower):
            return f"The {what} is seen for about {times[-1] - times[0] + 1:.0f} seconds, from {first} to {last}."
        if len(there) == len(seen.looks):
            return f"The {what} is there from {first} on, all the time."
        return f"The {what} is first seen at {first}, and last at {last}."
    return None


def order(seen: Seen) -> str | None:
    """Say how it begins, how it ends, or which of two things comes first."""
    times: list[tuple[float, str]] = []
    for target in seen.targets:
        there = next((look for look in seen.looks if look.those(target)), None)
        if there is not None:
            times.append((there.fact.frame.t_s or 0.0, target.word))
    if len(times) > 1 and re.search(r"\bfirst\b|\bbefore\b", seen.lower):
        t_s, word = min(times)
        return f"The {word} comes first [{format_clock(t_s)}]."
    return describe(seen) if START.search(seen.lower) or END.search(seen.lower) else None


def change(seen: Seen) -> str | None:
    """Say whether and how the picture changes: cuts, the camera, motion and where, the light."""
    if not seen.is_clip:
        return None
    changes = [(look, look.change) for look in seen.looks if look.change is not None]
    cuts = [look for look, one in changes if one.kind == "cut"]
    moving = [(look, one) for look, one in changes if one.kind == "motion"]
    camera = [look for look, one in changes if one.kind == "camera"]
    if re.search(r"\bcamera\b|\bpan", seen.lower):
        if len(camera) >= max(2, len(changes) // 4):
            return f"{'Yes, t' if seen.yes_no else 'T'}he camera moves{cite(camera[:1])}."
        if not cuts and all(one.share < 0.5 for _, one in changes):
            return f"{'No, t' if seen.yes_no else 'T'}he camera stands still."
        return None
    if re.search(r"\b(cuts?|shots?|continuous|scene)\b", seen.lower):
        if cuts:
            denies = re.search(r"\b(one|single|continuous|same)\b", seen.lower)
            start = f"{'No' if denies else 'Yes'}, there" if seen.yes_no else "There"
            number = "is 1 cut" if len(cuts) == 1 else f"are {len(cuts)} cuts"
            return f"{start} {number}: {listed([cite([look]).strip() for look in cuts[:5]])}."
        return "I see no cut: it looks like one continuous shot."
    start = "Yes: " if seen.yes_no else ""
    parts = []
    if cuts:
        parts.append(f"the picture cuts to something else at {listed([cite([look]).strip() for look in cuts[:4]])}")
    if camera:
        parts.append(f"the camera moves{cite(camera[:1])}")
    lit = [(look, one) for look, one in changes if one.kind == "light"]
    if lit:
        parts.append(f"it gets {'brighter' if lit[0][1].brighter > 0 else 'darker'}{cite([lit[0][0]])}")
    if moving and (not cuts or len(moving) > len(cuts)):
        look, one = max(moving, key=lambda pair: pair[1].share)
        mover = next(iter(scene.inventory(seen.looks)), "something")
        mover = mover if scene.movement(seen.looks) not in (None, "in place") else "something"
        parts.append(f"{mover} moves {scene.place(one.box) if one.box else ''}{cite([look])}".replace("  ", " "))
    if not parts:
        return f"{'No, n' if seen.yes_no else 'N'}othing changes from{cite(seen.looks[:1])} to{cite(seen.looks[-1:])}."
    return capital(f"{start}{listed(parts)}.")


def length(seen: Seen) -> str | None:
    """Say how long was watched so far."""
    last_s = seen.facts[-1].frame.t_s
    return None if last_s is None else f"I have watched {format_clock(last_s)} so far [{format_clock(last_s)}]."
