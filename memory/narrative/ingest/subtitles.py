"""Parsers for subtitle files: SubRip (SRT) and WebVTT here, SubStation (ASS, SSA) through pysubs2.

pysubs2 (1.8.1) parses SRT and WebVTT line by line: it takes comments and cue names for words of the cue before, 100
hours for 0, ".50" for 50 ms, drops "{laughs}" and a last line that is a number, and takes damaged blocks for words, all
silently. So these two are parsed here.

Formats: https://www.w3.org/TR/webvtt1/ (2019); SubRip has no specification, so this parser accepts what players accept.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from memory.narrative.ingest.cues import Cue, Tell, lines_of, log, mended, read_text, seconds, shown
from tools.errors import MediaError
from tools.extras import require

SUFFIXES = (".srt", ".vtt", ".ass", ".ssa")
"""File types of `read_cues`, the preferred first."""
_MAX_TOLD = 20  # damaged blocks reported one by one; the rest are counted
_TIME = r"(-?)(?:(\d+):)?(\d+):(\d+)(?:[.,](\d+))?"
_TIMES = re.compile(rf"\s*{_TIME}\s*-{{1,3}}>\s*{_TIME}(?:\s.*)?", re.ASCII)
_PART_OF_TIME = re.compile(r"\d\s*[:.,]\s*\d|^\s*\d+\s*-->", re.ASCII)
_NUMBER = re.compile(r"\s*\d+\s*", re.ASCII)
_KARAOKE = re.compile(r"<\d[\d:.]*>", re.ASCII)
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^<>]+)>", re.IGNORECASE)
# Known markup only: "<laughs>" and "{door}" are words.
_BREAK = re.compile(r"<\s*br\s*/?\s*>|\\[Nn]", re.IGNORECASE)
_TAG = re.compile(
    r"<\s*/?\s*(?:v|c|i|b|u|s|em|strong|font|span|p|div|lang|ruby|rt)(?:[\s.][^<>]*)?/?>"
    r"|\{\\[^{}]*\}|\{[A-Za-z]:[^{}]*\}|\{/?[bius]\}",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z]\w*);")
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_NEW_SPEAKER = re.compile(r"[-–—‐]|>>|[A-Z][\w.' -]{0,30}:\s")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]+)*")
_FLAGS = ("default", "sdh", "cc", "hi", "forced")


@dataclass
class _Block:
    """The lines of a file from one line of times to the next."""

    line: int
    times: tuple[float, float] | None
    words: list[tuple[int, str]]
    number: int | None = None


def find_subtitles(video: Path, tell: Tell = log.warning) -> Path | None:
    """Find the subtitle file beside a video: of the same name, with or without a language (`clip.srt`, `clip.en.vtt`).

    Prefers a file without a language, then English, then alphabetical order; files with foreign parts only
    (`clip.en.forced.srt`) come last; SRT before WebVTT before ASS. Reports the choice to `tell`.
    """
    video = Path(video)
    try:
        names = sorted(path.name for path in video.parent.iterdir() if path.is_file())
    except OSError:
        return None  # not a local folder, such as the address of a stream
    found = sorted((rank, name) for name in names if (rank := _rank(name, video.stem)) and name != video.name)
    if not found:
        return None
    if len(found) > 1:
        others = ", ".join(repr(name) for _, name in found[1:])
        tell(f"{video.name!r} has several subtitle files: {found[0][1]!r} is read, not {others}.")
    return video.parent / found[0][1]


def _rank(name: str, stem: str) -> tuple[bool, bool, bool, str, int] | None:
    """Return the sort key of a file among the subtitles of a video, best first; None if it is not one of them."""
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES or not name.startswith(stem):
        return None
    between = name[len(stem) : -len(suffix)]
    if between and not between.startswith("."):
        return None
    tags = [tag.lower() for tag in between.split(".")[1:]]
    languages = [tag for tag in tags if tag not in _FLAGS]
    if len(languages) > 1 or not all(_LANGUAGE.fullmatch(tag) for tag in languages):
        return None
    language = languages[0] if languages else ""
    english = language.split("-")[0] in ("en", "eng")
    return ("forced" in tags, bool(language), not english, between.lower(), SUFFIXES.index(suffix))


def read_cues(path: Path, tell: Tell = log.warning) -> list[Cue]:
    """Read the cues of a subtitle file in order of time, without markup and empty cues; they may overlap.

    Args:
        path: an SRT, WebVTT, ASS or SSA file; the content, not the name, decides between the first two.
        tell: receives, with file and line, every repair and everything that cannot be used.

    Raises:
        MediaError: if the file cannot be read, or has no subtitles.
    """
    path = Path(path)
    text = read_text(path, tell)
    if path.suffix.lower() in (".ass", ".ssa") or text.lstrip().startswith("[Script Info]"):
        return mended(_substation(text, path, tell), path, tell)
    is_vtt = text.lstrip().startswith("WEBVTT")
    if path.suffix.lower() == ".vtt" and not is_vtt:
        tell(f"{str(path)!r}, line 1: 'WEBVTT' is missing; read anyway.")
        is_vtt = True
    lines = lines_of(text)
    blocks = _blocks(lines, is_vtt)
    trouble: list[str] = []
    cues = [cue for block in blocks if (cue := _cue(block, is_vtt, trouble)) is not None]
    for problem in trouble[:_MAX_TOLD]:
        tell(f"{str(path)!r}, {problem}")
    if len(trouble) > _MAX_TOLD:
        tell(f"{str(path)!r}: {len(trouble) - _MAX_TOLD} more places are damaged.")
    if not any(block.times for block in blocks) and not (is_vtt and not trouble):
        first = next((line for line in lines if line.strip()), "")
        raise MediaError(
            f"{str(path)!r} has no subtitles; it starts with {shown(first)}.",
            expected="cues such as '00:01:05,000 --> 00:01:07,500' with their words below (SRT or WebVTT)",
            remedy="Give a subtitle file, or read it as a transcript.",
        )
    if _KARAOKE.search(text):
        cues = _unrolled(cues)
    return mended([_joined(cue) for cue in cues], path, tell)


def _blocks(lines: list[str], is_vtt: bool) -> list[_Block]:
    """Split a file at its lines of times; the first block, without times, precedes them."""
    blocks = [_Block(1, None, [])]
    header = next((i for i, line in enumerate(lines) if line.strip()), 0)
    skip = 0
    if is_vtt and lines[header].lstrip().startswith("WEBVTT"):  # it ends at an empty line, or at the first cue
        skip = next((i for i in range(header, len(lines)) if not lines[i] or "-->" in lines[i]), len(lines))
    for number, line in enumerate(lines[skip:], skip + 1):
        found = _TIMES.fullmatch(line)
        if not found and not ("-->" in line and _PART_OF_TIME.search(line)):
            blocks[-1].words.append((number, line))
            continue
        block = _Block(number, _times(found) if found else None, [])
        block.number = _take_name(blocks[-1], is_vtt)
        if block.times is None:
            block.words.append((number, line))
        blocks.append(block)
    return blocks


def _times(found: re.Match[str]) -> tuple[float, float] | None:
    minus, *start, minus_end, h, m, s, fraction = found.groups()
    try:
        start_s, end_s = seconds(*start), seconds(h, m, s, fraction)
    except (OverflowError, ValueError):  # ValueError: thousands of digits
        return None
    return (-start_s if minus else start_s), (-end_s if minus_end else end_s)


def _take_name(block: _Block, is_vtt: bool) -> int | None:
    """Remove the number or name of the next cue from the end of a block, and return it if it is a number."""
    words = block.words
    if not is_vtt:  # an empty line between a number and its times
        at = next((i for i in range(len(words) - 1, -1, -1) if words[i][1].strip()), -1)
        if _NUMBER.fullmatch(words[at][1] if words else "") and (at == 0 or not words[at - 1][1].strip()):
            del words[at + 1 :]
    if not words:
        return None
    number, last = words[-1]
    alone = not words[-2][1].strip() if len(words) > 1 else block.times is None or number > block.line + 1
    if _NUMBER.fullmatch(last) and (alone or not is_vtt):
        words.pop()
        return int(last) if len(last.strip()) < 10 else None
    if is_vtt and alone and last.strip() and not last.startswith("NOTE"):
        words.pop()
    return None


def _cue(block: _Block, is_vtt: bool, trouble: list[str]) -> Cue | None:
    """Parse the cue of a block, one line of text per line; adds what cannot be used to `trouble`."""
    paragraphs = list(_paragraphs(block.words, is_vtt))
    own: list[str] = []
    if block.times is not None:
        if paragraphs and (not is_vtt or paragraphs[0][0][0] == block.line + 1):
            own = [line for _, line in paragraphs.pop(0)]
        while not is_vtt and paragraphs and not _lacks_times(paragraphs[0], block):
            own += [line for _, line in paragraphs.pop(0)]  # an empty line within the words of a cue
    for paragraph in paragraphs:
        number, first = paragraph[0]
        if is_vtt and re.match(r"(NOTE|STYLE|REGION)(\s|$)", first):
            continue
        words = shown(" ".join(line for _, line in paragraph))
        trouble.append(f"line {number}: skipped {words}, which has no readable times.")
    if block.times is None:
        return None
    if not (text := _plain("\n".join(own))):
        return None
    return Cue(*block.times, text, block.line)


def _paragraphs(words: list[tuple[int, str]], is_vtt: bool) -> Iterator[list[tuple[int, str]]]:
    """Yield runs of non-empty lines. In WebVTT, a line with a space is not empty."""
    run: list[tuple[int, str]] = []
    for number, line in words:
        if line if is_vtt else line.strip():
            run.append((number, line))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _lacks_times(paragraph: list[tuple[int, str]], block: _Block) -> bool:
    """Return whether lines begin with the number of the next cue, and so are a cue without times."""
    first = paragraph[0][1].strip()
    return len(paragraph) > 1 and block.number is not None and first == str(block.number + 1)


def _plain(text: str) -> str:
    """Return the words of a cue: without tags, speakers as "Name: ", entities decoded. Empty if nobody speaks."""
    if not _spoken(_VOICE.sub("", text)):
        return ""
    return _spoken(text)


def _spoken(text: str) -> str:
    text = _VOICE.sub(lambda found: f"\n{found[1].strip()}: ", _BREAK.sub("\n", _KARAOKE.sub("", text)))
    text = _ENTITY.sub(lambda found: html.unescape(found[0]), _TAG.sub("", text))
    lines = (" ".join(line.split()) for line in _INVISIBLE.sub("", text).split("\n"))
    return "\n".join(line for line in lines if line)


def _unrolled(cues: list[Cue]) -> list[Cue]:
    """Remove the lines that cues of machine-made roll-up captions repeat from the one before."""
    kept: list[Cue] = []
    before: list[str] = []
    for cue in cues:
        lines = cue.text.split("\n")
        most = min(len(before), len(lines))
        again = next((n for n in range(most, 0, -1) if before[-n:] == lines[:n]), 0)
        before = lines
        if lines[again:]:
            kept.append(Cue(cue.start_s, cue.end_s, "\n".join(lines[again:]), cue.line))
    return kept


def _joined(cue: Cue) -> Cue:
    """Join the lines of one sentence; a new speaker begins a new line."""
    text = ""
    for line in cue.text.split("\n"):
        text += line if not text else ("\n" if _NEW_SPEAKER.match(line) else " ") + line
    return Cue(cue.start_s, cue.end_s, text, cue.line)


def _substation(text: str, path: Path, tell: Tell) -> list[Cue]:
    pysubs2 = require("pysubs2", extra="narrative")

    try:
        events = pysubs2.SSAFile.from_string(text).events
    except (pysubs2.exceptions.Pysubs2Error, ValueError) as error:
        raise MediaError(
            f"cannot read {str(path)!r} as subtitles: {error}.",
            expected="an ASS or SSA file",
            remedy="Save it as SRT, for example with Aegisub.",
        ) from error
    numbers = [number for number, line in enumerate(lines_of(text), 1) if re.match(r"(Dialogue|Comment)\s*:", line)]
    if len(numbers) != len(events):
        tell(f"{str(path)!r}: {len(numbers)} lines of dialogue, of which {len(events)} could be read.")
        numbers = [0] * len(events)
    cues = []
    for event, number in zip(events, numbers, strict=True):
        words = " ".join(event.plaintext.split())
        if event.is_text and words:
            spoken = f"{event.name.strip()}: {words}" if event.name.strip() else words
            cues.append(Cue(event.start / 1000, event.end / 1000, spoken, number))
    return cues
