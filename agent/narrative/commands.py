"""`attend memory build`, `recall`, `reindex`: the narrative memory of transcripts, stories and films with subtitles."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from agent.config import Config
from agent.notes import embed_texts
from agent.terminal import safe
from memory.narrative.changes import Change
from memory.narrative.cues import Clock, Cue, clock_of
from memory.narrative.database import FILE_NAME
from memory.narrative.forget import Forgotten
from memory.narrative.retrieve import Retrieved, retrieve
from memory.narrative.rules import count_heads, entities_of, extract, link
from memory.narrative.segments import tile
from memory.narrative.store import NarrativeStore
from memory.narrative.subtitles import SUFFIXES, find_subtitles, read_cues
from memory.narrative.transcripts import read_transcript
from memory.narrative.types import Record
from tools.errors import MediaError, StoreError
from tools.media import Span, format_clock, open_source

FOLDER = "narrative"
TEXTS = (*SUFFIXES, ".txt", ".md", ".json", ".jsonl", ".ndjson", ".csv", ".tsv")
"""Suffixes of files that are words themselves; others are films, whose subtitles lie beside them."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a file says: its cues, how long it lasts in seconds (None: of sections), and what they count."""

    cues: list[Cue]
    duration_s: float | None
    clock: Clock


def source_name(path: Path) -> str:
    """What a file is called in the memory: its name, and what tells it from another of the same name."""
    return f"{path.name} {hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"


def read_source(path: Path, tell: Callable[[str], None]) -> Read:
    """Read the words of a transcript, a story, or the subtitles beside a film.

    Raises:
        MediaError: if the file cannot be read, or a film has no subtitles.
    """
    if not path.is_file():
        raise MediaError(f"{str(path)!r} is no file.", expected="a film, a subtitle file, a transcript or a story")
    if path.suffix.lower() in TEXTS:
        cues = read_transcript(path, tell)
        clock = clock_of(cues)
        return Read(cues, max(cue.end_s for cue in cues) if clock == "seconds" else None, clock)
    with open_source(str(path)) as source:  # so that a broken film is told from one without subtitles
        lasts_s = source.info.duration_s
    subtitles = find_subtitles(path, tell)
    if subtitles is None:
        raise MediaError(
            f"there are no subtitles beside {path.name!r}.",
            expected=f"a file such as {path.with_suffix('.srt').name!r}",
            remedy="Put its subtitles there, or name a transcript.",
        )
    cues = read_cues(subtitles, tell)
    return Read(cues, max(lasts_s or 0.0, *(cue.end_s for cue in cues)), "seconds")


def build_narrative(path: Path, config: Config, console: Console, *, dry_run: bool, as_json: bool) -> None:
    """Build the narrative memory of a file by rules, or bring it up to date; what has not changed is left alone.

    Args:
        path: see `read_source`.
        config: where the memory lies.
        console: for people.
        dry_run: only say what would be written.
        as_json: print one JSON object instead.

    Raises:
        MediaError, StoreError: if the file or the memory cannot be read, or the memory not be written.
    """
    read = read_source(path, lambda told: Console(stderr=True).print(f"[yellow]note:[/] {safe(told)}", soft_wrap=True))
    source = source_name(path)
    segments = tile(read.cues, source=source, duration_s=read.duration_s)
    events = extract(segments, count_heads(segments), read.cues)
    wanted: dict[str, Record] = {
        record.id: record for record in (*segments, *events, *entities_of(events), *link(events))
    }
    folder = config.folder / FOLDER
    if dry_run and not (folder / FILE_NAME).exists():
        held, version = set[str](), 0
    else:
        with NarrativeStore(folder, embed_texts, writer=not dry_run) as store:
            held = _held(store, source)
            added = tuple(record for id_, record in wanted.items() if id_ not in held)
            retired = dict.fromkeys(held - wanted.keys())
            if not dry_run:
                changed = {(source, "built_wall_s"): str(time.time())} if added or retired else {}
                store.commit(Change(added, retired, "built", {(source, "clock"): read.clock, **changed}))
                with console.status("indexing"):
                    store.index()
            version = store.version
    result = {
        "source": source, "version": version, "segments": len(segments), "events": len(events),
        "added": len(wanted.keys() - held), "retired": len(held - wanted.keys()), "written": not dry_run,
    }  # fmt: skip
    if as_json:
        print(json.dumps(result))
        return
    verb = "would be added" if dry_run else "added"
    console.print(
        safe(
            f"{path.name}: {len(segments)} segments, {len(events)} events; "
            f"{result['added']} records {verb}, {result['retired']} retired"
        ),
        highlight=False,
    )


def recall_narrative(path: Path, question: str, config: Config, console: Console, *, as_json: bool) -> None:
    """Print what a question rests on, in order of time; says so where nothing does.

    Raises:
        StoreError: if the memory cannot be read, or holds nothing of the file.
    """
    source = source_name(path)
    with NarrativeStore(config.folder / FOLDER, embed_texts) as store:
        clock: str = store.built(source).get("clock", "")
        if not clock:
            raise MediaError(
                f"nothing is remembered of {path.name!r}.", remedy=f"Build it first: attend memory build {path.name}"
            )
        found = retrieve(store, source, [question])
    if as_json:
        print(json.dumps(_plain(found, clock)))
        return
    if not found.told:
        console.print("Nothing that is remembered bears on this.")
    for scored in found.told:
        when = _when(scored.event.start_s, clock)
        console.print(f"[bold]{when}[/]  {safe(scored.event.summary)}", soft_wrap=True, highlight=False)


def reindex_narrative(config: Config, console: Console) -> None:
    """Make the index of the narrative memory anew from SQLite. Raises StoreError if it cannot be written."""
    with NarrativeStore(config.folder / FOLDER, embed_texts, writer=True) as store, console.status("indexing"):
        vectors = store.reindex()
    console.print(f"{vectors} vectors indexed")


def forget_narratives(
    config: Config, source: str | None, before_wall_s: float | None = None, span: Span | None = None
) -> list[tuple[str, Forgotten]]:
    """Remove what was built, for good: of one file or of all, all of it, a span, or what was built before a moment.

    Args:
        config: where the memory lies.
        source: the name of the file; None: all.
        before_wall_s: Unix time; only what was built before it.
        span: only this stretch of time.

    Returns:
        What was removed, by name.

    Raises:
        StoreError: if another process writes the memory, or a file of it cannot be written.
    """
    folder = config.folder / FOLDER
    if not (folder / FILE_NAME).exists():
        return []
    removed = []
    with NarrativeStore(folder, writer=True) as store:
        for held in store.sources():
            name = held.rpartition(" ")[0]
            built_wall_s = float(store.built(held).get("built_wall_s", 0.0))
            if source in (None, name) and (before_wall_s is None or built_wall_s < before_wall_s):
                removed.append((name, store.forget(held, span)))
    return removed


def is_built(config: Config, name: str | None) -> bool:
    """Whether a file of this name was built; False where that cannot be read, which `forget_narratives` tells."""
    if name is None or not (config.folder / FOLDER / FILE_NAME).exists():
        return False
    try:
        with NarrativeStore(config.folder / FOLDER) as store:
            return any(held.rpartition(" ")[0] == name for held in store.sources())
    except StoreError:
        return False


def _held(store: NarrativeStore, source: str) -> set[str]:
    """The ids of all that is held of a source."""
    events = [event.id for event in store.events(source)]
    return {
        *events,
        *(segment.id for segment in store.segments(source)),
        *(entity.id for entity in store.entities(source)),
        *(one.id for one in store.links(events)),
    }


def _when(start_s: float, clock: str) -> str:
    return f"section {int(start_s) + 1}" if clock == "sections" else format_clock(start_s)


def _plain(found: Retrieved, clock: str) -> dict[str, object]:
    return {
        "clock": clock,
        "tokens": found.tokens,
        "events": [
            {
                "id": scored.event.id, "start_s": scored.event.start_s, "end_s": scored.event.end_s,
                "text": scored.event.summary, "score": round(scored.score, 6), "ranks": dict(scored.ranks),
                "via": None if scored.via is None else {"type": scored.via.type, "why": scored.via.why},
            }
            for scored in found.told
        ],
    }  # fmt: skip
