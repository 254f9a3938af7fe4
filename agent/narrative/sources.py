"""What narrative memory is built from: `Origin` of a text, a film, or what was seen of a stream; and what each says."""

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
from tools.errors import ConfigError, MediaError, StoreError
from tools.media import Frame, format_clock, mask_credentials, open_source

TEXTS = (*SUFFIXES, ".txt", ".md", ".json", ".jsonl", ".ndjson", ".csv", ".tsv")
"""Suffixes of files that are words themselves; other files are films, whose subtitles may lie beside them."""
SURE = 50
"""Per cent from which on a label of the classifier is taken for what is seen; our choice."""
LONG_S = 3600.0
"""A cue, or the time to the next one, that is longer is told of; our choice: no film is silent for so long."""
_LABEL = re.compile(r"([^,(]+?) \((\d+)%\)")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Origin:
    """Where something comes from.

    Attributes:
        kind: a `text`, a `film`, or the `stream` memory of a source.
        path: the file; of a stream, the folder of its memory.
        name: what it is called in the memory: its name, and what tells it from another of the same name.
    """

    kind: Literal["text", "film", "stream"]
    path: Path
    name: str


def origin_of(spec: str, config: Config) -> Origin:
    """Find out what a person means: a file, else a source of which the stream memory holds something.

    Raises:
        MediaError: if it is neither.
    """
    path = Path(spec)
    if path.is_file():
        return Origin("text" if path.suffix.lower() in TEXTS else "film", path, source_name(path))
    masked = mask_credentials(spec)
    held = {place: source_of(place) for place in source_dirs(config.folder)}
    chosen = [place for place, source in held.items() if masked in (source, place.name)]
    if chosen:
        newest = max(chosen, key=lambda place: ((place / "source").stat().st_mtime, place.name))
        return Origin("stream", newest, _named(held[newest], str(newest.resolve())))
    known = ", ".join(sorted(set(held.values()))) or "none yet"
    raise MediaError(
        f"{masked!r} is no file, and nothing was seen of a source of that name.",
        expected="a film, a subtitle file, a transcript, a story, or a source that was watched",
        remedy=f"Sources that were watched: {known}.",
    )


def source_name(path: Path) -> str:
    """What a file is called in the memory."""
    return _named(path.name, str(path.resolve()))


def plain_name(source: str) -> str:
    """The part of a name in the memory that people know."""
    return source.rpartition(" ")[0]


def ambiguous(name: str, called: Sequence[str]) -> ConfigError:
    """That several sources of the memory are known by a name, and how to tell them apart."""
    return ConfigError(
        f"{len(called)} things that were built are called {name!r}.",
        expected=f"one of: {', '.join(map(repr, called))}",
        remedy="Name one as `attend memory list` shows it, with what tells it from the others.",
    )


@dataclass(frozen=True)
class Words:
    """What is said in a film, or told in a text.

    Attributes:
        cues: by time.
        clock: what their times count.
        film_s: how long the film lasts, seconds; None for a text, and where the film does not say.
    """

    cues: list[Cue]
    clock: Clock
    film_s: float | None = None


def read_words(origin: Origin, tell: Tell) -> Words:
    """The words of a text, or of the subtitles beside a film; none where a film has none.

    Raises:
        MediaError: if a file cannot be read, a text has no words, or the subtitles go on long after the film ends.
    """
    if origin.kind == "text":
        cues = read_transcript(origin.path, tell)
        if not cues:
            raise MediaError(
                f"there are no words in {origin.path.name!r}.", expected="subtitles, a transcript, or a story"
            )
        if clock_of(cues) == "seconds":
            _tell_long(cues, origin.path, tell)
        return Words(cues, clock_of(cues))
    with open_source(str(origin.path)) as film:  # so that a broken film is told from one without subtitles
        film_s = film.info.duration_s
    subtitles = find_subtitles(origin.path, tell)
    if subtitles is None:
        tell(f"there are no subtitles beside {origin.path.name!r}, such as {origin.path.with_suffix('.srt').name!r}: "
             "what is said in it is not known.")  # fmt: skip
        return Words([], "seconds", film_s)
    cues = read_cues(subtitles, tell)
    late = [cue for cue in cues if film_s is not None and cue.start_s > film_s + LENGTH_S]
    if late:
        raise MediaError(
            f"{subtitles.name!r}, line {late[0].line}: it is said at {format_clock(late[0].start_s)}, but "
            f"{origin.path.name!r} ends at {format_clock(film_s or 0.0)} ({len(late) - 1} more come later).",
            expected="the subtitles of this film",
            remedy="Put the right ones beside it, or cut what comes after its end.",
        )
    _tell_long(cues, subtitles, tell)
    return Words(cues, "seconds", film_s)


def _tell_long(cues: Sequence[Cue], path: Path, tell: Tell) -> None:
    """Tell of the first cue that lasts too long to be meant, or comes too long after the one before."""
    long = [(after.line, after.start_s - before.end_s, "begins", "the one before") for before, after in pairwise(cues)]
    long += [(cue.line, cue.end_s - cue.start_s, "ends", "it begins") for cue in cues]
    if odd := sorted(one for one in long if one[1] > LONG_S):
        line, lasts_s, does, what = odd[0]
        more = f" {len(odd) - 1} more are like that." if odd[1:] else ""
        tell(f"{path.name!r}, line {line}: it {does} {lasts_s / 3600:.1f} h after {what}. Is its time mistyped?{more}")


@dataclass(frozen=True)
class Noted:
    """What the stream memory holds of a source.

    Attributes:
        pictures: (time in seconds, frame id), by time; all of them are in the store of films.
        labels: what the classifier was sure to see, as sentences.
        texts: what was read.
        duration_s: how far it was watched, seconds.
        begun_wall_s: Unix time of its beginning; None for a recording.
    """

    pictures: tuple[tuple[float, str], ...]
    labels: tuple[Seen, ...]
    texts: tuple[Seen, ...]
    duration_s: float
    begun_wall_s: float | None


def read_stream(origin: Origin, store: FrameStore) -> Noted:
    """What the stream memory of a source holds, whoever watches into it; its pictures are copied into a store.

    Raises:
        StoreError: if the memory cannot be read, or a picture not be stored.
    """
    place = read_source_dir(origin.path)
    source = source_of(origin.path)
    archive = Archive(place.folder)
    try:
        moments = [past.kept for past in archive.past()] + [key.kept for key in archive.key_moments()]
        last_s, walls = archive.clock("last_s"), archive.wall_times()
    finally:
        archive.close()
    notes = Notes(place.folder, source)
    try:
        noted = list(notes.each())
    finally:
        notes.close()
    seen = FrameStore(place.frames, 1 << 62)
    pictures = []
    for kept in sorted(moments, key=lambda kept: kept.t_s):
        if not store.has(kept.frame_id):
            try:
                store.put(Frame(source, kept.t_s, seen.get(kept.frame_id)))
            except StoreError:
                if seen.has(kept.frame_id):
                    raise
                continue  # it gave way to newer ones
        pictures.append((kept.t_s, kept.frame_id))
    labels = [
        (note.t_s, note.frame_id, f"{name.strip().capitalize()} is seen.")
        for note in noted
        if note.kind == "label"
        for name, share in _LABEL.findall(note.text)
        if int(share) >= SURE
    ]
    texts = [(note.t_s, note.frame_id, note.text) for note in noted if note.kind == "text"]
    times = [t_s for t_s, _ in pictures] + [t_s for t_s, _, _ in (*labels, *texts)]
    if not times:
        raise StoreError(f"nothing that was seen of {source!r} is remembered.", remedy="Watch it first.")
    return Noted(
        tuple(pictures), tuple(labels), tuple(texts), max(last_s or 0.0, *times, 1.0), walls.at(min(times))
    )  # fmt: skip


def _named(name: str, whole: str) -> str:
    return f"{name} {hashlib.sha256(whole.encode()).hexdigest()[:8]}"
