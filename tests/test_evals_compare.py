"""Comparisons: by hand, against statsmodels and scipy, and by simulation; and how many samples one needs."""

import math
from collections import Counter
from unittest.mock import patch

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from evals.results import RunResults
from evals.stats.compare import compare
from evals.stats.paired import bootstrap_interval, holm, mcnemar, paired_difference
from evals.stats.power import Assumptions, assume, intraclass_correlation, power
from tests.eval_runs import made_up, run_of, sample
from tools.errors import ConfigError


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_that_of_statsmodels(fixes: int, regressions: int) -> None:
    found = mcnemar(fixes, regressions)
    assert found.exact == pytest.approx(statsmodels_mcnemar([[3, fixes], [regressions, 4]], exact=True).pvalue)
    assert 0 < found.mid_p <= found.exact <= 1


def test_mid_p_by_hand() -> None:
    # 1 of 5: exact 2 * (1 + 5) / 32; the 5 / 32 of what was seen count half on each side.
    assert mcnemar(1, 4) == (pytest.approx(12 / 32), pytest.approx(7 / 32))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    with patch("gc.collect"):  # which statsmodels calls each time
        assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_a_difference_by_hand() -> None:
    ours, rival = {1: True, 2: True, 3: False, 4: True}, {1: False, 2: True, 3: False, 4: True}
    found = paired_difference(ours, rival, {1: 0, 2: 0, 3: 1, 4: 1})
    # Clusters of two with sums 1 and 0: residuals +-1/2, over 4, each divided by 1 - 1/2.
    assert (found.mean, found.n, found.clusters) == (0.25, 4, 2)
    assert found.se == pytest.approx(math.sqrt(2 * (0.5 / 4) ** 2 * 2))
    assert found.p == pytest.approx(2 * scipy.stats.t.sf(1.0, 1))
    assert found.low < 0 < found.high
    alone = paired_difference(ours, rival, dict.fromkeys(ours, "v"))
    assert math.isnan(alone.low)
    assert math.isnan(paired_difference({1: 1.0}, {2: 1.0}, {1: 0}).mean)


def test_a_difference_of_singles_is_that_of_the_paired_t_test() -> None:
    random = np.random.default_rng(2)
    ours, rival = random.random(30), random.random(30)
    found = paired_difference(dict(enumerate(ours)), dict(enumerate(rival)), dict(enumerate(range(30))))
    assert found.p == pytest.approx(float(scipy.stats.ttest_rel(ours, rival).pvalue))


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 1.0])), min_size=2, max_size=20))
def test_turning_a_comparison_round_turns_its_numbers(rows: list[tuple[float, float]]) -> None:
    ours, rival = dict(enumerate(a for a, _ in rows)), dict(enumerate(b for _, b in rows))
    cluster = {key: key % 3 for key in ours}
    one, other = paired_difference(ours, rival, cluster), paired_difference(rival, ours, cluster)
    assert one.mean == pytest.approx(-other.mean)
    assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))
    assert one.low <= one.mean <= one.high
    assert one.p == pytest.approx(other.p)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([-1.0, 0.0, 1.0]), st.integers(1, 9)), min_size=2, max_size=12
    )
)
def test_an_interval_and_its_p_agree_however_few_the_clusters(rows: list[tuple[int, float, int]]) -> None:
    change = [(cluster, value) for cluster, value, times in rows for _ in range(times)]
    ours, rival = ({key: max(0.0, sign * value) for key, (_, value) in enumerate(change)} for sign in (1, -1))
    found = paired_difference(ours, rival, {key: cluster for key, (cluster, _) in enumerate(change)})
    if found.clusters > 1:
        assert (found.low <= 0 <= found.high) == (found.p > 0.05)


def test_what_made_the_runs_and_the_scores_is_told_where_it_differs() -> None:
    was = {"prompts": {"ask": "1", "agent: look": "2"}, "git": "aaa", "version": 1}
    a = run_of([sample("x")], **was, scored={"version": 2, "git": "ccc"})
    b = run_of(
        [sample("x")],
        **{**was, "prompts": {"ask": "1", "agent: look": "3"}, "git": "bbb", "version": 2},
        scored={"version": 2, "git": "ccc"},
    )
    told = " ".join(compare(a, b).warnings)
    assert "the prompts differ in agent: look" in told
    assert "the runs were made by different code, A by aaa, B by bbb" in told
    assert "A was asked by version 1 of the suite, B by version 2" in told
    assert "scored by" not in told
    assert compare(a, a).warnings == ()


def test_samples_that_all_differ_alike_are_not_certain() -> None:
    three = paired_difference({1: 1, 2: 1, 3: 1}, {1: 0, 2: 0, 3: 0}, {1: 1, 2: 2, 3: 3})
    assert (three.mean, three.p) == (1.0, pytest.approx(2 / 8))
    none = paired_difference({1: 1, 2: 0, 3: 1}, {1: 1, 2: 0, 3: 1}, {1: 1, 2: 2, 3: 3})
    assert (none.mean, none.p) == (0.0, 1.0)
    assert none.low < -0.1 < 0.1 < none.high


@pytest.mark.parametrize(
    ("clusters", "per_cluster", "gain", "loss", "icc"),
    [(60, 1, 0.3, 0.1, 0.0), (40, 6, 0.15, 0.05, 0.02), (40, 6, 0.1, 0.1, 0.05), (80, 4, 0.05, 0.02, 0.02)],
)
def test_intervals_of_differences_cover_the_truth(
    clusters: int, per_cluster: int, gain: float, loss: float, icc: float
) -> None:
    """Of 1,200 intervals 93% to 97% hold the true difference, also where few samples differ."""
    random = np.random.default_rng(5)
    shares = np.array([gain, loss, 1 - gain - loss])
    held, trials = 0, 1200
    for _ in range(trials):
        drawn = random.dirichlet(shares * (1 - icc) / icc, clusters) if icc else np.tile(shares, (clusters, 1))
        change = [c for row in drawn for c in random.choice([1, -1, 0], per_cluster, p=row)]
        ours, rival = ({key: float(sign * c > 0) for key, c in enumerate(change)} for sign in (1, -1))
        found = paired_difference(ours, rival, {key: key // per_cluster for key in ours})
        held += found.low <= gain - loss <= found.high
    assert 0.93 <= held / trials <= 0.97


def test_the_bootstrap_agrees_with_the_t_interval_where_clusters_are_many() -> None:
    random = np.random.default_rng(6)
    values = (np.repeat(random.normal(0.1, 0.2, 300), 3) + random.normal(0, 0.3, 900)).tolist()
    clusters = [place // 3 for place in range(900)]
    found = bootstrap_interval(values, clusters, seed=1)
    means = np.reshape(values, (300, 3)).mean(1)
    expected = scipy.stats.t.interval(0.95, 299, means.mean(), scipy.stats.sem(means))
    assert found == pytest.approx(expected, abs=0.15 * (expected[1] - expected[0]))
    assert found == bootstrap_interval(values, clusters, seed=1) != bootstrap_interval(values, clusters, seed=2)
    assert bootstrap_interval(values[:30], clusters[:30]) is None
    assert bootstrap_interval([0.0] * 40, range(40)) is None


def test_runs_are_aligned_and_what_does_not_fit_is_said() -> None:
    a = run_of([sample("x", 0.0), sample("y", 1.0, epoch=1), sample("y", 0.0, epoch=2), sample("only a")], prompts="p1")
    b = run_of([sample("y", 0.0), sample("x", 1.0, question="another"), sample("only b")], prompts="p2")
    found = compare(a, b)
    assert (found.overall.n, found.overall.mean_a, found.overall.mean_b) == (2, 0.25, 0.5)
    assert [(change.id, change.value_a, change.value_b) for change in found.fixes] == [("x", 0.0, 1.0)]
    assert [(change.id, change.value_a, change.value_b) for change in found.regressions] == [("y", 0.5, 0.0)]
    assert ([key.id for key in found.only_a], [key.id for key in found.only_b]) == (["only a"], ["only b"])
    told = " ".join(found.warnings)
    for part in ("prompts differ", "1 samples are only in A", "1 samples ask or expect something else", "A has 1 or 2"):
        assert part in told
    assert not found.regressed


def test_runs_that_cannot_be_compared_are_refused() -> None:
    one = run_of([sample("x")])
    with pytest.raises(ConfigError, match=r"different versions of the suite: A by 1, B by 2.*Score the older"):
        compare(one, run_of([sample("x")], version=2))
    with pytest.raises(ConfigError, match="different suites"):
        compare(one, run_of([sample("x")], suite="other"))
    with pytest.raises(ConfigError, match=r"no sample in common: A has, for example, read/x, B read/y"):
        compare(one, run_of([sample("y")]))
    with pytest.raises(ConfigError, match="invalid alpha 2"):
        compare(one, one, alpha=2)


def test_failures_count_as_wrong_and_are_left_out_beside_it() -> None:
    a = run_of([sample("x", 1.0), sample("y", 1.0), sample("z", 0.0)])
    b = run_of([sample("x", 1.0), sample("y", None), sample("z", 1.0)])
    found = compare(a, b)
    assert (found.overall.n, found.overall.difference, found.overall.regressions) == (3, 0.0, 1)
    assert (found.scored.n, found.scored.difference, found.scored.regressions) == (2, 0.5, 0)


def test_singles_are_judged_by_mcnemar_and_clusters_by_t() -> None:
    a = run_of([sample(f"{n}", float(n % 3 == 0)) for n in range(60)])
    b = run_of([sample(f"{n}", float(n % 2 == 0)) for n in range(60)])
    found = compare(a, b).overall
    assert (found.fixes, found.regressions) == (20, 10)
    assert found.p == found.mcnemar_p == mcnemar(20, 10).mid_p
    clustered = compare(made_up(1), made_up(2)).overall
    assert clustered.clusters == 30
    assert clustered.p != clustered.mcnemar_p


def test_a_regression_in_one_task_is_found_and_corrected_for() -> None:
    before, after = made_up(1, n=600, attempts=3), made_up(2, n=600, attempts=3)
    worse = [
        one.model_copy(update={"value": 0.0}) if one.task == "time" and int(one.id) % 4 == 0 else one
        for one in after.samples
    ]
    found = compare(before, run_of(worse))
    assert {task: delta.verdict for task, delta in found.tasks.items()} == {
        "read": "no difference shown",
        "time": "worse",
        "memory": "no difference shown",
    }
    assert found.regressed
    assert [d.p_holm for d in found.tasks.values()] == pytest.approx(holm([d.p or 0 for d in found.tasks.values()]))
    assert Counter(change.task for change in found.regressions).most_common(1)[0][0] == "time"
    turned = compare(run_of(worse), before)
    assert (turned.tasks["time"].verdict, turned.regressed) == ("better", False)


def test_runs_alike_are_seldom_called_a_regression_and_reruns_explain_their_difference() -> None:
    alarms, apart = 0, []
    for trial in range(150):
        found = compare(made_up(2 * trial, attempts=2), made_up(2 * trial + 1, attempts=2))
        alarms += found.regressed
        assert found.overall.rerun_se
        apart.append((found.overall.difference or 0.0) / found.overall.rerun_se)
    # 2.5% of 150 or fewer are expected in the total, and as many in tasks: 15 lies four standard errors above.
    assert alarms <= 15
    assert np.std(apart) == pytest.approx(1, abs=0.2)


def test_power_of_independent_samples_is_that_of_statsmodels() -> None:
    found = power(0.05, Assumptions(baseline=0.6, disagreement=0.15))
    expected = TTestPower().solve_power(effect_size=0.05 / math.sqrt(0.15 - 0.05**2), alpha=0.05, power=0.8)
    assert found.paired == math.ceil(expected)
    assert found.paired < found.unpaired / 3


@pytest.mark.parametrize(("per_cluster", "icc", "attempts"), [(1, 0.0, 1), (5, 0.2, 1), (5, 0.2, 3)])
def test_power_holds_what_it_claims(per_cluster: int, icc: float, attempts: int) -> None:
    """Runs drawn as assumed show the effect about as often as claimed."""
    random = np.random.default_rng(8)
    effect, spread, trials = 0.08, 0.25, 400
    # Each run has a share p of right attempts at a sample; B's is moved by the effect and by what clusters share.
    baseline = 0.5
    disagreement, flips, between = _drawn_assumptions(random, baseline, effect, spread, icc)
    size = power(
        effect,
        Assumptions(
            baseline=baseline,
            disagreement=disagreement,
            flip_rate=flips,
            cluster_size=per_cluster,
            icc_of_differences=between,
        ),
        attempts=attempts,
    )
    n = size.paired_clusters * per_cluster
    shown = 0
    for _ in range(trials):
        a, b = _chances(random, size.paired_clusters, per_cluster, baseline, effect, spread, icc)
        means = [random.binomial(attempts, chances) / attempts for chances in (a, b)]
        keys = range(n)
        ours, rival = dict(zip(keys, means[1], strict=True)), dict(zip(keys, means[0], strict=True))
        shown += paired_difference(ours, rival, {key: key // per_cluster for key in keys}).p <= 0.05
    # The standard error of a share of 0.8 in 400 trials is 0.02.
    assert shown / trials == pytest.approx(0.8, abs=0.06)


def _chances(
    random: np.random.Generator, clusters: int, size: int, baseline: float, effect: float, spread: float, icc: float
) -> tuple[np.ndarray, np.ndarray]:
    a = np.clip(baseline + random.uniform(-spread, spread, clusters * size), 0, 1)
    shared = np.repeat(random.uniform(-1, 1, clusters), size) * math.sqrt(icc) * spread
    return a, np.clip(a + effect + shared, 0, 1)


def _drawn_assumptions(
    random: np.random.Generator, baseline: float, effect: float, spread: float, icc: float
) -> tuple[float, float, float]:
    a, b = _chances(random, 200_000, 1, baseline, effect, spread, icc)
    disagreement = float(np.mean(a * (1 - b) + b * (1 - a)))
    flips = float(np.mean(a * (1 - a) + b * (1 - b)))
    return disagreement, flips, float(np.var(b - a)) / (disagreement - effect**2)


def test_a_pilot_and_its_rival_may_change_places() -> None:
    once, often = made_up(1, n=200), made_up(2, n=200, attempts=3)
    calm = run_of([*(sample(f"{n}", float(n % 2), epoch=epoch) for n in range(40) for epoch in (1, 2))])
    wild = run_of([*(sample(f"{n}", float((n + epoch) % 2), epoch=epoch) for n in range(40) for epoch in (1, 2))])
    assert assume(calm, wild).flip_rate == assume(wild, calm).flip_rate == 0.5
    # A run of one attempt has no flip rate: that of the other counts, and not a half of it.
    assert assume(once, often).flip_rate == assume(often, once).flip_rate == assume(often).flip_rate > 0.2


def test_a_pilot_tells_what_to_assume() -> None:
    pilot, rival = made_up(1, n=800, attempts=3), made_up(2, n=800, attempts=3, gain=0.1)
    one, two = assume(pilot), assume(pilot, rival)
    assert (one.cluster_size, one.disagreement) == (4.0, None)
    # Chances are Beta(3, 2) over clusters: the mean 0.6, within-cluster correlation 1 / 6, E[2 p (1 - p)] = 0.4.
    assert one.baseline == pytest.approx(0.6, abs=0.05)
    assert one.icc == pytest.approx(1 / 6, abs=0.06)
    assert one.flip_rate == pytest.approx(0.4, abs=0.04)
    assert two.disagreement == pytest.approx(0.4, abs=0.05)
    assert power(0.05, two).paired < power(0.05, one).paired
    assert power(0.05, two, attempts=4).paired < power(0.05, two).paired / 2
    with pytest.raises(ConfigError, match="mean score is 1"):
        assume(run_of([sample("x"), sample("y")]))


def test_graded_scores_need_as_many_samples_as_they_vary() -> None:
    random = np.random.default_rng(5)
    level = random.uniform(0.3, 0.5, 300)

    def graded(seed: int, gain: float) -> RunResults:
        noise = np.random.default_rng(seed).normal(0, 0.05, (300, 2))
        scores = np.clip(level[:, None] + gain + noise, 0, 1)
        return run_of(
            [sample(f"{n}", float(scores[n, epoch]), epoch=epoch + 1) for n in range(300) for epoch in (0, 1)]
        )

    pilot, rival = graded(1, 0.0), graded(2, 0.02)
    found = assume(pilot, rival)
    assert found.samples == 300
    assert found.spread == pytest.approx(0.2**2 / 12 + 0.05**2, rel=0.15)
    assert found.flip_rate == pytest.approx(2 * 0.05**2, rel=0.2)
    assert found.disagreement == pytest.approx(2 * 0.05**2 + 0.02**2, rel=0.2)
    # A paired t-test on differences with the standard deviation 0.05 sqrt(2).
    size = power(0.02, found)
    assert size.paired == pytest.approx(2 * 0.05**2 * (1.96 + 0.84) ** 2 / 0.02**2, rel=0.2)
    assert size.paired < power(0.02, found.model_copy(update={"spread": None, "disagreement": None})).paired / 10


def test_a_rival_has_to_have_the_samples_of_the_pilot() -> None:
    pilot = run_of([sample(f"{n}", float(n % 2)) for n in range(10)])
    with pytest.raises(ConfigError, match="4 samples in common, of 10 and 10"):
        assume(pilot, run_of([sample(f"{n + 6}", float(n % 2)) for n in range(10)]))
    with pytest.raises(ConfigError, match="different suites"):
        assume(pilot, run_of(pilot.samples, suite="other"))


def test_the_correlation_within_clusters_by_hand() -> None:
    assert intraclass_correlation([1, 1, 0, 0], ["a", "a", "b", "b"]) == 1
    assert intraclass_correlation([1, 0, 1, 0], ["a", "a", "b", "b"]) == 0
    assert intraclass_correlation([1, 0, 1], ["a", "b", "c"]) == 0
    # Between 2 * 2 * (1/4)^2 = 1/4 over 1, within 1/2 over 2: equal.
    assert intraclass_correlation([1, 1, 1, 0], ["a", "a", "b", "b"]) == 0


@pytest.mark.parametrize(
    ("effect", "given_", "told"),
    [
        (0.0, {"baseline": 0.5}, "invalid effect 0.0"),
        (0.6, {"baseline": 0.5}, "leaves a mean between 0 and 1"),
        (0.1, {"baseline": 0.5, "disagreement": 0.05}, "invalid disagreement 0.05"),
        (0.05, {"baseline": 0.05, "flip_rate": 0.4}, "invalid flip rate 0.4"),
        (1e-5, {"baseline": 0.5}, "over 10,000,000 samples"),
    ],
)
def test_impossible_wishes_are_refused(effect: float, given_: dict[str, float], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        power(effect, Assumptions.model_validate(given_))
