"""`Words`: the lexical index of a corpus, by tantivy. Internal to `tools.literature`.

It stores no text: for each row of the database its words, and the fields of filters. It can always be rebuilt from the
database. Ranking is BM25 with k1 1.2 and b 0.75, which are fixed in tantivy, and document lengths rounded to 256 steps
as in Lucene. Word counts include removed documents until tantivy merges their segment, so that scores of a changed
corpus differ slightly from those of a rebuilt one.
"""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from tools.errors import StoreError
from tools.extras import require
from tools.literature.retrieval.tokens import plain_tokens, spellings, tokens
from tools.literature.types import Document, Filters

FOLDER_NAME = "words"
RULES: dict[str, Callable[[str], list[str]]] = {"clinical": tokens, "plain": plain_tokens}
HEAP_BYTES = 128_000_000
"""Memory of tantivy before it writes a segment; its default."""
THREADS = 1
"""Indexing threads: tokenisation takes as long, so that more of them would wait."""
MAX_TERMS = 1_024
"""Maximum number of different words of a query: questions have fewer than a hundred, pasted texts more."""


class Words:
    """The lexical index in a folder.

    Args:
        folder: the corpus's; the index is in its subfolder `words`.
        rule: tokenisation, one of `RULES`.
    """

    def __init__(self, folder: Path, rule: str) -> None:
        self.path = folder / FOLDER_NAME
        self._tokens = RULES[rule]
        self._lock = RLock()
        self._index: Any = None
        self._writer: Any = None
        self._stamp: tuple[int, int] | None = None

    def open(self) -> None:
        """Open the existing index. Raises StoreError if it cannot be read."""
        tantivy = require("tantivy", extra="literature")

        with failures(self.path, "opened"), self._lock:
            self._index = tantivy.Index.open(str(self.path))
            self._index.config_reader("manual")
            self._stamp = None
            self.refresh()

    def make(self) -> None:
        """Create an empty index, replacing the existing one."""
        tantivy = require("tantivy", extra="literature")

        self.close()
        with failures(self.path, "made"):
            shutil.rmtree(self.path, ignore_errors=True)
            self.path.mkdir(parents=True)
            tantivy.Index(_schema(), str(self.path))
        self.open()

    def add(self, row_id: int, document: Document) -> None:
        """Add a row, which must not be in the index."""
        tantivy = require("tantivy", extra="literature")

        entry = tantivy.Document()
        entry.add_unsigned("row", row_id)
        entry.add_text("words", self._terms(f"{document.title}\n{document.text}"))
        if document.year is not None:
            entry.add_integer("year", document.year)
        entry.add_boolean("retracted", document.retracted)
        for heading in document.mesh:
            entry.add_text("mesh", heading.casefold())
        for kind in document.publication_types:
            entry.add_text("types", kind.casefold())
        with self._writing() as writer:
            writer.add_document(entry)

    def remove(self, row_id: int) -> None:
        """Remove a row, if it is in the index."""
        tantivy = require("tantivy", extra="literature")

        with self._writing() as writer:
            # By a query: tantivy 0.27 does not find unsigned numbers by `delete_documents_by_term`.
            writer.delete_documents_by_query(tantivy.Query.term_query(self._index.schema, "row", row_id))

    def commit(self) -> None:
        """Commit additions and removals, and make them visible to readers."""
        if self._writer is not None:
            with self._writing() as writer:
                writer.commit()

    def count(self) -> int:
        """Return the number of rows in the index."""
        return int(self._searcher().num_docs)

    def search(self, query: str, limit: int, filters: Filters) -> list[tuple[int, float]]:
        """Return rows and scores of the best matches, best first; none if the query has no word. British and American
        spellings match each other."""
        tantivy = require("tantivy", extra="literature")

        counts = Counter(self._terms(query).split())
        if not counts:
            return []
        with failures(self.path, "searched"):
            schema = self._index.schema
            should = []
            spelt = [(one, count) for term, count in counts.most_common(MAX_TERMS) for one in self._spelt(term)]
            for term, count in spelt:
                one = tantivy.Query.term_query(schema, "words", term, index_option="freq")
                should.append(
                    (tantivy.Occur.Should, tantivy.Query.boost_query(one, float(count)) if count > 1 else one)
                )
            wanted = tantivy.Query.boolean_query(should)
            must = self._must(filters)
            if must:
                wanted = tantivy.Query.boolean_query([(tantivy.Occur.Must, wanted), *must])
            found = self._rows(wanted, limit)
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))

    def cover(self, query: str, document: Document) -> float:
        """Return the share of a query's different words that a document contains, weighted by idf as in BM25; 0 to 1.

        Words in no document count, too: they are the rarest.
        """
        searcher = self._searcher()
        held = set(self._terms(f"{document.title}\n{document.text}").split())
        total, found = 0.0, 0.0
        with failures(self.path, "searched"):
            for term in list(dict.fromkeys(self._terms(query).split()))[:MAX_TERMS]:
                spelt = self._spelt(term)
                # Includes removed documents, so that it may exceed the total.
                frequency = max(searcher.doc_freq("words", one) for one in spelt)
                idf = math.log1p((max(0, searcher.num_docs - frequency) + 0.5) / (frequency + 0.5))
                total += idf
                found += idf * (not held.isdisjoint(spelt))
        return found / total if total > 0 else 0.0

    def knows(self, query: str) -> bool:
        """Return whether a query has any indexable word."""
        return bool(self._tokens(query))

    def passing(self, filters: Filters) -> list[int] | None:
        """Return the rows that pass the filters; None if all do."""
        tantivy = require("tantivy", extra="literature")

        with failures(self.path, "searched"):
            must = self._must(filters)
            if not must:
                return None
            return [row for row, _ in self._rows(tantivy.Query.boolean_query(must), max(1, self.count()))]

    def close(self) -> None:
        """Stop writing, without committing. May be called twice."""
        with self._lock:
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.wait_merging_threads()
            self._index = None

    def refresh(self) -> None:
        """See new commits. Cheap if there are none."""
        with failures(self.path, "opened"), self._lock:
            about = (self.path / "meta.json").stat()
            stamp = (about.st_ino, about.st_mtime_ns)
            if stamp != self._stamp:
                self._index.reload()
                self._stamp = stamp

    def _terms(self, text: str) -> str:
        """Return the words of a text as indexed, separated by blanks: `IL-6` and `IL6` are equal."""
        return " ".join(self._tokens(text)).replace("-", "")

    def _spelt(self, term: str) -> list[str]:
        """Return a word, and its other spellings that occur in documents; none with the rule for reference figures."""
        others = spellings(term) if self._tokens is tokens else ()
        if not others:
            return [term]
        searcher = self._searcher()
        return [term, *(one for one in others if searcher.doc_freq("words", one))]

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        """Yield tantivy's writer, which is not used again after an error."""
        with failures(self.path, "written"):
            if self._writer is None:
                self._writer = self._index.writer(HEAP_BYTES, THREADS)
            try:
                yield self._writer
            except BaseException:
                self._writer = None
                raise

    def _searcher(self) -> Any:
        self.refresh()
        return self._index.searcher()

    def _must(self, filters: Filters) -> list[tuple[Any, Any]]:
        """Return conditions that do not change scores."""
        tantivy = require("tantivy", extra="literature")

        schema, make, must = self._index.schema, tantivy.Query, tantivy.Occur.Must
        found = []
        if filters.year_from is not None or filters.year_to is not None:
            found.append(
                make.range_query(schema, "year", tantivy.FieldType.Integer, filters.year_from, filters.year_to)
            )
        if filters.publication_types:
            found.append(make.term_set_query(schema, "types", _folded(filters.publication_types)))
        if filters.mesh:
            found.append(make.term_set_query(schema, "mesh", _folded(filters.mesh)))
        if filters.exclude_retracted:
            found.append(make.term_query(schema, "retracted", False))
        return [(must, make.const_score_query(query, 0.0)) for query in found]

    def _rows(self, query: Any, limit: int) -> list[tuple[int, float]]:
        searcher = self._searcher()
        hits = searcher.search(query, limit, count=False).hits
        rows = searcher.fast_field_values("row", [address for _, address in hits])
        return [(int(row), float(score)) for row, (score, _) in zip(rows, hits, strict=True)]


@contextmanager
def failures(path: Path, verb: str) -> Iterator[None]:
    """Convert failures of the index to StoreError; `verb` says what could not be done."""
    try:
        yield
    except BaseException as error:
        # Tantivy raises ValueError for most; a damaged file may cause a panic, which is not an Exception.
        if not isinstance(error, ValueError | OSError) and type(error).__name__ != "PanicException":
            raise
        raise StoreError(
            f"the lexical index {str(path)!r} cannot be {verb}: {(str(error) or repr(error)).splitlines()[0]}.",
            remedy="Check the disk and the permissions of the folder; if they are fine, "
            "`attend literature index PATH` rebuilds the index.",
        ) from error


def _schema() -> Any:
    tantivy = require("tantivy", extra="literature")

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", indexed=True, fast=True)
    builder.add_text_field("words", tokenizer_name="whitespace", index_option="freq")
    builder.add_integer_field("year", indexed=True, fast=True)
    builder.add_boolean_field("retracted", indexed=True)
    builder.add_text_field("mesh", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("types", tokenizer_name="raw", index_option="basic")
    return builder.build()


def _folded(values: Sequence[str]) -> list[str]:
    return [value.casefold() for value in values]
