"""`Cue`, words with a time span, and how subtitle files and transcripts are decoded and repaired."""

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
"""Receives warnings about a file that could be read, one sentence each; writes to the log by default."""

MENDED_S = 1.0
"""Length given to a cue that does not end after it starts."""
WORDS_PER_S = 2.5
"""Speaking rate, for the last cue of a transcript that states only start times."""
MAX_FILE_BYTES = 64 * 2**20
"""Larger files are rejected as something else: the subtitles of a film take 100 kB."""
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
    """Words, and when they are spoken or shown.

    Attributes:
        start_s: start, on the scale of `clock`.
        end_s: end, after `start_s`.
        text: the words, without markup; a named speaker comes first: "Anna: Hello".
        line: line in the file, from 1; 0 if the cue comes from no file.
        clock: what the times count: seconds of media time or, for a text without times, its `sections`. The first
            section lasts from 0 to 1, and such a time must never be shown as a time of day or of a video.
    """

    start_s: float
    end_s: float
    text: str
    line: int = 0
    clock: Clock = "seconds"


def clock_of(cues: Iterable[Cue]) -> Clock:
    """Return what the times of cues count; seconds if there are no cues.

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
    """Return a text as a message quotes it: on one line, and shortened."""
    words = " ".join(text.split())
    return repr(words if len(words) <= _SHOWN_CHARS else words[: _SHOWN_CHARS - 1] + "…")


def read_text(path: Path, tell: Tell = log.warning) -> str:
    """Read a text file in UTF-8, UTF-16 or UTF-32, else in Windows-1252 or Latin-1 (which `tell` reports).

    Raises:
        MediaError: if it cannot be read, has no text, or is larger than `MAX_FILE_BYTES`.
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
            f"cannot read {str(path)!r}: {error.strerror or error}.",
            expected="a text file",
            remedy="Check the name and the permissions of the file.",
        ) from error
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), None) or _utf16(raw) or "utf-8"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        if encoding != "utf-8":
            raise MediaError(
                f"cannot decode {str(path)!r}: it begins as {encoding}, but line {line} does not match.",
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
            f"{str(path)!r} contains binary data.",
            expected="a text file",
            remedy="Pass a subtitle file or a transcript.",
        )
    return text


def _utf16(raw: bytes) -> str | None:
    """Return the byte order of UTF-16 without a mark, recognised by every other byte being mostly zero, as in Latin
    text."""
    head = raw[:4096]
    half = len(head) // 2
    if not half or len(raw) % 2:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > half // 2 and not even:
        return "utf-16-le"
    return "utf-16-be" if even > half // 2 and not odd else None


def _western(raw: bytes) -> str:
    """Decode as Windows-1252, which has quotation marks where Latin-1 has control characters; else as Latin-1."""
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def lines_of(text: str) -> list[str]:
    """Split a text into lines as editors do; `str.splitlines` also splits at form feeds and other marks."""
    return re.split(r"\r\n|\r|\n", text)


def mended(cues: Sequence[Cue], path: Path, tell: Tell = log.warning) -> list[Cue]:
    """Return cues in order of time, none before 0 or without length; reports every change with its line."""
    fixed = []
    for cue in cues:
        start_s, end_s = max(cue.start_s, 0.0), cue.end_s
        if cue.start_s < 0:
            tell(f"{str(path)!r}, line {cue.line}: it starts at {cue.start_s:g} s; set to start at 0.")
        if end_s <= start_s:
            tell(
                f"{str(path)!r}, line {cue.line}: it starts at {cue.start_s:g} s and ends at {cue.end_s:g} s; it is "
                f"given a length of {MENDED_S:g} s."
            )
            end_s = start_s + MENDED_S
        fixed.append(replace(cue, start_s=start_s, end_s=end_s))
    ordered = sorted(fixed, key=lambda cue: (cue.start_s, cue.end_s, cue.line))
    late = [after.line for before, after in pairwise(fixed) if after.start_s < before.start_s]
    if late:
        tell(f"{str(path)!r}: {len(late)} cues are out of order, the first in line {late[0]}; they were sorted.")
    return ordered


def with_ends(starts: Sequence[tuple[float, float | None, str, int]]) -> list[Cue]:
    """Build cues from (start, end or None, text, line); one without an end lasts until the next one starts.

    The last one lasts as long as it takes to speak.
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
    """Return the seconds of a parsed time.

    Raises:
        OverflowError: if it has more digits than a float can hold; the caller, who knows the line, reports it.
    """
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(secs)
    total = whole + (int(fraction) / 10 ** len(fraction) if fraction else 0.0)
    if not math.isfinite(total) or whole > 10**9:
        raise OverflowError
    return total
