"""What a claim makes of its quotes: frames, contradictions, other subjects, numbers, and the sides of a question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.literature_helpers import Shelf, paper
from tools.literature.export.formats import answer_text
from tools.literature.retrieval.questions import asks_for_effect, in_plain_words, names, stems
from tools.literature.retrieval.relevance import bearing, best_sentences
from tools.literature.retrieval.retrieve import Retrieved, retrieve
from tools.literature.support.answer import (
    BY_RULE,
    Claim,
    LiteratureAnswer,
    StatedCitation,
    StatedClaim,
    answer_of,
    check_claims,
    quote_evidence,
)
from tools.literature.support.quantities import figures, lacking
from tools.literature.support.quote_match import find_quote, quoted
from tools.literature.types import Document, Hit

SEPSIS = "Does aspirin reduce mortality in sepsis?"
REDUCES = "Aspirin reduces mortality in sepsis."


def checked(
    claim: str, text: str, quote: str, question: str = SEPSIS, **fields: object
) -> tuple[list[Claim], list[str]]:
    """The claim if it is kept, and why not if it is dropped."""
    document = paper(1, text, **{"title": ""} | fields)
    stated = StatedClaim(text=claim, stance="yes", citations=(StatedCitation(id="pmid:1", quote=quote),))
    kept, dropped = check_claims(question, [stated], [document])
    return kept, [one.reason for one in dropped]


def test_what_is_of_an_objective_is_no_finding() -> None:
    text = "Aspirin reduces mortality in sepsis, as we set out to show."
    assert checked(REDUCES, text, "Aspirin reduces mortality in sepsis", label="OBJECTIVE")[1]
    assert not checked(REDUCES, text, "Aspirin reduces mortality in sepsis", label="RESULTS")[1]


def test_a_claim_that_perhaps_denies_its_quote_is_marked() -> None:
    sentence = "Aspirin was not linked to death in sepsis at all."
    kept, _ = checked("Giving early aspirin improves recovery from sepsis.", sentence, sentence)
    assert "by their words, its quotes may say the opposite: read them" in kept[0].cautions


def test_a_model_that_counts_its_claim_on_the_wrong_side_is_set_right() -> None:
    sentence = "Aspirin did not reduce mortality in sepsis."
    kept, _ = checked(sentence, sentence, sentence)
    assert kept[0].stance == "unclear"
    assert kept[0].cautions == ("the model counts it as 'yes', and its words say the opposite",)


@pytest.mark.parametrize(
    ("claim", "said"),
    [("Metformin reduces mortality in septic shock.", "metformin"), ("Ivermectin reduced mortality.", "ivermectin")],
)
def test_a_claim_on_another_subject_than_its_quote_is_dropped(claim: str, said: str) -> None:
    text, question = (
        "Hydrocortisone reduced mortality in septic shock.",
        "Does metformin reduce mortality in septic shock?",
    )
    assert checked(claim, text, text, question)[1] == [f"it speaks of {said!r}, and its quotes do not"]
    assert not checked(claim, text, text, question, title=f"{said} for shock")[1]


@pytest.mark.parametrize(
    "quote",
    [
        "A change of -12% with",
        "(non-inferior to placebo) of",
        "non-inferior to placebo) of",
        "of 10⁵ cells/l in",
        "BMI of 25 kg/m2 or more",
    ],
)
def test_whole_words_and_figures_are_found(quote: str) -> None:
    document = paper(
        1, "A change of -12% with X (non-inferior to placebo) of 10⁵ cells/l in a BMI of 25 kg/m² or more."
    )
    span = find_quote(quote, document)
    assert span is not None
    assert quoted(span, document).replace("²", "2") == quote


def test_a_retracted_document_lends_no_words_and_no_numbers() -> None:
    retracted = paper(1, "Drug X cut mortality by 37% in adults.", retracted=True)
    sound = paper(2, "Patients were given drug X for a week.")
    stated = StatedClaim(
        text="Drug X cuts mortality by 37%.",
        citations=(
            StatedCitation(id="pmid:1", quote="Drug X cut mortality by 37% in adults."),
            StatedCitation(id="pmid:2", quote="Patients were given drug X"),
        ),
    )
    kept, dropped = check_claims("Does drug X cut mortality?", [stated], [retracted, sound])
    assert not kept
    assert dropped[0].reason == "it says 37%, which its quotes do not"


@pytest.mark.parametrize(
    ("claim", "told", "question", "lacks"),
    [
        ("40mg for 12-week courses", "a low dose", "", ["12 week", "40 mg"]),
        ("40mg for 12-week courses", "40 mg for twelve weeks", "", []),
        ("by 5%", "by 5 percent", "", []),
        ("by 5%", "5 mg", "", ["5%"]),
        ("5 mg", "5 mg/kg", "", []),
        ("it was cut by 50%", "by 3%", "Is it cut by 50%?", ["50%"]),
        ("mortality 50% less", "by 3%", "Is mortality 50% less?", ["50%"]),
        ("in type 2 diabetes", "in adults", "And type 2 diabetes?", []),
        ("in type 2 diabetes", "in adults", "And diabetes?", ["2"]),
        ("P = .05, of 1,204", "P = 0.050, of 1204", "", []),
        ("IL-6, T2, 5-HT and 12-lead", "nothing", "", []),
        ("20 mg", "10-20 mg", "", []),
    ],
)
def test_numbers_have_units(claim: str, told: str, question: str, lacks: list[str]) -> None:
    assert lacking(claim, told, question) == lacks


@given(st.integers(1, 9999), st.sampled_from(["mg", "%", "weeks", "mmHg", "years"]), st.sampled_from(["", " ", "-"]))
def test_any_number_is_known_however_its_unit_stands(number: int, unit: str, between: str) -> None:
    assert figures(f"of {number}{between}{unit}.") == figures(f"of {number} {unit}.")
    assert lacking(f"{number}{between}{unit}", f"{number + 1} {unit}")
    assert not lacking(f"{number}{between}{unit}", f"it was {number} {unit}")


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Does metformin improve survival in septic shock?", "Hydrocortisone improved survival in septic shock."),
        ("Does hypertension increase the risk of stroke?", "Hyperthyroidism increases the risk of stroke."),
        ("Does hydrochlorothiazide improve survival in shock?", "Hydrocortisone improved survival in shock."),
        ("Does surfactant reduce pneumonia in preterm infants?", "Surfactant reduced pneumothorax in preterm infants."),
        ("Does aspirin prevent measles?", "Aspirin prevents stroke."),
    ],
)  # fmt: skip
def test_evidence_on_another_subject_is_no_answer(question: str, text: str) -> None:
    document = paper(1, text, title=text)
    assert quote_evidence(question, retrieve(question, [Shelf([document])])).abstained
    near = Retrieved(question=question, hits=(Hit(document=document, score=1.0),), cosines={"pmid:1": 0.8})
    assert quote_evidence(question, near).abstained


def test_evidence_with_another_word_for_the_subject_answers() -> None:
    question = "Does high blood pressure increase the risk of ischaemic stroke?"
    document = paper(1, "Hypertension increased the risk of ischemic strokes in adults.", title="")
    assert quote_evidence(question, retrieve(question, [Shelf([document])])).claims


def test_forms_of_a_word_are_one_and_names_are_known() -> None:
    assert stems("reduces reduced reduction") == stems("reduce")
    assert stems("ischaemic oedema") == stems("ischemic edema")
    assert len(stems("hypertension hyperthyroidism pneumonia pneumothorax")) == 4
    assert names("Does metformin or COVID-19 change the rate of pneumonia?") == stems("metformin pneumonia") | {
        "covid-19"
    }
    assert not names("The 1st hypothesis on 40mg: emphasis, analysis and extension of the examined area in 12-month")


def test_a_question_in_plain_words_is_answered_by_what_is_nearest_in_meaning() -> None:
    question = "Can kids with weak bones get sick from milk?"
    assert in_plain_words(question)
    near = paper(1, "Dairy intake increased fracture-related admissions in paediatric osteoporosis.", title="")
    far = paper(2, "Calcium supplementation improved densitometry in adolescent cohorts.", title="")
    hits = (Hit(document=near, score=1.0), Hit(document=far, score=0.9))
    assert [hit.document.id for hit in bearing(question, hits, {"pmid:1": 0.75, "pmid:2": 0.71})] == ["pmid:1"]
    assert bearing(question, hits, {"pmid:1": 0.6, "pmid:2": 0.5}) == []
    assert best_sentences(question, [near])[0].document is near
    formal = "Does paediatric hypomineralisation predispose to gastrointestinal intolerance?"
    assert not in_plain_words(formal)
    assert bearing(formal, hits, {"pmid:1": 0.75, "pmid:2": 0.71}) == []


FOR_ASPIRIN = paper(1, "Aspirin reduced mortality in sepsis.", title="A", label="RESULTS")
AGAINST_ASPIRIN = paper(2, "Aspirin did not reduce mortality in sepsis.", title="B")


def by_model(question: str, *documents: Document) -> LiteratureAnswer:
    quote = documents[0].text
    stated = [StatedClaim(text=quote, stance="yes", citations=(StatedCitation(id="pmid:1", quote=quote[:-1]),))]
    kept, dropped = check_claims(question, stated, documents)
    return answer_of(question, Retrieved(question=question), documents, kept, dropped, model="m")


def test_the_other_side_is_shown_where_a_model_leaves_it_out() -> None:
    answer = by_model(SEPSIS, FOR_ASPIRIN, AGAINST_ASPIRIN)
    assert answer.conflict
    assert answer.claims[1].stance == "no"
    assert answer.claims[1].citations[0].document_id == "pmid:2"
    assert answer.claims[1].cautions == (BY_RULE,)
    assert not by_model(SEPSIS, FOR_ASPIRIN).conflict
    withdrawn = AGAINST_ASPIRIN.model_copy(update={"retracted": True})
    assert not by_model(SEPSIS, FOR_ASPIRIN, withdrawn).conflict


@pytest.mark.parametrize(
    "question",
    [
        "Is aspirin safe in pregnancy?",
        "Is aspirin harmful in pregnancy?",
        "Is aspirin as good as placebo in pregnancy?",
    ],
)
def test_no_conflict_is_made_of_safety(question: str) -> None:
    safe = paper(1, "Aspirin is safe in pregnancy.", title="Aspirin in pregnancy")
    harmless = paper(2, "There was no increase in harm from aspirin in pregnancy; it is not unsafe.", title="Aspirin")
    assert not asks_for_effect(question)
    answer = quote_evidence(question, retrieve(question, [Shelf([safe, harmless])]))
    assert not answer.conflict
    assert not by_model(question, safe, harmless).conflict


def test_the_terminal_shows_what_a_model_quotes() -> None:
    long = paper(1, "In this trial, aspirin reduced mortality in sepsis by 5% in all.", title="A", label="RESULTS")
    stated = StatedClaim(
        text="Aspirin reduced mortality in sepsis.",
        citations=(StatedCitation(id="pmid:1", quote="aspirin reduced mortality in sepsis"),),
    )
    kept, _ = check_claims(SEPSIS, [stated], [long])
    lines = answer_text(answer_of(SEPSIS, Retrieved(question=SEPSIS), [long], kept, model="m")).splitlines()
    assert "  pmid:1, RESULTS: “aspirin reduced mortality in sepsis”" in lines
    assert f"    in: “{long.text}”" in lines
    whole = answer_text(by_model(SEPSIS, FOR_ASPIRIN)).splitlines()
    assert "  pmid:1, RESULTS: “Aspirin reduced mortality in sepsis”" in whole
    assert not any("in: “" in line for line in whole)


def test_units_may_be_written_otherwise() -> None:
    sentence = "Aspirin 40 mg reduced mortality in sepsis."
    kept, reasons = checked("Aspirin 40mg reduced mortality in sepsis.", sentence, sentence)
    assert not reasons
    assert kept[0].cautions == ()
