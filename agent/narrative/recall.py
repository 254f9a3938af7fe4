"""Narrative events of the watched source, if built, for the tool `recall`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from agent.config import Config
from agent.narrative.answer import find_quotes
from agent.narrative.forget import forget_narratives, has_narrative
from agent.narrative.sources import origin_of
from agent.perception.annotator import embed_texts
from memory.narrative.options import FILE_NAME, FOLDER
from memory.narrative.store.narrative_store import NarrativeStore
from tools.base import Evidence
from tools.errors import MediaError, StoreError
from tools.media import Span


@dataclass
class NarrativeRecall:
    """Reads the narrative memory of one source, opened on first use. Thread-safe.

    Attributes:
        config: the folder of the memory.
        spec: the source, as it was opened.
        name: the source with credentials masked.
    """

    config: Config
    spec: str
    name: str
    _store: NarrativeStore | None = None
    _source: str | None = None
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def exists(self) -> bool:
        """Whether the source has a readable narrative memory with times."""
        with suppress(StoreError), self._lock:
            return self._open() is not None
        return False

    def search(self, query: str, limit: int, span: Span | None, until_s: float) -> list[Evidence]:
        """Return relevant events, best first; none if too little is relevant.

        Args:
            query: the query.
            limit: maximum number of events.
            span: only events shown in this span.
            until_s: how far the source was watched; later events are withheld.

        Raises:
            StoreError: if the memory cannot be read.
        """
        with self._lock:
            store = self._open()
            if store is None or self._source is None:
                return []
            start_s, end_s = (span.start_s, min(span.end_s, until_s)) if span else (0.0, until_s)
            found = find_quotes(store, self._source, query, Span(start_s, end_s)) if start_s <= end_s else []
        return [
            Evidence(id=f"told:{event.id}", kind="event", text=event.summary, t_s=event.start_s, source=self.name)
            for event in found[:limit]
        ]

    def forget(self, span: Span) -> None:
        """Permanently delete the events in a span of this source.

        Raises:
            StoreError: if deleting fails.
        """
        with self._lock:
            self._close()
            with suppress(MediaError):  # a file moved away was opened before, or has no memory
                self._source = origin_of(self.spec, self.config).name
            if self._source and has_narrative(self.config, self._source):
                forget_narratives(self.config, self._source, span=span)

    def close(self) -> None:
        """Close the memory, if it was opened."""
        with self._lock:
            self._close()

    def _open(self) -> NarrativeStore | None:
        folder = self.config.folder / FOLDER
        if self._store is None and (folder / FILE_NAME).exists():
            store = NarrativeStore(folder, embed_texts, server=self.config.narrative.server or None)
            try:
                source = origin_of(self.spec, self.config).name
            except MediaError:
                source = ""
            if store.built(source).get("clock") == "seconds":
                self._store, self._source = store, source
            else:
                store.close()
        return self._store

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = None
