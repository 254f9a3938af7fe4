"""Scores of answers about films and of their evidence: hand-made cases, bounds, and what a judge's failure does."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.suites.na_vqa.dataset import Evidence, Labels, Question
from evals.suites.na_vqa.ranges import Range, spread_of
from evals.suites.na_vqa.scorer import (
    METRICS,
    Prediction,
    Scored,
    Span,
    citation_precision,
    evidence_scores,
    leak_warnings,
    order_agreement,
    overlaps,
    rouge_l,
    score,
    summarise,
)

GOLD: tuple[Span, ...] = ((10, 20), (50, 60), (90, 95))


def question(spans: Sequence[Span] = GOLD, film: str = "film") -> Question:
    pieces = tuple(Evidence(text="it happens", t0=start, t1=end) for start, end in spans)
    spread = spread_of(spans, 100)
    return Question("q", film, "Why?", "A man leaves in haste.", "Causal", pieces, spread, Labels())


def scored(id_: str, film: str = "film", range_: Range = "Far", kind: str = "Causal", **values: float | None) -> Scored:
    return Scored(id_, film, range_, kind, values)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ((0, 10), (9, 20), True),
        ((0, 10), (10, 20), False),
        ((0, 30), (10, 20), True),
        ((3, 4), (3, 4), True),
        ((3, 4), (4, 5), False),
        ((5, 5), (5, 9), True),
        ((9, 9), (5, 9), False),
        ((7, 7), (5, 9), True),
        ((5, 5), (5, 5), True),
        ((5, 5), (6, 6), False),
    ],
)
def test_evidence_is_found_where_time_is_shared(one: Span, other: Span, shared: bool) -> None:
    assert overlaps(one, other) is overlaps(other, one) is shared


def test_recall_counts_pieces_and_all_wants_every_one() -> None:
    told = ((0, 5), (15, 16), (18, 52), (70, 80), (94, 99))
    found = evidence_scores(GOLD, told)
    assert [found[f"recall@{k}"] for k in (1, 3, 5, 10)] == [0, pytest.approx(2 / 3), 1, 1]
    assert [found[f"all@{k}"] for k in (1, 3, 5, 10)] == [0, 0, 1, 1]
    assert (found["recall"], found["all"]) == (1, 1)
    assert set(evidence_scores(GOLD, ()).values()) == {0}
    assert evidence_scores(GOLD, told[:3])["all"] == 0


def test_the_order_of_citations_is_compared_with_the_chain() -> None:
    ahead = ((12, 13), (0, 5), (55, 56), (91, 92))
    assert order_agreement(ahead, GOLD) == 1
    assert order_agreement(ahead[::-1], GOLD) == -1
    assert order_agreement(((55, 56), (12, 13), (91, 92)), GOLD) == pytest.approx(1 / 3)
    assert order_agreement(((12, 13), (14, 15)), GOLD) is None
    assert order_agreement(((0, 5), (55, 56)), GOLD) is None
    assert order_agreement((), GOLD) is None
    assert order_agreement(((19, 56), (12, 13)), GOLD) == -1  # the first shares more with the second piece
    told_backwards = ((50, 60), (10, 20))  # a chain whose first event is shown last
    assert order_agreement(((55, 56), (12, 13)), told_backwards) == 1


def test_the_precision_of_citations_is_undefined_without_any() -> None:
    assert citation_precision(((12, 13), (0, 5), (14, 15)), GOLD) == pytest.approx(2 / 3)
    assert citation_precision((), GOLD) is None


def test_rouge_l_is_that_of_its_paper() -> None:
    reference = "police killed the gunman"  # the example of the paper's section 3.1
    assert rouge_l("police kill the gunman", reference) == 3 / 4
    assert rouge_l("the gunman kill police", reference) == 2 / 4
    assert rouge_l("The gunman: police killed!", reference) == 2 / 4
    assert rouge_l("the", reference) == pytest.approx(2 * 1 / 5)
    assert rouge_l("", reference) == rouge_l("...", reference) == rouge_l("word", "?") == 0


words = st.lists(st.sampled_from("abcd"), max_size=8).map(" ".join)


@given(words, words)
def test_rouge_l_is_symmetric_bounded_and_right(one: str, other: str) -> None:
    found = rouge_l(one, other)
    assert found == rouge_l(other, one)
    assert 0 <= found <= 1
    assert (found == 1) == (one == other != "")
    said, wanted = one.split(), other.split()
    parts = {()}  # all subsequences of one text
    for word in said:
        parts |= {(*part, word) for part in parts}
    longest = max(len(part) for part in parts if _is_within(part, wanted))
    assert found == (2 * longest / (len(said) + len(wanted)) if said and wanted else 0)


def _is_within(part: tuple[str, ...], text: list[str]) -> bool:
    rest = iter(text)
    return all(word in rest for word in part)


spans = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 9)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=12
)


@given(spans.filter(lambda found: any(end > start for start, end in found)), spans, spans)
def test_every_score_stays_within_its_bounds_and_grows_with_k(
    gold: list[Span], told: list[Span], cited: list[Span]
) -> None:
    gold = [span for span in gold if span[1] > span[0]]
    values = score(question(gold), Prediction("He runs.", tuple(told), tuple(cited))).values
    for name, value in values.items():
        least, most = METRICS[name]
        assert value is None or least <= value <= most
    for name in ("recall", "all"):
        series = [values[f"{name}@{k}"] for k in (1, 3, 5, 10)] + [values[name]]
        assert series == sorted(series)  # type: ignore[type-var]


def test_an_answer_is_scored_with_and_without_a_judge() -> None:
    prediction = Prediction("A man leaves.", told=((12, 13),), cited=((12, 13),))
    plain = score(question(), prediction)
    assert (plain.id, plain.film, plain.range, plain.reasoning_type) == ("q", "film", "Far", "Causal")
    assert plain.values["rouge_l"] == pytest.approx(2 * 3 / 8)
    assert plain.values["recall"] == pytest.approx(1 / 3)
    assert plain.values["abstained"] == 0
    assert "correctness" not in plain.values
    judged = score(question(), prediction, {"correctness": 80.0, "covered": None, "contradicted": None})
    assert judged.values["correctness"] == 80
    silent = score(question(), Prediction(told=((12, 13),)))
    assert silent.values["rouge_l"] is silent.values["abstained"] is None
    assert score(question(), Prediction(abstained=True)).values["rouge_l"] == 0


def test_means_are_by_range_and_by_type_and_a_failed_verdict_is_in_none() -> None:
    run = [
        scored("a", "one", "Far", "Causal", correctness=100.0, order=-1.0),
        scored("b", "one", "Far", "Social", correctness=None, order=None),
        scored("c", "two", "Far", "Causal", correctness=40.0, order=1.0),
        scored("d", "two", "Short", "Causal", correctness=0.0),
    ]
    summary = summarise(run)
    far = summary.by_range["Far"]["correctness"]
    assert (far.n, far.value) == (2, 70)
    assert far.low is not None
    assert far.high is not None
    assert 0 <= far.low < 70 < far.high <= 100
    assert (summary.by_range["Far"]["order"].value, summary.by_range["Far"]["order"].n) == (0, 2)
    assert summary.by_range["Short"]["correctness"].model_dump() == {"n": 1, "value": 0, "low": None, "high": None}
    assert summary.by_range["Medium"] == {}
    assert summary.by_reasoning_type["Causal"]["correctness"].value == pytest.approx(140 / 3)
    assert summary.by_reasoning_type["Social"] == {}
    assert set(summary.by_reasoning_type) > {"Goal-based", "Hypothetical"}


def test_films_and_not_questions_make_an_interval_narrow() -> None:
    """Questions of a film that are all right or all wrong tell no more than one of them."""
    draw = random.Random(3)
    films = {f"film {n}": float(draw.random() < 0.5) for n in range(12)}
    alike = [scored(f"{name} {n}", name, covered=value) for name, value in films.items() for n in range(20)]
    one_each = [scored(name, name, covered=value) for name, value in films.items()]
    loose = [scored(one.id, one.id, covered=one.values["covered"]) for one in alike]

    def width(run: list[Scored]) -> float:
        rate = summarise(run).by_range["Far"]["covered"]
        assert rate.low is not None
        assert rate.high is not None
        return rate.high - rate.low

    assert width(alike) == pytest.approx(width(one_each), rel=0.2)
    assert width(alike) > 3 * width(loose)


def test_a_run_without_the_memory_that_scores_as_high_is_warned_of() -> None:
    memory = [scored("a", covered=0.9, recall=1.0), scored("b", covered=0.5, recall=0.5)]
    floor = [scored("a", covered=0.2, recall=0.0), scored("b", covered=0.1, recall=0.0)]
    assert leak_warnings(memory, {"question only": floor, "shuffled memory": floor}) == []
    leaky = [scored("a", covered=0.9, recall=0.0), scored("b", covered=0.5, recall=0.0), scored("c", covered=0.0)]
    (warning,) = leak_warnings(memory, {"question only": leaky, "shuffled memory": floor})
    assert warning.startswith("Far, covered: question only reaches 0.700, the memory 0.700 (n = 2)")
    hidden = [scored("a", range_="Far", covered=0.1), scored("b", range_="Short", covered=0.6)]
    (warning,) = leak_warnings([memory[0], scored("b", range_="Short", covered=0.5)], {"question only": hidden})
    assert warning.startswith("Short, covered: question only reaches 0.600, the memory 0.500 (n = 1)")
    (warning,) = leak_warnings(memory, {"question only": [scored("z", covered=1.0)]})
    assert "no scores in common" in warning
    failed = [scored("a", covered=None), scored("b", covered=math.inf)]
    assert len(leak_warnings(memory, {"question only": failed})) == 1
