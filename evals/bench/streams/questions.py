"""Questions about a stream with their answers, at exact times, by the age of their evidence."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from evals.bench.streams.stream import Shot, Sign, Stream
from tools.media import format_clock

Age = Literal["now", "5-40 s", "1-10 min", "30-60 min", "over 1 h"]
AGES: tuple[tuple[Age, float, float], ...] = (
    ("now", 0, 0), ("5-40 s", 5, 40), ("1-10 min", 60, 600), ("30-60 min", 1800, 3630), ("over 1 h", 3631, 1e9),
)  # fmt: skip
"""Age classes: name, minimum and maximum age of the evidence in seconds; ages in between are not asked about. An hour
is never exact, hence the additional half minute."""
OFF_SHARE, CLEAR_OF = 0.05, 2.0
"""Rounding: `20 minutes ago` may be off by this share of the time, if every other candidate is farther off by the given
factor."""
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COUNTS = {1: ("1", "one", "once"), 2: ("2", "two", "twice"), 3: ("3", "three"), 4: ("4", "four"), 5: ("5", "five")}


@dataclass(frozen=True)
class Question:
    """A question asked at `t_q`.

    Attributes:
        stream: seed of the stream.
        t_q: when it is asked, in seconds; the frame of that second is the newest.
        kind: one of the keys of the wordings.
        age: the class of `age_s`.
        age_s: how long ago the evidence was last in view.
        text: the question.
        answers: all right answers.
        spans: when the evidence was in view: (start, end) in seconds, end excluded.
        all_spans: whether every span is needed, not only one.
        context: seconds at which other things that the question names were in view.
    """

    stream: int
    t_q: int
    kind: str
    age: Age
    age_s: float
    text: str
    answers: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    all_spans: bool = False
    context: tuple[int, ...] = ()


def ask_about(
    stream: Stream, wordings: Mapping[str, Sequence[str]], interviews: int, each: int, from_share: float = 0.6
) -> list[Question]:
    """Return questions about a stream, in order of time.

    Questions come in interviews, several at one time, so that frames are examined only once for all of them: each
    interview has at most `each` questions of every age class, of different kinds.

    Args:
        stream: the stream.
        wordings: texts by kind.
        interviews: number of interviews, spread over the later part of the stream.
        each: maximum number of questions of one age class in an interview.
        from_share: share of the stream before the first interview.
    """
    pick = random.Random(f"questions {stream.seed} {sorted(wordings['word now'])}")
    first_s, last_s = round(stream.length_s * from_share), stream.length_s - 1
    asked: list[Question] = []
    for number in range(interviews):
        step_s = (last_s - first_s) / interviews
        t_q = _moment(stream, pick, round(first_s + number * step_s), round(first_s + (number + 1) * step_s))
        found = [evidence for evidence in _evidence(stream, t_q, pick) if evidence.age]
        for age, _, _ in AGES:
            kinds = sorted({evidence.kind for evidence in found if evidence.age == age})
            for kind in pick.sample(kinds, min(each, len(kinds))):
                evidence = _one_of([e for e in found if (e.age, e.kind) == (age, kind)], pick)
                text = pick.choice(wordings[kind]).format(**evidence.slots)
                text = text[:1].upper() + text[1:]
                asked.append(
                    Question(
                        stream.seed, t_q, kind, age, evidence.age_s, text, evidence.answers, evidence.spans,
                        kind == "times", evidence.context,
                    )
                )  # fmt: skip
    return asked


@dataclass(frozen=True)
class _Evidence:
    """A possible subject of a question at one time; `slots` fill its wording."""

    kind: str
    age_s: float
    answers: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    slots: dict[str, str]
    context: tuple[int, ...] = ()

    @property
    def age(self) -> Age | None:
        return next((name for name, least, most in AGES if least <= self.age_s <= most), None)


def _one_of(found: Sequence[_Evidence], pick: random.Random) -> _Evidence:
    """Draw one of some evidence of a kind, each right answer of `times` equally likely."""
    if found[0].kind == "times":
        count = pick.choice(sorted({len(evidence.spans) for evidence in found}))
        found = [evidence for evidence in found if len(evidence.spans) == count]
    return pick.choice(found)


def _moment(stream: Stream, pick: random.Random, start_s: int, end_s: int) -> int:
    """Draw a second of a stretch: every other time one with a word in view, if there is one."""
    shown = [t_s for sign in stream.signs for t_s in range(sign.start_s, sign.end_s) if start_s <= t_s < end_s]
    return pick.choice(shown) if shown and pick.random() < 0.5 else pick.randrange(start_s, end_s)


def _evidence(stream: Stream, t_q: int, pick: random.Random) -> Iterator[_Evidence]:
    signs = [sign for sign in stream.signs if sign.end_s <= t_q]
    shots = [shot for shot in stream.shots if shot.end_s <= t_q]
    yield from _present(stream, t_q)
    yield from _words_by_time(signs, t_q, pick)
    yield from _words_by_order(stream, signs, t_q)
    yield from _words_by_scene(stream, signs, shots, t_q)
    yield from _scenes(stream, shots, t_q, pick)
    for word in sorted({sign.word for sign in signs}):
        spans = tuple((sign.start_s, sign.end_s) for sign in signs if sign.word == word)
        if len(spans) in _COUNTS and stream.sign_at(t_q) is None:
            yield _Evidence("times", t_q - spans[0][1] + 1, _COUNTS[len(spans)], spans, {"word": word})


def _present(stream: Stream, t_q: int) -> Iterator[_Evidence]:
    sign, shot = stream.sign_at(t_q), stream.shot_at(t_q)
    if sign:
        yield _Evidence("word now", 0, (sign.word,), ((sign.start_s, sign.end_s),), {})
    elif shot.scene.names:
        yield _Evidence("scene now", 0, shot.scene.names, _uncovered(stream, shot.start_s, t_q + 1), {})


def _words_by_time(signs: Sequence[Sign], t_q: int, pick: random.Random) -> Iterator[_Evidence]:
    for sign in signs:
        spans = ((sign.start_s, sign.end_s),)
        age_s = t_q - sign.end_s + 1
        clock = format_clock(pick.randrange(sign.start_s, sign.end_s))
        yield _Evidence("word at", age_s, (sign.word,), spans, {"clock": clock})
        ago_s = _rounded(t_q - pick.randrange(sign.start_s, sign.end_s))
        others = [_off(other, t_q - ago_s) for other in signs if other is not sign]
        off_s = _off(sign, t_q - ago_s)
        if off_s <= OFF_SHARE * ago_s and min(others, default=1e9) >= max(8, CLEAR_OF * off_s):
            yield _Evidence("word ago", age_s, (sign.word,), spans, {"ago": _ago(ago_s, pick)})


def _words_by_order(stream: Stream, signs: Sequence[Sign], t_q: int) -> Iterator[_Evidence]:
    words = [sign.word for sign in signs]
    for one, two in pairwise(signs):
        for kind, sign, anchor in (("word before word", one, two), ("word after word", two, one)):
            if words.count(anchor.word) == 1 and stream.sign_at(t_q) is None:
                spans = ((sign.start_s, sign.end_s),)
                yield _Evidence(
                    kind, t_q - sign.end_s + 1, (sign.word,), spans, {"word": anchor.word}, (anchor.start_s,)
                )


def _words_by_scene(stream: Stream, signs: Sequence[Sign], shots: Sequence[Shot], t_q: int) -> Iterator[_Evidence]:
    keys = [shot.scene.key for shot in stream.shots if shot.start_s <= t_q]
    for shot in shots:
        if not shot.scene.names or keys.count(shot.scene.key) > 1:
            continue
        inside = [sign for sign in signs if sign.start_s < shot.end_s and sign.end_s > shot.start_s]
        before = [sign for sign in signs if sign.end_s <= shot.start_s][-1:]
        after = [sign for sign in signs if sign.start_s >= shot.end_s][:1]
        on = [sign for sign in inside if not sign.card and shot.start_s <= sign.start_s and sign.end_s <= shot.end_s]
        for kind, found in (
            ("word before scene", before),
            ("word after scene", after),
            ("word on scene", on if len(inside) == 1 else []),
        ):
            for sign in found:
                spans = ((sign.start_s, sign.end_s),)
                seen = (shot.start_s, shot.end_s - 1)
                yield _Evidence(kind, t_q - sign.end_s + 1, (sign.word,), spans, {"name": shot.scene.said}, seen)


def _scenes(stream: Stream, shots: Sequence[Shot], t_q: int, pick: random.Random) -> Iterator[_Evidence]:
    for shot in shots:
        seconds = [t_s for t_s in range(shot.start_s + 1, shot.end_s - 1) if stream.sign_at(t_s) is None]
        if not shot.scene.names or not seconds:
            continue
        spans = _uncovered(stream, shot.start_s, shot.end_s)
        age_s = t_q - spans[-1][1] + 1
        clock = format_clock(pick.choice(seconds))
        yield _Evidence("scene at", age_s, shot.scene.names, spans, {"clock": clock})
        round_s = [t_q - t_s for t_s in seconds if _rounded(t_q - t_s) == t_q - t_s]
        if round_s:
            yield _Evidence("scene ago", age_s, shot.scene.names, spans, {"ago": _ago(pick.choice(round_s), pick)})


def _uncovered(stream: Stream, start_s: int, end_s: int) -> tuple[tuple[int, int], ...]:
    """Return the stretches of a shot in which no card hides its scene; at least one."""
    found, begun_s = [], start_s
    for card in stream.signs:
        if card.card and card.start_s < end_s and card.end_s > begun_s:
            found.append((begun_s, card.start_s))
            begun_s = card.end_s
    return tuple(span for span in (*found, (begun_s, end_s)) if span[0] < span[1])


def _off(sign: Sign, t_s: int) -> int:
    """Return the distance of a time from the seconds with a sign in view."""
    return max(sign.start_s - t_s, t_s - sign.end_s + 1, 0)


def _rounded(ago_s: int) -> int:
    """Round as people do: to the second within a minute, else to the minute."""
    return ago_s if ago_s < 60 else 60 * round(ago_s / 60)


def _ago(ago_s: int, pick: random.Random) -> str:
    if ago_s in (1800, 3600):
        return "half an hour ago" if ago_s == 1800 else "an hour ago"
    number, unit = (ago_s, "second") if ago_s < 60 else (ago_s // 60, "minute")
    said = _NUMBERS[number] if number < len(_NUMBERS) and pick.random() < 0.5 else str(number)
    return f"{said} {unit}{'s' * (number > 1)} ago"
