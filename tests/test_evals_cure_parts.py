"""CURE's parts: names, replies, leaks, marks, quadrants and coverage, each by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.models import load_mllm
from evals.engine.suite import Judged, Sample, Scored, Transcript
from evals.judge import VerdictCache
from evals.results import Failure
from evals.stats.means import wilson
from evals.suites.ablations import accuracies, by_setting, listed, shares
from evals.suites.cure.cases import Case
from evals.suites.cure.judge import marks_by_name, rate
from evals.suites.cure.leaks import copied_share, leak, outgoing, title_likeness
from evals.suites.cure.names import named, same
from evals.suites.cure.options import Options
from evals.suites.cure.parse_reply import RANKED, Unreadable, cited_ids, letter_of, read_choice, read_ranked
from evals.suites.cure.scorer import (
    NO_ANSWER,
    QUADRANTS,
    Answer,
    Attempt,
    citations,
    coverage,
    evidence_figures,
    gaps,
    quadrant,
    quadrants,
)
from tests.cure_runs import FILLERS, five, script
from tools.literature.types import Document, Section

OPTIONS = {"A": "Severe sepsis", "B": "B-cell lymphoma", "C": "Vitamin D deficiency", "D": "A severe asthma"}
CASE = Case(
    case_id="x", title="A rare shadow behind the heart", source_url="https://www.eurorad.org/case/1", gold_dx="Scurvy",
    history="One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen.",
)  # fmt: skip


def paper(title: str = "", text: str = "", **more: Any) -> Document:
    return Document(id=more.pop("id", "pmid:1"), title=title, sections=(Section(text=text),), **more)


def answer(**given: Any) -> Answer:
    held: dict[str, Any] = {
        "setting": "rag", "marks": [2, 0, 0, 0, 0], "abstained": False, "supports": [[], [], [], [], []], "covers": [],
        "shown": [], "retracted": 0, "cited": [[], [], [], [], []], "invented": 0, "dropped": {}, "missing": [],
        "queries": [], "problems": [], "stopped": "",
    }  # fmt: skip
    return Answer.of(held | given)


def attempt(cluster: str, made: Answer | None, cited: tuple[str, ...] = ("pmid:1",), setting: str = "rag") -> Attempt:
    return Attempt(setting=setting, answer=made, cited=cited, cluster=cluster)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Crohn's disease", "crohn disease", True),
        ("Ménière’s disease", "Meniere disease", True),
        ("The Sjögren syndrome", "sjogren syndrome", True),
        ("Non-Hodgkin lymphoma", "non Hodgkin lymphoma", True),
        ("PML", "Progressive multifocal encephalopathy (PML)", True),
        ("Progressive multifocal encephalopathy", "Progressive multifocal encephalopathy (PML)", True),
        ("Whipple disease", "Whipple's disease", True),
        ("Lymphoma", "Non-Hodgkin lymphoma", False),
        ("Hodgkin lymphoma", "Non-Hodgkin lymphoma", False),
        ("Type 1 diabetes", "Type 2 diabetes", False),
        ("", "Scurvy", False),
    ],
)
def test_names_are_the_same_by_their_words(one: str, other: str, alike: bool) -> None:
    assert same(one, [other]) is alike


@pytest.mark.parametrize(
    ("text", "name", "there"),
    [
        ("It was Crohn’s disease.", "Crohn disease", True),
        ("It was osteoid osteoma, not bone.", "Osteoid osteoma", True),
        ("Osteoid and osteoma were seen.", "Osteoid osteoma", False),
        ("The latency was 20 ms.", "MS", False),
        ("Patients with MS were seen.", "Multiple sclerosis (MS)", True),
        ("HMS and MS-like pictures", "MS", False),
        ("Hepatoscurvy is no word.", "Scurvy", False),
        ("", "Scurvy", False),
    ],
)
def test_a_text_names_a_diagnosis_where_its_words_stand_in_a_row(text: str, name: str, there: bool) -> None:
    assert named(text, [name]) is there


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        ("B. B-cell lymphoma", "B"),
        ("C) because of the bones", "C"),
        ("Answer: D", "D"),
        ("The answer is A, since the blood grew cocci.", "A"),
        ("The answer is A because of the blood.", "A"),
        ("Answer: A Severe sepsis", "A"),
        ("**Option C**", "C"),
        ("A. Severe sepsis\n\nThe answer is:\nA. Severe sepsis", "A"),
        ("The blood grew cocci.\nA. Severe sepsis", "A"),
        ("Severe sepsis", "A"),
        ("b-cell lymphoma", "B"),
        ("<think>A or B?</think>B", "B"),
        ('{"choice": "C", "papers": []}', "C"),
        ('{"choice": "Vitamin D deficiency"}', "C"),
        ('Sure: {"choice": "(D)", "why": "A severe attack"}', "D"),
        # What other codes take for a letter:
        ("A severe infection of the blood.", None),
        ("The answer is A severe infection.", None),
        ("A patient like this has option trouble.", None),
        ("B cells were many.", None),
        ("Vitamin D is low.", None),
        ("Answer: A or B", None),
        ("A. Severe sepsis\nB. B-cell lymphoma\nC. Vitamin D deficiency", None),
        ("A. Severe sepsis\n\nThe correct answer is:\n\nD. A severe asthma", None),
        ("Either A, B or C.", None),
        ("E", None),
        ("Answer: E", None),
        ("I do not know.", None),
        ('{"choice": "E"}', None),
        ('{"choice": ""}', None),
        ("{}", None),
        ("", None),
    ],
)
def test_a_letter_is_read_where_it_can_be_nothing_else(reply: str, letter: str | None) -> None:
    if letter is None:
        with pytest.raises(Unreadable):
            read_choice(reply, OPTIONS)
    else:
        said = read_choice(reply, OPTIONS)
        assert (said.choice, said.abstained) == (letter, False)
        assert said.diagnoses[0].name == OPTIONS[letter]


@given(st.text(alphabet="abcdefgh severinfct", max_size=40))
def test_prose_that_begins_with_the_article_is_no_option(words: str) -> None:
    with pytest.raises(Unreadable):
        letter_of(f"A s{words}", {"A": "Mumps", "B": "Measles"})


@pytest.mark.parametrize("reply", ["ABSTAIN", "I abstain.", '{"choice": "ABSTAIN", "why": "Too little is known."}'])
def test_who_abstains_from_a_choice_has_none(reply: str) -> None:
    assert read_choice(reply, OPTIONS).abstained


def test_five_diagnoses_are_read_with_their_papers() -> None:
    said = read_ranked(five("Mumps", [1, "pmid:7"]))
    assert [one.name for one in said.diagnoses] == ["Mumps", *FILLERS]
    assert said.diagnoses[0].papers == (1, "pmid:7")
    lines = "These are likely:\n1. Mumps [1, 3]\n2. Scurvy [2]\n3) Rickets\n4. **Anthrax**\n5. Beriberi."
    said = read_ranked(lines)
    assert [one.name for one in said.diagnoses] == ["Mumps", "Scurvy", "Rickets", "Anthrax", "Beriberi"]
    assert said.diagnoses[0].papers == (1, 3)
    assert read_ranked('{"abstain": true, "why": "no data"}').abstained
    assert read_ranked("ABSTAIN").abstained


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (json.dumps({"diagnoses": [{"name": "Mumps"}] * 4}), "5 items"),
        (json.dumps({"diagnoses": [{"name": f"{n}"} for n in range(6)]}), "5 items"),
        (five("Scurvy"), "the same"),
        (five("Beriberi's"), "the same"),
        (five(" "), "name"),
        (five("?"), "no words"),
        ("1. Mumps\n2. Scurvy", "2 numbered lines"),
        ("2. Mumps\n3. Scurvy\n4. a\n5. b\n6. c", "from 1 on"),
        ("It is mumps.", "0 numbered lines"),
        ('{"diagnoses": "Mumps"}', "diagnoses"),
        ('{"diagnoses": [', "does not end"),
        ("", "0 numbered lines"),
    ],
)
def test_what_are_not_five_diagnoses_is_no_answer(reply: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read_ranked(reply)


@given(st.text(max_size=200))
def test_any_reply_is_read_or_told_to_be_unreadable(reply: str) -> None:
    for read in (read_ranked, lambda text: read_choice(text, OPTIONS)):
        try:
            said = read(reply)
        except Unreadable:
            continue
        assert said.abstained or said.diagnoses


def test_citations_of_what_was_never_shown_are_invented() -> None:
    numbers = {1: "pmid:11", 2: "pmid:12"}
    assert cited_ids([1, "2", "[1]", "pmid:12", "11"], numbers) == (("pmid:11", "pmid:12"), 0)
    assert cited_ids([3, 0, -1, "pmid:99", "Smith 2020", ""], numbers) == ((), 6)
    assert cited_ids([], numbers) == ((), 0)
    assert cited_ids([1], {}) == ((), 1)


def test_the_own_report_is_known_by_address_title_or_words() -> None:
    assert leak(CASE, paper(source="https://www.eurorad.org/case/1/")) == "own report"
    assert leak(CASE, paper("A rare shadow behind the heart.")) == "own report"
    assert leak(CASE, paper("A rare shadow behind the heart: a report")) is None  # 0.87 alike
    assert leak(CASE, paper("Something else", f"We report this. {CASE.history}")) == "own report"
    assert leak(CASE, paper("Something else", "One two three four five six seven, and no more.")) is None
    assert leak(CASE, paper("", "")) is None
    assert title_likeness("", "") == 0
    assert copied_share("too short to be known", paper(text="too short to be known")) == 0


def test_retracted_papers_and_blocked_hosts_are_kept_back() -> None:
    assert leak(CASE, paper("Other", retracted=True)) == "retracted"
    assert leak(CASE, paper("Other", doi="10.35100/eurorad/case.17")) == "blocked host"
    assert leak(CASE, paper("Other", source="https://www.eurorad.org/case/2")) == "blocked host"
    assert leak(CASE, paper("Other", source="https://cases.example.org/2"), ("cases.example.org",)) == "blocked host"
    assert leak(CASE, paper("Other", source="https://cases.example.org/2")) is None


def test_a_query_carries_no_age_date_or_hospital() -> None:
    sent = outgoing("A 46-year-old man seen at Saint Mary Hospital on 3 March 2021 has IL-6 of 40, no fever")
    assert sent.startswith("An adult man seen")
    assert not any(word in sent for word in ("46", "Mary", "March", "2021"))
    assert "IL-6 of 40, no fever" in sent
    assert outgoing(sent) == sent


def test_only_the_same_disease_is_a_hit_and_a_broader_one_is_1(tmp_path: Path) -> None:
    asks = {"Bone tumour": 1, "Cortical osteoma with a nidus": 2, "Fracture": 0}
    turns = [
        {"when": f"is rated:\n<untrusted>{name}</untrusted>", "say": json.dumps({"score": score, "why": "So."})}
        for name, score in asks.items()
    ]
    gold = ("Osteoid osteoma", "Cortical osteoid osteoma")
    names = ["Bone tumour", "Fracture", "cortical osteoid osteoma", "Cortical osteoma with a nidus"]
    with VerdictCache(tmp_path / "verdicts.sqlite") as cache:
        for order in (names, names[::-1]):
            marks, verdicts = rate(cache, load_mllm(script(tmp_path / "j.json", turns)), order, gold)
            assert dict(zip(order, marks, strict=True)) == dict(zip(names, (1, 0, 2, 2), strict=True))
            assert len(verdicts) == 3  # what words settle is not judged
        assert all(verdict.cached for verdict in verdicts)
        marks, _ = rate(cache, load_mllm(script(tmp_path / "k.json", [{"say": "Two."}] * 2)), ["Cyst"], gold)
        assert marks == [None]
    assert marks_by_name(names, gold) == [0, 0, 2, 0]


def test_a_missing_verdict_leaves_a_hit_open_only_where_it_matters() -> None:
    assert answer(marks=[2, None, 0, 0, 0]).hit(1) is True
    assert answer(marks=[None, 2, 0, 0, 0]).hit(1) is None
    assert answer(marks=[None, 2, 0, 0, 0]).hit(RANKED) is True
    assert answer(marks=[0, None, 0, 0, 0]).hit(RANKED) is None
    assert answer(marks=[1, 0, 0, 0, 2]).hit(1) is False  # a broader group is no hit
    assert answer(marks=[1, 0, 0, 0, 2]).hit(RANKED) is True
    assert answer(marks=[None, 2, 0, 0, 0]).quadrant is None
    assert answer(marks=None, abstained=True).quadrant is None


@given(st.lists(st.tuples(st.sampled_from([0, 1, 2, None]), st.booleans(), st.booleans(), st.booleans()), max_size=30))
def test_quadrants_sum_to_1_over_answers_and_over_all_with_those_without_one(
    made: list[tuple[int | None, bool, bool, bool]],
) -> None:
    attempts = [
        attempt(
            str(number),
            None if failed
            else answer(marks=None if silent else [mark], supports=[["pmid:1"] if supported else []], abstained=silent),
        )
        for number, (mark, supported, silent, failed) in enumerate(made)
    ]  # fmt: skip
    found = quadrants(attempts)
    answered = [mark for mark, _, silent, failed in made if not silent and not failed and mark is not None]
    every = len(answered) + sum(silent or failed for _, _, silent, failed in made)
    assert sum(found.get(name, 0) for name in QUADRANTS) == pytest.approx(1 if answered else 0)
    assert found.get("quadrants n", 0) == len(answered)
    parts = [f"{name}, of all" for name in (*QUADRANTS, NO_ANSWER)]
    assert sum(found.get(name, 0) for name in parts) == pytest.approx(1 if every else 0)
    assert found.get("quadrants, of all n", 0) == every
    right = sum(found.get(name, 0) for name in QUADRANTS[:2])
    assert right == pytest.approx(answered.count(2) / len(answered) if answered else 0)
    # The two right parts of all are the accuracy, failures as wrong.
    assert sum(found.get(name, 0) for name in parts[:2]) == pytest.approx(answered.count(2) / every if every else 0)


def test_shares_of_evidence_have_intervals_and_say_of_how_many_they_are() -> None:
    one = {"shown": ["pmid:1", "pmid:2"], "queries": ["q"]}
    right = answer(**one, supports=[["pmid:1"], [], [], [], []], cited=[["pmid:1", "pmid:2"], [], [], [], []])
    silent = answer(**one, marks=None, abstained=True, supports=[], cited=[])
    attempts = [attempt(f"c{number}", right) for number in range(3)]
    attempts += [attempt("c3", silent, ()), attempt("c4", None)]
    found = evidence_figures(attempts)
    for name, value, n in (
        ("cov_pmid@k", 1, 3), ("cov_pmid@k, any", 1, 3), ("cov_dx", 0, 4), ("abstained", 1 / 4, 4),
        ("citation precision", 1 / 2, 6),
    ):  # fmt: skip
        assert (found[f"rag: {name}"], found[f"rag: {name} n"]) == (value, n), name
        assert 0 <= found[f"rag: {name} low"] <= value <= found[f"rag: {name} high"] <= 1
        assert found[f"rag: {name} low"] < found[f"rag: {name} high"]
    assert (found["rag: abstained low"], found["rag: abstained high"]) == pytest.approx(wilson(1, 4))
    assert (found["rag: evidence-based"], found["rag: quadrants n"]) == (1, 3)
    assert (found["rag: evidence-based low"], found["rag: evidence-based high"]) == pytest.approx(wilson(3, 3))
    assert (found["rag: evidence-based, of all"], found["rag: no answer, of all"]) == (3 / 5, 2 / 5)
    assert (found["rag: no answer, of all low"], found["rag: no answer, of all high"]) == pytest.approx(wilson(2, 5))
    # Citations of one case are no independent ones.
    both = shares("x", [True, False] * 6, [name for number in range(6) for name in (f"a{number}", f"b{number}")])
    alike = shares("x", [True, False] * 6, ["a", "b"] * 6)
    assert alike["x high"] - alike["x low"] > both["x high"] - both["x low"]
    assert shares("x", [], []) == {}
    assert shares("x", [1.0, 0.0], ["a", "a"]) == {"x": 0.5, "x n": 2}


def test_a_search_that_brings_nothing_is_counted() -> None:
    nothing, kept = answer(queries=["q"]), answer(queries=["q"], dropped={"pmid:1": "retracted"})
    found = evidence_figures(
        [attempt("a", nothing), attempt("b", kept), attempt("c", answer(queries=["q"], shown=["p"]))]
    )
    assert found["rag: searches that brought nothing"] == 1
    assert not answer(queries=["q"], stopped="finished").found_nothing  # an agent need not open what it found


def test_what_the_judge_fails_to_say_is_in_no_mean_and_counted() -> None:
    def judged(setting: str, case: int, value: float | None, failure: Failure = "") -> Judged:
        sample = Sample(id=f"c{case}", fields={"setting": setting})
        return sample, Transcript(task=setting, id=sample.id), Scored(value=value, failure=failure)

    held = [
        judged("reference", case, None, "judge") if case % 2 else judged("reference", case, 1) for case in range(40)
    ]
    held += [judged("rag", case, 0) for case in range(39)] + [judged("rag", 39, None, "parse")]
    found = accuracies(held)
    assert (found["reference: accuracy"], found["reference: n"], found["reference: without a verdict"]) == (1, 20, 20)
    assert (found["reference: accuracy low"], found["reference: accuracy high"]) == pytest.approx(wilson(20, 20))
    assert (found["rag: accuracy"], found["rag: n"], found["rag: unparsed"]) == (0, 40, 1)
    assert "rag: without a verdict" not in found
    gap = gaps(by_setting(held), {sample.id: sample.id for sample, _, _ in held})
    assert (gap["gap, reference less rag"], gap["gap, reference less rag: n"]) == (1, 20)
    none = accuracies([judged("base", case, None, "judge") for case in range(3)])
    assert none == {"base: n": 0, "base: unparsed": 0, "base: without a verdict": 3}


def test_a_source_on_the_network_is_asked_what_the_model_writes() -> None:
    assert not Options(setting="rag").writes_query
    assert Options(setting="rag", query="model").writes_query
    assert Options(setting="rag", source="pubmed").writes_query
    with pytest.raises(ValueError, match="a whole case cannot be a query for europepmc"):
        Options(setting="rag", source="europepmc", query="case")


def test_each_quadrant_is_what_it_is_called() -> None:
    found = [quadrant(right=right, supported=supported) for right in (True, False) for supported in (True, False)]
    assert tuple(found) == QUADRANTS


def test_coverage_is_of_cited_papers() -> None:
    assert coverage(["a", "b", "c"], ["b", "d"]) == 0.5
    assert coverage([], ["b"]) == 0
    assert coverage(["a"], []) is None


def test_citation_precision_counts_papers_that_do_not_name_and_were_not_shown() -> None:
    one = answer(cited=[["p1", "p2"], ["p1"], [], [], []], supports=[["p1"], [], [], [], []], invented=1)
    assert citations(one) == [True, False, False, False]
    assert citations(answer()) == []
    assert citations(answer(invented=2)) == [False, False]


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(*[st.sampled_from([0.0, 1.0])] * 3), min_size=2))
def test_what_is_rescued_less_what_is_harmed_is_the_gain(made: dict[str, tuple[float, float, float]]) -> None:
    names = ("base", "reference", "rag")
    scores = {name: {case: values[place] for case, values in made.items()} for place, name in enumerate(names)}
    found = gaps(scores, {case: case for case in made})
    for name in ("reference", "rag"):
        gain = found[f"gain, {name} less base"]
        assert found[f"{name}: rescued"] - found[f"{name}: harmed"] == pytest.approx(gain)
        assert found[f"gain, {name} less base: low"] <= gain <= found[f"gain, {name} less base: high"]
    gap = found["gap, reference less rag"]
    assert gap == pytest.approx(found["gain, reference less base"] - found["gain, rag less base"])
    assert 0 <= found["gap, reference less rag: p"] <= 1


@pytest.mark.parametrize(
    ("right", "n", "half"), [(367, 500, 0.039), (127, 500, 0.038), (0, 10, 0.139), (10, 10, 0.139), (500, 500, 0.004)]
)
def test_the_half_width_is_that_of_the_interval(right: int, n: int, half: float) -> None:
    held = [
        (Sample(id=f"c{case}", fields={"setting": "base"}), Transcript(task="base", id=f"c{case}"), Scored(value=value))
        for case, value in enumerate([1.0] * right + [0.0] * (n - right))
    ]
    found = accuracies(held)
    assert found["base: half-width at n"] == pytest.approx(half, abs=5e-4)
    low, high = wilson(right, n)
    assert found["base: half-width at n"] == pytest.approx((high - low) / 2)


def test_settings_are_listed_once_and_known() -> None:
    assert listed("rag, base,rag", ("base", "rag")) == ("rag", "base")
    for text in ("", " , ", "base,odd"):
        with pytest.raises(ValueError, match=r"setting|expected at least"):
            listed(text, ("base", "rag"))
