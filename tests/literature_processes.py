"""Processes that the tests of the literature start, and kill: `python -m tests.literature_processes WHAT FOLDER ...`.

index FOLDER PATH POINT N   indexes, with vectors, and kills itself at the Nth time that it passes a point; at `never`
                            it ends well
hold FOLDER                 opens to write, and waits for a line
search FOLDER               searches again and again until it reads a line, and tells what it saw
full FOLDER PATH BYTES      indexes where no file may grow beyond some bytes, and tells the error
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tools.errors import StoreError
from tools.literature.index import ingest
from tools.literature.index.corpus import Corpus, open_corpus
from tools.literature.index.database import LIVE
from tools.literature.index.lexical import Words
from tools.literature.index.vectors import Vectors
from tools.literature.types import Document, Filters
from tools.sqlite import Database

POINTS: dict[str, tuple[type, str, bool]] = {
    "after a transaction": (Database, "transaction", True),
    "before a word is added": (Words, "add", False),
    "before a word is removed": (Words, "remove", False),
    "before the words are committed": (Words, "commit", False),
    "after the words are committed": (Words, "commit", True),
    "after settling": (Corpus, "settle", True),
    "before vectors are stored": (Vectors, "put", False),
    "after vectors are stored": (Vectors, "put", True),
}
"""Of each, a class, one of its methods, and whether the kill comes behind it."""


def embed(texts: list[str]) -> np.ndarray:
    """Unit vectors (N, 8) that depend on nothing but the texts."""
    seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]
    vectors = np.array([np.random.default_rng(seed).normal(size=8) for seed in seeds], np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def documents_of(corpus: Corpus) -> list[Document]:
    """The documents that can be found, in the order in which they came in."""
    rows = corpus.database.read(f"SELECT body FROM documents WHERE state = {LIVE} ORDER BY row_id")
    return [Document.model_validate_json(body) for (body,) in rows]


def kill_at(point: str, count: int) -> None:
    """Have this process killed at the count-th time that it passes a point."""
    owner, name, behind = POINTS[point]
    method: Callable[..., Any] = getattr(owner, name)
    passed = 0

    def passes() -> None:
        nonlocal passed
        passed += 1
        if passed == count:
            os.kill(os.getpid(), signal.SIGKILL)

    if name == "transaction":
        from contextlib import contextmanager

        @contextmanager
        def transaction(self: Database) -> Any:
            with method(self) as sql:
                yield sql
            passes()

        setattr(owner, name, transaction)
        return

    def wrapped(self: Any, *arguments: Any) -> Any:
        if not behind:
            passes()
        result = method(self, *arguments)
        if behind:
            passes()
        return result

    setattr(owner, name, wrapped)


def index(folder: Path, path: Path, point: str, count: int) -> None:
    ingest.BATCH, ingest.COMMIT_EVERY, ingest.EMBED_BATCH = 7, 20, 5
    if point != "never":
        kill_at(point, count)
    with open_corpus(folder, writer=True) as corpus:
        print(ingest.index_path(corpus, path, embed=embed).model_dump_json(exclude={"seconds"}), flush=True)


def hold(folder: Path) -> None:
    with open_corpus(folder, writer=True):
        print("held", flush=True)
        sys.stdin.readline()


def search(folder: Path) -> None:
    seen, wrong, searches = [], [], 0
    with open_corpus(folder) as corpus:

        def look() -> None:
            nonlocal searches, wrong
            found = corpus.search("common", 1_000, Filters())
            near = corpus.near(embed(["common"])[0], 5)
            ids = [hit.document.id for hit in found.hits]
            wrong += [hit.document.id for hit in (*found.hits, *near.hits) if "common" not in hit.document.text]
            wrong += [id_ for id_ in ids if ids.count(id_) > 1]
            wrong += [problem.reason for problem in found.problems if "replaced" in problem.reason]
            seen.append(len(ids))
            searches += 1
            time.sleep(0.02)  # two of these would take both cores from the process that indexes

        for _ in range(3):
            look()
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 0)[0]:
            look()
        for _ in range(3):  # now all that was indexed before the word to end is there
            look()
    print(
        json.dumps({"searches": searches, "first": seen[0], "last": seen[-1], "least": min(seen), "wrong": wrong[:3]})
    )


def full(folder: Path, path: Path, most: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with open_corpus(folder, writer=True) as corpus:
            ingest.index_path(corpus, path)
    except StoreError as error:
        print(error)


if __name__ == "__main__":
    what, place, *rest = sys.argv[1:]
    if what == "index":
        index(Path(place), Path(rest[0]), rest[1], int(rest[2]))
    elif what == "full":
        full(Path(place), Path(rest[0]), int(rest[1]))
    else:
        {"hold": hold, "search": search}[what](Path(place))
