"""What is written in frames: read where a question asks for it, and quoted with the time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.models.embedded.model import Mind
from agent.models.embedded.rules.evidence import Fact, scenes
from agent.models.embedded.rules.question import Question, holds
from tools.media.clock import CITATION, CLOCK
from tools.ocr import Word
from tools.recall import TOLD

MAX_READ = 4
"""Frames that are read for one question; our choice: about a second each."""
MAX_LINES = 8
"""Lines that are quoted; our choice."""
QUOTED, QUOTED_SINGLE = 0.7, 0.97
"""How surely a line, and a single sign, must be read to be quoted; our choice."""
_TOLD = re.compile(rf"(?P<stamp>{CITATION.pattern}) {TOLD}: <untrusted>(?P<text>.*)</untrusted>")
_STOP = frozenset(
    re.findall(
        r"\w+",
        """a an the is are was were what which who does do did say says read of in on at to for this that it its these
        those there and or you your me i can could see seen show shown shows now text word words written writing number
        name screen picture image sign label title display displayed value reading message frame video please tell have
        has with from describe object thing main subject scene content front camera visible here look looks like kind
        type sort going being photo first last next appear appears identify recognize recognise about happen happens
        happening moment letter line spell s""",
    )
)


def any_words(mind: Mind, facts: Sequence[Fact]) -> str | None:
    """Quote what is written in the newest frame that has words, or None."""
    for fact in readable(facts):
        found = [word.text for word in lines(mind, fact)]
        if found:
            return f"{quote(found)}{fact.cite}."
    return None


def matching(mind: Mind, question: Question, facts: Sequence[Fact]) -> str | None:
    """Quote the lines that share words with the question, with what stands beside them, or None."""
    wanted = unknown_words(question)
    if not wanted:
        return None
    for fact in readable(facts):
        found = lines(mind, fact)
        hits = [word for word in found if wanted & content_words(word.text)]
        if hits:
            best = max(hits, key=lambda word: len(wanted & content_words(word.text)))
            middle, height = (best.box.top + best.box.bottom) / 2, best.box.bottom - best.box.top
            beside = [w for w in found if abs((w.box.top + w.box.bottom) / 2 - middle) < height / 2]
            # A line that holds more than the name holds its value too; else the value stands beside it.
            alone = content_words(best.text) <= wanted
            return f"{quote([' '.join(word.text for word in beside) if alone else best.text])}{fact.cite}."
    return None


def first_words(mind: Mind, facts: Sequence[Fact], but: str = "") -> str | None:
    """Quote the first of these frames, whatever its detail, in which something else is written than `but`; or None."""
    for fact in facts:
        found = [word.text for word in lines(mind, fact)]
        if found and not (but and has_word(mind, fact, but)):
            return f"{quote(found)}{fact.cite}."
    return None


def has_word(mind: Mind, fact: Fact, phrase: str) -> bool:
    """Whether all words of a phrase are written in a frame; in capitals, they must stand next to one another."""
    found = [word.text for word in lines(mind, fact)]
    wanted = content_words(phrase)
    if (phrase.isupper() and " " in phrase) or not wanted:
        return holds(found, phrase)
    return wanted <= content_words(" ".join(found))


def saying(mind: Mind, question: Question, facts: Sequence[Fact]) -> str | None:
    """Quote a word of the question that is written in one of the first frames given, or None."""
    wanted = content_words(question.text)
    for fact in facts[:MAX_READ]:
        for word in lines(mind, fact):
            if any(len(own) > 2 for own in wanted & content_words(word.text)):
                return f'"{word.text}"{fact.cite}.'
    return None


def unknown_words(question: Question) -> frozenset[str]:
    """Return the words that carry the question's meaning and name nothing that can be recognised."""
    known = content_words(" ".join(question.targets))
    return content_words(question.text) - known


def from_results(question: Question, results: Sequence[tuple[str, str]]) -> str | None:
    """Answer from the text that tools have returned, or None where it does not help."""
    for name, text in reversed(results):
        told = re.match(r"The person answered: (.*?)(\. (This is a recording|What is seen now)|$)", text)
        if name == "ask_user" and told and told[1].strip(" .").lower() not in ("", "done", "ok", "okay", "yes", "no"):
            return f'You told me: "{told[1]}".'
        if name == "read_text" and (moment := CITATION.search(text)):
            told_lines = re.findall(r"<untrusted>(.*?)</untrusted>", text, flags=re.S)
            if not told_lines:
                return f"I can't read any words {moment[0]}."
            wanted = content_words(question.text)
            hits = [line for line in told_lines if wanted & content_words(line)]
            return f"{quote(hits or told_lines)} {moment[0]}."
        if name == "recall":
            wanted = content_words(question.text)
            told_of = [line for line in text.splitlines() if CITATION.match(line) and not _TOLD.fullmatch(line)]
            if question.phrase:
                hits = [line for line in told_of if holds([CITATION.sub("", line)], question.phrase)]
            else:
                hits = [line for line in told_of if 2 * len(wanted & content_words(line)) >= max(len(wanted), 1)]
            if hits:
                found = re.sub(r"</?untrusted>", "", hits[0])
                stamp = CITATION.search(found)
                body = CITATION.sub("", found).split(": ", 1)[-1].strip()
                return f"My notes say: {body}{' ' + stamp[0] if stamp else ''}."
    return None


def told(results: Sequence[tuple[str, str]]) -> str | None:
    """Quote what `recall` says is told in the video, each with its time; None where it says nothing of that."""
    lines_ = [line for name, text in results if name == "recall" for line in text.splitlines()]
    found = [match for line in lines_ if (match := _TOLD.fullmatch(line))]
    return "It is told: " + " ".join(f"{match['text'].strip()} {match['stamp']}" for match in found) if found else None


def content_words(text: str) -> frozenset[str]:
    """Return the words of a text that carry its meaning, lower case, plural endings left out."""
    found = re.findall(r"[a-z0-9]+", CLOCK.sub(" ", text.lower()))
    return frozenset(word.removesuffix("s") if len(word) > 3 else word for word in found if word not in _STOP) - _STOP


def lines(mind: Mind, fact: Fact) -> list[Word]:
    """The lines of a frame that were read surely; see `sure`."""
    return sure(mind.perception.words(fact.frame))


def sure(words: Sequence[Word]) -> list[Word]:
    """The lines without what leaves and shadows are easily taken for: single signs, and unsure readings."""
    return [
        word for word in words if word.confidence >= (QUOTED if sum(map(str.isalnum, word.text)) > 1 else QUOTED_SINGLE)
    ]


def readable(facts: Sequence[Fact]) -> list[Fact]:
    """The newest clear frame of each of the newest scenes; only where there are none, the newest of any kind."""
    clear = [fact for fact in facts if fact.frame.detail == "clear"] or list(facts)[-1:]
    return [scene.facts[-1] for scene in scenes(clear)][::-1][:MAX_READ]


def quote(texts: Sequence[str]) -> str:
    """Quote lines, as `It says "GATE", "OPEN"`; the first `MAX_LINES` of them."""
    quoted = [f'"{text}"' for text in texts[:MAX_LINES]]
    more = f" and {len(texts) - MAX_LINES} more lines" if len(texts) > MAX_LINES else ""
    return f"It says {', '.join(quoted)}{more}"
