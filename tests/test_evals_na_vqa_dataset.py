"""NA-VQA's files: what is read of them, how evidence is measured, and what is refused, with its place."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.engine.data import DataError
from evals.suites.na_vqa.dataset import REASONING_TYPES, Labels, load
from evals.suites.na_vqa.ranges import RANGES, spread_of

SAMPLE = Path(__file__).parent.parent / "evals" / "suites" / "na_vqa" / "sample"
FILM = {"video_id": "film", "title": "A film", "duration_s": 100, "license": "CC0-1.0"}
ASKED: dict[str, Any] = {
    "qa_id": "q1",
    "video_id": "film",
    "question": "Why does the door stand open?",
    "reference": "A man has left in haste.",
    "reasoning_type": "Causal",
    "evidence": [{"text": "a man runs", "t0": 10, "t1": 12}, {"text": "a door stands open", "t0": 30, "t1": 36.5}],
}


def write(folder: Path, *asked: dict[str, Any], films: tuple[Any, ...] = (FILM,), as_list: bool = False) -> Path:
    for name, records in (("videos", films), ("qa", asked or (ASKED,))):
        if as_list:
            (folder / f"{name}.json").write_text(json.dumps(records, indent=1))
        else:
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def test_the_sample_has_all_types_and_ranges_and_its_films() -> None:
    loaded = load(SAMPLE)
    assert {question.reasoning_type for question in loaded.questions} == set(REASONING_TYPES)
    assert {question.range for question in loaded.questions} == set(RANGES)
    assert min(Counter(question.range for question in loaded.questions).values()) >= 4
    assert all(film.path for film in loaded.films.values())
    told = {
        film.video_id: [json.loads(line) for line in film.path.read_text().splitlines()]
        for film in loaded.films.values()
        if film.path
    }
    for question in loaded.questions:
        for start_s, end_s in question.spans:
            assert any(scene["start"] == start_s and scene["end"] == end_s for scene in told[question.film])
        assert question.spread.range == question.range


@pytest.mark.parametrize("as_list", [True, False])
def test_questions_are_read_and_their_evidence_measured(tmp_path: Path, as_list: bool) -> None:
    other = {**ASKED, "qa_id": "q2", "range": "Far", "span_s": 27, "annotator": 3}
    loaded = load(write(tmp_path, ASKED, other, as_list=as_list))
    first, second = loaded.questions
    assert (first.id, first.film, first.reasoning_type) == ("q1", "film", "Causal")
    assert first.spans == ((10, 12), (30, 36.5))
    assert first.evidence[1].text == "a door stands open"
    assert (first.spread.span_s, first.spread.frac, first.spread.max_gap_s) == (26.5, 0.265, 18)
    assert (first.range, first.given) == ("Medium", Labels())
    assert second.given == Labels(span_s=27, range="Far")
    assert (second.range, second.spread) == ("Far", first.spread)
    assert loaded.films["film"].duration_s == 100
    assert loaded.films["film"].path is None
    assert loaded.bad == ()
    assert [file.name for file in loaded.files] == (
        ["videos.json", "qa.json"] if as_list else ["videos.jsonl", "qa.jsonl"]
    )


def test_a_line_may_hold_any_character(tmp_path: Path) -> None:
    write(tmp_path)
    question = "Why\u2028does\x85it rain?"
    (tmp_path / "qa.jsonl").write_text("\n" + json.dumps({**ASKED, "question": question}, ensure_ascii=False) + "\r\n")
    assert load(tmp_path).questions[0].text == question


def test_a_film_is_found_beside_its_questions(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "film.mkv").write_bytes(b"")
    assert load(write(tmp_path)).films["film"].path == tmp_path / "films" / "film.mkv"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"video_id": "other"}, "field 'video_id': 'other' is not a film of this folder"),
        ({"reasoning_type": "Funny"}, "field 'reasoning_type': Input should be 'Causal', .*found 'Funny'"),
        ({"range": "far"}, "field 'range': Input should be 'Short', 'Medium' or 'Far', found 'far'"),
        ({"evidence": []}, "field 'evidence': .*at least 1 item"),
        ({"evidence": [{"text": "x", "t0": 5, "t1": 5}]}, "field 'evidence.0': .*it ends at 5.0 s"),
        ({"evidence": [{"text": "x", "t0": "soon", "t1": 5}]}, "field 'evidence.0.t0': .*found 'soon'"),
        ({"evidence": [{"text": "x", "t0": 5}]}, r"field 'evidence.0.t1': Field required\."),
        ({"evidence": [{"text": "x", "t0": 5, "t1": 102}]}, "field 'evidence.0.t1': 102.0 s is past the end of 'film'"),
        ({"evidence": [{"text": "x", "t0": float("nan"), "t1": 9}]}, "field 'evidence.0.t0': .*finite"),
        ({"reference": ""}, "field 'reference'"),
        ({"qa_id": "q1"}, "field 'qa_id': 'q1' is also in an earlier record"),
    ],
)
@pytest.mark.parametrize("as_list", [True, False])
def test_a_bad_record_is_told_of_with_its_place(
    tmp_path: Path, change: dict[str, Any], told: str, as_list: bool
) -> None:
    records = ASKED, {**ASKED, "qa_id": "q2", **change}, {**ASKED, "qa_id": "q3"}
    loaded = load(write(tmp_path, *records, as_list=as_list))
    assert [question.id for question in loaded.questions] == ["q1", "q3"]
    (problem,) = loaded.bad
    assert problem.file == tmp_path / ("qa.json" if as_list else "qa.jsonl")
    assert problem.line == (21 if as_list else 2)
    assert re.search(told, str(problem))
    assert problem.remedy


def test_evidence_may_end_with_a_film_whose_length_is_rounded(tmp_path: Path) -> None:
    late = {**ASKED, "evidence": [{"text": "x", "t0": 95, "t1": 100.6}]}
    assert load(write(tmp_path, late)).questions[0].spans == ((95, 100.6),)


def test_bad_films_are_told_of_and_so_are_their_questions(tmp_path: Path) -> None:
    for film in ({**FILM, "duration_s": 0}, {**FILM, "video_id": "../../film"}, {"video_id": "film"}, 5):
        loaded = load(write(tmp_path, films=({**FILM, "video_id": "first"}, film)))
        assert [problem.line for problem in loaded.bad] == [2, 1]
        assert list(loaded.films) == ["first"]
        assert loaded.questions == ()
    (problem,) = load(write(tmp_path, films=(FILM, FILM))).bad
    assert "line 2, field 'video_id': 'film' is also in an earlier record" in str(problem)


def test_files_that_are_missing_or_no_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "none")
    with pytest.raises(DataError, match=r"has neither videos\.jsonl nor videos\.json"):
        load(tmp_path)
    write(tmp_path)
    (tmp_path / "qa.jsonl").write_text(json.dumps(ASKED) + '\n\n{"qa_id": "q2", ')
    assert [problem.line for problem in load(tmp_path).bad] == [3]
    (tmp_path / "qa.jsonl").unlink()
    for text, told in (('[\n{"qa_id": "q2"\n', "not JSON"), ('{"qa": []}', "not a list"), ("\xff", "not JSON")):
        (tmp_path / "qa.json").write_text(text)
        with pytest.raises(DataError, match=told):
            load(tmp_path)


spans = st.lists(
    st.tuples(st.integers(0, 90), st.integers(1, 10)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    min_size=1,
    max_size=6,
)


@given(spans)
def test_a_spread_is_bounded_and_knows_no_order(pieces: list[tuple[int, int]]) -> None:
    spread = spread_of(pieces, 100)
    assert spread == spread_of(pieces[::-1], 100)
    assert 0 <= spread.max_gap_s <= spread.span_s <= 100
    assert spread.frac == spread.span_s / 100
    covered = {second for start, end in pieces for second in range(start, end)}
    first, last = min(covered), max(covered)
    gaps = "".join("x" if second in covered else "." for second in range(first, last + 1)).split("x")
    assert spread.max_gap_s == max(len(gap) for gap in gaps)
    assert spread.span_s == last + 1 - first


def test_one_piece_is_short_however_long() -> None:
    assert spread_of([(0, 90)], 100).range == "Short"
    assert spread_of([(0, 45), (45, 90)], 100).range == "Far"
    assert spread_of([(0, 5), (5, 10)], 100).range == "Short"
    assert spread_of([(0, 5), (35, 40)], 100).range == "Medium"
