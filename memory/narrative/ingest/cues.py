"""`Cue`: words with a time, as subtitle files and transcripts give them; and how such files are read and mended."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

from tools.errors import MediaError, StoreError

log = logging.getLogger(__name__)

Clock = Literal["seconds", "sections"]
Tell = Callable[[str], None]
"""Is given what a person should know of a file that could be read, a sentence at a time; the log, unless said
otherwise."""

MENDED_S = 1.0
"""The length given to a cue that ends no later than it starts; our choice."""
WORDS_PER_S = 2.5
"""How fast people speak, for the last cue of a transcript that states beginnings only; our choice."""
MAX_FILE_BYTES = 64 * 2**20
"""Larger files are refused, since they hold something else; our choice: the subtitles of a film take 100 kB."""
_SHOWN_CHARS = 60  # of a text that a message quotes
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Cue:
    """Words and when they are said or shown.

    Attributes:
        start_s: when they begin, in what `clock` says.
        end_s: when they end, after `start_s`.
        text: the words, without markup; a speaker who is named stands before them: "Anna: Hello".
        line: the line of the file that states it, from 1; 0 where it comes from no file.
        clock: what the times count. Seconds of media time; or, for a text that states no times, its `sections`: the
            first one lasts from 0 to 1, and such a time must never be shown as a time of day or of a video.
    """

    start_s: float
    end_s: float
    text: str
    line: int = 0
    clock: Clock = "seconds"


def clock_of(cues: Iterable[Cue]) -> Clock:
    """What the times of cues count; seconds, if there are none.

    Raises:
        StoreError: if some count seconds and others sections.
    """
    clocks: set[Clock] = {cue.clock for cue in cues}
    if len(clocks) > 1:
        raise StoreError(
            "some cues are timed in seconds, and others count sections.",
            expected="cues of one kind",
            remedy="Build the subtitles and the story as two sources.",
        )
    return clocks.pop() if clocks else "seconds"


def shown(text: str) -> str:
    """A text as a message quotes it: on one line, and not too long."""
    words = " ".join(text.split())
    return repr(words if len(words) <= _SHOWN_CHARS else words[: _SHOWN_CHARS - 1] + "…")


def read_text(path: Path, tell: Tell = log.warning) -> str:
    """The text of a file in UTF-8, UTF-16 or UTF-32, else in Windows-1252 or Latin-1, which `tell` is told of.

    Raises:
        MediaError: if it cannot be read, holds no text, or is larger than `MAX_FILE_BYTES`.
    """
    path = Path(path)
    try:
        if (size := path.stat().st_size) > MAX_FILE_BYTES:
            raise MediaError(
                f"{str(path)!r} has {size:,} bytes, too many for subtitles or a transcript.",
                expected=f"a text file of at most {MAX_FILE_BYTES:,} bytes",
            )
        raw = path.read_bytes()
    except OSError as error:
        raise MediaError(
            f"{str(path)!r} cannot be read: {error.strerror or error}.",
            expected="a text file",
            remedy="Check its name and who may read it.",
        ) from error
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), None) or _utf16(raw) or "utf-8"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        if encoding != "utf-8":
            raise MediaError(
                f"{str(path)!r} is said to be {encoding} by its first bytes, but is not in line {line}.",
                expected="a text in one encoding",
                remedy="Save it again as UTF-8.",
            ) from error
        text = _western(raw)
        tell(
            f"{str(path)!r}, line {line}: byte 0x{raw[error.start]:02x} is not UTF-8; the file was read as "
            "Windows-1252 (Latin-1). If letters look wrong, save it as UTF-8."
        )
    if "\0" in text:
        raise MediaError(
            f"{str(path)!r} holds binary data.", expected="a text file", remedy="Name the subtitles or the transcript."
        )
    return text


def _utf16(raw: bytes) -> str | None:
    """UTF-16 without a mark, where one of two bytes is mostly zero, as in text in Latin letters."""
    head = raw[:4096]
    half = len(head) // 2
    if not half or len(raw) % 2:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > half // 2 and not even:
        return "utf-16-le"
    return "utf-16-be" if even > half // 2 and not odd else None


def _western(raw: bytes) -> str:
    """Windows-1252, which has quotation marks where Latin-1 has control characters; Latin-1 where that fails."""
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def lines_of(text: str) -> list[str]:
    """Its lines as editors count them; `str.splitlines` also splits at form feeds and other marks."""
    return re.split(r"\r\n|\r|\n", text)


def mended(cues: Sequence[Cue], path: Path, tell: Tell = log.warning) -> list[Cue]:
    """Cues in order of time, none before 0 and each of some length; every change is told with its line."""
    fixed = []
    for cue in cues:
        start_s, end_s = max(cue.start_s, 0.0), cue.end_s
        if cue.start_s < 0:
            tell(f"{str(path)!r}, line {cue.line}: it starts at {cue.start_s:g} s; it is taken to start at 0.")
        if end_s <= start_s:
            tell(
                f"{str(path)!r}, line {cue.line}: it starts at {cue.start_s:g} s and ends at {cue.end_s:g} s; it is "
                f"taken to last {MENDED_S:g} s."
            )
            end_s = start_s + MENDED_S
        fixed.append(replace(cue, start_s=start_s, end_s=end_s))
    ordered = sorted(fixed, key=lambda cue: (cue.start_s, cue.end_s, cue.line))
    late = [after.line for before, after in pairwise(fixed) if after.start_s < before.start_s]
    if late:
        tell(f"{str(path)!r}: {len(late)} cues stand after later ones, the first in line {late[0]}; they were sorted.")
    return ordered


def with_ends(starts: Sequence[tuple[float, float | None, str, int]]) -> list[Cue]:
    """Cues from (start, end or None, text, line): one without an end lasts until the next one starts.

    The last one lasts as long as it takes to say it.
    """
    later = sorted({start_s for start_s, *_ in starts})
    next_s = dict(pairwise(later))
    cues = []
    for start_s, end_s, text, line in starts:
        if end_s is None:
            said_s = max(MENDED_S, len(text.split()) / WORDS_PER_S)
            end_s = next_s.get(start_s, start_s + said_s)
        cues.append(Cue(start_s, end_s, text, line))
    return cues


def seconds(hours: str | None, minutes: str, secs: str, fraction: str | None) -> float:
    """Seconds from the parts of a time of a file; a time that has so many digits that no number holds it is refused.

    Raises:
        OverflowError: so that a caller, who knows the line, can say so.
    """
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(secs)
    total = whole + (int(fraction) / 10 ** len(fraction) if fraction else 0.0)
    if not math.isfinite(total) or whole > 10**9:
        raise OverflowError
    return total
