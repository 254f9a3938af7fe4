"""What the embedded model decides from facts: whether and where a thing is, its colour, or one of a choice."""

from __future__ import annotations

import re

import numpy as np

from agent.models.embedded.imagenet import concepts, with_article
from agent.models.embedded.model import Mind
from agent.models.embedded.networks.language import turn
from agent.models.embedded.rules import ocr as reading
from agent.models.embedded.rules import temporal
from agent.models.embedded.rules.colours import main_colour
from agent.models.embedded.rules.describe import capital
from agent.models.embedded.rules.evidence import FIRM, MAYBE, SHOWS, SHOWS_NOT, SURE, Fact, Scene
from agent.models.embedded.rules.question import Question

PEOPLE = frozenset({"person", "man", "woman", "child", "human", "people", "boy", "girl", "face", "hand", "somebody"})
"""ImageNet knows almost no people: that one is not recognised says nothing."""


def exists(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    """Answer `Is there a taxi?` from what is recognised, else from what is written in the frames."""
    if question.phrase:
        return temporal.said(mind, question, facts)
    usable = [fact for fact in facts if fact.usable]
    if not usable:
        return None
    target = question.targets[0] if question.targets else None
    best = max(usable, key=lambda fact: fact.shows(target) if target else 0.0)
    chance = best.shows(target) if target else 0.0
    if target and chance >= SHOWS:
        # Within the kind that is asked for, its likeliest member: `a dog, perhaps a beagle`.
        members = concepts().members[target]
        member = with_article(concepts().names[max(members, key=lambda index: best.p[index])])
        told = with_article(target)
        if len(members) > 1 and member.lower() != told and best.p[list(members)].max() >= MAYBE:
            told += f", perhaps {member}"
        return f"{'Yes' if chance >= FIRM else 'Probably'}, {told}{best.cite}."
    written = reading.saying(mind, question, sorted(usable, key=lambda f: f.shows(target) if target else 0.0)[::-1])
    if written:
        return f"Yes, in writing: {written}"
    if not target or target in PEOPLE:
        return None
    thing = with_article(target)
    if chance >= MAYBE:
        return f"Perhaps: something here could be {thing}{best.cite}, but I am not sure."
    likeliest = max(concepts().probability(target, fact.p) for fact in facts)
    if likeliest <= SHOWS_NOT and len(usable) == len(facts) and all(fact.p.max() >= SURE for fact in facts):
        return f"No, I don't see {thing}."
    return f"Probably not: I don't recognise {thing} in these frames."


def choice(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    """Choose what the frames show most clearly, or nothing."""
    vocabulary = concepts()
    scores: list[tuple[float, Fact]] = []
    for _, option in question.options:
        phrase = vocabulary.known(option) or next(iter(vocabulary.find(option)), None)
        best = max(facts, key=lambda fact: fact.shows(phrase) if phrase else 0.0)
        scores.append((best.shows(phrase) if phrase and best.usable else 0.0, best))
    top = max(range(len(scores)), key=lambda i: scores[i][0])
    letter, option = question.options[top]
    if scores[top][0] < MAYBE / 2 or scores[top][0] < 2 * sorted(score for score, _ in scores)[-2]:
        return None
    return (
        f"{letter}. {capital(option)}{scores[top][1].cite}."
        if letter
        else f"{capital(with_article(option))}{scores[top][1].cite}."
    )


def where(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    """Say in which part of the picture a thing is."""
    for target in question.targets:
        best = max((fact for fact in facts if fact.usable), key=lambda fact: fact.shows(target), default=None)
        if best is None or best.shows(target) < SHOWS:
            continue
        share = best.regions[:, list(concepts().members[target])].sum(axis=1).reshape(3, 3)
        strong = share >= 0.5 * share.max()
        if strong.sum() >= 6:
            return f"The {target} fills most of the picture{best.cite}."
        row, column = (float((share * strong).sum(axis=axis) @ [-1, 0, 1]) / (share * strong).sum() for axis in (1, 0))
        vertical = "top" if row < -0.4 else "bottom" if row > 0.4 else ""
        across = "left" if column < -0.4 else "right" if column > 0.4 else ""
        return f"The {target} is in the {f'{vertical} {across}'.strip() or 'middle'} of the picture{best.cite}."
    return None


def colour(mind: Mind, question: Question, facts: list[Fact], seen: list[Scene]) -> str | None:
    """Say what colour a thing has."""
    for target in question.targets:
        best = max((fact for fact in facts if fact.usable), key=lambda fact: fact.shows(target), default=None)
        if best is None or best.shows(target) < SHOWS:
            continue
        share = best.regions[:, list(concepts().members[target])].sum(axis=1).reshape(3, 3)
        return f"The {target} looks mostly {main_colour(best.frame.rgb, share)}{best.cite}."
    return None


_SHAPE_ANSWER = re.compile(r"(\d|An? (red|green|blue|yellow|black|white|purple|orange) (circle|square|triangle))\.")
DRAWN_COLOURS, DRAWN_SHARE = 8, 0.9
"""A picture is drawn where this few colours make up this share of it; our choice: photographs never do."""


def drawn(mind: Mind, question: Question, facts: list[Fact]) -> str | None:
    """Count and name simple shapes in a drawing with the visual tokens, which were trained for it (about 90% right).

    Asked for places and colours of shapes they are right too seldom (44% and 72%): those are left unanswered.
    """
    frame = facts[-1].frame
    if question.kind in ("where", "colour") or not _is_drawing(frame.rgb):
        return None
    prompt = [*turn("user", mind.frame_tokens(frame, "clear"), f"\n{question.text}"), *turn("assistant")]
    text = "".join(mind.language.generate(prompt, pictures=True, max_tokens=12)).strip()
    return f"{text[:-1]}{facts[-1].cite}." if _SHAPE_ANSWER.fullmatch(text) else None


def _is_drawing(rgb: np.ndarray) -> bool:
    import cv2

    small = cv2.resize(rgb, (96, 96), interpolation=cv2.INTER_AREA) // 16
    counts = np.unique(small.reshape(-1, 3), axis=0, return_counts=True)[1]
    return float(np.sort(counts)[-DRAWN_COLOURS:].sum()) >= DRAWN_SHARE * counts.sum()
