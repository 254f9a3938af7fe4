"""Training samples for the adapter, made on the fly: frames (true or pseudo), evidence, a question, its answer.

A pseudo-frame holds the tokens that a picture of any noun phrase would give: the mean word embedding of the phrase,
mixed with others as an unsure vision network would, plus noise. Thousands of phrases teach the language model to read
tags that no picture of the training set shows. Questions on evidence teach it to answer from what is given, with the
time, and to say that it cannot tell.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from agent.models.blocks import Detail
from agent.models.embedded.imagenet import with_article
from tools.media.clock import format_clock

CANNOT_TELL = "I can't tell from these frames."
PROBLEMS = ("blurry", "too dark", "overexposed", "noisy", "covered")
_WORDS = (
    "EXIT",
    "STOP",
    "Room 12",
    "72 bpm",
    "Save",
    "Patient list",
    "OPEN",
    "12:45",
    "Gate B4",
    "Total 38.50",
    "ERROR",
)
_NAME = ("What is shown here?", "What is this?", "What do you see?", "Name the main object.", "What is in the picture?")
_UNANSWERABLE = (
    "What is the person's name?", "Why did this happen?", "What will happen next?", "How much does it cost?",
    "Who owns this?", "What are they thinking?", "Which city is this?", "How old is it?", "What is behind the camera?",
)  # fmt: skip


@dataclass(frozen=True)
class FrameOf:
    """A frame of a sample: a picture of the training set (`picture`), or else a pseudo-frame of `phrase`."""

    phrase: str
    picture: int | None
    detail: Detail
    t_s: float | None


@dataclass(frozen=True)
class Sample:
    """Frames, the text after them, and the answer to learn."""

    task: str
    frames: tuple[FrameOf, ...]
    text: str
    answer: str


class Samples:
    """An endless source of samples.

    Args:
        phrases: noun phrases for pseudo-frames.
        pictures: class names by the index of a picture that may be shown.
        seed: makes the samples repeatable.
    """

    def __init__(self, phrases: list[str], pictures: dict[int, str], seed: int) -> None:
        self._random = random.Random(seed)
        self._phrases, self._pictures = phrases, pictures
        self._tasks: list[tuple[Callable[[], Sample], int]] = [
            (self.name, 8), (self.video, 5), (self.evidence, 3), (self.exists, 2), (self.unanswerable, 2),
        ]  # fmt: skip

    def next(self) -> Sample:
        """Return the next sample."""
        makers, weights = zip(*self._tasks, strict=True)
        return self._random.choices(makers, weights)[0]()

    def name(self) -> Sample:
        """One frame, named."""
        frame = self._frame(None, single=True)
        return Sample("name", (frame,), self._random.choice(_NAME), f"{_capital(with_article(frame.phrase))}.")

    def video(self) -> Sample:
        """Two to four scenes with times: when, what at a time, what next, what in order."""
        r = self._random
        step, start = r.choice((1, 2, 5, 10)), r.choice((0, 0, r.randint(1, 300)))
        frames: list[FrameOf] = []
        for _ in range(r.randint(2, 4)):
            scene = self._frame(0.0)
            for _ in range(r.randint(1, 2)):
                frames.append(FrameOf(scene.phrase, scene.picture, scene.detail, start + step * len(frames)))
        firsts = [f for i, f in enumerate(frames) if i == 0 or frames[i - 1].phrase != f.phrase]
        at = r.randrange(len(firsts))
        chosen = firsts[at]
        ask = r.choice(("when", "at", "next", "order") if at + 1 < len(firsts) else ("when", "at", "order"))
        if ask == "when":
            text, answer = f"When does the {chosen.phrase} appear?", f"At {_clock(chosen)}."
        elif ask == "at":
            text = f"What is shown at {_clock(chosen).strip('[]')}?"
            answer = f"{_capital(with_article(chosen.phrase))} {_clock(chosen)}."
        elif ask == "next":
            text = f"What comes after the {chosen.phrase}?"
            answer = f"{_capital(with_article(firsts[at + 1].phrase))} {_clock(firsts[at + 1])}."
        else:
            text = "Describe the video in order."
            answer = f"{_capital(', then '.join(f'{with_article(f.phrase)} {_clock(f)}' for f in firsts))}."
        return Sample("video", tuple(frames), text, answer)

    def evidence(self) -> Sample:
        """Words or a bad quality, given as text, asked for."""
        r = self._random
        frame = self._frame(r.randint(0, 200) if r.random() < 0.5 else None, single=True)
        stamp = f"{_clock(frame)} " if frame.t_s is not None else ""
        cited = f" {_clock(frame)}" if frame.t_s is not None else ""
        if r.random() < 0.5:
            word = r.choice((*_WORDS, r.choice(self._phrases)))
            text = f'Words: {stamp}"{word}".\n' + r.choice(("What does it say?", "Read the text.", "What is written?"))
            return Sample("words", (frame,), text, f'It says "{word}"{cited}.')
        problem = r.choice(PROBLEMS)
        question = r.choice(("Is there a problem with the picture?", "How is the quality?", "Can you see well?"))
        answer = f"The picture is {problem}{cited}."
        return Sample("quality", (frame,), f"Quality: {stamp}{problem}.\n{question}", answer)

    def exists(self) -> Sample:
        """Yes or no."""
        frame = self._frame(None, single=True)
        there = self._random.random() < 0.5
        phrase = frame.phrase if there else self._random.choice(self._phrases)
        return Sample("exists", (frame,), f"Is there {with_article(phrase)}?", "Yes." if there else "No.")

    def unanswerable(self) -> Sample:
        """What no picture can tell."""
        frame = self._frame(None, single=True)
        return Sample("unanswerable", (frame,), self._random.choice(_UNANSWERABLE), CANNOT_TELL)

    def _frame(self, t_s: float | None, *, single: bool = False) -> FrameOf:
        r = self._random
        levels: tuple[Detail, ...] = ("clear", "fuzzy", "glance")
        detail = r.choices(levels, (1, 5, 4) if single else (0, 6, 4))[0]
        if r.random() < 0.35 and self._pictures:
            picture = r.choice(list(self._pictures))
            return FrameOf(self._pictures[picture], picture, detail, t_s)
        return FrameOf(r.choice(self._phrases), None, detail, t_s)


def mixed_classes(classes: np.ndarray, random_: random.Random) -> np.ndarray:
    """Make class probabilities (..., 1000) sharper or flatter, as on pictures that were never seen before."""
    powered = np.power(classes, random_.uniform(0.5, 1.5))
    return powered / powered.sum(-1, keepdims=True)


def _clock(frame: FrameOf) -> str:
    return f"[{format_clock(frame.t_s or 0.0)}]"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
