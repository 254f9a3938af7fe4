"""Subtitles of a transcript: SubRip and WebVTT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from tools.media.sound import Utterance


def subtitles(utterances: Iterable[Utterance], form: Literal["srt", "vtt"]) -> Iterator[str]:
    """Yield the blocks of a subtitle file, each to be followed by a line break."""
    mark = "," if form == "srt" else "."
    if form == "vtt":
        yield "WEBVTT\n"
    for number, line in enumerate(utterances, 1):
        times = f"{_time(line.start_s, mark)} --> {_time(line.end_s, mark)}"
        # An arrow or an empty line would end the block.
        words = " ".join(line.text.replace("-->", "->").split())
        yield f"{number}\n{times}\n{words}\n" if form == "srt" else f"{times}\n{words}\n"


def _time(t_s: float, mark: str) -> str:
    seconds, thousandths = divmod(round(t_s * 1000), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{mark}{thousandths:03d}"
