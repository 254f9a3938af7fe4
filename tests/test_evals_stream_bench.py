"""The benchmark of streams: its truth is exact, nothing later is seen, and it can say that ours fails."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.bench.soak import Sample, slope
from evals.bench.soak import must_hold as soak_must_hold
from evals.bench.stream import QUICK, choose, make_stream
from evals.bench.streams import wordings, wordings_test
from evals.bench.streams.questions import AGES, Question, ask_about
from evals.bench.streams.replay import EVEN, OURS, TOKENS, Asked, Known, make_rows, replay
from evals.bench.streams.report import Point, must_hold, where_last_wins
from evals.bench.streams.scenes import gather_scenes
from evals.bench.streams.scoring import held, is_right
from evals.bench.streams.stream import WORDS, Stream
from memory.stream.encoders import load_encoder
from memory.stream.notes import Notes
from tools.media import Frame

ROOT = Path(__file__).parent.parent
SCENES = gather_scenes(None, None)
ENCODER = load_encoder("efficientnet-lite2")


def make(seed: int = 3, length_s: int = 300) -> Stream:
    return Stream(seed, length_s, SCENES, still_s=(40, 60), lively_s=(50, 80))


def question(**fields: Any) -> Question:
    given_ = {"stream": 0, "t_q": 100, "kind": "word ago", "age": "1-10 min", "age_s": 60.0, "text": "Which word?",
              "answers": ("HARBOUR",), "spans": ((10, 12),), **fields}  # fmt: skip
    return Question(**given_)


def run(module: str, *arguments: object) -> dict[str, Any]:
    path = arguments[-1]
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=280)
    assert done.returncode == 0, done.stderr
    return {"told": done.stdout, **json.loads(Path(str(path)).read_text())}


def test_the_same_seed_shows_the_same_and_words_are_where_they_are_said_to_be() -> None:
    one, two = make(), make()
    assert one.frame(77).id == two.frame(77).id
    assert one.frame(77).id != make(seed=4).frame(77).id
    assert one.shots[0].start_s == 0
    assert all(a.end_s == b.start_s for a, b in zip(one.shots, one.shots[1:], strict=False))
    assert all(a.scene.key != b.scene.key for a, b in zip(one.shots, one.shots[1:], strict=False))
    sign = next(sign for sign in one.signs if not sign.card)
    bare = replace(sign, word="")
    blank = Stream(3, 300, SCENES, still_s=(40, 60), lively_s=(50, 80))
    blank.signs = tuple(bare if other == sign else other for other in one.signs)
    assert one.sign_at(sign.start_s) == sign
    assert one.sign_at(sign.end_s) != sign
    assert one.frame(sign.start_s).id != blank.frame(sign.start_s).id


def test_what_is_tuned_with_is_not_what_is_reported() -> None:
    assert not set(WORDS["dev"]) & set(WORDS["test"])
    assert wordings.WORDINGS.keys() == wordings_test.WORDINGS.keys()
    texts = [
        {text for found in part.values() for text in found} for part in (wordings.WORDINGS, wordings_test.WORDINGS)
    ]
    assert not texts[0] & texts[1]


def test_every_fourth_stream_has_a_still_hour() -> None:
    size = replace(QUICK, length_s=6_000, still_s=(600, 1_500), hour_s=(3_600, 3_700), lively_s=(360, 780))
    longest = [
        max(shot.end_s - shot.start_s for shot in make_stream(seed, size, SCENES, "test").shots) for seed in range(4)
    ]
    assert max(longest[:3]) <= 1_500
    assert longest[3] >= 3_600


def test_the_truth_of_each_question_is_in_the_stream() -> None:
    stream = make(length_s=600)
    for asked in ask_about(stream, wordings.WORDINGS, interviews=6, each=3):
        assert all(start_s < end_s for start_s, end_s in asked.spans)
        assert max(start_s for start_s, _ in asked.spans) <= asked.t_q
        assert any(least <= asked.age_s <= most for name, least, most in AGES if name == asked.age)
        for start_s, end_s in asked.spans:
            seen = [stream.sign_at(t_s) for t_s in range(start_s, end_s)]
            if asked.kind.startswith("word"):
                assert {sign.word for sign in seen if sign} == set(asked.answers)
            elif asked.kind.startswith("scene"):
                assert not any(sign and sign.card for sign in seen)
                assert {stream.shot_at(t_s).scene.names for t_s in range(start_s, end_s)} == {asked.answers}


REPLAYED: dict[str, Any] = {"seed": 3, "length_s": 140, "scenes": SCENES, "still_s": (20, 30), "lively_s": (25, 40)}
"""The least stream whose second questions come after a quarter of it more."""


@pytest.fixture(scope="module")
def known() -> Known:
    """What was computed of frames, by what they show: those that two streams share are computed once."""
    return Known(None)


@pytest.fixture(scope="module")
def asked(known: Known, tmp_path_factory: pytest.TempPathFactory) -> list[Asked]:
    return _replay(Stream(**REPLAYED), known, tmp_path_factory.mktemp("notes"))


def _replay(stream: Stream, known: Known, folder: Path) -> list[Asked]:
    questions = ask_about(Stream(**REPLAYED), wordings.WORDINGS, interviews=2, each=1, from_share=0.4)
    with Notes(folder, stream.name) as notes:
        return list(replay(stream, make_rows(), questions, ENCODER, known, notes))


def test_no_row_shows_more_than_its_budget_or_what_comes_later(asked: list[Asked]) -> None:
    most = {"20 frames": 20, "8 frames": 8, "4 frames": 4, "2,560 tokens": 40}
    for entry in asked:
        assert entry.windows.keys() == {row.key for row in make_rows()}
        for row in make_rows():
            window = entry.windows[row.key]
            tokens = sum(256 if kept.state == "clear" else 64 for kept in window)
            assert 1 <= len(window) <= most[row.budget]
            assert tokens <= (TOKENS if row.budget == "2,560 tokens" else 256 * most[row.budget])
            assert max(kept.t_s for kept in window) == entry.question.t_q


def test_nothing_that_comes_after_a_question_changes_what_is_shown_for_it(
    asked: list[Asked], known: Known, tmp_path: Path
) -> None:
    first_s = asked[0].question.t_q

    class Changed(Stream):
        def frame(self, t_s: int) -> Frame:
            frame = super().frame(t_s)
            return frame if t_s <= first_s else Frame(frame.source, frame.t_s, np.flip(frame.rgb, axis=2).copy())

    other = _replay(Changed(**REPLAYED), known, tmp_path)
    at_first = [entry for entry in asked if entry.question.t_q == first_s]
    assert len(at_first) < len(asked)
    for entry, again in zip(asked, other, strict=True):
        same = entry.windows == again.windows
        assert same == (entry.question.t_q == first_s)


def test_even_moments_lie_at_even_times() -> None:
    from evals.bench.streams.replay import EvenMoments
    from memory.stream.queue import FrameRef

    moments = EvenMoments(9, 0.3, 0.0, 0.0)
    picture, feature = np.zeros((36, 64, 3), np.uint8), np.eye(4, dtype=np.float32)[0]
    for t_s in range(200):
        moments.offer(FrameRef.of(Frame("a", float(t_s), picture), "clear", None), feature, picture)
    times = [moment.t_s for moment in moments.all()]
    gaps = np.diff(times)
    assert len(times) == 9
    assert (times[0], times[-1]) == (0, 199)
    assert gaps.max() <= 4 * np.median(gaps)


@pytest.mark.parametrize(
    ("told", "right"),
    [
        ('It says "HARBOUR" [0:10].', True),
        ('It says "harbour".', True),
        ('It says "HARBOURS".', False),
        ('It says "LANTERN" and "HARBOUR".', False),
        ("I can't tell, perhaps HARBOUR.", False),
    ],
)
def test_a_word_is_right_alone_only(told: str, right: bool) -> None:
    assert is_right(question(), told, []) == right


def test_counts_and_scenes_are_right_alone_only() -> None:
    twice = question(kind="times", answers=("2", "two", "twice"))
    assert is_right(twice, "I see it twice: [1:02], [3:01].", [])
    assert not is_right(twice, "Once or twice.", [])
    cat = question(kind="scene ago", answers=("cat", "tabby cat"))
    assert is_right(cat, "A tabby cat [0:10].", ["cat", "coffee"])
    assert not is_right(cat, "A cat and a coffee.", ["cat", "coffee"])


def test_evidence_is_held_in_the_detail_in_which_it_is_shown() -> None:
    one, both = question(spans=((10, 12), (20, 22))), question(spans=((10, 12), (20, 22)), all_spans=True)
    assert held(one, [(11.0, "fuzzy"), (20.0, "clear")]) == "clear"
    assert held(both, [(11.0, "fuzzy"), (20.0, "clear")]) == "fuzzy"
    assert held(both, [(20.0, "clear")]) == "no"
    assert held(one, [(12.0, "clear"), (9.9, "clear")]) == "no"


def points(ours_old: float, rival_old: float, ours_now: float = 1.0) -> dict[str, list[Point]]:
    def row(old: float, now: float) -> list[Point]:
        outcomes = [("1-10 min", old), ("now", now)]
        return [
            Point(number, number % 10, age, (number * 7 % 100) / 100 < share)
            for age, share in outcomes
            for number in range(100)
        ]

    return {f"{OURS}, 20 frames": row(ours_old, ours_now), "last, 20 frames": row(rival_old, 1.0)}


@pytest.mark.parametrize(
    ("given_", "holds"),
    [((0.8, 0.2), [True, True]), ((0.3, 0.25), [False, True]), ((0.8, 0.2, 0.8), [True, False])],
)
def test_what_must_hold_can_fail(given_: tuple[float, ...], holds: list[bool]) -> None:
    found = points(*given_)
    # The same number means two questions here: that does not matter, each age is compared apart.
    assert [line[0] for line in must_hold("answers", found, {"20 frames": ("last",)})] == holds
    assert [line[0] for line in must_hold("recall", found, {"20 frames": ("last",)})] == holds[:1]
    missing = must_hold("answers", found, {"20 frames": ("last", "random")})
    assert (False, "answers: random, 20 frames was not measured") in missing


def test_where_the_last_frames_win_is_told() -> None:
    found = points(0.8, 0.2, 0.8)
    assert any("last, 20 frames is better than ours, 20 frames at: now" in line for line in where_last_wins("a", found))


def test_questions_to_answer_come_from_all_streams_and_ages_alike() -> None:
    def entries(seed: int, count: int) -> list[Asked]:
        ages = ("now", "1-10 min")
        return [Asked(question(stream=seed, age=ages[n % 2], t_q=n), {}, {}) for n in range(count)]

    chosen = choose({0: entries(0, 20), 1: entries(1, 4), 2: entries(2, 20)}, each=9)
    of_age = {age: [e.question.stream for found in chosen.values() for e in found if e.question.age == age]
              for age in ("now", "1-10 min")}  # fmt: skip
    assert all(sorted(streams).count(1) == 2 and len(streams) == 9 for streams in of_age.values())


@given(st.floats(-5, 5), st.integers(10, 40))
def test_a_slope_without_noise_is_found_exactly(steep: float, count: int) -> None:
    samples = [Sample(n / 12, 100 + steep * n / 12, 0, 0, 0, 0, 0) for n in range(count)]
    found = slope(samples, "rss_mb")
    assert found["per_hour"] == pytest.approx(steep, abs=1e-9)
    assert found["high"] - found["low"] == pytest.approx(0, abs=1e-9)


def test_growth_does_not_pass_for_flat() -> None:
    def results(growth: float) -> dict[str, Any]:
        noise = np.random.default_rng(1).normal(0, 1, 30)
        samples = [
            Sample(n / 12, 1000 + growth * n / 12 + noise[n], 500, 20 + noise[n] / 50, 5, 256, 9) for n in range(30)
        ]
        names = ("rss_mb", "push_ms", "choose_ms")
        return {
            "slopes": {name: slope(samples, name) for name in names},
            "means": {name: float(np.mean([getattr(s, name) for s in samples])) for name in names},
            "rss_mb_growth": 10.0,
            "disk_mb_most": 700.0,
            "bound": {"process_mb": 20.0, "disk_mb": 600.0},
        }

    assert [holds for holds, _ in soak_must_hold(results(0.0))] == [True, True, True, True, False]
    assert [holds for holds, _ in soak_must_hold(results(50.0))] == [False, True, True, True, False]


def test_the_stream_bench_runs_from_end_to_end(tmp_path: Path) -> None:
    report = run("evals.bench.stream", "--quick", "--part", "dev", "--json", tmp_path / "stream.json")
    assert report["encoder"] == "efficientnet-lite2"
    assert {f"{EVEN}, 20 frames", f"{OURS}, 2,560 tokens", "the evidence itself"} <= report["tables"]["answers"].keys()
    assert report["push"]["ratio"] > 0
    assert "Where the last frames win" in report["told"]


def test_the_soak_runs_from_end_to_end(tmp_path: Path) -> None:
    report = run("evals.bench.soak", "--frames", 40, "--every", 5, "--notes", 50, "--json", tmp_path / "soak.json")
    assert [round(sample["hours"] * 3600) for sample in report["samples"]] == list(range(5, 41, 5))
    assert report["samples"][-1]["key_moments"] > 3
    assert report["samples"][-1]["notes"] > 50
    assert len(report["must_hold"]) == 5
