"""Search over a suite's papers: indexed once by the literature tool, with recordable and replayable searches."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import get_ident
from typing import Literal

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from agent.literature.embedders import MINILM, embedder
from evals.engine.data import DataError
from evals.suites.judges import own_folder
from tools.errors import ConfigError, StoreError
from tools.literature.index.corpus import RULES_VERSION, Corpus, open_corpus
from tools.literature.index.database import LIVE
from tools.literature.index.ingest import index_path
from tools.literature.index.vector_export import embedder_of
from tools.literature.index.vectors import Embed
from tools.literature.options import LiteratureOptions
from tools.literature.retrieval.retrieve import retrieve
from tools.literature.types import Document, Source

DOCUMENTS = "documents.jsonl"
DIGEST_ROWS = 10_000
"""Documents of a corpus that are read at once for its digest."""


class Brought(BaseModel):
    """The result of a search: documents, best first, and reasons why they may be incomplete."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    documents: tuple[Document, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Searching:
    """How papers are searched.

    Attributes:
        folder: folder of the index, shared with other runs; None keeps it as long as the papers.
        corpus: a corpus of `attend literature index`, the folder `literature` of its settings, to search instead of the
            papers.
        remote: a network source to search instead of the papers. Setting it is the consent to send queries there.
        literature: options of requests, such as the e-mail address to send; its setting for a person's consent is
            ignored.
        dense: whether to rank by meaning too; a corpus must have vectors.
        record: a folder for recorded searches, which later runs over the same papers reuse; None records none.
        offline: answer searches from `record` alone.
    """

    folder: Path | None = None
    corpus: Path | None = None
    remote: Literal["pubmed", "europepmc"] | None = None
    literature: LiteratureOptions = LiteratureOptions()  # noqa: RUF009 - it is frozen
    dense: bool = False
    record: Path | None = None
    offline: bool = False


class Papers:
    """Searchable papers, indexed at the first search.

    Args:
        documents: the papers.
        how: how they are searched.
    """

    def __init__(self, documents: Iterable[Document], how: Searching) -> None:
        self._documents, self._how = tuple(documents), how
        # One thread owns the index: those of the event loop drive the model, and SQLite needs a single one.
        self._thread = ThreadPoolExecutor(1, "papers")
        self._open = ExitStack()
        self._source: Source | None = None
        self._embed: Embed | None = None

    async def search(self, query: str, limit: int) -> Brought:
        """Find at most `limit` papers.

        Raises:
            DataError: if searches are offline, and this one is not recorded.
            StoreError: if an index or a record cannot be made or read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._search, query, limit)

    def search_now(self, query: str, limit: int) -> Brought:
        """Search like `search`, from a thread that may block."""
        return self._thread.submit(self._search, query, limit).result()

    def _search(self, query: str, limit: int) -> Brought:
        kept = self._kept(query, limit)
        if kept is not None and kept.is_file():
            return _read(kept)
        if self._how.offline:
            raise DataError(
                f"the search {query[:80]!r} is not recorded in {str(self._how.record)!r}.",
                file=None,
                remedy="Run it once without --set offline=true, or pass its folder with --set record=DIR.",
            )
        found = retrieve(query, [self._opened()], limit=limit, embed=self._embed)
        problems = tuple(f"{one.source}: {one.reason}" for one in found.problems)
        brought = Brought(documents=tuple(hit.document for hit in found.hits), problems=problems)
        if kept is not None and not problems:  # a partial result must not be taken for complete later
            _write(kept, brought, query)
        return brought

    def _kept(self, query: str, limit: int) -> Path | None:
        if self._how.record is None:
            return None
        named = json.dumps([self._how.remote or self._digest, self._how.dense, query, limit])
        return self._how.record / f"{hashlib.sha256(named.encode()).hexdigest()[:32]}.json"

    @cached_property
    def _digest(self) -> str:
        """Return a digest that identifies the searched papers; a corpus is taken as of the first search."""
        if self._how.corpus is not None:
            corpus = self._opened()
            assert isinstance(corpus, Corpus)
            return _digest_of(corpus)
        told = "\n".join(f"{document.id} {document.sha256} {document.source}" for document in self._documents)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def _opened(self) -> Source:
        if self._source is None:
            self._source = self._remote() if self._how.remote else self._local()
        return self._source

    def _remote(self) -> Source:
        from tools.literature.remote import open_remote

        assert self._how.remote is not None
        options = self._how.literature.model_copy(update={"send_unasked": True})
        folder = self._how.folder or own_folder(self, "attend-papers-")
        return self._open.enter_context(closing(open_remote(self._how.remote, options, folder / "remote", None)))

    def _local(self) -> Source:
        if self._how.corpus is None:
            model = MINILM if self._how.dense else ""
            corpus = self._open.enter_context(open_corpus(self._indexed(model)))
        else:
            corpus = self._open.enter_context(open_corpus(self._how.corpus))
            model = embedder_of(corpus) if self._how.dense else ""
            if self._how.dense and not model:
                raise ConfigError(
                    f"the corpus {str(self._how.corpus)!r} has no vectors.",
                    remedy="Index it with `attend literature index --dense`, or omit --set dense=true.",
                )
        if model:
            self._embed = embedder(model).questions
        return corpus

    def _indexed(self, model: str) -> Path:
        """Return the folder of the index of these papers, making it first if needed."""
        base = self._how.folder or own_folder(self, "attend-papers-")
        folder = base / self._digest
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".making"):  # another run may be making it
            file = folder / DOCUMENTS
            if not file.is_file():
                lines = "".join(f"{document.model_dump_json()}\n" for document in self._documents)
                _replace(file, lines)
            embed = embedder(model).documents if model else None
            with open_corpus(folder / "corpus", writer=True) as corpus:
                index_path(corpus, file, embed=embed, model=model)
        return folder / "corpus"


def _digest_of(corpus: Corpus) -> str:
    """Return a sha256, in hex, over all that determines results: documents, tokenisation, embedder, and embedded texts.

    Independent of the corpus's path and of the order in which its files were read. Reads a line of each document.
    """
    rules = [corpus.rule, RULES_VERSION, corpus.database.meta("model", "")]
    digest = hashlib.sha256(json.dumps(rules).encode())
    after = ""
    while rows := corpus.database.read(
        f"SELECT id, sha256, embedded FROM documents WHERE state = {LIVE} AND id > ? ORDER BY id LIMIT ?",
        (after, DIGEST_ROWS),
    ):
        digest.update(json.dumps(rows).encode())
        after = rows[-1][0]
    return digest.hexdigest()


def _read(path: Path) -> Brought:
    try:
        return Brought.model_validate(json.loads(path.read_text("utf-8"))["brought"])
    except (OSError, ValueError, KeyError, ValidationError) as error:
        raise StoreError(
            f"cannot read the recorded search {str(path)!r}: {error}.", remedy="Delete it; it is then recorded again."
        ) from error


def _write(path: Path, brought: Brought, query: str) -> None:
    held = {"query": query, "brought": brought.model_dump(mode="json")}
    _replace(path, json.dumps(held, ensure_ascii=False))


def _replace(path: Path, text: str) -> None:
    """Write a file atomically."""
    partial = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, "utf-8")
        partial.replace(path)
    except OSError as error:
        raise StoreError(
            f"cannot write {str(path)!r}: {error}.", remedy="Check the disk and the permissions."
        ) from error
