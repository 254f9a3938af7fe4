"""Vectors of a corpus on a Chroma server: `fill` and `Served`. SQLite stays the truth, and can always fill it anew."""

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
"""What was put on which server, in the folder of the corpus."""


class Served:
    """A corpus whose vectors are asked for on a server; all else is the corpus's own.

    With filters, and where the server does not answer, vectors are compared here: a filter that few documents pass
    would need all of the server's.

    Args:
        corpus: the truth.
        server: address of a Chroma server.
    """

    remote = False

    def __init__(self, corpus: Corpus, server: str) -> None:
        self.corpus, self.name = corpus, corpus.name
        held = _noted(corpus.folder)
        self._there = held.get("server") == server and held.get("model") == corpus.database.meta("model")
        self._index = _index(corpus, server, str(held.get("name", "")), writes=False) if self._there else None

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
            reason = "the vectors are not on this server yet: `attend literature index PATH` puts them there"
            return _with(self.corpus.near(vector, limit, filters), reason)
        try:
            found = self._index.query(vector, 2 * limit)  # a long document has several vectors
        except StoreError as error:
            return _with(self.corpus.near(vector, limit, filters), f"{error} Vectors were compared here instead.")
        documents = documents_at(self.corpus, [int(id_) for id_, _ in found])
        best: dict[str, Hit] = {}
        for id_, cosine in found:
            document = documents.get(int(id_))
            if document is not None and document.id not in best and len(best) < limit:
                best[document.id] = Hit(document=document, score=cosine, ranks={"dense": len(best) + 1})
        return Found(hits=tuple(best.values()))

    def close(self) -> None:
        """Let go of the server. May be called twice."""
        if self._index is not None:
            self._index.close()


def fill(corpus: Corpus, server: str) -> int:
    """Bring a server up to what a corpus has, and return how many vectors were sent.

    Only new ones are sent, unless some were removed since, or the server has not what it should.

    Raises:
        StoreError: if the server cannot be written.
    """
    held = _noted(corpus.folder)
    name = str(held.get("name") or f"literature-{uuid.uuid4().hex[:16]}")
    count, removals = count_of(corpus), removals_of(corpus)
    known = {"server": server, "name": name, "model": corpus.database.meta("model"), "removals": removals}
    with closing(_index(corpus, server, name, writes=True)) as index:
        if any(held.get(key) != value for key, value in known.items()) or index.count() != held.get("count"):
            sent = index.rebuild()
        else:
            sent, rows = 0, vectors_after(corpus, int(held.get("last", 0)))
            while part := list(islice(rows, BATCH)):
                index.add([str(n) for n, _ in part], np.stack([v for _, v in part]), [{"kind": "text"}] * len(part))
                sent += len(part)
    noted = {**known, "last": last_of(corpus), "count": count}
    (corpus.folder / FILE_NAME).write_text(json.dumps(noted), "utf-8")
    return sent


def _index(corpus: Corpus, server: str, name: str, *, writes: bool) -> VectorIndex:
    def truth() -> Iterator[tuple[str, np.ndarray, dict[str, str | float]]]:
        for number, vector in vectors_after(corpus):
            yield str(number), vector, {"kind": "text"}

    return VectorIndex(corpus.folder / "unused", name, truth if writes else None, server)


def _noted(folder: Path) -> dict[str, Any]:
    try:
        held = json.loads((folder / FILE_NAME).read_text("utf-8"))
    except (OSError, ValueError):  # none, or cut off while it was written: all is sent anew
        return {}
    return held if isinstance(held, dict) else {}


def _with(found: Found, reason: str) -> Found:
    return found.model_copy(update={"problems": (*found.problems, Problem(source="chroma", reason=reason))})
