"""Questions about films: when, in which order, what changed, how long ago, and what only a tool can show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from evals.suites.attend_core.answers import Expected
from evals.suites.attend_core.drawing import (
    COLOURS,
    NATURAL,
    PLATES,
    SHAPES,
    Thing,
    blank,
    natural,
    with_text,
    with_things,
)
from evals.suites.attend_core.items import WORDS, Item, balanced, choose, counted, written
from evals.suites.attend_core.media import Film
from evals.suites.attend_core.pictures import things_at
from evals.suites.attend_core.scorer import Case
from evals.suites.attend_core.trust import twin
from tools.media import format_clock

if TYPE_CHECKING:
    from PIL.Image import Image

SIZE_PX = (480, 270)
LENGTH_S = 12
APPEAR, ORDER, CHANGE, MOTION, COUNT, ABSENT_PAIRS = 10, 10, 8, 8, 8, 6
TOLERANCE_S = 1.0
"""Tolerance of an answered time: a film of one picture a second shows no more."""

AGES = (("now", 0.0), ("under 1 min", 59.0), ("1-5 min", 300.0), ("over 5 min", 1e9))
"""Classes of the age of the evidence: name, and maximum age in seconds."""
TALES, HELD = 30, 3
STEPS_S = (3.0, 20.0, 60.0)
"""Interval of pictures in films for memory, in seconds; each scene lasts `HELD` pictures. A film of many minutes then
costs no more than a short one."""


def film(name: str, pictures: Sequence[Sequence[Thing]], ground: int) -> Film:
    """Make a film of one picture a second."""
    return Film(name, tuple(map(float, range(len(pictures)))), partial(_still, pictures, ground))


def _still(pictures: Sequence[Sequence[Thing]], ground: int, number: int) -> Image:
    return with_things(blank(ground, SIZE_PX), pictures[number])


def times(rng: Random) -> Iterator[Item]:
    """Ask when something appears, in which order things come, what changes, where it moves, how often it comes."""
    yield from _appearing(rng)
    yield from _ordering(rng)
    yield from _changing(rng)
    yield from _moving(rng)
    yield from _coming(rng)


def _appearing(rng: Random) -> Iterator[Item]:
    for number, (at_s, last) in enumerate(
        zip(balanced(rng, range(2, 11), APPEAR), balanced(rng, (False, True), APPEAR), strict=True)
    ):
        things = things_at(rng, 4)
        thing, others = things[0], things[1:]
        pictures = [others if (t_s < at_s) != last else things for t_s in range(LENGTH_S)]
        question = f"When does the {thing.name} {'disappear' if last else 'appear'}? Answer with the time in the film."
        expected = at_time(at_s, at_s)
        yield Item(
            film(f"appear-{number:02}", pictures, number), "time", "when", (question,), Case("plain", expected),
            f"[{format_clock(at_s)}]",
        )  # fmt: skip


def at_time(first_s: float, last_s: float, step_s: float = 1.0, pictures: int = LENGTH_S) -> Expected:
    """Expect a media time within a stretch, in a film of so many pictures `step_s` seconds apart."""
    guesses = tuple(format_clock(step_s * number) for number in range(pictures))
    return Expected("time", span_s=(first_s, last_s), tolerance_s=TOLERANCE_S, guesses=guesses)


def _ordering(rng: Random) -> Iterator[Item]:
    """Show four things one after the other; each is an option."""
    asked = balanced(rng, ("first", "last", "right before", "right after"), ORDER)
    for number, (what, place) in enumerate(zip(asked, balanced(rng, range(4), ORDER), strict=True)):
        things = [replace(thing, place=1) for thing in things_at(rng, 4)]
        pictures = [[things[t_s // 3]] for t_s in range(LENGTH_S)]
        at = {"first": 0, "last": 3, "right before": rng.randrange(3), "right after": rng.randrange(1, 4)}[what]
        anchor = at + {"right before": 1, "right after": -1}.get(what, 0)
        question = (
            f"Which shape is shown {what}?"
            if anchor == at
            else f"Which shape is shown {what} the {things[anchor].name}?"
        )
        wrong = [thing.name for index, thing in enumerate(things) if index not in (at, anchor)]
        if anchor != at:  # a fourth option that is never shown: the anchor is not one
            wrong.append(_unseen(rng, things))
        text, expected, reference = choose(question, things[at].name, rng.sample(wrong, 3), place)
        yield Item(
            film(f"order-{number:02}", pictures, number), "time", "order", (text,), Case("plain", expected), reference
        )


def _unseen(rng: Random, things: Sequence[Thing]) -> str:
    shown = {thing.name for thing in things}
    return rng.choice([name for colour in COLOURS for shape in SHAPES if (name := f"{colour} {shape}") not in shown])


def _changing(rng: Random) -> Iterator[Item]:
    """Change the colour of one of four shapes halfway; all four are options."""
    for number, place in enumerate(balanced(rng, range(4), CHANGE)):
        kinds = rng.sample(SHAPES, 4)
        colours = rng.sample(list(COLOURS), 4)
        places = rng.sample(range(6), 4)
        things = [Thing(*kind) for kind in zip(kinds, colours, places, strict=True)]
        at_s, one = rng.randrange(4, 9), rng.randrange(4)
        new = rng.choice([colour for colour in COLOURS if colour != things[one].colour])
        after = [replace(thing, colour=new) if index == one else thing for index, thing in enumerate(things)]
        pictures = [things if t_s < at_s else after for t_s in range(LENGTH_S)]
        wrong = [thing.shape for index, thing in enumerate(things) if index != one]
        text, expected, reference = choose("Which shape changes its colour?", things[one].shape, wrong, place)
        yield Item(
            film(f"change-{number:02}", pictures, number), "time", "change", (text,), Case("plain", expected), reference
        )


def _moving(rng: Random) -> Iterator[Item]:
    """Move a shape from one side of the picture to another."""
    ways = {"left": (2, 1, 0), "right": (0, 1, 2), "upwards": (4, 1), "downwards": (1, 4)}
    asked = balanced(rng, list(ways), MOTION)
    for number, (way, place) in enumerate(zip(asked, balanced(rng, range(4), MOTION), strict=True)):
        path, thing = ways[way], things_at(rng, 1)[0]
        pictures = [[replace(thing, place=path[t_s * len(path) // LENGTH_S])] for t_s in range(LENGTH_S)]
        wrong = [other for other in ways if other != way]
        text, expected, reference = choose(f"In which direction does the {thing.name} move?", way, wrong, place)
        yield Item(
            film(f"motion-{number:02}", pictures, number), "time", "motion", (text,), Case("plain", expected), reference
        )


def _coming(rng: Random) -> Iterator[Item]:
    """Let a shape come and go; it is away for at least two pictures."""
    for number, count in enumerate(balanced(rng, (1, 2, 3, 4), COUNT)):
        things = things_at(rng, 3)
        starts = sorted(rng.sample(range(0, LENGTH_S - 2, 3), count)) if count > 1 else [rng.randrange(1, 8)]
        shown = {start + 1 for start in starts}
        pictures = [things if t_s in shown else things[1:] for t_s in range(LENGTH_S)]
        question = f"How many times does the {things[0].name} appear? Answer with a number."
        yield Item(
            film(f"times-{number:02}", pictures, number), "time", "how often", (question,),
            Case("plain", counted(count, range(1, 5))), str(count),
        )  # fmt: skip


def absent_films(rng: Random) -> Iterator[Item]:
    """Ask when something appears that does, and that never does."""
    for number, at_s in enumerate(balanced(rng, range(2, 11), ABSENT_PAIRS)):
        things = things_at(rng, 5)
        thing, other, rest = things[0], replace(things[1], place=things[0].place), things[2:]
        question = f"When does the {thing.name} appear?"
        for name, comes in (("there", thing), ("gone", other)):
            pictures = [rest if t_s < at_s else [*rest, comes] for t_s in range(LENGTH_S)]
            media = film(f"absent-film-{number:02}-{name}", pictures, number)
            case = Case("absent", at_time(at_s, at_s), name == "there", thing.name)
            item = twin(media, "when", question, case, f"absent-film-{number:02}")
            yield replace(item, reference=f"[{format_clock(at_s)}]") if case.holds else item


def memories(rng: Random) -> Iterator[Item]:
    """Alternate signs and natural pictures, in films of one to 23 minutes, with questions by their age."""
    for number, step_s in enumerate(balanced(rng, STEPS_S, TALES)):
        pairs = zip(rng.sample(WORDS, 4), rng.sample(list(NATURAL), 4), strict=True)
        shown = [value for pair in pairs for value in pair]
        if number % 2:
            shown.reverse()
        times_s = tuple(step_s * picture for picture in range(HELD * len(shown)))
        media = Film(f"memory-{number:02}", times_s, partial(_tale, shown, number))
        asked = list(_about(rng, media, shown))
        # Two of the five, so that each is asked equally often, together with each pair of others.
        yield from (asked[number % 5], asked[(number + 1 + number // 5 % 2) % 5])


def _tale(shown: Sequence[str], style: int, number: int) -> Image:
    value = shown[number // HELD]
    if value in NATURAL:
        return natural(value, SIZE_PX)
    ink, back = PLATES[style % len(PLATES)]
    return with_text(blank(style + number // HELD, SIZE_PX), value, 0.5, 0.5, 44, ink, back)


def _about(rng: Random, media: Film, shown: Sequence[str]) -> Iterator[Item]:
    """Ask five questions about one film, each about another scene of it."""
    step_s, now_s = media.times_s[1], media.times_s[-1]
    places = iter(balanced(rng, range(4), 5))

    def item(kind: str, question: str, expected: Expected, reference: str, index: int) -> Item:
        age_s = now_s - step_s * (HELD * (index + 1) - 1)
        age = next(name for name, most_s in AGES if age_s <= most_s)
        return Item(media, "memory", kind, (question,), Case("plain", expected), reference, slices={"age": age})

    def value_of(kind: str, question: str, index: int) -> Item:
        value = shown[index]
        if value in NATURAL:
            wrong = rng.sample([text for other, text in NATURAL.items() if other != value], 3)
            text, expected, reference = choose(question.format("thing"), NATURAL[value], wrong, next(places))
            return item(kind, text, expected, reference, index)
        others = [other for other in shown if other not in NATURAL and other != value]
        return item(kind, question.format("word"), written(value, others, WORDS), value, index)

    def middle_s(index: int) -> float:
        return step_s * (HELD * index + 1)

    last = len(shown) - 1
    early, middle, late = rng.choice((0, 1)), *rng.sample((2, 3, 4, 5), 2)
    yield value_of("now", "Which {} is shown now?", last)
    yield value_of("ago", f"Which {{}} was shown {_spoken(now_s - middle_s(last - 1))} ago?", last - 1)
    yield value_of("ago", f"Which {{}} was shown {_spoken(now_s - middle_s(middle))} ago?", middle)
    yield value_of("at", f"Which {{}} was shown at {format_clock(middle_s(early))}?", early)
    named = NATURAL.get(shown[late], f"the word {shown[late]}")
    question = f"At what time was {named} shown? Answer with the time in the film."
    expected = at_time(step_s * HELD * late, step_s * (HELD * (late + 1) - 1), step_s, len(media.times_s))
    yield item("when", question, expected, f"[{format_clock(middle_s(late))}]", late)


def _spoken(seconds: float) -> str:
    """Format a duration as people say it; in minutes if it is a whole number of them."""
    return f"{seconds:.0f} seconds" if seconds % 60 else f"{seconds / 60:.0f} minute{'s' * (seconds > 60)}"
