"""Scores under human label variation, against scipy and by hand."""

import math

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from evals.suites.hlv.scorer import (
    LabelError,
    agreement_performance,
    agreement_score,
    binary,
    consistency,
    divergence,
    entropy,
    entropy_bin,
    fleiss_kappa,
    is_disputed,
    krippendorff_alpha,
    performance,
    soft_scores,
    summarise,
)

LABELS = st.lists(st.integers(0, 1), min_size=1, max_size=12)


@given(LABELS)
def test_entropy_is_that_of_scipy(labels: list[int]) -> None:
    counts = [labels.count(0), labels.count(1)]
    assert entropy(labels) == pytest.approx(scipy.stats.entropy(counts, base=2), abs=1e-12)
    assert (entropy_bin(entropy(labels)) == "Low") == (agreement_score(labels) == 1)
    assert (entropy_bin(entropy(labels)) == "High") == (agreement_score(labels) == 0)


@given(LABELS, LABELS)
def test_divergence_is_that_of_scipy_but_for_the_floor(human: list[int], runs: list[int]) -> None:
    soft = soft_scores(human, runs)
    assert soft.kl >= 0
    assert soft.kl <= math.log(1 / 1e-10)
    assert soft.brier == pytest.approx((soft.human_soft - soft.model_soft) ** 2)
    if 0 < soft.model_soft < 1:
        p, q = ([1 - share, share] for share in (soft.human_soft, soft.model_soft))
        assert soft.kl == pytest.approx(scipy.stats.entropy(p, q), abs=1e-8)
    if soft.human_soft == soft.model_soft:
        assert soft.kl == pytest.approx(0, abs=1e-12)


def test_a_unanimous_model_on_a_divided_post_costs_eleven_nats() -> None:
    assert divergence(0.5, 1.0) == pytest.approx(10.82, abs=0.01)


@given(st.lists(st.integers(2, 5), min_size=2, max_size=8))
def test_alpha_is_one_where_all_agree(sizes: list[int]) -> None:
    units = [[place % 2] * size for place, size in enumerate(sizes)]
    assert krippendorff_alpha(units) == pytest.approx(1)
    assert krippendorff_alpha([*units, [1]]) == pytest.approx(1)


@given(st.lists(LABELS, max_size=8))
def test_alpha_is_at_most_one_and_ignores_names(units: list[list[int]]) -> None:
    alpha = krippendorff_alpha(units)
    named = krippendorff_alpha([["yes" if label else "no" for label in labels] for labels in units])
    assert alpha is None or alpha <= 1
    assert alpha == named


def test_alpha_of_the_textbook() -> None:
    # Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", B: two observers, ten units, binary: 0.095.
    one, other = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert krippendorff_alpha(list(zip(one, other, strict=True))) == pytest.approx(0.095, abs=5e-4)
    # C there: four observers, twelve units, five values, some missing: 0.743.
    values = "1 2 3 3 2 1 4 1 2 . . .|1 2 3 3 2 2 4 1 2 5 . 3|. 3 3 3 2 3 4 2 2 5 1 .|1 2 3 3 2 4 4 1 2 5 1 ."
    rows = [row.split() for row in values.split("|")]
    units = [[value for value in column if value != "."] for column in zip(*rows, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)


def test_alpha_is_undefined_with_one_kind_of_label() -> None:
    assert krippendorff_alpha([[1, 1], [1]]) is None
    assert krippendorff_alpha([]) is None


@given(st.integers(1, 6), st.integers(1, 6))
def test_a_single_mixed_unit_has_alpha_zero_and_is_disputed(ones: int, zeros: int) -> None:
    assert krippendorff_alpha([[1] * ones + [0] * zeros]) == pytest.approx(0, abs=1e-12)
    assert is_disputed([[1, 1], [1] * ones + [0] * zeros])
    assert not is_disputed([[1] * ones, [0] * zeros])


def test_kappa_by_hand() -> None:
    # Two units of three labels: agreement 1 and 1/3, chance (4/6)^2 + (2/6)^2 = 5/9.
    assert fleiss_kappa([[1, 1, 1], [1, 0, 0]]) == pytest.approx((2 / 3 - 5 / 9) / (4 / 9))
    assert fleiss_kappa([[1, 1], [1, 1]]) is None
    with pytest.raises(LabelError):
        fleiss_kappa([[1, 1], [1]])


def test_performance_by_hand() -> None:
    got = performance([1, 1, 0, 0, 1], [1, 0, 1, 0, 1])
    assert (got.accuracy, got.precision, got.recall, got.f1) == (0.6, 2 / 3, 2 / 3, 2 / 3)
    assert performance([0, 0], [0, 0]).f1 == 0
    with pytest.raises(LabelError):
        performance([], [])


def test_only_what_annotators_agree_on_is_compared() -> None:
    human, predicted = (
        {"a": [1, 1, 1], "b": [0, 1], "c": [0], "d": [0, 0], "e": [1, 1]},
        {"a": 1, "b": 1, "c": 1, "d": 1},
    )
    got = agreement_performance(human, predicted)
    assert got is not None
    assert (got.n_samples, got.accuracy) == (2, 0.5)
    got = agreement_performance(human, predicted, each_annotation=True, least_annotators=1)
    assert got is not None
    assert (got.n_samples, got.accuracy) == (6, 0.5)
    assert agreement_performance({"b": [0, 1]}, predicted) is None


def test_means_are_by_bin_and_over_disputed_posts() -> None:
    items = [("a", soft_scores([1, 1], [1, 0])), ("b", soft_scores([0, 1], [1, 0])), ("b", soft_scores([1], [1]))]
    got = summarise(items, ["b"])
    assert got["mean_brier_by_bin"] == {"Low": 0.125, "High": 0.0}
    assert (got["mean_kl_disagreement"], got["median_kl_disagreement"]) == (0, 0)
    assert summarise(items, [])["mean_kl_disagreement"] is None


def test_consistency_counts_changes_between_runs() -> None:
    assert consistency([[1, 0], [1, 1], [1, 1]]) == 0.75
    assert consistency([[1, 0]]) is None
    with pytest.raises(LabelError):
        consistency([[1], [1, 0]])


@pytest.mark.parametrize(
    ("value", "label"),
    [("Yes", 1), (" no", 0), ("1", 1), (True, 1), (0.0, 0), (None, None), ("maybe", None), (2, None)],
)
def test_labels_are_read_in_any_spelling(value: object, label: int | None) -> None:
    assert binary(value) == label


def test_what_is_no_label_is_refused() -> None:
    for labels in ([], [0, 2]):
        with pytest.raises(LabelError):
            agreement_score(labels)
