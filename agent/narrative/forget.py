"""Forgetting what was built: records, vectors, pictures and the model's answers, for good."""

from __future__ import annotations

from agent.config import Config
from agent.narrative.cached_llm import Answers
from agent.narrative.ingest_video import pictures_of
from agent.narrative.sources import ambiguous, plain_name
from memory.narrative.options import FILE_NAME, FOLDER
from memory.narrative.store.forget import Forgotten
from memory.narrative.store.narrative_store import NarrativeStore
from memory.store.frames import FrameStore
from tools.errors import StoreError
from tools.media import Span


def forget_narratives(
    config: Config, source: str | None, before_wall_s: float | None = None, span: Span | None = None
) -> list[tuple[str, Forgotten]]:
    """Remove what was built, for good: of one source or of all, all of it, a span, or what was built before a moment.

    What was built of a stream goes as a whole if any of it was seen before that moment: build it again from what is
    left.

    Args:
        config: where the memory lies.
        source: the name of the source in the memory, or the part of it that people know; None: all.
        before_wall_s: Unix time.
        span: only this stretch of time.

    Returns:
        What was removed, by name.

    Raises:
        ConfigError: if several sources have that name.
        StoreError: if another process writes the memory, or a file of it cannot be written.
    """
    folder = config.folder / FOLDER
    if not (folder / FILE_NAME).exists():
        return []
    removed = []
    server = config.narrative.server or None
    with NarrativeStore(folder, writer=True, server=server) as store, Answers(folder) as answers:
        for held in store.sources() if source is None else _called(store, source):
            built = store.built(held)
            begun_wall_s = float(built.get("begun_wall_s", built.get("built_wall_s", 0.0)))
            if before_wall_s is None or begun_wall_s < before_wall_s:
                answers.forget(held)
                removed.append((plain_name(held), store.forget(held, span)))
        if removed:
            drop_pictures(store, pictures_of(config))
    return removed


def is_built(config: Config, name: str | None) -> bool:
    """Whether a source of this name was built; False where that cannot be read, which `forget_narratives` tells.

    Raises:
        ConfigError: if several sources have that name.
    """
    try:
        return name is not None and holds(config, name)
    except StoreError:
        return False


def holds(config: Config, name: str) -> bool:
    """Whether a source of this name was built, in a memory that another process may write.

    Raises:
        ConfigError: if several sources have that name.
        StoreError: if the memory cannot be read.
    """
    if not (config.folder / FOLDER / FILE_NAME).exists():
        return False
    with NarrativeStore(config.folder / FOLDER) as store:
        return bool(_called(store, name))


def _called(store: NarrativeStore, name: str) -> list[str]:
    """The source of a name in the memory, else the one that people know by it; none where nothing was built of it."""
    held = store.sources()
    if name in held:
        return [name]
    called = [one for one in held if plain_name(one) == name]
    if len(called) > 1:
        raise ambiguous(name, called)
    return called


def drop_pictures(store: NarrativeStore, pictures: FrameStore) -> None:
    """Remove the pictures that no segment names. Raises StoreError if one cannot be removed."""
    used = {id_ for source in store.sources() for segment in store.segments(source) for id_ in segment.frame_ids}
    pictures.remove([id_ for id_ in pictures.ids() if id_ not in used])
