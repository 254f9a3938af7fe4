"""Scaling of a local corpus to a million documents, file by file: cost of indexing, size, and latency.

Synthetic documents come in files of 50,000. After each file, records its cost of indexing, and asks questions in a
process that only reads. `latency` is a complete search on 100,000 documents with vectors: by words and by meaning, with
the question embedded by the bundled encoder, fused, and documents returned. Document vectors are random there, since
embedding as many takes an hour, and the cost of a comparison does not depend on them.
"""

from __future__ import annotations

import multiprocessing
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from evals.bench import literature_made as made
from evals.bench.literature_timing import most_mb, percentiles

DOCUMENTS, WARM_DOCUMENTS = 1_000_000, 100_000
QUESTIONS, LIMIT = 200, 10
AMONG = 10_000
"""Questions are about the first ten thousand documents, which are in the first file."""
DIM = 384
MOST_GB = 8.0
"""Memory that must suffice for a million documents, and"""
ANSWER_MS = 100.0
"""limit of a warm search, at the 95th percentile."""


def run(cache: Path, documents: int) -> dict[str, Any]:
    """Index file by file, and search after each."""
    folder, place = made.write(cache, documents), cache / f"corpus of {documents}"
    shutil.rmtree(place, ignore_errors=True)
    context = multiprocessing.get_context("spawn")
    among = min(documents, AMONG)
    questions = made.questions(min(QUESTIONS, among), among)
    steps: list[dict[str, Any]] = []
    files = sorted(folder.glob("*.jsonl"))
    with ProcessPoolExecutor(1, context) as writer:
        for number, file in enumerate(files, start=1):
            step = writer.submit(_index, place, file).result()
            step["documents"] = min(number * made.A_FILE, documents)
            with ProcessPoolExecutor(1, context) as reader:  # a new process each time, as a user starts it
                step |= reader.submit(_ask, place, questions).result()
            step["disk_mb"] = sum(one.stat().st_size for one in place.rglob("*") if one.is_file()) / 1e6
            steps.append(step)
            print(step, file=sys.stderr, flush=True)
        again = writer.submit(_index, place, folder).result()
    return {
        "documents": documents,
        "steps": steps,
        "index_s": sum(step["index_s"] for step in steps),
        "documents_a_s": documents / sum(step["index_s"] for step in steps),
        "writer_most_gb": max(step["writer_mb"] for step in steps) / 1e3,
        "reader_most_gb": max(step["reader_mb"] for step in steps) / 1e3,
        "unchanged_s": again["index_s"],
        "within_8_gb": max(step["writer_mb"] + step["reader_mb"] for step in steps) / 1e3 <= MOST_GB,
    }


def latency(cache: Path, documents: int) -> dict[str, Any]:
    """Search by words and by meaning, end to end."""
    folder, place = made.write(cache, documents), cache / f"corpus of {documents} with vectors"
    context = multiprocessing.get_context("spawn")
    if not (place / ".done").exists():
        shutil.rmtree(place, ignore_errors=True)
        with ProcessPoolExecutor(1, context) as writer:
            writer.submit(_index, place, folder, True).result()
        (place / ".done").touch()
    among = min(documents, AMONG)
    questions = made.questions(min(QUESTIONS, among), among)
    with ProcessPoolExecutor(1, context) as reader:
        found = reader.submit(_whole, place, questions).result()
    return {"documents": documents, "questions": len(questions), **found,
            "below_100_ms": found["whole"]["p95_ms"] < ANSWER_MS}  # fmt: skip


def random_vectors(texts: list[str]) -> np.ndarray:
    """Return random unit vectors (N, 384), float32, derived from the texts' lengths."""
    vectors = np.random.default_rng([len(text) for text in texts]).normal(size=(len(texts), DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _index(place: Path, path: Path, vectors: bool = False) -> dict[str, float]:
    from tools.literature.index.corpus import open_corpus
    from tools.literature.index.ingest import index_path

    began, cpu = time.perf_counter(), time.process_time()
    with open_corpus(place, writer=True) as corpus:
        index_path(corpus, path, embed=random_vectors if vectors else None)
    return {
        "index_s": time.perf_counter() - began,
        "index_cpu_s": time.process_time() - cpu,
        "writer_mb": most_mb(),
    }


def _ask(place: Path, questions: list[tuple[str, str]]) -> dict[str, float]:
    from tools.literature.index.corpus import open_corpus

    began = time.perf_counter()
    with open_corpus(place) as corpus:
        corpus.search(questions[0][0], LIMIT)
        first = 1_000 * (time.perf_counter() - began)
        right = sum([hit.document.pmid for hit in corpus.search(text, 1).hits] == [pmid] for text, pmid in questions)
        times = percentiles(lambda text: corpus.search(text, LIMIT), [text for text, _ in questions])
    return {
        "first_ms": first,
        **times,
        "right_first": right / len(questions),
        "reader_mb": most_mb(),
    }


def _whole(place: Path, questions: list[tuple[str, str]]) -> dict[str, Any]:
    from agent.perception.annotator import embed_texts
    from tools.literature.index.corpus import open_corpus
    from tools.literature.retrieval.retrieve import retrieve
    from tools.literature.types import Filters

    filters = Filters(year_from=1990, mesh=("Heading 7", "Heading 8"), exclude_retracted=True)
    embed_texts(["a question"])
    began = time.perf_counter()
    with open_corpus(place) as corpus:
        ways = {
            "words": lambda text: corpus.search(text, LIMIT),
            "words, filtered": lambda text: corpus.search(text, LIMIT, filters),
            "meaning": lambda text: corpus.near(random_vectors([text])[0], LIMIT),
            "meaning, filtered": lambda text: corpus.near(random_vectors([text])[0], LIMIT, filters),
            "the encoder": lambda text: embed_texts([text]),
            "whole": lambda text: retrieve(text, [corpus], limit=LIMIT, embed=embed_texts),
        }
        ways["whole"](questions[0][0])
        found: dict[str, Any] = {"first_ms": 1_000 * (time.perf_counter() - began)}
        for name, way in ways.items():
            found[name] = percentiles(way, [text for text, _ in questions])
    found["most_mb"] = most_mb()
    return found


def table(results: dict[str, Any]) -> str:
    """Format the results and requirements as text."""
    lines = [f"{results['documents']:,} documents, load {results['load']}"]
    if "steps" not in results:
        lines += [
            f"{name:<20}p50 {one['p50_ms']:7.2f} ms   p95 {one['p95_ms']:7.2f} ms   of the processor "
            f"{one['cpu_p50_ms']:7.2f} and {one['cpu_p95_ms']:7.2f}"
            for name, one in results.items()
            if isinstance(one, dict)
        ]
        lines.append(f"below {ANSWER_MS:.0f} ms at the 95th percentile: {results['below_100_ms']}")
        return "\n".join(lines)
    lines.append(f"{'documents':>10}{'index s':>9}{'cpu s':>8}{'writer MB':>11}{'reader MB':>11}{'disk MB':>9}"
                 f"{'first ms':>10}{'p50 ms':>8}{'p95 ms':>8}{'cpu p95':>9}{'right':>7}")  # fmt: skip
    for step in results["steps"]:
        lines.append(
            f"{step['documents']:>10,}{step['index_s']:>9.1f}{step['index_cpu_s']:>8.1f}{step['writer_mb']:>11,.0f}"
            f"{step['reader_mb']:>11,.0f}{step['disk_mb']:>9,.0f}{step['first_ms']:>10.0f}{step['p50_ms']:>8.2f}"
            f"{step['p95_ms']:>8.2f}{step['cpu_p95_ms']:>9.2f}{step['right_first']:>7.3f}"
        )
    lines.append(
        f"in all {results['index_s']:,.0f} s, {results['documents_a_s']:,.0f} documents a second; again, with nothing "
        f"changed, {results['unchanged_s']:.1f} s; within {MOST_GB:.0f} GB: {results['within_8_gb']}"
    )
    return "\n".join(lines)


def plot(results: dict[str, Any], path: Path) -> None:
    """Draw the curves: time and memory of indexing, and latency, over the number of documents."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    steps = results["steps"]
    at = [step["documents"] / 1e3 for step in steps]
    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
    left.plot(at, np.cumsum([step["index_s"] for step in steps]) / 60, marker=".")
    left.set(title="Indexing", xlabel="documents (thousands)", ylabel="minutes, in all", ylim=(0, None))
    middle.plot(at, [step["writer_mb"] / 1e3 for step in steps], marker=".", label="process that writes")
    middle.plot(at, [step["reader_mb"] / 1e3 for step in steps], marker=".", label="process that searches")
    middle.plot(at, [step["disk_mb"] / 1e3 for step in steps], marker=".", label="on disk")
    middle.axhline(MOST_GB, color="grey", linestyle=":", label="allowed memory")
    middle.set(title="Memory and disk", xlabel="documents (thousands)", ylabel="GB", yscale="log", ylim=(0.02, 20))
    middle.legend(frameon=False, fontsize="small", loc="lower right")
    right.plot(at, [step["p95_ms"] for step in steps], marker=".", label="95th percentile")
    right.plot(at, [step["p50_ms"] for step in steps], marker=".", label="median")
    right.plot(at, [step["cpu_p95_ms"] for step in steps], marker=".", label="95th percentile, of the processor")
    right.set(
        title="Search by words",
        xlabel="documents (thousands)",
        ylabel="ms",
        ylim=(0, 1.4 * max(step["p95_ms"] for step in steps)),
    )
    right.legend(frameon=False, fontsize="small", loc="upper left")
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)
