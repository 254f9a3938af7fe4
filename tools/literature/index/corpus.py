"""`Corpus`: local literature, searched by words and by meaning.

    FOLDER/
            lock, owner           held by the writing process
            literature.sqlite     documents, vectors, and their files (see tools.literature.index.database)
            words/                the lexical index, which can always be rebuilt (see tools.literature.index.lexical)

One process writes while any number search. Committed data survives a kill and a loss of power. A row is first written
to SQLite and marked as pending, then added to the lexical index, and unmarked once that has committed; the next writer
completes what a kill left pending.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numpy as np
from filelock import FileLock, Timeout

from tools.errors import StoreError
from tools.literature.index.database import BEHIND, LIVE, RETIRED, nothing, open_database, set_meta
from tools.literature.index.lexical import RULES, Words
from tools.literature.index.status import MAX_PROBLEMS, BadRecord, Duplicate, FileStatus, Status
from tools.literature.index.vectors import Vectors
from tools.literature.readers.records import OWN_HASH
from tools.literature.retrieval.dedup import names_of, retracted_names
from tools.literature.types import Document, Filters, Found, Hit, Problem

RULES_VERSION = 1
"""Version of the tokenisation and of the index's fields; a writer rebuilds an index of another version."""
REBUILD_BATCH = 1_000
TRIES = 3
"""Maximum number of attempts of a search when a writer removes what it found."""


class Corpus:
    """The literature in a folder: a `Source` named `local`. Searches are thread-safe.

    Use `open_corpus`. The attributes are internal to `tools.literature`.
    """

    name, remote = "local", False

    def __init__(self, folder: Path, *, writer: bool, rule: str) -> None:
        self.folder, self.writer = folder, writer
        with ExitStack() as stack:  # closes what was opened, unless all goes well
            if writer:
                stack.callback(_claim(folder).release)
            self.database = open_database(folder, writer)
            stack.callback(self.database.close)
            self.vectors = Vectors(self.database)
            self.rule, version = json.loads(self.database.meta("rule") or json.dumps([rule, 0]))
            self.words = Words(folder, self.rule)
            stack.callback(self.words.close)
            self._open_words(version)
            if writer:
                self.mend()
            self._closing = stack.pop_all()

    def search(self, query: str, limit: int, filters: Filters = Filters()) -> Found:  # noqa: B008 - it is frozen
        """Find documents by words, best first; `ranks` and `score` are BM25's.

        Raises:
            StoreError: if nothing is indexed, the limit is below 1, or the files cannot be read.
        """
        self._need_documents(limit)
        hits: tuple[Hit, ...] = ()
        missing = 0
        for _ in range(TRIES):
            found = self.words.search(query, limit, filters)
            held = self._bodies([row for row, _ in found])
            missing = len(found) - len(held)
            hits = tuple(
                Hit(document=held[row], score=score, ranks={"bm25": rank})
                for rank, (row, score) in enumerate(((row, score) for row, score in found if row in held), start=1)
            )
            if not missing:
                break
        cover = self.words.cover(query, hits[0].document) if hits else 0.0
        return Found(hits=hits, problems=self._problems(query, missing), cover=cover)

    def near(self, vector: np.ndarray, limit: int, filters: Filters = Filters()) -> Found:  # noqa: B008 - it is frozen
        """Find documents by meaning, nearest first; `score` is the cosine to the nearest part of the document.

        Args:
            vector: (D,), of unit length, from the embedder of the corpus.
            limit: maximum number of documents.
            filters: conditions on documents.

        Raises:
            StoreError: if the vector has the wrong number of components, or the files cannot be read.
        """
        self._need_documents(limit)
        allowed, asked = self.words.passing(filters), limit
        while True:
            rows, cosines = self.vectors.nearest(vector, asked, allowed)
            held = self._bodies(rows.tolist(), only_live=True)
            if len(held) >= limit or len(rows) < asked:
                break
            asked *= 2  # some were replaced since they were embedded
        kept = [(held[row], cosine) for row, cosine in zip(rows.tolist(), cosines.tolist(), strict=True) if row in held]
        return Found(
            hits=tuple(
                Hit(document=document, score=cosine, ranks={"dense": rank})
                for rank, (document, cosine) in enumerate(kept[:limit], start=1)
            )
        )

    def fetch(self, ids: Sequence[str]) -> Found:
        """Fetch documents by id, or by another identifier: `pmid:`, `pmcid:`, `doi:`, or `local:` and the id in a file,
        if only one file uses it."""
        known = dict(
            self.database.read_any(f"SELECT id, body FROM documents WHERE id IN ({{ids}}) AND state = {LIVE}", ids)
        )
        hits, missing = [], []
        for id_ in ids:
            body = known.get(id_) or self._by_other_name(id_)
            if body is None:
                missing.append(id_)
            else:
                document = Document.model_validate_json(body)
                flagged = document.retracted or bool(self.retracted(names_of(document)))
                hits.append(Hit(document=document.model_copy(update={"retracted": flagged}), score=1.0))
        problems = (
            [Problem(source=self.name, reason="it is not in the local literature", ids=tuple(missing))]
            if missing
            else []
        )
        return Found(hits=tuple(hits), problems=tuple(problems))

    def retracted(self, names: Sequence[str]) -> set[str]:
        """Return those of `names` (see `retrieval.dedup.names_of`) whose paper is marked as retracted here."""
        return retracted_names(self.database, names)

    def status(self) -> Status:
        """Return the contents of the corpus, by file, with the records that could not be used."""
        read = self.database.read
        ((documents, retracted, embedded),) = read(
            f"SELECT count(*), coalesce(sum(retracted), 0), coalesce(sum(embedded), 0) FROM documents "
            f"WHERE state = {LIVE}"
        )
        files = read(
            "SELECT path, state, (SELECT count(*) FROM documents d WHERE d.file_id = f.file_id "
            f"AND d.state != {RETIRED}), (SELECT count(*) FROM problems p WHERE p.file_id = f.file_id) "
            "FROM files f ORDER BY path"
        )
        problems = read(
            "SELECT path, record, field, reason, remedy FROM problems JOIN files USING (file_id) "
            f"ORDER BY path, problems.rowid LIMIT {MAX_PROBLEMS}"
        )
        return Status(
            folder=str(self.folder),
            documents=documents,
            retracted=retracted,
            embedded=embedded,
            model=self.database.meta("model", ""),
            waiting=read("SELECT count(*) FROM pending")[0][0],
            rule=self.rule,
            files=tuple(FileStatus(path=row[0], state=row[1], documents=row[2], problems=row[3]) for row in files),
            problems=tuple(
                BadRecord(file=row[0], record=row[1], field=row[2], reason=row[3], remedy=row[4]) for row in problems
            ),
            duplicates=self._duplicates(),
        )

    def close(self) -> None:
        """Close the files, and release the lock. May be called twice."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def mend(self) -> None:
        """Synchronise the lexical index with the database: pending rows, or all if they disagree."""
        if self.database.read("SELECT 1 FROM pending LIMIT 1"):
            self._index_pending()
            self.settle()
        ((live,),) = self.database.read(f"SELECT count(*) FROM documents WHERE state = {LIVE}")
        if self.words.count() != live:
            self._make_words()
            self._index_pending()
            self.settle()

    def settle(self) -> None:
        """Commit the lexical index, and clear the pending marks."""
        self.words.commit()
        with self.database.transaction() as sql:
            sql.execute("DELETE FROM pending")
            sql.execute(f"DELETE FROM vectors WHERE row_id IN (SELECT row_id FROM documents WHERE state = {RETIRED})")
            if sql.execute("SELECT changes()").fetchone()[0]:
                set_meta(sql, "vectors_removed", self.database.meta("vectors_removed", 0) + 1)
            sql.execute(f"DELETE FROM documents WHERE state = {RETIRED}")

    def _open_words(self, version: int) -> None:
        if self.writer:
            if version == RULES_VERSION:
                try:
                    return self.words.open()
                except StoreError:
                    pass  # it is missing or damaged, and the database has all of its content
            return self._make_words()
        if not version:
            raise nothing(self.folder)  # a kill interrupted its creation
        if version != RULES_VERSION:
            raise StoreError(
                f"cannot use the lexical index in {str(self.folder)!r}: it was made by another version.",
                expected=f"version {RULES_VERSION}",
                remedy="Rebuild it with `attend literature index PATH`, which takes the documents from the database.",
            )
        return self.words.open()

    def _make_words(self) -> None:
        """Create an empty lexical index, and mark all documents as pending."""
        self.words.make()
        with self.database.transaction() as sql:
            sql.execute("DELETE FROM pending")
            sql.execute(f"INSERT INTO pending SELECT row_id FROM documents WHERE state = {LIVE}")
            set_meta(sql, "rule", json.dumps([self.rule, RULES_VERSION]))

    def _index_pending(self) -> None:
        at = 0
        while rows := self.database.read(
            "SELECT p.row_id, d.state, d.body FROM pending p LEFT JOIN documents d USING (row_id) WHERE p.row_id > ? "
            "ORDER BY p.row_id LIMIT ?",
            (at, REBUILD_BATCH),
        ):
            for row_id, state, body in rows:
                self.words.remove(row_id)
                if state == LIVE:
                    self.words.add(row_id, Document.model_validate_json(body))
            at = rows[-1][0]

    def _bodies(self, row_ids: Sequence[int], only_live: bool = False) -> dict[int, Document]:
        statement = "SELECT row_id, body FROM documents WHERE row_id IN ({ids})"
        if only_live:
            statement += f" AND state = {LIVE}"
        return {row: Document.model_validate_json(body) for row, body in self.database.read_any(statement, row_ids)}

    def _by_other_name(self, id_: str) -> str | None:
        kind, _, name = id_.partition(":")
        if kind == "local":
            rows = self.database.read(
                f"SELECT body FROM documents WHERE id BETWEEN ? AND ? AND length(id) = ? AND +state = {LIVE} LIMIT 2",
                (f"{id_}-", f"{id_}.", len(id_) + 1 + OWN_HASH),
            )
            return rows[0][0] if len(rows) == 1 else None  # two files may use the same id for different documents
        if kind not in ("pmid", "pmcid", "doi"):
            return None
        rows = self.database.read(
            f"SELECT body FROM documents WHERE {kind} = ? AND state = {LIVE} ORDER BY row_id LIMIT 1",
            (name.lower() if kind == "doi" else name,),
        )
        return rows[0][0] if rows else None

    def _problems(self, query: str, missing: int) -> tuple[Problem, ...]:
        """Return why a search may have found less than there is."""
        reasons = []
        if not self.words.knows(query):
            reasons.append(f"the query {query!r:.80} has no searchable word")
        ((waiting,),) = self.database.read("SELECT count(*) FROM pending")
        if waiting:
            reasons.append(f"{waiting} documents are not yet in the lexical index: `attend literature index PATH` "
                           "is running, or was interrupted and has to be run again")  # fmt: skip
        if missing:
            reasons.append(f"{missing} documents were replaced during the search")
        return tuple(Problem(source=self.name, reason=reason) for reason in reasons)

    def _duplicates(self) -> tuple[Duplicate, ...]:
        rows = self.database.read(
            "SELECT d.id, d.state, f.path FROM documents d JOIN files f USING (file_id) WHERE d.id IN "
            f"(SELECT b.id FROM documents b JOIN documents l ON l.id = b.id AND l.state = {LIVE} "
            f"WHERE b.state = {BEHIND} AND b.sha256 != l.sha256) AND +d.state IN ({BEHIND}, {LIVE}) "
            "ORDER BY d.id, f.path"
        )
        files: dict[str, list[str]] = {}
        shown: dict[str, str] = {}
        for id_, state, path in rows:
            files.setdefault(id_, []).append(path)
            if state == LIVE:
                shown[id_] = path
        return tuple(Duplicate(id=id_, shown=shown[id_], files=tuple(paths)) for id_, paths in files.items())

    def _need_documents(self, limit: int) -> None:
        if limit < 1:
            raise StoreError(f"invalid limit {limit}.", expected="1 or more", remedy="Ask for more documents.")
        if not self.database.read(f"SELECT 1 FROM documents WHERE state = {LIVE} LIMIT 1"):
            raise nothing(self.folder)


def open_corpus(folder: Path, *, writer: bool = False, rule: str = "clinical") -> Corpus:
    """Open the literature in a folder, as a context manager.

    Args:
        folder: its folder; a writer creates it if missing.
        writer: whether this process writes.
        rule: for a new folder: `clinical`, or `plain` for reference figures (see `tools.literature.retrieval.tokens`).

    Raises:
        StoreError: if another process writes, a reader finds nothing, or the files cannot be opened or are damaged.
    """
    if rule not in RULES:
        raise StoreError(f"unknown rule {rule!r}.", expected=" or ".join(RULES), remedy="Name one of these.")
    return Corpus(folder, writer=writer, rule=rule)


def _claim(folder: Path) -> FileLock:
    """Lock the folder for writing."""
    lock = FileLock(folder / "lock", thread_local=False)  # often released by another thread
    owner = folder / "owner"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        owner.write_text(f"{os.getpid()}\n")
    except Timeout as error:
        raise StoreError(
            f"cannot write the literature in {str(folder)!r}: process {_pid(owner)} is indexing it.",
            remedy="Wait for it, or stop it; searching is possible meanwhile.",
        ) from error
    except OSError as error:
        lock.release()
        raise StoreError(
            f"cannot write the literature in {str(folder)!r}: {error}.",
            remedy="Choose a writable folder on a disk that is not full.",
        ) from error
    return lock


def _pid(owner: Path) -> str:
    try:
        return owner.read_text().strip() or "?"
    except OSError:
        return "?"
