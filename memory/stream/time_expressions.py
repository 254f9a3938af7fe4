"""Time expressions in questions: `parse_time_expression`.

Rules for plain English phrases: "now", "20 seconds ago", "at 10:32", "between 9:00 and 9:30", "in the last hour",
"before the lamp", "how many times", "earlier".
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tools.media.clock import CLOCK
from tools.media.types import Span
from tools.wordlists import load_words

_LISTS = load_words(__package__, "hints")

HintKind = Literal["present", "span", "before", "after", "past"]

SLACK = 0.1
"""Relative tolerance of an "ago": people round."""
LEAST_SLACK_S = 2.0
ABOUT_S = 30.0
"""Tolerance of "around 12:30"."""
VAGUE = {"few": 3.0, "couple": 2.0, "several": 5.0}

_COUNTED = "|".join(_LISTS["counted"])
_NUMBERS = {word: float(number) for number, words in enumerate(_COUNTED.split("|")) for word in words.split()} | {
    "thirty": 30.0,
    "forty": 40.0,
    "fifty": 50.0,
    "sixty": 60.0,
    "ninety": 90.0,
    "half": 0.5,
    **VAGUE,
}
_UNITS = {"second": 1.0, "sec": 1.0, "s": 1.0, "minute": 60.0, "min": 60.0, "hour": 3600.0, "hr": 3600.0, "h": 3600.0}
_UNITS["day"] = 86_400.0
_ONES = "|".join(_LISTS["ones"])
_NUMBER = r"(?:\d+(?:\.\d+)?|" + "|".join(sorted(_NUMBERS, key=len, reverse=True)) + ")"
_LENGTH = (
    rf"(?:(?P<quarter>(?:a )?quarter of an hour)|(?P<number>{_NUMBER})(?:[ -](?P<ones>{_ONES}))?"
    r"(?P<more> and a half)?(?: of)?"
    r"(?: an?)? ?(?P<unit>seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|s|h)(?P<half> and a half)?)"
)
_AGO = re.compile(rf"\b{_LENGTH}\b (?:ago|earlier|back|before now)\b")
_LATELY = re.compile(
    rf"\b(?:in|during|over|for|within|of) the (?:last|past|previous) (?:{_LENGTH}|(?P<bare>minute|hour))\b"
)
_TIME = rf"(?:{CLOCK.pattern})(?: ?(?:am|pm|a\.m\.|p\.m\.|o'clock))?|\b\d{{1,2}} ?(?:am|pm|a\.m\.|p\.m\.|o'clock)"
_FROM_TO = re.compile(rf"\b(?:between|from) \[?({_TIME})\]? (?:and|to|until|till) \[?({_TIME})")
_SINCE = re.compile(rf"\bsince \[?({_TIME})")
_AT = re.compile(rf"({_TIME})")
_ABOUT = re.compile(r"\b(?:around|about|roughly|near|approximately|circa)\b")
_START = re.compile(r"\b(?:at|in|from|near) the (?:very )?(?:start|beginning|outset)\b|\bat first\b")
_EDGE = re.compile(
    r"\b(?P<side>before|after|following|preceding|prior to|until|since)\b (?P<what>.+?)(?:[?.!]|$)", re.IGNORECASE
)
_PRONOUN = re.compile(r"(?:that|this|it|then|now|long|all)\b")
_PAST = re.compile(rf"\b(?:{'|'.join(_LISTS['past'])})\b")
_WHERE = re.compile(r"^where\b")
PRESENT = re.compile(r"\b(?:right now|now|currently|at the moment|at present|presently|just now)\b")
_COUNT = re.compile(r"\bhow (?:many times|often)\b|\bnumber of times\b|\bhow many .*\b(?:did|were|was|have|has)\b")
_IDLE_WORDS = """
    a an and any are as at be been being by can did do does for from had has have how i in into is it its last many me
    my of on or our out please seen see shown show shows showed saw say says said tell that the their them then there
    these they this those time times to up was we were what when where which while who whose why will with you your
    again all also appear appeared appears before after during earlier ago back now just right second seconds minute
    minutes hour hours picture pictures image images frame frames video scene screen clip word words text sign camera
    display displayed visible name called happen happened read written stand stood one ones first most often ever
    previous previously recently around about between since until far past half few couple came come comes went go goes
    arrive
"""
_IDLE = frozenset(_IDLE_WORDS.split())


@dataclass(frozen=True)
class TimeExpression:
    """The time expression of a question.

    Attributes:
        kind: the `present`; a `span`; `before` or `after` something named; or the `past` in general.
        span: the stretch meant, for kind `span`.
        middle_s: the time that was named, or the middle of the stretch, in seconds.
        words: the content words of the question.
        edge: the content words after "before" or "after".
        counts: whether it asks how often.
        unwatched: the time in the question's words, such as `5 minutes ago`, if it was before media time 0.
    """

    kind: HintKind
    words: str = ""
    span: Span | None = None
    edge: str = ""
    counts: bool = False
    middle_s: float = 0.0
    unwatched: str = ""


def parse_time_expression(question: str, now_s: float, epoch_wall_s: float | None = None) -> TimeExpression:
    """Parse the time expression of a question.

    Args:
        question: in English.
        now_s: media time of the newest frame, in seconds.
        epoch_wall_s: Unix time of media time 0 for live sources; "at 10:32" then means a time of day if the source was
            watched then, else media time.
    """
    text = " ".join(question.lower().split())
    words, counts = content_words(question), bool(_COUNT.search(text))
    if found := _span(text, now_s, epoch_wall_s):
        span, middle_s = found
        return TimeExpression("span", words, span, counts=counts, middle_s=middle_s, unwatched=_unwatched(text, now_s))
    edge = _EDGE.search(question)
    if edge and not _PRONOUN.match(edge["what"].lower()) and (what := content_words(edge["what"])):
        side: HintKind = "before" if edge["side"].lower() in ("before", "preceding", "prior to", "until") else "after"
        return TimeExpression(side, words, edge=what, counts=counts)
    if PRESENT.search(text) and not counts:
        return TimeExpression("present", words)
    if counts or _PAST.search(text) or _WHERE.search(text) or edge:
        return TimeExpression("past", words, counts=counts)
    return TimeExpression("present", words)


def content_words(text: str) -> str:
    """Return the searchable words of a text, in order, without times and stop words."""
    bare = text
    for phrase in (_AGO, _LATELY, _AT, _START):
        bare = re.sub(phrase.pattern, " ", bare, flags=re.IGNORECASE)
    kept = [word for word in re.findall(r"[\w'-]+", bare) if word.lower() not in _IDLE and not word.isdigit()]
    return " ".join(kept)


def _span(text: str, now_s: float, epoch_wall_s: float | None) -> tuple[Span, float] | None:
    """Return the stretch that a text names, and its middle."""
    if match := _AGO.search(text):
        return _around(now_s - _seconds(match), _slack(match), now_s)
    if match := _LATELY.search(text):
        return _stretch(max(0.0, now_s - _seconds(match)), now_s)
    if match := _FROM_TO.search(text):
        ends = [_time(match[1], now_s, epoch_wall_s), _time(match[1 + _AT.groups], now_s, epoch_wall_s)]
        known = sorted(end for end in ends if end is not None)
        if len(known) == 2:
            return _stretch(*known)
    if (match := _SINCE.search(text)) and (start := _time(match[1], now_s, epoch_wall_s)) is not None:
        return _stretch(min(start, now_s), now_s)
    if (match := _AT.search(text)) and (middle := _time(match[1], now_s, epoch_wall_s)) is not None:
        return _around(middle, ABOUT_S if _ABOUT.search(text) else LEAST_SLACK_S, now_s)
    if _START.search(text):
        return Span(0.0, max(LEAST_SLACK_S, SLACK * now_s)), 0.0
    return None


def _unwatched(text: str, now_s: float) -> str:
    """Return the "ago" of a text that is before the beginning, even allowing for rounding; else ""."""
    match = _AGO.search(text)
    if match is None or now_s - _seconds(match) + _slack(match) >= 0:
        return ""
    return match[0]


def _slack(match: re.Match[str]) -> float:
    return max(LEAST_SLACK_S, SLACK * _seconds(match))


def _stretch(start_s: float, end_s: float) -> tuple[Span, float]:
    return Span(start_s, end_s), (start_s + end_s) / 2


def _around(middle_s: float, slack_s: float, now_s: float) -> tuple[Span, float]:
    start_s = max(0.0, middle_s - slack_s)
    return Span(start_s, max(start_s, min(now_s, middle_s + slack_s))), max(0.0, middle_s)


def _seconds(match: re.Match[str]) -> float:
    groups = match.groupdict()
    if groups.get("bare"):
        return _UNITS[groups["bare"]]
    if groups["quarter"]:
        return 900.0
    number = _NUMBERS[groups["number"]] if groups["number"] in _NUMBERS else float(groups["number"])
    number += _NUMBERS.get(groups["ones"] or "", 0.0) + (0.5 if groups["half"] or groups["more"] else 0.0)
    unit = groups["unit"]
    return number * _UNITS[unit if unit in _UNITS else unit.removesuffix("s")]


def _time(text: str, now_s: float, epoch_wall_s: float | None) -> float | None:
    """Convert a clock time to media time, in seconds; None if it cannot be one."""
    half = "pm" if re.search(r"p\.?m", text) else "am" if re.search(r"a\.?m", text) else ""
    clock = CLOCK.match(text)
    first, second, third = clock.groups()[:3] if clock else (None, re.match(r"\d+", text)[0], "00")  # type: ignore[index]
    if epoch_wall_s is not None:
        hour, minute, second_s = (int(first), int(second), int(third)) if first else (int(second), int(third), 0)
        if (
            hour < 24
            and minute < 60
            and (t_s := _of_day(hour, minute, second_s, half, now_s, epoch_wall_s)) is not None
        ):
            return t_s
    if half or not clock:
        return None
    media_s = float(int(first or 0) * 3600 + int(second) * 60 + int(third))
    return media_s if media_s <= now_s + LEAST_SLACK_S else None


def _of_day(hour: int, minute: int, second: int, half: str, now_s: float, epoch_wall_s: float) -> float | None:
    """Return the latest media time that was watched at a time of day; None if it was not watched then."""
    now = datetime.fromtimestamp(epoch_wall_s + now_s).astimezone()
    hours = {hour % 12 + 12 * (half == "pm")} if half else {hour, (hour + 12) % 24} if hour <= 12 else {hour}
    found = -math.inf
    for each in hours:
        t_s = now.replace(hour=each, minute=minute, second=second, microsecond=0).timestamp() - epoch_wall_s
        found = max(found, *(t for t in (t_s, t_s - 86_400) if t <= now_s + LEAST_SLACK_S))
    return found if found >= 0 else None
