"""Retrieval quality of narrative memory against plain BM25: all evidence of questions about stories, by distance.

    python -m evals.bench.narrative --fairytaleqa DIR [--cache DIR] [--json FILE]

FairytaleQA stands in for films, whose questions (NA-VQA) are not public: a story's sections are scenes, and each
question names the sections of its evidence. Events and links come from rules, vectors from the bundled sentence
encoder; no language model takes part. Sections are ranked by their best event. The measure is whether all evidence of a
question is among the first five, by range, with 95% intervals over stories.

Also counts how many questions an answer without a model refuses: those about the story that it is asked of, which it
should not, and those about another, which it should.

A second table asks whether all evidence is in the result within the budget of events and tokens. Its rows build up,
from flat clips to the quota for stretches of time, and the contribution of each is its difference to the row above. The
upper bound is an oracle, which retrieves exactly the evidence; the lower bound is a shuffled memory, whose sections or
events have changed places, and which must do worse. Three rows need a language model and are absent: the question
alone, captions in a long context, and retrieval without its second round.

The baseline is plain BM25 (Lucene's idf, k1 1.5, b 0.75, words of two letters or more, no stemming) over the sections
of the story. Options are chosen by five-fold cross-validation over stories: those that do best on the other folds, from
the grid in `GRID`, by the mean of Medium and Far. Ablations keep our options, except for the removed part.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Protocol

import numpy as np

from agent.narrative.answer import answer_question
from agent.perception.annotator import embed_texts
from evals.stats.means import Outcome, Rate, rate
from evals.stats.paired import Difference, paired_difference
from evals.suites.na_vqa.fairytale import Question, Story, load
from evals.suites.na_vqa.ranges import RANGES, Range
from evals.suites.na_vqa.retrieval_rows import ABLATIONS, ablated, moved_times, told_spans
from evals.suites.na_vqa.scorer import Scored, Span, evidence_scores, leak_warnings
from memory.narrative.chains import build_chains
from memory.narrative.ingest.cues import Cue
from memory.narrative.ingest.extract_rules import count_heads, entities_of, extract, link
from memory.narrative.ingest.segments import tile
from memory.narrative.retrieval.retrieve import CHANNELS, Ranks, RetrieveOptions, gather, rank, score
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.store.transaction import Change
from memory.narrative.types import Chain, Event, Link

Options = dict[str, object]
FOLDS = 5
FIRST = 5
"""Number of top sections that must contain all evidence."""
EXPECTED: dict[Range, float] = {"Short": 0.864, "Medium": 0.475, "Far": 0.456}
"""Measured figures of plain BM25; a reproduction is within `NEAR` of them."""
NEAR = 0.005
WANTED: dict[Range, float] = {"Short": 0.0, "Medium": 0.10, "Far": 0.10}
"""Required margin of ours over plain BM25."""
GRID: list[Options] = [
    {"rrf_k": k, "decay": decay, "beside": beside}
    for k, decay, beside in product((1.0, 2.0, 3.0), (0.0, 0.3, 0.6), (0.0, 0.4, 0.8))
]
"""The grid of options."""
ASKED = 1_000
"""Number of questions drawn to count refusals."""
WITHOUT: dict[str, Options] = {
    "without words of events": {"channels": tuple(name for name in CHANNELS if name != "words")},
    "without meaning of events": {"channels": tuple(name for name in CHANNELS if name != "meaning")},
    "without words of segments": {"channels": tuple(name for name in CHANNELS if name != "segment words")},
    "without meaning of segments": {"channels": tuple(name for name in CHANNELS if name != "segment meaning")},
    "words only": {"channels": ("words", "segment words")},
    "meaning only": {"channels": ("meaning", "segment meaning")},
    "without links": {"decay": 0.0, "beside": 0.0},
    "without neighbours": {"beside": 0.0},
    "without links across time": {"decay": 0.0},
    "flat clips": ABLATIONS["flat clips"],
}
_WORD = re.compile(r"\b\w\w+\b")
_OF_DIFFERENCE = ("n", "mean", "low", "high")


def main() -> None:
    """Run the benchmark and print its tables; exits with 0 whatever the results are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fairytaleqa", type=Path, required=True, help="the folder of FairytaleQA")
    parser.add_argument("--stories", type=int, help="only so many stories, for a quick run")
    parser.add_argument("--cache", type=Path, help="a folder for the memory, built once")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    stories, questions = load(arguments.fairytaleqa)
    if arguments.stories:
        stories = stories[:: max(1, len(stories) // arguments.stories)][: arguments.stories]
        names = {story.name for story in stories}
        questions = [question for question in questions if question.story in names]
    with tempfile.TemporaryDirectory() as folder:
        results = run(stories, questions, arguments.cache or Path(folder))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def run(stories: Sequence[Story], questions: Sequence[Question], folder: Path) -> dict[str, object]:
    """Build, rank, choose, print, and return the results as plain data."""
    started = time.monotonic()
    with NarrativeStore(folder, embed_texts, writer=True) as store:
        for story in stories:
            build(store, story)
        store.index()
        counts = store.count()
        _say(f"{counts['event']} events, {counts['link']} links, {time.monotonic() - started:.0f} s")
        sections = {story.name: sections_of(store, story) for story in stories}
        options = RetrieveOptions()
        ranks = []
        for number, question in enumerate(questions):
            ranks.append(rank(store, question.story, [question.text], options))
            if number % 500 == 499:
                _say(f"{number + 1} questions, {time.monotonic() - started:.0f} s")
        refused = _refused(store, stories, questions)
        held = _Held(store)
    ask = _asker(held, questions, ranks, sections)
    folds = _folds(stories)
    ours, chosen = _cross_validated(ask, questions, folds)
    options_of = [chosen[folds[question.story]] for question in questions]
    first = {"plain BM25": _plain_bm25(stories, questions), "ours": ours}
    for name, change in WITHOUT.items():
        first[name] = [ask(number, options | change) for number, options in enumerate(options_of)]
    first["shuffled memory"] = _shuffled(ask, stories, questions, options_of)
    first["oracle"] = [len(question.evidence) <= FIRST for question in questions]
    told = {}
    for name in ABLATIONS:
        told[name] = [_is_told(held, *asked, name) for asked in zip(questions, ranks, options_of, strict=True)]
        _say(f"told: {name}, {time.monotonic() - started:.0f} s")
    told["shuffled memory"] = [
        _is_told(held, *asked, name, held.moved[asked[0].story])
        for asked in zip(questions, ranks, options_of, strict=True)
    ]
    return _report(first, told, questions) | {
        "refused": refused,
        "options": {str(fold): dict(options) for fold, options in chosen.items()},
        "counts": dict(counts) | {"chain": held.chain_count},
    }


def build(store: NarrativeStore, story: Story) -> None:
    """Add a story to the memory, by rules; skips an existing one."""
    if store.segments(story.name):
        return
    segments = tile([Cue(k, k + 1, text, clock="sections") for k, text in enumerate(story.sections)], source=story.name)
    events = extract(segments, count_heads(segments))
    store.commit(Change((*segments, *events, *entities_of(events), *link(events)), reason=f"built {story.name}"))


def sections_of(store: NarrativeStore, story: Story) -> dict[str, int]:
    """Return the position of the section of each event of a story."""
    number = {segment.id: segment.number for segment in store.segments(story.name)}
    return {event.id: number[event.segment_ids[0]] for event in store.events(story.name)}


def _refused(store: NarrativeStore, stories: Sequence[Story], questions: Sequence[Question]) -> dict[str, object]:
    """Count the questions that the memory refuses without a model: on their own story, and on another, drawn for
    each."""
    draw = np.random.default_rng(0)
    asked = [questions[n] for n in draw.choice(len(questions), min(ASKED, len(questions)), replace=False)]
    found: dict[str, Rate] = {}
    for where in ("its own story", "another story"):
        outcomes = []
        for question in asked:
            others = [story.name for story in stories if story.name != question.story]
            source = question.story if where == "its own story" else str(draw.choice(others))
            answer = answer_question(store, source, question.text, "sections")
            outcomes.append(Outcome(question.story, where, where, answer.abstained))
        found[where] = rate(outcomes)
        print(f"refused, of {len(asked)} questions, asked of {where}: {_share(found[where])}", flush=True)
    return {where: share.model_dump() for where, share in found.items()}


class _Held:
    """In-memory events, links and chains of a store, with the interface that `score` and `gather` use."""

    def __init__(self, store: NarrativeStore) -> None:
        self._events: dict[str, Event] = {}
        self._links: defaultdict[str, list[Link]] = defaultdict(list)
        self._chains: defaultdict[str, list[Chain]] = defaultdict(list)
        self.moved: dict[str, dict[str, Span]] = {}
        self.chain_count = 0
        for source in store.sources():
            events = {event.id: event for event in store.events(source)}
            links = store.links(list(events))
            chains = build_chains(events.values(), links)
            self._events |= events
            self.moved[source] = moved_times(list(events.values()))
            self.chain_count += len(chains)
            for link_ in links:
                self._links[link_.src].append(link_)
                self._links[link_.dst].append(link_)
            for chain in chains:
                for id_ in chain.event_ids:
                    self._chains[id_].append(chain)

    def links(self, event_ids: Sequence[str], as_of: int | None = None) -> list[Link]:
        return sorted({one.id: one for id_ in event_ids for one in self._links[id_]}.values(), key=lambda one: one.id)

    def events(self, source: str, *, ids: Sequence[str], as_of: int | None = None) -> list[Event]:
        return [self._events[id_] for id_ in ids]

    def chains(self, *, event_ids: Sequence[str], as_of: int | None = None) -> list[Chain]:
        return list({one.id: one for id_ in event_ids for one in self._chains[id_]}.values())


class Ask(Protocol):
    """Returns whether all evidence of a question, by its number, is found with some options, optionally with shuffled
    sections."""

    def __call__(self, number: int, options: Options, places: np.ndarray | None = None) -> bool: ...


def _asker(
    held: _Held, questions: Sequence[Question], ranks: Sequence[Ranks], sections: Mapping[str, Mapping[str, int]]
) -> Ask:
    def ask(number: int, options: Options, places: np.ndarray | None = None) -> bool:
        question = questions[number]
        scores, _ = score(held, ranks[number], RetrieveOptions.model_validate(options))  # type: ignore[arg-type]
        best: defaultdict[int, float] = defaultdict(float)
        for id_, value in scores.items():
            place = sections[question.story][id_]
            best[place] = max(best[place], value)
        first = sorted(best, key=lambda place: (-best[place], place))[:FIRST]
        return set(question.evidence) <= {place if places is None else int(places[place]) for place in first}

    return ask


def _shuffled(
    ask: Ask, stories: Sequence[Story], questions: Sequence[Question], options_of: Sequence[Options]
) -> list[bool]:
    """Return what is found when the sections of a story have changed places."""
    draw = np.random.default_rng(0)
    places = {story.name: draw.permutation(len(story.sections)) for story in stories}
    return [ask(number, options, places[questions[number].story]) for number, options in enumerate(options_of)]


def _is_told(
    held: _Held,
    question: Question,
    ranks: Ranks,
    options: Options,
    row: str,
    moved: Mapping[str, Span] | None = None,
) -> bool:
    """Return whether the result contains all evidence, with the options of a row of `ABLATIONS`; `moved` as in
    `told_spans`."""
    chosen = ablated(row, RetrieveOptions.model_validate(options))
    found = gather(held, question.story, ranks, chosen)  # type: ignore[arg-type]
    spans = told_spans(held, question.story, found, moved)  # type: ignore[arg-type]
    return evidence_scores([(place, place + 1) for place in question.evidence], spans)["all"] == 1


def _folds(stories: Sequence[Story]) -> dict[str, int]:
    order = np.random.default_rng(0).permutation(len(stories))
    return {stories[place].name: number % FOLDS for number, place in enumerate(order)}


def _cross_validated(
    ask: Ask, questions: Sequence[Question], folds: Mapping[str, int]
) -> tuple[list[bool], dict[int, Options]]:
    """Return what ours finds, each fold with the options that do best on the others; and these options."""
    wide = [number for number, question in enumerate(questions) if question.range != "Short"]
    found = {}
    for place, options in enumerate(GRID):
        found[place] = {number: ask(number, options) for number in wide}
        _say(f"{place + 1} of {len(GRID)} options")
    chosen: dict[int, Options] = {}
    for fold in range(FOLDS):

        def merit(place: int, fold: int = fold) -> float:
            shares = []
            for name in ("Medium", "Far"):
                right = [
                    found[place][number]
                    for number in wide
                    if questions[number].range == name and folds[questions[number].story] != fold
                ]
                shares.append(sum(right) / max(1, len(right)))
            return sum(shares) / len(shares)

        chosen[fold] = dict(GRID[max(range(len(GRID)), key=lambda place: (merit(place), -place))])
    return [ask(number, chosen[folds[question.story]]) for number, question in enumerate(questions)], chosen


def _plain_bm25(stories: Sequence[Story], questions: Sequence[Question]) -> list[bool]:
    texts = {story.name: [Counter(_WORD.findall(text.lower())) for text in story.sections] for story in stories}
    found = []
    for question in questions:
        scores = plain_bm25(texts[question.story], _WORD.findall(question.text.lower()))
        first = sorted(range(len(scores)), key=lambda place: (-scores[place], place))[:FIRST]
        found.append(set(question.evidence) <= set(first))
    return found


def plain_bm25(
    documents: Sequence[Counter[str]], query: Sequence[str], k1: float = 1.5, b: float = 0.75
) -> list[float]:
    """Return the BM25 of each document, given its word counts (Robertson and Zaragoza 2009)."""
    lengths = [document.total() for document in documents]
    mean = sum(lengths) / len(lengths)
    scores = [0.0] * len(documents)
    for word in query:
        holding = sum(word in document for document in documents)
        weight = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
        for place, document in enumerate(documents):
            if times := document[word]:
                scores[place] += weight * times * (k1 + 1) / (times + k1 * (1 - b + b * lengths[place] / mean))
    return scores


Rows = Mapping[str, Sequence[bool]]


def _report(first: Rows, told: Rows, questions: Sequence[Question]) -> dict[str, object]:
    table = _table("all evidence among the first five", first, questions)
    pairs = {row: ("ours", row) for row in first if row not in ("ours", "oracle")}
    differences = _differences("ours minus", first, pairs, questions)
    told_table = _table("all evidence in what is told", told, questions)
    added = _differences(
        "adds to the row above it", told, {row: (row, above) for above, row in pairwise(ABLATIONS)}, questions
    )
    ours, floor = (
        _scored(first[one], told[other], questions)
        for one, other in (("ours", list(ABLATIONS)[-1]), ("shuffled memory", "shuffled memory"))
    )
    leaks = leak_warnings(ours, {"shuffled memory": floor})
    lines = [
        (abs((table["plain BM25"][name].value or 0.0) - value) <= NEAR, f"plain BM25, {name}: within {NEAR} of {value}")
        for name, value in EXPECTED.items()
    ]
    lines += [
        (differences["plain BM25"][name].mean >= least, f"ours, {name}: at least {least:+.2f} above plain BM25")
        for name, least in WANTED.items()
    ]
    print("\nMust hold:")
    for holds, text in lines:
        print(f"{'holds' if holds else 'FAILS':<7}{text}")
    print("\nLeaks:", *(leaks or ["none: ours is above a shuffled memory in every range, in both tables"]), sep="\n")
    return {
        "table": _plain(table),
        "differences": _plain(differences),
        "told": _plain(told_table),
        "told_adds": _plain(added),
        "must_hold": [{"holds": holds, "what": text} for holds, text in lines],
        "leaks": leaks,
    }


def _table(title: str, rows: Rows, questions: Sequence[Question]) -> dict[str, dict[Range, Rate]]:
    numbers = _of_range(questions)
    heads = "".join(f"{f'{name} ({len(found)})':>27}" for name, found in numbers.items())
    print(f"\n{title:<36}{heads}")
    table: dict[str, dict[Range, Rate]] = {}
    for row, right in rows.items():
        table[row] = {
            name: rate([Outcome(questions[n].story, name, name, right[n]) for n in found])
            for name, found in numbers.items()
        }
        print(f"{row:<36}" + "".join(f"{_share(cell):>27}" for cell in table[row].values()))
    return table


def _differences(
    title: str, rows: Rows, pairs: Mapping[str, tuple[str, str]], questions: Sequence[Question]
) -> dict[str, dict[Range, Difference]]:
    """Print and return, by a name, the difference of one row and another."""
    print(f"\n{title:<36}" + "".join(f"{name:>27}" for name in RANGES))
    cluster = {n: question.story for n, question in enumerate(questions)}
    differences: dict[str, dict[Range, Difference]] = {}
    for row, (one, other) in pairs.items():
        differences[row] = {
            name: paired_difference({n: rows[one][n] for n in found}, {n: rows[other][n] for n in found}, cluster)
            for name, found in _of_range(questions).items()
        }
        cells = [f"{d.mean:+.3f} ({d.low:+.3f} to {d.high:+.3f})" for d in differences[row].values()]
        print(f"{row:<36}" + "".join(f"{cell:>27}" for cell in cells))
    return differences


def _of_range(questions: Sequence[Question]) -> dict[Range, list[int]]:
    return {name: [n for n, question in enumerate(questions) if question.range == name] for name in RANGES}


def _scored(first: Sequence[bool], told: Sequence[bool], questions: Sequence[Question]) -> list[Scored]:
    return [
        Scored(f"{n}", question.story, question.range, question.kind, {"all@5": first[n], "all": told[n]})
        for n, question in enumerate(questions)
    ]


def _plain(cells: Mapping[str, Mapping[Range, Rate | Difference]]) -> dict[str, dict[Range, dict[str, object]]]:
    def numbers(cell: Rate | Difference) -> dict[str, object]:
        return cell.model_dump() if isinstance(cell, Rate) else {key: getattr(cell, key) for key in _OF_DIFFERENCE}

    return {row: {name: numbers(cell) for name, cell in found.items()} for row, found in cells.items()}


def _share(cell: Rate) -> str:
    value = "-" if cell.value is None else f"{cell.value:.3f}"
    return value if cell.low is None else f"{value} ({cell.low:.3f}-{cell.high:.3f})"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
