"""Retrieval: ranks are fused, other words are searched for beside those asked, and what is amiss is carried along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.literature_helpers import (
    AGAINST,
    FOR,
    OTHER,
    PAPERS,
    RETRACTED,
    STATIN,
    NearShelf,
    Shelf,
    paper,
    write_papers,
)
from tools.errors import ConfigError
from tools.literature.index.corpus import open_corpus
from tools.literature.index.ingest import index_path
from tools.literature.retrieval.rank_fusion import RRF_K, mmr, rrf
from tools.literature.retrieval.relevance import bearing, best_sentences, measure
from tools.literature.retrieval.retrieve import Near, retrieve
from tools.literature.retrieval.synonyms import MAX_TERMS, expand
from tools.literature.types import Document, Filters, Hit, Problem

rankings = st.dictionaries(st.sampled_from("abcd"), st.lists(st.sampled_from("stuvwxyz"), unique=True, max_size=8))


def test_the_score_of_a_fused_rank_is_the_sum_of_its_reciprocals() -> None:
    fused = dict(rrf({"one": ["x", "y"], "two": ["y"]}, {"two": 0.5}))
    assert fused["x"] == pytest.approx(1 / (RRF_K + 1))
    assert fused["y"] == pytest.approx(1 / (RRF_K + 2) + 0.5 / (RRF_K + 1))


@given(rankings)
def test_fusing_keeps_all_that_was_ranked_and_depends_on_no_order_of_channels(given_: dict[str, list[str]]) -> None:
    fused = rrf(given_)
    assert {id_ for id_, _ in fused} == {id_ for ids in given_.values() for id_ in ids}
    assert fused == rrf(dict(reversed(given_.items())))
    assert fused == sorted(fused, key=lambda pair: (-pair[1], pair[0]))


@given(rankings, st.sampled_from("stuvwxyz"))
def test_being_ranked_first_once_more_never_sets_an_id_back(given_: dict[str, list[str]], id_: str) -> None:
    def place(fused: list[tuple[str, float]]) -> int:
        return [one for one, _ in fused].index(id_) if id_ in dict(fused) else len(fused)

    assert place(rrf({**given_, "more": [id_]})) <= place(rrf(given_))


def test_what_is_like_what_is_chosen_already_is_set_back() -> None:
    words = [["a", "b"], ["a", "b"], ["c", "d"], ["e"]]
    assert mmr([1.0, 0.6, 0.5, 0.0], words, 3) == [0, 2, 1]
    assert mmr([1.0, 0.6, 0.5, 0.0], words, 3, lambda_=1.0) == [0, 1, 2]
    assert mmr([], [], 3) == []


def test_other_words_for_the_same_are_known_and_never_those_asked() -> None:
    assert "myocardial infarction" in expand("Does aspirin prevent a second heart attack?")
    assert "type 2 diabetes" in expand("Does metformin help in T2DM?")
    assert "glycated haemoglobin" in expand("Is HbA1c raised?")
    for term in expand("Does aspirin prevent a second heart attack?"):
        assert term not in ("heart attack", "aspirin")


def test_an_abbreviation_is_one_only_as_it_is_written() -> None:
    assert "aortic stenosis" in expand("surgery for severe AS")
    assert "aortic stenosis" not in expand("as severe as surgery")


def test_headings_that_the_first_documents_share_are_added_but_not_those_of_everyone() -> None:
    hits = [Hit(document=paper(n, "x", mesh=("Humans", "Hydroxymethylglutaryl-CoA Reductase Inhibitors")), score=1.0)
            for n in range(5)]  # fmt: skip
    assert expand("lipid lowering", hits) == ("Hydroxymethylglutaryl-CoA Reductase Inhibitors",)
    assert expand("lipid lowering", hits[:1]) == ()


@given(st.text(max_size=80), st.booleans())
def test_expanding_is_bounded_for_any_text(text: str, doubled: bool) -> None:
    terms = expand(text + " heart attack COPD TB UTI stroke kidney" * doubled)
    assert len(terms) <= MAX_TERMS
    assert len(set(terms)) == len(terms)


def test_asked_words_are_searched_for_as_they_are_and_outweigh_added_ones() -> None:
    shelf = Shelf([paper(1, "stroke in the young"), paper(2, "CVA CVA and brain attack of all kinds")])
    found = retrieve("stroke", [shelf])
    assert shelf.asked[0] == "stroke"
    assert shelf.asked[1].startswith("stroke stroke ")
    assert [hit.document.id for hit in found.hits] == ["pmid:1", "pmid:2"]
    assert found.hits[0].ranks["local bm25"] == 1
    assert [query.channel for query in found.queries] == ["words", "expanded"]
    assert len(retrieve("stroke", [Shelf()], expand=False).queries) == 1


def test_a_phrase_is_reworded_as_a_whole_with_full_weight() -> None:
    lay = [paper(number, f"attack number {number} on the heart of the matter") for number in range(3)]
    shelf = Shelf(
        [*lay, paper(8, "Aspirin after myocardial infarction"), paper(9, "Aspirin and myocardial infarction")]
    )
    found = retrieve("aspirin heart attack", [shelf])
    assert shelf.asked[0] == "aspirin heart attack"
    assert shelf.asked[1].startswith("aspirin aspirin ")
    assert "myocardial infarction" in shelf.asked[1]
    assert "heart" not in shelf.asked[1]
    assert {"pmid:8", "pmid:9"} <= {hit.document.id for hit in found.hits[:3]}


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ("oesophageal", "esophageal"), ("esophageal", "oesophageal"), ("oestrogen", "estrogen"), ("tumour", "tumor"),
        ("tumor", "tumour"), ("anemia", "anaemia"), ("randomised", "randomized"), ("haemorrhage", "hemorrhage"),
        ("behavior", "behaviour"), ("paediatric", "pediatric"), ("analysed", "analyzed"),
    ],
)  # fmt: skip
def test_words_are_found_in_either_spelling(tmp_path: Path, asked: str, held: str) -> None:
    others = [paper(number, f"{word} in a study") for number, word in enumerate(("aspirin", "gout", "doctor"), 20)]
    folder = write_papers(tmp_path / "papers", [paper(1, f"The {held} was studied"), *others])
    with open_corpus(tmp_path / "corpus", writer=True) as corpus:
        index_path(corpus, folder)
        found = corpus.search(asked, 5, Filters())
        assert [hit.document.id for hit in found.hits] == ["pmid:1"]
        assert found.cover == pytest.approx(1.0)


def test_a_heading_of_a_sister_is_not_added() -> None:
    hits = [Hit(document=paper(n, "x", mesh=("Breast Neoplasms", "Esophageal Neoplasms")), score=1.0) for n in range(5)]
    terms = expand("oesophageal cancer", hits)
    assert "Breast Neoplasms" not in terms
    assert "Esophageal Neoplasms" in terms


def test_a_remote_source_is_asked_once_by_the_question_as_it_is() -> None:
    """Details of a patient are looked for in whole sentences; which words carry the meaning is the source's part."""
    shelf = Shelf(remote=True, name="pubmed")
    retrieve("Does IL-6 rise after a heart attack, or not?", [shelf])
    assert shelf.asked == ["Does IL-6 rise after a heart attack, or not?"]


def test_vectors_find_what_words_do_not() -> None:
    shelf = NearShelf()
    assert isinstance(shelf, Near)
    vector = np.eye(len(PAPERS), dtype=np.float32)[PAPERS.index(OTHER)]
    found = retrieve("unmatched wording", [shelf], embed=lambda texts: vector[None])
    assert found.hits[0].document == OTHER
    assert found.hits[0].ranks["local dense"] == 1
    assert found.cosines[OTHER.id] == 1.0


def test_one_paper_of_two_sources_is_one_hit_and_known_to_be_retracted_by_either() -> None:
    here = FOR.model_copy(update={"id": "local:1", "pmid": ""})
    there = FOR.model_copy(update={"id": "pmid:11", "doi": FOR.doi.upper(), "retracted": True})
    found = retrieve(STATIN, [Shelf([here]), Shelf([there], name="pubmed", remote=True)])
    assert [hit.document.id for hit in found.hits] == ["local:1"]
    assert found.hits[0].document.retracted
    assert {"local bm25", "pubmed"} <= set(found.hits[0].ranks)


def test_records_of_one_paper_are_found_through_a_third_one() -> None:
    first = FOR.model_copy(update={"id": "pmid:11", "pmid": "11", "pmcid": "", "doi": ""})
    second = FOR.model_copy(update={"id": "pmcid:PMC9", "pmid": "", "pmcid": "PMC9", "doi": "", "retracted": True})
    third = FOR.model_copy(update={"id": "epmc:MED/11", "pmid": "11", "pmcid": "PMC9", "doi": ""})
    found = retrieve(STATIN, [Shelf([first]), Shelf([second], name="a"), Shelf([third], name="b")])
    assert [(hit.document.id, hit.document.retracted) for hit in found.hits] == [("pmid:11", True)]


def test_two_files_that_show_one_doi_are_both_found() -> None:
    """They may be a paper and its supplement; one of them stands for the record of the paper."""
    files = [FOR.model_copy(update={"id": f"local:{n}", "pmid": "", "doi": "10.1/x"}) for n in "ab"]
    record = FOR.model_copy(update={"doi": "10.1/X", "retracted": True})
    found = retrieve(STATIN, [Shelf(files), Shelf([record], name="pubmed", remote=True)])
    assert {hit.document.id for hit in found.hits} == {"local:a", "local:b"}
    assert all(hit.document.retracted for hit in found.hits)


FLAGGED = {"title": "Aspirin in septic shock", "text": "Aspirin reduced mortality in septic shock.", "retracted": True}
COPY = {
    "id": "pmcid:PMC9",
    "title": "Aspirin in septic shock",
    "text": "Aspirin reduced mortality in septic shock. More.",
}


@pytest.mark.parametrize(
    ("record", "copy"),
    [
        ({"id": "pmid:1", "pmid": "1"}, {"pmid": "1"}),
        ({"id": "pmid:1", "pmcid": "PMC9"}, {"pmcid": "PMC9"}),
        ({"id": "pmid:1", "pmcid": "PMC9"}, {}),
        ({"id": "pmid:1", "doi": "10.1/Ab"}, {"doi": "10.1/aB"}),
        ({"id": "pmid:1", "pmid": "1", "text": "No word of it."}, {"pmid": "1"}),  # the record is not found itself
        ({"id": "pmid:1", "pmid": "1", "publication_types": ["Letter"]}, {"pmid": "1", "year": 2020}),
    ],
)
def test_a_copy_of_a_retracted_paper_is_retracted(tmp_path: Path, record: Any, copy: Any) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(json.dumps(one) for one in (FLAGGED | record, COPY | copy)))
    with open_corpus(tmp_path / "kept", writer=True) as corpus:
        index_path(corpus, path)
        question = "Does aspirin reduce mortality in septic shock? More"
        years = {"year_from": 2000} if "year" in copy else {}
        found = retrieve(question, [corpus], filters=Filters(**years))
        assert found.hits
        assert all(hit.document.retracted for hit in found.hits)
        assert retrieve(question, [corpus], filters=Filters(exclude_retracted=True, **years)).hits == ()
        assert corpus.fetch(["pmcid:PMC9"]).hits[0].document.retracted
        there = Shelf([Document.model_validate({"id": "pmcid:PMC9", "pmcid": "PMC9", "pmid": "1", "title": "Aspirin"})],
                      name="europepmc", remote=True)  # fmt: skip
        if not copy.get("doi"):
            assert [hit.document.retracted for hit in retrieve("aspirin", [there, corpus]).hits][:1] == [True]


def test_problems_are_carried_along_and_told_once() -> None:
    problem = Problem(source="pubmed", reason="it answered 429")
    found = retrieve(STATIN, [Shelf(), Shelf([], name="pubmed", remote=True, problems=[problem, problem])])
    assert found.problems == (problem,)
    assert found.hits


def test_a_cross_encoder_has_the_last_word_on_the_first_documents() -> None:
    def prefers_fish(question: str, texts: list[str]) -> list[float]:
        return [float("Fish" in text) for text in texts]

    found = retrieve("statins in water", [Shelf()], rerank=prefers_fish)
    assert found.hits[0].document == OTHER
    assert found.hits[0].ranks["reranked"] == 1
    with pytest.raises(ConfigError, match="0 scores for"):
        retrieve("statins", [Shelf()], rerank=lambda question, texts: [])


def test_filters_reach_the_source_and_equal_input_gives_an_equal_order() -> None:
    found = retrieve(STATIN, [Shelf()], filters=Filters(exclude_retracted=True))
    assert RETRACTED not in [hit.document for hit in found.hits]
    orders = [[hit.document.id for hit in retrieve(STATIN, [Shelf(order)]).hits] for order in (PAPERS, PAPERS[::-1])]
    assert orders[0] == orders[1]


def test_diversity_sets_copies_back() -> None:
    copies = [paper(n, FOR.text, title=FOR.title) for n in (21, 22, 23)]
    found = retrieve(STATIN, [Shelf([*copies, AGAINST])], limit=2, diversity=0.7)
    assert AGAINST.id in [hit.document.id for hit in found.hits]


@pytest.mark.parametrize("wrong", [{"question": " ?! "}, {"limit": 0}, {"diversity": 1.5}])
def test_what_cannot_be_searched_for_is_told(wrong: dict) -> None:
    with pytest.raises(ConfigError, match="Expected"):
        retrieve(**{"question": "statins", "sources": [Shelf()], **wrong})


def test_a_document_bears_on_a_question_by_its_words_or_by_other_words_for_them() -> None:
    told = "Acetylsalicylic acid prevents myocardial infarction."
    assert measure("Does aspirin prevent heart attacks?").share(told) == 1.0
    hits = [Hit(document=document, score=1.0) for document in PAPERS]
    assert OTHER not in [hit.document for hit in bearing(STATIN, hits, {})]
    assert FOR in [hit.document for hit in bearing(STATIN, hits, {})]


def test_a_long_document_bears_on_a_question_by_a_passage_of_it_and_not_by_words_all_over() -> None:
    filler = "Nothing of this bears on what is asked here today. " * 100
    scattered = paper(
        61, filler.join(["Statins are old.", "Mortality fell.", "Patients came.", "Heart rates.", "Failure."])
    )
    whole = paper(62, f"{filler}{FOR.text} {filler}")
    hits = [Hit(document=document, score=1.0) for document in (scattered, whole)]
    assert [hit.document.id for hit in bearing(STATIN, hits, {})] == ["pmid:62"]


def test_sentences_that_say_what_was_looked_for_are_not_what_was_found() -> None:
    document = paper(
        31,
        "The aim of this study was to determine whether statins reduce mortality in patients with heart failure. "
        "Statins reduced mortality in heart failure.",
    )
    assert best_sentences(STATIN, [document])[0].text == "Statins reduced mortality in heart failure."
