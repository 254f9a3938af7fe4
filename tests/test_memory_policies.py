"""The rival policies: what each holds of an endless stream."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.bench import policy as bench
from memory.stream.options import PolicyName, StreamOptions
from memory.stream.policies import make_policy

NOTHING = np.empty(0, np.float32)


def hold(name: PolicyName, frames: int, capacity: int, seed: int = 0) -> list[tuple[int, str]]:
    """Return (index, state) of the frames held after `frames` ones; every step must respect the capacity."""
    policy = make_policy(StreamOptions(policy=name, capacity=capacity, seed=seed))
    queue: list[tuple[int, str]] = []
    for index in range(frames):
        decision = policy.decide(NOTHING, float(index))
        assert decision.reason.startswith(decision.state)
        if decision.kept:
            queue.append((index, decision.state))
        while len(queue) > capacity:
            positions = policy.evict(len(queue))
            assert positions
            for position in sorted(positions, reverse=True):
                del queue[position]
    return queue


sizes = st.tuples(st.integers(1, 400), st.integers(1, 30))


@given(sizes)
def test_last_holds_the_newest_frames_all_clear(size: tuple[int, int]) -> None:
    frames, capacity = size
    assert hold("last", frames, capacity) == [(index, "clear") for index in range(frames)][-capacity:]


spreads: tuple[PolicyName, ...] = ("uniform", "alternate")


@pytest.mark.parametrize("name", spreads)
@given(sizes)
def test_spread_policies_hold_as_many_as_they_may_with_the_first_and_the_newest(
    name: PolicyName, size: tuple[int, int]
) -> None:
    frames, capacity = size
    indices = [index for index, _ in hold(name, frames, capacity)]
    assert len(indices) == min(frames, capacity)
    assert indices[-1] == frames - 1
    assert capacity == 1 or indices[0] == 0
    assert indices == [index for index, _ in hold(name, frames, capacity)]


@given(sizes)
def test_no_gap_of_uniform_is_longer_than_two_neighbouring_ones(size: tuple[int, int]) -> None:
    gaps = np.diff([index for index, _ in hold("uniform", *size)])
    if len(gaps) >= 2:
        assert gaps.max() <= (gaps[:-1] + gaps[1:]).min()
        assert gaps.max() * (len(gaps) // 2) <= gaps.sum()


@pytest.mark.parametrize("capacity", [5, 8, 20])
@pytest.mark.parametrize("name", spreads)
def test_spread_policies_stay_even_over_a_long_stream(name: PolicyName, capacity: int) -> None:
    for frames in (500, 1234, 3000):
        gaps = np.diff([index for index, _ in hold(name, frames, capacity)])
        assert gaps.max() <= 2 * gaps.mean()


@given(sizes)
def test_alternate_holds_as_many_clear_frames_as_fuzzy_ones(size: tuple[int, int]) -> None:
    frames, capacity = size
    states = Counter(state for _, state in hold("alternate", frames, max(3, capacity)))
    assert abs(states["clear"] - states["fuzzy"]) <= 1


def test_alternate_is_clear_and_fuzzy_in_turn_until_it_is_full() -> None:
    assert [state for _, state in hold("alternate", 7, 7)] == ["clear", "fuzzy"] * 3 + ["clear"]


@settings(max_examples=20)
@given(sizes, st.integers(0, 1000))
def test_random_holds_as_many_as_it_may_and_repeats_by_seed(size: tuple[int, int], seed: int) -> None:
    frames, capacity = size
    held = hold("random", frames, capacity, seed)
    assert len(held) == min(frames, capacity)
    assert held == hold("random", frames, capacity, seed)
    assert [index for index, _ in held] == sorted(index for index, _ in held)


def test_random_is_a_fair_sample_of_all_that_was_seen() -> None:
    drawn = Counter(index for seed in range(2000) for index, _ in hold("random", 40, 10, seed))
    expected = 2000 * 10 / 40
    assert all(abs(drawn[index] - expected) < 5 * np.sqrt(expected * 0.75) for index in range(40))


def test_the_bench_streams_every_policy_and_their_memory_is_flat(capsys: pytest.CaptureFixture[str]) -> None:
    rows = bench.run(features=3000, dim=16, capacity=7)
    assert {row.policy for row in rows} == set(get_args(PolicyName))
    for row in rows:
        assert row.features == 3000
        assert row.queue_peak == 7
        assert row.traced_growth_kb < 16  # nothing grows with the stream
    assert rows[0].policy == "last"
    assert rows[0].ratio_to_last == 1.0
    assert bench.table(rows).count("\n") == len(rows)
