"""Nearest-neighbour index by Chroma that can always be rebuilt from SQLite: `VectorIndex`.

Chroma's rows survive a kill, but its neighbour graph may not (a truncated file was seen in 1 of 38 kills), and then
stays broken until it is rebuilt. So the owner of the vectors keeps them, and supplies them again on request.
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
"""Vectors added at once; Chroma accepts at most 5,461."""

WRITING = "writing"
"""Marker file in a folder that is being written."""

Truth = Callable[[], Iterable[tuple[str, np.ndarray, Mapping[str, str | float]]]]
"""Yields every (id, vector, metadata) that the index should contain."""
Result = TypeVar("Result")


class VectorIndex:
    """Vectors by cosine in a folder, or on a server. Thread-safe.

    Only one process at a time may use a folder. A server accepts several, of which one writes; it has no password of
    its own.

    Args:
        folder: folder of Chroma's files; made if missing.
        name: name of the collection, at least three characters.
        truth: yields the vectors for a rebuild. None only queries an index that another process writes.
        server: address of a Chroma server, such as `http://127.0.0.1:8000`, to use instead of the folder.

    Raises:
        StoreError: if the address has no host or no port.
    """

    def __init__(self, folder: Path, name: str, truth: Truth | None, server: str | None = None) -> None:
        self._folder, self._name, self._truth = folder, name, truth
        self._server = None if server is None else urlsplit(server)
        if self._server is not None and not (self._server.hostname and self._server.port):
            raise StoreError(f"invalid address {server!r} of a Chroma server.", expected="http://HOST:PORT")
        self._lock = RLock()
        self._client: Any = None
        self._collection: Any = None

    def add(self, ids: Sequence[str], vectors: np.ndarray, metadatas: Sequence[Mapping[str, str | float]]) -> None:
        """Add vectors (N, D) to the index, or replace them.

        Raises:
            StoreError: if the index cannot be written even after a rebuild.
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
        """Return at most `k` of (id, cosine) nearest to a vector (D,), best first; `where` is a Chroma filter."""

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
        """Remove vectors from the index; unknown ids are ignored."""

        def work(collection: Any) -> None:
            for start in range(0, len(ids), BATCH):
                collection.delete(ids=list(ids[start : start + BATCH]))

        if ids:
            self._do(work, writes=True)

    def held(self, ids: Sequence[str]) -> set[str]:
        """Return the ids that are in the index."""

        def work(collection: Any) -> set[str]:
            parts = (list(ids[start : start + BATCH]) for start in range(0, len(ids), BATCH))
            return {id_ for part in parts for id_ in collection.get(ids=part, include=[])["ids"]}

        return self._do(work) if ids else set()

    def exists(self) -> bool:
        """Return whether the index has files, or a server; does not create them."""
        return self._server is not None or self._folder.exists()

    def count(self) -> int:
        """Return the number of vectors in the index."""
        return int(self._do(lambda collection: collection.count()))

    def rebuild(self) -> int:
        """Discard the index, rebuild it from the truth, and return its number of vectors.

        Raises:
            StoreError: if it cannot be written, or another process writes it.
        """
        with self._lock:
            if self._truth is None:
                raise StoreError(f"cannot rebuild the vector index {self._where!r}: another process writes it.")
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
        """Discard the index and its files; the next use starts empty.

        What a server leaves on its own disk is up to that server.

        Raises:
            StoreError: if it cannot be removed.
        """
        with self._lock:
            if self._server is None and self._client is None:  # avoids importing Chroma, which takes a second
                failures: tuple[type[Exception], ...] = (OSError,)
            else:
                failures = _failures()
                self._leave()
            try:
                self._clear()
            except failures as error:
                raise self._unusable(error) from error

    def close(self) -> None:
        """Release the files or the server. Idempotent; the index can be used again."""
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
            shutil.rmtree(self._folder)  # the rest could contain deleted vectors

    def _do(self, work: Callable[[Any], Result], *, writes: bool = False) -> Result:
        """Operate on the collection; retries a second failure once on a rebuilt index."""
        with self._lock:
            if self._server is None and self._collection is None and (self._folder / WRITING).exists():
                # An interrupted write can hang Chroma, so such an index is not even opened.
                log.warning("a write to the vector index %s was interrupted; rebuilding it", self._where)
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
                        log.warning("the vector index %s is damaged; rebuilding it", self._where)
                        self.rebuild()
        raise AssertionError("not reached")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Mark the folder while writing; a marker found when opening it means that the writer was killed."""
        if self._server is not None:
            yield
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / WRITING).touch()
        yield
        (self._folder / WRITING).unlink(missing_ok=True)

    def _leave(self) -> None:
        """Make Chroma release the files; otherwise it keeps using removed ones, or those that it failed to open."""
        from chromadb.api.shared_system_client import SharedSystemClient

        client, self._client, self._collection = self._client, None, None
        if self._server is not None:
            if client is not None:
                client.close()
            return
        if system := SharedSystemClient._identifier_to_system.pop(str(self._folder), None):
            # Removed files, with deleted vectors in them, exist until they are closed.
            with blank_blocks(), suppress(AttributeError):  # a client that failed to open has nothing to stop
                system.stop()

    def _unusable(self, error: Exception) -> StoreError:
        return StoreError(
            f"cannot use the vector index {self._where!r}: {error}.",
            remedy="Check the disk; the folder can be removed: it is rebuilt from the notes."
            if self._server is None
            else "Start the server with `chroma run --path FOLDER`, or check its address.",
        )

    @property
    def _where(self) -> str:
        if self._server is None:
            return str(self._folder)
        return f"{self._server.scheme}://{self._server.hostname}:{self._server.port}"  # without a password


def _failures() -> tuple[type[Exception], ...]:
    """Return the exceptions that Chroma raises if its files are damaged, missing, or cannot be written."""
    from chromadb.errors import ChromaError
    from httpx import HTTPError

    return (ChromaError, HTTPError, ValueError, OSError, RuntimeError, AttributeError, KeyError)
