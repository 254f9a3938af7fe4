"""StreamMemory: what is remembered of a stream, and what is shown for a question."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory.store.frames import FrameStore
from memory.stream.memory import GAPS_LENGTH, StreamMemory
from memory.stream.options import StreamOptions
from tools.errors import ConfigError, MediaError, ModelError, StoreError
from tools.media.types import Frame, Gap, Span


class Thumbnail:
    """A small true encoder: the picture's means over a 4 x 4 grid."""

    name, dim = "thumbnail", 48

    def embed(self, rgb: np.ndarray) -> np.ndarray:
        feature = rgb.reshape(4, rgb.shape[0] // 4, 4, rgb.shape[1] // 4, 3).mean((1, 3)).ravel() + 1
        return (feature / np.linalg.norm(feature)).astype(np.float32)


def frames(count: int, seed: int = 0, side: int = 16) -> list[Frame]:
    """Frames of scenes that last a few seconds, with noise, at times that are no whole numbers."""
    random = np.random.default_rng(seed)
    made, scene = [], np.zeros((side, side, 3))
    for index in range(count):
        if random.random() < 0.25:
            scene = np.kron(random.integers(0, 256, (4, 4, 3)), np.ones((side // 4, side // 4, 1)))
        rgb = np.clip(scene + random.integers(-9, 10, scene.shape), 0, 255).astype(np.uint8)
        made.append(Frame("test", index * 1.001, rgb))
    return made


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., StreamMemory]:
    def build(quota_bytes: int = 10**9, **options: object) -> StreamMemory:
        return StreamMemory(StreamOptions.model_validate(options), Thumbnail(), FrameStore(tmp_path, quota_bytes))

    return build


any_options = st.fixed_dictionaries(
    {
        "policy": st.sampled_from(["curvestream", "last", "uniform", "alternate", "motion", "curvature", "random"]),
        "capacity": st.integers(1, 9),
        "token_budget": st.none() | st.integers(256, 1500),
        "warmup": st.sampled_from(["clear", "skip"]),
        "persist_query": st.booleans(),
    }
)
fixture_is_stateless = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fixture_is_stateless
@given(any_options, st.integers(1, 40), st.integers(0, 50))
def test_every_snapshot_is_bounded_ordered_and_ends_with_the_query_frame_clear(
    make: Callable[..., StreamMemory], options: dict[str, object], count: int, seed: int
) -> None:
    memory = make(**options)
    for frame in frames(count, seed):
        memory.push(frame)
        before = memory.stats
        items = memory.snapshot()
        assert items == memory.snapshot()
        assert memory.stats == before
        assert items[-1] == memory.newest()
        assert (items[-1].t_s, items[-1].frame_id, items[-1].state) == (frame.t_s, frame.id, "clear")
        times = [item.t_s for item in items]
        assert times == sorted(set(times))
        assert len(items) <= memory.options.capacity
        assert before.kept_now <= memory.options.capacity
        if memory.options.token_budget is not None:
            cost = {"clear": memory.options.tokens_clear, "fuzzy": memory.options.tokens_fuzzy}
            assert sum(cost[item.state] for item in items) <= memory.options.token_budget
            assert before.tokens_now <= memory.options.token_budget
        if seed % 3 == 0:
            memory.keep_query(items[-1])


@fixture_is_stateless
@given(any_options, st.integers(1, 30), st.integers(0, 50))
def test_the_future_has_no_influence_even_on_a_question_asked_late(
    make: Callable[..., StreamMemory], options: dict[str, object], cut: int, seed: int
) -> None:
    options = {**options, "persist_query": False}
    seen = frames(cut, seed)
    late, other = make(**options), make(**options)
    for frame in seen:
        decision = late.push(frame)
        assert other.push(frame) == decision
    asked = late.snapshot()
    assert asked == other.snapshot()
    for frame in frames(60, seed + 1)[cut:]:
        late.push(frame)
    for frame in frames(45, seed + 2)[cut:]:
        other.push(frame)
    t_q = seen[-1].t_s
    assert late.snapshot(t_q) == other.snapshot(t_q)
    assert late.snapshot(t_q + 0.9) == late.snapshot(t_q)
    if decision.kept:
        assert late.snapshot(t_q) == asked
    else:  # its pixels are gone: the kept frames before it remain
        assert {item.frame_id for item in asked[:-1]} <= {item.frame_id for item in late.snapshot(t_q)}


@pytest.mark.parametrize("policy", ["curvestream", "uniform", "alternate", "random"])
def test_the_queue_of_any_earlier_moment_can_be_shown(make: Callable[..., StreamMemory], policy: str) -> None:
    memory, asked = make(policy=policy, capacity=6), {}
    for frame in frames(60):
        if memory.push(frame).kept:
            asked[frame.t_s] = memory.snapshot()
    assert {t_q: memory.snapshot(t_q) for t_q in asked} == asked


def test_k_of_minus_infinity_equals_last_n_bit_for_bit(make: Callable[..., StreamMemory]) -> None:
    curve = make(k1=float("-inf"), k2=float("-inf"), capacity=6)
    last = make(policy="last", capacity=6)
    for frame in frames(40):
        curve.push(frame)
        last.push(frame)
        pairs = list(zip(curve.snapshot(), last.snapshot(), strict=True))
        assert [(a.frame_id, a.t_s, a.state) for a, _ in pairs] == [(b.frame_id, b.t_s, "clear") for _, b in pairs]
    for item in curve.snapshot():
        np.testing.assert_array_equal(curve.image(item), last.image(item))
    assert [item.t_s for item in curve.snapshot()] == [frame.t_s for frame in frames(40)[-6:]]


def test_capacity_of_one_is_the_present_frame_only(make: Callable[..., StreamMemory]) -> None:
    memory = make(capacity=1)
    for frame in frames(12):
        memory.push(frame)
        assert [item.frame_id for item in memory.snapshot()] == [frame.id]


def test_first_in_first_out_whatever_the_state(make: Callable[..., StreamMemory]) -> None:
    memory, kept = make(capacity=5), []
    for frame in frames(80):
        decision = memory.push(frame)
        if decision.kept:
            kept.append((frame.t_s, decision.state))
            shown = [(item.t_s, item.state) for item in memory.snapshot()]
            assert shown[:-1] == kept[-5:][:-1]
    assert {state for _, state in kept} == {"clear", "fuzzy"}


def test_clear_is_bit_equal_and_fuzzy_is_small_and_square(make: Callable[..., StreamMemory]) -> None:
    memory = make(blur_px=8, policy="alternate", capacity=4)
    seen = {frame.id: frame for frame in frames(3)}
    for frame in seen.values():
        memory.push(frame)
    items = memory.snapshot()
    assert [item.state for item in items] == ["clear", "fuzzy", "clear"]
    for item in items:
        shown = memory.image(item)
        if item.state == "clear":
            np.testing.assert_array_equal(shown, seen[item.frame_id].rgb)
        else:
            assert shown.shape == (8, 8, 3)
            np.testing.assert_allclose(shown.mean(), seen[item.frame_id].rgb.mean(), atol=2)
    np.testing.assert_array_equal(memory.pixels(items[1].frame_id), seen[items[1].frame_id].rgb)


def test_a_fuzzy_or_discarded_newest_frame_is_still_shown_clear_afterwards(make: Callable[..., StreamMemory]) -> None:
    memory = make(k1=10.0, k2=10.0)  # nothing is kept after the warm-up
    one, two, three, four = frames(4)
    for frame in (one, two, three):
        memory.push(frame)
    assert memory.push(four).state == "discard"
    query = memory.snapshot()[-1]
    memory.push(Frame("test", 9.0, np.zeros((16, 16, 3), np.uint8)))
    np.testing.assert_array_equal(memory.image(query), four.rgb)


def test_only_kept_frames_and_those_asked_about_are_stored(make: Callable[..., StreamMemory]) -> None:
    memory = make()
    decisions = [memory.push(frame) for frame in frames(50)]
    kept = {frame.id for frame, decision in zip(frames(50), decisions, strict=True) if decision.kept}
    assert set(memory.store.ids()) == kept
    query = memory.snapshot()[-1].frame_id
    assert set(memory.store.ids()) == kept | {query}


def test_frames_in_the_queue_survive_a_tight_quota(make: Callable[..., StreamMemory], tmp_path: Path) -> None:
    probe = FrameStore(tmp_path / "probe", 10**9)
    random = np.random.default_rng(0)
    noise = [Frame("test", float(t), random.integers(0, 256, (16, 16, 3), dtype=np.uint8)) for t in range(40)]
    probe.put(noise[0])
    memory = StreamMemory(
        StreamOptions(policy="last", capacity=4), None, FrameStore(tmp_path / "tight", int(probe.bytes_used * 6.5))
    )
    for frame in noise:
        memory.push(frame)
        for item in memory.snapshot():
            memory.store.get(item.frame_id)
    assert 4 <= len(memory.store) <= 6
    assert [item.t_s for item in memory.remembered()] == [float(t) for t in range(40 - len(memory.store), 40)]


def test_what_left_the_queue_is_remembered_by_span(make: Callable[..., StreamMemory]) -> None:
    memory = make(policy="last", capacity=3)
    for frame in frames(30):
        memory.push(frame)
    assert len(memory.snapshot()) == 3
    assert [item.t_s for item in memory.remembered()] == [frame.t_s for frame in frames(30)]
    assert [round(item.t_s) for item in memory.remembered(Span(4.5, 8.5))] == [5, 6, 7, 8]
    assert [round(item.t_s) for item in memory.snapshot(10.5)] == [8, 9, 10]
    memory.store.remove([memory.remembered()[0].frame_id])
    assert len(memory.remembered()) == 29


def test_nothing_seen_shows_nothing(make: Callable[..., StreamMemory]) -> None:
    memory = make()
    assert memory.snapshot() == []
    assert memory.newest() is None
    assert memory.stats.newest_s is None
    memory.push(Frame("test", 5.0, np.zeros((16, 16, 3), np.uint8)))
    assert memory.snapshot(4.9) == []


def test_persist_query_keeps_the_frame_a_question_was_asked_at(make: Callable[..., StreamMemory]) -> None:
    for persist in (False, True):
        memory = make(k1=10.0, k2=10.0, persist_query=persist)  # nothing else is kept after the warm-up
        for frame in frames(8):
            memory.push(frame)
        query = memory.snapshot()[-1]
        memory.keep_query(query)
        assert memory.push(frames(9)[-1]).state == "discard"
        assert (query in memory.snapshot()) == persist


def test_a_query_frame_that_had_left_is_put_back_once(make: Callable[..., StreamMemory]) -> None:
    memory = make(policy="last", capacity=3, persist_query=True)
    for frame in frames(4):
        memory.push(frame)
    asked = memory.snapshot(frames(1)[0].t_s)[-1]
    memory.keep_query(asked)
    assert [item.t_s for item in memory.remembered()] == [frame.t_s for frame in frames(4)]
    assert len(memory.snapshot(frames(3)[-1].t_s)) == 3


def test_gaps_are_held_and_an_open_one_is_closed_by_its_end(make: Callable[..., StreamMemory]) -> None:
    memory = make()
    memory.push_gap(Gap("test", 3.0, None, "no signal"))
    memory.push_gap(Gap("test", 3.0, 7.5, "no signal"))
    memory.push_gap(Gap("test", 9.0, 9.5, "no signal"))
    assert [(gap.start_s, gap.end_s) for gap in memory.gaps] == [(3.0, 7.5), (9.0, 9.5)]
    for index in range(2 * GAPS_LENGTH):
        memory.push_gap(Gap("test", 10.0 + index, 10.5 + index, "no signal"))
    assert len(memory.gaps) == GAPS_LENGTH
    assert memory.stats.gaps == 2 + 2 * GAPS_LENGTH


def test_bad_input_is_refused_with_a_reason(make: Callable[..., StreamMemory], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing encoder"):
        StreamMemory(StreamOptions(), None, FrameStore(tmp_path, 10**9))
    memory = make()
    first, second = frames(2)
    memory.push(second)
    for early in (first, second):
        with pytest.raises(MediaError, match="increase"):
            memory.push(early)

    class Unnormalised(Thumbnail):
        def embed(self, rgb: np.ndarray) -> np.ndarray:
            return 2 * super().embed(rgb)

    with pytest.raises(ModelError, match="length 2"):
        StreamMemory(StreamOptions(), Unnormalised(), FrameStore(tmp_path, 10**9)).push(first)


def test_a_frame_that_cannot_be_stored_is_reported_and_the_stream_goes_on(make: Callable[..., StreamMemory]) -> None:
    memory = make(quota_bytes=4000)
    flat, noise = frames(1)[0], np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    memory.push(flat)
    with pytest.raises(StoreError, match="quota"):
        memory.push(Frame("test", 1.0, noise))
    memory.push(Frame("test", 2.0, flat.rgb))
    assert [item.t_s for item in memory.snapshot()] == [0.0, 2.0]
    assert memory.stats.seen == 3


def test_snapshots_are_consistent_while_another_thread_pushes(make: Callable[..., StreamMemory]) -> None:
    memory, done, wrong = make(capacity=5), threading.Event(), []

    def ask() -> None:
        while not done.is_set():
            items = memory.snapshot()
            times = [item.t_s for item in items]
            if times != sorted(set(times)) or len(items) > 5 or (items and items[-1].state != "clear"):
                wrong.append(items)
            for item in items[-2:]:
                memory.image(item)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    for frame in frames(150):
        memory.push(frame)
    done.set()
    for asker in askers:
        asker.join()
    assert wrong == []
    assert memory.stats.seen == 150
    assert [decision.t_s for decision in memory.log] == [frame.t_s for frame in frames(150)]
