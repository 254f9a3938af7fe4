"""Answers and refusals without a model, and the questions that the embedded model sends to the literature.

    python -m evals.bench.literature_answers --pubmedqa DIR --fairytaleqa DIR [--folder DIR] [--json FILE]

Asks each of PubMedQA's 1,000 questions twice: with all abstracts, and without its own, when it should be refused,
though another abstract may well answer it. Questions about stories (FairytaleQA) should always be refused. The
thresholds were chosen on every second question, from the first on; quote the figures of the others. Few people ask in
the words of papers, so questions in everyday words (`literature_set/natural.txt`) are asked likewise: an abstract
answers half of them, none the other half. Also counts whether the first quoted sentence is from the question's own
abstract, whether the rule of stances is right on conclusions (the long answers) where it says yes or no, the verdicts
on claims that quote a conclusion and repeat it, or that of another paper, and how many questions the rule for clinical
ones accepts. Does not measure whether a quoted sentence answers the question, which needs a person.

Intervals (95%) are those of `evals.stats.means.rate`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from agent.literature.embedders import embedder
from agent.models.embedded.rules.route_literature import is_clinical, is_worth_a_search
from evals.bench.literature_relevance import FILE, abstracts
from evals.stats.means import Outcome, rate
from evals.suites.na_vqa.fairytale import load
from tools.literature.index.corpus import Corpus, open_corpus
from tools.literature.index.ingest import index_path
from tools.literature.index.vectors import Embed
from tools.literature.retrieval.relevance import POOL
from tools.literature.retrieval.retrieve import retrieve
from tools.literature.support.answer import StatedCitation, StatedClaim, check_claims, quote_evidence
from tools.literature.support.quote_match import LEAST_WORDS, sentences
from tools.literature.support.stance import stance
from tools.literature.types import Document, Filters, Found, Section

NATURAL = Path(__file__).parent / "literature_set" / "natural.txt"
STORIES = 400
"""Questions about stories asked of the literature; the rule for clinical questions gets all of them."""
SEED = 0
MOST_CHARS = 1_000
"""Statuses of a claim, as in `StatedClaim`."""


class Lacking:
    """A corpus without one document."""

    name, remote = "local", False

    def __init__(self, corpus: Corpus, lacks: str) -> None:
        self._corpus, self._lacks = corpus, lacks

    def search(self, query: str, limit: int, filters: Filters) -> Found:
        return self._without(self._corpus.search(query, limit + 1, filters), limit)

    def near(self, vector: np.ndarray, limit: int, filters: Filters) -> Found:
        return self._without(self._corpus.near(vector, limit + 1, filters), limit)

    def fetch(self, ids: Sequence[str]) -> Found:
        return self._corpus.fetch([id_ for id_ in ids if id_ != self._lacks])

    def _without(self, found: Found, limit: int) -> Found:
        return found.model_copy(update={"hits": tuple(h for h in found.hits if h.document.id != self._lacks)[:limit]})


def answers(entries: dict[str, Any], off_topic: Sequence[str], corpus: Corpus, embed: Embed | None) -> dict[str, Any]:
    """Ask all questions, and count answers and refusals."""

    asked = {
        key: (
            first_cited(entry["QUESTION"], corpus, embed),
            first_cited(entry["QUESTION"], corpus, embed, f"pmid:{key}"),
        )
        for key, entry in entries.items()
    }
    stories = [first_cited(question, corpus, embed) for question in off_topic]
    keys = list(asked)
    told: dict[str, Any] = {}
    for half, part, other in (("chosen on", keys[::2], stories[::2]), ("held out", keys[1::2], stories[1::2])):
        answered = [key for key in part if asked[key][0]]
        told[half] = {
            "answered, own abstract there": _rate([bool(asked[key][0]) for key in part]),
            "first quote is of the own abstract": _rate([asked[key][0] == f"pmid:{key}" for key in answered]),
            "refused, own abstract taken out": _rate([not asked[key][1] for key in part]),
            "refused, about a story": _rate([not one for one in other]),
        }
    return told


def natural(corpus: Corpus, embed: Embed | None) -> dict[str, Any]:
    """Ask the questions in everyday words, and count answers and refusals."""
    lines = [line.split(" : ") for line in NATURAL.read_text("utf-8").splitlines() if not line.startswith("#")]
    told: dict[str, Any] = {}
    for half, part in (("chosen on", lines[::2]), ("held out", lines[1::2])):
        own = [(pmid, text) for pmid, text in part if pmid != "-"]
        cited = [(first_cited(text, corpus, embed), f"pmid:{pmid}") for pmid, text in own]
        told[half] = {
            "answered, own abstract there": _rate([bool(first) for first, _ in cited]),
            "first quote is of the own abstract": _rate([first == pmid for first, pmid in cited if first]),
            "refused, own abstract taken out": _rate(
                [not first_cited(text, corpus, embed, f"pmid:{pmid}") for pmid, text in own]
            ),
            "refused, no abstract answers it": _rate(
                [not first_cited(text, corpus, embed) for pmid, text in part if pmid == "-"]
            ),
        }
    return told


def first_cited(question: str, corpus: Corpus, embed: Embed | None, lacks: str = "") -> str:
    """Return the document of the first quoted sentence; empty if the question is refused."""
    given = quote_evidence(question, retrieve(question, [Lacking(corpus, lacks)], limit=POOL, embed=embed))
    return given.claims[0].citations[0].document_id if given.claims else ""


def claims(entries: dict[str, Any]) -> dict[str, Any]:
    """Check claims that quote the first sentence of a conclusion: the same one, and that of the next paper."""
    first = {key: _first_sentence(entry["LONG_ANSWER"]) for key, entry in entries.items()}
    keys = [key for key, text in first.items() if len(text.split()) >= LEAST_WORDS and len(text) <= MOST_CHARS]
    found: dict[str, list[str]] = {"the conclusion itself": [], "another paper's conclusion": []}
    for key, other in zip(keys, [*keys[1:], keys[0]], strict=True):
        title, label = entries[key]["QUESTION"], "CONCLUSIONS"
        paper = Document(id=key, title=title, sections=(Section(label=label, text=entries[key]["LONG_ANSWER"]),))
        for name, text in zip(found, (first[key], first[other]), strict=True):
            stated = StatedClaim(text=text, citations=(StatedCitation(id=key, quote=first[key]),))
            kept, _ = check_claims(title, [stated], [paper])
            found[name].append("dropped" if not kept else "marked" if kept[0].cautions else "kept")
    return {
        name: {fate: _rate([one == fate for one in fates]) for fate in ("kept", "marked", "dropped")}
        for name, fates in found.items()
    }


def _first_sentence(text: str) -> str:
    start, end = sentences(text)[0]
    return text[start:end]


def stances(entries: dict[str, Any]) -> dict[str, Any]:
    """Compare the rule of stances with the labels of PubMedQA's annotators."""
    told = {}
    for half, keys in (("chosen on", list(entries)[::2]), ("held out", list(entries)[1::2])):
        pairs = []
        for key in keys:
            conclusion = entries[key]["LONG_ANSWER"]
            pairs.append((stance(_first_sentence(conclusion)), entries[key]["final_decision"]))
        spoken = [pair for pair in pairs if pair[0] != "unclear"]
        told[half] = {
            "says yes or no": _rate([says != "unclear" for says, _ in pairs]),
            "is right then": _rate([says == decided for says, decided in spoken]),
        }
    return told


def taken(of_papers: Sequence[str], on_stories: Sequence[str]) -> dict[str, Any]:
    """Count the questions that the embedded model sends to the literature, and those that it only tries there, ignoring
    an empty result. The rule for the latter was made with all questions in view."""
    return {
        "questions of papers, chosen on": _rate([is_clinical(question) for question in of_papers[::2]]),
        "questions of papers, held out": _rate([is_clinical(question) for question in of_papers[1::2]]),
        "questions on stories": _rate([is_clinical(question) for question in on_stories]),
        "questions of papers, only tried": _rate([_is_tried(question) for question in of_papers]),
        "questions on stories, only tried": _rate([_is_tried(question) for question in on_stories]),
    }


def _is_tried(question: str) -> bool:
    return is_worth_a_search(question) and not is_clinical(question)


def _rate(right: Sequence[bool]) -> dict[str, Any]:
    found = rate([Outcome(str(number), "", "", one) for number, one in enumerate(right)])
    return {name: value if value is None else round(value, 3) for name, value in found.model_dump().items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, and print one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench.literature_answers")
    parser.add_argument("--pubmedqa", type=Path, required=True, help="a folder with ori_pqal.json")
    parser.add_argument("--fairytaleqa", type=Path, required=True, help="the folder of FairytaleQA")
    parser.add_argument("--folder", type=Path, help="folder of the index, made once")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    options = parser.parse_args(arguments)
    entries = json.loads((options.pubmedqa / FILE).read_text("utf-8"))
    on_stories = [question.text for question in load(options.fairytaleqa)[1]]
    chosen = np.random.default_rng(SEED).choice(len(on_stories), STORIES, replace=False)
    off_topic = [on_stories[number] for number in chosen]
    made = embedder("minilm")
    place: Callable[[], AbstractContextManager[Any]] = (
        tempfile.TemporaryDirectory if options.folder is None else lambda: nullcontext(options.folder)
    )
    started = time.monotonic()
    with place() as folder:
        held = Path(folder) / "corpus"
        with open_corpus(held, writer=True) as corpus:
            index_path(corpus, abstracts(options.pubmedqa, Path(folder)), embed=made.documents, model=made.name)
        with open_corpus(held) as corpus:
            told: dict[str, Any] = {
                "words only": answers(entries, off_topic, corpus, None),
                "words and meaning": answers(entries, off_topic, corpus, made.questions),
                "words of every day": natural(corpus, made.questions),
            }
    told["stances"] = stances(entries)
    told["claims that quote a conclusion"] = claims(entries)
    told["taken to the papers"] = taken([entry["QUESTION"] for entry in entries.values()], on_stories)
    told["seconds"] = round(time.monotonic() - started, 1)
    text = json.dumps(told, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
