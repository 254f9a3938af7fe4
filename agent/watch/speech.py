"""Watches for speech, such as "somebody says fire": judged by code over the transcript, whatever the model."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.core.citations import Answer
from agent.perception.session import SourceSession
from agent.watch.evaluator import Judgement
from memory.stream.notes import tokenize
from tools.hearing.questions import PEOPLE, SAYS, SPEAKS, asks_about_sound
from tools.media import format_clock
from tools.media.sound import Utterance

EXPECTED = "It can listen for words (somebody says fire) and for speech (somebody speaks)."
_SAID = re.compile(
    rf"\b{PEOPLE} (?:has |have |ever )?(?:{SAYS}|{SPEAKS} (?:about|of))\s+"
    r"(?!anything\b|something\b)(?:the (?:words?|phrase|name) |about |that )?(?P<words>.+)$",
    re.IGNORECASE,
)
_IS_SAID = re.compile(
    r"\b(?:the (?:words?|phrase|name) )?(?P<words>\S.*?) (?:is|are|gets?) (?:said|spoken|mentioned|heard)\b",
    re.IGNORECASE,
)
_SPEECH = re.compile(rf"\b(?:{SPEAKS}|speech|voices?|conversation|{SAYS} (?:any|some)thing)\b", re.IGNORECASE)
_ASKING = re.compile(
    r"^(?:please )?(?:(?:tell|alert|warn) me |let me know )?(?:when(?:ever)?|if|once)? ?", re.IGNORECASE
)
_ANYBODY = frozenset({"something", "anything", "speech", "voice", "word"})


@dataclass(frozen=True)
class Spoken:
    """A condition about what is said: the words, as `tokenize` returns them; none for any speech."""

    words: tuple[str, ...] = ()


def spoken_condition(condition: str) -> Spoken | str | None:
    """Return what a condition listens for, why it cannot be heard, or None where it is not about sound."""
    text = _ASKING.sub("", condition.strip(" .!?"))
    if not asks_about_sound(text):
        return None
    match = _SAID.search(text) or _IS_SAID.search(text)
    if match:
        words = tokenize(match["words"].strip(" \"'“”‘’"))
        return Spoken(() if set(words) <= _ANYBODY else words)
    if _SPEECH.search(text):
        return Spoken()
    return f"Only speech is understood, no other sounds. {EXPECTED}"


def refusal(spoken: Spoken | str | None, session: SourceSession) -> str:
    """Say why a condition about sound cannot be judged now; "" where it can."""
    if isinstance(spoken, str):
        return spoken
    problem = session.hearing.problem if spoken is not None else ""
    return f"Nothing can be heard: {problem}." if problem else ""


def judge_speech(spoken: Spoken, line: Utterance, session: SourceSession) -> Judgement | None:
    """Judge an utterance; None where there is no picture to show with it."""
    found_s = _time_of(spoken, line)
    t_s = line.start_s if found_s is None else found_s
    frame = session.view.near(t_s) or session.view.newest()
    if frame is None:
        return None
    said = f"“{line.text}” is said [{format_clock(float(int(t_s)))}]."
    return Judgement(
        outcome="no" if found_s is None else "yes",
        answer=Answer(text=said),
        t_s=t_s,
        frames=(frame,),
        calls=0,
        tokens=0,
        happened=True,
    )


def _time_of(spoken: Spoken, line: Utterance) -> float | None:
    """Return when the words are said in an utterance, in seconds; None where they are not."""
    tokens = [(token, word.start_s) for word in line.words for token in tokenize(word.text)]
    tokens = tokens or [(token, line.start_s) for token in tokenize(line.text)]
    wanted = spoken.words
    for first in range(len(tokens) - len(wanted) + 1):
        if all(tokens[first + place][0] == word for place, word in enumerate(wanted)):
            return tokens[first][1] if tokens else line.start_s
    return None
