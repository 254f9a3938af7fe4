"""Benchmarks of the local literature: engine, scale, and retrieval quality.

    python -m evals.bench.literature PART [--json FILE] [--data FOLDER] [--documents N] [--cache FOLDER]

    engines      our BM25, bm25s, rank-bm25 and tantivy alone, on 100,000 synthetic documents
    scale        1,000,000 synthetic documents: cost of indexing and searching as they are added (also a plot)
    latency      a whole search, by words and by meaning, on 100,000 synthetic documents
    known-item   PubMedQA's questions against their own abstracts
    paraphrase   the same questions in other words, by words, by meaning, and by both

Each part adds its results to the JSON file and keeps the others. The first three need no data; the others need
PubMedQA's `ori_pqal.json` (MIT licence) in the folder of `--data`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

from evals.bench import literature_engines, literature_relevance, literature_scale

PARTS = ("engines", "scale", "latency", "known-item", "paraphrase")


def main() -> None:
    """Run one part of the benchmark and print its table; exits with 0 whatever the results are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--json", type=Path, help="file of results, to which this part adds its own")
    parser.add_argument("--data", type=Path, help="the folder with ori_pqal.json")
    parser.add_argument("--documents", type=int, help="number of synthetic documents, instead of the default")
    parser.add_argument("--cache", type=Path, help="folder for synthetic documents and indexes, built once")
    arguments = parser.parse_args()
    if arguments.part in ("known-item", "paraphrase") and not (
        arguments.data and (arguments.data / literature_relevance.FILE).exists()
    ):
        parser.error(f"{arguments.part} needs --data with PubMedQA's {literature_relevance.FILE} in it.")
    with tempfile.TemporaryDirectory() as temporary:
        cache = arguments.cache or Path(temporary)
        results = run(arguments.part, arguments.data, arguments.documents, cache)
    print(_table(arguments.part, results))
    if arguments.json:
        _merge(arguments.json, arguments.part, results)
        if arguments.part == "scale":
            literature_scale.plot(results, arguments.json.with_suffix(".png"))


def run(part: str, data: Path | None, documents: int | None, cache: Path) -> dict[str, Any]:
    """Run one part, and return its results as plain data."""
    load = os.getloadavg()[0]
    cache.mkdir(parents=True, exist_ok=True)
    if part == "engines":
        results = literature_engines.run(cache, documents or literature_engines.DOCUMENTS)
    elif part == "scale":
        results = literature_scale.run(cache, documents or literature_scale.DOCUMENTS)
    elif part == "latency":
        results = literature_scale.latency(cache, documents or literature_scale.WARM_DOCUMENTS)
    else:
        assert data is not None
        measure = literature_relevance.known_item if part == "known-item" else literature_relevance.paraphrase
        results = measure(data, cache)
    return {"load": round(load, 2), "cores": os.cpu_count(), "python": platform.python_version(), **results}


def _table(part: str, results: dict[str, Any]) -> str:
    if part == "engines":
        return literature_engines.table(results)
    if part in ("scale", "latency"):
        return literature_scale.table(results)
    return literature_relevance.table(results)


def _merge(path: Path, part: str, results: dict[str, Any]) -> None:
    """Add results to a file, replacing it atomically."""
    held = json.loads(path.read_text("utf-8")) if path.exists() else {}
    held[part] = results
    made = path.with_suffix(".part")
    made.write_text(json.dumps({name: held[name] for name in PARTS if name in held}, indent=1) + "\n", "utf-8")
    made.replace(path)
    print(f"added to {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
