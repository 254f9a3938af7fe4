"""Questions about single pictures: seeing and reading."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from evals.suites.attend_core.drawing import (
    COLOURS,
    NATURAL,
    PLACES,
    PLATES,
    SHAPES,
    Thing,
    blank,
    natural,
    with_table,
    with_text,
    with_things,
)
from evals.suites.attend_core.items import CITIES, GOODS, WORDS, Item, balanced, choose, counted, written
from evals.suites.attend_core.media import Still
from evals.suites.attend_core.scorer import Case

if TYPE_CHECKING:
    from PIL.Image import Image

SCENES, BOARDS, RECEIPTS, SIGNS = 12, 8, 7, 10


def things_at(rng: Random, count: int) -> list[Thing]:
    """Draw shapes at different places, no two alike in both colour and shape."""
    kinds = rng.sample([(shape, colour) for shape in SHAPES for colour in COLOURS], count)
    places = rng.sample(range(len(PLACES)), count)
    return [Thing(shape, colour, place) for (shape, colour), place in zip(kinds, places, strict=True)]


def scene(things: list[Thing], ground: int) -> Image:
    """Make a picture of shapes."""
    return with_things(blank(ground), things)


def seeing(rng: Random) -> Iterator[Item]:
    """Ask for the names of natural pictures, and about drawn scenes: counts, relations, sizes, the odd one out."""
    places = balanced(rng, range(4), len(NATURAL))
    for name, place in zip(NATURAL, places, strict=True):
        wrong = rng.sample([text for other, text in NATURAL.items() if other != name], 3)
        text, expected, reference = choose("What does the picture show?", NATURAL[name], wrong, place)
        media = Still(f"natural-{name}", partial(natural, name))
        yield Item(media, "see", "name", (text,), Case("plain", expected), reference)
    yield from _counts(rng)
    yield from _relations(rng)
    yield from _sizes(rng)


def _counts(rng: Random) -> Iterator[Item]:
    for number, count in enumerate(balanced(rng, (1, 2, 3, 4), SCENES)):
        # As many of the colour as of the shape would give the answer away: each scene asks about one of both.
        by_colour = number % 2 == 0
        colour, shape = rng.choice(list(COLOURS)), rng.choice(SHAPES)
        others = [other for other in (COLOURS if by_colour else SHAPES) if other not in (colour, shape)]
        free = rng.sample(range(len(PLACES)), len(PLACES))
        shown = rng.randint(count + 1, len(PLACES))
        things = []
        for index, place in enumerate(free[:shown]):
            other = rng.choice(others)
            mine = index < count
            if by_colour:
                things.append(Thing(rng.choice(SHAPES), colour if mine else other, place, rng.uniform(0.5, 0.85)))
            else:
                things.append(Thing(shape if mine else other, rng.choice(list(COLOURS)), place, rng.uniform(0.5, 0.85)))
        asked = f"{colour} shapes" if by_colour else "crosses" if shape == "cross" else f"{shape}s"
        media = Still(f"count-{number:02}", partial(scene, things, number))
        question = f"How many {asked} are in the picture? Answer with a number."
        yield Item(media, "see", "count", (question,), Case("plain", counted(count, range(1, 5))), str(count))


def _relations(rng: Random) -> Iterator[Item]:
    """Ask what is beside or below something: the picture is needed, since every option is in it."""
    sides = balanced(rng, ("right of", "left of", "below", "above"), SCENES)
    for number, (side, place) in enumerate(zip(sides, balanced(rng, range(4), SCENES), strict=True)):
        things = things_at(rng, 6)
        by_place = {thing.place: thing for thing in things}
        step = {"right of": 1, "left of": -1, "below": 3, "above": -3}[side]
        pairs = [
            (at, at + step)
            for at in by_place
            if at + step in by_place and (abs(step) == 3 or at // 3 == (at + step) // 3)
        ]
        at, there = rng.choice(pairs)
        wrong = rng.sample([thing.name for thing in things if thing.place not in (at, there)], 3)
        question = f"Which shape is directly {side} the {by_place[at].name}?"
        text, expected, reference = choose(question, by_place[there].name, wrong, place)
        media = Still(f"relation-{number:02}", partial(scene, things, number))
        yield Item(media, "see", "relation", (text,), Case("plain", expected), reference)


def _sizes(rng: Random) -> Iterator[Item]:
    for number, place in enumerate(balanced(rng, range(4), SCENES)):
        largest = number % 2 == 0
        sizes = [0.95, 0.62, 0.6, 0.58] if largest else [0.3, 0.66, 0.7, 0.68]
        things = [
            Thing(thing.shape, thing.colour, thing.place, size)
            for thing, size in zip(things_at(rng, 4), sizes, strict=True)
        ]
        question = f"Which shape is the {'largest' if largest else 'smallest'}?"
        text, expected, reference = choose(question, things[0].name, [thing.name for thing in things[1:]], place)
        media = Still(f"size-{number:02}", partial(scene, things, number))
        yield Item(media, "see", "size", (text,), Case("plain", expected), reference)


def reading(rng: Random) -> Iterator[Item]:
    """Show signs, departure boards and receipts: one line, the right line of several, and inference from two."""
    behind = balanced(rng, list(NATURAL), SIGNS)
    for number, name in enumerate(behind):
        value = " ".join(rng.sample(WORDS, 2))
        media = Still(f"sign-{number:02}", partial(one_sign, value, name, number))
        guesses = [" ".join(rng.sample(WORDS, 2)) for _ in range(5)]
        case = Case("plain", written(value, (), [*guesses, value]))
        yield Item(media, "read", "sign", ("What does the sign say?",), case, value)
    words = rng.sample(WORDS, 2 * SIGNS)
    for number in range(SIGNS):
        upper, lower = words[2 * number : 2 * number + 2]
        first = number % 2 == 0
        question = f"Two signs hang one above the other. Which word is on the {'upper' if first else 'lower'} one?"
        value, other = (upper, lower) if first else (lower, upper)
        media = Still(f"signs-{number:02}", partial(two_signs, upper, lower, number))
        yield Item(media, "read", "one of two", (question,), Case("plain", written(value, [other], WORDS)), value)
    for number in range(BOARDS):
        yield from _board(rng, number)
    for number in range(RECEIPTS):
        yield from _receipt(rng, number)


def one_sign(words: str, name: str, style: int) -> Image:
    """Draw a plate with words in front of a natural picture."""
    ink, back = PLATES[style % len(PLATES)]
    return with_text(natural(name), words, 0.5, 0.3 + 0.1 * (style % 5), 30, ink, back)


def two_signs(upper: str, lower: str, ground: int) -> Image:
    """Draw two plates with a word each."""
    ink, back = PLATES[ground % len(PLATES)]
    x = 0.3 + 0.1 * (ground % 5)
    image = with_text(blank(ground), upper, x, 0.28, 44, ink, back)
    return with_text(image, lower, 1 - x, 0.7, 44, ink, back)


def departures(rng: Random, count: int) -> list[tuple[str, str, str]]:
    """Return lines of departures: time, city, platform; in order of time, which is not that of the board."""
    cities, platforms = rng.sample(CITIES, count), rng.sample(range(2, 20), count)
    minutes = sorted(rng.sample(range(6 * 60, 22 * 60), count))
    return [
        (f"{at // 60:02}:{at % 60:02}", city, str(platform))
        for at, city, platform in zip(minutes, cities, platforms, strict=True)
    ]


def board(rows: list[tuple[str, str, str]], style: int) -> Image:
    """Draw a departure board."""
    ink, back = (("#f5f0d0", "#1b2a3a"), ("#202020", "#f4f4ee"), ("#ffe08a", "#202020"))[style % 3]
    return with_table(blank(style), [("TIME", "TO", "PLATFORM"), *rows], (0.1, 0.32, 0.66), ink, back)


def _board(rng: Random, number: int) -> Iterator[Item]:
    rows = departures(rng, 5)
    media = Still(f"board-{number:02}", partial(board, rng.sample(rows, 5), number))
    platforms = range(2, 20)
    _, city, platform = rng.choice(rows)
    question = f"From which platform does the train to {city} leave? Answer with a number."
    yield Item(media, "read", "table", (question,), Case("plain", counted(int(platform), platforms)), platform)
    place = rng.randrange(4)
    after = rows[place]
    question = f"Which train leaves next after the one to {after[1]}? Answer with the city."
    others = [row[1] for row in rows if row not in (rows[place + 1], after)]
    expected = written(rows[place + 1][1], others, CITIES)
    yield Item(media, "read", "inference", (question,), Case("plain", expected), rows[place + 1][1])


def _receipt(rng: Random, number: int) -> Iterator[Item]:
    goods, prices = rng.sample(GOODS, 5), rng.sample(range(2, 10), 5)
    rows = [(name, f"{price}.00") for name, price in zip(goods, prices, strict=True)]
    media = Still(f"receipt-{number:02}", partial(receipt, rows, number))
    one, two = rng.sample(range(5), 2)
    question = f"What is the price of {goods[one].lower()} on the receipt? Answer with a number."
    yield Item(media, "read", "table", (question,), Case("plain", counted(prices[one], range(2, 10))), str(prices[one]))
    question = (
        f"What do {goods[one].lower()} and {goods[two].lower()} cost together, by the receipt? Answer with a number."
    )
    total = prices[one] + prices[two]
    yield Item(media, "read", "inference", (question,), Case("plain", counted(total, range(5, 18))), str(total))


def receipt(rows: list[tuple[str, str]], style: int) -> Image:
    """Draw a receipt: goods and prices."""
    paper = ("#fdfdf9", "#f1e8d2", "#dfe1dd")[style % 3]
    return with_table(blank(style + 1), [("RECEIPT", "EUR"), *rows], (0.2, 0.66), "#202020", paper)
