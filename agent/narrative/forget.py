"""Permanent deletion of narrative memories: records, vectors, pictures and cached model answers."""

from __future__ import annotations

from agent.config import Config
from agent.narrative.cached_llm import Answers
from agent.narrative.ingest_video import pictures_of
from agent.narrative.sources import ambiguous_name, short_name
from memory.narrative.options import FILE_NAME, FOLDER
from memory.narrative.store.forget import Forgotten
from memory.narrative.store.narrative_store import NarrativeStore
from memory.store.frames import FrameStore
from tools.errors import StoreError
from tools.media import Span


def forget_narratives(
    config: Config, source: str | None, before_wall_s: float | None = None, span: Span | None = None
) -> list[tuple[str, Forgotten]]:
    """Permanently delete the narrative memory of one source or all: everything, a span, or what is older than a moment.

    The memory of a stream is deleted as a whole if any of it was seen before that moment: rebuild it from what is left.

    Args:
        config: the folder of the memory.
        source: the full or short name of the source; None: all.
        before_wall_s: Unix time.
        span: only this span.

    Returns:
        What was deleted, by short name.

    Raises:
        ConfigError: if several sources have that name.
        StoreError: if another process is writing the memory, or a file cannot be written.
    """
    folder = config.folder / FOLDER
    if not (folder / FILE_NAME).exists():
        return []
    removed = []
    server = config.narrative.server or None
    with NarrativeStore(folder, writer=True, server=server) as store, Answers(folder) as answers:
        for name in store.sources() if source is None else _find_sources(store, source):
            built = store.built(name)
            begun_wall_s = float(built.get("begun_wall_s", built.get("built_wall_s", 0.0)))
            if before_wall_s is None or begun_wall_s < before_wall_s:
                answers.forget(name)
                removed.append((short_name(name), store.forget(name, span)))
        if removed:
            drop_pictures(store, pictures_of(config))
    return removed


def is_built(config: Config, name: str | None) -> bool:
    """Return whether a source has a narrative memory; False if it cannot be read, which `forget_narratives` reports.

    Raises:
        ConfigError: if several sources have that name.
    """
    try:
        return name is not None and has_narrative(config, name)
    except StoreError:
        return False


def has_narrative(config: Config, name: str) -> bool:
    """Return whether a source has a narrative memory, even while another process is writing it.

    Raises:
        ConfigError: if several sources have that name.
        StoreError: if the memory cannot be read.
    """
    if not (config.folder / FOLDER / FILE_NAME).exists():
        return False
    with NarrativeStore(config.folder / FOLDER) as store:
        return bool(_find_sources(store, name))


def _find_sources(store: NarrativeStore, name: str) -> list[str]:
    """Return the source of a full name, else of a short one; empty if there is none."""
    known = store.sources()
    if name in known:
        return [name]
    called = [one for one in known if short_name(one) == name]
    if len(called) > 1:
        raise ambiguous_name(name, called)
    return called


def drop_pictures(store: NarrativeStore, pictures: FrameStore) -> None:
    """Delete the pictures that no segment refers to. Raises StoreError if one cannot be deleted."""
    used = {id_ for source in store.sources() for segment in store.segments(source) for id_ in segment.frame_ids}
    pictures.remove([id_ for id_ in pictures.ids() if id_ not in used])
