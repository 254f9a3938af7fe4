"""Retrieval quality of the local literature: PubMedQA's questions, original and reworded, over its 1,000 abstracts.

Known-item figures are by words alone. Those of the plain rule are compared with a reference, BM25 with Lucene's idf, k1
1.5 and b 0.75, with tokens of the plain rule, over the abstracts without their conclusions: R@1 .949, R@5 .983, R@10
.985, MRR@10 .964; and over the long answers R@1 .780, R@10 .910. They say little about searching: most questions are
the titles of their papers.

`evals.bench.literature_questions` rewords the questions. Of all retrieval settings, only the weight of meaning against
words may be tuned, on every second question; figures are those of the others. Intervals (95%) come from resampling
questions, in pairs where two methods are compared.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evals.bench.literature_questions import Reworded, reword
from evals.stats.means import score_interval
from evals.stats.paired import paired_difference
from tools.literature.index.corpus import Corpus, open_corpus
from tools.literature.index.ingest import index_path

FILE = "ori_pqal.json"
LIMIT = 10
REFERENCE = {
    "abstract": {"R@1": 0.949, "R@5": 0.983, "R@10": 0.985, "MRR@10": 0.964},
    "long answer": {"R@1": 0.780, "R@10": 0.910},
}
WITHIN = 0.005
"""Tolerance of the reproduced reference figures."""


def abstracts(data: Path, folder: Path) -> Path:
    """Write PubMedQA's abstracts as documents without the question and the conclusion, which the question itself would
    match, and return the file."""
    entries = json.loads((data / FILE).read_text("utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    with (made := folder / "abstracts.jsonl").open("w", encoding="utf-8") as file:
        for pmid, entry in entries.items():
            labels = entry.get("LABELS") or [""] * len(entry["CONTEXTS"])
            parts = [
                {"label": label, "text": text}
                for label, text in zip(labels, entry["CONTEXTS"], strict=True)
                if text.strip()
            ]
            told = {"mesh": entry.get("MESHES") or [], "published": str(entry.get("YEAR") or "")}
            file.write(json.dumps({"pmid": pmid, "sections": parts, **told}) + "\n")
    return made


def known_item(data: Path, _: Path) -> dict[str, Any]:
    """Ask each question for its own abstract, and for its own long answer."""
    entries = json.loads((data / FILE).read_text("utf-8"))
    questions = {pmid: entry["QUESTION"] for pmid, entry in entries.items()}
    texts = {
        "abstract": {pmid: "\n".join(entry["CONTEXTS"]) for pmid, entry in entries.items()},
        "long answer": {pmid: entry["LONG_ANSWER"] for pmid, entry in entries.items()},
    }
    found: dict[str, Any] = {"questions": len(questions), "reference": REFERENCE}
    for rule in ("plain", "clinical"):
        found[rule] = {}
        for name, documents in texts.items():
            with tempfile.TemporaryDirectory() as folder:
                corpus = _corpus(Path(folder), documents, rule)
                found[rule][name] = _figures(_ranks(partial(_words, corpus), questions.items()))
                corpus.close()
    found["within"] = all(
        abs(found["plain"][name][figure] - value) <= WITHIN
        for name, figures in REFERENCE.items()
        for figure, value in figures.items()
    )
    return found


def paraphrase(data: Path, cache: Path) -> dict[str, Any]:
    """Ask reworded questions by words, by meaning, and by both; the index stays in the cache."""
    from agent.perception.annotator import embed_texts
    from tools.literature.retrieval.retrieve import retrieve

    entries = json.loads((data / FILE).read_text("utf-8"))
    asked = {pmid: (entry["QUESTION"], "\n".join(entry["CONTEXTS"])) for pmid, entry in entries.items()}
    paraphrased, poor = reword(asked)
    sets = {
        "as they are": [Reworded(pmid, question, (), ()) for pmid, (question, _) in asked.items()],
        "paraphrased": paraphrased,
        "poor in keywords": poor,
    }
    found: dict[str, Any] = {}
    with open_corpus(cache / "pubmedqa abstracts" / "corpus", writer=True) as corpus:
        index_path(corpus, abstracts(data, cache / "pubmedqa abstracts"), embed=embed_texts, model="minilm")
        for name, questions in sets.items():
            vectors = _vectors(embed_texts, questions)

            def embed(texts: list[str], vectors: Mapping[str, np.ndarray] = vectors) -> np.ndarray:
                return np.stack([vectors[text] for text in texts])

            def both(text: str, expand: bool, embed: Callable[[list[str]], np.ndarray] = embed) -> list[str]:
                hits = retrieve(text, [corpus], limit=LIMIT, embed=embed, expand=expand).hits
                return [hit.document.pmid for hit in hits]

            def near(text: str, vectors: Mapping[str, np.ndarray] = vectors) -> list[str]:
                return [hit.document.pmid for hit in corpus.near(vectors[text], LIMIT).hits]

            ways: dict[str, Callable[[str], list[str]]] = {
                "words": partial(_words, corpus),
                "meaning": near,
                "both": partial(both, expand=False),
                "both, with synonyms": partial(both, expand=True),
            }
            told = [question for number, question in enumerate(questions) if number % 2]  # the others are for tuning
            ranks = {way: _ranks(search, [(one.pmid, one.text) for one in told]) for way, search in ways.items()}
            found[name] = {
                "questions": len(told),
                "overlap": _overlap(told),
                "examples": [one.text for one in told[:3]] if told[0].content else [],
                "ways": {way: _figures(ranked, intervals=True) for way, ranked in ranks.items()},
                "against words": {
                    way: _gain(ranked, ranks["words"]) for way, ranked in ranks.items() if way != "words"
                },
            }
    found["both_beats_words"] = all(
        found[name]["against words"]["both"][figure]["low"] > 0
        for name in ("paraphrased", "poor in keywords")
        for figure in ("R@1", "MRR@10")
    )
    return found


def table(results: dict[str, Any]) -> str:
    """Format the results and requirements as text."""
    lines = [f"load {results['load']}"]
    if "plain" in results:
        for rule in ("plain", "clinical"):
            for name, figures in results[rule].items():
                told = "  ".join(f"{figure} {value:.3f}" for figure, value in figures.items())
                lines.append(f"{rule:<9} question to own {name:<12} {told}")
        lines.append(f"within {WITHIN} of the reference: {results['within']}")
        return "\n".join(lines)
    for name, one in results.items():
        if not isinstance(one, dict):
            continue
        held = f"; of their content words the abstract holds {one['overlap']['share']:.1%}" if one["overlap"] else ""
        lines += ["", f"{name}: {one['questions']} questions{held}"]
        for way, figures in one["ways"].items():
            told = "  ".join(f"{figure} {_shown(value)}" for figure, value in figures.items())
            gain = one["against words"].get(way)
            more = "  ".join(f"{figure} {_shown(value, '+')}" for figure, value in gain.items()) if gain else ""
            lines.append(f"  {way:<20} {told}" + (f"   to words: {more}" if more else ""))
    lines.append(f"both beat words, at R@1 and MRR@10, on both kinds: {results['both_beats_words']}")
    return "\n".join(lines)


def _shown(value: dict[str, Any], sign: str = "") -> str:
    if value["low"] is None:  # a few scores that are not 0 or 1 have no interval
        return f"{value['value']:{sign}.3f}"
    return f"{value['value']:{sign}.3f} ({value['low']:{sign}.3f} to {value['high']:{sign}.3f})"


def _corpus(folder: Path, documents: Mapping[str, str], rule: str) -> Corpus:
    file = folder / "documents.jsonl"
    file.write_text("".join(json.dumps({"pmid": pmid, "text": text}) + "\n" for pmid, text in documents.items()))
    corpus = open_corpus(folder / "corpus", writer=True, rule=rule)
    index_path(corpus, file)
    return corpus


def _words(corpus: Corpus, text: str) -> list[str]:
    return [hit.document.pmid for hit in corpus.search(text, LIMIT).hits]


def _vectors(embed: Callable[[list[str]], np.ndarray], questions: Sequence[Reworded]) -> dict[str, np.ndarray]:
    texts = [question.text for question in questions]
    vectors = np.concatenate([embed(texts[start : start + 64]) for start in range(0, len(texts), 64)])
    return dict(zip(texts, vectors, strict=True))


def _ranks(search: Callable[[str], list[str]], asked: Any) -> np.ndarray:
    """Return the rank, from 1, at which each question finds its own document; 0 if it does not."""
    found = []
    for pmid, text in asked:
        ids = search(text)
        found.append(ids.index(pmid) + 1 if pmid in ids else 0)
    return np.array(found)


def _scores(ranks: np.ndarray) -> dict[str, np.ndarray]:
    """Return the contribution of each question to each figure."""
    at = {f"R@{k}": ((ranks > 0) & (ranks <= k)).astype(float) for k in (1, 5, 10)}
    return at | {"MRR@10": np.divide(1.0, ranks, out=np.zeros(len(ranks)), where=ranks > 0)}


def _figures(ranks: np.ndarray, intervals: bool = False) -> dict[str, Any]:
    if intervals:
        return {figure: _interval(scores) for figure, scores in _scores(ranks).items()}
    return {figure: float(scores.mean()) for figure, scores in _scores(ranks).items()}


def _gain(ranks: np.ndarray, base: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the gain of one method over another, with the interval of paired differences."""
    gains = {}
    for figure in ("R@1", "MRR@10"):
        ours, theirs = (dict(enumerate(_scores(one)[figure].tolist())) for one in (ranks, base))
        found = paired_difference(ours, theirs, {number: number for number in ours})
        gains[figure] = {"value": found.mean, "low": found.low, "high": found.high}
    return gains


def _interval(scores: np.ndarray) -> dict[str, Any]:
    return score_interval(scores.tolist(), range(len(scores))).model_dump(exclude={"n"})


def _overlap(questions: Sequence[Reworded]) -> dict[str, float]:
    """Return the remaining overlap with the abstracts: share of all content words, maximum of one question, and number
    without any."""
    content = sum(len(one.content) for one in questions)
    if not content:
        return {}
    return {
        "share": sum(len(one.shared) for one in questions) / content,
        "most": max(len(one.shared) / len(one.content) for one in questions),
        "with_none": sum(not one.shared for one in questions),
    }
