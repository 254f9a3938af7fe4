"""Vectors of a corpus on a Chroma server. SQLite remains the source of truth and can refill the server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from memory.store.vectors import BATCH, VectorIndex
from tools.errors import StoreError
from tools.literature.index.corpus import Corpus
from tools.literature.index.vector_export import count_of, documents_at, last_of, removals_of, vectors_after
from tools.literature.types import Filters, Found, Hit, Problem

FILE_NAME = "chroma.json"
"""File in the corpus folder that records what was uploaded to which server."""


class ChromaCorpus:
    """A corpus whose vector search runs on a server; everything else is local.

    With filters, and if the server does not answer, vectors are compared locally: a strict filter would need all
    vectors of the server.

    Args:
        corpus: the corpus.
        server: address of the Chroma server.
    """

    remote = False

    def __init__(self, corpus: Corpus, server: str) -> None:
        self.corpus, self.name = corpus, corpus.name
        record = _read_record(corpus.folder)
        uploaded = record.get("server") == server and record.get("model") == corpus.database.meta("model")
        self._index = _index(corpus, server, str(record.get("name", "")), writes=False) if uploaded else None

    def search(self, query: str, limit: int, filters: Filters) -> Found:
        """See `Corpus.search`."""
        return self.corpus.search(query, limit, filters)

    def fetch(self, ids: Sequence[str]) -> Found:
        """See `Corpus.fetch`."""
        return self.corpus.fetch(ids)

    def retracted(self, names: Sequence[str]) -> set[str]:
        """See `Corpus.retracted`."""
        return self.corpus.retracted(names)

    def near(self, vector: np.ndarray, limit: int, filters: Filters) -> Found:
        """See `Corpus.near`. Raises StoreError likewise."""
        if filters != Filters():
            return self.corpus.near(vector, limit, filters)
        if self._index is None:
            reason = "the vectors are not on this server yet: `attend literature index PATH` uploads them"
            return _add_problem(self.corpus.near(vector, limit, filters), reason)
        try:
            found = self._index.query(vector, 2 * limit)  # a long document has several vectors
        except StoreError as error:
            return _add_problem(
                self.corpus.near(vector, limit, filters), f"{error} Vectors were compared locally instead."
            )
        documents = documents_at(self.corpus, [int(id_) for id_, _ in found])
        best: dict[str, Hit] = {}
        for id_, cosine in found:
            document = documents.get(int(id_))
            if document is not None and document.id not in best and len(best) < limit:
                best[document.id] = Hit(document=document, score=cosine, ranks={"dense": len(best) + 1})
        return Found(hits=tuple(best.values()))

    def close(self) -> None:
        """Close the connection. Idempotent."""
        if self._index is not None:
            self._index.close()


def upload_vectors(corpus: Corpus, server: str) -> int:
    """Upload the vectors of a corpus to a server; return the number sent.

    Only new ones are sent, unless some were removed since, or the server's content does not match.

    Raises:
        StoreError: if writing to the server fails.
    """
    record = _read_record(corpus.folder)
    name = str(record.get("name") or f"literature-{uuid.uuid4().hex[:16]}")
    count, removals = count_of(corpus), removals_of(corpus)
    known = {"server": server, "name": name, "model": corpus.database.meta("model"), "removals": removals}
    with closing(_index(corpus, server, name, writes=True)) as index:
        if any(record.get(key) != value for key, value in known.items()) or index.count() != record.get("count"):
            sent = index.rebuild()
        else:
            sent, rows = 0, vectors_after(corpus, int(record.get("last", 0)))
            while part := list(islice(rows, BATCH)):
                index.add([str(n) for n, _ in part], np.stack([v for _, v in part]), [{"kind": "text"}] * len(part))
                sent += len(part)
    record = {**known, "last": last_of(corpus), "count": count}
    (corpus.folder / FILE_NAME).write_text(json.dumps(record), "utf-8")
    return sent


def _index(corpus: Corpus, server: str, name: str, *, writes: bool) -> VectorIndex:
    def all_vectors() -> Iterator[tuple[str, np.ndarray, dict[str, str | float]]]:
        for number, vector in vectors_after(corpus):
            yield str(number), vector, {"kind": "text"}

    return VectorIndex(corpus.folder / "unused", name, all_vectors if writes else None, server)


def _read_record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / FILE_NAME).read_text("utf-8"))
    except (OSError, ValueError):  # missing or truncated: everything is sent again
        return {}
    return record if isinstance(record, dict) else {}


def _add_problem(found: Found, reason: str) -> Found:
    return found.model_copy(update={"problems": (*found.problems, Problem(source="chroma", reason=reason))})
