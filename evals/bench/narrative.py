"""What narrative memory finds: all evidence of questions about stories, against plain BM25, by how far apart it lies.

    python -m evals.bench.narrative --fairytaleqa DIR [--cache DIR] [--json FILE]

FairytaleQA stands in for films, whose questions (NA-VQA) are not public: a story's sections are scenes, and each
question names those that it rests on. Events and links are found by rules, vectors are those of the bundled sentence
encoder; no language model takes part. Sections are ranked by their best event. Measured is whether all evidence of a
question is among the first five, by range, with 95% intervals from resampling whole stories.

Plain BM25 (Lucene's idf, k1 1.5, b 0.75, words of two letters or more, no stemming) over the sections of the story is
the rival. Options are chosen by five-fold cross-validation over stories: those that do best on the other folds, from
the grid in `GRID`, by the mean of Medium and Far. Rows without a part have the options of ours, but for that part.
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
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from agent.notes import embed_texts
from evals.bench.streams.scoring import paired_difference
from evals.stats import Outcome, Rate, rate
from evals.suites.na_vqa.fairytale import Question, Story, load
from evals.suites.na_vqa.ranges import RANGES, Range
from memory.narrative.changes import Change
from memory.narrative.cues import Cue
from memory.narrative.retrieve import CHANNELS, Ranks, RetrieveOptions, rank, score
from memory.narrative.rules import count_heads, entities_of, extract, link
from memory.narrative.segments import tile
from memory.narrative.store import NarrativeStore

Options = dict[str, object]
FOLDS = 5
FIRST = 5
"""Sections among which all evidence has to be."""
EXPECTED: dict[Range, float] = {"Short": 0.864, "Medium": 0.475, "Far": 0.456}
"""What plain BM25 was measured to reach; a reproduction lies within `NEAR` of it."""
NEAR = 0.005
WANTED: dict[Range, float] = {"Short": 0.0, "Medium": 0.10, "Far": 0.10}
"""The least that ours is to be above plain BM25."""
GRID: list[Options] = [
    {"rrf_k": k, "decay": decay, "beside": beside}
    for k, decay, beside in product((1.0, 2.0, 3.0), (0.0, 0.3, 0.6), (0.0, 0.4, 0.8))
]
"""What is chosen from."""
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
}
_WORD = re.compile(r"\b\w\w+\b")


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
        ask = _asker(_Links(store), questions, ranks, sections)
        rows = {"plain BM25": _plain_bm25(stories, questions)}
        folds = _folds(stories)
        rows["ours"], chosen = _cross_validated(ask, questions, folds)
        for name, change in WITHOUT.items():
            rows[name] = [
                ask(number, chosen[folds[questions[number].story]] | change) for number in range(len(questions))
            ]
    return _report(rows, questions, chosen, counts)


def build(store: NarrativeStore, story: Story) -> None:
    """Put a story into the memory, by rules; one that is there already is passed over."""
    if store.segments(story.name):
        return
    segments = tile([Cue(k, k + 1, text, clock="sections") for k, text in enumerate(story.sections)], source=story.name)
    events = extract(segments, count_heads(segments))
    store.commit(Change((*segments, *events, *entities_of(events), *link(events)), reason=f"built {story.name}"))


def sections_of(store: NarrativeStore, story: Story) -> dict[str, int]:
    """The position of the section that each event of a story lies in."""
    number = {segment.id: segment.number for segment in store.segments(story.name)}
    return {event.id: number[event.segment_ids[0]] for event in store.events(story.name)}


class _Links:
    """The links of a store, read once, as `score` asks for them."""

    def __init__(self, store: NarrativeStore) -> None:
        self._of: defaultdict[str, list] = defaultdict(list)
        for source in store.sources():
            events = [event.id for event in store.events(source)]
            for one in store.links(events):
                self._of[one.src].append(one)
                self._of[one.dst].append(one)

    def links(self, event_ids: Sequence[str], as_of: int | None = None) -> list:
        return sorted({one.id: one for id_ in event_ids for one in self._of[id_]}.values(), key=lambda one: one.id)


Ask = Callable[[int, Options], bool]


def _asker(
    links: _Links, questions: Sequence[Question], ranks: Sequence[Ranks], sections: Mapping[str, Mapping[str, int]]
) -> Ask:
    """Whether all evidence of a question, by its number, is found with some options."""

    def ask(number: int, options: Options) -> bool:
        question = questions[number]
        scores, _ = score(links, ranks[number], RetrieveOptions.model_validate(options))  # type: ignore[arg-type]
        best: defaultdict[int, float] = defaultdict(float)
        for id_, value in scores.items():
            place = sections[question.story][id_]
            best[place] = max(best[place], value)
        first = sorted(best, key=lambda place: (-best[place], place))[:FIRST]
        return set(question.evidence) <= set(first)

    return ask


def _folds(stories: Sequence[Story]) -> dict[str, int]:
    order = np.random.default_rng(0).permutation(len(stories))
    return {stories[place].name: number % FOLDS for number, place in enumerate(order)}


def _cross_validated(
    ask: Ask, questions: Sequence[Question], folds: Mapping[str, int]
) -> tuple[list[bool], dict[int, Options]]:
    """What ours finds, each fold with the options that do best on the others; and these options."""
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
    """The BM25 of each document, given its words and how often it has them (Robertson and Zaragoza 2009)."""
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


def _report(
    rows: Mapping[str, Sequence[bool]],
    questions: Sequence[Question],
    chosen: Mapping[int, Options],
    counts: Mapping[str, int],
) -> dict[str, object]:
    table: dict[str, dict[Range, Rate]] = {}
    numbers = {name: [n for n, question in enumerate(questions) if question.range == name] for name in RANGES}
    print(
        f"{'all evidence among the first five':<36}"
        + "".join(f"{f'{name} ({len(numbers[name])})':>24}" for name in RANGES)
    )
    for row, right in rows.items():
        table[row] = {
            name: rate([Outcome(questions[n].story, name, name, right[n]) for n in numbers[name]]) for name in RANGES
        }
        print(f"{row:<36}" + "".join(f"{_share(table[row][name]):>24}" for name in RANGES))
    place = _numbers(questions)
    cluster = {n: place[question.story] for n, question in enumerate(questions)}
    differences = {}
    for row in rows:
        if row != "ours":
            differences[row] = {
                name: paired_difference(
                    {n: rows["ours"][n] for n in numbers[name]}, {n: rows[row][n] for n in numbers[name]}, cluster
                )
                for name in RANGES
            }
    print(f"\n{'ours minus':<36}" + "".join(f"{name:>24}" for name in RANGES))
    for row, found in differences.items():
        print(f"{row:<36}" + "".join(f"{f'{d.mean:+.3f} ({d.low:+.3f} to {d.high:+.3f})':>24}" for d in found.values()))
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
    return {
        "table": {row: {name: cell.model_dump() for name, cell in cells.items()} for row, cells in table.items()},
        "differences": {
            row: {name: {"n": d.n, "mean": d.mean, "low": d.low, "high": d.high} for name, d in found.items()}
            for row, found in differences.items()
        },
        "options": {str(fold): dict(options) for fold, options in chosen.items()},
        "counts": dict(counts),
        "must_hold": [{"holds": holds, "what": text} for holds, text in lines],
    }


def _numbers(questions: Sequence[Question]) -> dict[str, int]:
    return {name: number for number, name in enumerate(dict.fromkeys(question.story for question in questions))}


def _share(cell: Rate) -> str:
    value = "-" if cell.value is None else f"{cell.value:.3f}"
    return value if cell.low is None else f"{value} ({cell.low:.3f}-{cell.high:.3f})"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
