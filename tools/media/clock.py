"""Format of times for people and models: `0:05`, `1:02:03`, `0:05.5`.

A time in brackets is a citation: `[0:05]`. Every time inside a bracket counts, such as both of `[0:05-0:08]`, so that
none escapes verification.
"""

from __future__ import annotations

import re

from tools.errors import MediaError

CLOCK = re.compile(r"(?:(\d+):)?(\d{1,3}):(\d{2})(\.\d+)?")
CITATION = re.compile(r"\[" + CLOCK.pattern + r"\]")
BRACKET = re.compile(r"\[[^\[\]\n]*\]")


def format_clock(t_s: float) -> str:
    """Format seconds as `m:ss` or `h:mm:ss`, with one decimal if the time is not a whole second."""
    tenths = round(t_s * 10)
    whole, tenth = divmod(tenths, 10)
    hours, rest = divmod(whole, 3600)
    minutes, seconds = divmod(rest, 60)
    text = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
    return f"{text}.{tenth}" if tenth else text


def parse_clock(text: str) -> float:
    """Parse `m:ss`, `h:mm:ss`, either with one decimal, or plain seconds; return seconds.

    Raises:
        MediaError: if the text is none of these.
    """
    text = text.strip().strip("[]")
    match = CLOCK.fullmatch(text)
    if match:
        return _seconds(match)
    try:
        value = float(text.removesuffix("s"))
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise MediaError(f"invalid time {text!r}.", expected="m:ss, h:mm:ss or seconds, such as 1:05 or 65")
    return value


def cited_times(text: str) -> list[float]:
    """Return the bracketed times of a text in seconds, in order of appearance, repeats included."""
    return [_seconds(clock) for bracket in BRACKET.findall(text) for clock in CLOCK.finditer(bracket)]


def _seconds(match: re.Match[str]) -> float:
    hours, minutes, seconds, fraction = match.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(fraction or 0)
