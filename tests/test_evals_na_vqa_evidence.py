"""Evidence is looked for in narrative memory without a language model: the sample films, and a planted story."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from agent.perception.annotator import embed_texts
from evals.suites.na_vqa.dataset import Evidence, Labels, Loaded, Question, load
from evals.suites.na_vqa.ranges import spread_of
from evals.suites.na_vqa.retrieval_rows import (
    ABLATIONS,
    ablated,
    evidence_run,
    oracle,
    question_only,
    shuffled,
    told_spans,
)
from evals.suites.na_vqa.scorer import Scored, leak_warnings, summarise
from memory.narrative.ingest.extract_rules import count_heads, entities_of, extract, link
from memory.narrative.ingest.segments import tile
from memory.narrative.ingest.transcripts import read_transcript
from memory.narrative.retrieval.retrieve import RetrieveOptions, retrieve
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.store.transaction import Change
from tests.narrative_helpers import GOLD, LETTER, WHY, WORDS, chain, tell

SAMPLE = Path(__file__).parent.parent / "evals" / "suites" / "na_vqa" / "sample"


@pytest.fixture(scope="module")
def sample() -> Loaded:
    return load(SAMPLE)


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory, sample: Loaded) -> Iterator[NarrativeStore]:
    with NarrativeStore(tmp_path_factory.mktemp("memory"), embed_texts, writer=True) as store:
        for film in sample.films.values():
            assert film.path
            cues = read_transcript(film.path)
            segments = tile(cues, source=film.video_id, duration_s=film.duration_s)
            events = extract(segments, count_heads(segments), cues)
            store.commit(Change((*segments, *events, *entities_of(events), *link(events))))
        store.index()
        yield store


def over_films(sample: Loaded, run, *more) -> list[Scored]:  # type: ignore[no-untyped-def]
    """A run over each film's questions."""
    return [
        one
        for film in sample.films
        for one in run(film, [question for question in sample.questions if question.film == film], *more)
    ]


def test_the_sample_is_answered_from_memory_and_not_from_its_questions(memory: NarrativeStore, sample: Loaded) -> None:
    few = RetrieveOptions(events=5)

    def told(film: str, questions: list[Question]) -> list[Scored]:
        return evidence_run(memory, film, questions, few)

    def by_chance(film: str, questions: list[Question]) -> list[Scored]:
        return shuffled(memory, film, questions, few)

    run = over_films(sample, told)
    assert len(run) == len(sample.questions)
    assert over_films(sample, told) == run
    summary = summarise(run)
    for name, n in (("Short", 4), ("Medium", 4), ("Far", 6)):
        assert summary.by_range[name]["recall@5"].n == n
        assert (summary.by_range[name]["recall@5"].value or 0) > 0.5
    floors = {"question only": question_only(sample.questions), "shuffled memory": over_films(sample, by_chance)}
    assert leak_warnings(run, floors) == []
    leak = leak_warnings(floors["shuffled memory"], {"the memory": run})
    assert any(warning.startswith("Far, recall: the memory reaches") for warning in leak)


def test_the_oracle_is_above_and_nothing_told_is_below(sample: Loaded) -> None:
    best, least = summarise(oracle(sample.questions)), summarise(question_only(sample.questions))
    for name in ("Short", "Medium", "Far"):
        assert best.by_range[name]["all@5"].value == best.by_range[name]["recall"].value == 1
        assert least.by_range[name]["recall"].value == 0
    assert best.by_range["Far"]["all@1"].value == 0


def planted(tmp_path: Path) -> tuple[NarrativeStore, list[Question]]:
    """A story of twelve scenes whose question rests on four, two of which share no word with it."""
    store = NarrativeStore(tmp_path, writer=True)
    events = tell(store, LETTER, ((1, 7, "enables"), (4, 7, "causes"), (1, 10, "enables")))
    rests_on = [events[place] for place in GOLD]
    store.commit(Change((chain(*rests_on),)))
    gold = tuple(Evidence(text=one.summary, t0=one.start_s, t1=one.end_s) for one in rests_on)
    spread = spread_of([(piece.start_s, piece.end_s) for piece in gold], 10 * len(LETTER))
    return store, [Question("q", "tale", WHY, "It replaces the letter.", "Causal", gold, spread, Labels())]


def test_each_part_of_retrieval_can_be_left_out(tmp_path: Path) -> None:
    words = WORDS.model_copy(update={"events": 4, "chains": 0})
    store, questions = planted(tmp_path)
    with store:
        (linked,) = evidence_run(store, "tale", questions, ablated("+ links across time", words))
        (beside,) = evidence_run(store, "tale", questions, ablated("+ neighbours", words))
        (alone,) = evidence_run(store, "tale", questions, ablated("events without links", words))
        assert linked.range == "Far"
        assert (linked.values["all"], beside.values["all"], alone.values["all"]) == (1, 0, 0)
        assert alone.values["recall"] == 0.5


def test_what_only_a_chain_tells_counts_after_what_is_told(tmp_path: Path) -> None:
    store, questions = planted(tmp_path)
    with store:
        few = WORDS.model_copy(update={"events": 1, "decay": 0.0, "beside": 0.0, "bins": 1})
        (with_chain,) = evidence_run(store, "tale", questions, few)
        (without,) = evidence_run(store, "tale", questions, few.model_copy(update={"chains": 0}))
        assert (without.values["recall"], with_chain.values["recall"]) == (0.25, 1)
        assert with_chain.values["recall@1"] == without.values["recall@1"]
        spans = told_spans(store, "tale", retrieve(store, "tale", [WHY], few))
        assert len(spans) == len(set(spans)) == 4


def test_the_rows_build_up_to_the_whole_retrieval() -> None:
    whole = RetrieveOptions(rrf_k=3.0)
    assert ablated("+ time quota", whole) == whole
    rows = [ablated(name, whole).model_dump() for name in ABLATIONS]
    for before, after in pairwise(rows):
        assert sum(before[name] != after[name] for name in before) == 1
    assert all(row["rrf_k"] == 3.0 for row in rows)
