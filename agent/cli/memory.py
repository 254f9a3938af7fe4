"""`attend memory list`, `search` and `forget`: stored stream memories, whether their source is watched now or not."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from agent.cli.console import safe
from agent.config import Config
from agent.perception.seen_over_time import Stretch, labels_meant, seen_over_time, told
from agent.perception.source_memory import SourceMemory
from agent.perception.timeline import Forgotten
from memory.store.frames import FrameStore
from memory.store.source_dir import (
    SourceDir,
    finish_removing,
    in_use_by,
    is_recording,
    read_source_dir,
    source_dirs,
    source_of,
    visit_source_dir,
    watched_wall_s,
)
from memory.stream.archive import Archive
from memory.stream.detections import Detections
from memory.stream.notes import Notes
from memory.stream.speech import Speech
from tools.errors import ConfigError, StoreError
from tools.media import Span, format_clock
from tools.perception.zones import HALVES, Zone, find_zone, parse_zone

ALL = Span(0.0, sys.float_info.max)
_AGE = re.compile(r"(\d+(?:\.\d+)?) ?(s|m|min|h|d|w)")
_AGE_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Row(BaseModel):
    """A memory on disk: its source, its size, and the process that uses it, if any."""

    model_config = ConfigDict(frozen=True)

    source: str
    live: bool
    moments: int
    notes: int
    disk_mb: float
    from_wall_s: float | None
    until_wall_s: float | None
    process: int | None


def list_memories(config: Config, console: Console, as_json: bool) -> None:
    """Print each memory of the folder.

    Raises:
        StoreError: after printing the others, if some cannot be read.
    """
    table = Table("source", "watched", "moments", "notes", "MiB", "in use by", box=SIMPLE)
    failures: list[StoreError] = []
    for path in source_dirs(config.folder):
        try:
            with _open_place(read_source_dir(path), config) as found:
                row = _describe(path, found)
        except StoreError as error:
            failures.append(error)
            continue
        if as_json:
            print(row.model_dump_json())
        else:
            watched = f"{_wall(row.from_wall_s)} to {_wall(row.until_wall_s)}" if row.live else "a recording"
            numbers = [str(row.moments), str(row.notes), f"{row.disk_mb:.1f}"]
            table.add_row(safe(row.source), watched, *numbers, f"process {row.process}" if row.process else "")
    if not as_json:
        console.print(table if table.row_count else f"No memories in {safe(str(config.folder))}.")
    raise_failures(failures)


def search_memories(
    config: Config,
    words: str,
    source: str | None,
    limit: int,
    console: Console,
    as_json: bool,
    zone: str | None = None,
) -> None:
    """Print the notes, the speech and the detections that match some words, in all memories or in those of one source.

    Args:
        config: the folder and the zones.
        words: the words; also a kind of thing that may have been detected.
        source: name of a source; None for all.
        limit: maximum number of notes of a source.
        console: for the output.
        as_json: prints JSON, one object a line.
        zone: name of a zone or half of the picture in which things count; with it, notes and speech are left out.

    Raises:
        ConfigError: if the source or the zone is unknown.
        StoreError: after printing results from the others, if some cannot be read.
    """
    place = _zone(config, zone) if zone else None
    found_any = False
    failures: list[StoreError] = []
    for path in _select_places(config, source):
        try:
            with _open_place(read_source_dir(path), config) as found:
                notes = [] if place else _matching(found, words, limit)
                walls, seen = found.archive.wall_times(), _seen(found.detections, words, place)
        except StoreError as error:
            failures.append(error)
            continue
        found_any = found_any or bool(notes) or bool(seen)
        name = source_of(path)
        if seen and as_json:
            for one in seen:
                row = {"source": name, "kind": "detected", "label": words, **asdict(one, dict_factory=_plain)}
                print(json.dumps(row))
        elif seen:
            console.print(f"{safe(name)}  [dim]detected:[/] {safe(told(words, seen, place))}", highlight=False)
        for t_s, kind, text in sorted(notes):
            if as_json:
                print(json.dumps({"source": source_of(path), "t_s": t_s, "kind": kind, "text": text}))
            else:
                wall_s = walls.at(t_s)
                when = format_clock(t_s) + ("" if wall_s is None else f"  {_wall(wall_s)}")
                console.print(f"[bold]{when}[/]  {safe(source_of(path))}  [dim]{kind}:[/] {safe(text)}")
    if not found_any and not as_json:
        console.print(f"no notes or detections match {safe(words)!r}" if place is None else "nothing was detected")
    raise_failures(failures)


def forget_memories(
    config: Config,
    source: str | None,
    before: str | None,
    span: Span | None,
    everything: bool,
    *,
    missing_ok: bool = False,
) -> tuple[list[tuple[str, Forgotten]], list[StoreError]]:
    """Delete the memory of one source or all: before a moment, in a span of media time, or everything.

    Times in a recording are not wall-clock times: `before` deletes its memory if it was watched before that. With
    `missing_ok`, a source without memory is not an error.

    Returns:
        What was deleted, by source, and the failures (see `raise_failures`).

    Raises:
        ConfigError: see `check_forgetting`.
    """
    check_forgetting(config, source, before, span, everything, missing_ok=missing_ok)
    before_wall_s = parse_when(before) if before is not None else None
    removed: list[tuple[str, Forgotten]] = []
    failures: list[StoreError] = []
    try:
        finish_removing(config.folder)
    except StoreError as error:
        failures.append(error)
    for path in _select_places(config, source, missing_ok):
        try:
            name = source_of(path)
            gone = _forget(path, config, before_wall_s, span)
        except StoreError as error:
            failures.append(error)
        else:
            removed += [(name, gone)] if gone else []
    return removed, failures


def check_forgetting(
    config: Config,
    source: str | None,
    before: str | None,
    span: Span | None,
    everything: bool,
    *,
    missing_ok: bool = False,
) -> list[str]:
    """Check the arguments of `forget_memories` without deleting anything; return the names of the sources affected.

    Raises:
        ConfigError: unless exactly one of the three is given, or if `before` is invalid or the source unknown.
    """
    if sum((before is not None, span is not None, everything)) != 1:
        raise ConfigError(
            "unclear what to forget.", expected="one of --before WHEN, --from and --to, or --all", remedy="See --help."
        )
    if span is not None and source is None:
        raise ConfigError("--from and --to need a source.", remedy="Name it with --source.")
    if before is not None:
        parse_when(before)
    return sorted({source_of(path) for path in _select_places(config, source, missing_ok)})


def raise_failures(failures: Sequence[StoreError]) -> None:
    """Raise the failures as one error, if there are any."""
    if failures:
        number = f"{len(failures)} memor{'ies' if len(failures) > 1 else 'y'}"
        raise StoreError(f"cannot process {number}: {' '.join(map(str, failures))}")


def _forget(path: Path, config: Config, before_wall_s: float | None, span: Span | None) -> Forgotten | None:
    """Forget what is older, a span, or (None, None) all of one memory; return None if there was nothing to forget."""
    with visit_source_dir(path) as place:
        if before_wall_s is None and span is None and place.alone:
            return _remove(place, config)
        with _open_place(place, config) as found:
            if before_wall_s is None:
                spans = [span or ALL]
            elif is_recording(path):
                spans = [ALL] if watched_wall_s(path) < before_wall_s else []
            else:
                spans = found.archive.wall_times().before(before_wall_s)
            gone = [found.forget(each) for each in spans]
    totals = (sum(getattr(each, name) for each in gone) for name in Forgotten.model_fields)
    return Forgotten(**dict(zip(Forgotten.model_fields, totals, strict=True))) if gone else None


def _remove(place: SourceDir, config: Config) -> Forgotten:
    """Delete a whole memory, even a damaged one."""
    try:
        with _open_place(place, config) as found:
            gone = found.forget(ALL)
    except StoreError:  # its content cannot be counted, but it can be deleted
        gone = Forgotten(frames=len(list(place.frames.glob("*.png"))), notes=0, vectors=0, moments=0)
    place.remove()
    return gone


def parse_when(text: str, now_wall_s: float | None = None) -> float:
    """Parse a moment as Unix time in seconds: an age (`90m`, `24h`, `7d`), `today`, `yesterday`, a date (and time).

    Raises:
        ConfigError: if it is none of these.
    """
    now_wall_s = time.time() if now_wall_s is None else now_wall_s
    text = text.strip().lower()
    if age := _AGE.fullmatch(text):
        return now_wall_s - float(age[1]) * _AGE_S[age[2]]
    midnight = datetime.fromtimestamp(now_wall_s).astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    if text in ("today", "yesterday"):
        return (midnight - timedelta(days=text == "yesterday")).timestamp()
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError as error:
        raise ConfigError(
            f"invalid moment {text!r}.",
            expected="an age such as 90m, 24h or 7d, today, yesterday, or a date such as 2026-03-01T10:30",
        ) from error


def _zone(config: Config, name: str) -> Zone:
    zones = [parse_zone(text) for text in config.perception.zones]
    place = find_zone(name, zones)
    if place is None:
        known = ", ".join([*HALVES, *(zone.name for zone in zones)])
        raise ConfigError(f"unknown zone {name!r}.", expected=f"one of: {known}")
    return place


def _seen(detections: Detections, words: str, place: Zone | None) -> list[Stretch]:
    """When the kind of thing that some words name was detected."""
    labels = detections.labels()
    meant = labels_meant(words, labels) if labels else frozenset()
    return seen_over_time(detections, meant, place) if meant else []


def _plain(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in fields}


def _matching(found: SourceMemory, words: str, limit: int) -> list[tuple[float, str, str]]:
    """Return the (time, kind, text) of the notes and the speech of a memory that match some words best."""
    notes = [(note.t_s, note.kind, note.text) for note in found.notes.search(words, limit)]
    spoken = [(line.start_s, "speech", line.text) for line in found.speech.search(words, limit)]
    return [*notes, *spoken]


def _select_places(config: Config, source: str | None, missing_ok: bool = False) -> Sequence[Path]:
    found = list(source_dirs(config.folder))
    if source is None:
        return found
    chosen = [path for path in found if source in (source_of(path), path.name)]
    if not chosen and not missing_ok:
        known = ", ".join(sorted({source_of(path) for path in found})) or "none"
        raise ConfigError(f"nothing is remembered of {source!r}.", expected=f"one of: {known}")
    return chosen


@contextmanager
def _open_place(place: SourceDir, config: Config) -> Iterator[SourceMemory]:
    """Open the files of a place; its lock is left as it is."""
    with ExitStack() as stack:
        archive = Archive(place.folder)
        stack.callback(archive.close)
        notes = Notes(place.folder, source_of(place.folder))
        stack.callback(notes.close)
        speech = Speech(place.folder)
        stack.callback(speech.close)
        quota_bytes = config.quota_mb << 20
        detections = Detections(place.folder, source_of(place.folder), quota_bytes)
        stack.callback(detections.close)
        yield SourceMemory(place, FrameStore(place.frames, quota_bytes), archive, notes, speech, detections, "")


def _describe(path: Path, found: SourceMemory) -> Row:
    last_s, walls = found.archive.clock("last_s"), found.archive.wall_times()
    return Row(
        source=source_of(path),
        live=not is_recording(path),
        moments=len(found.archive.key_moments()) + len(found.archive.past()),
        notes=len(found.notes),
        disk_mb=found.store.bytes_used / 2**20,
        from_wall_s=walls.at(0.0),
        until_wall_s=walls.at(last_s) if last_s is not None else None,
        process=in_use_by(path),
    )


def _wall(wall_s: float | None) -> str:
    return "?" if wall_s is None else f"{datetime.fromtimestamp(wall_s).astimezone():%Y-%m-%d %H:%M:%S}"
