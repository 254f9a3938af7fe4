"""`VectorIndex`: nearest vectors by Chroma, as an index that can always be made anew from the truth in SQLite.

Chroma's rows survive a kill, its graph of neighbours may not (a truncated file was seen in 1 of 38 kills), and it stays
broken until it is rebuilt. So whoever owns the vectors keeps them, and hands them over again when asked.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from itertools import islice
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar
from urllib.parse import urlsplit

import numpy as np

from memory.store.secure_delete import blank_blocks
from tools.errors import StoreError

log = logging.getLogger(__name__)

BATCH = 1_000
"""Vectors handed over at once; Chroma takes at most 5,461."""

WRITING = "writing"
"""The mark of a folder that is being written to."""

Truth = Callable[[], Iterable[tuple[str, np.ndarray, Mapping[str, str | float]]]]
"""Gives every (id, vector, metadata) that the index should hold."""
Result = TypeVar("Result")


class VectorIndex:
    """Vectors by cosine in a folder, or on a server. Threads may share the index.

    One process at a time may use a folder. A server takes several, of which one writes; it has no password of its own.

    Args:
        folder: where Chroma keeps its files; made if missing.
        name: the name of the collection, at least three characters.
        truth: gives what the index should hold, for rebuilding it. None only asks an index that another process writes.
        server: address of a Chroma server, such as `http://127.0.0.1:8000`, that is used instead of the folder.

    Raises:
        StoreError: if the address of the server names no host, or no port.
    """

    def __init__(self, folder: Path, name: str, truth: Truth | None, server: str | None = None) -> None:
        self._folder, self._name, self._truth = folder, name, truth
        self._server = None if server is None else urlsplit(server)
        if self._server is not None and not (self._server.hostname and self._server.port):
            raise StoreError(f"the address {server!r} names no Chroma server.", expected="http://HOST:PORT")
        self._lock = RLock()
        self._client: Any = None
        self._collection: Any = None

    def add(self, ids: Sequence[str], vectors: np.ndarray, metadatas: Sequence[Mapping[str, str | float]]) -> None:
        """Put vectors (N, D) into the index, or put them in again.

        Raises:
            StoreError: if the index cannot be written even after it was made anew.
        """

        def work(collection: Any) -> None:
            for start in range(0, len(ids), BATCH):
                part = slice(start, start + BATCH)
                collection.upsert(
                    ids=list(ids[part]),
                    embeddings=np.asarray(vectors[part], np.float32),
                    metadatas=[dict(metadata) for metadata in metadatas[part]],
                )

        if len(ids):
            self._do(work, writes=True)

    def query(self, vector: np.ndarray, k: int, where: Mapping[str, Any] | None = None) -> list[tuple[str, float]]:
        """Return at most `k` of (id, cosine) nearest to a vector (D,), best first; `where` is a filter of Chroma's."""

        def work(collection: Any) -> list[tuple[str, float]]:
            count = collection.count()
            if not count:
                return []
            found = collection.query(
                query_embeddings=[np.asarray(vector, np.float32)],
                n_results=min(k, count),
                where=dict(where) if where else None,
                include=["distances"],
            )
            return [(id_, 1 - away) for id_, away in zip(found["ids"][0], found["distances"][0], strict=True)]

        return self._do(work)

    def remove(self, ids: Sequence[str]) -> None:
        """Take vectors out of the index; ids that are not in it are passed over."""

        def work(collection: Any) -> None:
            for start in range(0, len(ids), BATCH):
                collection.delete(ids=list(ids[start : start + BATCH]))

        if ids:
            self._do(work, writes=True)

    def held(self, ids: Sequence[str]) -> set[str]:
        """Those of some ids that are in the index."""

        def work(collection: Any) -> set[str]:
            parts = (list(ids[start : start + BATCH]) for start in range(0, len(ids), BATCH))
            return {id_ for part in parts for id_ in collection.get(ids=part, include=[])["ids"]}

        return self._do(work) if ids else set()

    def exists(self) -> bool:
        """Whether there are files of the index, or a server for it; asking does not make them."""
        return self._server is not None or self._folder.exists()

    def count(self) -> int:
        """How many vectors the index holds."""
        return int(self._do(lambda collection: collection.count()))

    def rebuild(self) -> int:
        """Throw the index away, make it anew from the truth, and return how many vectors it holds.

        Raises:
            StoreError: if it cannot be written, or is another process's to write.
        """
        with self._lock:
            if self._truth is None:
                raise StoreError(f"the vector index {self._where!r} is to be made anew by the process that writes it.")
            try:
                self._leave()
                self._clear()
                with blank_blocks(), self._writing():
                    collection = self._open()
                    rows, count = iter(self._truth()), 0
                    while part := list(islice(rows, BATCH)):
                        collection.add(
                            ids=[row[0] for row in part],
                            embeddings=np.stack([row[1] for row in part]).astype(np.float32),
                            metadatas=[dict(row[2]) for row in part],
                        )
                        count += len(part)
            except _failures() as error:
                self._leave()
                raise self._unusable(error) from error
            return count

    def drop(self) -> None:
        """Throw the index away, so that nothing of it is left on disk; its next use finds it empty.

        What a server leaves on its own disk is up to that server.

        Raises:
            StoreError: if it cannot be removed.
        """
        with self._lock:
            if self._server is None and self._client is None:  # no need of Chroma, whose import takes a second
                failures: tuple[type[Exception], ...] = (OSError,)
            else:
                failures = _failures()
                self._leave()
            try:
                self._clear()
            except failures as error:
                raise self._unusable(error) from error

    def close(self) -> None:
        """Let go of the files or the server. May be called twice, and the index be used again."""
        with self._lock:
            if self._client is not None:
                self._leave()

    def _open(self) -> Any:
        if self._collection is None:
            client = self._connect()
            if self._truth is None:
                self._collection = client.get_collection(self._name, embedding_function=None)
            else:
                self._collection = client.get_or_create_collection(
                    self._name, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
                )
        return self._collection

    def _connect(self) -> Any:
        if self._client is None:
            import chromadb
            from chromadb.config import Settings

            settings = Settings(anonymized_telemetry=False)
            if self._server is not None:
                host, port = self._server.hostname or "", self._server.port or 0
                self._client = chromadb.HttpClient(host, port, ssl=self._server.scheme == "https", settings=settings)
            else:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._client = chromadb.PersistentClient(str(self._folder), settings)
        return self._client

    def _clear(self) -> None:
        if self._server is not None:
            from chromadb.errors import NotFoundError

            with suppress(NotFoundError):
                self._connect().delete_collection(self._name)
        elif self._folder.exists():
            shutil.rmtree(self._folder)  # what is left of it could hold what is to be forgotten

    def _do(self, work: Callable[[Any], Result], *, writes: bool = False) -> Result:
        """Work on the collection; what fails twice is tried a last time on an index made anew."""
        with self._lock:
            if self._server is None and self._collection is None and (self._folder / WRITING).exists():
                # What a kill cut off in the middle of writing can hang Chroma, so it is not even opened.
                log.warning("the vector index %s was cut off while it was written and is made anew", self._where)
                self.rebuild()
            for attempt in range(3):
                try:
                    with blank_blocks(), self._writing() if writes else nullcontext():
                        return work(self._open())
                except _failures() as error:
                    self._leave()
                    if attempt == 2 or (attempt == 1 and self._truth is None):
                        raise self._unusable(error) from error
                    if attempt == 1:
                        log.warning("the vector index %s is broken and is made anew", self._where)
                        self.rebuild()
        raise AssertionError("not reached")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Mark the folder while it is written to; a mark that is still there when it is opened tells of a kill."""
        if self._server is not None:
            yield
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / WRITING).touch()
        yield
        (self._folder / WRITING).unlink(missing_ok=True)

    def _leave(self) -> None:
        """Have Chroma let go of the files; else it goes on with those that are removed, or that it failed to open."""
        from chromadb.api.shared_system_client import SharedSystemClient

        client, self._client, self._collection = self._client, None, None
        if self._server is not None:
            if client is not None:
                client.close()
            return
        if system := SharedSystemClient._identifier_to_system.pop(str(self._folder), None):
            # Else removed files, and so what is forgotten, live on until they are closed.
            with blank_blocks(), suppress(AttributeError):  # one that failed to open them has nothing to stop
                system.stop()

    def _unusable(self, error: Exception) -> StoreError:
        return StoreError(
            f"the vector index {self._where!r} cannot be used: {error}.",
            remedy="Check the disk; the folder may be removed: it is made anew from what is noted."
            if self._server is None
            else "Start the server with `chroma run --path FOLDER`, or check its address.",
        )

    @property
    def _where(self) -> str:
        if self._server is None:
            return str(self._folder)
        return f"{self._server.scheme}://{self._server.hostname}:{self._server.port}"  # without a user's password


def _failures() -> tuple[type[Exception], ...]:
    """What Chroma raises where its files are damaged, missing, or cannot be written."""
    from chromadb.errors import ChromaError
    from httpx import HTTPError

    return (ChromaError, HTTPError, ValueError, OSError, RuntimeError, AttributeError, KeyError)
