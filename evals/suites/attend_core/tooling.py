"""Questions that need a tool, and questions that need none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from evals.suites.attend_core.drawing import COLOURS, Thing, blank, with_text, with_things
from evals.suites.attend_core.items import Item, balanced, counted, three_digits
from evals.suites.attend_core.media import Film, Still
from evals.suites.attend_core.pictures import scene, things_at
from evals.suites.attend_core.scorer import Case
from tools.media import format_clock

if TYPE_CHECKING:
    from PIL.Image import Image

GLIMPSES, PRINTS, DOORS, SUMS = 8, 8, 8, 8
FPS, GLIMPSE_S = 5, 10
LARGE_PX = (2560, 1440)
PRINT_PX = 15
"""Height of small print. At 1,024 pixels, the default maximum side that a model sees, it is 6 pixels high."""


def tools(rng: Random) -> Iterator[Item]:
    """Yield a glimpse (`look`), small print (`look` or `read_text`), a choice of the person's (`ask_user`), a sum
    (none)."""
    yield from _glimpses(rng)
    yield from _prints(rng)
    yield from _doors(rng)
    yield from _sums(rng)


def _guesses(rng: Random, value: int) -> list[int]:
    return [*rng.sample(range(102, 988), 5), value]


def _glimpses(rng: Random) -> Iterator[Item]:
    """Show a card for less than a second, between two of the pictures that the agent gets, one a second."""
    for number, value in enumerate(three_digits(rng, GLIMPSES)):
        things = [Thing(thing.shape, thing.colour, thing.place, 0.5) for thing in things_at(rng, 2)]
        second = rng.randrange(3, GLIMPSE_S - 3)
        shown = {FPS * second + tick for tick in (1, 2, 3, 4)}
        times_s = tuple(tick / FPS for tick in range(FPS * GLIMPSE_S))
        question = (
            f"Between {format_clock(second)} and {format_clock(second + 1)} a card with a number is held up for a "
            "moment. Look again: which number? Answer with the number."
        )
        media = Film(f"glimpse-{number:02}", times_s, partial(_glimpse, things, value, shown, number))
        case = Case("plain", counted(value, _guesses(rng, value)), tools=("look",))
        yield Item(media, "tools", "glimpse", (question,), case, str(value), slices={"tool": "look"})


def _glimpse(things: Sequence[Thing], value: int, shown: set[int], style: int, number: int) -> Image:
    image = with_things(blank(style, (480, 270)), things)
    return with_text(image, str(value), 0.5, 0.5, 70, "#181818", "#ffffff") if number in shown else image


def _prints(rng: Random) -> Iterator[Item]:
    """Ask for a number in small print, on one of two labels of a large picture."""
    for number, value in enumerate(three_digits(rng, PRINTS)):
        other = rng.choice([code for code in three_digits(rng, 5) if code != value])
        left = number % 2 == 0
        question = f"Which number is in small print on the {'left' if left else 'right'} label? Answer with the number."
        codes = (value, other) if left else (other, value)
        media = Still(f"print-{number:02}", partial(labels, codes, number))
        case = Case("plain", counted(value, _guesses(rng, value)), tools=("look", "read_text"))
        yield Item(media, "tools", "small print", (question,), case, str(value), slices={"tool": "look or read_text"})


def labels(codes: tuple[int, int], style: int) -> Image:
    """Draw two labels with small print, in a large picture."""
    from PIL import ImageDraw

    image = blank(style, LARGE_PX)
    draw = ImageDraw.Draw(image)
    for x, code in zip((0.27, 0.73), codes, strict=True):
        centre = x * image.width
        draw.rectangle((centre - 200, 560, centre + 200, 880), fill="#fdfdfa", outline="#404040", width=3)
        with_text(image, f"Lot {code}", x, 0.5, PRINT_PX, "#202020")
    return image


def _doors(rng: Random) -> Iterator[Item]:
    """Ask about one of three doors that only the person knows."""
    for number in range(DOORS):
        colours, values = rng.sample([colour for colour in COLOURS if colour != "black"], 3), three_digits(rng, 3)
        meant = rng.randrange(3)
        question = (
            "I mean one of these three doors, but I have not told you which. Ask me which one, "
            "then tell me its number and no other. Answer with the number."
        )
        media = Still(f"doors-{number:02}", partial(doors, colours, values, number))
        case = Case("plain", counted(values[meant], values), tools=("ask_user",))
        yield Item(
            media, "tools", "which one", (question,), case, str(values[meant]), slices={"tool": "ask_user"},
            replies=(colours[meant],), live=True,
        )  # fmt: skip


def doors(colours: Sequence[str], values: Sequence[int], style: int) -> Image:
    """Draw three doors of different colours with a number each."""
    from PIL import ImageDraw

    image = blank(style)
    draw = ImageDraw.Draw(image)
    for place, (colour, value) in enumerate(zip(colours, values, strict=True)):
        x = (place + 0.5) / 3
        draw.rectangle((x * 640 - 80, 50, x * 640 + 80, 360), fill=COLOURS[colour])
        with_text(image, str(value), x, 0.4, 40, "#181818", "#f8f4e4")
    return image


def _sums(rng: Random) -> Iterator[Item]:
    """Ask for a sum over plainly visible things, which needs neither a search nor a person."""
    for number, count in enumerate(balanced(rng, (2, 3, 4, 5), SUMS)):
        more = rng.randint(2, 9)
        things = things_at(rng, count)
        question = f"Count the shapes in the picture and add {more}. What do you get? Answer with a number."
        media = Still(f"sum-{number:02}", partial(scene, things, number))
        case = Case("no tools", counted(count + more, range(more + 2, more + 6)))
        yield Item(media, "tools", "sum", (question,), case, str(count + more), slices={"tool": "none"})
