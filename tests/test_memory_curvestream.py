"""CurveStream's scores, thresholds and routing, against the paper's formulas."""

# ruff: noqa: SIM300 - upper-case attributes are the symbols of the paper, not constants
from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from memory.stream.options import StreamOptions
from memory.stream.policies import CurveStream, Decision, make_policy
from tools.errors import ModelError

DIM = 384


def decide_all(features: Iterable[np.ndarray], **options: object) -> list[Decision]:
    policy = make_policy(StreamOptions.model_validate({"noise_gate": None, **options}))  # the paper has no gate
    return [policy.decide(np.asarray(feature), float(index)) for index, feature in enumerate(features)]


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def great_circle(theta: float, steps: int) -> np.ndarray:
    angles = theta * np.arange(steps)
    return np.stack([np.cos(angles), np.sin(angles), np.zeros(steps)], axis=1)


def test_a_straight_path_has_no_curvature() -> None:
    start, step = np.random.default_rng(0).standard_normal((2, DIM))
    for decision in decide_all(start + index * 0.01 * step for index in range(12))[3:]:
        assert decision.C == pytest.approx(0, abs=1e-6)


@given(st.floats(0.01, 3.0))
def test_uniform_motion_on_a_great_circle_has_equal_motion_and_curvature(theta: float) -> None:
    for decision in decide_all(great_circle(theta, 8))[3:]:
        assert decision.M == pytest.approx(1 - math.cos(theta), abs=1e-6)
        assert decision.C == pytest.approx(decision.M, abs=1e-6)
        assert decision.CS == pytest.approx(1.2 * (1 - math.cos(theta)), abs=1e-6)


def test_turning_back_gives_the_largest_curvature() -> None:
    there, back = unit(np.array([[1.0, 0.2], [1.0, 0.0]]))
    decisions = decide_all([there, back, there, back, there])
    assert [decision.C for decision in decisions[3:]] == pytest.approx([2.0, 2.0])


vectors = arrays(np.float64, 6, elements=st.floats(-1, 1))


@given(vectors, vectors, st.floats(0.01, 100), st.floats(0.01, 100))
def test_curvature_is_half_the_squared_distance_of_unit_displacements_and_free_of_scale(
    first: np.ndarray, second: np.ndarray, one: float, two: float
) -> None:
    assume(min(np.linalg.norm(first), np.linalg.norm(second)) > 1e-2)
    origin = np.zeros(6)

    def curvature(d1: np.ndarray, d2: np.ndarray) -> float:
        score = decide_all([origin, origin - d1, origin, d2])[3].C  # displacements: -d1, d1, d2
        assert score is not None
        return score

    expected = 0.5 * float(np.sum((unit(second) - unit(first)) ** 2))
    assert curvature(first, second) == pytest.approx(expected, abs=1e-6)
    assert curvature(one * first, two * second) == pytest.approx(expected, abs=1e-6)


def noisy_still(frames: int, noise: float) -> tuple[np.ndarray, float]:
    random = np.random.default_rng(1)
    scene = unit(random.standard_normal(DIM))
    shaken = noise * unit(random.standard_normal((frames, DIM)))
    return unit(scene + shaken), noise


def test_noise_in_a_still_scene_looks_like_turning_and_the_gate_takes_that_away() -> None:
    features, noise = noisy_still(3000, 0.01)
    plain = [decision.C or 0.0 for decision in decide_all(features)[3:]]
    assert 1.45 <= np.mean(plain) <= 1.55
    gated = [decision.C or 0.0 for decision in decide_all(features, noise_gate=10 * noise)[3:]]
    assert 0.1 < np.mean(gated) < 0.3


def test_equal_frames_have_no_curvature_and_a_constant_score_is_routed_by_at_least() -> None:
    feature = unit(np.random.default_rng(2).standard_normal(DIM)).astype(np.float32)
    for decision in decide_all([feature] * 20)[3:]:
        assert (decision.M, decision.C, decision.CS) == (0.0, 0.0, 0.0)
        assert decision.state == "clear"  # CS = mu = g1 = g2 = 0
    constant = decide_all(np.eye(40), init="first")[3:]  # each step the same: M = 1, C = 1.5
    assert {decision.CS for decision in constant} == {constant[0].CS}
    assert {decision.state for decision in constant} == {"clear"}
    assert all(decision.CS == decision.mu == decision.g1 for decision in constant)


def test_running_mean_and_variance_follow_the_paper() -> None:
    gamma, mu, var = 0.8, 0.0, 0.0
    features = unit(np.random.default_rng(3).standard_normal((60, 16)))
    for decision in decide_all(features, gamma=gamma, k1=0.5, k2=1.5)[3:]:
        assert decision.CS is not None
        mu = gamma * mu + (1 - gamma) * decision.CS
        var = gamma * var + (1 - gamma) * (decision.CS - mu) ** 2
        assert decision.mu == pytest.approx(mu)
        assert decision.sigma == pytest.approx(math.sqrt(var))
        assert decision.g1 == pytest.approx(mu + 0.5 * math.sqrt(var))
        assert decision.g2 == pytest.approx(mu + 1.5 * math.sqrt(var))
        state = "clear" if decision.CS >= decision.g2 else "fuzzy" if decision.CS >= decision.g1 else "discard"
        assert decision.state == state
        assert decision.state in decision.reason
        assert f"{decision.CS:.3f}" in decision.reason


def test_clear_routing_equals_its_closed_form() -> None:
    """Clear <=> delta >= 0, 1 - k2^2 (1-g) > 0 and delta >= s k2 / sqrt(g (1 - k2^2 (1-g))), delta = CS - mu before."""
    random, checked = np.random.default_rng(4), 0
    for _ in range(250):
        gamma, k2 = random.uniform(0.3, 0.98), random.uniform(0.1, 3.0)
        steps = unit(random.standard_normal((43, 3)) + random.uniform(0, 3))
        mu = sigma = 0.0
        for decision in decide_all(steps, gamma=gamma, k1=0.0, k2=k2)[3:]:
            assert decision.CS is not None
            assert decision.mu is not None
            assert decision.sigma is not None
            delta, room = decision.CS - mu, 1 - k2**2 * (1 - gamma)
            bound = sigma * k2 / math.sqrt(gamma * room) if room > 0 else math.inf
            if abs(delta - bound) > 1e-9 and abs(room) > 1e-9:
                assert (decision.state == "clear") == (delta >= 0 and delta >= bound)
                checked += 1
            mu, sigma = decision.mu, decision.sigma
    assert checked > 9_900


def test_clear_can_never_fire_where_k2_is_too_large_for_gamma() -> None:
    features = unit(np.random.default_rng(5).standard_normal((400, 8)))
    states = {decision.state for decision in decide_all(features, gamma=0.5, k2=1.5)[3:]}
    assert states == {"fuzzy", "discard"}


def test_the_first_three_frames_are_kept_clear_or_skipped() -> None:
    features = great_circle(0.3, 5)
    assert [decision.state for decision in decide_all(features)[:3]] == ["clear"] * 3
    skipped = decide_all(features, warmup="skip")
    assert [decision.state for decision in skipped[:3]] == ["discard"] * 3
    assert skipped[2].CS is None
    assert skipped[3].CS is not None
    assert "first three" in skipped[0].reason


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_scores_stay_in_their_ranges_and_the_future_has_no_say(seed: int) -> None:
    random = np.random.default_rng(seed)
    features = unit(random.standard_normal((30, 5))).astype(np.float32)
    other = features.copy()
    other[18:] = unit(random.standard_normal((12, 5)))
    decisions = decide_all(features)
    assert decisions[:18] == decide_all(other)[:18]
    for decision in decisions[3:]:
        assert decision.M is not None
        assert decision.C is not None
        assert 0 <= decision.M <= 2 + 1e-6
        assert 0 <= decision.C <= 2
        assert decision.CS == pytest.approx(decision.M + 0.2 * decision.C)


def test_cuts_between_noisy_scenes_are_found() -> None:
    random = np.random.default_rng(6)
    scenes = np.repeat(unit(random.standard_normal((60, DIM))), 30, axis=0)
    features = unit(scenes + 0.02 * random.standard_normal(scenes.shape)).astype(np.float32)
    cuts = range(30, len(features), 30)

    def recall(policy: str) -> float:
        decisions = decide_all(features, policy=policy)
        return sum(decisions[cut].state == "clear" for cut in cuts) / len(cuts)

    assert recall("curvestream") >= 0.95
    assert recall("motion") >= 0.95
    assert recall("curvature") < 0.5  # a cut is a jump: its direction tells nothing that noise does not


def test_motion_and_curvature_score_one_term_alone() -> None:
    features = unit(np.random.default_rng(7).standard_normal((20, 9)))
    assert all(d.CS == d.M for d in decide_all(features, policy="motion")[3:])
    assert all(d.CS == d.C for d in decide_all(features, policy="curvature")[3:])


def test_a_feature_buffer_may_be_reused_by_the_caller() -> None:
    features = unit(np.random.default_rng(8).standard_normal((20, 9)))
    policy, buffer = CurveStream(StreamOptions(noise_gate=None)), np.empty(9)
    reused = []
    for index, feature in enumerate(features):
        buffer[:] = feature
        reused.append(policy.decide(buffer, float(index)))
    assert reused == decide_all(features)


@pytest.mark.parametrize("bad", [np.full(4, np.nan), np.array([np.inf, 0, 0, 0]), np.ones(3), np.ones((1, 4))])
def test_a_bad_feature_is_refused_and_leaves_no_trace(bad: np.ndarray) -> None:
    features = unit(np.random.default_rng(9).standard_normal((12, 4)))
    policy = CurveStream(StreamOptions(noise_gate=None))
    decisions = []
    for index, feature in enumerate(features):
        if index in (1, 3, 7):
            with pytest.raises(ModelError, match=f"{index}.0 s"):
                policy.decide(bad, float(index))
        decisions.append(policy.decide(feature, float(index)))
    assert decisions == decide_all(features)
    with pytest.raises(ModelError):
        CurveStream(StreamOptions(noise_gate=None)).decide(np.full(4, np.nan), 0.0)


def test_options_are_checked_and_an_unknown_policy_is_told_the_known_ones() -> None:
    with pytest.raises(ValidationError, match=r"curvestream.*last.*uniform.*alternate.*motion.*curvature.*random"):
        StreamOptions.model_validate({"policy": "clever"})
    for bad in (
        {"k1": 2.0, "k2": 1.0},
        {"k1": math.nan},
        {"gamma": 1.0},
        {"capacity": 0},
        {"token_budget": 100},
        {"tokens_clear": 10, "tokens_fuzzy": 20},
        {"lambda": 0.2},
    ):
        with pytest.raises(ValidationError):
            StreamOptions.model_validate(bad)
