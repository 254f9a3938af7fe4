"""Parsers for transcripts and stories: text with times, JSON, JSON lines, CSV, and text without times."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from memory.narrative.ingest.cues import Cue, Tell, lines_of, log, mended, read_text, seconds, shown, with_ends
from memory.narrative.ingest.subtitles import SUFFIXES, read_cues
from tools.errors import MediaError

_MAX_TOLD = 20  # damaged lines reported one by one; the rest are counted
_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
_TIME = r"(?:(\d{1,4}):)?(\d{1,3}):([0-5]\d)(?:[.,](\d{1,6}))?"
_TIMED = re.compile(
    rf"\s*(?P<open>[\[(]?)\s*{_TIME}(?P<range>\s*(?:-{{1,3}}>?|[–—]|to)\s*{_TIME})?\s*(?P<close>[\])]?)"
    r"(?P<gap>\s*[-–—]\s+|\s*:\s+|\s+|$|(?<=[\])]))(?P<text>.*)",
    re.ASCII | re.DOTALL,
)
_MEANT_AS_TIME = re.compile(r"\s*[\[(]\s*\d[\d:.,\s]*:[\d:.,\s]*[\])]", re.ASCII)
_BARE_SHARE = 0.5
"""Minimum number of lines with bare times like "1:05 ..." for these to count as times; a story may mention half past
ten, too."""
_MAX_S = 1e9  # thirty years; also rejects NaN and infinity
_Start = tuple[float, float | None, str, int]


def read_transcript(path: Path, tell: Tell = log.warning) -> list[Cue]:
    """Read the cues of a transcript or a story, in order.

    Accepts lines with times (`[1:05] text`, `00:01:05 Anna: text`, `1:05 - 1:20 text`; a line without one continues the
    line before), JSON and JSON lines of `{"start", "end", "text", "speaker"}` (seconds; also whisper's output, under
    `segments`), and subtitle files. A cue without an end lasts until the next one.

    A text without times has sections: its paragraphs, or the rows of a CSV file with the columns `section` and `text`.
    Their cues have the `clock` "sections": the times are positions from 0, not seconds.

    Args:
        path: the file.
        tell: receives, with file and line, every repair, every guess and everything that cannot be used.

    Raises:
        MediaError: if the file cannot be read, or nothing in it can be used.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return read_cues(path, tell)
    text = read_text(path, tell)
    if not text.strip():
        raise MediaError(f"{str(path)!r} is empty.", expected="a transcript or a story")
    if suffix in (".csv", ".tsv"):
        return _table(text, path, "\t" if suffix == ".tsv" else ",", tell)
    trouble: list[str] = []
    if suffix in _JSON_SUFFIXES or re.match(r"\s*(\{\s*\"|\[\s*\{)", text):
        starts = list(_entries(text, path, trouble))
    elif (lines := lines_of(text)) and not _has_times(lines):
        return _paragraphs(lines, path, tell)
    else:
        starts = list(_timed(lines, trouble))
    for problem in trouble[:_MAX_TOLD]:
        tell(f"{str(path)!r}, {problem}")
    if len(trouble) > _MAX_TOLD:
        tell(f"{str(path)!r}: {len(trouble) - _MAX_TOLD} more places are damaged.")
    if trouble and not starts:
        raise MediaError(
            f"{str(path)!r} has no usable line; {trouble[0]}",
            expected='lines such as "[1:05] text", or entries such as {"start": 65.0, "end": 70.0, "text": "..."}',
            remedy="Repair the file, or export the transcript as SRT.",
        )
    return mended(with_ends(starts), path, tell)


def _has_times(lines: list[str]) -> bool:
    """Return whether lines begin with times; in a story, some may by chance."""
    matches = [_match(line) for line in lines if line.strip()]
    found = [match for match in matches if match]
    if any(match["open"] for match in found):
        return True
    clear = [m for m in found if m["range"] or m[2] is not None or not m["text"].strip()]
    return len(clear) > 1 or matches[0] in clear or (bool(found) and len(found) >= _BARE_SHARE * len(matches))


def _match(line: str) -> re.Match[str] | None:
    found = _TIMED.fullmatch(line)
    return found if found and bool(found["open"]) == bool(found["close"]) else None


def _timed(lines: list[str], trouble: list[str]) -> Iterator[_Start]:
    """Yield the lines that begin with times, each with the lines that continue it."""
    start: tuple[float, float | None, int] | None = None
    words: list[str] = []
    for number, line in enumerate(lines, 1):
        if found := _match(line):
            if start is not None and words:
                yield start[0], start[1], "\n".join(words), start[2]
            _, h, m, s, fraction, _, h2, m2, s2, fraction2, *_ = found.groups()
            end_s = seconds(h2, m2, s2, fraction2) if found["range"] else None
            start, words = (seconds(h, m, s, fraction), end_s, number), _words(found["text"])
            continue
        if _MEANT_AS_TIME.match(line):
            trouble.append(f"line {number}: {shown(line)} does not begin with a valid time; kept as words.")
        if start is None and line.strip():
            trouble.append(f"line {number}: skipped {shown(line)}, which precedes the first time.")
        else:
            words += _words(line)
    if start is not None and words:
        yield start[0], start[1], "\n".join(words), start[2]


def _words(text: str) -> list[str]:
    """Return the line with single spaces, if it has words."""
    return [" ".join(text.split())] if text.strip() else []


def _entries(text: str, path: Path, trouble: list[str]) -> Iterator[_Start]:
    """Yield the content of entries of JSON or JSON lines; adds what is wrong with others to `trouble`."""
    for line, where, entry in _objects(text, path, trouble):
        try:
            start_s, end_s, words = _number(entry, "start"), _number(entry, "end", needed=False), _said(entry)
        except ValueError as error:
            trouble.append(f"{where}: skipped, since {error}")
            continue
        if words:
            yield start_s, end_s, words, line


def _objects(text: str, path: Path, trouble: list[str]) -> Iterator[tuple[int, str, Any]]:
    """Yield (line, where it is in words, entry) of each entry."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        lines = [(number, line) for number, line in enumerate(lines_of(text), 1) if line.strip()]
        if path.suffix.lower() == ".json" or not _is_json(lines[0][1]):
            raise MediaError(
                f"cannot parse {str(path)!r} as JSON: {error}.",
                expected='a list of {"start", "end", "text"}, or one such object per line',
                remedy="Repair the file; if it has one object per line, name it .jsonl.",
            ) from error
        for number, line in lines:
            try:
                yield number, f"line {number}", json.loads(line)
            except (ValueError, RecursionError) as damage:
                trouble.append(f"line {number}: skipped {shown(line)}, which is not JSON: {damage}.")
        return
    entries = whole
    if isinstance(whole, dict):
        entries = whole.get("segments", [whole])
    if not isinstance(entries, list):
        raise MediaError(
            f"{str(path)!r} holds {shown(json.dumps(entries))}.",
            expected='a list of {"start", "end", "text"}, or an object with such a list under "segments"',
        )
    for number, entry in enumerate(entries, 1):
        yield number, f"entry {number}", entry


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _number(entry: Any, key: str, *, needed: bool = True) -> Any:
    if not isinstance(entry, dict):
        raise ValueError(f"{shown(json.dumps(entry))} is not an object with 'start' and 'text'.")
    value = entry.get(key)
    if value is None and not needed:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MAX_S:
        raise ValueError(f"its {key!r} is {value!r}, not a number of seconds; words: {shown(str(entry.get('text')))}.")
    return float(value)


def _said(entry: dict[str, Any]) -> str:
    text, speaker = entry.get("text"), entry.get("speaker")
    if not isinstance(text, str):
        raise ValueError(f"its 'text' is {text!r}, not a string.")
    words = " ".join(text.split())
    return f"{speaker}: {words}" if words and isinstance(speaker, str) and speaker.strip() else words


def _paragraphs(lines: list[str], path: Path, tell: Tell) -> list[Cue]:
    """Return the paragraphs of a text, separated by empty lines; if there are none, each line."""
    body = "\n".join(lines).strip("\n")
    in_runs = re.search(r"\n[^\S\n]*\n", body) is not None
    found: list[tuple[int, list[str]]] = []
    goes_on = False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            goes_on = False
        elif goes_on and in_runs:
            found[-1][1].append(line)
        else:
            found.append((number, [line]))
            goes_on = True
    what = "paragraphs" if in_runs else "lines"
    tell(
        f"{str(path)!r} states no times: its {len(found)} {what} are read as sections; their times count sections, "
        "not seconds."
    )
    return _sections(((" ".join(" ".join(run).split()), number) for number, run in found))


def _sections(texts: Iterable[tuple[str, int]]) -> list[Cue]:
    return [Cue(float(k), k + 1.0, text, line, "sections") for k, (text, line) in enumerate(texts)]


def _table(text: str, path: Path, delimiter: str, tell: Tell) -> list[Cue]:
    """Read the rows of a CSV file with the columns `section` and `text`, in order."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found: list[tuple[str, str, int]] = []
    try:
        names = [name.strip().lower() for name in next(rows, [])]
        if not {"section", "text"} <= set(names):
            raise MediaError(
                f"{str(path)!r} has the columns {names}.", expected="a CSV file with the columns 'section' and 'text'"
            )
        at, words = names.index("section"), names.index("text")
        before = rows.line_num
        for row in rows:
            line, before = before + 1, rows.line_num
            if not row:
                continue
            if len(row) != len(names):
                raise MediaError(
                    f"{str(path)!r}, line {line}: the row has {len(row)} fields.",
                    expected=f"{len(names)}, as in the first line",
                    remedy='Put texts that contain commas in quotation marks: "...".',
                )
            found.append((row[at].strip(), " ".join(row[words].split()), line))
    except csv.Error as error:
        raise MediaError(
            f"cannot parse {str(path)!r} as CSV, line {rows.line_num}: {error}.",
            expected="a CSV file",
            remedy="Repair that line.",
        ) from error
    _check_numbers(found, path, tell)
    return _sections((words, line) for _, words, line in found)


def _check_numbers(found: list[tuple[str, str, int]], path: Path, tell: Tell) -> None:
    """Report sections whose names are not consecutive numbers, since they are counted by position."""
    names = [name for name, _, _ in found]
    first = int(names[0]) if names and names[0].isdecimal() and len(names[0]) < 10 else 1
    odd = next((k for k, name in enumerate(names) if name != str(first + k)), None)
    if odd is not None:
        tell(
            f"{str(path)!r}, line {found[odd][2]}: section {names[odd]!r} comes where {str(first + odd)!r} is "
            "expected; sections are counted by their position."
        )
    for name, words, line in found:
        if not words:
            tell(f"{str(path)!r}, line {line}: section {name!r} has no words; it keeps its place.")
