"""attend-core as a suite: the agent's purpose, in pictures and films that code draws; see README.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from pydantic import BaseModel, ConfigDict, Field

from evals.engine.suite import Loaded, Suite
from evals.suites.attend_core import clips, pictures, tooling, trust
from evals.suites.attend_core.items import Item
from evals.suites.attend_core.media import draw_all
from evals.suites.attend_core.scorer import at_random, figures, score

VERSION = 2
"""Version of questions and scores. 2: in `absent`, denying something present is wrong whatever else is said; options
are read without their articles."""
DRAWN = 1
"""Version of the drawings and questions."""

PARTS: tuple[Callable[[Random], Iterator[Item]], ...] = (
    pictures.seeing,
    pictures.reading,
    clips.times,
    clips.memories,
    trust.help_,
    tooling.tools,
    trust.absent,
    clips.absent_films,
    trust.injection,
    trust.dialogues,
)


class Options(BaseModel):
    """The suite's own options.

    Attributes:
        draw: which of the equivalent sets of questions to ask; published results are of set 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    draw: int = Field(default=0, ge=0, lt=2**32)


def items(draw: int = 0) -> Iterator[Item]:
    """Yield all items in a fixed order; every part has its own random generator."""
    for part in PARTS:
        yield from part(Random(f"attend-core {DRAWN} {draw} {part.__module__} {part.__name__}"))


def load(data: Path | None, options: Options) -> Loaded:
    """Draw missing media, below the data folder or the user's cache folder.

    Raises:
        StoreError: if the folder cannot be written.
    """
    from platformdirs import user_cache_path

    folder = (data or user_cache_path("attend") / "evals") / f"attend-core-{DRAWN}-{options.draw}"
    asked = list(items(options.draw))
    media = {item.media.name: item.media for item in asked}
    listed = draw_all(list(media.values()), folder)
    numbers: Counter[str] = Counter()
    samples = []
    for item in asked:
        numbers[item.task] += 1
        samples.append(item.sample(str(folder / item.media.file), numbers[item.task]))
    return Loaded(tuple(samples), files=(listed,))


SUITE = Suite(
    name="attend-core",
    title="Attend's own: seeing, reading, time, memory, help, tools, honesty, orders in pictures, dialogues",
    version=VERSION,
    load=load,
    score=score,
    solve="agent",
    options=Options,
    baselines={"random": at_random, "oracle": lambda sample, rng: sample.reference},
    figures=figures,
)
