"""What tells the content of a corpus from another's, for those who keep what was found in it."""

from __future__ import annotations

import hashlib
import json

from tools.literature.corpus import RULES_VERSION, Corpus
from tools.literature.database import LIVE

_BATCH = 10_000


def digest_of(corpus: Corpus) -> str:
    """A sha256, in hex, over all that decides what is found: documents, words' rule, embedder, and what is embedded.

    Where the corpus lies, and in which order its files were read, have no part in it. It reads a line of each document.

    Raises:
        StoreError: if the database cannot be read.
    """
    rules = [corpus.rule, RULES_VERSION, corpus.database.meta("model", "")]
    digest = hashlib.sha256(json.dumps(rules).encode())
    after = ""
    while rows := corpus.database.read(
        f"SELECT id, sha256, embedded FROM documents WHERE state = {LIVE} AND id > ? ORDER BY id LIMIT ?",
        (after, _BATCH),
    ):
        digest.update(json.dumps(rows).encode())
        after = rows[-1][0]
    return digest.hexdigest()
