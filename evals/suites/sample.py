"""What a suite is made of: samples, the scores of a reply, and the functions that make them. No framework is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """One question about a moment of a video.

    Attributes:
        id: unique within the suite.
        group: the part or track that it belongs to.
        task: its task within that part.
        video: how the annotation names the video; samples of one video are not independent.
        path: the file to play; None if it was not found.
        kind: which prompt asks it; see the suite's `PROMPTS`.
        question: the bare question, from which memory reads what time is meant (see `memory.stream.recall`).
        fields: what the prompt is filled with, by placeholder.
        target: the right answer.
        asked_s: media time of the question in seconds; nothing later is seen.
        context_s: how many seconds before the question are seen; None is everything from the start.
        polls: media times at which a question that waits for something is put again, in seconds; else empty.
        due_s: when an answer that is waited for is right, in seconds; else None.
    """

    id: str
    group: str
    task: str
    video: str
    path: Path | None
    kind: str
    question: str
    fields: Mapping[str, str]
    target: str
    asked_s: float
    context_s: float | None = None
    polls: tuple[float, ...] = ()
    due_s: float | None = None


@dataclass(frozen=True)
class Loaded:
    """The samples of a folder, and what a person should know of them, such as a file that is missing."""

    samples: tuple[Sample, ...]
    notices: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class LoadOptions:
    """How a folder is read.

    Attributes:
        groups: the parts or tracks to read; empty is all that are there.
        context_s: seconds before a question that are seen, where the suite leaves it open; None is everything.
        official_clip: whether OVO-Bench's clips end at the next whole second, as its authors cut them.
    """

    groups: tuple[str, ...] = ()
    context_s: float | None = 60.0
    official_clip: bool = False


Scores = dict[str, bool]
"""Right or wrong by scoring: `official` and `strict` always, more where a suite has them."""


@dataclass(frozen=True)
class Suite:
    """A benchmark: loader, prompts and scorer.

    Attributes:
        name: as on the command line.
        title: one line for people.
        groups: the names of its parts or tracks, in the order of its tables.
        version: raised whenever the same reply could be asked for or scored otherwise.
        load: reads a folder; raises MediaError where the annotation is missing or malformed.
        prompts: a template by kind; placeholders are names in braces.
        score: rates a reply given at `said_s` (None: never spoke); needs no model, file or framework.
    """

    name: str
    title: str
    groups: tuple[str, ...]
    version: int
    load: Callable[[Path, LoadOptions], Loaded]
    prompts: Mapping[str, str]
    score: Callable[[Sample, str, float | None], Scores]
