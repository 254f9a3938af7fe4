"""`Item`, a sample with its media, and balanced random draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from evals.engine.suite import Sample
from evals.suites.attend_core.answers import LETTERS, Expected
from evals.suites.attend_core.media import Media
from evals.suites.attend_core.scorer import Case

Value = TypeVar("Value")

WORDS = (
    "ANCHOR BAMBOO CANDLE DOLPHIN ENGINE FALCON GARDEN HAMMER ISLAND JACKET KETTLE LEMON MARBLE NEEDLE ORCHARD PEPPER "
    "QUARRY RIBBON SADDLE TUNNEL UMBRELLA VIOLIN WALNUT ZEBRA BRIDGE COPPER DESERT FOREST GINGER HARBOUR"
).split()
CITIES = "Oslo Lisbon Geneva Prague Dublin Athens Warsaw Madrid Vienna Zurich Naples Bergen".split()
GOODS = "Bread Milk Apples Cheese Coffee Rice Honey Butter Eggs Tea".split()


@dataclass(frozen=True)
class Item:
    """A sample and its media; its source is known once the media are drawn.

    Attributes:
        media: its picture or film; items of one scene share it.
        task: the category.
        kind: of question, within the category.
        questions: asked one after the other; the last answer counts.
        case: data for the scorer.
        reference: the right answer in words, which the scorer accepts.
        cluster: the scene; "" is the name of the media.
        slices, replies, live: see `Sample`.
    """

    media: Media
    task: str
    kind: str
    questions: tuple[str, ...]
    case: Case
    reference: str
    cluster: str = ""
    slices: Mapping[str, str] = field(default_factory=dict)
    replies: tuple[str, ...] = ()
    live: bool = False

    def sample(self, source: str, number: int) -> Sample:
        """Return the sample, shown from a file; `number` makes it unique within its task."""
        fields: dict[str, Any] = {"case": self.case}
        return Sample(
            id=f"{self.task}-{number:02}",
            task=self.task,
            cluster=self.cluster or self.media.name,
            source=source,
            live=self.live,
            questions=self.questions,
            replies=self.replies,
            reference=self.reference,
            slices={"kind": f"{self.task}, {self.kind}", **self.slices},
            fields=fields,
        )


def balanced(rng: Random, values: Sequence[Value], count: int) -> list[Value]:
    """Return `count` values in random order, with equal frequencies up to one."""
    order = rng.sample(list(values), len(values))
    drawn = [order[number % len(order)] for number in range(count)]
    rng.shuffle(drawn)
    return drawn


def choose(question: str, right: str, wrong: Sequence[str], place: int) -> tuple[str, Expected, str]:
    """Letter some options, with the right one at a place from 0.

    Returns:
        The question with its options, the expected answer, and the reference.
    """
    options = [*wrong]
    options.insert(place, right)
    lines = [f"{letter}) {option}" for letter, option in zip(LETTERS, options, strict=False)]
    text = "\n".join([question, *lines, "Answer with the letter of one option."])
    letters = tuple(LETTERS[: len(options)])
    return text, Expected("option", right, options=tuple(options), guesses=letters), f"{LETTERS[place]}) {right}"


def counted(value: int, guesses: Sequence[int]) -> Expected:
    """Expect a number; a random answer is one of `guesses`."""
    return Expected("number", str(value), guesses=tuple(map(str, guesses)))


def written(value: str, others: Sequence[str], guesses: Sequence[str]) -> Expected:
    """Expect words as written; naming `others` of the scene as well is wrong."""
    return Expected("words", value, others=tuple(others), guesses=tuple(guesses))


def three_digits(rng: Random, count: int) -> list[int]:
    """Return distinct numbers from 102 to 987 with distinct digits, so that a part of one reveals little."""
    numbers = [number for number in range(102, 988) if len(set(str(number))) == 3 and "0" not in str(number)]
    return rng.sample(numbers, count)
