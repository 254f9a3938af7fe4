"""Descriptions of what is seen: the shots of a clip in order, or one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agent.models.embedded.imagenet import concepts, with_article
from agent.models.embedded.rules import colours, scene
from agent.models.embedded.rules import ocr as reading
from agent.models.embedded.rules.describe import CANNOT_TELL, defect
from agent.models.embedded.rules.evidence import MAYBE, SURE, Scene
from agent.models.embedded.rules.scene import Look
from agent.models.embedded.rules.setting import Setting, setting
from agent.models.embedded.rules.things import listed
from agent.models.embedded.rules.visual.seen import Seen, cite, clothes_box, crop

DRESSED_HEIGHT, DRESSED_SHARE = 0.35, 0.45
"""People at least this high, in shares of the picture, get the colour that covers this share of their clothes."""
GUESS = 0.3
"""Probability below which a name of the classifier is not even said as a guess, where nothing was detected."""
LOOKS_LIKE = " It looks like"
MORE = " What else there is, I can't tell."
"""Ends a description that names one kind of thing and no place: it is hardly all."""
PAGE_LINES = 6
"""Lines of text from which on a picture that shows nothing else is called a page."""
MOST_SHOTS = 8
"""Shots in a description; of more, evenly spread ones are taken."""


def describe(seen: Seen, defects_alone: bool = False) -> str | None:
    """Describe the shots in order, or the one picture, and the place; say so where nothing is known, None where spoilt.

    Args:
        seen: the frames and the question.
        defects_alone: whether what is wrong with frames that show nothing is described as well; then None where even
            that is unknown.
    """
    looks = seen.meant()
    groups = scene.shots(looks)
    if len(groups) > MOST_SHOTS:
        groups = [groups[index] for index in np.linspace(0, len(groups) - 1, MOST_SHOTS).round().astype(int)]
    texts = [shot_text(group) for group in groups]
    if any(found and not found.startswith("perhaps ") for found in texts):  # a guess beside what is known misleads
        texts = [None if found and found.startswith("perhaps ") else found for found in texts]
    parts: list[str] = []
    for group, found in zip(groups, texts, strict=True):
        text = found or defect(Scene(tuple(look.fact for look in group)))
        if text and (found or defects_alone) and not (parts and parts[-1].startswith(text)):
            parts.append(f"{text}{cite(group)}")
    where = _where(setting(looks), parts)
    kinds = {thing.detection.name for look in looks for thing in look.things}
    told = f"I see {', then '.join(parts)}.{where}" if parts else f"{where.strip()[:-1]}{cite(looks)}." if where else ""
    if len(kinds) > 1 or any("; " in part for part in parts) or where.startswith(LOOKS_LIKE):
        return told
    page, written = _writing(seen, looks[-1])
    if page:
        return f"I see {page}{cite(looks[-1:])}. {written}"
    if told or written:
        return f"{' '.join(filter(None, (told, written)))}{'' if defects_alone or not any(texts) else MORE}"
    spoilt = any(not look.fact.usable for look in looks)  # the rules for plain and spoilt pictures say what is wrong
    return None if defects_alone or spoilt else unseen(seen)


def _writing(seen: Seen, look: Look) -> tuple[str, str]:
    """What is written in a frame that shows hardly anything else: whether it is a page, and the words quoted."""
    if not look.fact.usable:
        return "", ""
    lines = [word.text for word in reading.sure(seen.perception.words(look.fact.frame))]
    page = "a page or a screen of writing" if len(lines) >= PAGE_LINES else ""
    return page, f"{reading.quote(lines)}{look.fact.cite}." if lines else ""


def _where(found: Setting, parts: Sequence[str]) -> str:
    """` It looks like a street.`, or whether it is inside; empty where that is not known or was said."""
    if found.place is not None:
        return "" if any(found.place in part for part in parts) else f"{LOOKS_LIKE} {found.place}."
    return "" if found.outdoors is None else f" It seems to be {'outdoors' if found.outdoors else 'indoors'}."


def shot_text(group: Sequence[Look]) -> str | None:
    """Describe a shot: its things with their number and motion, and what the classifier adds."""
    named = scene.inventory(group)[:4]
    whole = Scene(tuple(look.fact for look in group))
    if not named:
        text = whole.text()
        return None if text and text.startswith("perhaps ") and whole.p.max() < GUESS else text
    if named[0] == "a person":
        named[0] += _dressed(group)
    told = listed(named)
    if (done := scene.activity(group)) and done[0].split(" ", 1)[0] in ("rides", "plays"):
        told = f"{told}; a person {done[0]}"
    elif "person" in named[0] or "people" in named[0]:
        going = scene.movement(group)
        if going and going != "in place":
            told = f"{told}; {'a person moves' if named[0].startswith('a ') else 'people move, one'} {going}"
    return f"{told}{_added(whole, group)}"


def _dressed(group: Sequence[Look]) -> str:
    """` in red`, where one person fills enough of the picture for the colour of the clothes to be plain."""
    look = max(group, key=lambda look: max((one.area for one in look.people), default=0.0))
    person = max(look.people, key=lambda one: one.area)
    if person.box[3] - person.box[1] < DRESSED_HEIGHT:
        return ""
    name, share = next(iter(colours.shares(crop(look, clothes_box(look, person.box))).items()))
    return f" in {name}" if share >= DRESSED_SHARE else ""


def _added(whole: Scene, group: Sequence[Look]) -> str:
    """What the classifier adds to the detected things: a finer name of one, or another thing that it is sure of."""
    p = whole.p
    best = int(np.argmax(p))
    name = concepts().names[best]
    known = {thing.detection.name for look in group for thing in look.things}
    if not whole.usable or name.lower() in known:
        return ""
    if known & set(concepts().kinds[best]):
        return f", perhaps {with_article(name)}" if p[best] >= MAYBE else ""
    covered = known & set(name.lower().split()) or any(best in concepts().members.get(one, ()) for one in known)
    return "" if covered or p[best] < SURE else f"; it looks like {with_article(name)}"


def negative(seen: Seen, thing: str, empty: bool = False) -> str:
    """Say that a thing is not seen, and what is; where no frame shows anything, that it cannot be told."""
    if not any(look.fact.usable for look in seen.meant()):
        return unseen(seen)
    text = describe(seen, defects_alone=True)
    return f"{'Yes' if empty else 'No'}, I don't see {thing}.{f' {text}' if text else ''}"


def unseen(seen: Seen) -> str:
    """Say that no frame can tell, and what there is to be seen."""
    return f"{CANNOT_TELL} {describe(seen, defects_alone=True) or ''}".strip()
