"""`attend memory story`, and the stories of the page: what narrative memory holds of a source, drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict
from rich.console import Console

from agent.config import Config
from agent.narrative.commands import FOLDER, source_name
from agent.terminal import safe
from memory.frames import FrameStore
from memory.narrative.cues import Clock
from memory.narrative.database import FILE_NAME
from memory.narrative.store import NarrativeStore
from memory.narrative.story import Story, read_story
from memory.narrative.story_html import story_html
from memory.narrative.story_png import draw_story
from memory.place import places
from tools.errors import MediaError, StoreError


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
    path: Path,
    config: Config,
    console: Console,
    *,
    html: Path | None = None,
    png: Path | None = None,
    as_of: int | None = None,
    as_json: bool = False,
) -> None:
    """Draw what is held of a file as one HTML page, and as a PNG where that is asked for.

    Args:
        path: the file that was built.
        config: where the memory lies.
        console: for people.
        html: where the page goes; None: to the folder that the command runs in, as `NAME.story.html`.
        png: where the PNG goes; None: nowhere.
        as_of: the version of the memory that is drawn; None: the newest.
        as_json: print one JSON object instead.

    Raises:
        MediaError: if nothing of the file was built, or it would be written over.
        StoreError: if the memory cannot be read, has no such version, or a file cannot be written.
    """
    page = html or Path(f"{path.name}.story.html")
    for written in (page, png):
        if written is not None and written.resolve() == path.resolve():
            raise MediaError(f"the drawing would be written over {str(path)!r}.", remedy="Choose another file for it.")
    if png is not None and png.resolve() == page.resolve():
        raise MediaError(f"the page and the PNG would both be written to {str(png)!r}.", remedy="Choose two files.")
    source = source_name(path)
    if source not in {built.source for built in built_sources(config)}:
        raise MediaError(
            f"nothing is remembered of {path.name!r}.", remedy=f"Build it first: attend memory build {path.name}"
        )
    story = _read(config, source, as_of)
    try:
        page.write_text(story_html(story), encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"the story {str(page)!r} cannot be written: {error.strerror or error}.",
            remedy="Name a file in a folder that exists and that this user may write, with --html.",
        ) from error
    if png is not None:
        draw_story(story, png)
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
        safe(f"{path.name}: {len(story.events)} events, {len(story.links)} links, {len(story.chains)} chains{gone}"),
        soft_wrap=True,
    )
    for written in (page, png):
        if written is not None:
            console.print(safe(str(written)), soft_wrap=True)


def built_sources(config: Config) -> list[BuiltSource]:
    """What was built, by name. Raises StoreError if the memory cannot be read."""
    if not (config.folder / FOLDER / FILE_NAME).exists():
        return []
    with NarrativeStore(config.folder / FOLDER) as store:
        found = []
        for source in store.sources():
            count = store.count(source)
            if count["segment"]:
                found.append(
                    BuiltSource(
                        source=source,
                        title=_title(source),
                        clock="sections" if store.built(source).get("clock") == "sections" else "seconds",
                        segments=count["segment"],
                        events=count["event"],
                        links=count["link"],
                        chains=count["chain"],
                    )
                )
        return found


def story_page(config: Config, source: str) -> str | None:
    """The page of a source, as HTML; None where nothing of it was built. Raises StoreError as `read_story` does."""
    if source not in {built.source for built in built_sources(config)}:
        return None
    return story_html(_read(config, source, None))


def _read(config: Config, source: str, as_of: int | None) -> Story:
    with NarrativeStore(config.folder / FOLDER) as store:
        return read_story(store, source, _title(source), _pictures(config), as_of)


def _title(source: str) -> str:
    """The name of a file without what tells it from another of the same name (see `source_name`)."""
    return source.rpartition(" ")[0] or source


def _pictures(config: Config) -> Callable[[str], np.ndarray]:
    """Pictures by frame id: those that builds have kept, and those of what was watched."""
    folders = [config.folder / FOLDER, *places(config.folder)]
    stores = [
        FrameStore(folder / "frames", config.quota_mb << 20) for folder in folders if (folder / "frames").is_dir()
    ]

    def picture(frame_id: str) -> np.ndarray:
        for store in stores:
            if store.has(frame_id):
                return store.get(frame_id)
        raise StoreError(f"the frame {frame_id!r} is not here any more.", remedy="It gave way to newer ones.")

    return picture
