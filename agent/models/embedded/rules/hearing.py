"""Answers about what is heard, from the utterances that a prompt lists: quoted, each with its time.

No network writes any of it. Where the prompt says nothing of the sound, the question is left to the other rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.models.sentence_encoder import embed_questions
from memory.stream.notes import tokenize
from tools.hearing.questions import PEOPLE, SAYS, SPEAKS, asks_about_sound
from tools.media.clock import CLOCK, format_clock, parse_clock

Line = tuple[float, str]
"""The media time of an utterance in seconds, and its words."""

MAX_QUOTED = 8
"""Utterances that one answer quotes; our choice."""
LETTERS_A_SECOND = 15.0
"""Pace by which the length of an utterance is estimated; that of English read aloud."""
NEAR_S = 1.5
LEAST_COMPOUND = 6
LIKE = 0.4
"""Cosine from which an utterance is about what is asked though it shares no word with it; our choice."""

_PHRASES = (
    re.compile(r"[\"“”']([^\"“”']+)[\"“”']"),
    re.compile(rf"\b(?:words?|phrase|name) ([\w' -]+?) (?:is|are|was|were|gets?) (?:ever )?(?:{SAYS}|spoken)\b", re.I),
    re.compile(
        rf"\b(?:is|was|are|were) (?:the (?:words?|phrase|name) )?([\w' -]+?) (?:ever )?(?:{SAYS}|spoken)\b", re.I
    ),
    re.compile(rf"\b{PEOPLE} (?:ever |just )?{SAYS} (?:the words? |that )?([\w' -]+)", re.I),
)
_ABOUT = re.compile(
    rf"\b(?:(?:{SAYS}|{SPEAKS}|hear|heard|told|tell|tells|know|learn) (?:\w+ ){{0,2}}?(?:about|of|on|regarding)"
    rf"|mentions?|mentioned) (?:the |a |an |his |her |their |its )?([\w' -]+)",
    re.IGNORECASE,
)
_IDLE = frozenset(
    "a an the is are was were be been do does did what who whom when where why how which say says said saying "
    "speak speaks spoke speaking talk talks talking talked mention mentions mentioned hear heard about of on "
    "in at to for and or it its this that there here he she they we you i his her their anything something "
    "somebody someone anybody anyone people person man woman speaker narrator voice word words thing things "
    "time first last video clip recording film tell me please can could ever any with from so just exactly now "
    "then beginning start end regarding being spoken".split()
)
_SOUNDS = re.compile(
    r"\b(?:music|song|noise|noises|sounds?|bark\w*|bang|siren|alarm|laugh\w*|cry\w*|clap\w*|applause|engine|whistl\w*|"
    r"ring\w*|knock\w*|sing\w*|scream\w*|shout\w*|cough\w*|birds?|dogs?|rain|thunder|footsteps|volume|loud)\b"
)
_WHO = re.compile(r"^(?:who|whose)\b|\bwho (?:is|was) (?:speaking|talking)\b|\bhow many (?:people|persons|voices)\b")
_ANY = re.compile(
    rf"^(?:is|are|was|were|does|do|did|can|could|has|have)\b.*\b(?:{SPEAKS}|speech|voices?|say anything)\b"
)
_YES_NO = re.compile(r"^(?:is|are|was|were|does|do|did|can|could|has|have)\b")
_WHEN = re.compile(r"\bwhen\b|\bwhat time\b|\bat which (?:time|moment|second)\b|\bhow (?:often|many times)\b")
ONLY_SPEECH = "I can't tell: I understand only speech, no other sounds."


def answer(question: str, speech: Sequence[Line], sound: str) -> str | None:
    """Answer a question about what is heard; None where it is not one, or nothing is known of the sound.

    Args:
        question: the question.
        speech: what is heard, oldest first.
        sound: what the prompt says of the sound (see `agent.perception.hearing`).
    """
    if not sound or not asks_about_sound(question):
        return None
    lower = " ".join(question.lower().split()).rstrip(" ?.!")
    if not speech and not sound.startswith("listened"):
        return f"I can't hear anything: {sound}."
    if _SOUNDS.search(lower) and not re.search(rf"\b{SAYS}\b|\b(?:mentioned|about)\b", lower):
        return " ".join(filter(None, (ONLY_SPEECH, _all(speech) if speech else _nobody(sound))))
    lines = _at(lower, speech)
    if not lines:
        lead = "No, " if _YES_NO.search(lower) else ""
        return f"{lead}I hear nobody speak{' then' if speech else ''}; I {_listened(sound)}."
    if _WHO.search(lower):
        return f"I can't tell who speaks: I hear words and do not know voices. {_all(lines)}"
    if (phrase := _phrase(question)) or (subject := _subject(question)):
        return _of_words(lower, lines, phrase or subject, exact=bool(phrase), sound=sound)
    if _ANY.search(lower):
        return f"Yes. {_all(lines)}"
    if _WHEN.search(lower):
        return f"Somebody speaks at {', '.join(f'[{format_clock(t_s)}]' for t_s, _ in lines[:MAX_QUOTED])}."
    return _all(_part(lower, lines))


def _at(lower: str, speech: Sequence[Line]) -> Sequence[Line]:
    """The utterances at the moment that a question names; all, where it names none."""
    times = [parse_clock(match[0]) for match in CLOCK.finditer(lower)]
    if not times:
        return speech
    first_s, last_s = min(times), max(times)
    if first_s < last_s:
        return [line for line in speech if first_s - NEAR_S <= line[0] <= last_s + NEAR_S]
    before = [line for line in speech if line[0] <= first_s + NEAR_S]
    return [line for line in before[-1:] if line[0] + len(line[1]) / LETTERS_A_SECOND + NEAR_S >= first_s]


def _part(lower: str, lines: Sequence[Line]) -> Sequence[Line]:
    """The first or the last utterance, where a question means that one."""
    if re.search(r"\b(?:at the (?:very )?(?:start|beginning)|first)\b", lower):
        return lines[:1]
    return lines[-1:] if re.search(r"\b(?:at the (?:very )?end|last|now)\b", lower) else lines


def _phrase(question: str) -> str:
    """The words that somebody is asked to have said, as in `when does she say hello`; "" for none."""
    for pattern in _PHRASES:
        match = pattern.search(question)
        if match and not re.search(rf"\b{SAYS} (?:\w+ )?about\b", question.lower()):
            words = CLOCK.sub(" ", match[1])
            if _content(words):
                return words
    return ""


def _subject(question: str) -> str:
    match = _ABOUT.search(question)
    return match[1] if match and _content(match[1]) else ""


def _content(text: str) -> list[str]:
    return [word for word in re.findall(r"[\w']+", text.lower()) if word not in _IDLE]


def _of_words(lower: str, lines: Sequence[Line], words: str, *, exact: bool, sound: str) -> str:
    """Answer a question about a phrase that is said, or about a subject that is spoken of."""
    wanted = frozenset(tokenize(" ".join(_content(words))))
    # The recogniser may write a compound such as `suitcase` as two words.
    joined = "".join(_content(words))
    found = [
        line
        for line in lines
        if wanted <= frozenset(tokenize(line[1]))
        or (len(joined) >= LEAST_COMPOUND and joined in "".join(re.findall(r"\w+", line[1].lower())))
    ]
    if not found and not exact:
        found = [line for line in lines if wanted & frozenset(tokenize(line[1]))] or _alike(words, lines)
    name = words.strip(" '")
    if not found:
        lead = "No, " if _YES_NO.search(lower) else ""
        return f"{lead}I do not hear {'' if exact else 'anything about '}“{name}”; I {_listened(sound)}."
    if _WHEN.search(lower) and exact:
        return f"“{name}” is said here: {_quoted(found)}."
    return f"{'Yes. ' if _YES_NO.search(lower) else ''}I hear: {_quoted(found)}."


def _alike(words: str, lines: Sequence[Line]) -> list[Line]:
    """The utterances whose meaning is near that of some words, in order of time."""
    wanted, *vectors = embed_questions([words, *(text for _, text in lines)])
    near = [float(vector @ wanted) for vector in vectors]
    best = max(near, default=0.0)
    return [line for line, cosine in zip(lines, near, strict=True) if cosine >= max(LIKE, best - 0.1)]


def _all(lines: Sequence[Line]) -> str:
    return f"I hear: {_quoted(lines)}."


def _quoted(lines: Sequence[Line]) -> str:
    quoted = "; ".join(f"“{text.rstrip('.')}” [{format_clock(t_s)}]" for t_s, text in lines[:MAX_QUOTED])
    more = len(lines) - MAX_QUOTED
    return quoted + (f"; and {more} more sentence{'s' * (more > 1)}" if more > 0 else "")


def _nobody(sound: str) -> str:
    return f"Nobody speaks; I {_listened(sound)}." if sound.startswith("listened") else ""


def _listened(sound: str) -> str:
    return sound if sound.startswith("listened") else f"could not listen: {sound}"
