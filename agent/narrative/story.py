"""`attend memory story`, and the stories of the page: what narrative memory holds of a source, drawn."""

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
from agent.narrative.sources import plain_name
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
_HEAD_BYTES = 4_096  # of a file, in which a story says what it is


class BuiltSource(BaseModel):
    """A source of which narrative memory holds something: its name there, what people call it, and how much it is."""

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
    """Draw what is held of a source as one HTML page, and as a PNG where that is asked for.

    Args:
        spec: what was built, as `agent.narrative.sources.origin_of` takes it.
        config: where the memory lies.
        console: for people.
        html: where the page goes; None: to the folder that the command runs in, as `NAME.story.html`.
        png: where the PNG goes; None: nowhere.
        as_of: the version of the memory that is drawn; None: the newest.
        as_json: print one JSON object instead.

    Raises:
        MediaError: if nothing of the source was built, or it would be written over.
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
            raise MediaError(f"the drawing would be written over {spec!r}.", remedy="Choose another file for it.")
    if png is not None and png.resolve() == page.resolve():
        raise MediaError(f"the page and the PNG would both be written to {str(png)!r}.", remedy="Choose two files.")
    for written in (page, png):
        if written is not None:
            _refuse_over(written)
    _write(page, lambda unfinished: unfinished.write_text(story_html(story), encoding="utf-8"))
    if png is not None:
        _write(png, lambda unfinished: draw_story(story, unfinished))
    told = {
        "source": source, "version": story.version, "clock": story.clock, "segments": len(story.segments),
        "events": len(story.events), "links": len(story.links), "chains": len(story.chains),
        "pictures": len(story.pictures), "pictures_gone": len(story.gone), "html": str(page),
        "png": None if png is None else str(png),
    }  # fmt: skip
    if as_json:
        print(json.dumps(told))
        return
    gone = f"; the pictures of {len(story.gone)} segments are gone" if story.gone else ""
    console.print(
        safe(f"{story.title}: {len(story.events)} events, {len(story.links)} links, {len(story.chains)} chains{gone}"),
        soft_wrap=True,
    )
    for written in (page, png):
        if written is not None:
            console.print(safe(str(written)), soft_wrap=True)


def built_sources(config: Config) -> list[BuiltSource]:
    """What was built, by name. Raises StoreError if the memory cannot be read."""
    if not (config.folder / FOLDER / FILE_NAME).exists():
        return []
    with open_store(config) as store:
        return [_described(store, source) for source in store.sources() if store.count(source)["segment"]]


def story_page(config: Config, source: str) -> str | None:
    """The page of a source, by its name in the memory; None where nothing of it was built.

    Raises:
        StoreError: if the memory cannot be read.
    """
    if not (config.folder / FOLDER / FILE_NAME).exists():
        return None
    with open_store(config) as store:
        if not store.count(source)["segment"]:
            return None
        return story_html(read_story(store, source, _title(source), pictures_of(config).get))


def _refuse_over(path: Path) -> None:
    """Refuse to write over a file that does not say that it is a story; an empty one is nothing."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(
            f"the story {str(path)!r} cannot be written: {error.strerror or error}.",
            remedy="Choose another file for it.",
        ) from error
    if head and GENERATOR.encode() not in head:
        raise MediaError(
            f"the drawing would be written over {str(path)!r}, which is no story that was drawn.",
            remedy="Choose another file for it, or remove that one.",
        )


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """Have a file written beside its place, and put there when it is whole. Raises StoreError if it cannot be."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.touch()
        write(unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise StoreError(
            f"the story {str(path)!r} cannot be written: {error.strerror or error}.",
            remedy="Name a file in a folder that exists and that this user may write.",
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _title(source: str) -> str:
    return plain_name(source) or source


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
