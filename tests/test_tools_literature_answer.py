"""Answers rest on documents: a quote that is not there, or of what was not shown, is caught however it is written."""

from __future__ import annotations

import random
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.literature_helpers import AGAINST, FOR, OTHER, PAPERS, POISON, RETRACTED, STATIN, Shelf, paper
from tools.literature.retrieval.questions import is_yes_no
from tools.literature.retrieval.retrieve import retrieve
from tools.literature.support.answer import (
    NOTHING,
    NOTICE,
    StatedCitation,
    StatedClaim,
    check_claims,
    quote_evidence,
)
from tools.literature.support.quote_match import (
    LEAST_WORDS,
    LONGEST_ID,
    cite_id,
    find_quote,
    mentions,
    quoted,
    same_id,
    sentence_of,
    sentences,
)
from tools.literature.support.stance import stance
from tools.literature.support.support_rules import left_out
from tools.literature.types import Document

GOOD = "Statins reduced mortality by 21% in patients with heart failure"
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=120)
words = st.one_of(
    st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=8),
    st.sampled_from(["ß", "ﬁn", "Å", "é", "İ"]),
)
sections = st.lists(words.filter(lambda word: word.split() == [word]), min_size=LEAST_WORDS, max_size=12).map(" ".join)


def claim(text: str, *citations: tuple[str, str], says: str = "yes") -> StatedClaim:
    return StatedClaim.model_validate(
        {"text": text, "stance": says, "citations": [StatedCitation(id=id_, quote=quote) for id_, quote in citations]}
    )


def reasons(*stated: StatedClaim, shown: tuple[Document, ...] = PAPERS) -> list[str]:
    kept, dropped = check_claims(STATIN, stated, shown)
    assert len(kept) + len(dropped) == len(stated)
    return [one.reason for one in dropped]


def test_a_quote_is_found_whatever_its_case_its_spaces_and_its_unicode() -> None:
    document = paper(1, "The ﬁnal   value of\nTNF-α was Ångström-like, at 5 µm.")
    for quote in (
        "the final value of TNF-α was",
        "VALUE  of tnf-Α was ångström-like",
        "was A\u030angstro\u0308m-like, at 5 μm",
    ):
        span = find_quote(quote, document)
        assert span is not None, quote
    span = find_quote("final value of tnf-α", document)
    assert span is not None
    assert quoted(span, document) == "ﬁnal   value of\nTNF-α"


@pytest.mark.parametrize(
    "quote",
    [
        "Statins reduced mortality by 12% in patients with heart failure",
        "Statins reduced mortality in patients with heart failure",
        "Statins reduced mortality ... in patients with heart failure",
        "Statins reduced mortality by 21% in patients with heart failures",
        "tatins reduced mortality by 21% in patients",
        "mortality",
        "in a trial: Statins in heart failure",
        "Statins in heart failure: a trial",
        "",
        " . ",
    ],
)
def test_what_is_not_there_word_for_word_is_not_found(quote: str) -> None:
    assert find_quote(quote, FOR) is None


@settings(max_examples=200)
@given(st.lists(sections, min_size=1, max_size=3), st.randoms(use_true_random=False), st.data())
def test_any_words_of_a_document_are_found_however_they_are_written(
    parts: list[str], chance: random.Random, data: st.DataObject
) -> None:
    document = Document(id="local:x", sections=tuple({"text": part} for part in parts))  # type: ignore[arg-type]
    words = data.draw(st.sampled_from(parts)).split()
    start = data.draw(st.integers(0, len(words) - LEAST_WORDS))
    chosen = words[start : data.draw(st.integers(start + LEAST_WORDS, len(words)))]
    assume(any(map(str.isalnum, unicodedata.normalize("NFKC", "".join(chosen)))))
    written = "".join(word + chance.choice([" ", "\n", "\t  "]) for word in chosen)
    for quote in (written, written.casefold(), unicodedata.normalize("NFD", written)):
        span = find_quote(quote, document)
        assert span is not None
        assert span.start < span.end <= len(document.sections[span.section].text)


@settings(max_examples=300)
@given(texts, st.sampled_from(PAPERS))
def test_what_is_found_stands_there(quote: str, document: Document) -> None:
    """A quote of any other words is never found: what is found reads the same, but for what does not count."""

    def plain(text: str) -> str:
        return " ".join(unicodedata.normalize("NFKC", text).casefold().split())

    span = find_quote(quote, document)
    if span is not None:
        assert plain(quote) == plain(quoted(span, document))


@settings(max_examples=300)
@given(
    st.sampled_from(["pmid:999", "pmid:1", "PMID 11", "", "local:11", "doi:10.1/x", "pmid:11 ", "pmid:11"]),
    st.one_of(texts, st.sampled_from([GOOD, AGAINST.text, POISON.text, FOR.title, f"{GOOD} strongly"])),
    st.sampled_from(["Statins help in heart failure.", "Statins help, see pmid:999.", "Statins save 90% of patients."]),
)
def test_a_fabricated_citation_is_always_caught(id_: str, quote: str, text: str) -> None:
    """Whatever a model says, what is kept cites a document that was shown, with words that stand in it."""
    shown = (FOR, AGAINST, RETRACTED)
    kept, dropped = check_claims(STATIN, [claim(text, (id_, quote))], shown)
    assert len(kept) + len(dropped) == 1
    by_id = {document.id: document for document in shown}
    for one in kept:
        assert "999" not in one.text
        assert "90" not in one.text
        for citation in one.citations:
            document = by_id[citation.document_id]
            assert document is FOR
            assert citation.quote == quoted(citation.span, document)
            assert citation.quote in document.text


def test_a_claim_with_a_true_quote_is_kept_with_the_whole_sentence() -> None:
    kept, dropped = check_claims(
        STATIN, [claim("Statins reduced mortality by 21%.", ("pmid:11", GOOD.lower()))], PAPERS
    )
    assert not dropped
    citation = kept[0].citations[0]
    assert citation.quote == GOOD
    assert citation.sentence == f"{GOOD} (P = 0.01)."
    assert not kept[0].cautions


def test_each_way_of_being_unsupported_is_told() -> None:
    said = reasons(
        claim("Statins help in heart failure."),
        claim("Statins help in heart failure.", ("pmid:999", GOOD)),
        claim("Statins help in heart failure.", ("pmid:12", GOOD)),
        claim("Statins reduce mortality in heart failure.", ("pmid:12", "reduce mortality in patients with heart")),
        claim("Statins reduced mortality by 30%.", ("pmid:11", GOOD)),
        claim("Statins reduced mortality [pmid:14].", ("pmid:11", GOOD)),
        claim("Fish swim.", ("pmid:11", GOOD)),
        claim("Statins reduce mortality in heart failure.", ("pmid:13", RETRACTED.text)),
    )
    expected = [
        "it cites nothing",
        "it cites 'pmid:999', which was not shown",
        "the words it quotes are not in pmid:12",
        "its quote of pmid:12 leaves out 'not'",
        "it says 30%, which its quotes do not",
        "it names pmid:14, which does not support it",
        "it has no word in common with its quotes",
        "it rests on retracted documents alone (pmid:13)",
    ]
    assert len(said) == len(expected)
    for reason, start in zip(said, expected, strict=True):
        assert reason.startswith(start)


def test_a_retracted_document_is_flagged_beside_a_sound_one() -> None:
    kept, _ = check_claims(
        STATIN, [claim("Statins reduced mortality.", ("pmid:13", RETRACTED.text), ("pmid:11", GOOD))], PAPERS
    )
    assert [citation.retracted for citation in kept[0].citations] == [True, False]


def test_a_citation_that_does_not_hold_is_left_out_and_told_where_another_one_holds() -> None:
    kept, _ = check_claims(STATIN, [claim("Statins reduced mortality.", ("pmid:999", GOOD), ("pmid:11", GOOD))], PAPERS)
    assert [citation.document_id for citation in kept[0].citations] == ["pmid:11"]
    assert kept[0].cautions == ("it cites 'pmid:999', which was not shown",)


def test_numbers_that_are_part_of_names_are_no_figures() -> None:
    document = paper(
        1, "Raised IL-6 was associated with worse outcome in 1,204 patients of this cohort.", title="Diabetes, T2DM"
    )
    stated = claim(
        "In T2DM, type 2 diabetes, IL-6 goes with worse outcome in 1204 patients.", ("pmid:1", document.text)
    )
    assert not check_claims("Is IL-6 raised in type 2 diabetes?", [stated], [document])[1]
    assert check_claims("Is IL-6 raised?", [stated], [document])[1][0].reason.startswith("it says 2,")


def test_a_negation_in_another_clause_is_not_left_out() -> None:
    document = paper(
        1, "Although drug A was not safe, drug B was associated with longer survival; C did not help at all."
    )
    span = find_quote("drug B was associated with longer survival", document)
    assert span is not None
    assert left_out("Drug B goes with longer survival.", span, document)[0] == ""
    span = find_quote("help at all", document)
    assert span is None  # too short
    assert quoted(sentence_of(find_quote("drug B was associated", document), document), document) == document.text  # type: ignore[arg-type]


def test_sentences_end_where_they_do() -> None:
    text = "A vs. B was tested (P = .03). In E. coli, e.g. K12, none grew! Was it so? Yes."
    assert [text[start:end] for start, end in sentences(text)] == [
        "A vs. B was tested (P = .03).", "In E. coli, e.g. K12, none grew!", "Was it so?", "Yes.",
    ]  # fmt: skip


@given(st.text(max_size=200))
def test_sentences_hold_all_but_white_space(text: str) -> None:
    found = sentences(text)
    assert "".join("".join(text[start:end].split()) for start, end in found) == "".join(text.split())
    assert all(one[1] <= other[0] for one, other in pairwise(found))


def test_documents_are_recognised_however_they_are_named() -> None:
    text = (
        "See [pmid:1, PMID 22], (PMC123), doi:10.1016/s0140-6736(05)1. Local: no. Under local anesthesia, local:abc1."
    )
    assert [mention.id for mention in mentions(text)] == [
        "pmid:1", "pmid:22", "pmcid:PMC123", "doi:10.1016/s0140-6736(05)1", "local:abc1",
    ]  # fmt: skip


@settings(max_examples=300)
@given(st.text(min_size=1, max_size=80), st.sampled_from(["local:", "doi:10.1000/"]))
def test_any_id_can_be_cited_and_none_ends_its_citation(text: str, kind: str) -> None:
    """Files name documents as they like; what stands in brackets is one name, and names the document."""
    cited = cite_id(kind + text)
    told = f"It helps [{cited}]. So it is (see [{cited}, p. 3])."
    assert [same_id(kind + text, mention.id) for mention in mentions(told)] == [True, True]
    assert cite_id("doi:10.1016/s0140-6736(05)1") == "doi:10.1016/s0140-6736(05)1"


def test_long_ids_are_told_apart() -> None:
    one, other = (cite_id(f"local:{'x' * 500}{end}") for end in "ab")
    assert len(one) == len(other) <= LONGEST_ID
    assert one != other


def test_without_a_model_the_sentences_that_say_most_are_quoted() -> None:
    answer = quote_evidence(STATIN, retrieve(STATIN, [Shelf()]))
    assert {citation.document_id for claim in answer.claims for citation in claim.citations} >= {"pmid:11", "pmid:12"}
    assert answer.claims[0].text in (f"{GOOD} (P = 0.01).", AGAINST.text.split(". ", 1)[1])
    assert answer.conflict
    assert answer.notice == NOTICE
    assert OTHER not in answer.documents
    assert RETRACTED in answer.retracted
    assert all(not citation.retracted for claim in answer.claims for citation in claim.citations)


def test_what_says_nothing_of_a_question_is_not_quoted() -> None:
    answer = quote_evidence("Does chewing gum prevent otitis media?", retrieve("chewing gum fish water", [Shelf()]))
    assert answer.abstained
    assert answer.reason == f"{NOTHING} What was found is about something else."
    nothing = quote_evidence(STATIN, retrieve(STATIN, [Shelf([])]))
    assert nothing.reason.endswith("No document was found.")


def test_nothing_is_said_on_a_retracted_document_alone() -> None:
    answer = quote_evidence(STATIN, retrieve(STATIN, [Shelf([RETRACTED])]))
    assert answer.abstained
    assert "Only retracted documents bear on this (pmid:13)" in answer.reason


def test_poison_in_an_abstract_is_quoted_at_most() -> None:
    """It can bring in no document: what is cited is what was found."""
    answer = quote_evidence(STATIN, retrieve(STATIN, [Shelf([POISON])]))
    assert {citation.document_id for claim in answer.claims for citation in claim.citations} == {"pmid:15"}


@pytest.mark.parametrize(
    ("sentence", "says"),
    [
        ("Statins reduced mortality in heart failure.", "yes"),
        ("Low vitamin D was significantly associated with falls.", "yes"),
        ("We found no evidence of a benefit.", "no"),
        ("Although costs fell, survival did not improve.", "no"),
        ("The drug was not associated with bleeding.", "no"),
        ("Whether this matters is unclear, and further studies are needed.", "unclear"),
        ("Patients were recruited in two centres.", "unclear"),
    ],
)
def test_what_a_sentence_seems_to_say(sentence: str, says: str) -> None:
    assert stance(sentence) == says


def test_questions_of_yes_or_no() -> None:
    assert is_yes_no("Do statins reduce mortality?")
    assert is_yes_no("Statins in heart failure: are they of use?")
    assert not is_yes_no("What is the dose of digoxin?")
