"""Means and their intervals: against statsmodels, by hand, by the formulas as matrices, and by simulation."""

import math
from itertools import combinations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from evals.bench.coverage import Case, draw, run
from evals.results import SampleResult
from evals.stats.means import Rate, cluster_mean, flip_rate, pass_at_k, pass_hat_k, score_interval, wilson
from evals.stats.metrics import run_metrics, sample_metrics
from evals.stats.power import intraclass_correlation
from tests.eval_runs import TASKS, made_up, run_of, sample

SIZES = (1, 2, 3, 5, 9)
CLUSTERS = [f"c{g}" for g, size in enumerate(SIZES) for _ in range(size)]
VALUES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=25)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_statsmodels(counts: tuple[int, int]) -> None:
    right, n = counts
    assert wilson(right, n) == pytest.approx(proportion_confint(right, n, method="wilson"), abs=1e-9)
    alone = score_interval([1.0] * right + [0.0] * (n - right), range(n))
    if n > 1:
        assert (alone.low, alone.high) == wilson(right, n)


def test_the_error_over_equal_clusters_is_that_of_statsmodels() -> None:
    random = np.random.default_rng(3)
    clusters = np.repeat(np.arange(12), 5)
    values = random.random(60) + np.repeat(random.random(12), 5)
    fitted = sm.OLS(values, np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    found = cluster_mean(values.tolist(), clusters.tolist())
    assert found.se == pytest.approx(float(fitted.bse[0]))
    assert (found.mean, found.df) == (pytest.approx(values.mean()), pytest.approx(11))


def test_the_error_over_unequal_clusters_is_that_of_the_matrices() -> None:
    """CR2 and its degrees of freedom as Bell and McCaffrey write them, with the hat matrix."""
    values = np.random.default_rng(4).random(len(CLUSTERS))
    n = len(values)
    left = np.eye(n) - np.full((n, n), 1 / n)
    residual = left @ values
    variance, vectors = 0.0, []
    for name in dict.fromkeys(CLUSTERS):
        rows = [row for row, cluster in enumerate(CLUSTERS) if cluster == name]
        eigenvalues, axes = np.linalg.eigh(left[np.ix_(rows, rows)])
        adjusted = axes @ np.diag(eigenvalues**-0.5) @ axes.T @ np.ones(len(rows)) / n
        variance += float(adjusted @ residual[rows]) ** 2
        vectors.append(left[:, rows] @ adjusted)
    products = np.array([[a @ b for b in vectors] for a in vectors])
    found = cluster_mean(values.tolist(), CLUSTERS)
    assert found.se == pytest.approx(math.sqrt(variance))
    assert found.df == pytest.approx(np.trace(products) ** 2 / (products**2).sum())


@given(VALUES, st.randoms(use_true_random=False))
def test_an_interval_holds_its_mean_and_does_not_know_the_order(values: list[float], random: object) -> None:
    clusters = [f"c{place % 4}" for place in range(len(values))]
    found = score_interval(values, clusters)
    assert found.value == pytest.approx(sum(values) / len(values))
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    other = score_interval([values[place] for place in order], [clusters[place] for place in order])
    if found.low is not None:
        assert found.high is not None
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found.low < found.high
        assert (other.low, other.high) == (pytest.approx(found.low), pytest.approx(found.high))
    else:
        assert len(set(clusters)) == 1


def test_clusters_widen_an_interval_and_none_or_one_give_none() -> None:
    values = [1.0] * 50 + [0.0] * 50
    alone = score_interval(values, range(100))
    together = score_interval(values, [place // 10 for place in range(100)])
    assert together.high is not None
    assert alone.high is not None
    assert together.high > alone.high + 0.1
    assert score_interval([], []) == Rate(n=0)
    assert score_interval([1.0, 0.0], ["v", "v"]) == Rate(n=2, value=0.5)


def test_weights_by_hand() -> None:
    found = cluster_mean([1.0, 0.0, 0.0], ["a", "a", "b"], weights=[2, 1, 1], strata=["t", "t", "u"])
    # Stratum t has the mean 2/3; its residuals 2/4 * 1/3 and 1/4 * -2/3 cancel within cluster a.
    assert (found.mean, found.se) == (0.5, 0.0)
    apart = cluster_mean([1.0, 0.0, 0.0], ["a", "c", "b"], weights=[2, 1, 1], strata=["t", "t", "u"])
    assert apart.se == pytest.approx(math.sqrt((1 / 6) ** 2 / (1 - 0.5) + (1 / 6) ** 2 / (1 - 0.25)))


@given(
    st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=7)
    | st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=7),
    st.data(),
)
def test_several_attempts_are_those_of_every_choice(values: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(values)))
    choices = list(combinations(values, k))
    assert pass_at_k(values, k) == pytest.approx(sum(map(max, choices)) / len(choices))
    assert pass_hat_k(values, k) == pytest.approx(sum(map(min, choices)) / len(choices))
    if len(values) > 1:
        pairs = list(combinations(values, 2))
        assert flip_rate(values) == pytest.approx(sum(a != b for a, b in pairs) / len(pairs))


@pytest.mark.parametrize(
    ("clusters", "per_cluster", "mean", "icc"),
    [(40, 1, 0.3, 0.0), (30, 6, 0.5, 0.3), (40, 6, 0.8, 0.15), (60, 4, 0.15, 0.1), (12, 10, 0.6, 0.2)],
)
def test_intervals_cover_the_truth(clusters: int, per_cluster: int, mean: float, icc: float) -> None:
    """Of 1,500 intervals 93% to 97% hold the true mean; `evals.bench.coverage` does it for many more cases."""
    random = np.random.default_rng(7)
    held, trials = 0, 1500
    for _ in range(trials):
        shares = random.beta(*_beta(mean, icc), clusters) if icc else np.full(clusters, mean)
        sizes = random.integers(1, 2 * per_cluster, clusters)
        values = (random.random(sizes.sum()) < np.repeat(shares, sizes)).astype(float)
        found = score_interval(values.tolist(), np.repeat(np.arange(clusters), sizes).tolist())
        assert found.low is not None
        assert found.high is not None
        held += found.low <= mean <= found.high
    assert 0.93 <= held / trials <= 0.97


def test_clusters_that_are_all_alike_within_count_once() -> None:
    """Twenty films of 50 questions each, all right: 20 trials, not 1,000."""
    found = score_interval([1.0] * 1000, [place // 50 for place in range(1000)])
    assert found.high == 1.0
    assert found.low is not None
    assert found.low < wilson(20, 20)[0] < 0.85
    held = run(Case(20, 50, "equal", 0.97, None, 0.9), trials=300, seed=2)["ours"].share
    assert (held or 0) > 0.87


def _beta(mean: float, icc: float) -> tuple[float, float]:
    return mean * (1 - icc) / icc, (1 - mean) * (1 - icc) / icc


def test_the_bench_of_coverage_draws_what_it_says_and_tells_methods_apart() -> None:
    random = np.random.default_rng(1)
    values, clusters = draw(Case(4_000, 3, "uneven", 0.3, 0.1, 0.2), random)
    assert set(values) == {-1.0, 0.0, 1.0}
    assert (values.mean(), np.mean(values < 0)) == (pytest.approx(0.2, abs=0.02), pytest.approx(0.1, abs=0.02))
    assert len(set(clusters)) == 4_000
    right, alike = draw(Case(3_000, 4, "equal", 0.5, None, 0.4), random)
    assert intraclass_correlation(right.tolist(), alike.tolist()) == pytest.approx(0.4, abs=0.04)
    rare = run(Case(20, 1, "equal", 0.05, None, 0.0), trials=2000, seed=3)
    # Where nothing is right, the mean plus or minus its standard error is 0 and nothing else.
    assert (rare["ours"].share or 0) > 0.9 > 0.8 > (rare["t"].share or 0)
    assert (rare["BCa"].share or 0) < 0.8


def test_both_headlines_by_hand() -> None:
    attempts = [
        sample("a", 1.0, epoch=1), sample("a", None, epoch=2, failure="tool"),
        sample("b", 0.0, epoch=1), sample("b", 1.0, epoch=2),
        sample("c", None, epoch=1, failure="tool"), sample("c", None, epoch=2, failure="judge"),
    ]  # fmt: skip
    found = sample_metrics(attempts)
    assert found.failures == {"tool": 2, "judge": 1}
    assert (found.as_wrong.mean.value, found.as_wrong.mean.n, found.as_wrong.attempts) == (pytest.approx(1 / 3), 3, 6)
    assert (found.scored.mean.value, found.scored.mean.n, found.scored.attempts) == (pytest.approx(3 / 4), 2, 3)
    assert found.as_wrong.pass_at_k[2].value == pytest.approx(2 / 3)
    assert found.as_wrong.pass_hat_k[2].value == 0
    assert found.as_wrong.flip_rate.value == pytest.approx(2 / 3)
    # Only b was scored twice.
    assert (found.scored.pass_at_k[2].n, found.scored.pass_at_k[2].value, found.scored.flip_rate.value) == (1, 1, 1)


def test_tasks_and_slices_add_up_to_the_run() -> None:
    found = run_metrics(made_up(1, attempts=2, fails=0.1))
    assert tuple(found.tasks) == TASKS
    assert sum(one.as_wrong.attempts for one in found.tasks.values()) == found.overall.as_wrong.attempts == 240
    assert {value: one.as_wrong.mean.n for value, one in found.slices["age"].items()} == {"now": 60, "later": 60}
    assert sum(found.overall.failures.values()) == 240 - found.overall.scored.attempts > 0
    empty = run_metrics(run_of([]))
    assert (empty.overall.as_wrong.mean, empty.tasks) == (Rate(n=0), {})


@given(st.lists(st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=12))
def test_a_failure_never_raises_the_headline(values: list[float | None]) -> None:
    samples: list[SampleResult] = [sample(str(number), value) for number, value in enumerate(values)]
    found = sample_metrics(samples)
    assert found.as_wrong.mean.value == pytest.approx(sum(value or 0 for value in values) / len(values))
    if found.scored.mean.value is not None:
        assert found.scored.mean.value >= found.as_wrong.mean.value
