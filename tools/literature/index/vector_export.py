"""Export of the vectors of a corpus to other indexes, such as on a server, with the model that made them.

The number of a vector is never reused, so another index can be updated with the vectors after its last number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tools.literature.index.corpus import Corpus
from tools.literature.index.database import LIVE
from tools.literature.types import Document

_BATCH = 1_000


def embedder_of(corpus: Corpus) -> str:
    """Return the name of the model that made the vectors; empty if there are none."""
    held = corpus.database.read("SELECT 1 FROM vectors LIMIT 1")
    return str(corpus.database.meta("model", "")) if held else ""


def vectors_after(corpus: Corpus, number: int = 0) -> Iterator[tuple[int, np.ndarray]]:
    """Yield vectors (D,), float32, with numbers above one, in order, each with its number."""
    while rows := corpus.database.read(
        "SELECT number, vector FROM vectors WHERE number > ? ORDER BY number LIMIT ?", (number, _BATCH)
    ):
        for number, vector in rows:
            yield number, np.frombuffer(vector, np.float16).astype(np.float32)


def count_of(corpus: Corpus) -> int:
    """Return the number of vectors; a long document has several."""
    return int(corpus.database.read("SELECT count(*) FROM vectors")[0][0])


def last_of(corpus: Corpus) -> int:
    """Return the number of the newest vector; 0 if there is none."""
    return int(corpus.database.read("SELECT coalesce(max(number), 0) FROM vectors")[0][0])


def removals_of(corpus: Corpus) -> int:
    """Return how often vectors were removed; while it is unchanged, all earlier ones still exist."""
    return int(corpus.database.meta("vectors_removed", 0))


def documents_at(corpus: Corpus, numbers: Sequence[int]) -> dict[int, Document]:
    """Return the documents of vectors with these numbers, by number, without those that no longer count."""
    statement = (
        "SELECT v.number, d.body FROM vectors v JOIN documents d USING (row_id) "
        f"WHERE v.number IN ({{ids}}) AND d.state = {LIVE}"
    )
    return {number: Document.model_validate_json(body) for number, body in corpus.database.read_any(statement, numbers)}
