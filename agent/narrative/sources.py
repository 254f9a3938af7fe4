"""Sources of narrative memory: texts, films with subtitles, and watched streams."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from agent.config import Config
from memory.narrative.ingest.cues import Clock, Cue, clock_of
from memory.narrative.ingest.segments import LENGTH_S, Seen
from memory.narrative.ingest.subtitles import SUFFIXES, find_subtitles, read_cues
from memory.narrative.ingest.transcripts import read_transcript
from memory.store.frames import FrameStore
from memory.store.source_dir import read_source_dir, source_dirs, source_of
from memory.stream.archive import Archive
from memory.stream.notes import Notes
from memory.stream.speech import Speech
from tools.errors import ConfigError, MediaError, StoreError
from tools.media import Frame, format_clock, mask_credentials, open_source
from tools.media.sound import Utterance

TEXTS = (*SUFFIXES, ".txt", ".md", ".json", ".jsonl", ".ndjson", ".csv", ".tsv")
"""Suffixes of text files; all other files are films, possibly with subtitles beside them."""
MIN_LABEL_PERCENT = 50
"""Minimum confidence of a classifier label, in per cent."""
LONG_S = 3600.0
"""Longer cues, or gaps between cues, are reported: no film is silent for this long."""
_LABEL = re.compile(r"([^,(]+?) \((\d+)%\)")
Warn = Callable[[str], None]


@dataclass(frozen=True)
class Origin:
    """The origin of a source.

    Attributes:
        kind: a `text`, a `film`, or the `stream` memory of a source.
        path: the file; of a stream, the folder of its memory.
        name: its name in the memory: the short name and a hash that distinguishes sources of the same name.
    """

    kind: Literal["text", "film", "stream"]
    path: Path
    name: str


def origin_of(spec: str, config: Config) -> Origin:
    """Resolve what a person gave: a file, else a source with a stream memory.

    Raises:
        MediaError: if it is neither.
    """
    path = Path(spec)
    if path.is_file():
        return Origin("text" if path.suffix.lower() in TEXTS else "film", path, source_name(path))
    masked = mask_credentials(spec)
    watched = {place: source_of(place) for place in source_dirs(config.folder)}
    chosen = [place for place, source in watched.items() if masked in (source, place.name)]
    if chosen:
        newest = max(chosen, key=lambda place: ((place / "source").stat().st_mtime, place.name))
        return Origin("stream", newest, _with_hash(watched[newest], str(newest.resolve())))
    known = ", ".join(sorted(set(watched.values()))) or "none yet"
    raise MediaError(
        f"{masked!r} is neither a file nor a watched source.",
        expected="a film, a subtitle file, a transcript, a story, or a source that was watched",
        remedy=f"Watched sources: {known}.",
    )


def source_name(path: Path) -> str:
    """Return the name of a file in the memory."""
    return _with_hash(path.name, str(path.resolve()))


def short_name(source: str) -> str:
    """Return the short name of a source, without the hash."""
    return source.rpartition(" ")[0]


def ambiguous_name(name: str, called: Sequence[str]) -> ConfigError:
    """Return an error for a short name that several sources share."""
    return ConfigError(
        f"{len(called)} sources are called {name!r}.",
        expected=f"one of: {', '.join(map(repr, called))}",
        remedy="Use the full name, as in `attend memory list`.",
    )


@dataclass(frozen=True)
class Words:
    """The words of a film or text.

    Attributes:
        cues: by time.
        clock: unit of their times.
        film_s: duration of the film in seconds; None for a text, or if unknown.
        unsubtitled: whether it is a film without subtitles.
    """

    cues: list[Cue]
    clock: Clock
    film_s: float | None = None
    unsubtitled: bool = False


def read_words(origin: Origin, warn: Warn) -> Words:
    """Read a text, or the subtitles beside a film, if there are any.

    Raises:
        MediaError: if a file cannot be read, a text is empty, or the subtitles continue long after the film ends.
    """
    if origin.kind == "text":
        cues = read_transcript(origin.path, warn)
        if not cues:
            raise MediaError(f"{origin.path.name!r} contains no words.", expected="subtitles, a transcript, or a story")
        if clock_of(cues) == "seconds":
            _warn_of_long(cues, origin.path, warn)
        return Words(cues, clock_of(cues))
    with open_source(str(origin.path)) as film:  # fails for a broken film, even without subtitles
        film_s = film.info.duration_s
    subtitles = find_subtitles(origin.path, warn)
    if subtitles is None:
        return Words([], "seconds", film_s, unsubtitled=True)
    cues = read_cues(subtitles, warn)
    late = [cue for cue in cues if film_s is not None and cue.start_s > film_s + LENGTH_S]
    if late:
        raise MediaError(
            f"{subtitles.name!r}, line {late[0].line}: the cue starts at {format_clock(late[0].start_s)}, but "
            f"{origin.path.name!r} ends at {format_clock(film_s or 0.0)} ({len(late) - 1} more are later).",
            expected="the subtitles of this film",
            remedy="Use the right subtitles, or remove the cues after the end.",
        )
    _warn_of_long(cues, subtitles, warn)
    return Words(cues, "seconds", film_s)


def _warn_of_long(cues: Sequence[Cue], path: Path, warn: Warn) -> None:
    """Report the first cue that is implausibly long, or follows an implausibly long gap."""
    long = [
        (after.line, after.start_s - before.end_s, "begins", "the previous one") for before, after in pairwise(cues)
    ]
    long += [(cue.line, cue.end_s - cue.start_s, "ends", "it begins") for cue in cues]
    if odd := sorted(one for one in long if one[1] > LONG_S):
        line, lasts_s, does, what = odd[0]
        more = f" There are {len(odd) - 1} more." if odd[1:] else ""
        warn(f"{path.name!r}, line {line}: it {does} {lasts_s / 3600:.1f} h after {what}. Is its time mistyped?{more}")


@dataclass(frozen=True)
class StreamContent:
    """Content of the stream memory of a source.

    Attributes:
        pictures: (time in seconds, frame id), by time; all of them are in the store of films.
        labels: confident classifier labels, as sentences.
        texts: text in pictures.
        spoken: what was said.
        duration_s: how far it was watched, in seconds.
        begun_wall_s: Unix time of its start; None for a recording.
    """

    pictures: tuple[tuple[float, str], ...]
    labels: tuple[Seen, ...]
    texts: tuple[Seen, ...]
    spoken: tuple[Utterance, ...]
    duration_s: float
    begun_wall_s: float | None


def read_stream(origin: Origin, store: FrameStore) -> StreamContent:
    """Read the stream memory of a source, even while it is watched, and copy its pictures into a store.

    Raises:
        StoreError: if the memory cannot be read, or a picture cannot be stored.
    """
    place = read_source_dir(origin.path)
    source = source_of(origin.path)
    archive = Archive(place.folder)
    try:
        moments = [past.kept for past in archive.past()] + [key.kept for key in archive.key_moments()]
        last_s, walls = archive.clock("last_s"), archive.wall_times()
    finally:
        archive.close()
    notes, speech = Notes(place.folder, source), Speech(place.folder)
    try:
        noted, spoken = list(notes.each()), speech.between()
    finally:
        notes.close()
        speech.close()
    seen = FrameStore(place.frames, 1 << 62)
    pictures = []
    for kept in sorted(moments, key=lambda kept: kept.t_s):
        if not store.has(kept.frame_id):
            try:
                store.put(Frame(source, kept.t_s, seen.get(kept.frame_id)))
            except StoreError:
                if seen.has(kept.frame_id):
                    raise
                continue  # replaced by newer pictures
        pictures.append((kept.t_s, kept.frame_id))
    labels = [
        (note.t_s, note.frame_id, f"{name.strip().capitalize()} is seen.")
        for note in noted
        if note.kind == "label"
        for name, share in _LABEL.findall(note.text)
        if int(share) >= MIN_LABEL_PERCENT
    ]
    texts = [(note.t_s, note.frame_id, note.text) for note in noted if note.kind == "text"]
    times = [t_s for t_s, _ in pictures] + [t_s for t_s, _, _ in (*labels, *texts)]
    if not times:
        raise StoreError(f"nothing is remembered of {source!r}.", remedy="Watch it first.")
    return StreamContent(
        tuple(pictures), tuple(labels), tuple(texts), tuple(spoken),
        max(last_s or 0.0, *times, 1.0), walls.at(min(times)),
    )  # fmt: skip


def _with_hash(name: str, whole: str) -> str:
    return f"{name} {hashlib.sha256(whole.encode()).hexdigest()[:8]}"
