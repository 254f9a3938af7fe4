"""Stories: drawings of a narrative memory, for `attend memory story` and the web page."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.console import Console

from agent.cli.console import safe
from agent.cli.narrative import built_source, open_store
from agent.config import Config
from agent.narrative.ingest_video import pictures_of
from agent.narrative.sources import short_name
from memory.narrative.ingest.cues import Clock
from memory.narrative.options import FILE_NAME, FOLDER
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.story.html import GENERATOR, story_html
from memory.narrative.story.png import draw_story
from memory.narrative.story.read import read_story
from tools.errors import MediaError, StoreError
from tools.media import mask_credentials

_UNSAFE = re.compile(r"[^\w.-]+")
_NAME_CHARS = 100
_HEAD_BYTES = 4_096  # prefix of a file that contains the generator tag


class BuiltSource(BaseModel):
    """A source with a narrative memory: its name, title and record counts."""

    model_config = ConfigDict(frozen=True)

    source: str
    title: str
    clock: Clock
    segments: int
    events: int
    links: int
    chains: int


def write_story(
    spec: str,
    config: Config,
    console: Console,
    *,
    html: Path | None = None,
    png: Path | None = None,
    as_of: int | None = None,
    as_json: bool = False,
) -> None:
    """Draw the narrative memory of a source as an HTML page and, optionally, a PNG.

    Args:
        spec: the source, see `agent.narrative.sources.origin_of`.
        config: the folder of the memory.
        console: for the summary.
        html: file of the page; None: `NAME.story.html` in the working folder.
        png: file of the PNG; None writes none.
        as_of: version of the memory; None: the newest.
        as_json: print one JSON object instead.

    Raises:
        MediaError: if the source has no narrative memory, or it would be overwritten.
        StoreError: if the memory cannot be read, has no such version, or a file cannot be written.
    """
    if not (config.folder / FOLDER / FILE_NAME).exists():
        name = mask_credentials(spec)
        raise MediaError(f"nothing is remembered of {name!r}.", remedy=f"Build it first: attend memory build {name}")
    with open_store(config) as store:
        source, _ = built_source(store, spec, config)
        story = read_story(store, source, _title(source), pictures_of(config).get, as_of)
    page = html or Path(f"{_UNSAFE.sub('_', story.title)[:_NAME_CHARS]}.story.html")
    for written in (page, png):
        if written is not None and written.resolve() == Path(spec).resolve():
            raise MediaError(f"the drawing would overwrite {spec!r}.", remedy="Choose another file.")
    if png is not None and png.resolve() == page.resolve():
        raise MediaError(f"cannot write both the page and the PNG to {str(png)!r}.", remedy="Choose two files.")
    for written in (page, png):
        if written is not None:
            _refuse_overwriting(written)
    _write(page, lambda unfinished: unfinished.write_text(story_html(story), encoding="utf-8"))
    if png is not None:
        _write(png, lambda unfinished: draw_story(story, unfinished))
    summary = {
        "source": source, "version": story.version, "clock": story.clock, "segments": len(story.segments),
        "events": len(story.events), "links": len(story.links), "chains": len(story.chains),
        "pictures": len(story.pictures), "pictures_gone": len(story.gone), "html": str(page),
        "png": None if png is None else str(png),
    }  # fmt: skip
    if as_json:
        print(json.dumps(summary))
        return
    gone = f"; pictures of {len(story.gone)} segments are missing" if story.gone else ""
    console.print(
        safe(f"{story.title}: {len(story.events)} events, {len(story.links)} links, {len(story.chains)} chains{gone}"),
        soft_wrap=True,
    )
    for written in (page, png):
        if written is not None:
            console.print(safe(str(written)), soft_wrap=True)


def built_sources(config: Config) -> list[BuiltSource]:
    """List the sources with a narrative memory, by name. Raises StoreError if the memory cannot be read."""
    if not (config.folder / FOLDER / FILE_NAME).exists():
        return []
    with open_store(config) as store:
        return [_described(store, source) for source in store.sources() if store.count(source)["segment"]]


def story_page(config: Config, source: str) -> str | None:
    """Return the page of a source, by its name in the memory; None if it has no narrative memory.

    Raises:
        StoreError: if the memory cannot be read.
    """
    if not (config.folder / FOLDER / FILE_NAME).exists():
        return None
    with open_store(config) as store:
        if not store.count(source)["segment"]:
            return None
        return story_html(read_story(store, source, _title(source), pictures_of(config).get))


def _refuse_overwriting(path: Path) -> None:
    """Refuse to overwrite a file that is not a generated story; empty files are allowed."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(
            f"cannot write the story {str(path)!r}: {error.strerror or error}.",
            remedy="Choose another file.",
        ) from error
    if head and GENERATOR.encode() not in head:
        raise MediaError(
            f"the drawing would overwrite {str(path)!r}, which is not a generated story.",
            remedy="Choose another file, or remove that one.",
        )


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file atomically. Raises StoreError."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.touch()
        write(unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise StoreError(
            f"cannot write the story {str(path)!r}: {error.strerror or error}.",
            remedy="Choose a file in an existing, writable folder.",
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _title(source: str) -> str:
    return short_name(source) or source


def _described(store: NarrativeStore, source: str) -> BuiltSource:
    count = store.count(source)
    return BuiltSource(
        source=source,
        title=_title(source),
        clock="sections" if store.built(source).get("clock") == "sections" else "seconds",
        segments=count["segment"],
        events=count["event"],
        links=count["link"],
        chains=count["chain"],
    )
