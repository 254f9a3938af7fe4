"""BM25 of several libraries on the same documents and questions, each in its own process.

A document is its title and text; a question has four words of a document's subject, and five common ones. Each library
is used as its documentation shows: it tokenises the texts itself if it can, otherwise gets our tokens by the plain
rule. Indexing time covers everything from reading the file to the first possible question. Memory is the peak of the
process, minus that of an empty one.

`ours` is a complete local corpus: documents are stored in SQLite, identified by hash, and returned with the hits.
`ours, words` is only its word index, which is comparable to the libraries: it returns row numbers.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from evals.bench import literature_made as made
from evals.bench.literature_timing import PASSES, most_mb, percentiles

DOCUMENTS, QUESTIONS, LIMIT = 100_000, 500, 10
SLOW_QUESTIONS = 25
"""Questions to rank-bm25, which takes seconds for each."""
Search = Callable[[str, int], Sequence[str]]


def run(cache: Path, documents: int) -> dict[str, Any]:
    """Measure each engine on the same synthetic documents."""
    folder = made.write(cache, documents)
    questions = made.questions(min(QUESTIONS, documents), documents)
    found: dict[str, Any] = {}
    for name in ENGINES:
        place = cache / f"engine {name.replace(',', '')}"
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, context) as process:
            found[name] = process.submit(_measure, name, folder, place, questions).result()
        print(f"{name}: {found[name]}", file=sys.stderr, flush=True)
    for key, better in (("documents_a_s", max), ("index_cpu_s", min), ("p50_ms", min), ("p95_ms", min),
                        ("cpu_p50_ms", min), ("cpu_p95_ms", min)):  # fmt: skip
        best = better(one[key] for name, one in found.items() if name not in OURS)
        for one in found.values():
            one[f"{key}_to_the_best"] = one[key] / best if better is min else best / one[key]
    libraries = {name: version(name) for name in ("tantivy", "bm25s", "rank-bm25")}
    return {"documents": documents, "questions": len(questions), "libraries": libraries, "engines": found}


def _measure(name: str, folder: Path, place: Path, questions: Sequence[tuple[str, str]]) -> dict[str, Any]:
    import shutil

    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for module in ("tantivy", "bm25s", "rank_bm25", "sqlite3", "pydantic"):
        __import__(module)
    empty, began, cpu = most_mb(), time.perf_counter(), time.process_time()
    search = ENGINES[name](folder, place)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    built = most_mb()
    asked = questions[:SLOW_QUESTIONS] if name == "rank-bm25" else questions
    right = sum(search(text, LIMIT)[:1] == [pmid] for text, pmid in asked)
    times = percentiles(
        lambda text: search(text, LIMIT), [text for text, _ in asked], passes=1 if name == "rank-bm25" else PASSES
    )
    documents = int(folder.name.split()[0])
    return {
        "index_s": seconds,
        "index_cpu_s": cpu,
        "documents_a_s": documents / seconds,
        **times,
        "most_mb": most_mb(),
        "grown_mb": built - empty,
        "disk_mb": sum(file.stat().st_size for file in place.rglob("*") if file.is_file()) / 1e6,
        "asked": len(asked),
        "right_first": right / len(asked),
    }


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.glob("*.jsonl")):
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                entry = json.loads(line)
                yield entry["pmid"], f"{entry['title']}\n{entry['text']}"


def _ours(folder: Path, place: Path) -> Search:
    from tools.literature.index.corpus import open_corpus
    from tools.literature.index.ingest import index_path

    with open_corpus(place, writer=True) as corpus:
        index_path(corpus, folder)
    reader = open_corpus(place)

    def search(text: str, limit: int) -> list[str]:
        return [hit.document.pmid for hit in reader.search(text, limit).hits]

    return search


def _ours_words(folder: Path, place: Path) -> Search:
    from tools.literature.index.lexical import Words
    from tools.literature.types import Document, Filters, Section

    words = Words(place, "clinical")
    words.make()
    for pmid, text in _texts(folder):
        words.add(int(pmid), Document(id=f"pmid:{pmid}", sections=(Section(text=text),)))
    words.commit()

    def search(text: str, limit: int) -> list[str]:
        return [str(row) for row, _ in words.search(text, limit, Filters())]

    return search


def _tantivy(folder: Path, place: Path) -> Search:
    """Follow its tutorial: a stored id, a text field with the default tokenizer, and its query parser."""
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw")
    builder.add_text_field("body")
    index = tantivy.Index(builder.build(), str(place))
    writer = index.writer(128_000_000, 1)
    for pmid, text in _texts(folder):
        writer.add_document(tantivy.Document(id=pmid, body=text))
    writer.commit()
    index.reload()

    def search(text: str, limit: int) -> list[str]:
        searcher = index.searcher()
        hits = searcher.search(index.parse_query(text, ["body"]), limit).hits
        return [searcher.doc(address)["id"][0] for _, address in hits]

    return search


def _bm25s(folder: Path, place: Path) -> Search:
    import bm25s

    ids, texts = zip(*_texts(folder), strict=True)
    index = bm25s.BM25()
    index.index(bm25s.tokenize(texts, stopwords=None, show_progress=False), show_progress=False)
    del texts
    index.save(str(place))

    def search(text: str, limit: int) -> list[str]:
        tokens = bm25s.tokenize(text, stopwords=None, show_progress=False)
        found, _ = index.retrieve(tokens, k=min(limit, len(ids)), show_progress=False)
        return [ids[number] for number in found[0]]

    return search


def _rank_bm25(folder: Path, place: Path) -> Search:
    from rank_bm25 import BM25Okapi

    from tools.literature.retrieval.tokens import plain_tokens

    ids, texts = zip(*_texts(folder), strict=True)
    index = BM25Okapi([plain_tokens(text) for text in texts])
    del texts

    def search(text: str, limit: int) -> list[str]:
        scores = index.get_scores(plain_tokens(text))
        return [ids[number] for number in np.argsort(-scores, kind="stable")[:limit]]

    return search


OURS = ("ours", "ours, words")
ENGINES: dict[str, Callable[[Path, Path], Search]] = {
    "ours": _ours,
    "ours, words": _ours_words,
    "tantivy": _tantivy,
    "bm25s": _bm25s,
    "rank-bm25": _rank_bm25,
}


def table(results: dict[str, Any]) -> str:
    """Format the results as text."""
    shown = {
        "documents_a_s": "docs/s", "index_cpu_s": "cpu s", "p50_ms": "p50 ms", "p95_ms": "p95 ms",
        "cpu_p50_ms": "cpu p50", "cpu_p95_ms": "cpu p95",
    }  # fmt: skip
    lines = [
        f"{results['documents']:,} documents, {results['questions']} questions, load {results['load']}; in brackets "
        "the ratio to the best library",
        f"{'':<13}" + "".join(f"{head:>16}" for head in shown.values()) + f"{'most MB':>9}{'disk MB':>9}{'first':>7}",
    ]
    for name, one in results["engines"].items():
        figures = "".join(f"{one[key]:>9,.{0 if one[key] > 100 else 2}f} ({one[f'{key}_to_the_best']:4.2f})"
                          for key in shown)  # fmt: skip
        lines.append(f"{name:<13}{figures}{one['most_mb']:>9,.0f}{one['disk_mb']:>9,.0f}{one['right_first']:>7.3f}")
    return "\n".join(lines)
