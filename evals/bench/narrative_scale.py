"""Scaling of narrative memory to 100,000 events: latency of retrieval, cost of a segment, and size.

    python -m evals.bench.narrative_scale [--events 100000] [--cache DIR] [--json FILE]

A synthetic narrative (`evals.bench.narrative_tale`) is ingested twice: as one source, and spread evenly over a hundred.
It takes the path of a live source: rules extract the events, names and links of a segment, one commit writes them, and
`index` embeds them and adds them to Chroma. Segments are committed one by one, and measured, in a stretch that begins
at each of 50, 500, 5,000, 50,000 events and one that ends with the last; between these stretches they are committed
`FILL` at a time, to save hours.

Event vectors are sums of random word vectors, since the bundled sentence encoder takes half an hour of one core for as
many; its cost per segment is measured separately, and does not depend on the number of events. It dominates the cost of
a segment, so growth is reported with it and without. Questions are embedded by the real encoder within the measured
time, and the vector is then replaced.

Recall covers all of `retrieve`: vectors and words of events and segments, links, chains, and selection. It is measured
in the process that writes, and in one that only reads, over questions of four kinds, each asked `PASSES` times; reports
the median of the passes' percentiles. It is then measured once more, with a segment committed before each question, so
that caches are stale. The baseline has no index: NumPy compares all vectors, held in memory, and SQL's LIKE searches
for the words. Where one event is known to answer, counts how often it is in the result.

Times are wall time, and processor time of all threads of the process; the latter is not affected by waiting for other
work of the machine, though that still takes its caches and its memory bandwidth. The load is printed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil

from agent.perception.annotator import embed_texts
from evals.bench import narrative_tale as tale
from evals.bench.narrative_scale_report import table
from memory.narrative.ingest.extract_rules import MentionIndex, count_heads, entities_of, extract, link
from memory.narrative.options import FILE_NAME
from memory.narrative.retrieval import bm25
from memory.narrative.retrieval.retrieve import RetrieveOptions, retrieve
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.store.transaction import Change
from memory.narrative.types import Event, Record

_Result = TypeVar("_Result")
LAYOUTS = {"one source": 1, "100 sources": 100}
CHECKPOINTS = (50, 500, 5_000, 50_000)
STRETCH, FILL = 200, 100
"""Segments measured from a checkpoint on; and committed at once between these. Chroma writes its graph every thousand
vectors, as many as a stretch has events."""
A_KIND, PASSES, WARM = 25, 3, 4
"""Questions of each kind, passes over them, and warm-up questions."""
RIVAL_A_KIND = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one segment or question: milliseconds of processor time, all threads, and of wall time."""

    cpu_ms: float
    wall_ms: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The cost of a question, and whether the result contains its answering event (None: unknown)."""

    kind: str
    cost: Cost
    found: bool | None


class Encoder:
    """Vectors by `tale.embed`; if `real`, also runs the bundled encoder on the texts, for its time."""

    real = False

    def __call__(self, texts: list[str]) -> np.ndarray:
        if self.real:
            embed_texts(texts)
        return tale.embed(texts)


class Ingestion:
    """Sources ingested in turns, a segment at a time, with the state of the rules for each."""

    def __init__(self, sources: int) -> None:
        self._tales = [tale.segments(f"tale {number}", number) for number in range(sources)]
        self._heads: list[Counter[str]] = [Counter() for _ in self._tales]
        self._named = [MentionIndex() for _ in self._tales]
        self._before: list[Event | None] = [None for _ in self._tales]
        self.told = 0

    def next(self) -> list[Record]:
        """Return the records of the next segment: itself, its events, entities, and links."""
        which = self.told % len(self._tales)
        segment = next(self._tales[which])
        self._heads[which].update(count_heads([segment]))
        events = extract([segment], self._heads[which])
        links = link(events, self._named[which], self._before[which])
        self._before[which] = events[-1]
        self.told += 1
        return [segment, *events, *entities_of(events), *links]


def main() -> None:
    """Run the benchmark and print its tables; exits with 0 whatever the results are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--cache", type=Path, help="a folder for the memories, built once")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = run(arguments.events, arguments.cache or Path(folder))
    print(table(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def run(events: int, folder: Path, *, stretch: int = STRETCH, a_kind: int = A_KIND) -> dict[str, Any]:
    """Build both memories unless they exist in the folder, ask, and return the results as plain data.

    Args:
        events: of each memory, rounded up to whole segments.
        folder: folder of the memories, with the cost of building them.
        stretch: segments measured from each checkpoint on.
        a_kind: questions of each kind.
    """
    _warm_up()
    layouts: dict[str, Any] = {}
    for name, sources in LAYOUTS.items():
        place = folder / f"{events} events of {name}"
        noted = place / "built.json"
        if not noted.exists():
            shutil.rmtree(place, ignore_errors=True)
            built = build(place, events, sources, stretch)
            noted.write_text(json.dumps(built))
        _say(f"{name}: built")
        layouts[name] = {"ingest": json.loads(noted.read_text()), "recall": recall(place, sources, a_kind)}
    return {
        "events": events, "load": os.getloadavg()[0], "encoder_a_segment": _encoder_cost(), "layouts": layouts,
    }  # fmt: skip


def build(folder: Path, events: int, sources: int, stretch: int) -> list[dict[str, Any]]:
    """Ingest a narrative, and return for each stretch its first event, the costs of its segments, and the size in
    memory and on disk at its end, in MB."""
    telling, found = Ingestion(sources), []
    segments = -(-events // tale.SENTENCES)
    last = max(0, segments - stretch)
    begins = [-(-event // tale.SENTENCES) for event in CHECKPOINTS if -(-event // tale.SENTENCES) < last] + [last]
    with NarrativeStore(folder, tale.embed, writer=True) as store:
        for place, begin in enumerate(begins):
            while telling.told < begin:
                _put(store, telling, min(FILL, begin - telling.told))
            first = telling.told
            ends = min(first + stretch, begins[place + 1] if place + 1 < len(begins) else segments)
            costs = [_timed(lambda: _put(store, telling, 1))[1] for _ in range(ends - first)]
            found.append(
                {
                    "events": first * tale.SENTENCES,
                    "costs": [asdict(cost) for cost in costs],
                    "rss_mb": psutil.Process().memory_info().rss / 1e6,
                    "sqlite_mb": _size(folder.glob(f"{FILE_NAME}*")),
                    "vectors_mb": _size((folder / "vectors").rglob("*")),
                }
            )
            _say(f"{telling.told * tale.SENTENCES} events")
    return found


def _put(store: NarrativeStore, telling: Ingestion, segments: int) -> None:
    store.commit(Change(tuple(record for _ in range(segments) for record in telling.next())))
    store.index()


def recall(folder: Path, sources: int, a_kind: int) -> dict[str, Any]:
    """Query a memory in this process, which writes it, in one that reads, and in both with a segment before each
    question; and the baseline. Returns the costs of each one's answers, and the share of known answers found."""
    with NarrativeStore(folder) as store:
        told = [(event.source, event.summary) for event in store.events()]
        newest = {source: len(store.segments(source)) for source in store.sources()}
    asked = tale.questions(told, a_kind, seed=1)
    warm = tale.questions(told, WARM, seed=2)
    del told
    # What is committed between the questions goes into a copy, so that the memory stays as it was built.
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "memory"
        shutil.copytree(folder, copy)
        encoder = Encoder()
        context = multiprocessing.get_context("spawn")
        with (
            NarrativeStore(copy, encoder, writer=True) as store,
            ProcessPoolExecutor(1, context, _open_reader, (copy,)) as reader,
        ):
            encoder.real = True
            first = reader.submit(_ask_reader, warm[0]).result()
            for question in warm:
                ask(store, question), reader.submit(_ask_reader, question).result()
            results = {"writer": _passes(lambda question: ask(store, question), asked)}
            results["reader"] = _passes(lambda question: reader.submit(_ask_reader, question).result(), asked)
            results["reader"]["first_wall_ms"] = first.cost.wall_ms
            results["reader"]["rss_mb"] = reader.submit(_reader_growth).result()
            pairs = []
            for number, question in enumerate(asked):
                encoder.real = False
                _tell_more(store, question.source, newest[question.source] + number)
                encoder.real = True
                pairs.append((ask(store, question), reader.submit(_ask_reader, question).result()))
            for place, name in enumerate(("writer, fresh", "reader, fresh")):
                results[name] = _summary([[pair[place] for pair in pairs]])
            few = [question for kind in dict.fromkeys(q.kind for q in asked)
                   for question in [q for q in asked if q.kind == kind][:RIVAL_A_KIND]]  # fmt: skip
            rival = reader.submit(_ask_rival, few).result() if sources == 1 else []
            if rival:
                results["rival"] = _summary([rival])
    return results


def _tell_more(store: NarrativeStore, source: str, number: int) -> None:
    """Commit a segment of another narrative at the end of a source."""
    segment = next(tale.segments(source, 1_000 + number))
    start_s = number * tale.SEGMENT_S
    segment = segment.model_copy(
        update={"number": number, "start_s": start_s, "end_s": start_s + tale.SEGMENT_S, "dialogue": f"Part {number}."}
    )
    events = extract([segment], count_heads([segment]))
    store.commit(Change((segment, *events, *link(events))))
    store.index()


def ask(store: NarrativeStore, question: tale.Question) -> Answer:
    """Retrieve the evidence of a question, with the default options, and measure the time."""
    found, cost = _timed(lambda: retrieve(store, question.source, [question.text]))
    told = {scored.event.summary for scored in found.told}
    return Answer(question.kind, cost, None if question.answer is None else question.answer in told)


_readers: list[tuple[NarrativeStore, float]] = []  # of the reading process, and its memory when it was opened, MB


def _open_reader(folder: Path) -> None:
    encoder = Encoder()
    encoder.real = True
    encoder(["a question"])
    _readers.append((NarrativeStore(folder, encoder), psutil.Process().memory_info().rss / 1e6))


def _ask_reader(question: tale.Question) -> Answer:
    return ask(_readers[0][0], question)


def _reader_growth() -> float:
    return psutil.Process().memory_info().rss / 1e6 - _readers[0][1]


def _ask_rival(asked: Sequence[tale.Question]) -> list[Answer]:
    """Answer without an index: of all events of the source, those with the most of the words, then the nearest."""
    database = _readers[0][0]._database
    rows = database.read(
        "SELECT row_id, vector FROM records JOIN vectors USING (row_id) WHERE kind = 'event' AND source = ?",
        (asked[0].source,),
    )
    places = {row_id: place for place, (row_id, _) in enumerate(rows)}
    vectors = np.frombuffer(b"".join(row[1] for row in rows), np.float32).reshape(len(rows), -1).copy()
    most = RetrieveOptions().events

    def find(question: tale.Question) -> set[str]:
        encoder = Encoder()
        encoder.real = True
        cosines = vectors @ encoder([question.text])[0]
        held = np.zeros(len(rows))
        for term in bm25.terms(question.text):
            for (row_id,) in database.read(
                "SELECT row_id FROM records WHERE kind = 'event' AND source = ? "
                "AND json_extract(body, '$.summary') LIKE ?",
                (question.source, f"%{term}%"),
            ):
                held[places[row_id]] += 1
        best = np.lexsort((-cosines, -held))[:most]
        ids = [rows[place][0] for place in best]
        return {row[0] for row in database.read_any(
            "SELECT json_extract(body, '$.summary') FROM records WHERE row_id IN ({ids})", ids)}  # fmt: skip

    answers = []
    for question in asked:
        told, cost = _timed(partial(find, question))
        answers.append(Answer(question.kind, cost, None if question.answer is None else question.answer in told))
    return answers


def _passes(work: Callable[[tale.Question], Answer], asked: Sequence[tale.Question]) -> dict[str, Any]:
    return _summary([[work(question) for question in asked] for _ in range(PASSES)])


def _summary(passes: Sequence[Sequence[Answer]]) -> dict[str, Any]:
    """Return percentiles over the questions, the median of the passes; of all kinds, and of each."""
    found: dict[str, Any] = {}
    for kind in ("all", *dict.fromkeys(answer.kind for answer in passes[0])):
        answers = [[answer for answer in one if kind in ("all", answer.kind)] for one in passes]
        found[kind] = {
            clock: {
                str(share): statistics.median(
                    float(np.percentile([getattr(answer.cost, clock) for answer in one], share)) for one in answers
                )
                for share in (50, 95, 99)
            }
            for clock in ("cpu_ms", "wall_ms")
        }
        known = [answer.found for answer in answers[0] if answer.found is not None]
        found[kind] |= {"n": len(answers[0]), "known": len(known), "found": sum(known)}
    return found


def _timed(work: Callable[[], _Result]) -> tuple[_Result, Cost]:
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    result = work()
    return result, Cost(1_000 * (time.process_time() - cpu_s), 1_000 * (time.perf_counter() - wall_s))


def _warm_up() -> None:
    """Load what is loaded once, so that the first segment and question do not include it."""
    embed_texts(["a question"])
    with tempfile.TemporaryDirectory() as folder, NarrativeStore(Path(folder), tale.embed, writer=True) as store:
        telling = Ingestion(1)
        for _ in range(FILL // 5):
            _put(store, telling, 1)
        retrieve(store, "tale 0", ["Why?"])


def _encoder_cost() -> dict[str, float]:
    """Measure the bundled sentence encoder on the texts of a segment: the median of ten."""
    segments = tale.segments("tale", 0)
    texts = [[*(part + "." for part in next(segments).caption.split(".")[:-1])] for _ in range(10)]
    costs = [_timed(partial(embed_texts, [*part, " ".join(part)]))[1] for part in texts]
    return {clock: statistics.median(getattr(cost, clock) for cost in costs) for clock in ("cpu_ms", "wall_ms")}


def _size(paths: Iterator[Path]) -> float:
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
