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
from memory.stream.policy import make_policy

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


@given(sizes, st.sampled_from([("uniform", 2), ("alternate", 3)]))
def test_uniform_policies_hold_evenly_spaced_frames_from_the_start(
    size: tuple[int, int], policy: tuple[PolicyName, int]
) -> None:
    (frames, capacity), (name, factor) = size, policy
    indices = [index for index, _ in hold(name, frames, capacity)]
    stride = 1
    while (frames - 1) // stride + 1 > capacity:
        stride *= factor
    assert indices == list(range(0, frames, stride))
    if frames > capacity:
        assert len(indices) >= capacity // factor


@given(sizes)
def test_alternate_holds_clear_and_fuzzy_in_turn_at_any_length(size: tuple[int, int]) -> None:
    states = [state for _, state in hold("alternate", *size)]
    assert states == (["clear", "fuzzy"] * len(states))[: len(states)]


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
    rows = bench.run(features=3000, dim=16, capacity=7, traced=5000)
    assert {row.policy for row in rows} == set(get_args(PolicyName))
    for row in rows:
        assert row.features == 3000
        assert row.queue_peak == 7
        assert row.traced_growth_kb < 16  # nothing grows with the stream
    assert rows[0].policy == "last"
    assert rows[0].ratio_to_last == 1.0
    assert bench.table(rows).count("\n") == len(rows)
